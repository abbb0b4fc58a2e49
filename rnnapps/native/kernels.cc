// The two matrix products of the recurrences, tile by tile in registers.
#include "kernels.h"

#include <type_traits>

namespace rnnapps {
namespace {

// Calls body with n, 1 <= n <= most, as a constant of the compiler.
template <int most, class Body>
inline void with_constant(int64_t n, const Body& body) {
  if constexpr (most > 0) {
    if (n == most) return body(std::integral_constant<int, most>{});
    with_constant<most - 1>(n, body);
  }
}

// One tile: to = from + left * panel. Vector j of row i lies at from[i] + from_at[j] and to[i] + to_at[j]; left(i, k) is
// a number.
template <int rows, int vectors, class Left>
inline __attribute__((always_inline)) void tile(const Left& left, const float* panel, int64_t depth,
                                                const float* const* from, const int64_t* from_at, float* const* to,
                                                const int64_t* to_at) {
  Vector total[rows][vectors];
#pragma GCC unroll 6
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) total[i][j] = load(from[i] + from_at[j]);
  for (int64_t k = 0; k < depth; ++k, panel += vectors * lanes) {
    Vector right[vectors];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      right[j] = load(panel + j * lanes);
      if (rows > 1) right[j] = in_register(right[j]);
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; ++i) {
      const Vector x = broadcast(left(i, k));
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) total[i][j] = multiply_add(x, right[j], total[i][j]);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) store(to[i] + to_at[j], total[i][j]);
}

// Cuts rows into tiles of about equal height, as low ones wait for memory: body(first row, number of rows) for each.
template <class Body>
inline void tiles(int64_t rows, const Body& body) {
  const int64_t count = (rows + tile_rows - 1) / tile_rows;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = rows * i / count, last = rows * (i + 1) / count;
    with_constant<tile_rows>(last - first, [&](auto constant_rows) { body(first, constant_rows); });
  }
}

}  // namespace

void product(const float* const* left, int64_t left_at, const Panels& right, const float* start, float* const* out,
             int64_t out_at, int64_t rows) {
  for (int64_t panel = right.first; panel < right.last; ++panel) {
    const int64_t column = panel * tile_columns;
    const int64_t vectors = std::min<int64_t>(tile_vectors, (right.columns - column) / lanes);
    const float* const floats = right.data + column * right.depth;
    int64_t to_at[tile_vectors] = {}, start_at[tile_vectors] = {};
    for (int j = 0; j < vectors; ++j) {
      to_at[j] = out_at + right.place(column / lanes + j, right.next);
      start_at[j] = right.place(column / lanes + j, right.columns / right.gates);
    }
    with_constant<tile_vectors>(vectors, [&](auto constant_vectors) {
      tiles(rows, [&](int64_t first, auto constant_rows) {
        const float* row[constant_rows];
        const float* from[constant_rows];
        for (int i = 0; i < constant_rows; ++i) {
          row[i] = left[first + i] + left_at;
          from[i] = start ? start : out[first + i];
        }
        const auto element = [&row](int i, int64_t k) { return row[i][k]; };
        tile<constant_rows, constant_vectors>(element, floats, right.depth, from, start ? start_at : to_at, out + first,
                                              to_at);
      });
    });
  }
}

void transposed_product(const float* left, int64_t stride, int64_t rows, const float* panel, int64_t depth,
                        int64_t columns, float* out, int64_t out_stride) {
  int64_t at[tile_vectors];
  for (int j = 0; j < tile_vectors; ++j) at[j] = j * lanes;
  with_constant<tile_vectors>(columns / lanes, [&](auto constant_vectors) {
    tiles(rows, [&](int64_t first, auto constant_rows) {
      float* to[constant_rows];
      for (int i = 0; i < constant_rows; ++i) to[i] = out + (first + i) * out_stride;
      const auto element = [column = left + first, stride](int i, int64_t k) { return column[k * stride + i]; };
      tile<constant_rows, constant_vectors>(element, panel, depth, to, at, to, at);
    });
  });
}

}  // namespace rnnapps
