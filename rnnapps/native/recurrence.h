// The loops over time, forward and back, that the cells share, and what a cell must say about itself.
//
// Every function here takes some rows of the batch through the whole sequence and touches no others, so rows may be
// spread over threads at will. Tensors of the caller are batch-major and end where they end. What lies between the two
// passes is ours: time-major, (steps, batch, values of the cell * padded units), every value padded to whole vectors.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels.h"

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
  int products;
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
  bool projected;          // whether `values` holds the projected inputs already
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
  float* squares;           // (steps, batch): sum over units of (dL/dh_t)^2
};

// A cell: its layout, and its two passes over the rows first <= row < last.
struct Cell {
  Layout layout;
  void (*forward)(const Forward&, int64_t first, int64_t last);
  void (*backward)(const Backward&, int64_t first, int64_t last);
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

// One step of some rows of the batch.
struct Step {
  const Forward& pass;
  int64_t rows, units;   // units padded to whole vectors: the distance of two values of a unit
  const float* const* h; // per row: h_{t-1}, after recurrent dropout
  float* const* values;  // per row

  // Adds left * right to the values from number `first` on.
  void add_product(const float* const* left, int64_t left_at, const Panels& right, int first) const {
    product(left, left_at, right, nullptr, values, first * units, rows);
  }
};

// The projected inputs of the rows first <= row < last at the steps begin <= s < end, in the order of reading: to
// values[0], values[1], ..., all rows of a step before the next.
inline void project(const Forward& f, const Layout& layout, int64_t first, int64_t last, int64_t begin, int64_t end,
                    float* const* values) {
  std::vector<const float*> inputs;
  inputs.reserve((end - begin) * (last - first));
  for (int64_t s = begin; s < end; ++s)
    for (int64_t row = first; row < last; ++row) inputs.push_back(f.inputs + (row * f.steps + f.time(s)) * f.features);
  product(inputs.data(), 0, f.kernel, f.start, values, layout.kernel.first * f.padded(), inputs.size());
}

// Forward over time. The class `Equations` of a cell has
//   layout                    its Layout
//   products(step)            adds what comes from h_{t-1} to the projected inputs, where they do not wait for a gate
//   step(value, next, h, c)   for one vector of units: from pre-activations at value, value + next, ... to the values
//                             that the backward pass reads; replaces the states h and c
// The last value of a cell with two states is c_t.
template <class Equations>
void forward_rows(const Forward& f, int64_t first, int64_t last) {
  constexpr const Layout& layout = Equations::layout;
  constexpr bool has_c = layout.states > 1;
  const int64_t rows = last - first, units = f.padded(), width = layout.values * units;
  const int64_t c_at = width - units;
  State h(f.initial[0], first, rows, f.units);
  State c(has_c ? f.initial[1] : nullptr, first, rows, f.units);
  State dropped(nullptr, 0, rows, f.units);

  // So many steps have their inputs projected at once that the result still lies in the cache when its step comes.
  constexpr int64_t cached_floats = 1 << 16;
  const int64_t block = std::max<int64_t>(1, std::min(f.steps, cached_floats / (rows * width)));
  Buffer scratch(f.values ? 0 : block * rows * width);
  std::vector<float*> values(block * rows);

  for (int64_t begin = 0; begin < f.steps; begin += block) {
    const int64_t end = std::min(f.steps, begin + block);
    for (int64_t s = begin, i = 0; s < end; ++s)
      for (int64_t row = first; row < last; ++row, ++i)
        values[i] = f.values ? f.values + (f.time(s) * f.batch + row) * width : scratch.data() + i * width;
    if (!f.projected) project(f, layout, first, last, begin, end, values.data());

    for (int64_t s = begin; s < end; ++s) {
      const int64_t t = f.time(s);
      float* const* const value = values.data() + (s - begin) * rows;
      if (f.dropout) {
        for (int64_t r = 0; r < rows; ++r) {
          const float* factor = f.dropout + (first + r) * f.units;
          for (int64_t u = 0; u < f.units; ++u) dropped.row(r)[u] = h.row(r)[u] * factor[u];
        }
      }
      Equations::products(Step{f, rows, units, f.dropout ? dropped.rows() : h.rows(), value});
      for (int64_t r = 0; r < rows; ++r) {
        float* const h_row = h.row(r);
        float* const c_row = c.row(r);
        if (!f.holds(first + r, t)) {
          for (int64_t u = 0; u < units; u += lanes) {
            Vector h_u = load(h_row + u), c_u{};
            if constexpr (has_c) c_u = load(c_row + u);
            Equations::step(value[r] + u, units, h_u, c_u);
            store(h_row + u, h_u);
            if constexpr (has_c) store(c_row + u, c_u);
          }
        }
        if (has_c && f.values) std::memcpy(value[r] + c_at, c_row, units * sizeof(float));
        std::memcpy(f.outputs + ((first + r) * f.steps + t) * f.units, h_row, f.units * sizeof(float));
      }
    }
  }
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

// One step back of some rows of the batch.
struct StepBack {
  const Backward& pass;
  int64_t first, rows, units;
  const float* const* values;  // per row, as the forward pass left them
  float* const* gradients;     // per row
  State& d_h;                  // in: what flows past the products to h_{t-1}; out: complete
  State& through;              // scratch

  // through = gradients from number `from` on * right
  void product_through(int from, const Panels& right) const {
    for (int64_t r = 0; r < rows; ++r) std::fill_n(through.row(r), units, 0.0f);
    product(gradients, from * units, right, nullptr, through.rows(), 0, rows);
  }

  // dL/dh_{t-1} += recurrent dropout * (gradients from number `from` on * right)
  void add_product(int from, const Panels& right) const {
    if (!pass.dropout) return product(gradients, from * units, right, nullptr, d_h.rows(), 0, rows);
    product_through(from, right);
    for (int64_t r = 0; r < rows; ++r) {
      const float* factor = pass.dropout + (first + r) * pass.units;
      for (int64_t u = 0; u < pass.units; ++u) d_h.row(r)[u] += factor[u] * through.row(r)[u];
    }
  }
};

// Back through time. `Equations` has
//   step_back(known, gradient, d_c)   writes the gradients of the pre-activations at gradient, gradient + next, ...,
//                                     replaces dL/dc_t by dL/dc_{t-1}, returns what flows past the products to h_{t-1}
//   products_back(step)               adds what flows through the products to step.d_h
// `gradients` may be the memory of `values`: what a step still needs of the step before it is only that one's c.
template <class Equations>
void backward_rows(const Backward& b, int64_t first, int64_t last) {
  constexpr const Layout& layout = Equations::layout;
  constexpr bool has_c = layout.states > 1;
  const int64_t rows = last - first, units = b.padded(), width = layout.values * units;
  const int64_t c_at = width - units;
  State d_h(b.d_final[0], first, rows, b.units);
  State d_c(has_c ? b.d_final[1] : nullptr, first, rows, b.units);
  State initial_c(has_c ? b.initial[1] : nullptr, first, rows, b.units);
  State through(nullptr, 0, rows, b.units);
  std::vector<const float*> values(rows);
  std::vector<float*> gradients(rows);

  for (int64_t s = b.steps - 1; s >= 0; --s) {
    const int64_t t = b.time(s);
    const int64_t back = (t - b.time(s - 1)) * b.batch * width;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t row = first + r, at = (t * b.batch + row) * width;
      values[r] = b.values ? b.values + at : nullptr;
      gradients[r] = b.gradients + at;
      const float* previous_c = initial_c.row(r);
      if (has_c && s > 0) previous_c = b.values + (b.time(s - 1) * b.batch + row) * width + c_at;
      const float* const output = b.outputs + (row * b.steps + t) * b.units;
      const float* const d_output = b.d_outputs + (row * b.steps + t) * b.units;
      const bool holds = b.holds(row, t);
      Vector squares{};
      for (int64_t u = 0; u < units; u += lanes) {
        const int64_t valid = b.units - u;
        if (s > 0) {
          for (int i = 0; i < layout.values * layout.saves; ++i) fetch(values[r] + i * units + u - back);
        }
        const Vector d = clamp(load(d_h.row(r) + u) + load(d_output + u, valid), -b.clip, b.clip);
        squares += d * d;
        if (holds) {
          for (int i = 0; i < layout.values; ++i) store(gradients[r] + i * units + u, Vector{});
          store(d_h.row(r) + u, d);
          continue;
        }
        Known known{layout.saves ? values[r] + u : nullptr, units, load(output + u, valid), Vector{}, d};
        Vector d_c_u{};
        if constexpr (has_c) {
          known.previous_c = load(previous_c + u);
          d_c_u = load(d_c.row(r) + u);
        }
        store(d_h.row(r) + u, Equations::step_back(known, gradients[r] + u, d_c_u));
        if constexpr (has_c) store(d_c.row(r) + u, d_c_u);
      }
      b.squares[t * b.batch + row] = sum(squares);
    }
    Equations::products_back(StepBack{b, first, rows, units, values.data(), gradients.data(), d_h, through});
  }
  d_h.copy_to(b.d_initial[0], first);
  if (has_c) d_c.copy_to(b.d_initial[1], first);
}

}  // namespace rnnapps
