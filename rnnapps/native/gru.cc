// GRU, the reset gate before the recurrent product (Cho et al. 2014) or after it (as in cuDNN, Keras's default).
//
//   r_t = s(x_t W_r + h_{t-1} U_r + b_r)                      reset gate      s: the logistic function
//   z_t = s(x_t W_z + h_{t-1} U_z + b_z)                      update gate
//   before:  n_t = tanh(x_t W_n + (r_t h_{t-1}) U_n + b_n)    candidate       (Keras: h)
//   after:   q_t = h_{t-1} U_n + b'_n,  n_t = tanh(x_t W_n + b_n + r_t q_t)
//   h_t = z_t h_{t-1} + (1 - z_t) n_t                         hidden state
//
// Back, using z_t (h_{t-1} - n_t) = h_t - n_t, so that h_{t-1} is not read:
//
//   dn = dh_t (1 - z_t)(1 - n_t^2)      dz = dh_t (h_t - n_t)(1 - z_t)
//   before:  dp = dn U_n'               dr = dp (r_t h_{t-1})(1 - r_t)    with p_t = r_t h_{t-1}
//   after:   dq = dn r_t                dr = dn q_t r_t (1 - r_t)
//   before:  dh_{t-1} = dh_t z_t + [dz dr] [U_z U_r]' + dp r_t
//   after:   dh_{t-1} = dh_t z_t + [dz dr dq] [U_z U_r U_n]'
//
// The values of a unit lie in the order n, z, r and then p or q: what comes from the inputs is the first three, what
// comes from h_{t-1} after the reset is the last three.
#include "backward.h"
#include "forward.h"

namespace rnnapps {
namespace {

enum Gate { update_gate, reset_gate, candidate_gate, gates };  // in Keras's order
enum Value { n, z, r, p, q = p, values };                      // of a unit at a step

// z (h - n) + n
inline Vector mix(Vector update, Vector h, Vector candidate) { return update * (h - candidate) + candidate; }

struct ResetAfter {
  static constexpr Layout layout = {
      .states = 1,
      .gates = gates,
      .values = values,
      .saves = true,
      .recurrent_bias = true,
      .kernel = {n, 3, {candidate_gate, update_gate, reset_gate}},
      .products = 1,
      .recurrent = {{{z, 3, {update_gate, reset_gate, candidate_gate}}}},
  };

  static void product(const Step& step, int64_t) {
    const int64_t at = q * step.places.value;
    for (int64_t row = 0; row < step.rows; ++row)
      for (int64_t u = step.units.begin; u < step.units.end; u += lanes) {
        const int64_t place = at + step.places.unit(u);
        store(step.values[row] + place, load(step.pass.start + place));
      }
    step.add_product(step.h, step.pass.recurrent[0], z);
  }

  static void step(float* value, int64_t next, Vector& h, Vector&) {
    const Vector update = sigmoid(load(value + z * next));
    const Vector reset = sigmoid(load(value + r * next));
    const Vector candidate = tanh(multiply_add(reset, load(value + q * next), load(value + n * next)));
    h = mix(update, h, candidate);
    store(value + n * next, candidate);
    store(value + z * next, update);
    store(value + r * next, reset);
  }

  static Vector step_back(const Known& known, float* gradient, Vector&) {
    const int64_t next = known.next;
    const Vector candidate = load(known.value + n * next);
    const Vector update = load(known.value + z * next);
    const Vector reset = load(known.value + r * next);
    const Vector recurrent = load(known.value + q * next);
    const Vector d_new = known.d_h * (1.0f - update);
    const Vector d_candidate = d_new * (1.0f - candidate * candidate);
    store(gradient + n * next, d_candidate);
    store(gradient + z * next, d_new * (known.h - candidate));
    store(gradient + r * next, d_candidate * recurrent * reset * (1.0f - reset));
    store(gradient + q * next, d_candidate * reset);
    return known.d_h * update;
  }

  static void product_back(const StepBack& step, int64_t) { step.add_product(z, step.pass.recurrent[0]); }
};

struct ResetBefore {
  static constexpr Layout layout = {
      .states = 1,
      .gates = gates,
      .values = values,
      .saves = true,
      .recurrent_bias = false,
      .kernel = {n, 3, {candidate_gate, update_gate, reset_gate}},
      .products = 2,
      .recurrent = {{{z, 2, {update_gate, reset_gate}}}, {{n, 1, {candidate_gate}}, p}},
  };

  // The candidate's product waits for the reset gates of all units, which are therefore computed with the first one.
  static void product(const Step& step, int64_t number) {
    if (number == 1) return step.add_product(step.exchanged.rows(), step.pass.recurrent[1], n);
    step.add_product(step.h, step.pass.recurrent[0], z);
    const int64_t next = step.places.value;
    for (int64_t row = 0; row < step.rows; ++row) {
      for (int64_t u = step.units.begin; u < step.units.end; u += lanes) {
        float* const value = step.values[row] + step.places.unit(u);
        const Vector reset = sigmoid(load(value + r * next)), reset_h = reset * load(step.h[row] + u);
        store(value + r * next, reset);
        store(value + p * next, reset_h);
        store(step.exchanged.row(row) + u, reset_h);
      }
    }
  }

  static void step(float* value, int64_t next, Vector& h, Vector&) {
    const Vector candidate = tanh(load(value + n * next));
    const Vector update = sigmoid(load(value + z * next));
    h = mix(update, h, candidate);
    store(value + n * next, candidate);
    store(value + z * next, update);
  }

  static Vector step_back(const Known& known, float* gradient, Vector&) {
    const int64_t next = known.next;
    const Vector candidate = load(known.value + n * next);
    const Vector update = load(known.value + z * next);
    const Vector d_new = known.d_h * (1.0f - update);
    store(gradient + n * next, d_new * (1.0f - candidate * candidate));
    store(gradient + z * next, d_new * (known.h - candidate));
    for (const Value kept : {r, p})  // for the products and the weight gradient
      store(gradient + kept * next, load(known.value + kept * next));
    return known.d_h * update;
  }

  static void product_back(const StepBack& step, int64_t number) {
    const Backward& pass = step.pass;
    const int64_t next = pass.padded();
    if (number == 1) return step.add_product(z, pass.recurrent[0]);
    step.product_through(n, pass.recurrent[1]);
    for (int64_t row = 0; row < step.rows; ++row) {
      float* const gradient = step.gradients[row];
      for (int64_t u = step.units.begin; u < step.units.end; u += lanes) {
        const Vector reset = load(gradient + r * next + u), reset_h = load(gradient + p * next + u);
        const Vector d_p = load(step.through.row(row) + u);
        Vector d_h = d_p * reset;
        if (pass.dropout) d_h *= load(pass.dropout + step.row[row] * pass.units + u, pass.units - u);
        store(step.d_h[row] + u, load(step.d_h[row] + u) + d_h);
        store(gradient + r * next + u, d_p * reset_h * (1.0f - reset));
      }
    }
  }
};

}  // namespace

const Cell gru = {ResetBefore::layout, forward_rows<ResetBefore>, backward_rows<ResetBefore>};
const Cell gru_reset_after = {ResetAfter::layout, forward_rows<ResetAfter>, backward_rows<ResetAfter>};

}  // namespace rnnapps
