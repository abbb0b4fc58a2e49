import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.audio import TimeConvolution
from rnnapps.layers import AttentionPooling


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


@pytest.mark.parametrize(("kernel", "stride"), [((5, 5), (2, 2)), ((3, 4), (3, 1)), ((4, 3), (1, 2))])
def test_a_convolution_is_kerass_on_a_padded_sequence(kernel, stride):
    layer = TimeConvolution(4, kernel_size=kernel, strides=stride)
    sequences = random(2, 17, 10, 3)
    outputs = layer(sequences)
    plain = keras.layers.Conv2D(4, kernel, stride, use_bias=False)
    padded = np.pad(sequences, ((0, 0), (kernel[0] - stride[0], 0), layer.edges, (0, 0)))
    plain.build(padded.shape)
    plain.set_weights(layer.convolution.get_weights())
    steps = np.asarray(plain(padded), "float64")
    mean, variance = (statistic(steps, axis=(2, 3), keepdims=True) for statistic in (np.mean, np.var))
    expected = (steps - mean) / np.sqrt(variance + layer.normalisation.epsilon)
    assert outputs.shape == (2, 17 // stride[0], -(-10 // stride[1]), 4)
    np.testing.assert_allclose(outputs, np.maximum(expected, 0)[:, : 17 // stride[0]], atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 2, 3, 8])
def test_a_convolution_of_chunks_is_that_of_the_whole(chunk):
    layer = TimeConvolution(4, (5, 3), (3, 2))
    sequences = random(2, 20, 8, 1)
    whole = layer(sequences)
    state, parts = layer.initial_state(2), []
    for begin in range(0, 20, chunk):
        steps, state = layer.stream(sequences[:, begin : begin + chunk], state)
        parts.append(steps)
    np.testing.assert_allclose(tf.concat(parts, axis=1), whole, atol=1e-5)


def test_masked_steps_touch_no_real_ones():
    layer = TimeConvolution(4)
    sequences, lengths = random(3, 20, 8, 1), [20, 11, 1]
    mask = tf.sequence_mask(lengths, 20)
    outputs, mask = layer(sequences, mask=mask), layer.compute_mask(sequences, mask)
    assert mask.numpy().sum(axis=1).tolist() == [length // 2 for length in lengths]
    other = layer(np.where(np.arange(20)[:, None, None] < 11, sequences[1:2], 9.0))
    np.testing.assert_allclose(outputs[1, :5], other[0, :5], atol=1e-6)


def test_attention_is_the_weighted_mean_of_the_equation():
    layer = AttentionPooling(half_life=3.0)
    sequences, length = random(1, 9, 4), 7
    pooled = layer(sequences, mask=tf.sequence_mask([length], 9)).numpy()
    kernel, bias = (weight.numpy().astype("float64") for weight in layer.score.weights)
    real = sequences[0, :length].astype("float64")
    weights = 1 / (1 + np.exp(-(real @ kernel[:, 0] + bias))) * 2 ** (-(length - 1 - np.arange(length)) / 3.0)
    np.testing.assert_allclose(pooled[0], weights @ real / (weights.sum() + 1e-3), atol=1e-6)


@pytest.mark.parametrize("half_life", [None, 2.5])
@pytest.mark.parametrize("chunk", [1, 4, 30])
def test_attention_over_chunks_is_that_over_the_whole(half_life, chunk):
    layer = AttentionPooling(half_life)
    sequences = random(2, 30, 4)
    whole = layer(sequences)
    state = layer.initial_state(2)
    for begin in range(0, 30, chunk):
        pooled, state = layer.stream(sequences[:, begin : begin + chunk], state)
    np.testing.assert_allclose(pooled, whole, atol=1e-5)


def test_no_steps_give_zeros():
    assert np.all(AttentionPooling()(np.zeros((2, 0, 4), "float32")).numpy() == 0)
    assert TimeConvolution(4)(np.zeros((2, 0, 8, 1), "float32")).shape == (2, 0, 4, 4)


def test_layers_come_back_from_a_file(tmp_path):
    inputs = keras.Input((None, 8, 1))
    sequence = keras.layers.Reshape((-1, 16))(TimeConvolution(4)(inputs))
    model = keras.Model(inputs, AttentionPooling(5.0)(sequence))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(random(2, 9, 8, 1)), model(random(2, 9, 8, 1)))


def test_impossible_layers_are_refused():
    with pytest.raises(ValueError, match="`strides` must not be larger than `kernel_size` in time, got"):
        TimeConvolution(4, (2, 2), (3, 1))
    with pytest.raises(ValueError, match="half_life"):
        AttentionPooling(0)
