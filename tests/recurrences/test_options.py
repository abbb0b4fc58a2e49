"""Truncation, checkpoints, clipping and the probe, each against a slow way to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from rnnapps.recurrences import Weights, recur
from rnnapps.recurrences.loop import UNROLL
from tests.recurrences.test_against_keras import BATCH, CELLS, STEPS, Case, assert_equal, holed_mask


def in_pieces(case: Case, inputs, states, mask, length: int):
    """The recurrence piece by piece, `tf.stop_gradient` on the states between them."""
    weights = [variable.value for variable in case.layer.weights]
    with tf.GradientTape() as tape:
        tape.watch([inputs, *states])
        outputs, last = [], list(states)
        for start in range(0, STEPS, length):
            cut = slice(max(0, STEPS - start - length), STEPS - start) if case.reverse else slice(start, start + length)
            if start:
                last = [tf.stop_gradient(state) for state in last]
            part, last = recur(
                case.cell,
                inputs[:, cut],
                last,
                Weights(*weights),
                mask=None if mask is None else mask[:, cut],
                go_backwards=case.reverse,
            )
            outputs.append(part)
        loss = case.loss(tf.concat(outputs[::-1] if case.reverse else outputs, axis=1), last)
    return tape.gradient(loss, [inputs, *states, *weights])


@pytest.mark.parametrize("cell, reverse", (("gru_reset_after", True), ("lstm", False)))
def test_truncation_stops_the_gradient_at_every_segment(cell, reverse):
    case = Case(cell, go_backwards=reverse)
    mask = holed_mask(case)
    ours = case.ours(case.inputs, case.states, mask, truncate=5)
    slow = in_pieces(case, case.inputs, case.states, mask, 5)
    assert_equal(ours[1 + len(case.states) :], slow)


@pytest.mark.parametrize(
    "truncate, checkpoint_every", ((8, 4), (4, 8), (4, None), (1, None), (STEPS, None), (STEPS, 1))
)
def test_truncation_with_checkpoints(truncate, checkpoint_every):
    case = Case("lstm")
    ours = case.ours(case.inputs, case.states, truncate=truncate, checkpoint_every=checkpoint_every)
    assert_equal(ours[3:], in_pieces(case, case.inputs, case.states, None, truncate))


@pytest.mark.parametrize("cell, every", (*((cell, 4) for cell in CELLS), ("lstm", 1), ("lstm", 19), ("lstm", 40)))
def test_checkpoints_change_no_gradient(cell, every):
    case = Case(cell, go_backwards=cell == "gru")
    mask = holed_mask(case)
    options = {"gradient_clip": 0.5, "mask": mask}
    kept = case.ours(case.inputs, case.states, checkpoint_every=every, **options)
    # Recomputed segments have products of other shapes than the whole, so float64 agrees to rounding only.
    assert_equal(kept, case.ours(case.inputs, case.states, **options), 1e-11)


def test_checkpoints_of_a_length_known_only_when_run():
    case = Case("lstm")
    weights = Weights(*(variable.value for variable in case.layer.weights))
    specs = [tf.TensorSpec((None, None, 4), tf.float64), [tf.TensorSpec((None, 5), tf.float64)] * 2]

    @tf.function(autograph=False, input_signature=specs)
    def gradients(inputs, states):
        with tf.GradientTape() as tape:
            tape.watch([inputs, *states])
            outputs, last = recur("lstm", inputs, states, weights, checkpoint_every=6)
            loss = tf.reduce_sum(outputs**2) + sum(tf.reduce_sum(one) for one in last)
        return [outputs, *last, *tape.gradient(loss, [inputs, *states, *weights])]

    for steps in (0, 5, 19):
        inputs = case.inputs[:, :steps]
        with tf.GradientTape() as tape:
            tape.watch([inputs, *case.states])
            outputs, last = recur("lstm", inputs, case.states, weights)
            loss = tf.reduce_sum(outputs**2) + sum(tf.reduce_sum(one) for one in last)
        plain = [outputs, *last, *tape.gradient(loss, [inputs, *case.states, *weights])]
        assert_equal(gradients(inputs, case.states), plain)


def test_checkpoints_under_xla():
    case = Case("gru_reset_after", steps=9)
    compiled = tf.function(case.ours, jit_compile=True, autograph=False)
    ours = compiled(case.inputs, case.states, truncate=4, checkpoint_every=2)
    assert_equal(ours, case.ours(case.inputs, case.states, truncate=4))


def simple_rnn_by_hand(inputs, h, weights, d_outputs, d_h, clip):
    """Backpropagation through time of h_t = tanh(x_t W + h_{t-1} U + b) in NumPy, ∂L/∂h_t clipped at each step."""
    W, U, b = weights
    hidden = [h]
    for t in range(inputs.shape[1]):
        hidden.append(np.tanh(inputs[:, t] @ W + hidden[-1] @ U + b))
    d_inputs, norms = np.zeros_like(inputs), np.zeros(inputs.shape[1])
    d_W, d_U, d_b = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    for t in reversed(range(inputs.shape[1])):
        d_h = np.clip(d_h + d_outputs[:, t], -clip, clip)
        norms[t] = np.sqrt((d_h**2).sum())
        d_a = d_h * (1 - hidden[t + 1] ** 2)
        d_W, d_U, d_b = d_W + inputs[:, t].T @ d_a, d_U + hidden[t].T @ d_a, d_b + d_a.sum(axis=0)
        d_inputs[:, t], d_h = d_a @ W.T, d_a @ U.T
    return [d_inputs, d_h, d_W, d_U, d_b], norms


def lstm_by_hand(inputs, h, c, weights, d_outputs, d_h, d_c, clip):
    """The same of an LSTM; the gradient of the cell state is not clipped."""
    W, U, b = weights
    steps = inputs.shape[1]
    kept, states = [], [(h, c)]
    for t in range(steps):
        h, c = states[-1]
        i, f, g, o = np.split(inputs[:, t] @ W + h @ U + b, 4, axis=1)
        i, f, o, g = *(1 / (1 + np.exp(-gate)) for gate in (i, f, o)), np.tanh(g)
        c = f * c + i * g
        kept.append((i, f, g, o))
        states.append((o * np.tanh(c), c))
    d_inputs, norms = np.zeros_like(inputs), np.zeros(steps)
    d_W, d_U, d_b = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    for t in reversed(range(steps)):
        (i, f, g, o), (previous_h, previous_c), c = kept[t], states[t], states[t + 1][1]
        d_h = np.clip(d_h + d_outputs[:, t], -clip, clip)
        norms[t] = np.sqrt((d_h**2).sum())
        d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
        d_z = [d_c * g * i * (1 - i), d_c * previous_c * f * (1 - f), d_c * i * (1 - g**2)]
        d_z = np.concatenate([*d_z, d_h * np.tanh(c) * o * (1 - o)], axis=1)
        d_W, d_U, d_b = d_W + inputs[:, t].T @ d_z, d_U + previous_h.T @ d_z, d_b + d_z.sum(axis=0)
        d_inputs[:, t], d_h, d_c = d_z @ W.T, d_z @ U.T, d_c * f
    return [d_inputs, d_h, d_c, d_W, d_U, d_b], norms


@pytest.mark.parametrize("clip", (0.3, 1e9))
@pytest.mark.parametrize("cell, by_hand", (("rnn", simple_rnn_by_hand), ("lstm", lstm_by_hand)))
def test_clipping_and_norms_are_those_of_a_loop_in_numpy(cell, by_hand, clip):
    case = Case(cell)
    expected, norms = by_hand(
        *(np.array(one) for one in (case.inputs, *case.states)),
        case.layer.get_weights(),
        *(np.array(one) for one in (case.d_outputs, *case.d_states)),
        clip,
    )
    probe = tf.zeros(STEPS, tf.float64)
    weights = [variable.value for variable in case.layer.weights]
    with tf.GradientTape() as tape:
        tape.watch([case.inputs, *case.states, probe])
        outputs, last = recur(cell, case.inputs, case.states, Weights(*weights), gradient_clip=clip, probe=probe)
        loss = case.loss(outputs, last)
    *gradients, found = tape.gradient(loss, [case.inputs, *case.states, *weights, probe])
    assert_equal(gradients, expected)
    assert_equal([found], [norms])


def test_the_probe_in_segments_and_backwards():
    case = Case("gru", go_backwards=True)
    weights = Weights(*(variable.value for variable in case.layer.weights))

    def norms(**options):
        probe = tf.zeros(STEPS, tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(probe)
            outputs, last = recur("gru", case.inputs, case.states, weights, go_backwards=True, probe=probe, **options)
            loss = case.loss(outputs, last)
        return tape.gradient(loss, probe)

    assert_equal([norms(checkpoint_every=4)], [norms()])
    first_read = case.d_outputs[:, 0] + case.d_states[0]
    assert_equal([norms()[0]], [np.linalg.norm(first_read)])


@pytest.mark.parametrize(
    "options, message",
    (
        ({"truncate": 0}, "truncate must be a positive number"),
        ({"checkpoint_every": 2.5}, "checkpoint_every must be a positive number"),
        ({"truncate": 6, "checkpoint_every": 4}, "must be a multiple of the other"),
        ({"gradient_clip": -1.0}, "gradient_clip must be a positive"),
        ({"engine": "fast"}, "engine must be one of"),
    ),
)
def test_options_without_a_meaning_are_refused(options, message):
    case = Case("rnn", steps=UNROLL)
    with pytest.raises(ValueError, match=message):
        case.ours(case.inputs, case.states, **options)


def test_an_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="cell must be one of"):
        recur("elman", tf.zeros((BATCH, 1, 1)), [tf.zeros((BATCH, 1))], Weights(tf.zeros((1, 1)), tf.zeros((1, 1))))


@pytest.mark.parametrize("options", ({}, {"checkpoint_every": 4, "go_backwards": True}))
def test_only_the_last_states(options):
    """Without the hidden states of all steps: the same last states, and their gradients."""
    case = Case("gru_reset_after", go_backwards="go_backwards" in options)
    case.d_outputs = tf.zeros_like(case.d_outputs)
    weights = [variable.value for variable in case.layer.weights]
    with tf.GradientTape() as tape:
        tape.watch([case.inputs, *case.states])
        outputs, last = recur(case.cell, case.inputs, case.states, Weights(*weights), return_sequences=False, **options)
        loss = sum(tf.reduce_sum(a * b) for a, b in zip(last, case.d_states, strict=True))
    assert outputs is None
    gradients = tape.gradient(loss, [case.inputs, *case.states, *weights])
    assert_equal([*last, *gradients], case.ours(case.inputs, case.states)[1:])


@pytest.mark.parametrize("reverse", (False, True))
@pytest.mark.parametrize("cell", CELLS)
def test_inference_over_a_masked_length_known_only_when_run(cell, reverse):
    case = Case(cell, steps=2 * UNROLL + 3, go_backwards=reverse)
    mask = holed_mask(case, 2 * UNROLL + 3)
    weights = Weights(*(variable.value for variable in case.layer.weights))

    @tf.function(input_signature=[tf.TensorSpec([None, None, 4], tf.float64), tf.TensorSpec([None, None], tf.bool)])
    def plain(inputs, mask):
        return recur(case.cell, inputs, list(case.states), weights, mask=mask, go_backwards=reverse)

    for steps in (0, 1, UNROLL - 1, UNROLL, UNROLL + 1, 2 * UNROLL + 3):
        outputs, states = plain(case.inputs[:, :steps], mask[:, :steps])
        assert outputs.shape == (BATCH, steps, 5)
        if steps:
            read = case.inputs[:, :steps], mask[:, :steps]
            theirs, *last = case.layer(read[0], initial_state=list(case.states), mask=read[1])
            # Keras holds the last output where the mask is False; before the first real step it gives zeros.
            real = np.asarray(read[1])[..., None]
            theirs = theirs[:, ::-1] if reverse else theirs
            assert_equal([np.where(real, outputs, 0), *states], [np.where(real, theirs, 0), *last])
        else:
            assert_equal(states, case.states)


@pytest.mark.parametrize("options", ({}, {"truncate": 4}, {"checkpoint_every": 4}))
def test_a_tape_within_a_tape_is_no_obstacle(options):
    random = np.random.default_rng(0)
    x, *kernels, bias = (
        tf.constant(random.normal(size=shape), tf.float32) for shape in ((2, 11, 3), (3, 20), (5, 20), (20,))
    )
    states = [tf.zeros((2, 5))] * 2

    def gradients(nested: bool):
        with tf.GradientTape() as outer, tf.GradientTape(watch_accessed_variables=False) as inner:
            outer.watch(kernels)
            if nested:
                inner.watch(x)
            outputs, _ = recur("lstm", x, states, Weights(*kernels, bias), **options)
            loss = tf.reduce_sum(outputs**2)
        return outer.gradient(loss, kernels)

    for one, expected in zip(tf.function(gradients)(True), tf.function(gradients)(False), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "options, steps", (({"checkpoint_every": 32}, 13), ({"truncate": 12, "checkpoint_every": 4}, 1))
)
def test_sequences_shorter_than_a_segment_under_xla(options, steps):
    random = np.random.default_rng(0)
    kernels = [tf.constant(random.normal(size=shape), tf.float32) for shape in ((3, 20), (5, 20), (20,))]
    states = [tf.zeros((2, 5))] * 2

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(kernels)
            outputs, _ = recur("lstm", x, states, Weights(*kernels), **options)
            loss = tf.reduce_sum(outputs**2)
        return tape.gradient(loss, kernels)

    of_any_length = {"input_signature": [tf.TensorSpec([2, None, 3])], "autograph": False}
    x = tf.constant(random.normal(size=(2, steps, 3)), tf.float32)
    compiled = tf.function(gradients, jit_compile=True, **of_any_length)(x)
    for one, expected in zip(compiled, tf.function(gradients, **of_any_length)(x), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-6)
