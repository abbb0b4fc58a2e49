"""Everything that reaches into `keras.src` or `tensorflow.python`, neither of which promises to stay as it is.

No other file imports from there (`tests/test_internals.py` checks this, and that each name still does what is said of
it here), so a new release of Keras or TensorFlow can break this module only. The one exception is
`serving/inspection/graph.py`, which runs in a process that cannot import `rnnapps`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import tensorflow as tf
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell
from keras.src.saving.serialization_lib import ObjectSharingScope
from tensorflow.python.eager import context, forwardprop_util, record
from tensorflow.python.framework import kernels
from tensorflow.python.framework.func_graph import FuncGraph
from tensorflow.python.ops import control_flow_util
from tensorflow.python.ops.resource_variable_ops import ResourceVariable
from tensorflow.python.saved_model import fingerprinting_utils, save_context

from rnnapps.errors import UserError

__all__ = [
    "DropoutRNNCell",
    "device_scope",
    "has_gpu_kernel",
    "have_tangents",
    "in_dataset",
    "in_function",
    "in_save_context",
    "in_xla",
    "object_sharing",
    "refuse_to_be_saved",
    "stop_recording",
    "tape_may_record",
    "traced_without_a_call",
    "write_fingerprint",
]


def object_sharing() -> contextlib.AbstractContextManager[None]:
    """A context in which an object that is serialised at several places is one object again when it is read."""
    return ObjectSharingScope()


def in_xla() -> bool:
    """Whether XLA compiles what is traced at this moment: a function with `jit_compile=True`, or one inside of it."""
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def in_save_context() -> bool:
    """Whether what is traced at this moment is traced by `tf.saved_model.save`, to be written."""
    return save_context.in_save_context()


def device_scope() -> str:
    """The device of the innermost `tf.device`, as "/job:localhost/.../device:CPU:0"; empty where nothing says.

    A function that is traced begins with no device of its own, and runs on the one it is called on.
    """
    if tf.executing_eagerly():
        return context.context().device_name or ""
    graph = tf.compat.v1.get_default_graph()
    scopes = [tf.no_op().device]
    while isinstance(graph, FuncGraph):
        graph = graph.outer_graph
        scopes += [scope.raw_string for scope in graph._device_function_stack.peek_objs()]
    return next(filter(None, scopes), context.context().device_name or "")


def in_dataset() -> bool:
    """Whether `tf.data` traces what is traced at this moment. It runs its functions on the CPU."""
    return not tf.executing_eagerly() and any(
        frame.f_globals["__name__"].startswith("tensorflow.python.data.") for frame in _stack()
    )


@functools.cache
def has_gpu_kernel(operation: str, dtype: str) -> bool:
    """Whether this build of TensorFlow has a kernel for GPUs of an operation whose type `T` is `dtype`."""
    wanted = tf.as_dtype(dtype).as_datatype_enum
    return any(
        wanted in constraint.allowed_values.list.type
        for kernel in kernels.get_registered_kernels_for_op(operation).kernel
        if kernel.device_type == "GPU"
        for constraint in kernel.constraint
        if constraint.name == "T"
    )


def tape_may_record() -> bool:
    """Whether a gradient tape or a forward accumulator is active on this thread, whatever it watches."""
    return record.could_possibly_record()


def have_tangents(tensors: Sequence[tf.Tensor]) -> bool:
    """Whether a `tf.autodiff.ForwardAccumulator` follows any of these tensors."""
    return bool(forwardprop_util.pack_tangents(list(tensors)).tangents)


def stop_recording() -> contextlib.AbstractContextManager[None]:
    """A context in which no tape on this thread records anything."""
    return record.stop_recording()


def in_function() -> bool:
    """Whether a `tf.function` is traced at this moment, rather than a graph of TensorFlow 1 or nothing at all."""
    return isinstance(tf.compat.v1.get_default_graph(), FuncGraph)


def traced_without_a_call() -> bool:
    """Whether the function that is traced at this moment was asked for by `get_concrete_function`.

    Converters and exporters get their functions this way. So does `tf.data`, which only runs them and does not count.
    """
    names = [(frame.f_globals["__name__"], frame.f_code.co_name) for frame in _stack()]
    asked = ("tensorflow.python.eager.polymorphic_function.polymorphic_function", "get_concrete_function")
    return any(
        name == asked and not caller.startswith("tensorflow.python.data.")
        for name, (caller, _) in itertools.pairwise(names)
    )


def _stack() -> Iterator[FrameType]:
    """The frames that lead here, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def refuse_to_be_saved(message: str) -> None:
    """Makes the function that is traced at this moment raise `UserError(message)` when it is saved or converted.

    The function captures a variable for this, which nothing reads. `tf.saved_model.save` and `ExportArchive.write_out`
    look at what a function captures, and so does whatever freezes variables: TensorFlow Lite and tf2onnx do.
    """
    graph = tf.compat.v1.get_default_graph()
    variable = _never_saved(message)
    graph.capture(variable.handle)
    graph.watch_variable(variable)


@functools.cache
def _never_saved(message: str) -> _NeverSaved:
    with tf.init_scope():
        return _NeverSaved(message)


class _NeverSaved(ResourceVariable):
    """A variable that cannot be written to any file.

    Args:
        message: What the error says to whoever tries.
    """

    def __init__(self, message: str) -> None:
        super().__init__(False, trainable=False, name="never_saved")
        self._message = message
        # Where nothing tracks a captured resource, a SavedModel cannot be written: it asks for the owner to name it.
        self.handle._parent_trackable = self._refuse

    def _refuse(self) -> NoReturn:
        raise UserError(self._message)

    def _export_to_saved_model_graph(self, *_: Any, **__: Any) -> NoReturn:
        """What a SavedModel calls for what is tracked; `keras.export.ExportArchive` tracks all captured variables."""
        self._refuse()

    def numpy(self) -> NoReturn:
        """What freezing a function calls."""
        self._refuse()


def write_fingerprint(folder: Path) -> None:
    """Writes `fingerprint.pb` of a SavedModel anew, after its graph has been changed."""
    fingerprinting_utils.write_fingerprint(str(folder))
