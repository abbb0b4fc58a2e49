"""Which engine runs a recurrence, and why."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from types import ModuleType

import tensorflow as tf

from rnnapps import internals, native
from rnnapps.recurrences import cudnn, graph, xla
from rnnapps.recurrences import native as native_engine

ENGINES = ("auto", "cudnn", "graph", "native")
_for_now: contextvars.ContextVar[str] = contextvars.ContextVar("rnnapps_engine", default="auto")

_INSTEAD = (
    'trace it inside `with rnnapps.recurrences.use_engine("graph"):` (a tf.function that has not been called yet) and '
    "save that"
)
_NEVER_SAVED = {
    "cudnn": f"this function runs on the cuDNN engine of rnnapps, whose operations need a GPU: {_INSTEAD}",
    "native": f"this function runs on the native engine of rnnapps, whose operations cannot be saved: {_INSTEAD}",
}


@contextlib.contextmanager
def use_engine(engine: str) -> Iterator[None]:
    """Makes "auto" mean this engine within the block.

    An export is traced under `use_engine("graph")`: what it contains then runs wherever TensorFlow does.

    Args:
        engine: "graph", "native", "cudnn", or "auto" for the fastest that can run.

    Raises:
        ValueError: If there is no such engine.
    """
    _check(engine)
    token = _for_now.set(engine)
    try:
        yield
    finally:
        _for_now.reset(token)


def engine_in_use(dtype: str, no_cudnn: str | None = None) -> tuple[str, str]:
    """The engine that "auto" means here for a computation in `dtype`, "cudnn", "graph" or "native", and the reason.

    The native engine is built when this is first called. Under XLA, and in a function that is traced to be saved, the
    graph engine runs whatever this says.

    Args:
        dtype: Of the computation, as "float32".
        no_cudnn: What keeps the recurrence from cuDNN (see `cudnn.not_served`), or None.

    Raises:
        rnnapps.native.compiler.BuildError: If the native engine was asked for by name and cannot be built.
    """
    name, why = _fastest(dtype, no_cudnn)
    return ("graph", f"under XLA: {why}") if name == "xla" else (name, why)


def why_not_cudnn(dtype: str, no_cudnn: str | None) -> str | None:
    """Why cuDNN cannot run a recurrence here, None if it can; whatever engine is asked for.

    Args:
        dtype: Of the computation, as "float32".
        no_cudnn: What keeps the recurrence itself from cuDNN, or None.
    """
    if not _on_gpu():
        return "there is no GPU for cuDNN"
    if no_cudnn is not None:
        return f"cuDNN does not support {no_cudnn}"
    # GPUs of other makers, and builds of TensorFlow for them, have no such kernel.
    if not all(internals.has_gpu_kernel(operation, dtype) for operation in cudnn.OPERATIONS):
        return f"TensorFlow has no cuDNN kernel for {dtype}"
    return None


def choose(engine: str, dtype: tf.DType, no_cudnn: str | None) -> ModuleType:
    """The module that runs a recurrence which is called, or traced, at this moment.

    Args:
        engine: "cudnn", "graph", "native", or "auto": the fastest that can run, a graph of TensorFlow's own operations
            in a function that is traced to be saved.
        dtype: Of the computation.
        no_cudnn: What keeps the recurrence from cuDNN, or None.

    Raises:
        ValueError: If there is no such engine.
        RuntimeError: If "cudnn" or "native" is asked for by name and cannot run here.
    """
    _check(engine)
    if engine == "graph":
        return graph
    if internals.in_xla():
        name, why = "graph", "XLA compiles this function, and supports neither cuDNN nor custom ops"
    elif internals.in_save_context():
        name, why = "graph", "a SavedModel holds a plain graph"
    elif not tf.executing_eagerly() and not internals.in_function():
        name, why = "graph", "a graph of TensorFlow 1 may be saved"
    elif engine == "auto" and not tf.executing_eagerly() and internals.traced_without_a_call():
        name, why = "graph", "get_concrete_function traces for a converter"
    else:
        name, why = _fastest(dtype.name, no_cudnn)
    if engine not in ("auto", name):
        raise RuntimeError(f"engine={engine!r} cannot run here: {why}")
    if name in _NEVER_SAVED and not tf.executing_eagerly():
        internals.refuse_to_be_saved(_NEVER_SAVED[name])
    return {"cudnn": cudnn, "graph": graph, "native": native_engine, "xla": xla}[name]


def _fastest(dtype: str, no_cudnn: str | None) -> tuple[str, str]:
    """What "auto" means here, "cudnn", "graph", "native" or "xla" (the graph engine compiled), and the reason."""
    asked, source = _asked()
    if asked == "graph":
        return "graph", f"set by {source}"
    if _on_gpu():
        if asked == "native":
            return "xla", "there is a GPU, and the native engine is for CPUs"
        obstacle = why_not_cudnn(dtype, no_cudnn)
        if obstacle is None:
            return "cudnn", "on a GPU, as in Keras; masks with holes take the graph engine"
        return "xla", f"there is a GPU, and {obstacle}"
    if asked == "cudnn":
        return "graph", "there is no GPU for cuDNN"
    if dtype != "float32":
        return "graph", f"the native engine computes in float32, not in {dtype}"
    if native.library() is None:
        return "graph", str(native.missing())
    return "native", "C++ on the CPU"


def _asked() -> tuple[str, str]:
    """The engine asked for by name, "auto" if none is, and where."""
    asked = _for_now.get()
    return (native.wanted(), "RNNAPPS_ENGINE") if asked == "auto" else (asked, "use_engine")


def _on_gpu() -> bool:
    """Whether operations go to a GPU at this moment: there is one, and neither `tf.device` nor `tf.data` says "CPU"."""
    if not tf.config.list_logical_devices("GPU"):
        return False
    return "CPU" not in internals.device_scope().upper() and not internals.in_dataset()


def _check(engine: str) -> None:
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
