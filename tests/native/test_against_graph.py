"""The native engine gives what the graph engine gives, forward and backward, for any shape and option."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnapps.recurrences import graph
from rnnapps.recurrences.weights import Weights

GATES = {"rnn": 1, "gru": 3, "gru_reset_after": 3, "lstm": 4}
TOLERANCE = 1e-5


def example(cell, batch, steps, features, units, *, bias=True, mask=False, dropout=False, seed=0):
    """Random arguments for both engines: inputs, states, weights, optional arguments, gradients that flow in."""
    rng = np.random.default_rng(seed)

    def tensor(*shape, scale=0.5):
        return tf.constant(rng.normal(0, scale, shape), tf.float32)

    columns = GATES[cell] * units
    biases = tensor(2, columns) if cell == "gru_reset_after" else tensor(columns)
    # With larger recurrent weights gradients explode, and float32 is further than 1e-5 from float64 in either engine.
    recurrent_kernel = tensor(units, columns, scale=min(0.5, units**-0.5))
    weights = Weights(tensor(features, columns), recurrent_kernel, biases if bias else None)
    states = tuple(tensor(batch, units) for _ in range(2 if cell == "lstm" else 1))
    options = {
        "mask": tf.constant(rng.random((batch, steps)) < 0.6) if mask else None,
        "recurrent_dropout_mask": tf.constant(rng.integers(0, 2, (batch, units)) * 2.0, tf.float32)
        if dropout
        else None,
    }
    d_states = tuple(tensor(batch, units) for _ in states)
    return tensor(batch, steps, features), states, weights, options, tensor(batch, steps, units), d_states


def both_passes(engine, cell, example, *, reverse=False, clip=None, save=True):
    inputs, states, weights, options, d_outputs, d_states = example
    outputs, final_states, saved = engine.forward(cell, inputs, states, weights, reverse=reverse, save=save, **options)
    if not save:
        assert saved == ()
        return outputs, final_states
    return (
        outputs,
        final_states,
        *engine.backward(
            cell,
            inputs,
            states,
            weights,
            reverse=reverse,
            outputs=outputs,
            saved=saved,
            d_outputs=d_outputs,
            d_final_states=d_states,
            gradient_clip=clip,
            **options,
        ),
    )


def assert_close(ours, theirs):
    tf.nest.assert_same_structure(ours, theirs)
    for one, other in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        if other is None:
            assert one is None
            continue
        scale = 1 + np.max(np.abs(other), initial=0)
        np.testing.assert_allclose(one / scale, other / scale, rtol=0, atol=TOLERANCE)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cell=st.sampled_from(sorted(GATES)),
    batch=st.integers(0, 20),
    steps=st.integers(0, 9),
    features=st.integers(1, 70),
    units=st.integers(1, 70),
    bias=st.booleans(),
    mask=st.booleans(),
    dropout=st.booleans(),
    reverse=st.booleans(),
    clip=st.sampled_from([None, 0.3]),
)
@pytest.mark.slow
def test_both_engines_agree(engine, cell, batch, steps, features, units, bias, mask, dropout, reverse, clip):
    arguments = example(cell, batch, steps, features, units, bias=bias, mask=mask, dropout=dropout)
    ours = both_passes(engine, cell, arguments, reverse=reverse, clip=clip)
    assert_close(ours, both_passes(graph, cell, arguments, reverse=reverse, clip=clip))
    assert_close(both_passes(engine, cell, arguments, reverse=reverse, save=False), ours[:2])


@pytest.mark.parametrize("cell", GATES)
def test_a_batch_larger_than_one_block_of_rows(engine, cell):
    arguments = example(cell, 211, 3, 5, 17, mask=True, dropout=True)
    assert_close(both_passes(engine, cell, arguments), both_passes(graph, cell, arguments))


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.sampled
def test_more_positions_than_one_block_of_the_weight_gradient(engine, cell):
    arguments = example(cell, 5, 70, 3, 4)
    assert_close(both_passes(engine, cell, arguments), both_passes(graph, cell, arguments))


@pytest.mark.parametrize("cell", GATES)
def test_saved_values_survive_a_second_backward_pass(engine, cell):
    """The gradients take over the memory of the saved values only if nobody else holds them."""
    inputs, states, weights, options, d_outputs, d_states = example(cell, 3, 4, 5, 6)
    outputs, _, saved = engine.forward(cell, inputs, states, weights, reverse=False, save=True, **options)
    fixed = {"reverse": False, "outputs": outputs, "saved": saved, "gradient_clip": None, **options}
    once, twice = (
        engine.backward(cell, inputs, states, weights, d_outputs=d_outputs, d_final_states=d_states, **fixed)
        for _ in range(2)
    )
    for one, other in zip(tf.nest.flatten(once), tf.nest.flatten(twice), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cell", GATES)
def test_static_shapes_survive(engine, cell):
    inputs, states, weights, options, *_ = example(cell, 3, 4, 5, 6)

    @tf.function(input_signature=[tf.TensorSpec((None, 4, 5))])
    def shapes(inputs):
        free = [tf.zeros((tf.shape(inputs)[0], 6)) for _ in states]
        outputs, final_states, _ = engine.forward(cell, inputs, free, weights, reverse=False, save=True, **options)
        assert outputs.shape.as_list() == [None, 4, 6]
        assert [state.shape.as_list() for state in final_states] == [[None, 6]] * len(states)
        return outputs

    assert shapes(inputs).shape == (3, 4, 6)


@pytest.mark.parametrize("cell", GATES)
def test_nan_in_gives_nan_out_and_only_in_its_row(engine, cell):
    inputs, *rest = example(cell, 3, 4, 5, 20)
    inputs = tf.tensor_scatter_nd_update(inputs, [[1, 2, 3]], [np.nan])
    outputs = both_passes(engine, cell, (inputs, *rest))[0].numpy()
    assert np.isnan(outputs[1, 2:]).all()
    assert not np.isnan(outputs[1, :2]).any()
    assert not np.isnan(outputs[[0, 2]]).any()


def test_shapes_that_do_not_fit_are_an_error_that_names_the_argument(engine):
    inputs, states, weights, options, *_ = example("lstm", 3, 4, 5, 6)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"recurrent_kernel has shape .* should be \[6, 24\]"):
        broken = weights._replace(recurrent_kernel=weights.kernel)
        engine.forward("lstm", inputs, states, broken, reverse=False, save=True, **options)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", GATES)
def test_nan_in_a_masked_step_changes_nothing(engine, cell, reverse):
    inputs, states, weights, options, *rest = example(cell, 3, 5, 4, 20, mask=True)
    masked = tf.where(options["mask"][..., None], inputs, np.nan)
    for one in (engine, graph):
        expected = both_passes(one, cell, (inputs, states, weights, options, *rest), reverse=reverse)
        actual = both_passes(one, cell, (masked, states, weights, options, *rest), reverse=reverse)
        for this, that in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
            np.testing.assert_array_equal(this, that)


@pytest.mark.parametrize("cell", GATES)
def test_rows_that_are_padded_or_held_throughout(engine, cell):
    arguments = example(cell, 7, 9, 4, 70, dropout=True)
    arguments[3]["mask"] = tf.sequence_mask([9, 0, 3, 1, 0, 9, 5], 9)
    for reverse in (False, True):
        ours = both_passes(engine, cell, arguments, reverse=reverse)
        assert_close(ours, both_passes(graph, cell, arguments, reverse=reverse))
        assert_close(both_passes(engine, cell, arguments, reverse=reverse, save=False), ours[:2])


@pytest.mark.parametrize("cell", GATES)
def test_nothing_in_a_result_is_left_as_the_memory_was(engine, cell):
    """`tf.debugging.enable_check_numerics` looks at every number, also at those that nobody reads."""
    arguments = example(cell, 40, 30, 3, 20, mask=True)
    tf.debugging.enable_check_numerics()
    try:
        for _ in range(3):
            junk = [tf.fill((40 * 30 * 20 * number,), np.inf) for number in range(1, 6)]
            del junk
            both_passes(engine, cell, arguments)
    finally:
        tf.debugging.disable_check_numerics()
