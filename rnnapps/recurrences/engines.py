"""Which engine runs a recurrence, and why."""

from __future__ import annotations

from types import ModuleType

import tensorflow as tf

from rnnapps.recurrences import graph

ENGINES = ("auto", "graph", "native")


def choose(engine: str, inputs: tf.Tensor) -> tuple[ModuleType, str]:
    """The engine module for a recurrence over `inputs`, and the choice in words.

    Args:
        engine: "graph", "native", or "auto": native where it can run, graph everywhere else.
        inputs: the sequence; its dtype matters.

    Raises:
        ValueError: if there is no such engine.
        RuntimeError: if "native" is asked for by name and cannot run.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}; got {engine!r}")
    if engine == "native":
        raise RuntimeError("engine='native' cannot run here: not built")
    return graph, "graph"


def engine_in_use(dtype: str) -> tuple[str, str]:
    """The name of the engine that "auto" stands for in this process, and why, for a layer that computes in `dtype`."""
    return "graph", "TensorFlow ops"
