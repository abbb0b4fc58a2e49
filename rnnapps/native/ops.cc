// The recurrences as TensorFlow ops: shapes, checks, memory, and rows of the batch spread over TensorFlow's threads.
//
//   RnnappsForward           inputs, states, weights -> outputs, final states, values
//   RnnappsBackward          d_outputs, d_final_states, values -> gradients of the pre-activations and of the states
//   RnnappsInputGradient     those gradients -> d_inputs; an op of its own, so that a graph that does not ask drops it
//   RnnappsWeightGradients   those gradients -> d_kernel, d_recurrent_kernel, d_bias
//
// An optional input is a list of none or one. `values` and `gradients` have a layout of their own (recurrence.h).
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/lib/core/threadpool.h"

#include "weights.h"

namespace rnnapps {
namespace {

using tensorflow::OpInputList;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::OpOutputList;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// ---- What the ops look like ----------------------------------------------------------------------------------------

absl::Status list_of(InferenceContext* c, const char* name, ShapeHandle shape, bool output) {
  std::vector<ShapeHandle> shapes;
  TF_RETURN_IF_ERROR(output ? c->output(name, &shapes) : c->input(name, &shapes));
  for (ShapeHandle& one : shapes) one = shape;
  return output ? c->set_output(name, shapes) : absl::OkStatus();
}

absl::Status first_input(InferenceContext* c, const char* name, int rank, ShapeHandle* shape) {
  std::vector<ShapeHandle> shapes;
  TF_RETURN_IF_ERROR(c->input(name, &shapes));
  return c->WithRank(shapes.at(0), rank, shape);
}

absl::Status forward_shapes(InferenceContext* c) {
  ShapeHandle inputs, state, recurrent;
  TF_RETURN_IF_ERROR(first_input(c, "inputs", 3, &inputs));
  TF_RETURN_IF_ERROR(first_input(c, "states", 2, &state));
  TF_RETURN_IF_ERROR(first_input(c, "recurrent_kernel", 2, &recurrent));
  DimensionHandle batch, units;
  TF_RETURN_IF_ERROR(c->Merge(c->Dim(inputs, 0), c->Dim(state, 0), &batch));
  TF_RETURN_IF_ERROR(c->Merge(c->Dim(recurrent, 0), c->Dim(state, 1), &units));
  TF_RETURN_IF_ERROR(c->set_output("outputs", {c->MakeShape({batch, c->Dim(inputs, 1), units})}));
  TF_RETURN_IF_ERROR(c->set_output("values", {c->UnknownShapeOfRank(3)}));
  return list_of(c, "final_states", c->MakeShape({batch, units}), true);
}

absl::Status backward_shapes(InferenceContext* c) {
  ShapeHandle outputs, state;
  TF_RETURN_IF_ERROR(first_input(c, "outputs", 3, &outputs));
  TF_RETURN_IF_ERROR(first_input(c, "states", 2, &state));
  TF_RETURN_IF_ERROR(c->set_output("gradients", {c->UnknownShapeOfRank(3)}));
  TF_RETURN_IF_ERROR(c->set_output("d_hidden_norm", {c->Vector(c->Dim(outputs, 1))}));
  return list_of(c, "d_states", state, true);
}

absl::Status input_gradient_shapes(InferenceContext* c) {
  ShapeHandle outputs, kernel;
  TF_RETURN_IF_ERROR(first_input(c, "outputs", 3, &outputs));
  TF_RETURN_IF_ERROR(first_input(c, "kernel", 2, &kernel));
  return c->set_output("d_inputs", {c->MakeShape({c->Dim(outputs, 0), c->Dim(outputs, 1), c->Dim(kernel, 0)})});
}

absl::Status weight_gradients_shapes(InferenceContext* c) {
  ShapeHandle inputs, outputs;
  std::string cell;
  TF_RETURN_IF_ERROR(first_input(c, "inputs", 3, &inputs));
  TF_RETURN_IF_ERROR(first_input(c, "outputs", 3, &outputs));
  TF_RETURN_IF_ERROR(c->GetAttr("cell", &cell));
  const int gates = cell == "lstm" ? 4 : cell == "rnn" ? 1 : 3;
  DimensionHandle columns;
  TF_RETURN_IF_ERROR(c->Multiply(c->Dim(outputs, 2), gates, &columns));
  TF_RETURN_IF_ERROR(c->set_output("d_kernel", {c->Matrix(c->Dim(inputs, 2), columns)}));
  TF_RETURN_IF_ERROR(c->set_output("d_recurrent_kernel", {c->Matrix(c->Dim(outputs, 2), columns)}));
  return list_of(c, "d_bias", cell == "gru_reset_after" ? c->Matrix(2, columns) : c->Vector(columns), true);
}

#define CELL "cell: {'rnn', 'gru', 'gru_reset_after', 'lstm'}"

REGISTER_OP("RnnappsForward")
    .Attr(CELL)
    .Attr("reverse: bool")
    .Attr("save: bool")
    .Attr("state_count: int >= 1")
    .Attr("bias_count: int >= 0")
    .Attr("mask_count: int >= 0")
    .Attr("dropout_count: int >= 0")
    .Input("inputs: float")
    .Input("states: state_count * float")
    .Input("kernel: float")
    .Input("recurrent_kernel: float")
    .Input("bias: bias_count * float")
    .Input("mask: mask_count * bool")
    .Input("dropout: dropout_count * float")
    .Output("outputs: float")
    .Output("final_states: state_count * float")
    .Output("values: float")
    .SetShapeFn(forward_shapes);

REGISTER_OP("RnnappsBackward")
    .Attr(CELL)
    .Attr("reverse: bool")
    .Attr("clip: float")
    .Attr("state_count: int >= 1")
    .Attr("mask_count: int >= 0")
    .Attr("dropout_count: int >= 0")
    .Input("states: state_count * float")
    .Input("recurrent_kernel: float")
    .Input("mask: mask_count * bool")
    .Input("dropout: dropout_count * float")
    .Input("outputs: float")
    .Input("values: float")
    .Input("d_outputs: float")
    .Input("d_final_states: state_count * float")
    .Output("gradients: float")
    .Output("d_states: state_count * float")
    .Output("d_hidden_norm: float")
    .SetShapeFn(backward_shapes);

REGISTER_OP("RnnappsInputGradient")
    .Attr(CELL)
    .Input("kernel: float")
    .Input("outputs: float")
    .Input("gradients: float")
    .Output("d_inputs: float")
    .SetShapeFn(input_gradient_shapes);

REGISTER_OP("RnnappsWeightGradients")
    .Attr(CELL)
    .Attr("reverse: bool")
    .Attr("bias_count: int >= 0")
    .Attr("dropout_count: int >= 0")
    .Input("inputs: float")
    .Input("state: float")
    .Input("dropout: dropout_count * float")
    .Input("outputs: float")
    .Input("gradients: float")
    .Output("d_kernel: float")
    .Output("d_recurrent_kernel: float")
    .Output("d_bias: bias_count * float")
    .SetShapeFn(weight_gradients_shapes);

// ---- Reading a call ------------------------------------------------------------------------------------------------

const Cell& cell_named(const std::string& name) {
  return name == "lstm" ? lstm : name == "gru" ? gru : name == "gru_reset_after" ? gru_reset_after : simple_rnn;
}

// Rows of the batch that go through the sequence together: enough to fill the tiles of the products, few enough that
// every thread has some.
constexpr int64_t most_rows = 96;

// The inputs and outputs of one call by their names, and the threads for it.
class Call {
 public:
  explicit Call(OpKernelContext* context) : context_(context) {}

  // The only tensor of an input; empty pointer for a list of none.
  const Tensor* tensor(const char* name, int number = 0) {
    OpInputList list;
    const absl::Status status = context_->input_list(name, &list);
    if (!status.ok()) return fail(status);
    return number < list.size() ? &list[number] : nullptr;
  }

  // The same as floats, after a check of the shape: -1 where any size will do.
  const float* floats(const char* name, const std::vector<int64_t>& shape, int number = 0) {
    const Tensor* one = tensor(name, number);
    return one && fits(name, *one, shape) ? one->flat<float>().data() : nullptr;
  }

  const bool* bools(const char* name, const std::vector<int64_t>& shape) {
    const Tensor* one = tensor(name);
    return one && fits(name, *one, shape) ? one->flat<bool>().data() : nullptr;
  }

  float* allocate(const char* name, const TensorShape& shape, int number = 0) {
    int start = 0, stop = 0;
    Tensor* one = nullptr;
    absl::Status status = context_->op_kernel().OutputRange(name, &start, &stop);
    if (status.ok()) status = context_->allocate_output(start + number, shape, &one);
    if (!status.ok()) {
      fail(status);
      return nullptr;
    }
    return one->flat<float>().data();
  }

  bool ok() const { return context_->status().ok(); }

  int threads() const { return context_->device()->tensorflow_cpu_worker_threads()->num_threads; }

  // A schedule on as many of TensorFlow's threads as come; nobody waits for one that does not.
  void together(int64_t steps, int64_t parts, const StepPart& body) const {
    if (parts == 0) return;
    const int64_t most = std::min<int64_t>(threads(), parts);
    const auto all = std::make_shared<Steps>(steps, parts, most);  // also for threads that come when all is done
    for (int64_t i = 1; i < most; ++i)
      context_->device()->tensorflow_cpu_worker_threads()->workers->Schedule([all, i, &body] { all->join(i, body); });
    all->join(0, body);
  }

  // Does items 0 <= i < count.
  void parallel(int64_t count, const std::function<void(int64_t)>& item) const {
    together(1, count, [&item](int64_t, int64_t i) { item(i); });
  }

  // Cuts 0 <= i < count into about equal ranges none longer than `most`, a multiple of `threads` of them.
  void parallel_ranges(int64_t count, int64_t most, const std::function<void(int64_t, int64_t)>& range) const {
    const int64_t rounds = (count + most * threads() - 1) / (most * threads());
    const int64_t ranges = std::min<int64_t>(count, rounds * threads());
    parallel(ranges, [&](int64_t i) { range(count * i / ranges, count * (i + 1) / ranges); });
  }

  // Spreads a loop over time over the threads: the rows of the batch or, if there are fewer of them than threads or the
  // recurrent kernel is too large for the cache of each, the units of every step.
  void recurrence(const Recurrence& r, const Layout& layout,
                  const std::function<void(int64_t first, int64_t last, const Schedule&)>& loop) const {
    constexpr int64_t cached_floats = 1 << 18;
    if (r.parts() == 1 || (r.batch >= threads() && layout.gates * r.padded() * r.padded() <= cached_floats))
      return parallel_ranges(r.batch, most_rows, [&](int64_t first, int64_t last) { loop(first, last, one_by_one); });
    for (int64_t first = 0; first < r.batch; first += most_rows)
      loop(first, std::min(r.batch, first + most_rows),
           [this](int64_t steps, int64_t parts, const StepPart& body) { together(steps, parts, body); });
  }

 private:
  std::nullptr_t fail(const absl::Status& status) {
    context_->SetStatus(status);
    return nullptr;
  }

  bool fits(const char* name, const Tensor& tensor, const std::vector<int64_t>& shape) {
    bool same = tensor.dims() == static_cast<int>(shape.size());
    for (int i = 0; same && i < tensor.dims(); ++i) same = shape[i] < 0 || tensor.dim_size(i) == shape[i];
    if (same) return true;
    std::string wanted;
    for (int64_t size : shape) wanted += (wanted.empty() ? "" : ", ") + (size < 0 ? "any" : std::to_string(size));
    fail(absl::InvalidArgumentError(std::string(name) + " has shape " + tensor.shape().DebugString() +
                                    ", which should be [" + wanted + "]"));
    return false;
  }

  OpKernelContext* context_;
};

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

    std::vector<Pack> packs;
    packs.emplace_back(kernel, f.features, layout(), units, layout().kernel);
    for (int i = 0; i < layout().products; ++i)
      packs.emplace_back(recurrent, units, layout(), units, layout().recurrent[i].gates);
    pack_all(call, packs);
    const Buffer start = start_values(bias, layout(), units);
    f.start = start.data();
    f.kernel = packs[0].panels;
    for (int i = 0; i < layout().products; ++i) f.recurrent[i] = packs[1 + i].panels;

    call.recurrence(f, layout(), [&](int64_t first, int64_t last, const Schedule& schedule) {
      cell().forward(f, first, last, schedule);
    });
  }

  template <class Packs>
  static void pack_all(const Call& call, Packs& packs) {
    int64_t panels = 0;
    for (const auto& pack : packs) panels += pack.panels.last;
    call.parallel_ranges(panels, 1 << 20, [&packs](int64_t first, int64_t last) {
      for (auto& pack : packs) {
        for (int64_t panel = std::max<int64_t>(first, 0); panel < std::min(last, pack.panels.last); ++panel) pack(panel);
        first -= pack.panels.last;
        last -= pack.panels.last;
      }
    });
  }

 private:
  bool save_;
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
    ForwardOp::pack_all(call, packs);
    for (int i = 0; i < layout().products; ++i) b.recurrent[i] = packs[i].panels;
    Buffer squares(steps * batch * b.parts());
    b.squares = squares.data();
    call.recurrence(b, layout(), [&](int64_t first, int64_t last, const Schedule& schedule) {
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
    g.d_inputs = call.allocate("d_inputs", TensorShape({g.batch, g.steps, g.features}));
    const int64_t positions = g.batch * g.steps;
    if (!call.ok() || positions * g.features == 0) return;
    std::vector<PackTransposed> packs;
    packs.emplace_back(matrix, g.features, layout(), g.units, layout().kernel);
    ForwardOp::pack_all(call, packs);
    g.kernel = packs[0].panels;
    call.parallel_ranges(positions, most_rows, [&](int64_t first, int64_t last) { input_gradient(g, first, last); });
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
    g.dropout = call.floats("dropout", {g.batch, g.units});
    g.d_kernel = call.allocate("d_kernel", TensorShape({g.features, columns}));
    g.d_recurrent = call.allocate("d_recurrent_kernel", TensorShape({g.units, columns}));
    if (num_outputs() > 2)
      g.d_bias = call.allocate("d_bias", layout().recurrent_bias ? TensorShape({2, columns}) : TensorShape({columns}));
    if (!call.ok()) return;

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
