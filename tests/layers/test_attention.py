"""Attention against its equations in NumPy, and what padding, saving and precision must not change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.layers import AdditiveAttention, MultiplicativeAttention
from tests.layers.cases import randomise

rng = np.random.default_rng(0)
QUERY, MEMORY = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 5, 4))
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)
ATTENTIONS: dict[str, Callable[..., keras.layers.Layer]] = {
    "additive": lambda **options: AdditiveAttention(6, **options),
    "general": lambda **options: MultiplicativeAttention(4, **options),
    "dot": lambda **options: MultiplicativeAttention(scale=True, **options),
}
every_attention = pytest.mark.parametrize("name", ATTENTIONS)


def built(name: str, **options: object) -> keras.layers.Layer:
    layer = ATTENTIONS[name](**options)
    layer.build(QUERY.shape, MEMORY.shape)
    randomise(layer)
    return layer


def reference(name: str, weights: list[np.ndarray], mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The equations, one pair of steps at a time."""
    contexts, rows = np.zeros((3, 2, 4)), np.zeros((3, 2, 5))
    for b in range(3):
        real = range(5) if mask is None else np.flatnonzero(mask[b])
        for t in range(2):
            scores = {}
            for s in real:
                q, m = QUERY[b, t], MEMORY[b, s]
                if name == "additive":
                    W, U, v = weights
                    scores[s] = np.tanh(q @ W + m @ U) @ v[:, 0]
                else:
                    scores[s] = q @ (m @ weights[0]) if name == "general" else q @ m / 2
            total = sum(np.exp(score) for score in scores.values())
            for s, score in scores.items():
                rows[b, t, s] = np.exp(score) / total
                contexts[b, t] += rows[b, t, s] * MEMORY[b, s]
    return contexts, rows


@every_attention
@pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "mask"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_bfloat16"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_is_the_equation(name: str, mask: np.ndarray | None, dtype: str, jit_compile: bool) -> None:
    layer = built(name, dtype=dtype)
    weights = [np.asarray(weight, "float64") for weight in layer.weights]
    run = tf.function(lambda query, memory: layer(query, memory, mask=mask), jit_compile=jit_compile)
    tolerance = {"float32": 1e-5, "float64": 1e-12, "mixed_bfloat16": 0.1}[dtype]
    for result, expected in zip(run(QUERY, MEMORY), reference(name, weights, mask), strict=True):
        assert result.dtype == layer.compute_dtype
        np.testing.assert_allclose(tf.cast(result, "float64"), expected, atol=tolerance)


@every_attention
def test_padding_gets_exactly_nothing(name: str) -> None:
    layer = built(name)
    context, weights = layer(QUERY, MEMORY, mask=MASK)
    assert not np.any(weights.numpy()[np.broadcast_to(~MASK[:, None], weights.shape)])
    assert not np.any(context[2])
    with_garbage = np.where(MASK[:, :, None], MEMORY, 1e4)
    # Padding weighs exactly 0, but the real scores are computed beside other numbers: only the rounding may differ.
    np.testing.assert_allclose(layer(QUERY, with_garbage, mask=MASK)[0], context, atol=1e-6)


@every_attention
def test_gradients_are_finite_and_pass_padding_by(name: str) -> None:
    layer = built(name)
    query, memory = tf.constant(QUERY, "float32"), tf.constant(MEMORY, "float32")
    with tf.GradientTape() as tape:
        tape.watch([query, memory])
        loss = tf.reduce_sum(tf.sin(layer(query, memory, mask=MASK)[0]))
    gradients = tape.gradient(loss, [query, memory, *[weight.value for weight in layer.trainable_weights]])
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert not np.any(gradients[1].numpy()[~MASK]) and np.any(gradients[1].numpy()[MASK])


@every_attention
def test_keys_once_and_one_step_at_a_time_give_the_same(name: str) -> None:
    layer = ATTENTIONS[name]()
    keys = layer.keys(tf.constant(MEMORY, "float32"))  # before the layer is built
    whole = layer(QUERY, MEMORY, mask=MASK)
    for t in range(2):
        step = layer(QUERY[:, t], MEMORY, mask=MASK, keys=keys)
        for a, b in zip(step, whole, strict=True):
            np.testing.assert_allclose(a, b[:, t], atol=1e-6)


@every_attention
def test_shapes_nobody_expects(name: str) -> None:
    layer = built(name)
    for batch, time, source in ((0, 2, 5), (3, 0, 5), (3, 2, 0), (1, 1, 1)):
        query, memory = QUERY[:batch, :time], MEMORY[:batch, :source]
        results = layer(query, memory, mask=MASK[:batch, :source])
        expected = layer.compute_output_shape(query.shape, memory.shape)
        assert [tuple(result.shape) for result in results] == [tuple(shape) for shape in expected]
        assert all(np.isfinite(result).all() for result in results)


@every_attention
def test_saves_loads_and_takes_the_masks_of_embeddings(name: str, tmp_path: Path) -> None:
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(7, 4, mask_zero=True, embeddings_initializer="glorot_uniform")
    context, weights = ATTENTIONS[name]()(embedding(target), embedding(source))
    model = keras.Model([source, target], [keras.layers.GRU(3)(context), weights])
    words = np.array([[1, 2, 3], [4, 0, 0]]), np.array([[5, 6], [3, 0]])
    state, weights = model(words)
    assert not np.any(weights[1, :, 1:])
    one_word = model([np.array([[4]]), np.array([[3]])])[0]
    np.testing.assert_allclose(state[1], one_word[0], atol=1e-6)  # the query's mask goes on with the context
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for a, b in zip(loaded(words), (state, weights), strict=True):
        np.testing.assert_array_equal(a, b)


@every_attention
def test_config_makes_the_same_layer(name: str) -> None:
    layer = built(name, dtype="mixed_bfloat16")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is type(layer) and copy.get_config() == layer.get_config()


def test_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="positive integer, got 0"):
        AdditiveAttention(0)
    with pytest.raises(ValueError, match="`units` must be the size of the query"):
        MultiplicativeAttention()(QUERY[:, :, :3], MEMORY)
