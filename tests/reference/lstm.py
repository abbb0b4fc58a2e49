"""The LSTM: gates i, f, o, candidate C̃, then C_t = f * C_{t-1} + i * C̃ and h_t = o * tanh(C_t)."""

from __future__ import annotations

import numpy as np

from tests.reference.through_time import Array, Weights, gates, sigmoid


def step(x: Array, states: tuple[Array, Array], weights: Weights) -> tuple[tuple[Array, Array], tuple]:
    h_before, C_before = states
    W_i, W_f, W_C, W_o = gates(weights["kernel"], 4)
    U_i, U_f, U_C, U_o = gates(weights["recurrent_kernel"], 4)
    b_i, b_f, b_C, b_o = gates(weights["bias"], 4)
    i = sigmoid(x @ W_i + h_before @ U_i + b_i)
    f = sigmoid(x @ W_f + h_before @ U_f + b_f)
    candidate = np.tanh(x @ W_C + h_before @ U_C + b_C)
    o = sigmoid(x @ W_o + h_before @ U_o + b_o)
    C = f * C_before + i * candidate
    h = o * np.tanh(C)
    return (h, C), (x, h_before, C_before, i, f, candidate, o, C)


def step_gradient(
    saved: tuple, d_states: tuple[Array, Array], weights: Weights
) -> tuple[Array, tuple[Array, Array], Weights]:
    x, h_before, C_before, i, f, candidate, o, C = saved
    d_h, d_C = d_states
    d_C = d_C + d_h * o * (1 - np.tanh(C) ** 2)
    d_a = np.concatenate(
        [
            d_C * candidate * i * (1 - i),
            d_C * C_before * f * (1 - f),
            d_C * i * (1 - candidate**2),
            d_h * np.tanh(C) * o * (1 - o),
        ],
        axis=-1,
    )
    d_weights = {"kernel": x.T @ d_a, "recurrent_kernel": h_before.T @ d_a, "bias": d_a.sum(axis=0)}
    return d_a @ weights["kernel"].T, (d_a @ weights["recurrent_kernel"].T, d_C * f), d_weights
