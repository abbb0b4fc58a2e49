// LSTM (Hochreiter and Schmidhuber 1997; with forget gate, Gers et al. 2000).
//
//   i_t = s(x_t W_i + h_{t-1} U_i + b_i)       input gate          s: the logistic function
//   f_t = s(x_t W_f + h_{t-1} U_f + b_f)       forget gate
//   g_t = tanh(x_t W_c + h_{t-1} U_c + b_c)    candidate
//   o_t = s(x_t W_o + h_{t-1} U_o + b_o)       output gate
//   c_t = f_t c_{t-1} + i_t g_t                cell state
//   h_t = o_t tanh(c_t)                        hidden state
//
// Back, with s' = s (1 - s) and tanh' = 1 - tanh^2:
//
//   dc_t += dh_t o_t (1 - tanh(c_t)^2)
//   di = dc_t g_t i_t (1 - i_t)        df = dc_t c_{t-1} f_t (1 - f_t)
//   dg = dc_t i_t (1 - g_t^2)          do = dh_t tanh(c_t) o_t (1 - o_t)
//   dc_{t-1} = dc_t f_t                dh_{t-1} = [di df dg do] U'
#include "recurrence.h"

namespace rnnapps {
namespace {

struct Equations {
  static constexpr Layout layout = {
      .states = 2,
      .gates = 4,
      .values = 5,  // i, f, g, o; c
      .saves = true,
      .recurrent_bias = false,
      .kernel = {0, 4, {0, 1, 2, 3}},
      .products = 1,
      .recurrent = {{{0, 4, {0, 1, 2, 3}}}},
  };

  static void product(const Step& step, int64_t) { step.add_product(step.h, step.pass.recurrent[0], 0); }

  static void step(float* value, int64_t next, Vector& h, Vector& c) {
    const Vector input = sigmoid(load(value));
    const Vector forget = sigmoid(load(value + next));
    const Vector candidate = tanh(load(value + 2 * next));
    const Vector output = sigmoid(load(value + 3 * next));
    c = forget * c + input * candidate;
    h = output * tanh(c);
    store(value, input);
    store(value + next, forget);
    store(value + 2 * next, candidate);
    store(value + 3 * next, output);
  }

  static Vector step_back(const Known& known, float* gradient, Vector& d_c) {
    const int64_t next = known.next;
    const Vector input = load(known.value);
    const Vector forget = load(known.value + next);
    const Vector candidate = load(known.value + 2 * next);
    const Vector output = load(known.value + 3 * next);
    const Vector tanh_c = tanh(load(known.value + 4 * next));
    d_c += known.d_h * output * (1.0f - tanh_c * tanh_c);
    store(gradient, d_c * candidate * input * (1.0f - input));
    store(gradient + next, d_c * known.previous_c * forget * (1.0f - forget));
    store(gradient + 2 * next, d_c * input * (1.0f - candidate * candidate));
    store(gradient + 3 * next, known.d_h * tanh_c * output * (1.0f - output));
    d_c *= forget;
    return Vector{};
  }

  static void product_back(const StepBack& step, int64_t) { step.add_product(0, step.pass.recurrent[0]); }
};

}  // namespace

const Cell lstm = {Equations::layout, forward_rows<Equations>, backward_rows<Equations>};

}  // namespace rnnapps
