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

// One tile: to = from + left * panel, a row of the result at from[i] and to[i]; left(i, k) is a number.
template <int rows, int vectors, class Left>
inline __attribute__((always_inline)) void tile(const Left& left, const float* panel, int64_t depth,
                                                const float* const* from, float* const* to) {
  Vector total[rows][vectors];
#pragma GCC unroll 6
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) total[i][j] = load(from[i] + j * lanes);
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
    for (int j = 0; j < vectors; ++j) store(to[i] + j * lanes, total[i][j]);
}

}  // namespace

void product(const float* const* left, int64_t left_at, const Panels& right, const float* start, float* const* out,
             int64_t out_at, int64_t rows) {
  for (int64_t column = 0; column < right.columns; column += tile_columns) {
    const float* panel = right.data + column * right.depth;
    const int64_t vectors = std::min<int64_t>(tile_vectors, (right.columns - column) / lanes);
    with_constant<tile_vectors>(vectors, [&](auto constant_vectors) {
      for (int64_t first = 0; first < rows; first += tile_rows) {
        with_constant<tile_rows>(std::min<int64_t>(tile_rows, rows - first), [&](auto constant_rows) {
          const float* row[constant_rows];
          const float* from[constant_rows];
          float* to[constant_rows];
          for (int i = 0; i < constant_rows; ++i) {
            row[i] = left[first + i] + left_at;
            to[i] = out[first + i] + out_at + column;
            from[i] = start ? start + column : to[i];
          }
          const auto element = [&row](int i, int64_t k) { return row[i][k]; };
          tile<constant_rows, constant_vectors>(element, panel, right.depth, from, to);
        });
      }
    });
  }
}

void transposed_product(const float* left, int64_t stride, int64_t rows, const float* panel, int64_t depth,
                        int64_t columns, float* out, int64_t out_stride) {
  with_constant<tile_vectors>(columns / lanes, [&](auto constant_vectors) {
    for (int64_t first = 0; first < rows; first += tile_rows) {
      with_constant<tile_rows>(std::min<int64_t>(tile_rows, rows - first), [&](auto constant_rows) {
        float* to[constant_rows];
        for (int i = 0; i < constant_rows; ++i) to[i] = out + (first + i) * out_stride;
        const auto element = [column = left + first, stride](int i, int64_t k) { return column[k * stride + i]; };
        tile<constant_rows, constant_vectors>(element, panel, depth, to, to);
      });
    }
  });
}

}  // namespace rnnapps
