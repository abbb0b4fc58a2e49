// The ops of the native engine as TensorFlow sees them: names, inputs, outputs, shapes. See ops.cc for what they do.
//
// An optional input is a list of none or one. `values` and `gradients` have a layout of their own (recurrence.h).
#include <algorithm>
#include <string>
#include <vector>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace rnnapps {
namespace {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

absl::Status list_of(InferenceContext* c, const char* name, ShapeHandle shape, bool output) {
  std::vector<ShapeHandle> shapes;
  TF_RETURN_IF_ERROR(output ? c->output(name, &shapes) : c->input(name, &shapes));
  std::fill(shapes.begin(), shapes.end(), shape);
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
    .Attr("mask_count: int >= 0")
    .Input("kernel: float")
    .Input("mask: mask_count * bool")
    .Input("outputs: float")
    .Input("gradients: float")
    .Output("d_inputs: float")
    .SetShapeFn(input_gradient_shapes);

REGISTER_OP("RnnappsWeightGradients")
    .Attr(CELL)
    .Attr("reverse: bool")
    .Attr("bias_count: int >= 0")
    .Attr("mask_count: int >= 0")
    .Attr("dropout_count: int >= 0")
    .Input("inputs: float")
    .Input("state: float")
    .Input("mask: mask_count * bool")
    .Input("dropout: dropout_count * float")
    .Input("outputs: float")
    .Input("gradients: float")
    .Output("d_kernel: float")
    .Output("d_recurrent_kernel: float")
    .Output("d_bias: bias_count * float")
    .SetShapeFn(weight_gradients_shapes);

}  // namespace
}  // namespace rnnapps
