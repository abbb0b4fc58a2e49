"""The classifier: log-mel frames, convolutions, recurrent layers, attention; for whole recordings and for streams."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.speech.cli import Options
from rnnapps.audio import FrontEnd, LogMel
from rnnapps.layers import AttentionPooling, MaskedPooling, Stacked, recurrent_layers, stream_recurrent, stream_states
from rnnapps.options import as_json, from_keywords
from rnnapps.training import Batches, take_weights

# The options that decide which weights there are and what they mean.
SHAPING = ("cell", "units", "layers", "causal", "pooling", "convolutions", "bands", "window_seconds", "hop_seconds")


@keras.saving.register_keras_serializable("rnnapps")
class SpeechClassifier(keras.Model):
    """Listens to a recording and says which class it belongs to.

    Only the second direction of bidirectional layers looks ahead, so a causal model can be fed chunk by chunk and gives
    the same answer as for the whole recording. The padding of a batch never changes an answer.

    Args:
        classes: Names of the classes, two or more.
        sample_rate: Samples per second of the waveforms, in Hz.
        name, trainable, dtype: As for every Keras model.
        **options: See `rnnapps.apps.speech.cli.Options`.

    Call arguments:
        inputs: Waveform float (batch, samples), and lengths int (batch,), the number of real samples of each; or the
            waveform alone.

    Output:
        Logits, float (batch, classes). Use `probabilities` for answers.

    References:
        Arik et al., "Convolutional Recurrent Neural Networks for Small-Footprint Keyword Spotting", Interspeech 2017;
        de Andrade et al., "A neural attention model for speech command recognition", arXiv:1808.08929.
    """

    def __init__(
        self,
        classes: Sequence[str],
        *,
        sample_rate: int = 16_000,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        **options: Any,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.options = chosen = from_keywords(Options, options, type(self).__name__)
        if chosen.causal and chosen.pooling != "attention":
            raise ValueError(f"a causal model needs attention pooling, got {chosen.pooling!r}")
        self.classes = tuple(classes)
        self.sample_rate = sample_rate
        self.front_end = FrontEnd(
            sample_rate, **chosen.front_end_arguments(), reduction=2 ** len(chosen.convolutions), name="front_end"
        )
        layers = recurrent_layers(
            chosen.layers, bidirectional=not chosen.causal, return_state=True, **chosen.layer_arguments()
        )
        self.recurrent = Stacked(layers, name="recurrent")
        half_life = chosen.memory_seconds / self.front_end.step_seconds if chosen.causal else None
        self.pooling = AttentionPooling(half_life) if chosen.pooling == "attention" else MaskedPooling(chosen.pooling)
        self.head_dropout = keras.layers.Dropout(chosen.dropout)
        self.head = keras.layers.Dense(len(classes), dtype="float32", name="head")

    def build(self, inputs_shape: Any = None) -> None:
        # A real call builds every layer.
        self.call(tf.zeros((1, self.sample_rate // 2)))
        self.built = True

    def adapt(self, batches: Batches) -> None:
        """Learns the normalisation of the log-mel frames from training batches, and builds the model."""
        self.front_end.adapt(inputs for inputs, _ in batches.epoch(0))
        self.build()

    @property
    def log_mel(self) -> LogMel:
        """The layer that turns waveforms into frames."""
        return self.front_end.log_mel

    def start_from(self, other: "SpeechClassifier") -> None:
        """Copies the weights of another model, all but its head; both models must be built.

        Raises:
            ValueError: The models differ in an option that shapes their weights.
        """
        take_weights(self._hearing(), other._hearing(), self._shape(), other._shape())

    def _shape(self) -> dict[str, Any]:
        return {"sample_rate": self.sample_rate, **{name: getattr(self.options, name) for name in SHAPING}}

    def _hearing(self) -> list[keras.layers.Layer]:
        return [*self.front_end.convolutions, self.recurrent, self.pooling]

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        waveform, lengths = inputs if isinstance(inputs, (tuple, list)) else (inputs, None)
        sequence, mask = self.front_end(waveform, lengths, training=training)
        sequence = self.recurrent(sequence, mask=mask, training=training)[0]
        return self.head(self.head_dropout(self.pooling(sequence, mask=mask), training=training))

    def probabilities(self, waveform: tf.Tensor, lengths: tf.Tensor | None = None) -> tf.Tensor:
        """Class probabilities of waveforms: float (batch, samples) -> float32 (batch, classes)."""
        return tf.nn.softmax(self((waveform, lengths)))

    def initial_states(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """The states of a stream that has not begun, by name; see `stream`.

        Raises:
          ValueError: the model is not causal.
        """
        recurrent = stream_states(self.recurrent, batch_size)
        states = self.front_end.initial_states(batch_size) | recurrent
        states["heard"], states["weight"] = self.pooling.initial_state(batch_size)
        return states

    def stream(self, chunk: tf.Tensor, states: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Continues listening: the probabilities after a chunk, and the new states.

        Args:
          chunk: float (batch, samples), any number of samples.
          states: from `initial_states` or the previous call. The sizes of `samples` and `frames_...` along axis 1 vary:
            they contain what does not fill a frame or a step yet.
        """
        sequence, new = self.front_end.stream(chunk, states)
        sequence, recurrent = stream_recurrent(self.recurrent, sequence, states)
        new |= recurrent
        pooled, (new["heard"], new["weight"]) = self.pooling.stream(sequence, (states["heard"], states["weight"]))
        return tf.nn.softmax(self.head(pooled)), new

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "classes": list(self.classes),
            "sample_rate": self.sample_rate,
            **as_json(self.options),
        }
