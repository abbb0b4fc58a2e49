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

// One tile: to = from + left * panels. Vector j of row i lies at from[i] + at[j] and to[i] + at[j], `vectors` of them for
// each panel; left(i, k) is a number.
template <int rows, int panels, int vectors, class Left>
inline __attribute__((always_inline)) void tile(const Left& left, const float* const* panel, int64_t depth,
                                                const float* const* from, float* const* to, const int64_t* at) {
  Vector total[rows][panels * vectors];
#pragma GCC unroll 6
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 24
    for (int j = 0; j < panels * vectors; ++j) total[i][j] = load(from[i] + at[j]);
  for (int64_t k = 0; k < depth; ++k) {
    Vector right[panels * vectors];
#pragma GCC unroll 24
    for (int j = 0; j < panels * vectors; ++j) {
      right[j] = load(panel[j / vectors] + (k * vectors + j % vectors) * lanes);
      if (rows > 1) right[j] = in_register(right[j]);
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; ++i) {
      const Vector x = broadcast(left(i, k));
#pragma GCC unroll 24
      for (int j = 0; j < panels * vectors; ++j) total[i][j] = multiply_add(x, right[j], total[i][j]);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 24
    for (int j = 0; j < panels * vectors; ++j) store(to[i] + at[j], total[i][j]);
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

void product(const float* const* left, int64_t left_at, const Panels& right, int64_t first, int64_t last,
             const float* start, float* const* out, int64_t out_at, Places places, int64_t rows) {
  if (rows == 0) return;
  const int64_t end = std::min(right.count(), last * right.gates), all_vectors = right.columns / lanes;
  int64_t unit = first * tile_vectors, gate = 0;  // of the next vector, the unit counted in vectors
  for (int64_t panel = first * right.gates, count; panel < end; panel += count) {
    const int64_t rounds = (end - panel + panels_together(rows) - 1) / panels_together(rows);
    count = (end - panel + rounds - 1) / rounds;
    int64_t vectors = std::min<int64_t>(tile_vectors, all_vectors - (panel + count - 1) * tile_vectors);
    if (vectors < tile_vectors && count > 1) {  // a narrow panel goes alone
      count -= 1;
      vectors = tile_vectors;
    }
    const float* floats[panels_together(1)];
    for (int64_t i = 0; i < count; ++i) floats[i] = right.data + (panel + i) * tile_columns * right.depth;
    int64_t at[panels_together(1) * tile_vectors];
    for (int64_t j = 0; j < count * vectors; ++j) {
      at[j] = out_at + gate * places.value + unit / tile_vectors * places.part + unit % tile_vectors * lanes;
      if (++gate == right.gates) gate = 0, ++unit;
    }
    const auto compute = [&](int64_t row, auto tile_rows_, auto panels, auto vectors_) {
      const float* lefts[tile_rows_];
      const float* from[tile_rows_];
      for (int i = 0; i < tile_rows_; ++i) {
        lefts[i] = left[row + i] + left_at;
        from[i] = start ? start : out[row + i];
      }
      const auto element = [&lefts](int i, int64_t k) { return lefts[i][k]; };
      tile<tile_rows_, panels, vectors_>(element, floats, right.depth, from, out + row, at);
    };
    if (count > 1) {
      with_constant<few_rows>(rows, [&](auto few) {
        with_constant<panels_together(few)>(count, [&](auto panels) {
          compute(0, few, panels, std::integral_constant<int, tile_vectors>{});
        });
      });
    } else {
      with_constant<tile_vectors>(vectors, [&](auto constant_vectors) {
        tiles(rows, [&](int64_t row, auto constant_rows) {
          compute(row, constant_rows, std::integral_constant<int, 1>{}, constant_vectors);
        });
      });
    }
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
      tile<constant_rows, 1, constant_vectors>(element, &panel, depth, to, to, at);
    });
  });
}

}  // namespace rnnapps
