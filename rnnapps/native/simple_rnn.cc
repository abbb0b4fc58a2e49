// The vanilla recurrent cell (Elman 1990).
//
//   h_t = tanh(x_t W + h_{t-1} U + b)
//
// Back: with a_t the argument of tanh,  da_t = dh_t (1 - h_t^2),  dh_{t-1} = da_t U'. Nothing is saved: h_t is the output.
#include "backward.h"
#include "forward.h"

namespace rnnapps {
namespace {

struct Equations {
  static constexpr Layout layout = {
      .states = 1,
      .gates = 1,
      .values = 1,
      .saves = false,
      .recurrent_bias = false,
      .kernel = {0, 1, {0}},
      .products = 1,
      .recurrent = {{{0, 1, {0}}}},
  };

  static void product(const Step& step, int64_t) { step.add_product(step.h, step.pass.recurrent[0], 0); }

  static void step(const float* a, int64_t, Vector& h, Vector&) { h = tanh(load(a)); }

  static Vector step_back(const Known& known, float* d_a, Vector&) {
    store(d_a, known.d_h * (1.0f - known.h * known.h));
    return Vector{};
  }

  static void product_back(const StepBack& step, int64_t) { step.add_product(0, step.pass.recurrent[0]); }
};

}  // namespace

const Cell simple_rnn = {Equations::layout, forward_rows<Equations>, backward_rows<Equations>};

}  // namespace rnnapps
