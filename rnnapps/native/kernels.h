// Vector arithmetic and matrix products in registers, for AVX-512, AVX2, NEON or whatever 16-byte vectors there are.
//
// Written with the vector types of GCC and Clang, so that one source serves every processor. All sums run in a fixed
// order that depends on the shapes alone: a result is the same in every tile, block or thread that computes it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rnnapps {

#if defined(__AVX512F__)
constexpr int lanes = 16;
constexpr int registers = 32;
#elif defined(__AVX__)
constexpr int lanes = 8;
constexpr int registers = 16;
#elif defined(__aarch64__)
constexpr int lanes = 4;
constexpr int registers = 32;
#else
constexpr int lanes = 4;
constexpr int registers = 16;
#endif

typedef float Vector __attribute__((vector_size(lanes * sizeof(float))));
typedef int32_t Integers __attribute__((vector_size(lanes * sizeof(float))));

// ---- Memory --------------------------------------------------------------------------------------------------------

inline int64_t round_up(int64_t count) { return (count + lanes - 1) / lanes * lanes; }

inline Vector load(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline void store(float* to, Vector value) { std::memcpy(to, &value, sizeof value); }

// The first `count` floats, at most a vector, and zeros after them: the tensors of a caller end where they end.
inline Vector load(const float* from, int64_t count) {
  if (count >= lanes) return load(from);
  Vector value{};
  std::memcpy(&value, from, count * sizeof(float));
  return value;
}

inline void store(float* to, Vector value, int64_t count) {
  if (count >= lanes) {
    store(to, value);
  } else {
    std::memcpy(to, &value, count * sizeof(float));
  }
}

inline Vector broadcast(float value) { return value - Vector{}; }

// x * y + z, rounded once where the processor can. Left alone GCC fuses the sums of some tiles and not of others (for
// AMD's processors it avoids chains of fused operations), and results would depend on how rows are spread over threads.
inline Vector multiply_add(Vector x, Vector y, Vector z) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(x, y, z);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(x, y, z);
#else
  return x * y + z;
#endif
}

// The same vector, which GCC would otherwise load anew in every product that has it as a factor: loads are scarce.
inline Vector in_register(Vector value) {
#if defined(__AVX512F__)
  asm("" : "+v"(value));
#elif defined(__x86_64__)
  asm("" : "+x"(value));
#elif defined(__aarch64__)
  asm("" : "+w"(value));
#endif
  return value;
}

// Asks for the cache line with this address; it arrives while something else is computed.
inline void fetch(const float* address) { __builtin_prefetch(address, 0, 2); }

// ---- Functions -----------------------------------------------------------------------------------------------------

// Keeps NaN: every comparison with it is false, and of its two operands minps and maxps return the second.
inline Vector clamp(Vector x, float low, float high) {
#if defined(__AVX512F__)
  constexpr __mmask16 all = 0xffff;  // the forms without a mask make GCC 12 warn of its own header
  return _mm512_maskz_min_ps(all, broadcast(high), _mm512_maskz_max_ps(all, broadcast(low), x));
#elif defined(__AVX__)
  return _mm256_min_ps(broadcast(high), _mm256_max_ps(broadcast(low), x));
#else
  x = x < low ? broadcast(low) : x;
  return x > high ? broadcast(high) : x;
#endif
}

// e^x - 1 for |x| <= 87, with a small relative error also near 0.
//
// With x = n ln 2 + r, |r| <= ln 2 / 2:  e^x - 1 = (2^n - 1) + 2^n (e^r - 1), and the last factor is a polynomial.
inline Vector expm1(Vector x) {
  // Adding 1.5 * 2^23 leaves no bits for a fraction: the sum holds n in its low bits.
  const Vector shifted = multiply_add(x, broadcast(1.44269504f), broadcast(12582912.0f));
  const Vector n = shifted - 12582912.0f;
  const Vector r = multiply_add(n, broadcast(-1.42860677e-6f), multiply_add(n, broadcast(-0.693145752f), x));
  // Fitted to (e^r - 1 - r) / r^2, error of e^r - 1 below 2e-8.
  Vector p = multiply_add(broadcast(0.0013946448f), r, broadcast(0.0083665848f));
  p = multiply_add(p, r, broadcast(0.0416662805f));
  p = multiply_add(p, r, broadcast(0.166665435f));
  p = multiply_add(p, r, broadcast(0.5f));
  const Vector e = multiply_add(p, r * r, r);
  Integers bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + 0x3f800000;
  Vector power;  // 2^n
  std::memcpy(&power, &bits, sizeof power);
  return multiply_add(power, e, power - 1.0f);
}

// 1 / (1 + e^-x)
inline Vector sigmoid(Vector x) { return 1.0f / (2.0f + expm1(clamp(-x, -87.0f, 87.0f))); }

// (e^2x - 1) / (e^2x + 1); beyond 9.02 the result rounds to 1.
inline Vector tanh(Vector x) {
  const Vector e = expm1(2.0f * clamp(x, -9.02f, 9.02f));
  return e / (e + 2.0f);
}

inline float sum(Vector x) {
  float total = 0;
  for (int i = 0; i < lanes; ++i) total += x[i];
  return total;
}

// ---- Products (kernels.cc) -----------------------------------------------------------------------------------------

// A tile of the result stays in registers while the product runs over its depth: six rows of four vectors fill 24 of 32
// registers; with 16 registers it is six rows of two.
constexpr int tile_rows = 6;
constexpr int tile_vectors = registers == 32 ? 4 : 2;
constexpr int tile_columns = tile_vectors * lanes;

// With few rows a tile takes several panels, so that there are enough sums to add to while one waits for its result.
constexpr int64_t panels_together(int64_t rows) { return std::max<int64_t>(1, 12 * (registers / 16) / (rows * tile_vectors)); }
constexpr int64_t few_rows = 3;  // the most that leave room for more than one panel

// The right side of a product, in vectors of columns: those of all gates for the same units lie side by side. It is cut
// into panels of `tile_vectors`, each panel (depth, columns of the panel) without gaps, so that a tile reads it from
// front to end. The last panel may be narrower. The units of one part, `tile_columns` of them, have a panel for each
// gate.
struct Panels {
  const float* data = nullptr;
  int64_t depth = 0;
  int64_t columns = 0;  // a multiple of `lanes`
  int64_t gates = 1;

  int64_t count() const { return (columns + tile_columns - 1) / tile_columns; }
};

// Where a row of the result has the values of a unit.
struct Places {
  int64_t value;                // from one value of a unit to its next
  int64_t part = tile_columns;  // from the units of one part to those of the next

  int64_t unit(int64_t unit) const { return unit / tile_columns * part + unit % tile_columns; }
};

// out[i][j] = start[j] + sum over k of left[i][k] right[k][j] for the units of the parts first <= part < last and `rows`
// rows given by pointers; every pointer to the left is moved on by `left_at`, every other one by `at`. With `start`
// null the product is added to what `out` holds.
void product(const float* const* left, int64_t left_at, const Panels& right, int64_t first, int64_t last,
             const float* start, float* const* out, int64_t at, Places places, int64_t rows);

// out[i][j] += sum over k of left[k][i] right[k][j]: the transposed left side by its rows, `stride` apart, and a single
// panel of `columns` columns; row i of the result starts at out + i * out_stride.
void transposed_product(const float* left, int64_t stride, int64_t rows, const float* panel, int64_t depth,
                        int64_t columns, float* out, int64_t out_stride);

}  // namespace rnnapps
