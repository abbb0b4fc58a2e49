"""The cuDNN engine where there is no GPU: the calls it makes, and all around the kernels."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.layers import LSTM
from rnnapps.recurrences import Weights, cudnn, recur
from tests.recurrences.cudnn_in_python import cudnn_rnn_backprop_v3, cudnn_rnn_v3
from tests.recurrences.test_against_keras import BATCH, STEPS, Case, assert_equal, holed_mask

KERAS_CELLS = {"lstm": keras.layers.LSTM, "gru_reset_after": keras.layers.GRU}
pytestmark = pytest.mark.usefixtures("calls")
CUDNN_RNN_V3, CUDNN_RNN_BACKPROP_V3 = tf.raw_ops.CudnnRNNV3, tf.raw_ops.CudnnRNNBackpropV3


@pytest.fixture
def real_operations(monkeypatch):
    """TensorFlow's own operations, which can be traced here but not run."""
    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", CUDNN_RNN_V3)
    monkeypatch.setattr(tf.raw_ops, "CudnnRNNBackpropV3", CUDNN_RNN_BACKPROP_V3)


def right_padded() -> tf.Tensor:
    return tf.sequence_mask([STEPS, 1, STEPS // 2], STEPS)


def case_of(cell: str, **options) -> Case:
    """A case whose Keras layer stays on Keras's loop."""
    return Case(cell, use_cudnn=False, **options)


@pytest.mark.parametrize("masked", (False, True))
@pytest.mark.parametrize("go_backwards", (False, True))
@pytest.mark.parametrize("cell", KERAS_CELLS)
def test_the_call_is_the_one_that_keras_makes(cell, go_backwards, masked, calls):
    case = Case(cell, dtype="float32", go_backwards=go_backwards)
    mask = right_padded() if masked else None
    case.layer(case.inputs, initial_state=list(case.states), mask=mask)
    assert len(calls) == 1, "Keras did not take cuDNN"
    case.ours(case.inputs, case.states, mask)
    assert len(calls) == 2, "ours did not take cuDNN"
    theirs, ours = calls
    assert theirs.keys() == ours.keys()
    for name, expected in theirs.items():
        if isinstance(expected, (str, bool)):
            assert ours[name] == expected
        else:
            np.testing.assert_array_equal(ours[name], expected, err_msg=name)


@pytest.mark.parametrize("cell", KERAS_CELLS)
def test_the_order_of_gates_is_that_of_keras_on_an_amd_gpu_too(cell, calls, monkeypatch):
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_cuda_build": False, "is_rocm_build": True})
    case = Case(cell, dtype="float32")
    case.layer(case.inputs, initial_state=list(case.states))
    case.ours(case.inputs, case.states)
    np.testing.assert_array_equal(calls[0]["params"], calls[1]["params"])


@pytest.mark.parametrize("cell", KERAS_CELLS)
def test_weights_come_back_from_cudnns_layout(cell):
    weights = Weights(*(variable.value for variable in Case(cell).layer.weights))
    back = cudnn.from_parameters(cell, cudnn.to_parameters(cell, weights), 4, 5)
    for one, expected in zip(back, weights, strict=True):
        np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize("mask", (None, "right padded", "rows without a step"))
@pytest.mark.parametrize("go_backwards", (False, True))
@pytest.mark.parametrize("cell", KERAS_CELLS)
def test_values_and_gradients_are_those_of_keras(cell, go_backwards, mask, calls):
    case = case_of(cell, go_backwards=go_backwards)
    if mask is not None:
        mask = right_padded() if mask == "right padded" else tf.sequence_mask([0, STEPS, 3], STEPS)
    ours = case.ours(case.inputs, case.states, mask, engine="cudnn")
    assert len(calls) == 1
    assert_equal(ours, case.ours(case.inputs, case.states, mask, engine="graph"))
    if mask is None:
        assert_equal(ours, case.keras())


@pytest.mark.parametrize("options", ({"truncate": 4}, {"checkpoint_every": 5}, {"truncate": 8, "checkpoint_every": 4}))
@pytest.mark.parametrize("cell", KERAS_CELLS)
def test_segments_run_around_it(cell, options, calls):
    case = case_of(cell, go_backwards=cell == "lstm")
    mask = right_padded()  # in later segments there are rows without a step
    ours = case.ours(case.inputs, case.states, mask, engine="cudnn", **options)
    assert calls
    assert_equal(ours, case.ours(case.inputs, case.states, mask, engine="graph", **options))


@pytest.mark.parametrize("cell", KERAS_CELLS)
def test_a_mask_with_holes_takes_the_graph_engine(cell, calls):
    case = case_of(cell)
    mask = holed_mask(case)
    assert_equal(case.ours(case.inputs, case.states, mask), case.keras(mask))
    assert not calls


def test_a_function_decides_by_the_mask_it_is_given(calls):
    case = case_of("lstm")
    compiled = tf.function(lambda mask: case.ours(case.inputs, case.states, mask), autograph=False)
    for mask in (right_padded(), holed_mask(case)):
        assert_equal(compiled(mask), case.keras(mask))
    assert calls


def test_no_rows_and_no_steps_are_not_given_to_cudnn(calls):
    case = case_of("gru_reset_after", steps=0)
    outputs, *_ = case.ours(case.inputs, case.states)
    assert outputs.shape == (BATCH, 0, 5)
    assert LSTM(3)(tf.zeros((0, 4, 2))).shape == (0, 3)
    assert not calls


@pytest.mark.parametrize("dtype", ("float16", "bfloat16", "float64"))
@pytest.mark.parametrize("cell", KERAS_CELLS)
def test_tensorflow_takes_the_operations_as_we_make_them(cell, dtype, real_operations):
    """With sizes that are not known."""
    case = Case(cell)
    weights = [tf.cast(variable.value, dtype) for variable in case.layer.weights]
    states = [tf.cast(state, dtype) for state in case.states]

    def gradients(x, mask):
        with tf.GradientTape() as tape:
            tape.watch([x, *weights])
            outputs, last = recur(cell, x, states, Weights(*weights), mask=mask, go_backwards=True, engine="cudnn")
            loss = tf.reduce_sum(outputs) + tf.reduce_sum(last[0])
        return tape.gradient(loss, [x, *weights])

    specs = tf.TensorSpec((BATCH, None, 4), dtype), tf.TensorSpec((BATCH, None), tf.bool)
    function = tf.function(gradients, autograph=False).get_concrete_function(*specs)
    found = {node.op for one in function.graph.as_graph_def().library.function for node in one.node_def}
    assert {"CudnnRNNV3", "CudnnRNNBackpropV3"} <= found
    assert [shape.as_list() for shape in function.output_shapes][1:] == [weight.shape.as_list() for weight in weights]


@pytest.mark.parametrize("go_backwards", (False, True))
@pytest.mark.parametrize("cell", KERAS_CELLS)
def test_the_backward_call_is_that_of_tensorflows_own_gradient(cell, go_backwards, real_operations):
    """Keras leaves the gradient to TensorFlow, which registers one for the operation."""
    case = Case(cell, go_backwards=go_backwards)

    def theirs():
        outputs, *states = case.layer(case.inputs, initial_state=list(case.states))
        return tf.gradients([outputs, *states], [case.inputs], [case.d_outputs, *case.d_states])

    def ours():
        return case.ours(case.inputs, case.states, engine="cudnn")

    attributes = []
    for function in (theirs, ours):
        graph = tf.function(function, autograph=False).get_concrete_function().graph
        (node,) = (one for one in graph.as_graph_def().node if one.op == "CudnnRNNBackpropV3")
        attributes.append({name: value for name, value in node.attr.items() if not name.startswith("_")})
    assert attributes[0] == attributes[1]


@pytest.mark.parametrize("cell", KERAS_CELLS)
def test_the_stand_in_for_the_backward_kernel_is_the_derivative_of_the_one_for_the_forward(cell):
    case = Case(cell)
    weights = Weights(*(variable.value for variable in case.layer.weights))
    states = [state[:, tf.newaxis] for state in case.states]
    given = {
        "input": case.inputs,
        "input_h": states[0],
        "input_c": states[1] if cell == "lstm" else tf.zeros([], tf.float64),
        "params": cudnn.to_parameters(cell, weights),
    }
    fixed = {
        "sequence_lengths": tf.constant([STEPS, 1, 7]),
        "rnn_mode": cudnn.MODES[cell],
        "time_major": False,
    }
    with tf.GradientTape() as tape:
        tape.watch(given)
        output, h, c, reserve, host_reserve = cudnn_rnn_v3(**given, **fixed, is_training=True)
        d_output, d_h, d_c = (tf.random.stateless_normal(one.shape, (1, 2), dtype=tf.float64) for one in (output, h, c))
        loss = sum(tf.reduce_sum(a * b) for a, b in ((output, d_output), (h, d_h), (c, d_c)))
    expected = tape.gradient(loss, given, unconnected_gradients="zero")
    found = cudnn_rnn_backprop_v3(
        **given,
        **fixed,
        output=output,
        output_h=h,
        output_c=c,
        output_backprop=d_output,
        output_h_backprop=d_h,
        output_c_backprop=d_c,
        reserve_space=reserve,
        host_reserved=host_reserve,
    )
    assert_equal(found, [expected[name] for name in given])
    assert not np.any(output[1, 1:]), "padding gets zeros"
    np.testing.assert_array_equal(h[:, 0], [output[0, -1], output[1, 0], output[2, 6]])
