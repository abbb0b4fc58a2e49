"""Our layers against Keras's on a GPU, where both take cuDNN: `pytest -n 0 -rs -m gpu tests/recurrences`."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import layers
from rnnapps.recurrences import use_engine

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="TensorFlow sees no GPU"),
]

BATCH, STEPS, FEATURES, UNITS = 8, 33, 16, 32
# A GPU multiplies float32 with 10 bits by default; the second is for float16, the third for bfloat16.
TOLERANCES = {"float32": 5e-3, "mixed_float16": 2e-2, "mixed_bfloat16": 1e-1}
MASKS = {
    "none": None,
    "right padded": np.arange(STEPS) < np.arange(3, STEPS, 4)[:BATCH, None],
    "with holes": np.random.default_rng(1).random((BATCH, STEPS)) > 0.3,
    "rows without a step": np.arange(STEPS) < np.arange(0, 4 * BATCH, 4)[:, None],
}


def passes(layer, x, mask):
    """The outputs, the last states, and the gradients of the inputs and the weights."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs, *states = layer(x, mask=mask, training=True)
        loss = tf.reduce_mean(tf.cast(outputs, tf.float32) ** 2)
        loss += sum(tf.reduce_mean(tf.cast(state, tf.float32) ** 2) for state in states)
    gradients = tape.gradient(loss, [x, *(variable.value for variable in layer.trainable_variables)])
    return [tf.cast(one, tf.float32) for one in (outputs, *states, *gradients)]


def pair(name: str, dtype: str = "float32", bidirectional: bool = False, **options):
    def make(library):
        layer = getattr(library, name)(UNITS, return_sequences=True, return_state=True, dtype=dtype, **options)
        return library.Bidirectional(layer) if bidirectional else layer

    theirs, ours = make(keras.layers), make(layers)
    for layer in (theirs, ours):
        layer.build((BATCH, STEPS, FEATURES))
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def draw() -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).normal(size=(BATCH, STEPS, FEATURES)), tf.float32)


def assert_near(ours, theirs, tolerance):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("in_function", (False, True))
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("bidirectional", (False, True))
@pytest.mark.parametrize("name", ("GRU", "LSTM"))
def test_values_and_gradients_are_those_of_keras(name, bidirectional, dtype, in_function):
    theirs, ours = pair(name, dtype, bidirectional)
    assert ours.engine.startswith("cudnn")
    run = tf.function(passes, autograph=False) if in_function else passes
    assert_near(run(ours, draw(), None), passes(theirs, draw(), None), TOLERANCES[dtype])


@pytest.mark.parametrize("in_function", (False, True))
@pytest.mark.parametrize("go_backwards", (False, True))
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", ("GRU", "LSTM"))
def test_masks_give_what_the_loop_of_keras_gives(name, mask, go_backwards, in_function):
    theirs, ours = pair(name, use_cudnn=False, go_backwards=go_backwards)
    ours.use_cudnn = "auto"
    mask = None if MASKS[mask] is None else tf.constant(MASKS[mask])
    run = tf.function(passes, autograph=False) if in_function else passes
    assert_near(run(ours, draw(), mask), passes(theirs, draw(), mask), TOLERANCES["float32"])


@pytest.mark.parametrize("mask", ("none", "right padded"))
@pytest.mark.parametrize("options", ({"truncate": 8}, {"checkpoint_every": 8}))
@pytest.mark.parametrize("name", ("GRU", "LSTM"))
def test_segments_give_what_the_graph_engine_gives(name, options, mask):
    _, ours = pair(name)
    layer = type(ours).from_config({**ours.get_config(), **options})
    layer.build((BATCH, STEPS, FEATURES))
    layer.set_weights(ours.get_weights())
    mask = None if MASKS[mask] is None else tf.constant(MASKS[mask])
    results = passes(layer, draw(), mask)
    with use_engine("graph"):
        assert_near(results, passes(layer, draw(), mask), TOLERANCES["float32"])


@pytest.mark.parametrize(
    "name, options",
    (
        ("SimpleRNN", {}),
        ("GRU", {"reset_after": False}),
        ("LSTM", {"use_bias": False}),
        ("LSTM", {"gradient_clip": 1e6}),
    ),
)
def test_what_cudnn_does_not_serve_runs_under_xla(name, options):
    theirs, _ = pair(name, **{key: value for key, value in options.items() if key != "gradient_clip"})
    ours = getattr(layers, name)(UNITS, return_sequences=True, return_state=True, **options)
    ours.build((BATCH, STEPS, FEATURES))
    ours.set_weights(theirs.get_weights())
    assert ours.engine.startswith("graph: under XLA")
    assert_near(passes(ours, draw(), None), passes(theirs, draw(), None), TOLERANCES["float32"])


@pytest.mark.parametrize("name", ("GRU", "LSTM"))
def test_a_model_trains_predicts_and_exports(name, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((None, FEATURES)),
            keras.layers.Masking(),
            layers.Bidirectional(getattr(layers, name)(UNITS, return_sequences=True, recurrent_dropout=0.1)),
            getattr(layers, name)(UNITS),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    x = draw().numpy() * MASKS["right padded"][:, :, None]
    losses = model.fit(x, x[:, 0, :1], epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported")).serve(tf.constant(x))
    np.testing.assert_allclose(served, model.predict(x, verbose=0), atol=5e-3)
