"""The transcriber: log-mel frames, convolutions, recurrent layers, and at each step a token or the blank.

Tokens are subwords or characters; both are pieces of text that are joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.transcription.cli import Options
from rnnapps.apps.transcription.pyramid import join_mask, join_steps, join_stream
from rnnapps.audio import FrontEnd
from rnnapps.layers import Stacked, recurrent_layers, stream_recurrent, stream_states
from rnnapps.options import as_json, from_keywords
from rnnapps.text import Characters, SubwordPieces, Subwords
from rnnapps.training import Batches, apply_gradients, ctc_loss, measured, take_weights

# The options that decide which weights there are and what they mean.
SHAPING = (
    *("cell", "units", "layers", "causal", "convolutions", "bands", "window_seconds", "hop_seconds", "reduction"),
    *("tokens", "join", "spelling"),
)
Masked = tuple[tf.Tensor, tf.Tensor]  # logits (batch, time, classes), and their mask (batch, time)


@keras.saving.register_keras_serializable("rnnapps")
class Transcriber(keras.Model):
    """Listens to a recording and says at each step how probable each token is, a subword or a character.

        x = front_end(waveform)                      log-mel frames and convolutions
        g = first recurrent layer(x)                 in both directions, or forward only
        q_s = softmax(V g_s + c)                     p(character or blank at step s)
        h = other recurrent layers(neighbouring [g_s, q_s] side by side)     a step every `step_seconds`
        p(token or blank at step t) = softmax(W h_t + b)

    The first layer learns to spell: in training it has its own loss over characters. The layers above it, which read
    whole words, learn much sooner from sounds that are already told apart, and they also see its spelling.

    The texts are then found by `rnnapps.decoding`: repeats are joined and blanks dropped. Nothing in a causal model
    looks ahead, so it can be fed chunk by chunk and gives the same as for the whole recording. The padding of a batch
    never changes an answer.

    Args:
        alphabet: The characters, including the space; None if tokens are subwords. The blank comes after the last.
        subwords: `rnnapps.text.Subwords.to_text()` of the vocabulary; None if tokens are characters.
        normalisation: How the training texts were written, see `rnnapps.datasets.normalisation.Normalisation`.
        sample_rate: Samples per second of the waveforms, in Hz.
        name, trainable, dtype: As for every Keras model.
        **options: See `rnnapps.apps.transcription.cli.Options`.

    Call arguments:
        inputs: Waveform float (batch, samples), and lengths int (batch,), the number of real samples of each; or the
            waveform alone.

    Output:
        Logits, float32 (batch, time, tokens + 1).

    References:
        Graves and Jaitly, "Towards end-to-end speech recognition with recurrent neural networks", ICML 2014; Amodei et
        al., "Deep Speech 2", ICML 2016 (convolutions before recurrent layers); Sanabria and Metze, "Hierarchical
        multitask learning with CTC", SLT 2018 (characters below subwords); Nozaki and Komatsu, "Relaxing the
        conditional independence assumption of CTC-based ASR by conditioning on intermediate predictions", Interspeech
        2021 (upper layers read what lower ones predict).
    """

    def __init__(
        self,
        alphabet: Sequence[str] | None = None,
        normalisation: Mapping[str, Any] | None = None,
        *,
        subwords: str | None = None,
        sample_rate: int = 16_000,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        **options: Any,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.options = chosen = from_keywords(Options, options, type(self).__name__)
        if (alphabet is None) == (subwords is None):
            raise ValueError("exactly one of `alphabet` and `subwords` must be given")
        self.subwords = subwords
        self.tokens: Characters | SubwordPieces = (
            SubwordPieces(Subwords.from_text(subwords)) if subwords else Characters(alphabet or "")
        )
        self.normalisation = dict(normalisation or {})
        self.sample_rate = sample_rate
        self.fused = tf.Module()  # contains a language model for an export
        self.front_end = FrontEnd(
            sample_rate, **chosen.front_end_arguments(), reduction=chosen.reduction, name="front_end"
        )
        # The dropout of recurrent layers, with one mask for a whole sequence, delays CTC's first alignments by
        # epochs, so here a new mask is drawn for each step.
        arguments = {**chosen.layer_arguments(), "dropout": 0.0}
        layers = recurrent_layers(chosen.layers, bidirectional=not chosen.causal, return_state=True, **arguments)
        self.first = Stacked(layers[:1], name="first")
        self.upper = Stacked(layers[1:], dropout=chosen.dropout, name="upper") if layers[1:] else None
        self.joined = chosen.steps_joined if self.upper else 1
        self.dropout = keras.layers.Dropout(chosen.dropout)
        self.head = keras.layers.Dense(self.tokens.size + 1, dtype="float32", name="head")
        self.characters = Characters(sorted({character for piece in self.tokens.pieces for character in piece}))
        self.spelling_head: keras.layers.Dense | None = None
        if chosen.spelling and self.upper:
            self.spelling_head = keras.layers.Dense(self.characters.size + 1, dtype="float32", name="spelling_head")

    def build(self, inputs_shape: Any = None) -> None:
        self._read(tf.zeros((1, self.sample_rate // 2)))  # a real call builds every layer
        self.built = True

    @property
    def step_samples(self) -> int:
        """Number of samples from one step to the next."""
        return self.front_end.log_mel.hop * self.front_end.reduction * self.joined

    @property
    def step_seconds(self) -> float:
        """Time from one step to the next."""
        return self.step_samples / self.sample_rate

    def adapt(self, batches: Batches) -> None:
        """Learns the normalisation of the log-mel frames from training batches, and builds the model."""
        self.front_end.adapt(inputs for inputs, _ in batches.epoch(0))
        self.build()

    def start_from(self, other: Transcriber) -> None:
        """Copies the weights of another model: all of them if both have the same tokens.

        If their tokens differ, only the convolutions and the first recurrent layer. Both models must be built.

        Raises:
            ValueError: The models differ in an option that shapes their weights.
        """
        take_weights(self._parts(other), other._parts(self), self._shape(), other._shape())

    def has_tokens_of(self, other: Transcriber) -> bool:
        """Whether both models write the same tokens."""
        return self.tokens.pieces == other.tokens.pieces

    def _shape(self) -> dict[str, Any]:
        chosen = self.options
        return {
            "sample_rate": self.sample_rate,
            **{name: getattr(chosen, name) for name in SHAPING},
            "join": chosen.steps_joined,
            "spelling": "above 0" if chosen.spelling else 0,
        }

    def _parts(self, other: Transcriber) -> list[keras.layers.Layer]:
        """The layers that have the same meaning in another model."""
        hearing = [*self.front_end.convolutions, self.first]
        if not self.has_tokens_of(other):
            return hearing
        return [*hearing, *(layer for layer in (self.spelling_head, self.upper, self.head) if layer)]

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        waveform, lengths = inputs if isinstance(inputs, (tuple, list)) else (inputs, None)
        (logits, _), _ = self._read(waveform, lengths, training)
        return logits

    def _read(
        self, waveform: tf.Tensor, lengths: tf.Tensor | None = None, training: bool = False
    ) -> tuple[Masked, Masked | None]:
        """The logits of tokens, and those of the characters that the first layer spells, or None if it does not."""
        sequence, mask = self.front_end(waveform, lengths, training=training)
        sequence = self.dropout(sequence, training=training)
        sequence = self.dropout(self.first(sequence, mask=mask, training=training)[0], training=training)
        spelt = None
        if self.spelling_head:
            spelt = self.spelling_head(sequence), mask
            sequence = _with_probabilities(sequence, spelt[0])
        if self.upper is not None:
            sequence, mask = join_steps(sequence, self.joined), join_mask(mask, self.joined)
            sequence = self.dropout(self.upper(sequence, mask=mask, training=training)[0], training=training)
        return (self.head(sequence), mask), spelt

    def log_probabilities(self, waveform: tf.Tensor, lengths: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Log-probabilities float32 (batch, time, tokens + 1), and the number of real steps, int32 (batch,)."""
        (logits, mask), _ = self._read(waveform, lengths)
        return tf.nn.log_softmax(logits), _steps(mask)

    def initial_states(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """The states of a stream that has not begun, by name; see `stream`.

        Raises:
            ValueError: The model is not causal.
        """
        states = self.front_end.initial_states(batch_size) | stream_states(self.first, batch_size)
        if self.upper is None:
            return states
        width = self.options.units + (self.spelling_head.units if self.spelling_head else 0)
        left = tf.zeros([batch_size, 0, width], self.compute_dtype)
        return {**states, "steps_left": left, **stream_states(self.upper, batch_size)}

    def stream(self, chunk: tf.Tensor, states: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Continues listening.

        Args:
            chunk: Float (batch, samples), any number of samples.
            states: From `initial_states` or the previous call.

        Returns:
            The log-probabilities of the steps that the chunk completes, float32 (batch, time, tokens + 1), and the
            new states.
        """
        sequence, new = self.front_end.stream(chunk, states)
        sequence, recurrent = stream_recurrent(self.first, sequence, states)
        new |= recurrent
        if self.spelling_head:
            sequence = _with_probabilities(sequence, self.spelling_head(sequence))
        if self.upper is not None:
            sequence, new["steps_left"] = join_stream(sequence, states["steps_left"], self.joined)
            sequence, recurrent = stream_recurrent(self.upper, sequence, states)
            new |= recurrent
        return tf.nn.log_softmax(self.head(sequence)), new

    def train_step(self, data: Any) -> dict[str, Any]:
        (waveform, lengths), texts, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            said, spelt = self._read(waveform, lengths, training=True)
            mean, count = _mean_loss(said, self.tokens.encode(texts))
            total = mean + sum(self.losses)
            if spelt:
                total += self.options.spelling * _mean_loss(spelt, self.characters.encode(texts))[0]
            loss = self.optimizer.scale_loss(total)
        weights = self.trainable_weights
        apply_gradients(self.optimizer, tape.gradient(loss, weights), weights)
        return measured(self, mean, count)

    def test_step(self, data: Any) -> dict[str, Any]:
        (waveform, lengths), texts, _ = keras.utils.unpack_x_y_sample_weight(data)
        said, _ = self._read(waveform, lengths)
        return measured(self, *_mean_loss(said, self.tokens.encode(texts)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alphabet": None if self.subwords else list(self.tokens.pieces),
            "subwords": self.subwords,
            "normalisation": self.normalisation,
            "sample_rate": self.sample_rate,
            **as_json(self.options),
        }


def _with_probabilities(sequence: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The features of each step, with the probabilities computed from them appended."""
    return tf.concat([sequence, tf.cast(tf.nn.softmax(logits), sequence.dtype)], axis=-1)


def _steps(mask: tf.Tensor) -> tf.Tensor:
    """The number of real steps, int32 (batch,)."""
    return tf.math.count_nonzero(mask, axis=1, dtype=tf.int32)


def _mean_loss(heard: Masked, tokens: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Nats per token, and how many tokens there are; rows that are too short for their tokens do not count."""
    logits, mask = heard
    labels = tokens.to_tensor(-1)
    losses, spelt = ctc_loss(logits, _steps(mask), labels)
    count = tf.reduce_sum(tf.cast((labels >= 0) & spelt[:, None], tf.float32))
    return tf.reduce_sum(losses) / tf.maximum(count, 1.0), count
