// Packing of the weights, and the gradients that are computed for all steps at once after the loop.
#include "weights.h"

namespace rnnapps {

Pack::Pack(const float* matrix, int64_t rows, const Layout& layout, int64_t units, const Gates& gates)
    : matrix(matrix),
      stride(layout.gates * units),
      units(units),
      padded(round_up(units)),
      gates(gates),
      floats(rows * gates.count * padded),
      panels{floats.data(), rows, gates.count * padded, gates.count} {}

void Pack::operator()(int64_t panel) {
  const int64_t begin = panel * tile_columns, end = std::min(panels.columns, begin + tile_columns);
  float* const to = floats.data() + begin * panels.depth;
  for (int64_t column = begin; column < end; column += lanes) {
    const int64_t vector = column / lanes, unit = vector / gates.count * lanes, valid = units - unit;
    const float* from = matrix + gates.order[vector % gates.count] * units + unit;
    float* out = to + column - begin;
    for (int64_t k = 0; k < panels.depth; ++k, from += stride, out += end - begin) store(out, load(from, valid));
  }
}

PackTransposed::PackTransposed(const float* matrix, int64_t rows, const Layout& layout, int64_t units,
                               const Gates& gates)
    : matrix(matrix),
      rows(rows),
      stride(layout.gates * units),
      units(units),
      padded(round_up(units)),
      gates(gates),
      floats(gates.count * padded * round_up(rows)),
      panels{floats.data(), gates.count * padded, round_up(rows)} {}

void PackTransposed::operator()(int64_t panel) {
  const int64_t begin = panel * tile_columns, width = std::min<int64_t>(panels.columns - begin, tile_columns);
  float* const to = floats.data() + begin * panels.depth;
  for (int64_t k = 0; k < panels.depth; k += lanes) {  // so many rows of the panel at once lie in the cache
    const int64_t unit = k % padded, valid = std::min<int64_t>(lanes, units - unit);
    const float* const from = matrix + gates.order[k / padded] * units + unit;
    float* const out = to + k * width;
    if (valid < lanes || begin + width > rows) std::fill_n(out, lanes * width, 0.0f);
    for (int64_t column = 0; column < std::min(width, rows - begin); ++column)
      for (int64_t i = 0; i < valid; ++i) out[i * width + column] = from[(begin + column) * stride + i];
  }
}

Buffer start_values(const float* bias, const Layout& layout, int64_t units, Places places) {
  Buffer start(layout.values * (round_up(units) + tile_columns), 0.0f);
  if (!bias) return start;
  const auto add = [&](const Gates& gates, const float* from) {
    for (int i = 0; i < gates.count; ++i)
      for (int64_t u = 0; u < units; ++u)
        start.data()[(gates.first + i) * places.value + places.unit(u)] += from[gates.order[i] * units + u];
  };
  add(layout.kernel, bias);
  if (layout.recurrent_bias) add(layout.recurrent[0].gates, bias + layout.gates * units);
  return start;
}

Positions::Positions(const Recurrence& r) : size_(r.steps * r.batch) {
  if (!r.mask) return;
  for (int64_t t = 0; t < r.steps; ++t)
    for (int64_t row = 0; row < r.batch; ++row)
      if (!r.holds(row, t)) some_.push_back(t * r.batch + row);
  size_ = some_.size();
}

void input_gradient(const InputGradient& g, int64_t first, int64_t last) {
  const int64_t padded = g.padded(), width = g.layout->values * padded, rows = last - first;
  std::vector<const float*> gradients(rows);
  std::vector<float*> out(rows), target(rows);
  const bool direct = g.features % lanes == 0;
  const int64_t stride = round_up(g.features);
  Buffer scratch(direct ? 0 : rows * stride);
  const Buffer zeros(stride, 0.0f);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t position = g.positions[first + i], t = position / g.batch, row = position % g.batch;
    gradients[i] = g.gradients + position * width;
    target[i] = g.d_inputs + (row * g.steps + t) * g.features;
    out[i] = direct ? target[i] : scratch.data() + i * stride;
  }
  product(gradients.data(), g.layout->kernel.first * padded, g.kernel, 0, g.kernel.count(), zeros.data(), out.data(), 0,
          Places{stride}, rows);
  if (!direct)
    for (int64_t i = 0; i < rows; ++i) std::memcpy(target[i], out[i], g.features * sizeof(float));
}

namespace {

// Elements first <= i < last of the left side at one position (a step of a row of the batch) to `to`.
class LeftSide {
 public:
  LeftSide(const WeightGradients& g, int number, int64_t first, int64_t last)
      : g_(g), number_(number), first_(first), count_(last - first) {}

  void copy(int64_t position, float* to) const {
    const int64_t t = position / g_.batch, row = position % g_.batch;
    if (number_ < 0) return put(g_.inputs + (row * g_.steps + t) * g_.features, to);
    const RecurrentProduct& product = g_.layout->recurrent[number_];
    const int64_t padded = g_.padded();
    if (product.left >= 0) return put(g_.gradients + (position * g_.layout->values + product.left) * padded, to);
    const int64_t previous = g_.reverse ? t + 1 : t - 1;
    const bool starts = previous < 0 || previous >= g_.steps;
    put(starts ? g_.initial[0] + row * g_.units : g_.outputs + (row * g_.steps + previous) * g_.units, to);
    if (!g_.dropout) return;
    const float* factor = g_.dropout + row * g_.units + first_;
    for (int64_t i = 0; i < count_; ++i) to[i] *= factor[i];
  }

 private:
  void put(const float* from, float* to) const { std::memcpy(to, from + first_, count_ * sizeof(float)); }

  const WeightGradients& g_;
  int number_;
  int64_t first_, count_;
};

}  // namespace

void weight_gradient(const WeightGradients& g, int number, int64_t first, int64_t last) {
  constexpr int64_t block = 256;  // positions whose part of the left side and of one panel lie in the cache together
  const Layout& layout = *g.layout;
  const Gates& gates = number < 0 ? layout.kernel : layout.recurrent[number].gates;
  const int64_t units = g.units, padded = g.padded(), width = layout.values * padded;
  const int64_t columns = gates.count * padded, rows = last - first, stride = round_up(rows) + lanes;
  const bool sums_bias = g.d_bias && first == 0 && (number < 0 || layout.recurrent_bias);
  const LeftSide left_side(g, number, first, last);
  Buffer left(block * stride), panel(block * tile_columns), out(rows * columns, 0.0f), bias(columns, 0.0f);

  const int64_t positions = g.positions.size();
  for (int64_t begin = 0; begin < positions; begin += block) {
    const int64_t depth = std::min(block, positions - begin);
    for (int64_t k = 0; k < depth; ++k) left_side.copy(g.positions[begin + k], left.data() + k * stride);
    for (int64_t column = 0; column < columns; column += tile_columns) {
      const int64_t panel_columns = std::min<int64_t>(tile_columns, columns - column);
      const float* from = g.gradients + gates.first * padded + column;
      for (int64_t k = 0; k < depth; ++k) {
        const float* const row = from + g.positions[begin + k] * width;
        std::memcpy(panel.data() + k * panel_columns, row, panel_columns * sizeof(float));
      }
      if (sums_bias) {
        for (int64_t j = 0; j < panel_columns; j += lanes) {
          Vector total = load(bias.data() + column + j);
          for (int64_t k = 0; k < depth; ++k) total += load(panel.data() + k * panel_columns + j);
          store(bias.data() + column + j, total);
        }
      }
      transposed_product(left.data(), stride, rows, panel.data(), depth, panel_columns, out.data() + column, columns);
    }
  }

  float* const matrix = number < 0 ? g.d_kernel : g.d_recurrent;
  for (int i = 0; i < gates.count; ++i) {
    const int64_t gate = gates.order[i] * units;
    for (int64_t row = 0; row < rows; ++row)
      std::memcpy(matrix + (first + row) * layout.gates * units + gate, out.data() + row * columns + i * padded,
                  units * sizeof(float));
    if (sums_bias)
      std::memcpy(g.d_bias + (number < 0 ? 0 : layout.gates * units) + gate, bias.data() + i * padded,
                  units * sizeof(float));
  }
}

}  // namespace rnnapps
