"""The classifier: log-mel frames, convolutions, recurrent layers, attention; for whole recordings and for streams."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from rnnapps.audio import (
    AttentionPooling,
    LogMel,
    SpecAugment,
    TimeConvolution,
    VoiceAugmentation,
    WaveformAugmentation,
)
from rnnapps.layers import GRU, LSTM, Bidirectional, MaskedPooling, SimpleRNN, Stacked

CELLS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}


@keras.saving.register_keras_serializable("rnnapps")
class SpeechClassifier(keras.Model):
    """Listens to a recording and says which class it belongs to.

    Nothing in it looks ahead but the second direction of bidirectional layers, so a causal model can be fed chunk by
    chunk and gives the answer that it gives to the whole. How much a batch is padded never changes an answer.

    Args:
        classes: names of the classes, two or more.
        sample_rate: of the waveforms, in Hz.
        cell: "rnn", "gru" or "lstm".
        units: width of a recurrent layer, per direction.
        layers: number of recurrent layers, 1 to 3.
        causal: read forward only, so that the model can stream.
        pooling: how steps become one vector: "attention", or a mode of `MaskedPooling`; a causal model streams with
            "attention".
        memory_seconds: in a causal model, the time after which what was heard counts half.
        convolutions: channels of the convolutions before the recurrent layers; each halves time and frequency.
        bands: mel bands.
        window_seconds, hop_seconds: length of a frame, and from one to the next.
        dropout: on the inputs of each recurrent layer and of the head, one mask a clip.
        recurrent_dropout: on the state between steps.
        l2: penalty on kernels, recurrent kernels and biases of the recurrent layers.
        truncate: stop the gradient every so many steps; None never does.
        speed, shift_seconds, gain, noise: what `WaveformAugmentation` varies in training.
        tempo, warp, channel: what `VoiceAugmentation` varies in training.
        mask_seconds, mask_bands: largest parts of the spectrogram that `SpecAugment` hides in training.

    Call arguments:
        inputs: waveform float (batch, samples), and lengths int (batch,), the real samples of each; or the waveform
            alone.

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
        cell: str = "gru",
        units: int = 96,
        layers: int = 1,
        causal: bool = False,
        pooling: str = "attention",
        memory_seconds: float = 0.5,
        convolutions: Sequence[int] = (16, 32),
        bands: int = 40,
        window_seconds: float = 0.025,
        hop_seconds: float = 0.01,
        dropout: float = 0.2,
        recurrent_dropout: float = 0.0,
        l2: float = 0.0,
        truncate: int | None = None,
        speed: float = 0.15,
        shift_seconds: float = 0.1,
        gain: float = 10.0,
        noise: float = -5.0,
        tempo: float = 0.2,
        warp: float = 0.1,
        channel: float = 0.3,
        mask_seconds: float = 0.1,
        mask_bands: int = 6,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.options = {
            "classes": list(classes),
            "sample_rate": sample_rate,
            "cell": cell,
            "units": units,
            "layers": layers,
            "causal": causal,
            "pooling": pooling,
            "memory_seconds": memory_seconds,
            "convolutions": list(convolutions),
            "bands": bands,
            "window_seconds": window_seconds,
            "hop_seconds": hop_seconds,
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "l2": l2,
            "truncate": truncate,
            "speed": speed,
            "shift_seconds": shift_seconds,
            "gain": gain,
            "noise": noise,
            "tempo": tempo,
            "warp": warp,
            "channel": channel,
            "mask_seconds": mask_seconds,
            "mask_bands": mask_bands,
        }
        if causal and pooling != "attention":
            raise ValueError(f"a causal model streams with attention pooling, not with {pooling!r}")
        self.classes = tuple(classes)
        self.sample_rate = sample_rate
        self.augmentation = WaveformAugmentation(speed, round(shift_seconds * sample_rate), gain, noise)
        self.log_mel = LogMel(sample_rate, bands, window_seconds, hop_seconds, name="log_mel")
        self.voices = VoiceAugmentation(tempo, warp, channel)
        self.masks = SpecAugment(round(mask_seconds / hop_seconds), mask_bands)
        self.convolutions = [
            TimeConvolution(channels, name=f"convolution_{number}")
            for number, channels in enumerate(convolutions, start=1)
        ]
        penalty = {
            name: keras.regularizers.L2(l2)
            for name in ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer")
            if l2
        }
        stack = []
        for number in range(1, layers + 1):
            layer = CELLS[cell](
                units,
                dropout=dropout,
                recurrent_dropout=recurrent_dropout,
                truncate=truncate,
                return_sequences=True,
                return_state=True,
                name=f"{cell}_{number}",
                **penalty,
            )
            stack.append(layer if causal else Bidirectional(layer, name=f"bidirectional_{number}"))
        self.recurrent = Stacked(stack, name="recurrent")
        step_seconds = hop_seconds * 2 ** len(convolutions)
        half_life = memory_seconds / step_seconds if causal else None
        self.pooling = AttentionPooling(half_life) if pooling == "attention" else MaskedPooling(pooling)
        self.head_dropout = keras.layers.Dropout(dropout)
        self.head = keras.layers.Dense(len(classes), dtype="float32", name="head")

    def build(self, inputs_shape=None):
        # A real call builds every layer.
        self.call(tf.zeros((1, self.sample_rate // 2)))
        self.built = True

    def adapt(self, batches) -> None:
        """Learns the normalisation of the log-mel frames from training batches, and builds the model."""
        self.log_mel.adapt(inputs for inputs, _ in batches.epoch(0))
        self.build()

    def start_from(self, other: "SpeechClassifier") -> None:
        """Takes over what another model has learnt to hear, all but its head; both must be built.

        Raises:
          ValueError: the models are not built alike.
        """
        names = ("sample_rate", "cell", "units", "layers", "causal", "convolutions", "bands", "window_seconds")
        for name in (*names, "hop_seconds", "pooling"):
            if self.options[name] != other.options[name]:
                raise ValueError(
                    f"{name} is {self.options[name]}, but {other.options[name]} in the model to start from"
                )
        for mine, theirs in zip(self._hearing(), other._hearing(), strict=True):
            mine.set_weights(theirs.get_weights())

    def _hearing(self):
        return [*self.convolutions, self.recurrent, self.pooling]

    def call(self, inputs, training=False):
        waveform, lengths = inputs if isinstance(inputs, (tuple, list)) else (inputs, None)
        if lengths is None:
            lengths = tf.fill([tf.shape(waveform)[0]], tf.shape(waveform)[1])
        waveform, lengths = self.augmentation(waveform, lengths, training=training)
        frames, mask = self.log_mel(waveform, lengths)
        frames, mask = self.voices(frames, mask, training=training)
        sequence = self.masks(frames, training=training)[..., None]
        for layer in self.convolutions:
            sequence, mask = layer(sequence, mask=mask)
        sequence = self.recurrent(_merged(sequence), mask=mask, training=training)[0]
        return self.head(self.head_dropout(self.pooling(sequence, mask=mask), training=training))

    def probabilities(self, waveform, lengths=None) -> tf.Tensor:
        """Class probabilities of waveforms: float (batch, samples) -> float32 (batch, classes)."""
        return tf.nn.softmax(self((waveform, lengths)))

    def initial_states(self, batch_size) -> dict[str, tf.Tensor]:
        """The states of a stream that has not begun, by name; see `stream`.

        Raises:
          ValueError: the model is not causal.
        """
        if not self.options["causal"]:
            raise ValueError("a bidirectional model hears the end first and cannot stream; train one with causal=True")
        states = {"samples": self.log_mel.initial_state(batch_size)}
        for number, layer in enumerate(self.convolutions):
            states[f"frames_{number}"] = layer.initial_state(batch_size)
        for number, state in enumerate(self.recurrent.get_initial_state(batch_size)):
            states[f"recurrent_{number}"] = state
        states["heard"], states["weight"] = self.pooling.initial_state(batch_size)
        return states

    def stream(self, chunk, states: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Goes on listening: the probabilities after a chunk, and the new states.

        Args:
          chunk: float (batch, samples), any number of samples.
          states: from `initial_states` or the call before. The sizes of `samples` and `frames_...` along axis 1 vary:
            they hold what does not fill a frame or a step yet.
        """
        new = {}
        frames, new["samples"] = self.log_mel.stream(chunk, states["samples"])
        sequence = frames[..., None]
        for number, layer in enumerate(self.convolutions):
            sequence, new[f"frames_{number}"] = layer.stream(sequence, states[f"frames_{number}"])
        recurrent = [states[name] for name in states if name.startswith("recurrent_")]
        sequence, *recurrent = self.recurrent(_merged(sequence), initial_state=recurrent)
        new |= {f"recurrent_{number}": state for number, state in enumerate(recurrent)}
        pooled, (new["heard"], new["weight"]) = self.pooling.stream(sequence, (states["heard"], states["weight"]))
        return tf.nn.softmax(self.head(pooled)), new

    def get_config(self):
        return {**super().get_config(), **self.options}


def _merged(sequence: tf.Tensor) -> tf.Tensor:
    """Frequencies and channels side by side: (batch, time, frequency, channels) -> (batch, time, features)."""
    shape = tf.shape(sequence)
    features = sequence.shape[2] * sequence.shape[3]
    return tf.reshape(sequence, [shape[0], shape[1], features])
