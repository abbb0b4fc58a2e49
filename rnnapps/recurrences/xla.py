"""The graph engine compiled by XLA: what runs on a GPU where cuDNN does not serve.

A step of a small cell is a dozen kernels in a plain graph and two or three when compiled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from rnnapps.recurrences import graph
from rnnapps.recurrences.weights import Weights


def forward(
    cell: str,
    inputs: tf.Tensor,
    states: tuple[tf.Tensor, ...],
    weights: Weights,
    *,
    reverse: bool,
    save: bool,
    keep_outputs: bool = True,
    **masks: tf.Tensor | None,
) -> tuple[tf.Tensor | None, tuple[tf.Tensor, ...], tuple[tf.Tensor, ...]]:
    """As `graph.forward`."""
    run = _compiled(graph.forward, cell, reverse=reverse, save=save, keep_outputs=keep_outputs)
    return run(inputs, tuple(states), weights, **masks)


def backward(
    cell: str,
    inputs: tf.Tensor,
    states: tuple[tf.Tensor, ...],
    weights: Weights,
    *,
    reverse: bool,
    gradient_clip: float | None,
    norms: bool = True,
    **tensors: Any,
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...], Weights, tf.Tensor | None]:
    """As `graph.backward`."""
    run = _compiled(graph.backward, cell, reverse=reverse, gradient_clip=gradient_clip, norms=norms)
    return run(inputs, tuple(states), weights, **tensors)


@functools.cache
def _compiled(function: Callable, cell: str, **options: bool | float | None) -> Callable:
    return tf.function(functools.partial(function, cell, **options), jit_compile=True, autograph=False)
