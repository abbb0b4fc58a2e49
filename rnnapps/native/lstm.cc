// LSTM (Hochreiter and Schmidhuber 1997; with forget gate, Gers et al. 2000).
//
//   i_t = s(x_t W_i + h_{t-1} U_i + b_i)       input gate          s: the logistic function
//   f_t = s(x_t W_f + h_{t-1} U_f + b_f)       forget gate
//   g_t = tanh(x_t W_g + h_{t-1} U_g + b_g)    candidate           (Keras: c)
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
#include "backward.h"
#include "forward.h"

namespace rnnapps {
namespace {

enum Gate { input_gate, forget_gate, candidate_gate, output_gate, gates };  // in Keras's order
enum Value { i, f, g, o, c, values };                                       // of a unit at a step

struct Equations {
  static constexpr Layout layout = {
      .states = 2,
      .gates = gates,
      .values = values,
      .saves = true,
      .recurrent_bias = false,
      .kernel = {i, 4, {input_gate, forget_gate, candidate_gate, output_gate}},
      .products = 1,
      .recurrent = {{{i, 4, {input_gate, forget_gate, candidate_gate, output_gate}}}},
  };

  static void product(const Step& step, int64_t) { step.add_product(step.h, step.pass.recurrent[0], i); }

  static void step(float* value, int64_t next, Vector& h, Vector& cell) {
    const Vector input = sigmoid(load(value + i * next));
    const Vector forget = sigmoid(load(value + f * next));
    const Vector candidate = tanh(load(value + g * next));
    const Vector output = sigmoid(load(value + o * next));
    cell = forget * cell + input * candidate;
    h = output * tanh(cell);
    store(value + i * next, input);
    store(value + f * next, forget);
    store(value + g * next, candidate);
    store(value + o * next, output);
  }

  static Vector step_back(const Known& known, float* gradient, Vector& d_cell) {
    const int64_t next = known.next;
    const Vector input = load(known.value + i * next);
    const Vector forget = load(known.value + f * next);
    const Vector candidate = load(known.value + g * next);
    const Vector output = load(known.value + o * next);
    const Vector tanh_cell = tanh(load(known.value + c * next));
    d_cell += known.d_h * output * (1.0f - tanh_cell * tanh_cell);
    store(gradient + i * next, d_cell * candidate * input * (1.0f - input));
    store(gradient + f * next, d_cell * known.previous_c * forget * (1.0f - forget));
    store(gradient + g * next, d_cell * input * (1.0f - candidate * candidate));
    store(gradient + o * next, known.d_h * tanh_cell * output * (1.0f - output));
    d_cell *= forget;
    return Vector{};
  }

  static void product_back(const StepBack& step, int64_t) { step.add_product(i, step.pass.recurrent[0]); }
};

}  // namespace

const Cell lstm = {Equations::layout, forward_rows<Equations>, backward_rows<Equations>};

}  // namespace rnnapps
