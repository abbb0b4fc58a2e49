// Keras's weight matrices to the panels that products read, and gradients back to Keras's matrices.
#pragma once

#include "buffer.h"
#include "recurrence.h"

namespace rnnapps {

// A (rows, gates * units) matrix as the right side of `values = left * matrix`. Pack every panel, 0 <= panel < count().
struct Pack {
  Pack(const float* matrix, int64_t rows, const Layout& layout, int64_t units, const Gates& gates);
  void operator()(int64_t panel);

  const float* matrix;
  int64_t stride, units, padded;
  Gates gates;
  Buffer floats;
  Panels panels;
};

// The same matrix as the right side of `left = values * matrix'`; the result has `rows` columns, padded.
struct PackTransposed {
  PackTransposed(const float* matrix, int64_t rows, const Layout& layout, int64_t units, const Gates& gates);
  void operator()(int64_t panel);

  const float* matrix;
  int64_t rows, stride, units, padded;
  Gates gates;
  Buffer floats;
  Panels panels;
};

// What the values of a step start from, a row of them: the bias, each gate at its place. Where a recurrent bias joins a
// gate before its activation the two are summed. Null: zeros.
Buffer start_values(const float* bias, const Layout& layout, int64_t units, Places places);

// The unmasked positions t * batch + row; the gradients of the others are zero.
class Positions {
 public:
  Positions() = default;
  explicit Positions(const Recurrence& r);
  int64_t size() const { return size_; }
  int64_t operator[](int64_t i) const { return some_.empty() ? i : some_[i]; }

 private:
  int64_t size_ = 0;
  std::vector<int64_t> some_;  // empty: all of them
};

// dL/dx_t = gradients of the kernel's gates * kernel', for positions[i] with first <= i < last.
struct InputGradient : Recurrence {
  const Layout* layout;
  const float* gradients;  // (steps, batch, values * padded)
  Positions positions;
  Panels kernel;           // transposed
  float* d_inputs;         // (batch, steps, features)
};
void input_gradient(const InputGradient& g, int64_t first, int64_t last);

// The gradient of one matrix: the kernel (number -1) or the recurrent kernel's product with this number; its rows
// first <= i < last, each an element of x_t or h_{t-1}. The sum runs over positions in order, one thread an element.
// The piece with row 0 also sums the gradient of the bias.
struct WeightGradients : Recurrence {
  const Layout* layout;
  const float* inputs;     // (batch, steps, features)
  const float* outputs;    // (batch, steps, units)
  const float* gradients;  // (steps, batch, values * padded)
  Positions positions;
  float* d_kernel;         // (features, gates * units)
  float* d_recurrent;      // (units, gates * units)
  float* d_bias;           // (gates * units) or (2, gates * units), or null
};
void weight_gradient(const WeightGradients& g, int number, int64_t first, int64_t last);

}  // namespace rnnapps
