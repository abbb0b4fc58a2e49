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

_NEVER_SAVED = (
    "this function runs on the native engine of rnnapps, whose operations no file can hold: trace it inside "
    '`with rnnapps.recurrences.use_engine("graph"):` (a tf.function that has not been called yet) and save that'
)


@contextlib.contextmanager
def use_engine(engine: str) -> Iterator[None]:
    """Within the block "auto" means this engine.

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

    The native engine is built when this is first asked. Under XLA the graph engine runs whatever this says, and also
    in a function that is traced to be saved.

    Args:
        dtype: Of the computation, as "float32".
        no_cudnn: What keeps the recurrence from cuDNN (see `cudnn.not_served`), or None.

    Raises:
        rnnapps.native.compiler.BuildError: If the native engine was asked for by name and cannot be built.
    """
    name, why = _fastest(dtype, no_cudnn)
    return ("graph", f"under XLA: {why}") if name == "xla" else (name, why)


def why_not_cudnn(no_cudnn: str | None) -> str | None:
    """Why cuDNN cannot run a recurrence here, None if it can; whatever engine is asked for.

    Args:
        no_cudnn: What keeps the recurrence itself from cuDNN, or None.
    """
    if not _on_gpu():
        return "there is no GPU for cuDNN"
    return no_cudnn and f"cuDNN does not serve {no_cudnn}"


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
        name, why = "graph", "XLA compiles this function, and knows neither cuDNN nor custom ops"
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
    if name == "native" and not tf.executing_eagerly():
        internals.refuse_to_be_saved(_NEVER_SAVED)
    return {"cudnn": cudnn, "graph": graph, "native": native_engine, "xla": xla}[name]


def _fastest(dtype: str, no_cudnn: str | None) -> tuple[str, str]:
    """What "auto" means here, "cudnn", "graph", "native" or "xla" (the graph engine compiled), and the reason."""
    asked, source = _asked()
    if asked == "graph":
        return "graph", f"{source} says so"
    if _on_gpu():
        if asked == "native":
            return "xla", "there is a GPU, the native engine is for CPUs"
        if asked == "cudnn" and no_cudnn is None:
            return "cudnn", f"{source} says so"
        # Not chosen by itself before its gradients have been checked on a GPU.
        return "xla", "there is a GPU" if no_cudnn is None else f"there is a GPU, and cuDNN does not serve {no_cudnn}"
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
    """Whether operations go to a GPU at this moment: there is one, and no `tf.device` says "CPU"."""
    return bool(tf.config.list_logical_devices("GPU")) and "CPU" not in internals.device_scope()


def _check(engine: str) -> None:
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
