"""Features of frames from the user's own Keras model, frozen: `--backbone PATH`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from rnnapps.errors import UserError
from rnnapps.training import load_model_file

Shape = tuple[int | None, ...]


def load_backbone(path: Path) -> keras.Model:
    """Loads a `.keras` file with a model from pictures to features. No code from the file is run.

    Args:
        path: The file. The model takes float `(batch, height, width, 3)` from 0 to 255, and gives features `(batch,
            features)` or `(batch, height, width, features)`.

    Raises:
        UserError: The file cannot be loaded, could run code, or contains another kind of model.
    """
    model = load_model_file(path, remedy="save a model of Keras's own layers with model.save('NAME.keras')")
    taken, given = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    shapes = [tuple(tensor.shape) for tensor in (*taken, *given)]
    if len(taken) != 1 or len(given) != 1 or len(shapes[0]) != 4 or shapes[0][-1] != 3 or len(shapes[1]) not in (2, 4):
        raise UserError(
            f"--backbone {path}: needs one input (batch, height, width, 3) and one output (batch, features) or"
            f" (batch, height, width, features), got {' -> '.join(map(str, shapes)) or 'no fixed inputs'}"
        )
    return model


@keras.saving.register_keras_serializable("rnnapps")
class BackboneEncoder(keras.layers.Layer):
    """A frozen model, applied to each frame, and a trainable dense layer.

    Frames are scaled to the input size of the model. Features at several places are averaged.

    Args:
        units: Number of features of a frame.
        backbone: The model, see `load_backbone`.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Call arguments:
        frames: uint8 `(batch, time, height, width, 3)`.

    Returns:
        Float `(batch, time, units)`.
    """

    def __init__(self, units: int, backbone: keras.Model | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.backbone = keras.saving.deserialize_keras_object(backbone) if isinstance(backbone, dict) else backbone
        self.backbone.trainable = False
        self.dense = keras.layers.Dense(units, dtype=self.dtype_policy, name="features")
        self.normalisation = keras.layers.LayerNormalization(dtype=self.dtype_policy, name="normalisation")

    def build(self, frames_shape: Shape) -> None:
        self.dense.build((None, self.backbone.output_shape[-1]))
        self.normalisation.build((None, self.units))

    def call(self, frames: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(frames)
        pictures = tf.reshape(tf.cast(frames, tf.float32), tf.concat([[-1], shape[2:]], axis=0))
        pictures = tf.ensure_shape(pictures, [None, *frames.shape[2:]])
        _, height, width, _ = self.backbone.input_shape
        if height and width and (height, width) != tuple(pictures.shape[1:3]):
            pictures = tf.image.resize(pictures, [height, width])
        features = self.backbone(pictures, training=False)
        if len(features.shape) == 4:
            features = tf.reduce_mean(features, axis=(1, 2))
        features = tf.nn.relu(self.normalisation(self.dense(features)))
        return tf.reshape(features, [shape[0], shape[1], self.units])

    def compute_output_shape(self, frames_shape: Shape) -> Shape:
        return (*frames_shape[:2], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "backbone": keras.saving.serialize_keras_object(self.backbone),
        }
