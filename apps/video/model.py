"""The models of video: frame features, recurrent layers, attention pooling for actions, a decoder for captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.video.backbone import BackboneEncoder
from rnnapps.apps.video.cli import Answers, Options
from rnnapps.apps.video.frame_encoder import FrameEncoder
from rnnapps.apps.video.words import END, START, TOKENS, joined
from rnnapps.decoding import beam_search
from rnnapps.layers import AttentionPooling, Stacked, recurrent_layers
from rnnapps.layers.attention_decoder import AttentionDecoder, Tensors, token_embedding
from rnnapps.options import as_json, from_keywords


class VideoModel(keras.Model):
    """Base class of the video models: reads a clip.

    Args:
        size: Height and width of the frames.
        fps: Frames per second of the clips that it learns from.
        max_frames: Maximum number of frames of these clips.
        backbone_model: A model whose features of frames are used, see `rnnapps.apps.video.backbone`, or its
            configuration from `keras.saving`; None for trainable convolutions.
        name, trainable, dtype: As for every Keras model.
        **options: See `rnnapps.apps.video.cli.Options`.
    """

    def __init__(
        self,
        *,
        size: int = 32,
        fps: float = 8.0,
        max_frames: int = 256,
        backbone_model: keras.Model | dict[str, Any] | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.options = chosen = from_keywords(Options, options, type(self).__name__)
        self.size, self.fps, self.max_frames = size, fps, max_frames
        self.frame_encoder = (
            FrameEncoder(chosen.frame_units, chosen.convolutions, name="frame_encoder")
            if backbone_model is None
            else BackboneEncoder(chosen.frame_units, backbone_model, name="frame_encoder")
        )
        layers = recurrent_layers(chosen.layers, bidirectional=True, return_state=True, **chosen.layer_arguments())
        self.recurrent = Stacked(layers, name="recurrent")

    def watch(
        self, frames: tf.Tensor, lengths: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """The outputs of the recurrent layers for clips.

        Args:
            frames: uint8 (batch, time, size, size, 3).
            lengths: Int (batch,), the real frames of each.
            training: Whether dropout is on.

        Returns:
            The hidden states (batch, time, 2 units), their mask, boolean (batch, time), and the final states.
        """
        mask = tf.sequence_mask(lengths, tf.shape(frames)[1])
        sequence, *states = self.recurrent(self.frame_encoder(frames), mask=mask, training=training)
        return sequence, mask, states

    def get_config(self) -> dict[str, Any]:
        sampling: dict[str, Any] = {"size": self.size, "fps": self.fps, "max_frames": self.max_frames}
        if isinstance(self.frame_encoder, BackboneEncoder):
            sampling["backbone_model"] = self.frame_encoder.get_config()["backbone"]
        return {**super().get_config(), **sampling, **as_json(self.options)}


@keras.saving.register_keras_serializable("rnnapps")
class ActionClassifier(VideoModel):
    """Watches a clip and says which class it belongs to.

    frames -> convolutions of each -> recurrent layers in both directions -> attention pooling -> a logit per class. The
    padding of a batch never changes an answer.

    Args:
        classes: Names of the classes, two or more.
        size, fps, max_frames, backbone_model, name, trainable, dtype, **options: As for `VideoModel`.

    Call arguments:
        inputs: Frames uint8 (batch, time, size, size, 3), and lengths int (batch,), the number of real frames of each.

    Output:
        Logits, float32 (batch, classes). Use `probabilities` for answers.

    Reference:
        Donahue et al., "Long-term recurrent convolutional networks for visual recognition and description", CVPR 2015.
    """

    def __init__(self, classes: Sequence[str], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.classes = tuple(classes)
        self.pooling = AttentionPooling(name="pooling")
        self.head_dropout = keras.layers.Dropout(self.options.dropout)
        self.head = keras.layers.Dense(len(self.classes), dtype="float32", name="head")

    def build(self, input_shape: Any = None) -> None:
        # A real call builds every layer.
        self.call((tf.zeros((1, 2, self.size, self.size, 3), tf.uint8), tf.constant([2])))
        self.built = True

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        sequence, mask, _ = self.watch(*inputs, training=training)
        return self.head(self.head_dropout(self.pooling(sequence, mask=mask), training=training))

    def probabilities(self, frames: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Class probabilities float32 (batch, classes), and the attention to each frame, (batch, time), 0 to 1."""
        sequence, mask, _ = self.watch(frames, lengths)
        logits = self.head(self.pooling(sequence, mask=mask))
        return tf.nn.softmax(logits), self.pooling.gates(sequence, mask)[..., 0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": list(self.classes)}


@keras.saving.register_keras_serializable("rnnapps")
class Captioner(VideoModel, AttentionDecoder):
    """Watches a clip and writes a sentence about it, looking at the frames as it writes each word.

    frames -> convolutions of each -> recurrent layers in both directions -> decoder with attention, twice as wide.

    Args:
        words: The words that it can write.
        size, fps, max_frames, backbone_model, name, trainable, dtype, **options: As for `VideoModel`.

    Call arguments:
        inputs: Frames uint8 (batch, time, size, size, 3); lengths int (batch,), the number of real frames of each; and
            ids of words int32 (batch, T), which begin with START.

    Output:
        Logits of the word after each, float32 (batch, T, 4 + words).

    Reference:
        Yao et al., "Describing videos by exploiting temporal structure", ICCV 2015.
    """

    def __init__(self, words: Sequence[str], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.words = tuple(words)
        chosen = self.options
        self.make_decoder(
            token_embedding(TOKENS + len(self.words), chosen.embedding_units, "words"),
            units=2 * chosen.units,
            dropout=chosen.dropout,
            **chosen.layer_arguments(without=("units", "dropout")),  # the decoder applies dropout itself
        )

    def build(self, input_shape: Any = None) -> None:
        # A real call builds every layer.
        frames = tf.zeros((1, 2, self.size, self.size, 3), tf.uint8)
        self.call((frames, tf.constant([2]), tf.ones((1, 2), tf.int32)))
        self.built = True

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        frames, lengths, target = inputs
        return self.logits(self.decode(target, *self.encode(frames, lengths, training), training))

    def encode(self, frames: tf.Tensor, lengths: tf.Tensor, training: bool = False) -> tuple[Tensors, Tensors]:
        """What the decoder starts from; see `AttentionDecoder.begin`."""
        sequence, mask, states = self.watch(frames, lengths, training)
        return self.begin(sequence, mask, states)

    def captions(self, frames: tf.Tensor, lengths: tf.Tensor, how: Answers) -> tuple[tf.Tensor, tf.Tensor]:
        """The best sentences, string (batch,), and their log-probabilities over length penalty, float32 (batch,)."""
        constants, states = self.encode(frames, lengths)
        found = beam_search(
            self.step,
            states,
            constants,
            start=START,
            end=END,
            max_length=how.longest,
            beam_width=how.beam,
            alpha=how.length_penalty,
        )
        return joined(found.ids[:, 0], self.words), found.scores[:, 0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "words": list(self.words)}
