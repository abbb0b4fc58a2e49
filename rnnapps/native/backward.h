// The loop back through time that the cells share.
#pragma once

#include "recurrence.h"

namespace rnnapps {

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
  Units units;
  int64_t rows;             // unmasked
  const int64_t* row;       // per row: its number in the batch
  float* const* gradients;  // per row
  float* const* d_h;        // per row; in: what flows past the products to h_{t-1}; out: complete
  State& through;           // scratch

  // through = gradients from number `value` on * right
  void product_through(int value, const Panels& right) const {
    for (int64_t r = 0; r < rows; ++r)
      std::fill(through.row(r) + units.begin, through.row(r) + units.end, 0.0f);
    add_product(value, right, through.rows());
  }

  // dL/dh_{t-1} += recurrent dropout * (gradients from number `value` on * right)
  void add_product(int value, const Panels& right) const {
    if (!pass.dropout) return add_product(value, right, d_h);
    product_through(value, right);
    for (int64_t r = 0; r < rows; ++r) {
      const float* factor = pass.dropout + row[r] * pass.units;
      for (int64_t u = units.begin; u < std::min(units.end, pass.units); ++u)
        d_h[r][u] += factor[u] * through.row(r)[u];
    }
  }

 private:
  void add_product(int value, const Panels& right, float* const* sums) const {
    product(gradients, value * pass.padded(), right, units.first, units.last, nullptr, sums, 0, pass.places(), rows);
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
  const Computed computed(b, first, last);
  std::vector<float*> gradients(computed.total()), unmasked_d_h(b.mask ? computed.total() : 0);
  for (int64_t s = 0; s < b.steps; ++s) {
    for (int64_t k = 0, i = computed.start(s); k < computed.count(s); ++k, ++i) {
      const int64_t row = computed.rows(s)[k];
      gradients[i] = b.gradients + (b.time(s) * b.batch + row) * width;
      if (b.mask) unmasked_d_h[i] = d_h.row(row - first);
    }
  }

  // A product needs the gradients of all units, so a pass begins with the product for its units in the step after.
  const auto pass = [&](int64_t item, const Units& some) {
    const int64_t s = b.steps - 1 - item / layout.products, now = item % layout.products;
    if (item > 0) {
      const int64_t of = now == 0 ? s + 1 : s, i = computed.start(of);
      float* const* const d_h_of = b.mask ? unmasked_d_h.data() + i : d_h.rows();
      Equations::product_back(
          StepBack{b, some, computed.count(of), computed.rows(of), gradients.data() + i, d_h_of, through},
          now == 0 ? layout.products - 1 : now - 1);
    }
    if (now > 0 || s < 0) return;
    const int64_t t = b.time(s);
    const int64_t back = (t - b.time(s - 1)) * b.batch * width;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t row = first + r, at = (t * b.batch + row) * width;
      const float* const value = layout.saves ? b.values + at : nullptr;
      float* const gradient = b.gradients + at;
      const float* previous_c = initial_c.row(r);
      if (has_c && s > 0) previous_c = b.values + at - back + c_at;
      const float* const output = b.outputs + (row * b.steps + t) * b.units;
      const float* const d_output = b.d_outputs + (row * b.steps + t) * b.units;
      float* const d_h_r = d_h.row(r);
      float* const d_c_r = d_c.row(r);
      float* const squares = b.squares + (t * b.batch + row) * b.parts();
      const bool holds = b.holds(row, t);
      for (int64_t part = some.first; part < some.last; ++part) {
        const Units units_of_part(b, part, part + 1);
        Vector total{};
        for (int64_t u = units_of_part.begin; u < units_of_part.end; u += lanes) {
          const int64_t valid = b.units - u;
          if (s > 0) {
            for (int i = 0; i < layout.values * layout.saves; ++i) fetch(value + i * units + u - back);
          }
          const Vector d = clamp(load(d_h_r + u) + load(d_output + u, valid), -b.clip, b.clip);
          total += d * d;
          if (holds) {
            for (int i = 0; i < layout.values; ++i) store(gradient + i * units + u, Vector{});
            store(d_h_r + u, d);
            continue;
          }
          Known known{layout.saves ? value + u : nullptr, units, load(output + u, valid), Vector{}, d};
          Vector d_c_u{};
          if constexpr (has_c) {
            known.previous_c = load(previous_c + u);
            d_c_u = load(d_c_r + u);
          }
          store(d_h_r + u, Equations::step_back(known, gradient + u, d_c_u));
          if constexpr (has_c) {
            store(d_c_r + u, d_c_u);
            store(gradient + c_at + u, Vector{});  // which nobody reads
          }
        }
        squares[part] = sum(total);
      }
    }
  };
  schedule.loop(b.steps * layout.products + 1, b.parts(), [&](int64_t item, int64_t from, int64_t to) {
    by_units(b, rows, from, to, [&](const Units& some) { pass(item, some); });
  });
  d_h.copy_to(b.d_initial[0], first);
  if (has_c) d_c.copy_to(b.d_initial[1], first);
}

}  // namespace rnnapps
