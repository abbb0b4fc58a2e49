import numpy as np
import pytest
import tensorflow as tf

from rnnapps.layers import LSTM
from rnnapps.serving import ExportError
from rnnapps.serving.litert import Interpreter, accuracy, convert


def test_a_recurrent_layer_of_any_length_answers_nearly_as_before(tmp_path):
    layer = LSTM(16)
    layer.build((None, None, 4))
    convert(lambda x: layer(x), tf.TensorSpec([1, None, 4], tf.float32), tmp_path / "model.tflite")
    answer = Interpreter(tmp_path / "model.tflite")
    for steps in (1, 8, 21):
        x = np.random.default_rng(steps).standard_normal((1, steps, 4)).astype("float32")
        np.testing.assert_allclose(answer(x), layer(tf.constant(x)), atol=5e-3)
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]


def test_the_operation_in_the_way_is_named(tmp_path):
    with pytest.raises(ExportError, match="unsupported operations: Cholesky"):
        convert(tf.linalg.cholesky, tf.TensorSpec([1, 3, 3], tf.float32), tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())


def test_accuracy_is_the_fraction_of_right_answers():
    inputs = [np.float32([[0, 1]]), np.float32([[1, 0]]), np.float32([[0, 1]]), np.float32([[0, 1]])]
    assert accuracy(lambda x: x, inputs, [1, 0, 1, 0]) == 0.75
