// What a recurrence is given, forward and back, and what a cell must say about itself.
//
// Every pass takes some rows of the batch through the whole sequence and touches no others, so rows may be
// spread over threads at will. So may the units of a step, a part of them each, as the schedule says (steps.h).
// Tensors of the caller are batch-major and end where they end. What lies between the two passes is ours: time-major,
// (steps, batch, values of the cell * padded units), every value padded to whole vectors.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "buffer.h"
#include "kernels.h"
#include "steps.h"

namespace rnnapps {

// Which gates of a weight matrix go where: value `first` of a step takes gate order[0], the next order[1], and so on.
// Each cell names its gates, in Keras's order, and its values in enumerations of its own.
struct Gates {
  int first;
  int count;
  int order[4];
};

// A product with the recurrent kernel. Its left side is h_{t-1}, or one of the values of the step itself.
struct RecurrentProduct {
  Gates gates;
  int left = -1;
};

struct Layout {
  int states;  // 1: h, 2: h and c
  int gates;   // in Keras's weights
  int values;  // numbers a unit has at every step: gates, and what else the backward pass reads
  bool saves;  // whether the backward pass needs the values, or recomputes all from the outputs
  bool recurrent_bias;
  Gates kernel;
  int products;  // in a step, each of which needs the one before for all units
  RecurrentProduct recurrent[2];
};

// What both passes are given.
struct Recurrence {
  int64_t batch, steps, features, units;
  bool reverse;             // read from the last step to the first
  const bool* mask;         // (batch, steps), false where a step holds the states; or null
  const float* dropout;     // (batch, units), multiplies h_{t-1} where it enters a product; or null
  const float* initial[2];  // (batch, units) each

  int64_t padded() const { return round_up(units); }
  int64_t parts() const { return (units + tile_columns - 1) / tile_columns; }  // of the units, one panel wide
  Places places() const { return {padded()}; }  // of the values between the passes
  int64_t time(int64_t step) const { return reverse ? steps - 1 - step : step; }
  bool holds(int64_t row, int64_t t) const { return mask && !mask[row * steps + t]; }
};

struct Forward : Recurrence {
  const float* inputs;     // (batch, steps, features)
  Panels kernel;           // (features, gates of the kernel)
  Panels recurrent[2];     // (units, gates of the product)
  const float* start;      // a row of values, the bias in its place
  float* outputs;          // (batch, steps, units)
  float* final_states[2];  // (batch, units) each
  float* values;           // (steps, batch, values * padded), or null
  int64_t value_count;     // of the layout

  // Values that nobody reads later lie together for each part of the units: a processor that reads ahead takes nothing
  // that another one writes.
  Places places() const { return values ? Recurrence::places() : Places{tile_columns, value_count * tile_columns}; }
};

struct Backward : Recurrence {
  Panels recurrent[2];      // transposed: (gates of the product, units)
  const float* outputs;     // (batch, steps, units)
  const float* values;      // as the forward pass left them; null if the cell saves none
  const float* d_outputs;   // (batch, steps, units)
  const float* d_final[2];  // (batch, units) each
  float clip;               // bound on the elements of dL/dh_t, or infinity
  float* gradients;         // as `values`, of the pre-activations; may be the same memory
  float* d_initial[2];      // (batch, units) each
  float* squares;           // (steps, batch, parts): sum over units of (dL/dh_t)^2
};

// A cell: its layout, and its two passes over the rows first <= row < last.
struct Cell {
  Layout layout;
  void (*forward)(const Forward&, int64_t first, int64_t last, const Schedule&);
  void (*backward)(const Backward&, int64_t first, int64_t last, const Schedule&);
};

extern const Cell simple_rnn, gru, gru_reset_after, lstm;

// Rows of floats, each of `units` rounded up to whole vectors and zero behind its end.
class State {
 public:
  // The rows from `first` on of a (batch, units) tensor; zeros if it is null.
  State(const float* tensor, int64_t first, int64_t rows, int64_t units)
      : units_(units), stride_(round_up(units) + lanes), floats_(rows * stride_, 0.0f), rows_(rows) {
    for (int64_t r = 0; r < rows; ++r) {
      if (tensor) std::memcpy(row(r), tensor + (first + r) * units, units * sizeof(float));
      rows_[r] = row(r);
    }
  }
  float* row(int64_t r) { return floats_.data() + r * stride_; }
  float* const* rows() const { return rows_.data(); }
  void copy_to(float* tensor, int64_t first) {
    for (size_t r = 0; r < rows_.size(); ++r)
      std::memcpy(tensor + (first + r) * units_, row(r), units_ * sizeof(float));
  }

 private:
  int64_t units_, stride_;  // one vector more than a row: rows a power of two apart would share few sets of the cache
  Buffer floats_;
  std::vector<float*> rows_;
};

// The rows that each step of a pass computes: the unmasked ones of the rows first <= row < last.
class Computed {
 public:
  Computed(const Recurrence& r, int64_t first, int64_t last) : every_(last - first), total_(r.steps * every_) {
    for (int64_t row = first; row < last; ++row) rows_.push_back(row);
    if (!r.mask) return;
    rows_.clear();
    for (int64_t s = 0; s < r.steps; ++s) {
      starts_.push_back(rows_.size());
      for (int64_t row = first; row < last; ++row)
        if (!r.holds(row, r.time(s))) rows_.push_back(row);
    }
    starts_.push_back(total_ = rows_.size());
  }
  int64_t total() const { return total_; }  // of all steps
  // Where the rows of a step begin among those of all steps, their number, and their places in the batch.
  int64_t start(int64_t step) const { return starts_.empty() ? step * every_ : starts_[step]; }
  int64_t count(int64_t step) const { return start(step + 1) - start(step); }
  const int64_t* rows(int64_t step) const { return rows_.data() + (starts_.empty() ? 0 : starts_[step]); }

 private:
  int64_t every_, total_;
  std::vector<int64_t> starts_, rows_;  // no starts: every step computes every row
};

// Some units: those of the parts first <= part < last.
struct Units {
  Units(const Recurrence& r, int64_t first, int64_t last)
      : first(first), last(last), begin(first * tile_columns), end(std::min(r.padded(), last * tile_columns)) {}

  int64_t first, last;  // parts
  int64_t begin, end;   // units
};

// Calls pass(units) for the units of parts first <= part < last: for few rows all at once, as their products need many
// sums; for more rows part by part, so that what the product leaves still lies in the nearest cache.
template <class Pass>
void by_units(const Recurrence& r, int64_t rows, int64_t first, int64_t last, const Pass& pass) {
  if (rows <= few_rows) return pass(Units(r, first, last));
  for (int64_t part = first; part < last; ++part) pass(Units(r, part, part + 1));
}

}  // namespace rnnapps
