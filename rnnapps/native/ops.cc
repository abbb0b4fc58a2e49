// The recurrences as TensorFlow ops: what each reads, allocates and computes. Their signatures are in shapes.cc.
//
//   RnnappsForward           inputs, states, weights -> outputs, final states, values
//   RnnappsBackward          d_outputs, d_final_states, values -> gradients of the pre-activations and of the states
//   RnnappsInputGradient     those gradients -> d_inputs; an op of its own, so that a graph that does not ask drops it
//   RnnappsWeightGradients   those gradients -> d_kernel, d_recurrent_kernel, d_bias
#include <algorithm>
#include <string>
#include <vector>

#include "call.h"
#include "weights.h"

namespace rnnapps {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;

const Cell& cell_named(const std::string& name) {
  return name == "lstm" ? lstm : name == "gru" ? gru : name == "gru_reset_after" ? gru_reset_after : simple_rnn;
}

class RecurrenceOp : public OpKernel {
 public:
  explicit RecurrenceOp(OpKernelConstruction* construction) : OpKernel(construction) {
    std::string cell;
    OP_REQUIRES_OK(construction, construction->GetAttr("cell", &cell));
    cell_ = &cell_named(cell);
    if (construction->HasAttr("reverse")) OP_REQUIRES_OK(construction, construction->GetAttr("reverse", &reverse_));
  }

 protected:
  const Layout& layout() const { return cell_->layout; }
  const Cell& cell() const { return *cell_; }

  // Batch and units from the shape of `outputs` or of a state; the optional inputs if the op has them.
  Recurrence sizes(int64_t batch, int64_t steps, int64_t features, int64_t units) const {
    Recurrence r{};
    r.batch = batch;
    r.steps = steps;
    r.features = features;
    r.units = units;
    r.reverse = reverse_;
    return r;
  }

 private:
  const Cell* cell_ = nullptr;
  bool reverse_ = false;
};

// ---- The ops -------------------------------------------------------------------------------------------------------

class ForwardOp : public RecurrenceOp {
 public:
  explicit ForwardOp(OpKernelConstruction* construction) : RecurrenceOp(construction) {
    OP_REQUIRES_OK(construction, construction->GetAttr("save", &save_));
  }

  void Compute(OpKernelContext* context) override {
    Call call(context);
    const Tensor *inputs = call.tensor("inputs"), *state = call.tensor("states");
    call.floats("inputs", {-1, -1, -1});
    call.floats("states", {-1, -1});
    if (!call.ok()) return;
    Forward f{};
    static_cast<Recurrence&>(f) =
        sizes(inputs->dim_size(0), inputs->dim_size(1), inputs->dim_size(2), state->dim_size(1));
    const int64_t batch = f.batch, steps = f.steps, units = f.units, columns = layout().gates * units;
    f.inputs = call.floats("inputs", {batch, steps, f.features});
    const float* kernel = call.floats("kernel", {f.features, columns});
    const float* recurrent = call.floats("recurrent_kernel", {units, columns});
    const float* bias = layout().recurrent_bias ? call.floats("bias", {2, columns}) : call.floats("bias", {columns});
    f.mask = call.bools("mask", {batch, steps});
    f.dropout = call.floats("dropout", {batch, units});
    f.outputs = call.allocate("outputs", TensorShape({batch, steps, units}));
    for (int i = 0; i < layout().states; ++i) {
      f.initial[i] = call.floats("states", {batch, units}, i);
      f.final_states[i] = call.allocate("final_states", TensorShape({batch, units}), i);
    }
    const bool save = save_ && layout().saves;
    const int64_t width = layout().values * f.padded();
    float* values = call.allocate("values", TensorShape({save ? steps : 0, batch, width}));
    if (!call.ok() || batch * units == 0) return;
    f.values = save ? values : nullptr;
    f.value_count = layout().values;

    std::vector<Pack> packs;
    packs.emplace_back(kernel, f.features, layout(), units, layout().kernel);
    for (int i = 0; i < layout().products; ++i)
      packs.emplace_back(recurrent, units, layout(), units, layout().recurrent[i].gates);
    call.pack_all(packs);
    const Buffer start = start_values(bias, layout(), units, f.places());
    f.start = start.data();
    f.kernel = packs[0].panels;
    for (int i = 0; i < layout().products; ++i) f.recurrent[i] = packs[1 + i].panels;

    call.recurrence(f, layout(), &faster_, [&](int64_t first, int64_t last, const Schedule& schedule) {
      cell().forward(f, first, last, schedule);
    });
  }

 private:
  bool save_;
  Faster faster_;
};

class BackwardOp : public RecurrenceOp {
 public:
  explicit BackwardOp(OpKernelConstruction* construction) : RecurrenceOp(construction) {
    OP_REQUIRES_OK(construction, construction->GetAttr("clip", &clip_));
  }

  void Compute(OpKernelContext* context) override {
    Call call(context);
    const Tensor* outputs = call.tensor("outputs");
    call.floats("outputs", {-1, -1, -1});
    if (!call.ok()) return;
    Backward b{};
    static_cast<Recurrence&>(b) = sizes(outputs->dim_size(0), outputs->dim_size(1), 0, outputs->dim_size(2));
    const int64_t batch = b.batch, steps = b.steps, units = b.units, width = layout().values * b.padded();
    b.clip = clip_;
    b.outputs = call.floats("outputs", {batch, steps, units});
    b.d_outputs = call.floats("d_outputs", {batch, steps, units});
    const float* recurrent = call.floats("recurrent_kernel", {units, layout().gates * units});
    b.mask = call.bools("mask", {batch, steps});
    b.dropout = call.floats("dropout", {batch, units});
    for (int i = 0; i < layout().states; ++i) {
      b.initial[i] = call.floats("states", {batch, units}, i);
      b.d_final[i] = call.floats("d_final_states", {batch, units}, i);
      b.d_initial[i] = call.allocate("d_states", TensorShape({batch, units}), i);
    }
    const TensorShape shape({steps, batch, width});
    if (layout().saves) b.values = call.floats("values", {steps, batch, width});
    float* norm = call.allocate("d_hidden_norm", TensorShape({steps}));
    if (!call.ok()) return;
    Tensor* gradients = nullptr;
    int values_at = 0, stop = 0;
    OP_REQUIRES_OK(context, InputRange("values", &values_at, &stop));
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({values_at}, 0, shape, &gradients));
    b.gradients = gradients->flat<float>().data();
    std::fill_n(norm, steps, 0.0f);
    if (batch * units == 0) return;

    std::vector<PackTransposed> packs;
    for (int i = 0; i < layout().products; ++i)
      packs.emplace_back(recurrent, units, layout(), units, layout().recurrent[i].gates);
    call.pack_all(packs);
    for (int i = 0; i < layout().products; ++i) b.recurrent[i] = packs[i].panels;
    Buffer squares(steps * batch * b.parts());
    b.squares = squares.data();
    call.recurrence(b, layout(), nullptr, [&](int64_t first, int64_t last, const Schedule& schedule) {
      cell().backward(b, first, last, schedule);
    });
    for (int64_t t = 0; t < steps; ++t) {
      double total = 0;
      for (int64_t i = 0; i < batch * b.parts(); ++i) total += squares.data()[t * batch * b.parts() + i];
      norm[t] = static_cast<float>(std::sqrt(total));
    }
  }

 private:
  float clip_;
};

class InputGradientOp : public RecurrenceOp {
 public:
  using RecurrenceOp::RecurrenceOp;

  void Compute(OpKernelContext* context) override {
    Call call(context);
    const Tensor *outputs = call.tensor("outputs"), *kernel = call.tensor("kernel");
    call.floats("outputs", {-1, -1, -1});
    call.floats("kernel", {-1, -1});
    if (!call.ok()) return;
    InputGradient g{};
    static_cast<Recurrence&>(g) =
        sizes(outputs->dim_size(0), outputs->dim_size(1), kernel->dim_size(0), outputs->dim_size(2));
    g.layout = &layout();
    g.gradients = call.floats("gradients", {g.steps, g.batch, layout().values * g.padded()});
    const float* matrix = call.floats("kernel", {g.features, layout().gates * g.units});
    g.mask = call.bools("mask", {g.batch, g.steps});
    g.d_inputs = call.allocate("d_inputs", TensorShape({g.batch, g.steps, g.features}));
    if (!call.ok() || g.batch * g.steps * g.features == 0) return;
    g.positions = Positions(g);
    if (g.positions.size() < g.batch * g.steps) {
      call.parallel_ranges(g.batch * g.steps, 1 << 12, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i)
          if (!g.mask[i]) std::fill_n(g.d_inputs + i * g.features, g.features, 0.0f);
      });
    }
    std::vector<PackTransposed> packs;
    packs.emplace_back(matrix, g.features, layout(), g.units, layout().kernel);
    call.pack_all(packs);
    g.kernel = packs[0].panels;
    call.parallel_ranges(g.positions.size(), most_rows,
                         [&](int64_t first, int64_t last) { input_gradient(g, first, last); });
  }
};

class WeightGradientsOp : public RecurrenceOp {
 public:
  using RecurrenceOp::RecurrenceOp;

  void Compute(OpKernelContext* context) override {
    Call call(context);
    const Tensor *inputs = call.tensor("inputs"), *outputs = call.tensor("outputs");
    call.floats("inputs", {-1, -1, -1});
    call.floats("outputs", {-1, -1, -1});
    if (!call.ok()) return;
    WeightGradients g{};
    static_cast<Recurrence&>(g) =
        sizes(inputs->dim_size(0), inputs->dim_size(1), inputs->dim_size(2), outputs->dim_size(2));
    const int64_t columns = layout().gates * g.units;
    g.layout = &layout();
    g.inputs = call.floats("inputs", {g.batch, g.steps, g.features});
    g.outputs = call.floats("outputs", {g.batch, g.steps, g.units});
    g.gradients = call.floats("gradients", {g.steps, g.batch, layout().values * g.padded()});
    g.initial[0] = call.floats("state", {g.batch, g.units});
    g.mask = call.bools("mask", {g.batch, g.steps});
    g.dropout = call.floats("dropout", {g.batch, g.units});
    g.d_kernel = call.allocate("d_kernel", TensorShape({g.features, columns}));
    g.d_recurrent = call.allocate("d_recurrent_kernel", TensorShape({g.units, columns}));
    if (num_outputs() > 2)
      g.d_bias = call.allocate("d_bias", layout().recurrent_bias ? TensorShape({2, columns}) : TensorShape({columns}));
    if (!call.ok()) return;
    g.positions = Positions(g);

    // The rows of all matrices one after the other, cut into one range of equal work for each thread.
    std::vector<int64_t> ends;  // of the kernel, and of each product with the recurrent kernel
    const auto gates = [this](int number) {
      return number < 0 ? layout().kernel.count : layout().recurrent[number].gates.count;
    };
    for (int number = -1; number < layout().products; ++number)
      ends.push_back((ends.empty() ? 0 : ends.back()) + (number < 0 ? g.features : g.units) * gates(number));
    const int64_t work = ends.back(), ranges = std::min<int64_t>(call.threads(), work);
    call.parallel(ranges, [&](int64_t i) {
      for (int number = -1; number < layout().products; ++number) {
        const int64_t start = number < 0 ? 0 : ends[number], rows = number < 0 ? g.features : g.units;
        const auto row = [&](int64_t cut) {
          return std::clamp<int64_t>((work * cut / ranges - start) / gates(number), 0, rows);
        };
        const int64_t first = row(i), last = i + 1 == ranges ? rows : row(i + 1);
        // Without features no row of the kernel has the sum for the bias, so the first range does it.
        if (first < last || (rows == 0 && i == 0)) weight_gradient(g, number, first, last);
      }
    });
  }
};

REGISTER_KERNEL_BUILDER(Name("RnnappsForward").Device(tensorflow::DEVICE_CPU), ForwardOp);
REGISTER_KERNEL_BUILDER(Name("RnnappsBackward").Device(tensorflow::DEVICE_CPU), BackwardOp);
REGISTER_KERNEL_BUILDER(Name("RnnappsInputGradient").Device(tensorflow::DEVICE_CPU), InputGradientOp);
REGISTER_KERNEL_BUILDER(Name("RnnappsWeightGradients").Device(tensorflow::DEVICE_CPU), WeightGradientsOp);

}  // namespace
}  // namespace rnnapps
