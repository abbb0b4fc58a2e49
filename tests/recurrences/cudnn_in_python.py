"""cuDNN's two RNN operations in Python, from the equations and the layout in NVIDIA's documentation.

A machine without a GPU can then run the cuDNN engine: all of it but the kernels themselves. As in cuDNN, sequences are
padded on the right: the output after the end of a sequence is zero, the last states are those of its last step, and
what the backward kernel knows of the forward pass is what it is given, the output and the reserve space.
"""

from __future__ import annotations

import tensorflow as tf

GATES = {"lstm": 4, "gru": 3}
KEPT = {"lstm": 5, "gru": 4}  # tensors of a step in the reserve space: gates, and c or the candidate's product with h


def unpacked(params, rnn_mode: str, features: int, units: int):
    """Matrices `(units, rows)` for the inputs and the hidden state, and two biases, of each gate."""
    gates = GATES[rnn_mode]
    sizes = [units * features] * gates + [units * units] * gates + [units] * 2 * gates
    parts = tf.split(params, sizes)
    W = [tf.reshape(part, [units, features]) for part in parts[:gates]]
    R = [tf.reshape(part, [units, units]) for part in parts[gates : 2 * gates]]
    return W, R, parts[2 * gates : 3 * gates], parts[3 * gates :]


def cudnn_rnn_v3(*, input, input_h, input_c, params, sequence_lengths, rnn_mode, is_training, time_major):
    check(input, input_h, input_c, sequence_lengths, rnn_mode, time_major)
    assert is_training, "without is_training there is no gradient"
    h, c = input_h[:, 0], input_c[:, 0] if rnn_mode == "lstm" else None
    W, R, b_W, b_R = unpacked(params, rnn_mode, input.shape[2], h.shape[-1])
    outputs, kept = [], []
    for t in range(input.shape[1]):
        of_x = [tf.matmul(input[:, t], w, transpose_b=True) + b for w, b in zip(W, b_W, strict=True)]
        of_h = [tf.matmul(h, r, transpose_b=True) + b for r, b in zip(R, b_R, strict=True)]
        real = (t < sequence_lengths)[:, tf.newaxis]
        if rnn_mode == "lstm":
            i, f, new, o = (a + b for a, b in zip(of_x, of_h, strict=True))
            i, f, new, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(new), tf.sigmoid(o)
            c = tf.where(real, f * c + i * new, c)
            new_h = o * tf.tanh(c)
            kept.append([i, f, new, o, c])
        else:
            r, i = (tf.sigmoid(a + b) for a, b in zip(of_x[:2], of_h[:2], strict=True))
            new = tf.tanh(of_x[2] + r * of_h[2])
            new_h = (1 - i) * new + i * h
            kept.append([r, i, new, of_h[2]])
        outputs.append(tf.where(real, new_h, 0))
        h = tf.where(real, new_h, h)
    last_c = tf.zeros([], h.dtype) if c is None else c[:, tf.newaxis]
    return tf.stack(outputs, axis=1), h[:, tf.newaxis], last_c, tf.reshape(tf.stack(kept), [-1]), tf.ones(3, tf.int8)


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
    check(input, input_h, input_c, sequence_lengths, rnn_mode, time_major)
    for value, gradient in ((output, output_backprop), (output_h, output_h_backprop), (output_c, output_c_backprop)):
        tf.debugging.assert_equal(tf.shape(value), tf.shape(gradient))
    tf.debugging.assert_equal(host_reserved, tf.ones(3, tf.int8))
    steps, features = input.shape[1:]
    units = input_h.shape[-1]
    W, R, _, _ = unpacked(params, rnn_mode, features, units)
    kept = tf.reshape(reserve_space, [steps, KEPT[rnn_mode], -1, units])
    d_h, d_c = output_h_backprop[:, 0], output_c_backprop[:, 0] if rnn_mode == "lstm" else None
    d_inputs, d_W, d_R, d_b_W, d_b_R = [None] * steps, 0, 0, 0, 0
    for t in reversed(range(steps)):
        real = (t < sequence_lengths)[:, tf.newaxis]
        h = output[:, t - 1] if t else input_h[:, 0]
        d = d_h + output_backprop[:, t]
        if rnn_mode == "lstm":
            i, f, new, o, c = tf.unstack(kept[t])
            c_before = kept[t - 1, 4] if t else input_c[:, 0]
            d_new_c = d_c + d * o * (1 - tf.tanh(c) ** 2)
            of_x = [
                d_new_c * new * i * (1 - i),
                d_new_c * c_before * f * (1 - f),
                d_new_c * i * (1 - new**2),
                d * tf.tanh(c) * o * (1 - o),
            ]
            of_h, direct = of_x, 0
            d_c = tf.where(real, d_new_c * f, d_c)
        else:
            r, i, new, product = tf.unstack(kept[t])
            d_new = d * (1 - i) * (1 - new**2)
            of_x = [d_new * product * r * (1 - r), d * (h - new) * i * (1 - i), d_new]
            of_h, direct = [*of_x[:2], d_new * r], d * i
        of_x, of_h = ([tf.where(real, one, 0) for one in of_gates] for of_gates in (of_x, of_h))
        d_inputs[t] = sum(tf.matmul(one, w) for one, w in zip(of_x, W, strict=True))
        d_h = tf.where(real, direct + sum(tf.matmul(one, r) for one, r in zip(of_h, R, strict=True)), d_h)
        d_W += tf.stack([tf.matmul(one, input[:, t], transpose_a=True) for one in of_x])
        d_R += tf.stack([tf.matmul(one, h, transpose_a=True) for one in of_h])
        d_b_W += tf.reduce_sum(tf.stack(of_x), axis=1)
        d_b_R += tf.reduce_sum(tf.stack(of_h), axis=1)
    d_params = tf.concat([tf.reshape(one, [-1]) for one in (d_W, d_R, d_b_W, d_b_R)], axis=0)
    d_c = tf.zeros([], d_h.dtype) if d_c is None else d_c[:, tf.newaxis]
    return tf.stack(d_inputs, axis=1), d_h[:, tf.newaxis], d_c, d_params


def check(input, input_h, input_c, sequence_lengths, rnn_mode, time_major) -> None:
    """What TensorFlow's kernels and cuDNN ask for."""
    assert not time_major
    batch, steps, _ = tf.unstack(tf.shape(input))
    states = [input_h, input_c] if rnn_mode == "lstm" else [input_h]
    for state in states:
        tf.debugging.assert_equal(tf.shape(state), [batch, 1, input_h.shape[-1]])
    assert sequence_lengths.dtype == tf.int32
    tf.debugging.assert_equal(tf.shape(sequence_lengths), [batch])
    tf.debugging.assert_positive(batch, "cuDNN takes no empty batch")
    tf.debugging.assert_positive(sequence_lengths, "cuDNN takes no sequence without a step")
    tf.debugging.assert_less_equal(sequence_lengths, steps)
