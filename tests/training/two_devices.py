"""Models with a `train_step` of their own on two devices and on one: the same weights; see `test_strategies.py`."""

import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

from rnnapps import training
from rnnapps.apps.language.model import LanguageModel
from rnnapps.apps.language.streams import Streams
from rnnapps.apps.sentiment.model import SentimentClassifier
from rnnapps.training.distributed import shares


def sentiment():
    """A frozen embedding: rates by layer reach the parts of a weight."""
    training.set_seed(0)
    options = {"units": 3, "layers": 1, "dropout": 0.0, "word_dropout": 0.0}
    model = SentimentClassifier(["good", "bad"], ["0", "1"], ngram_bins=64, **options)
    model.build((None, None))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rates = [training.LayerRate(model.embedding.weights, frozen_steps=100)]
    model.compile(training.optimizer("adam", 0.05, layer_rates=rates), loss=loss, metrics=["accuracy"])
    tokens = np.array([[2, 3, 0], [3, 2, 1], [2, 2, 2], [3, 3, 0]], "int32")
    return model, (tokens, np.array([0, 1, 0, 1]))


def language():
    """Carried states: those of the streams that a replica reads."""
    training.set_seed(0)
    model = LanguageModel(list("ab"), units=3, layers=2, embedding_units=3, dropout=0.0)
    model.carry(4)
    model.build()
    model.compile(training.optimizer("adam", 0.05))
    ids = np.random.default_rng(0).integers(3, model.tokens.size, 200)
    return model, Streams(ids, 4, 5, seed=0)


def clipped():
    """Large gradients, the same on both devices, and averaged weights."""
    training.set_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(training.optimizer("sgd", 1.0, clip_norm=0.01, weight_averaging=0.5), loss="mse")
    inputs = np.full((4, 3), 100.0, np.float32)
    return model, (inputs, np.zeros((4, 2), np.float32))


def trained(make, strategy, folder):
    with strategy.scope():
        model, data = make()
    before = model.get_weights()
    history = training.fit(model, data, run_dir=folder, epochs=3, monitor="loss", patience=None, progress=False)
    return model, before, [row["loss"] for row in history.rows]


def compare(make, folder):
    model, before, losses = trained(make, MIRRORED, folder / "two")
    alone, same, expected = trained(make, tf.distribute.get_strategy(), folder / "one")
    np.testing.assert_allclose(losses, expected, atol=1e-5)
    for one, other in zip(before, same, strict=True):
        np.testing.assert_array_equal(one, other)
    for weight, wanted in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(weight, wanted, atol=1e-5)
    return model, before


def rows_are_shared_out():
    with MIRRORED.scope():
        model = keras.Sequential([keras.layers.Dense(1)])
    numbers, tens = shares(model, (tf.range(5), tf.range(5) * 10))
    assert [list(part) for part in numbers.values] == [[0, 1], [2, 3, 4]]
    assert [list(part) for part in tens.values] == [[0, 10], [20, 30, 40]]
    assert [list(part) for part in shares(model, tf.constant([7])).values] == [[7], [7]]


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    MIRRORED = training.strategy("mirrored")
    assert MIRRORED.num_replicas_in_sync == 2
    rows_are_shared_out()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        classifier, start = compare(sentiment, folder / "sentiment")
        np.testing.assert_array_equal(classifier.embedding.get_weights()[0], start[0])
        compare(language, folder / "language")
        model, start = compare(clipped, folder / "clipped")
        change = [weight - origin for weight, origin in zip(model.get_weights(), start, strict=True)]
        assert np.linalg.norm(np.concatenate([part.ravel() for part in change])) <= 3 * 0.01 + 1e-6  # three steps
