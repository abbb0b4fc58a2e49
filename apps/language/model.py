"""The language model of texts: a token model that learns from streams, with the dropouts and penalties of AWD-LSTM."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.language.carried_states import CarriedStates
from rnnapps.apps.language.cli import Options
from rnnapps.apps.language.tokens import END, NEWLINE, PAD, Tokens
from rnnapps.apps.language.weight_drop import dropped_weights
from rnnapps.layers.token_model import TokenModel
from rnnapps.options import as_json, from_keywords
from rnnapps.training import apply_gradients, measured

SAMPLED_ABOVE = 20_000  # larger vocabularies are trained with a sampled softmax
_SAMPLES = 2048


@keras.saving.register_keras_serializable("rnnapps")
class LanguageModel(TokenModel):
    """Reads a text and says after each token how probable each next one is, see `TokenModel`.

    Args:
        vocabulary: What `rnnapps.apps.language.tokens.learn` returned.
        name, trainable, dtype: As for every Keras model.
        **options: See `rnnapps.apps.language.cli.Options`.

    Call arguments:
        inputs: Tokens, int `(batch, time)`; or these and `reset`, bool `(batch,)`: then the states carry over from the
            previous call, except where `reset` is true, see `carry`.

    Output:
        Logits, float32 `(batch, time, tokens)`.

    References:
        Gal and Ghahramani, A theoretically grounded application of dropout in recurrent neural networks, NIPS 2016
        (the same dropout mask at all steps, words dropped by type); Merity et al., Regularizing and optimizing LSTM
        language models, ICLR 2018 (weight drop, penalties); Jean et al., On using very large target vocabulary, ACL
        2015 (sampled softmax).
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        chosen = from_keywords(Options, options, type(self).__name__)
        tokens = Tokens(chosen.level, vocabulary, chosen.normalised)
        super().__init__(
            tokens.size,
            embedding_units=chosen.embedding_units,
            tied=chosen.tied,
            layers=chosen.layers,
            **chosen.layer_arguments(),
            name=name,
            trainable=trainable,
            dtype=dtype,
        )
        self.options, self.tokens = chosen, tokens
        self.seed_generator = keras.random.SeedGenerator()
        self.carried: CarriedStates | None = None

    def carry(self, streams: int) -> None:
        """Allocates the states of up to this many streams, for calls with `reset`; call it before `build`."""
        self.carried = CarriedStates(streams, [self.options.units] * len(self.state_names))

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        return self.logits(self._read_on(inputs, training)[0])

    def embed(self, tokens: tf.Tensor, training: bool = False) -> tf.Tensor:
        # The end of a document is read as a line break: a single document teaches nothing about how documents begin.
        tokens = tf.where(tokens == END, NEWLINE, tokens)
        embedded = super().embed(tokens)
        if training and self.options.word_dropout:
            kept = tf.ones([self.tokens.size, 1], embedded.dtype)
            kept = keras.random.dropout(kept, self.options.word_dropout, seed=self.seed_generator)
            embedded *= tf.gather(kept, tokens)
        return embedded

    def _read_on(self, inputs: Any, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Outputs of the last layer under this batch's dropout mask, and without it."""
        tokens, reset = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        if reset is None:
            states = self.initial_states(tf.shape(tokens)[0])
        elif self.carried is not None:
            states = [tf.cast(state, self.compute_dtype) for state in self.carried.after_reset(reset)]
        else:
            raise ValueError("calls with `reset` need variables for the states: call carry(streams) before build()")
        with contextlib.ExitStack() as dropped:
            if training and self.options.weight_drop:
                for layer in self.recurrent:
                    dropped.enter_context(dropped_weights(layer.cell, self.options.weight_drop, self.seed_generator))
            outputs, states = self.read(tokens, states, training=training)
        if reset is not None and self.carried is not None:
            self.carried.keep(states)
        masked = outputs
        if training and self.options.dropout:
            kept = tf.ones([tf.shape(outputs)[0], 1, self.options.units], outputs.dtype)
            masked *= keras.random.dropout(kept, self.options.dropout, seed=self.seed_generator)
        return masked, outputs

    def train_step(self, data: Any) -> dict[str, Any]:
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            masked, outputs = self._read_on(inputs, training=True)
            cross_entropy = self.cross_entropy(masked, targets, sampled=self.tokens.size > SAMPLED_ABOVE)
            loss = self.optimizer.scale_loss(cross_entropy + self._penalties(masked, outputs) + sum(self.losses))
        weights = self.trainable_weights
        apply_gradients(self.optimizer, tape.gradient(loss, weights), weights)
        return measured(self, cross_entropy, tf.math.count_nonzero(targets))

    def test_step(self, data: Any) -> dict[str, Any]:
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        cross_entropy = self.cross_entropy(self._read_on(inputs)[0], targets)
        return measured(self, cross_entropy, tf.math.count_nonzero(targets))

    def cross_entropy(self, outputs: tf.Tensor, targets: tf.Tensor, sampled: bool = False) -> tf.Tensor:
        """Mean nats per token; targets that are `PAD` do not count.

        Args:
            outputs: Of the last layer, `(batch, time, units)`.
            targets: Int `(batch, time)`.
            sampled: Whether to estimate it from a sample of the vocabulary, for training.
        """
        real = tf.cast(targets != PAD, tf.float32)
        if sampled:
            table, bias = self.softmax_weights()
            outputs = outputs if self.to_embedding is None else self.to_embedding(outputs)
            flat = tf.cast(tf.reshape(outputs, [-1, outputs.shape[-1]]), tf.float32)
            labels = tf.reshape(targets, [-1, 1])
            losses = tf.nn.sampled_softmax_loss(
                tf.cast(table, tf.float32), bias, labels, flat, _SAMPLES, self.tokens.size
            )
            losses = tf.reshape(losses, tf.shape(targets))
        else:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, self.logits(outputs))
        return tf.reduce_sum(losses * real) / tf.maximum(tf.reduce_sum(real), 1.0)

    def _penalties(self, masked: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        penalty = tf.constant(0.0)
        if self.options.activation_penalty:
            penalty += self.options.activation_penalty * tf.reduce_mean(tf.square(tf.cast(masked, tf.float32)))
        if self.options.slowness_penalty:
            change = tf.cast(outputs[:, 1:] - outputs[:, :-1], tf.float32)
            penalty += self.options.slowness_penalty * tf.reduce_mean(tf.square(change))
        return penalty

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary": list(self.tokens.vocabulary), **as_json(self.options)}
