"""The GRU: update gate z joins forget and input, h is cell and hidden state: h_t = z * h_{t-1} + (1 - z) * n.

`step` resets the state before the recurrent product (Cho et al.), `step_reset_after` resets the product, which then
has a bias of its own, the second row of `bias`.
"""

from __future__ import annotations

import numpy as np

from tests.reference.through_time import Array, Weights, gates, sigmoid


def step(x: Array, states: tuple[Array], weights: Weights) -> tuple[tuple[Array], tuple]:
    (h_before,) = states
    W_z, W_r, W_n = gates(weights["kernel"], 3)
    U_z, U_r, U_n = gates(weights["recurrent_kernel"], 3)
    b_z, b_r, b_n = gates(weights["bias"], 3)
    z = sigmoid(x @ W_z + h_before @ U_z + b_z)
    r = sigmoid(x @ W_r + h_before @ U_r + b_r)
    n = np.tanh(x @ W_n + (r * h_before) @ U_n + b_n)
    return (z * h_before + (1 - z) * n,), (x, h_before, z, r, n)


def step_gradient(saved: tuple, d_states: tuple[Array], weights: Weights) -> tuple[Array, tuple[Array], Weights]:
    x, h_before, z, r, n = saved
    (d_h,) = d_states
    U_z, U_r, U_n = gates(weights["recurrent_kernel"], 3)
    d_n = d_h * (1 - z) * (1 - n**2)
    d_z = d_h * (h_before - n) * z * (1 - z)
    d_reset_h = d_n @ U_n.T
    d_r = d_reset_h * h_before * r * (1 - r)
    d_a = np.concatenate([d_z, d_r, d_n], axis=-1)
    d_weights = {
        "kernel": x.T @ d_a,
        "recurrent_kernel": np.concatenate([h_before.T @ d_z, h_before.T @ d_r, (r * h_before).T @ d_n], axis=-1),
        "bias": d_a.sum(axis=0),
    }
    d_h_before = d_h * z + d_reset_h * r + d_z @ U_z.T + d_r @ U_r.T
    return d_a @ weights["kernel"].T, (d_h_before,), d_weights


def step_reset_after(x: Array, states: tuple[Array], weights: Weights) -> tuple[tuple[Array], tuple]:
    (h_before,) = states
    x_z, x_r, x_n = gates(x @ weights["kernel"] + weights["bias"][0], 3)
    u_z, u_r, u_n = gates(h_before @ weights["recurrent_kernel"] + weights["bias"][1], 3)
    z = sigmoid(x_z + u_z)
    r = sigmoid(x_r + u_r)
    n = np.tanh(x_n + r * u_n)
    return (z * h_before + (1 - z) * n,), (x, h_before, z, r, n, u_n)


def step_reset_after_gradient(
    saved: tuple, d_states: tuple[Array], weights: Weights
) -> tuple[Array, tuple[Array], Weights]:
    x, h_before, z, r, n, u_n = saved
    (d_h,) = d_states
    d_n = d_h * (1 - z) * (1 - n**2)
    d_z = d_h * (h_before - n) * z * (1 - z)
    d_r = d_n * u_n * r * (1 - r)
    d_x_part = np.concatenate([d_z, d_r, d_n], axis=-1)
    d_u_part = np.concatenate([d_z, d_r, d_n * r], axis=-1)
    d_weights = {
        "kernel": x.T @ d_x_part,
        "recurrent_kernel": h_before.T @ d_u_part,
        "bias": np.stack([d_x_part.sum(axis=0), d_u_part.sum(axis=0)]),
    }
    d_h_before = d_h * z + d_u_part @ weights["recurrent_kernel"].T
    return d_x_part @ weights["kernel"].T, (d_h_before,), d_weights
