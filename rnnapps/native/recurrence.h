// The loops over time, forward and back, that the cells share, and what a cell must say about itself.
//
// Every function here takes some rows of the batch through the whole sequence and touches no others, so rows may be
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
  int64_t parts() const { return (units + tile_columns - 1) / tile_columns; }
  int64_t time(int64_t step) const { return reverse ? steps - 1 - step : step; }
  bool holds(int64_t row, int64_t t) const { return mask && !mask[row * steps + t]; }
};

struct Forward : Recurrence {
  const float* inputs;     // (batch, steps, features)
  Panels kernel;           // (features, gates of the kernel)
  Panels recurrent[2];     // (units, gates of the product)
  const float* start;      // (values * padded), the bias in its place
  float* outputs;          // (batch, steps, units)
  float* final_states[2];  // (batch, units) each
  float* values;           // (steps, batch, values * padded), or null
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

// Some units of a step: those of one panel.
struct Part {
  Part(const Recurrence& r, int64_t number)
      : number(number), begin(number * tile_columns), end(std::min<int64_t>(r.padded(), begin + tile_columns)) {}

  int64_t number, begin, end;
};

// One step of some rows of the batch and some units.
struct Step {
  const Forward& pass;
  Part part;
  int64_t rows;
  const float* const* h; // per row: h_{t-1} of all units, after recurrent dropout
  float* const* values;  // per row
  int64_t next;          // distance of two values of a unit
  State& exchanged;      // per row: what another product of the step needs of all units

  // Adds left * right to the values from number `first` on.
  void add_product(const float* const* left, const Panels& right, int first) const {
    product(left, 0, right.part(part.number, next), nullptr, values, first * next, rows);
  }
};

// Forward over time. The class `Equations` of a cell has
//   layout                    its Layout
//   product(step, number)     adds what comes from h_{t-1} to the projected inputs
//   step(value, next, h, c)   for one vector of units: from pre-activations at value, value + next, ... to the values
//                             that the backward pass reads; replaces the states h and c
// The last value of a cell with two states is c_t.
template <class Equations>
void forward_rows(const Forward& f, int64_t first, int64_t last, const Schedule& schedule) {
  constexpr const Layout& layout = Equations::layout;
  constexpr bool has_c = layout.states > 1;
  const int64_t rows = last - first, units = f.padded(), width = layout.values * units;
  State h(f.initial[0], first, rows, f.units);
  State c(has_c ? f.initial[1] : nullptr, first, rows, f.units);
  State exchanged(nullptr, 0, rows, f.units);
  // What enters the products of a step and of the next one, which some threads compute while others still read.
  State entering[2] = {{f.initial[0], first, rows, f.units}, {nullptr, 0, rows, f.units}};
  if (f.dropout) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t u = 0; u < f.units; ++u) entering[0].row(r)[u] *= f.dropout[(first + r) * f.units + u];
  }

  // So many steps have their inputs projected at once that the result still lies in the cache when its step comes, but
  // not so few that the kernel, which comes from further away, serves few rows.
  constexpr int64_t cached_floats = 1 << 16, enough_rows = 128;
  const int64_t wanted = std::max(enough_rows / rows, cached_floats / (rows * width));
  const int64_t block = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, f.steps));
  std::vector<const float*> inputs(f.steps * rows);
  for (size_t i = 0; i < inputs.size(); ++i)
    inputs[i] = f.inputs + ((first + i % rows) * f.steps + f.time(i / rows)) * f.features;
  // Values that nobody saves lie together for each part: a processor that reads ahead takes nothing from another one.
  const int64_t next = f.values ? units : tile_columns;
  Buffer scratch(f.values ? 0 : f.parts() * block * rows * layout.values * next);
  std::vector<float*> values((f.values ? f.steps : f.parts() * block) * rows);
  for (int64_t i = 0; i < int64_t(values.size()); ++i)
    values[i] = f.values ? f.values + (f.time(i / rows) * f.batch + first + i % rows) * width
                         : scratch.data() + i * layout.values * next - i / (block * rows) * next;

  schedule(f.steps * layout.products, f.parts(), [&](int64_t item, int64_t number) {
    const Part part(f, number);
    const int64_t s = item / layout.products, t = f.time(s), now = item % layout.products;
    float* const* const value = values.data() + (f.values ? s : number * block + s % block) * rows;
    if (now == 0 && s % block == 0) {
      const int64_t together = rows * std::min(block, f.steps - s);
      product(inputs.data() + s * rows, 0, f.kernel.part(number, next), f.start, value, layout.kernel.first * next,
              together);
    }
    Equations::product(Step{f, part, rows, entering[s % 2].rows(), value, next, exchanged}, now);
    if (now + 1 < layout.products) return;
    for (int64_t r = 0; r < rows; ++r) {
      const bool holds = f.holds(first + r, t);
      float* const output = f.outputs + ((first + r) * f.steps + t) * f.units;
      for (int64_t u = part.begin; u < part.end; u += lanes) {
        Vector h_u = load(h.row(r) + u), c_u{};
        if constexpr (has_c) c_u = load(c.row(r) + u);
        if (!holds) {
          Equations::step(value[r] + u, next, h_u, c_u);
          store(h.row(r) + u, h_u);
          if constexpr (has_c) store(c.row(r) + u, c_u);
        }
        if constexpr (has_c) store(value[r] + (layout.values - 1) * next + u, c_u);
        store(output + u, h_u, f.units - u);
        if (f.dropout) h_u *= load(f.dropout + (first + r) * f.units + u, f.units - u);
        store(entering[(s + 1) % 2].row(r) + u, h_u);
      }
    }
  });
  h.copy_to(f.final_states[0], first);
  if (has_c) c.copy_to(f.final_states[1], first);
}

// What is known of one vector of units when the backward pass comes to a step.
struct Known {
  const float* value;  // the values that the forward pass saved, `next` apart
  int64_t next;
  Vector h;           // h_t
  Vector previous_c;  // c_{t-1}
  Vector d_h;         // dL/dh_t, complete
};

// One step back of some rows of the batch and some units.
struct StepBack {
  const Backward& pass;
  Part part;
  int64_t first, rows, units;
  float* const* gradients;  // per row
  State& d_h;               // in: what flows past the products to h_{t-1}; out: complete
  State& through;           // scratch

  // through = gradients from number `from` on * right
  void product_through(int from, const Panels& right) const {
    for (int64_t r = 0; r < rows; ++r)
      std::fill(through.row(r) + part.begin, through.row(r) + part.end, 0.0f);
    product(gradients, from * units, right.part(part.number, units), nullptr, through.rows(), 0, rows);
  }

  // dL/dh_{t-1} += recurrent dropout * (gradients from number `from` on * right)
  void add_product(int from, const Panels& right) const {
    if (!pass.dropout)
      return product(gradients, from * units, right.part(part.number, units), nullptr, d_h.rows(), 0, rows);
    product_through(from, right);
    for (int64_t r = 0; r < rows; ++r) {
      const float* factor = pass.dropout + (first + r) * pass.units;
      for (int64_t u = part.begin; u < std::min(part.end, pass.units); ++u)
        d_h.row(r)[u] += factor[u] * through.row(r)[u];
    }
  }
};

// Back through time. `Equations` has
//   step_back(known, gradient, d_c)   writes the gradients of the pre-activations at gradient, gradient + next, ...,
//                                     replaces dL/dc_t by dL/dc_{t-1}, returns what flows past the products to h_{t-1}
//   product_back(step, number)        adds what flows through the products to step.d_h
// `gradients` may be the memory of `values`: what a step still needs of the step before it is only that one's c.
template <class Equations>
void backward_rows(const Backward& b, int64_t first, int64_t last, const Schedule& schedule) {
  constexpr const Layout& layout = Equations::layout;
  constexpr bool has_c = layout.states > 1;
  const int64_t rows = last - first, units = b.padded(), width = layout.values * units;
  const int64_t c_at = width - units;
  State d_h(b.d_final[0], first, rows, b.units);
  State d_c(has_c ? b.d_final[1] : nullptr, first, rows, b.units);
  State initial_c(has_c ? b.initial[1] : nullptr, first, rows, b.units);
  State through(nullptr, 0, rows, b.units);
  std::vector<float*> gradients(b.steps * rows);
  for (int64_t s = 0, i = 0; s < b.steps; ++s)
    for (int64_t row = first; row < last; ++row, ++i)
      gradients[i] = b.gradients + (b.time(s) * b.batch + row) * width;

  // A product needs the gradients of all units, so a part begins with the product for its units in the step after.
  schedule(b.steps * layout.products + 1, b.parts(), [&](int64_t item, int64_t number) {
    const Part part(b, number);
    const int64_t s = b.steps - 1 - item / layout.products, now = item % layout.products;
    if (item > 0) {
      float* const* const gradient = gradients.data() + (now == 0 ? s + 1 : s) * rows;
      Equations::product_back(StepBack{b, part, first, rows, units, gradient, d_h, through},
                              now == 0 ? layout.products - 1 : now - 1);
    }
    if (now > 0 || s < 0) return;
    const int64_t t = b.time(s);
    const int64_t back = (t - b.time(s - 1)) * b.batch * width;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t row = first + r, at = (t * b.batch + row) * width;
      const float* const value = layout.saves ? b.values + at : nullptr;
      float* const gradient = gradients[s * rows + r];
      const float* previous_c = initial_c.row(r);
      if (has_c && s > 0) previous_c = b.values + at - back + c_at;
      const float* const output = b.outputs + (row * b.steps + t) * b.units;
      const float* const d_output = b.d_outputs + (row * b.steps + t) * b.units;
      const bool holds = b.holds(row, t);
      Vector squares{};
      for (int64_t u = part.begin; u < part.end; u += lanes) {
        const int64_t valid = b.units - u;
        if (s > 0) {
          for (int i = 0; i < layout.values * layout.saves; ++i) fetch(value + i * units + u - back);
        }
        const Vector d = clamp(load(d_h.row(r) + u) + load(d_output + u, valid), -b.clip, b.clip);
        squares += d * d;
        if (holds) {
          for (int i = 0; i < layout.values; ++i) store(gradient + i * units + u, Vector{});
          store(d_h.row(r) + u, d);
          continue;
        }
        Known known{layout.saves ? value + u : nullptr, units, load(output + u, valid), Vector{}, d};
        Vector d_c_u{};
        if constexpr (has_c) {
          known.previous_c = load(previous_c + u);
          d_c_u = load(d_c.row(r) + u);
        }
        store(d_h.row(r) + u, Equations::step_back(known, gradient + u, d_c_u));
        if constexpr (has_c) store(d_c.row(r) + u, d_c_u);
      }
      b.squares[(t * b.batch + row) * b.parts() + number] = sum(squares);
    }
  });
  d_h.copy_to(b.d_initial[0], first);
  if (has_c) d_c.copy_to(b.d_initial[1], first);
}

}  // namespace rnnapps
