"""cuDNN's two RNN operations in Python, from the equations and the layout in NVIDIA's documentation.

A machine without a GPU can then run the cuDNN engine: all of it but the kernels themselves.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

GATES = {"lstm": 4, "gru": 3}


def unpacked(params, rnn_mode: str, features: int, units: int):
    """Matrices `(units, rows)` for the inputs and the hidden state, and two biases, of each gate."""
    gates = GATES[rnn_mode]
    sizes = [units * features] * gates + [units * units] * gates + [units] * 2 * gates
    parts = tf.split(params, sizes)
    W = [tf.reshape(part, [units, features]) for part in parts[:gates]]
    R = [tf.reshape(part, [units, units]) for part in parts[gates : 2 * gates]]
    return W, R, parts[2 * gates : 3 * gates], parts[3 * gates :]


def run(input, input_h, input_c, params, sequence_lengths, rnn_mode):
    steps, features = input.shape[1:]
    h, c = input_h[:, 0], input_c[:, 0] if rnn_mode == "lstm" else None
    W, R, b_W, b_R = unpacked(params, rnn_mode, features, h.shape[-1])
    outputs = []
    for t in range(steps):
        x = input[:, t]
        of_x = [tf.matmul(x, w, transpose_b=True) + b for w, b in zip(W, b_W, strict=True)]
        of_h = [tf.matmul(h, r, transpose_b=True) + b for r, b in zip(R, b_R, strict=True)]
        if rnn_mode == "lstm":
            i, f, new, o = (a + b for a, b in zip(of_x, of_h, strict=True))
            new_c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(new)
            new_h = tf.sigmoid(o) * tf.tanh(new_c)
        else:
            r, i = (tf.sigmoid(a + b) for a, b in zip(of_x[:2], of_h[:2], strict=True))
            new_h = (1 - i) * tf.tanh(of_x[2] + r * of_h[2]) + i * h
        real = (t < sequence_lengths)[:, tf.newaxis]
        outputs.append(tf.where(real, new_h, 0))
        h = tf.where(real, new_h, h)
        c = tf.where(real, new_c, c) if rnn_mode == "lstm" else None
    return tf.stack(outputs, axis=1), h[:, tf.newaxis], h[:, tf.newaxis] * 0 if c is None else c[:, tf.newaxis]


def cudnn_rnn_v3(*, input, input_h, input_c, params, sequence_lengths, rnn_mode, is_training, time_major):
    assert is_training
    assert not time_major
    if tf.executing_eagerly():
        tf.debugging.assert_positive(sequence_lengths, "cuDNN takes no sequence without a step")
    outputs, h, c = run(input, input_h, input_c, params, sequence_lengths, rnn_mode)
    return outputs, h, c, tf.ones(7, input.dtype), tf.ones(3, tf.int8)


def cudnn_rnn_backprop_v3(
    *,
    input,
    input_h,
    input_c,
    params,
    sequence_lengths,
    output,
    output_h,
    output_c,
    output_backprop,
    output_h_backprop,
    output_c_backprop,
    reserve_space,
    host_reserved,
    rnn_mode,
    time_major,
):
    assert reserve_space.shape == (7,)
    assert host_reserved.shape == (3,)
    graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()

    def differentiated() -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        with contextlib.nullcontext() if graph is None else graph.as_default(), tf.GradientTape() as tape:
            tape.watch([input, input_h, input_c, params])
            results = run(input, input_h, input_c, params, sequence_lengths, rnn_mode)
            gradients = tape.gradient(
                results,
                [input, input_h, input_c, params],
                [output_backprop, output_h_backprop, output_c_backprop],
                unconnected_gradients="zero",
            )
        return results, gradients

    # A backward pass runs with recording stopped in its thread; a kernel has no need of tapes, this stand-in has.
    with ThreadPoolExecutor(1) as executor:
        results, gradients = executor.submit(differentiated).result()
    for mine, given in zip(results, (output, output_h, output_c), strict=True):
        if tf.executing_eagerly():
            tf.debugging.assert_near(mine, given)
    return gradients
