"""The graph engine's forward pass without a backward pass: what exports and converters start from."""

import numpy as np
import pytest
import tensorflow as tf

from rnnapps.layers import GRU, LSTM, SimpleRNN, to_keras
from rnnapps.recurrences import use_engine


@pytest.fixture(autouse=True)
def graph_engine():
    with use_engine("graph"):
        yield


@pytest.mark.parametrize("cell", [SimpleRNN, GRU, LSTM])
def test_lite_files_read_sequences_that_end_early(cell):
    layer = cell(3, return_sequences=True)
    inputs = tf.random.normal((2, 9, 2))
    layer(inputs)
    serve = tf.function(lambda x, mask: layer(x, mask=mask), autograph=False)
    concrete = serve.get_concrete_function(tf.TensorSpec((2, 9, 2)), tf.TensorSpec((2, 9), tf.bool))
    lite = tf.lite.Interpreter(model_content=tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert())
    lite.allocate_tensors()
    places = {detail["dtype"]: detail["index"] for detail in lite.get_input_details()}
    for lengths in ([9, 8], [4, 1], [0, 0]):
        mask = tf.sequence_mask(lengths, 9)
        lite.set_tensor(places[np.float32], inputs)
        lite.set_tensor(places[np.bool_], mask)
        lite.invoke()
        found = lite.get_tensor(lite.get_output_details()[0]["index"])
        np.testing.assert_allclose(found, to_keras(layer)(inputs, mask=mask), atol=1e-6)


def test_a_mask_of_fewer_rows_is_refused():
    layer = LSTM(3)
    serve = tf.function(lambda x, mask: layer(x, mask=mask), autograph=False)
    serve.get_concrete_function(tf.TensorSpec((None, None, 2)), tf.TensorSpec((None, None), tf.bool))
    with pytest.raises(tf.errors.InvalidArgumentError):
        serve(tf.zeros((5, 4, 2)), tf.ones((3, 4), tf.bool))


@pytest.mark.parametrize("mask", [None, [[True] * 4 + [False] * 2]])
def test_functions_may_run_eagerly(mask):
    layer = GRU(3, dtype="float64")
    inputs = tf.random.normal((1, 6, 2), dtype="float64")
    mask = None if mask is None else tf.constant(mask)
    expected = layer(inputs, mask=mask)
    tf.config.run_functions_eagerly(True)
    try:
        with tf.GradientTape() as tape:
            found = layer(inputs, mask=mask)
        gradients = tape.gradient(found, layer.trainable_variables)
    finally:
        tf.config.run_functions_eagerly(False)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_the_number_of_features_may_be_unknown_in_a_signature():
    layer = LSTM(3)
    inputs = tf.random.normal((2, 5, 4))
    expected = layer(inputs)
    serve = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None))], autograph=False)
    np.testing.assert_allclose(serve(inputs), expected, atol=1e-6)
