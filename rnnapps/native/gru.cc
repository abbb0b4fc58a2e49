// GRU, the reset gate before the recurrent product (Cho et al. 2014) or after it (as in cuDNN, Keras's default).
//
//   z_t = s(x_t W_z + h_{t-1} U_z + b_z)                      update gate     s: the logistic function
//   r_t = s(x_t W_r + h_{t-1} U_r + b_r)                      reset gate
//   before:  g_t = tanh(x_t W_h + (r_t h_{t-1}) U_h + b_h)    candidate
//   after:   q_t = h_{t-1} U_h + b'_h,  g_t = tanh(x_t W_h + b_h + r_t q_t)
//   h_t = z_t h_{t-1} + (1 - z_t) g_t                         hidden state
//
// Back, using z_t (h_{t-1} - g_t) = h_t - g_t, so that h_{t-1} is not read:
//
//   dg = dh_t (1 - z_t)(1 - g_t^2)      dz = dh_t (h_t - g_t)(1 - z_t)
//   before:  dp = dg U_h'               dr = dp (r_t h_{t-1})(1 - r_t)    with p_t = r_t h_{t-1}
//   after:   dq = dg r_t                dr = dg q_t r_t (1 - r_t)
//   before:  dh_{t-1} = dh_t z_t + [dz dr] [U_z U_r]' + dp r_t
//   after:   dh_{t-1} = dh_t z_t + [dz dr dq] [U_z U_r U_h]'
//
// The values of a unit lie in the order g, z, r and then p or q: what comes from the inputs is the first three, what
// comes from h_{t-1} after the reset is the last three.
#include "recurrence.h"

namespace rnnapps {
namespace {

// z (h - g) + g
inline Vector mix(Vector update, Vector h, Vector candidate) { return update * (h - candidate) + candidate; }

struct ResetAfter {
  static constexpr Layout layout = {
      .states = 1,
      .gates = 3,
      .values = 4,  // g, z, r; q
      .saves = true,
      .recurrent_bias = true,
      .kernel = {0, 3, {2, 0, 1}},
      .products = 1,
      .recurrent = {{{1, 3, {0, 1, 2}}}},
  };

  static void product(const Step& step, int64_t) {
    const float* const bias = step.pass.start + 3 * step.pass.padded();
    for (int64_t r = 0; r < step.rows; ++r)
      std::copy(bias + step.part.begin, bias + step.part.end, step.values[r] + 3 * step.next + step.part.begin);
    step.add_product(step.h, step.pass.recurrent[0], 1);
  }

  static void step(float* value, int64_t next, Vector& h, Vector&) {
    const Vector update = sigmoid(load(value + next));
    const Vector reset = sigmoid(load(value + 2 * next));
    const Vector candidate = tanh(load(value) + reset * load(value + 3 * next));
    h = mix(update, h, candidate);
    store(value, candidate);
    store(value + next, update);
    store(value + 2 * next, reset);
  }

  static Vector step_back(const Known& known, float* gradient, Vector&) {
    const int64_t next = known.next;
    const Vector candidate = load(known.value);
    const Vector update = load(known.value + next);
    const Vector reset = load(known.value + 2 * next);
    const Vector q = load(known.value + 3 * next);
    const Vector d_new = known.d_h * (1.0f - update);
    const Vector d_candidate = d_new * (1.0f - candidate * candidate);
    store(gradient, d_candidate);
    store(gradient + next, d_new * (known.h - candidate));
    store(gradient + 2 * next, d_candidate * q * reset * (1.0f - reset));
    store(gradient + 3 * next, d_candidate * reset);
    return known.d_h * update;
  }

  static void product_back(const StepBack& step, int64_t) { step.add_product(1, step.pass.recurrent[0]); }
};

struct ResetBefore {
  static constexpr Layout layout = {
      .states = 1,
      .gates = 3,
      .values = 4,  // g, z, r; p = r h
      .saves = true,
      .recurrent_bias = false,
      .kernel = {0, 3, {2, 0, 1}},
      .products = 2,
      .recurrent = {{{1, 2, {0, 1}}}, {{0, 1, {2}}, 3}},
  };

  // The candidate's product waits for the reset gates of all units, which are therefore computed with the first one.
  static void product(const Step& step, int64_t number) {
    if (number == 1) return step.add_product(step.exchanged.rows(), step.pass.recurrent[1], 0);
    step.add_product(step.h, step.pass.recurrent[0], 1);
    for (int64_t row = 0; row < step.rows; ++row) {
      float* const r = step.values[row] + 2 * step.next;
      for (int64_t u = step.part.begin; u < step.part.end; u += lanes) {
        const Vector reset = sigmoid(load(r + u)), p = reset * load(step.h[row] + u);
        store(r + u, reset);
        store(r + step.next + u, p);
        store(step.exchanged.row(row) + u, p);
      }
    }
  }

  static void step(float* value, int64_t next, Vector& h, Vector&) {
    const Vector candidate = tanh(load(value));
    const Vector update = sigmoid(load(value + next));
    h = mix(update, h, candidate);
    store(value, candidate);
    store(value + next, update);
  }

  static Vector step_back(const Known& known, float* gradient, Vector&) {
    const int64_t next = known.next;
    const Vector candidate = load(known.value);
    const Vector update = load(known.value + next);
    const Vector d_new = known.d_h * (1.0f - update);
    store(gradient, d_new * (1.0f - candidate * candidate));
    store(gradient + next, d_new * (known.h - candidate));
    store(gradient + 2 * next, load(known.value + 2 * next));  // r and p, for the products and the weight gradient
    store(gradient + 3 * next, load(known.value + 3 * next));
    return known.d_h * update;
  }

  static void product_back(const StepBack& step, int64_t number) {
    const Backward& pass = step.pass;
    const int64_t units = step.units;
    if (number == 1) return step.add_product(1, pass.recurrent[0]);
    step.product_through(0, pass.recurrent[1]);
    for (int64_t row = 0; row < step.rows; ++row) {
      float* const r = step.gradients[row] + 2 * units;
      for (int64_t u = step.part.begin; u < step.part.end; u += lanes) {
        const Vector reset = load(r + u), p = load(r + units + u), d_p = load(step.through.row(row) + u);
        Vector d_h = d_p * reset;
        if (pass.dropout) d_h *= load(pass.dropout + (step.first + row) * pass.units + u, pass.units - u);
        store(step.d_h.row(row) + u, load(step.d_h.row(row) + u) + d_h);
        store(r + u, d_p * p * (1.0f - reset));
      }
    }
  }
};

}  // namespace

const Cell gru = {ResetBefore::layout, forward_rows<ResetBefore>, backward_rows<ResetBefore>};
const Cell gru_reset_after = {ResetAfter::layout, forward_rows<ResetAfter>, backward_rows<ResetAfter>};

}  // namespace rnnapps
