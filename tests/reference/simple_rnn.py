"""h_t = tanh(x_t W_xh + h_{t-1} W_hh + b_h);  y_t = h_t W_hy + b_y."""

from __future__ import annotations

import numpy as np

from tests.reference.through_time import Array, Weights


def step(x: Array, states: tuple[Array], weights: Weights) -> tuple[tuple[Array], tuple]:
    (h_before,) = states
    h = np.tanh(x @ weights["kernel"] + h_before @ weights["recurrent_kernel"] + weights["bias"])
    return (h,), (x, h_before, h)


def step_gradient(saved: tuple, d_states: tuple[Array], weights: Weights) -> tuple[Array, tuple[Array], Weights]:
    x, h_before, h = saved
    (d_h,) = d_states
    d_a = (1 - h**2) * d_h  # tanh' = 1 - tanh²
    d_weights = {"kernel": x.T @ d_a, "recurrent_kernel": h_before.T @ d_a, "bias": d_a.sum(axis=0)}
    return d_a @ weights["kernel"].T, (d_a @ weights["recurrent_kernel"].T,), d_weights


def read_out(h: Array, weights: Weights) -> Array:
    """y `(batch, time, output_units)` of the hidden states of all steps."""
    return h @ weights["output_kernel"] + weights["output_bias"]


def read_out_gradient(h: Array, d_y: Array, weights: Weights) -> tuple[Array, Weights]:
    """∂L/∂h_t by way of y_t, and the gradients of the output weights summed over steps."""
    d_weights = {"output_kernel": np.einsum("bth,bto->ho", h, d_y), "output_bias": d_y.sum(axis=(0, 1))}
    return d_y @ weights["output_kernel"].T, d_weights
