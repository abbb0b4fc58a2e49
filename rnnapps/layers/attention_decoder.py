"""A decoder that writes a sequence and looks back at a memory by attention: what a translator and a captioner share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from rnnapps.layers.attention import AdditiveAttention, MultiplicativeAttention
from rnnapps.layers.by_name import recurrent_layer

Tensors = tuple[tf.Tensor, ...]
# Unscaled, a product of so many units picks one step for sure before anything is learnt, and never looks again.
ATTENTIONS: dict[str, Callable[..., keras.layers.Layer]] = {
    "additive": AdditiveAttention,
    "multiplicative": partial(MultiplicativeAttention, scale=True),
}


class AttentionDecoder(keras.Model):
    """Base class of models whose output is a sequence of tokens.

    With tokens y_1 ... y_T, E their embedding, m the memory and s its summary:

        h_t = first(E y_{t-1}, h_{t-1}),  h_0 = tanh(W_0 s)
        c_t = attention(h_t, m)
        g_t = upper([h_t; c_t], g_{t-1})                     the decoder's other layers, where there are any
        o_t = tanh(W_o [g_t; c_t])
        p(y_t) = softmax(E o_t)

    The query is the first layer's state, and what it finds is read by the layers above. So nothing in a layer waits for
    the layer above it, and in training each layer runs over the whole sequence at once. A subclass calls `make_decoder`
    in its constructor, and makes memory and summary for `begin`.

    References:
        Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and translate", ICLR 2015;
        Luong, Pham and Manning, "Effective approaches to attention-based neural machine translation", EMNLP 2015;
        Wu et al., "Google's neural machine translation system", arXiv:1609.08144 (attention from the bottom layer);
        Press and Wolf, "Using the output embedding to improve language models", EACL 2017 (tied embeddings).
    """

    def make_decoder(
        self,
        embedding: keras.layers.Embedding,
        *,
        units: int,
        layers: int = 1,
        attention: str = "multiplicative",
        dropout: float = 0.0,
        **arguments: Any,
    ) -> None:
        """Makes the layers of the decoder.

        Args:
            embedding: The embedding of the tokens; the softmax uses its table too.
            units: Width of the decoder's layers, and of the attention.
            layers: Number of recurrent layers.
            attention: "multiplicative", divided by the square root of its width; "additive"; or "none", with c_t = h_0.
            dropout: Share of the values that is dropped between layers.
            **arguments: More arguments of `recurrent_layer`, its `cell` among them.
        """
        self.target_embedding = embedding
        self.decoder = [
            recurrent_layer(
                units=units, return_sequences=True, return_state=True, name=f"decoder_{number}", **arguments
            )
            for number in range(1, layers + 1)
        ]
        self.states_a_layer = len(self.decoder[0].state_size)
        self.bridge = keras.layers.Dense(units * self.states_a_layer * layers, activation="tanh", name="bridge")
        if attention not in (*ATTENTIONS, "none"):
            raise ValueError(f"`attention` must be one of {', '.join(ATTENTIONS)} or none, got {attention!r}")
        attend = ATTENTIONS.get(attention)
        self.attention = attend(units, name="attention") if attend else None
        self.combine = keras.layers.Dense(embedding.output_dim, activation="tanh", name="combine")
        self.dropout = keras.layers.Dropout(dropout)

    def begin(self, memory: tf.Tensor, mask: tf.Tensor, states: Sequence[tf.Tensor]) -> tuple[Tensors, Tensors]:
        """What the decoder starts from.

        Args:
            memory: (batch, S, features), what it looks back at.
            mask: Boolean (batch, S), the real steps of the memory.
            states: The last states of the encoder, (batch, features) each, both directions of a layer one after the
                other, those of its top layer last. The decoder's first states are made of the top layer's h.

        Returns:
            What stays the same for a sequence: the memory, its keys and its mask, or without attention the fixed vector
            (batch, units); and the states (batch, units), those of the bottom layer first.
        """
        summary = tf.concat([states[-2 * self.states_a_layer], states[-self.states_a_layer]], axis=-1)
        start = tuple(tf.split(self.bridge(summary), len(self.decoder) * self.states_a_layer, axis=-1))
        constants = (memory, self.attention.keys(memory), mask) if self.attention else (start[0],)
        return constants, start

    def decode(self, target: tf.Tensor, constants: Tensors, states: Tensors, training: bool = False) -> tf.Tensor:
        """What the softmax reads at each step, (batch, T, embedding_units), when `target` (batch, T) is given."""

        def run(layer: keras.layers.Layer, steps: tf.Tensor, own: list[tf.Tensor]) -> Any:
            return layer(steps, initial_state=own, training=training)

        steps = self.dropout(embed(self.target_embedding, target), training=training)
        return self._decode(steps, constants, states, run, training)[0]

    def step(self, ids: tf.Tensor, states: Tensors, constants: Tensors) -> tuple[tf.Tensor, Tensors]:
        """One step of the decoder, as `rnnapps.decoding` wants it: logits (rows, width, tokens), and new states."""

        def run(layer: keras.layers.Layer, steps: tf.Tensor, own: list[tf.Tensor]) -> Any:
            outputs, own = layer.cell(steps, own)
            return outputs, *own

        outputs, states = self._decode(embed(self.target_embedding, ids), constants, states, run)
        return self.logits(outputs), states

    def attended(self, target: tf.Tensor, constants: Tensors, states: Tensors) -> tf.Tensor:
        """The weights of the attention, (batch, T, S), when `target` (batch, T), which begins with START, is given."""
        first = self.decoder[0]
        steps, *_ = first(embed(self.target_embedding, target), initial_state=list(states[: self.states_a_layer]))
        return self._look(steps, constants)[1]

    def logits(self, outputs: tf.Tensor) -> tf.Tensor:
        """float32 (batch, T, tokens) from what the softmax reads."""
        table = tf.cast(self.target_embedding.embeddings, outputs.dtype)
        return tf.cast(tf.einsum("bte,ve->btv", outputs, table), tf.float32)

    def _decode(
        self, steps: tf.Tensor, constants: Tensors, states: Tensors, run: Callable[..., Any], training: bool = False
    ) -> tuple[tf.Tensor, Tensors]:
        """The equations of the class; `run` is one step or all steps of a layer."""
        new_states = []
        for number, layer in enumerate(self.decoder):
            own = states[number * self.states_a_layer : (number + 1) * self.states_a_layer]
            steps, *own = run(layer, steps, list(own))
            new_states += own
            if number == 0:
                context, _ = self._look(steps, constants)
            if number < len(self.decoder) - 1:
                above = tf.concat([steps, context], -1) if number == 0 else steps
                steps = self.dropout(above, training=training)
        seen = self.dropout(tf.concat([steps, context], -1), training=training)
        return self.dropout(self.combine(seen), training=training), tuple(new_states)

    def _look(self, query: tf.Tensor, constants: Tensors) -> tuple[tf.Tensor, tf.Tensor | None]:
        """What the decoder sees of the memory at each step, and the weights of the attention if there is one."""
        if self.attention:
            memory, keys, mask = constants
            return self.attention(query, memory, mask=mask, keys=keys)
        (fixed,) = constants
        return tf.broadcast_to(fixed[:, None], tf.shape(query)), None


def token_embedding(tokens: int, units: int, name: str) -> keras.layers.Embedding:
    """An embedding whose table suits the softmax that is tied to it; see `embed`."""
    return keras.layers.Embedding(
        tokens, units, embeddings_initializer=keras.initializers.RandomNormal(stddev=units**-0.5), name=name
    )


def embed(embedding: keras.layers.Embedding, ids: tf.Tensor) -> tf.Tensor:
    """Embeddings of about unit variance from a table whose rows suit the softmax that is tied to it."""
    return embedding(ids) * embedding.output_dim**0.5
