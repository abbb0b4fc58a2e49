"""Clipping, weight averaging and learning-rate schedules."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import training
from tests.training import tiny_run


def test_gradients_are_clipped_by_their_joint_norm():
    optimizer = training.optimizer("sgd", 1.0, clip_norm=5.0)
    first, second = keras.Variable([0.0]), keras.Variable([0.0, 0.0])
    optimizer.apply([tf.constant([30.0]), tf.constant([0.0, 40.0])], [first, second])  # a norm of 50
    np.testing.assert_allclose(first, [-3.0], rtol=1e-6)
    np.testing.assert_allclose(second, [0.0, -4.0], rtol=1e-6)


def test_small_gradients_are_left_alone():
    optimizer = training.optimizer("sgd", 1.0)
    variable = keras.Variable([0.0])
    optimizer.apply([tf.constant([4.9])], [variable])
    np.testing.assert_allclose(variable, [-4.9], rtol=1e-6)


def test_layers_learn_at_their_own_rates_and_from_their_own_steps_on():
    whole, half, late = (keras.Variable([1.0]) for _ in range(3))
    rates = [training.LayerRate([half], 0.5), training.LayerRate([late], frozen_steps=2)]
    optimizer = training.optimizer("adam", 0.1, layer_rates=rates)
    for step in range(3):
        optimizer.apply([tf.constant([1.0])] * 3, [whole, half, late])  # a constant gradient: each step is the rate
        np.testing.assert_allclose([whole[0], half[0]], [0.9 - 0.1 * step, 0.95 - 0.05 * step], rtol=1e-5)
        assert float(late[0]) == (1.0 if step < 2 else pytest.approx(0.9))
    with pytest.raises(ValueError, match="need the optimizer 'adam', got 'sgd'"):
        training.optimizer("sgd", layer_rates=rates)


@pytest.mark.parametrize("name", training.OPTIMIZERS)
def test_every_optimizer_survives_serialisation(name):
    made = training.optimizer(name, 0.01, weight_decay=0.1, weight_averaging=0.9, schedule="cosine", total_steps=9)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(made))
    assert again.get_config() == made.get_config()
    assert (made.weight_decay, made.use_ema, made.ema_momentum, made.global_clipnorm) == (0.1, True, 0.9, 5.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "adma"}, "adam, adamw, rmsprop, sgd, got 'adma'"),
        ({"clip_norm": 0.0}, "clip_norm must be above 0"),
        ({"weight_averaging": 1.0}, "between 0 and 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"schedule": "linear"}, "constant, cosine, plateau, got 'linear'"),
        ({"schedule": "cosine"}, "needs total_steps"),
        ({"schedule": "cosine", "total_steps": 5, "warmup_steps": 5}, "above warmup_steps"),
        ({"warmup_steps": 5}, "needs schedule 'cosine'"),
    ],
)
def test_a_wrong_argument_is_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        training.optimizer(**arguments)


def test_the_cosine_schedule_follows_its_equation():
    peak, total, warmup = 0.02, 50, 10
    schedule = training.learning_rate_schedule("cosine", peak, total_steps=total, warmup_steps=warmup)
    for step in range(total + 5):
        if step < warmup:
            expected = peak * step / warmup
        else:
            done = min(1, (step - warmup) / (total - warmup))
            expected = peak * (1 + math.cos(math.pi * done)) / 2
        assert float(schedule(step)) == pytest.approx(expected, abs=1e-8)


def test_averaged_weights_follow_their_equation_and_leave_the_raw_ones():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(training.optimizer("sgd", 0.1, weight_averaging=0.9), loss="mse")
    x, y = np.ones((4, 1), "float32"), np.zeros((4, 1), "float32")
    raw = []
    for _ in range(4):
        model.train_on_batch(x, y)
        raw.append(model.get_weights()[0].item())
    average = raw[0]
    for step, weight in enumerate(raw[1:], start=1):
        momentum = min(0.9, step / (step + 9))
        average = momentum * average + (1 - momentum) * weight
    with training.averaged_weights(model):
        assert model.get_weights()[0].item() == pytest.approx(average, rel=1e-6)
    assert model.get_weights()[0].item() == raw[-1]  # bit for bit: a copy put back


def test_raw_weights_come_back_after_an_error():
    model = tiny_run.model()
    model.train_on_batch(*tiny_run.examples(8, seed=5))
    model.train_on_batch(*tiny_run.examples(8, seed=6))
    before = model.get_weights()
    with pytest.raises(KeyError), training.averaged_weights(model):
        raise KeyError
    for weights, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, expected)


@pytest.mark.slow
def test_averaging_changes_validation_and_not_training(tmp_path):
    runs = [
        tiny_run.fit(
            tiny_run.model(training.optimizer("rmsprop", 0.01, weight_averaging=averaging)),
            tmp_path / str(averaging), reduce_on_plateau=None, epochs=2,
        )
        for averaging in (None, 0.95)
    ]  # fmt: skip
    plain, averaged = ([row["loss"] for row in history.rows] for history in runs)
    # The two training steps are compiled apart, so the rounding may differ. That they agree also shows that validation
    # does not advance any random generator.
    assert plain == pytest.approx(averaged, rel=1e-5)
    assert runs[0].rows[0]["val_loss"] != runs[1].rows[0]["val_loss"]


def test_averaging_works_inside_a_loss_scale_optimizer():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    inner = training.optimizer("sgd", 0.1, weight_averaging=0.5)
    model.compile(keras.optimizers.LossScaleOptimizer(inner), loss="mse")
    x = np.ones((4, 1), "float32")
    model.train_on_batch(x, x)
    model.train_on_batch(x, x)
    raw = model.get_weights()
    with training.averaged_weights(model):
        assert not np.array_equal(model.get_weights()[0], raw[0])
    np.testing.assert_array_equal(model.get_weights()[0], raw[0])


@pytest.mark.parametrize("averaging", [None, 0.9])
@pytest.mark.slow
def test_compiled_updates_are_those_of_the_optimizer(averaging):
    weights = [[keras.Variable(np.ones((5, 2), "float32")), keras.Variable(np.ones(3, "float32"))] for _ in range(2)]
    optimizers = [training.optimizer(clip_norm=0.5, weight_averaging=averaging) for _ in range(2)]
    slices = tf.IndexedSlices(tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), tf.constant([1, 3, 1]), (5, 2))
    gradients = [slices, tf.constant([0.1, -0.2, 0.0])]
    for optimizer, variables in zip(optimizers, weights, strict=True):
        optimizer.build(variables)
    for _ in range(3):
        tf.function(lambda: training.apply_gradients(optimizers[0], gradients, weights[0]))()
        optimizers[1].apply([tf.convert_to_tensor(gradient) for gradient in gradients], weights[1])
    for ours, expected in zip(optimizers[0].variables + weights[0], optimizers[1].variables + weights[1], strict=True):
        np.testing.assert_allclose(ours.numpy(), expected.numpy(), rtol=1e-6)
