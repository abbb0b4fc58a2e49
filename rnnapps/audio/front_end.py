"""From waveforms to steps that recurrent layers read: augmentation, log-mel frames and convolutions, also in chunks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnapps.audio.log_mel import LogMel
from rnnapps.audio.spec_augment import SpecAugment
from rnnapps.audio.time_convolution import TimeConvolution
from rnnapps.audio.voice_augmentation import VoiceAugmentation
from rnnapps.audio.waveform_augmentation import WaveformAugmentation


@keras.saving.register_keras_serializable("rnnapps")
class FrontEnd(keras.layers.Layer):
    """Augments waveforms in training, and turns them into a sequence of features with few steps per second.

    Nothing in it looks ahead, so chunks fed one after another to `stream` give the steps of the whole.

    Args:
        sample_rate: Sample rate of the waveforms, in Hz.
        bands, window_seconds, hop_seconds: As for `LogMel`.
        convolutions: Channels of the convolutions; each halves the frequencies.
        reduction: Number of frames that become one step: a power of two, at most 2 to the number of convolutions.
        speed, shift_seconds, gain, noise: As for `WaveformAugmentation`, the shift in seconds.
        tempo, warp, channel: As for `VoiceAugmentation`.
        mask_seconds, mask_bands: The longest and widest masks of `SpecAugment`.

    Call arguments:
        waveform: Float `(batch, samples)`, from -1 to 1.
        lengths: Integer `(batch,)`, the number of real samples of each waveform; None if all are real.
        training: Whether to augment the waveforms.

    Returns:
        The steps, `(batch, time, features)`, and their mask, boolean `(batch, time)`.

    Raises:
        ValueError: `reduction` is not a power of two in that range.

    Example:
        >>> steps, mask = FrontEnd(16000, hop_seconds=0.0125)(tf.zeros((2, 16000)), tf.constant([16000, 8000]))
        >>> steps.shape, tf.math.count_nonzero(mask, axis=1).numpy().tolist()
        (TensorShape([2, 40, 320]), [40, 20])
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        bands: int = 40,
        window_seconds: float = 0.025,
        hop_seconds: float = 0.01,
        convolutions: Sequence[int] = (16, 32),
        reduction: int = 2,
        speed: float = 0.1,
        shift_seconds: float = 0.1,
        gain: float = 6.0,
        noise: float | None = -10.0,
        tempo: float = 0.1,
        warp: float = 0.1,
        channel: float = 0.3,
        mask_seconds: float = 0.1,
        mask_bands: int = 6,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sample_rate, self.reduction = sample_rate, reduction
        self.arguments: dict[str, Any] = {
            "bands": bands,
            "window_seconds": window_seconds,
            "hop_seconds": hop_seconds,
            "convolutions": list(convolutions),
            "reduction": reduction,
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
        if reduction not in [2**power for power in range(len(convolutions) + 1)]:
            raise ValueError(
                f"`reduction` must be a power of two, at most {2 ** len(convolutions)} with {len(convolutions)}"
                f" convolutions, got {reduction}"
            )
        self.augmentation = WaveformAugmentation(speed, round(shift_seconds * sample_rate), gain, noise)
        self.log_mel = LogMel(sample_rate, bands, window_seconds, hop_seconds, name="log_mel")
        self.voices = VoiceAugmentation(tempo, warp, channel, dtype=self.dtype_policy)
        self.masks = SpecAugment(round(mask_seconds / hop_seconds), mask_bands, dtype=self.dtype_policy)
        self.convolutions = [
            TimeConvolution(
                channels,
                strides=(2 if 2**number <= reduction else 1, 2),
                name=f"convolution_{number}",
                dtype=self.dtype_policy,
            )
            for number, channels in enumerate(convolutions, start=1)
        ]

    def build(self, *_: Any) -> None:
        if not self.log_mel.built:  # `adapt` builds it
            self.log_mel.build()
        bands, channels = self.log_mel.bands, 1
        for layer in self.convolutions:
            layer.build((None, None, bands, channels))
            bands, channels = -(-bands // 2), layer.filters

    @property
    def step_seconds(self) -> float:
        """Time from one step to the next."""
        return self.log_mel.hop * self.reduction / self.sample_rate

    def adapt(self, waveforms: Iterable[tuple[tf.Tensor, tf.Tensor | None]]) -> None:
        """Learns the normalisation of the frames; see `LogMel.adapt`."""
        self.log_mel.adapt(waveforms)

    def call(
        self, waveform: tf.Tensor, lengths: tf.Tensor | None = None, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if lengths is None:
            lengths = tf.fill([tf.shape(waveform)[0]], tf.shape(waveform)[1])
        waveform, lengths = self.augmentation(waveform, lengths, training=training)
        frames, mask = self.log_mel(waveform, lengths)
        frames, mask = self.voices(frames, mask, training=training)
        sequence = self.masks(frames, training=training)[..., None]
        for layer in self.convolutions:
            sequence, mask = layer(sequence, mask=mask), layer.compute_mask(sequence, mask)
        return _merged(sequence), mask

    def initial_states(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """The initial states of a stream, by name."""
        states = {"samples": self.log_mel.initial_state(batch_size)}
        for number, layer in enumerate(self.convolutions):
            states[f"frames_{number}"] = layer.initial_state(batch_size)
        return states

    def stream(self, chunk: tf.Tensor, states: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The steps that a chunk completes.

        Args:
            chunk: Float `(batch, samples)`, any number of samples.
            states: From `initial_states` or the previous call.

        Returns:
            The steps `(batch, time, features)`, and the new states.
        """
        new = {}
        frames, new["samples"] = self.log_mel.stream(chunk, states["samples"])
        sequence = frames[..., None]
        for number, layer in enumerate(self.convolutions):
            sequence, new[f"frames_{number}"] = layer.stream(sequence, states[f"frames_{number}"])
        return _merged(sequence), new

    def compute_output_spec(
        self, waveform: Any, lengths: Any = None, training: bool = False
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        bands, channels = self.arguments["bands"], 1
        for layer in self.convolutions:
            bands, channels = -(-bands // 2), layer.filters
        sequence = keras.KerasTensor((waveform.shape[0], None, bands * channels), self.compute_dtype)
        return sequence, keras.KerasTensor((waveform.shape[0], None), "bool")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sample_rate": self.sample_rate, **self.arguments}


def _merged(sequence: tf.Tensor) -> tf.Tensor:
    """Frequencies and channels side by side: (batch, time, frequency, channels) -> (batch, time, features)."""
    shape = tf.shape(sequence)
    features = sequence.shape[2] * sequence.shape[3]
    return tf.reshape(sequence, [shape[0], shape[1], features])
