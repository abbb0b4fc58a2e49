// The loop forward over time that the cells share.
#pragma once

#include "recurrence.h"

namespace rnnapps {

// One step of some rows of the batch and some units.
struct Step {
  const Forward& pass;
  Units units;
  int64_t rows;           // unmasked
  const float* const* h;  // per row: h_{t-1} of all units, after recurrent dropout
  float* const* values;   // per row
  Places places;          // in a row of `values`
  State& exchanged;       // per row: what another product of the step needs of all units

  // Adds left * right to the values from number `value` on.
  void add_product(const float* const* left, const Panels& right, int value) const {
    product(left, 0, right, units.first, units.last, nullptr, values, value * places.value, places, rows);
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
  // not so few that the kernel, which comes from further away, serves few rows. Other threads run ahead by smaller
  // blocks: they should be ahead soon.
  constexpr int64_t cached_floats = 1 << 16, enough_rows = 128, rows_ahead = 24;
  const bool ahead = schedule.ahead != nullptr;
  const int64_t wanted = ahead ? rows_ahead / rows : std::max(enough_rows / rows, cached_floats / (rows * width));
  const int64_t block = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, f.steps));
  const Places places = f.places();
  const int64_t stride = f.parts() * layout.values * tile_columns + lanes;  // rows in different sets of the cache
  const int64_t kept = f.values || ahead ? f.steps : block;  // steps
  Buffer scratch(f.values ? 0 : kept * rows * stride);
  const Computed computed(f, first, last);
  std::vector<const float*> inputs(computed.total()), unmasked_h(f.mask ? computed.total() : 0);
  std::vector<float*> values(computed.total());
  const auto saved = [&](int64_t t, int64_t row) { return f.values + (t * f.batch + row) * width; };
  for (int64_t s = 0; s < f.steps; ++s) {
    const int64_t t = f.time(s);
    for (int64_t k = 0, i = computed.start(s); k < computed.count(s); ++k, ++i) {
      const int64_t row = computed.rows(s)[k];
      inputs[i] = f.inputs + (row * f.steps + t) * f.features;
      values[i] = f.values ? saved(t, row) : scratch.data() + (s % kept * rows + k) * stride;
      if (f.mask) unmasked_h[i] = entering[s % 2].row(row - first);
    }
  }
  const auto project = [&](int64_t s, const Units& some) {
    const int64_t from = computed.start(s), to = computed.start(std::min(s + block, f.steps));
    product(inputs.data() + from, 0, f.kernel, some.first, some.last, f.start, values.data() + from,
            layout.kernel.first * places.value, places, to - from);
  };
  const Ahead::Make project_block = [&](int64_t i) { project(i * block, Units(f, 0, f.parts())); };
  const auto projected = ahead ? schedule.ahead((f.steps + block - 1) / block, project_block) : nullptr;

  const auto pass = [&](int64_t item, const Units& some) {
    const int64_t s = item / layout.products, t = f.time(s), now = item % layout.products;
    float* const* value = values.data() + computed.start(s);
    if (now == 0 && s % block == 0) projected ? projected->need(s / block) : project(s, some);
    if (projected && (s + 1) % block != 0 && s + 1 < f.steps) {  // what another processor made is far away
      for (int64_t next = computed.start(s + 1); next < computed.start(s + 2); ++next)
        for (int64_t i = 0; i < layout.kernel.count * units; i += 16) fetch(values[next] + i);
    }
    const float* const* const h_s = f.mask ? unmasked_h.data() + computed.start(s) : entering[s % 2].rows();
    Equations::product(Step{f, some, computed.count(s), h_s, value, places, exchanged}, now);
    if (now + 1 < layout.products) return;
    for (int64_t r = 0; r < rows; ++r) {
      const bool holds = f.holds(first + r, t);
      float* const value_r = holds ? nullptr : *value++;
      float* const h_r = h.row(r);
      float* const c_r = c.row(r);
      float* const next_h = entering[(s + 1) % 2].row(r);
      float* const output = f.outputs + ((first + r) * f.steps + t) * f.units;
      const float* const dropout = f.dropout ? f.dropout + (first + r) * f.units : nullptr;
      for (int64_t u = some.begin; u < some.end; u += lanes) {
        Vector h_u = load(h_r + u), c_u{};
        if constexpr (has_c) c_u = load(c_r + u);
        if (!holds) {
          Equations::step(value_r + places.unit(u), places.value, h_u, c_u);
          store(h_r + u, h_u);
          if constexpr (has_c) store(c_r + u, c_u);
        }
        if (f.values) {
          float* const saved_u = saved(t, first + r) + u;
          for (int i = 0; holds && i < layout.values; ++i) store(saved_u + i * units, Vector{});
          if constexpr (has_c) store(saved_u + (layout.values - 1) * units, c_u);
        }
        store(output + u, h_u, f.units - u);
        if (dropout) h_u *= load(dropout + u, f.units - u);
        store(next_h + u, h_u);
      }
    }
  };
  schedule.loop(f.steps * layout.products, f.parts(), [&](int64_t item, int64_t from, int64_t to) {
    by_units(f, rows, from, to, [&](const Units& some) { pass(item, some); });
  });
  h.copy_to(f.final_states[0], first);
  if (has_c) c.copy_to(f.final_states[1], first);
}

}  // namespace rnnapps
