"""Everything that reaches into `keras.src` or `tensorflow.python`, neither of which promises to stay as it is.

No other file imports from there (`tests/test_internals.py` checks this, and that each name still does what is said of
it here), so a new release of Keras or TensorFlow can break this module only. The one exception is
`serving/inspection/graph.py`, which runs in a process that cannot import `rnnapps`.
"""

from __future__ import annotations

import contextlib

import tensorflow as tf
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell
from tensorflow.python.eager import record
from tensorflow.python.ops import control_flow_util
from tensorflow.python.saved_model import save_context

__all__ = ["DropoutRNNCell", "in_save_context", "in_xla", "stop_recording", "tape_may_record"]


def in_xla() -> bool:
    """Whether XLA compiles what is traced at this moment: a function with `jit_compile=True`, or one inside of it."""
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def in_save_context() -> bool:
    """Whether what is traced at this moment is traced by `tf.saved_model.save`, to be written."""
    return save_context.in_save_context()


def tape_may_record() -> bool:
    """Whether a gradient tape or a forward accumulator is active on this thread, whatever it watches."""
    return record.could_possibly_record()


def stop_recording() -> contextlib.AbstractContextManager[None]:
    """A context in which no tape on this thread records anything."""
    return record.stop_recording()
