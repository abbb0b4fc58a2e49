"""The optimizer of a run, and the averaged weights that it may keep."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from rnnapps.training.schedule import learning_rate_schedule

_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}
OPTIMIZERS = tuple(_OPTIMIZERS)


class LayerRate(NamedTuple):
    """How quickly some weights learn, relative to those that are not named.

    Attributes:
        weights: The weights.
        rate: Their learning rate, relative to that of the optimizer.
        frozen_steps: Training steps before they begin to learn.
    """

    weights: Sequence[keras.Variable]
    rate: float = 1.0
    frozen_steps: int = 0


@keras.saving.register_keras_serializable("rnnapps")
class LayerwiseAdam(keras.optimizers.Adam):
    """Adam with a learning rate for each layer. The rates belong to a training run, so a saved model has none.

    Reference:
        Howard and Ruder, Universal language model fine-tuning for text classification, ACL 2018 (discriminative rates,
        gradual unfreezing).
    """

    layer_rates: Sequence[LayerRate] = ()

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        for layer in self.layer_rates:
            if any(variable is part for weight in layer.weights for part in _parts(weight)):
                learns = tf.cast(self.iterations >= layer.frozen_steps, learning_rate.dtype)
                learning_rate = learning_rate * layer.rate * learns
        super().update_step(gradient, variable, learning_rate)


def _parts(weight: keras.Variable) -> Sequence[tf.Variable]:
    """TensorFlow's variables behind one of Keras's: one for each replica of this process."""
    value = weight.value
    return value.values if isinstance(value, tf.distribute.DistributedValues) else [value]


def optimizer(
    name: str = "adam",
    learning_rate: float = 1e-3,
    *,
    schedule: str = "constant",
    total_steps: int | None = None,
    warmup_steps: int = 0,
    clip_norm: float | None = 5.0,
    weight_decay: float | None = None,
    weight_averaging: float | None = None,
    layer_rates: Sequence[LayerRate] = (),
) -> keras.optimizers.Optimizer:
    """Makes a Keras optimizer with what recurrent networks need.

    Args:
        name: `"adam"`, `"adamw"`, `"rmsprop"` or `"sgd"`.
        learning_rate: The highest learning rate of the schedule.
        schedule, total_steps, warmup_steps: See `learning_rate_schedule`.
        clip_norm: Gradients are scaled down together when the norm of all of them exceeds this. Backpropagation through
            time makes rare, huge gradients; 5 cuts those and leaves the ordinary ones alone. None: no clipping. Under a
            distribution strategy, each replica's share of the gradient is clipped to its share of the norm.
        weight_decay: Share of each weight removed per step, times the learning rate. None: the optimizer's own
            default.
        weight_averaging: Momentum of an exponential moving average of the weights, for example 0.999: the average is
            what `fit` validates and saves, while training goes on with the raw weights. After n steps the momentum is
            at most n / (n + 9), so that the first weights are soon forgotten. None: no averaging.
        layer_rates: For Adam: weights that learn at another rate, or begin later.

    Returns:
        The optimizer, not built.

    Raises:
        ValueError: An unknown name or a value out of range.

    Example:
        >>> optimizer("adam", 2e-3, clip_norm=1.0).global_clipnorm
        1.0

    Reference: clipping by global norm: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural
    networks" (2013), section 3.2. Averaging: Polyak and Juditsky (1992).
    """
    if name not in _OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {name!r}")
    if clip_norm is not None and not clip_norm > 0:
        raise ValueError(f"clip_norm must be above 0, or None for no clipping, got {clip_norm}")
    if weight_averaging is not None and not 0 < weight_averaging < 1:
        raise ValueError(f"weight_averaging must be between 0 and 1, or None for none, got {weight_averaging}")
    arguments: dict[str, Any] = {
        "learning_rate": learning_rate_schedule(
            schedule, learning_rate, total_steps=total_steps, warmup_steps=warmup_steps
        ),
    }
    if clip_norm is not None:
        # Keras clips the gradient of each replica, which is its share of the sum, before it adds them up.
        arguments["global_clipnorm"] = clip_norm / tf.distribute.get_strategy().num_replicas_in_sync
    if weight_decay is not None:
        arguments["weight_decay"] = weight_decay
    if weight_averaging is not None:
        arguments |= {"use_ema": True, "ema_momentum": weight_averaging}
    if layer_rates and name != "adam":
        raise ValueError(f"layer_rates need the optimizer 'adam', got {name!r}")
    made = LayerwiseAdam(**arguments) if layer_rates else _OPTIMIZERS[name](**arguments)
    # Neither through Keras's tracking: the weights are the model's, and both belong to a training run.
    if layer_rates:
        made.__dict__["layer_rates"] = tuple(layer_rates)
    if weight_averaging is not None:
        made.__dict__["_update_model_variables_moving_average"] = functools.partial(_update_averages, made)
    return made


def _update_averages(optimizer: keras.optimizers.Optimizer, weights: Sequence[keras.Variable]) -> None:
    """What Keras does after each step, with a momentum that rises as in `tf.train.ExponentialMovingAverage`."""
    done = tf.cast(optimizer.iterations, tf.float32)
    momentum = tf.minimum(optimizer.ema_momentum, done / (done + 9))
    for weight, average in zip(weights, optimizer._model_variables_moving_average, strict=True):
        if average is not None:
            share = tf.cast(momentum, weight.dtype)
            average.assign(share * average + (1 - share) * weight)


def apply_gradients(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor | tf.IndexedSlices],
    weights: Sequence[keras.Variable],
) -> None:
    """Updates the weights once, compiled by XLA as one function; for a `train_step` that is not compiled itself.

    Adam is a dozen element-wise ops, each of which reads and writes a whole embedding table; compiled they are one
    pass, which halves the time of an update of some million weights. Gradients of embeddings are made dense first, so
    that clipping sees the norm of the gradient and not that of its unsummed parts.

    Args:
        optimizer: A built Keras optimizer.
        gradients: One gradient for each weight.
        weights: The variables that the optimizer was built for.
    """
    if tf.distribute.has_strategy():  # replicas must meet inside `apply`, which XLA would not let them
        total = tf.distribute.get_strategy().num_replicas_in_sync  # `apply` adds the gradients of the replicas up
        optimizer.apply([tf.convert_to_tensor(gradient) / total for gradient in gradients], list(weights))
        return
    update = tf.function(lambda *dense: optimizer.apply(list(dense), list(weights)), jit_compile=True, autograph=False)
    update(*(tf.convert_to_tensor(gradient) for gradient in gradients))


def measured(model: keras.Model, loss: tf.Tensor, weight: tf.Tensor) -> dict[str, Any]:
    """Adds the loss of a batch to the mean of the epoch, for a `train_step` or `test_step`; returns all metrics.

    Args:
        model: The model, which is compiled.
        loss: The mean over the batch.
        weight: How many it is the mean of, such as tokens.
    """
    (metric,) = (metric for metric in model.metrics if metric.name == "loss")
    metric.update_state(loss, sample_weight=weight)
    return model.get_metrics_result()


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Gives `model` the averaged weights inside the block, if its optimizer keeps them, and then the raw ones back.

    `keras.callbacks.SwapEMAWeights` swaps by adding and subtracting, which rounds, so that training would go on from
    weights that are slightly off; here they are restored bit for bit. And `model.fit` overwrites the raw weights with
    the average whenever it returns.
    """
    inner = _inner(model.optimizer)
    if not (inner.use_ema and inner.built and keras.ops.convert_to_numpy(inner.iterations) > 0):
        yield
        return
    # Keras gives no public access to the averages; its own SwapEMAWeights reads these attributes too.
    pairs = zip(inner._trainable_variables, inner._model_variables_moving_average, strict=True)
    averages = [(weight, average) for weight, average in pairs if average is not None]
    raw = [keras.ops.convert_to_numpy(weight) for weight, _ in averages]
    try:
        for weight, average in averages:
            weight.assign(keras.ops.convert_to_numpy(average))
        yield
    finally:
        for (weight, _), value in zip(averages, raw, strict=True):
            weight.assign(value)


def has_schedule(of: keras.optimizers.Optimizer) -> bool:
    """True if the learning rate of the optimizer follows a schedule, so that it cannot be set."""
    return isinstance(_inner(of).get_config()["learning_rate"], Mapping)


def _inner(of: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    return getattr(of, "inner_optimizer", of)  # a LossScaleOptimizer wraps the real one
