"""Uses of Keras's layers that a comparison of signatures does not show."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import layers
from rnnapps.recurrences import use_engine


@keras.saving.register_keras_serializable("tests")
class Doubled(layers.LSTM):
    def inner_loop(self, sequences, initial_state, mask, training=False):
        return super().inner_loop(sequences * 2, initial_state, mask, training)


@keras.saving.register_keras_serializable("tests")
class KerasDoubled(keras.layers.LSTM):
    def inner_loop(self, sequences, initial_state, mask, training=False):
        return super().inner_loop(sequences * 2, initial_state, mask, training)


def test_a_subclass_may_override_the_inner_loop_with_the_arguments_of_keras():
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype("float32")
    ours = layers.Bidirectional(Doubled(4, return_sequences=True))
    theirs = keras.layers.Bidirectional(KerasDoubled(4, return_sequences=True))
    ours(x), theirs(x)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-6)


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_a_global_seed_gives_the_weights_of_keras(name):
    weights = []
    for library in (keras.layers, layers):
        keras.utils.set_random_seed(0)
        layer = getattr(library, name)(2)
        layer.build((None, 1, 3))
        weights.append([*layer.get_weights(), keras.random.uniform((2,))])
    for theirs, ours in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("stateful", [False, True])
def test_resetting_states_that_a_layer_does_not_have_does_nothing(stateful):
    layers.LSTM(2, stateful=stateful).reset_state()
    layers.Recurrent(layers.GRUCell(2), stateful=stateful).reset_states()
    layers.Stacked([layers.GRU(2, stateful=stateful)]).reset_states()
    if stateful:
        layers.Bidirectional(layers.GRU(2, stateful=True)).reset_states()


@pytest.mark.parametrize("engine", ["native", "graph"])
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}, {"truncate": 2}])
def test_the_gradient_of_gathered_outputs_is_that_of_keras(engine, options):
    x = tf.random.stateless_normal((4, 5, 3), (0, 0))
    ours = layers.LSTM(4, **options)
    theirs = keras.layers.LSTM(4, return_sequences="return_sequences" in options)

    def gradient(layer):
        @tf.function
        def run():
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(tf.square(tf.gather(layer(x), [0, 0, 2])))
            return tape.gradient(loss, x)

        return run()

    with use_engine(engine):
        ours.build(x.shape)
        theirs.build(x.shape)
        theirs.set_weights(ours.get_weights())
        if "truncate" in options:
            assert np.any(gradient(ours))
        else:
            np.testing.assert_allclose(gradient(ours), gradient(theirs), atol=1e-5)


@pytest.mark.parametrize("engine", ["native", "graph", "keras"])
def test_sequences_and_masks_that_do_not_fit_are_refused_before_any_loop(engine):
    layer = layers.GRU(4, name="reader", engine="keras" if engine == "keras" else "auto")
    layer.build((None, None, 3))
    with use_engine("graph" if engine == "keras" else engine):
        with pytest.raises(ValueError, match=r"GRU 'reader' was built for .* 3 features, got .*\(2, 5, 2\)"):
            layer(np.zeros((2, 5, 2), "float32"))
        for mask in (np.ones((2, 4), bool), np.ones((3, 5), bool)):
            with pytest.raises(ValueError, match=r"mask of GRU 'reader' must have the shape .*\(2, 5\), got"):
                layer(np.zeros((2, 5, 3), "float32"), mask=mask)
