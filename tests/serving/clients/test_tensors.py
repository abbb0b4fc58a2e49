"""Arrays as the messages of TensorFlow Serving, against TensorFlow's own conversion."""

import numpy as np
import pytest
import tensorflow as tf

from rnnapps.serving.clients.tensors import from_proto, to_proto

ARRAYS = [
    np.array([[1.5, np.nan], [np.inf, -0.0]], np.float32),
    np.array(3.25),
    np.zeros((0, 4), np.float32),
    np.arange(-4, 4, dtype=np.int8).reshape(2, 2, 2),
    *(
        np.array([0, 1, 255], kind)
        for kind in (np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint32, np.uint64)
    ),
    np.array([[True], [False]]),
    np.array([1.5, 65504, np.nan], np.float16),
    np.array([b"\xff\x00", b""], object),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{list(array.shape)}")
def test_arrays_become_tensorflows_messages_and_come_back(array):
    np.testing.assert_array_equal(tf.make_ndarray(to_proto(array)), array)
    np.testing.assert_array_equal(from_proto(tf.make_tensor_proto(array)), array)
    assert from_proto(to_proto(array)).dtype == array.dtype


def test_values_that_stand_for_all_that_follow_are_read():
    assert from_proto(tf.make_tensor_proto(7.0, shape=[2, 3])).tolist() == [[7] * 3] * 2
    short = tf.make_tensor_proto(np.array([1, 2], np.int32), shape=[4])
    np.testing.assert_array_equal(from_proto(short), tf.make_ndarray(short))
