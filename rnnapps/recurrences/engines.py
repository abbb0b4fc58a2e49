"""Which engine runs a recurrence, and why."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from types import ModuleType

import tensorflow as tf

from rnnapps import internals, native
from rnnapps.recurrences import graph

ENGINES = ("auto", "graph", "native")
_for_now: contextvars.ContextVar[str] = contextvars.ContextVar("rnnapps_engine", default="auto")


@contextlib.contextmanager
def use_engine(engine: str) -> Iterator[None]:
    """Within the block "auto" means this engine.

    An export is traced under `use_engine("graph")`: what it contains then runs wherever TensorFlow does.

    Raises:
        ValueError: if there is no such engine.
    """
    _check(engine)
    token = _for_now.set(engine)
    try:
        yield
    finally:
        _for_now.reset(token)


def engine_in_use(dtype: str) -> tuple[str, str]:
    """The engine that "auto" means here for a computation in `dtype`, "graph" or "native", and the reason.

    The native engine is built when this is first asked. Under XLA the graph engine runs whatever this says.

    Raises:
        rnnapps.native.build.BuildError: if the native engine was asked for by name and cannot be built.
    """
    asked = _for_now.get()
    source = "use_engine"
    if asked == "auto":
        asked, source = native.wanted(), "RNNAPPS_ENGINE"
    if asked == "graph":
        return "graph", f"{source} says so"
    if dtype != "float32":
        return "graph", f"the native engine computes in float32, not in {dtype}"
    if tf.config.list_logical_devices("GPU"):
        return "graph", "there is a GPU, the native engine is for CPUs"
    if native.library() is None:
        return "graph", str(native.missing())
    return "native", "C++ on the CPU"


def choose(engine: str, dtype: tf.DType) -> ModuleType:
    """The module that runs a recurrence which is called, or traced, at this moment.

    Args:
        engine: "graph", "native", or "auto": native where it can run, graph everywhere else.
        dtype: of the computation.

    Raises:
        ValueError: if there is no such engine.
        RuntimeError: if "native" is asked for by name and cannot run here.
    """
    _check(engine)
    if engine == "graph":
        return graph
    if internals.in_xla():
        name, why = "graph", "XLA compiles this function, and knows no custom ops"
    elif internals.in_save_context():
        name, why = "graph", "a SavedModel holds no custom ops"
    else:
        name, why = engine_in_use(dtype.name)
    if name == "native":
        from rnnapps.recurrences import native as native_engine

        return native_engine
    if engine == "native":
        raise RuntimeError(f"engine='native' cannot run here: {why}")
    return graph


def _check(engine: str) -> None:
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}; got {engine!r}")
