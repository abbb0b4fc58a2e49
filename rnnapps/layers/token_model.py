"""The network of a language model: embedding -> recurrent layers -> logits of the next token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnapps.cells import state_names
from rnnapps.layers.by_name import recurrent_layers

Tensors = Sequence[tf.Tensor]


class TokenModel(keras.Model):
    """Reads tokens and predicts the next one after each. A subclass says what a token is.

        x_t = E w_t                                   the embedding of the token
        h_t = the recurrent layers' output, s_t their states
        p(w_{t+1} | w_1 ... w_t) = softmax(E P h_t + b)   with tied embeddings, else softmax(V h_t + b)

    P projects the outputs to the width of the embeddings; there is none where both have the same width.

    Args:
        size: Number of tokens.
        embedding_units: Width of a token's embedding.
        tied: Whether the embeddings are the weights of the softmax too.
        layers: Number of recurrent layers.
        cell: Their cell: "rnn", "gru" or "lstm".
        units: Their width.
        name, trainable, dtype: As for every Keras model.
        **arguments: More arguments of every recurrent layer, see `rnnapps.layers.recurrent_layer`.

    Call arguments:
        inputs: Tokens, int `(batch, time)`.

    Output:
        Logits, float32 `(batch, time, size)`.

    Reference:
        Press and Wolf, Using the output embedding to improve language models, EACL 2017 (tied embeddings).
    """

    def __init__(
        self,
        size: int,
        *,
        embedding_units: int,
        tied: bool,
        layers: int,
        cell: str,
        units: int,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        **arguments: Any,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.size, self.units, self.tied = size, units, tied
        self.state_names = state_names(cell, layers)
        # The layers read unit variance; tied embeddings begin smaller, as the softmax needs, and are scaled when read.
        self.scale = embedding_units**0.5 if tied else 1.0
        start = keras.initializers.RandomNormal(stddev=1 / self.scale)
        self.embedding = keras.layers.Embedding(size, embedding_units, embeddings_initializer=start, name="embedding")
        self.recurrent = recurrent_layers(layers, cell=cell, units=units, return_state=True, **arguments)
        self.to_embedding = None
        if tied and units != embedding_units:
            self.to_embedding = keras.layers.Dense(embedding_units, use_bias=False, name="to_embedding")
        self.states_a_layer = len(state_names(cell, 1))

    def build(self, input_shape: Any = None) -> None:
        shape = (self.size, self.units)
        if not self.tied:
            self.output_weights = self.add_weight(shape=shape, initializer="glorot_uniform", name="output_weights")
        self.output_bias = self.add_weight(shape=shape[:1], initializer="zeros", name="output_bias")
        self.call(tf.zeros((1, 2), tf.int32))
        self.built = True

    def initial_states(self, batch: int | tf.Tensor) -> list[tf.Tensor]:
        """Zeros `(batch, units)` for each state."""
        return [tf.zeros([batch, self.units], self.compute_dtype) for _ in self.state_names]

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        return self.logits(self.read(inputs, self.initial_states(tf.shape(inputs)[0]), training=training)[0])

    def read(
        self, tokens: tf.Tensor, states: Tensors, mask: tf.Tensor | None = None, training: bool = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Outputs of the last layer `(batch, time, units)` and the states after the last token.

        Args:
            tokens: Int `(batch, time)`.
            states: The states before, see `initial_states`.
            mask: Bool `(batch, time)`: a token where it is false changes no state.
            training: Whether dropout is on.
        """

        def run(layer: keras.layers.Layer, steps: tf.Tensor, own: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
            steps, *own = layer(steps, initial_state=own, mask=mask, training=training)
            return steps, own

        return self._through(run, self.embed(tokens, training), states)

    def step(self, tokens: tf.Tensor, states: Tensors) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One token `(batch,)`: outputs `(batch, units)` and the states after it."""

        def run(layer: keras.layers.Layer, step: tf.Tensor, own: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
            return layer.cell(step, own)

        return self._through(run, self.embed(tokens), states)

    def _through(
        self, run: Callable[..., tuple[tf.Tensor, list[tf.Tensor]]], steps: tf.Tensor, states: Tensors
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        new: list[tf.Tensor] = []
        for layer in self.recurrent:
            steps, own = run(layer, steps, list(states[len(new) : len(new) + self.states_a_layer]))
            new += own
        return steps, new

    def embed(self, tokens: tf.Tensor, training: bool = False) -> tf.Tensor:
        """What the first layer reads of tokens, `(..., embedding_units)`."""
        embedded = self.embedding(tokens)
        return embedded * self.scale if self.tied else embedded

    def logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """Float32 `(..., size)` of outputs `(..., units)`."""
        table, bias = self.softmax_weights()
        outputs = outputs if self.to_embedding is None else self.to_embedding(outputs)
        flat = tf.reshape(outputs, [-1, outputs.shape[-1]])
        logits = tf.cast(tf.matmul(flat, tf.cast(table, flat.dtype), transpose_b=True), tf.float32) + bias
        return tf.reshape(logits, tf.concat([tf.shape(outputs)[:-1], [self.size]], 0))

    def softmax_weights(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The rows that outputs are multiplied with, one a token, and the bias, float32 `(size,)`."""
        table = self.embedding.embeddings if self.tied else self.output_weights
        return tf.convert_to_tensor(table), tf.cast(self.output_bias, tf.float32)
