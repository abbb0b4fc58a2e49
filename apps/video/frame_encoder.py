"""From the frames of clips to a sequence of features that recurrent layers read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

_GRID = 4  # cells in each direction of the grid that features are pooled on

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable("rnnapps")
class FrameEncoder(keras.layers.Layer):
    """Convolutions of each frame, pooled on a coarse grid, and a dense layer.

    The features say what is where in a frame; the recurrent layers find what moves.

    Args:
        units: Number of features of a frame.
        convolutions: Channels of the convolutions; each halves height and width.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Call arguments:
        frames: uint8 `(batch, time, height, width, 3)`.

    Returns:
        Float `(batch, time, units)`.
    """

    def __init__(self, units: int, convolutions: Sequence[int] = (16, 32, 64), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.widths = units, tuple(convolutions)
        self.convolutions = [
            keras.layers.Conv2D(
                channels, 3, 2, padding="same", activation="relu", kernel_initializer="he_normal",
                dtype=self.dtype_policy, name=f"convolution_{number}",
            )
            for number, channels in enumerate(self.widths, start=1)
        ]  # fmt: skip
        self.dense = keras.layers.Dense(units, dtype=self.dtype_policy, name="features")
        self.normalisation = keras.layers.LayerNormalization(dtype=self.dtype_policy, name="normalisation")

    def build(self, frames_shape: Shape) -> None:
        height, width, channels = (size or 0 for size in frames_shape[2:])
        if not height or not width:
            raise ValueError(f"the height and width of frames must be known, got the shape {frames_shape}")
        for layer in self.convolutions:
            layer.build((None, height, width, channels))
            height, width, channels = -(-height // 2), -(-width // 2), layer.filters
        self.pools = _pool(height), _pool(width)
        cells = -(-height // self.pools[0]) * -(-width // self.pools[1])
        self.dense.build((None, cells * channels))
        self.normalisation.build((None, self.units))

    def call(self, frames: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(frames)
        pictures = tf.reshape(frames, tf.concat([[-1], shape[2:]], axis=0))
        pictures = tf.ensure_shape(pictures, [None, *frames.shape[2:]])
        features = tf.cast(pictures, self.compute_dtype) / 127.5 - 1
        for layer in self.convolutions:
            features = layer(features)
        features = tf.nn.avg_pool2d(features, self.pools, self.pools, "SAME")
        features = tf.reshape(features, [-1, self.dense.kernel.shape[0]])
        features = tf.nn.relu(self.normalisation(self.dense(features)))
        return tf.reshape(features, [shape[0], shape[1], self.units])

    def compute_output_shape(self, frames_shape: Shape) -> Shape:
        return (*frames_shape[:2], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "convolutions": list(self.widths)}


def _pool(length: int) -> int:
    """Number of places to average so that at most `_GRID` are left."""
    return -(-length // _GRID)
