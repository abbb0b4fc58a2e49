"""The distribution of the notes of a time step, given the state of a recurrent network: NADE or independent notes.

NADE over the 88 notes v of a piano from the lowest to the highest, with the output h of the network:

    a_1 = W_a h + c,   a_{i+1} = a_i + v_i W_i            the hidden layer after the notes below i
    p(v_i = 1 | v_<i, h) = sigmoid(b(h)_i + V_i · relu(a_i))

a_i changes only after a note that sounds, so all 88 probabilities need only one more hidden layer than notes sound.

References:
    Larochelle, Murray, The neural autoregressive distribution estimator, AISTATS 2011; Boulanger-Lewandowski, Bengio,
    Vincent, Modeling temporal dependencies in high-dimensional sequences, ICML 2012, section 4 (RNN-NADE).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

NOTES = 88
NONE = NOTES  # fills the places when fewer notes sound


class NoteDistribution(keras.layers.Layer):
    """Logits of notes, each given those below it, and drawing from them.

    Args:
        hidden: Width of NADE's hidden layer; 0 for independent notes.
        **kwargs: As for every Keras layer.

    Call arguments:
        outputs: Of the recurrent network, `(batch, time, units)`.
        notes: Int32 `(batch, time, voices)`, from 0 to 87, ascending, then `NONE`.

    Returns:
        Float32 `(batch, time, 88)`: the log-odds that each note sounds, given the lower notes of the same step.
    """

    def __init__(self, hidden: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_units = hidden
        self.visible = keras.layers.Dense(NOTES, name="visible")
        self.hidden = keras.layers.Dense(hidden, name="hidden") if hidden else None

    def build(self, input_shape: Any) -> None:
        self.visible.build(input_shape)
        if self.hidden is not None:
            self.hidden.build(input_shape)
            small = keras.initializers.RandomNormal(stddev=0.05)
            self.below = self.add_weight(shape=(NOTES, self.hidden_units), initializer=small, name="below")
            self.above = self.add_weight(shape=(NOTES, self.hidden_units), initializer=small, name="above")
        self.built = True

    def call(self, outputs: tf.Tensor, notes: tf.Tensor) -> tf.Tensor:
        logits = tf.cast(self.visible(outputs), tf.float32)
        if self.hidden is None:
            return logits
        first = self.hidden(outputs)[..., None, :]
        after_notes = tf.concat([first, tf.gather(self._below(), notes)], axis=-2)
        hidden = tf.nn.relu(tf.cumsum(after_notes, axis=-2))  # (batch, time, voices + 1, hidden)
        # All rows as one matrix: TensorFlow's product of many matrices and one matrix can crash here with AVX-512.
        given = tf.tensordot(hidden, tf.cast(self.above, hidden.dtype), [[-1], [1]])
        # How many notes sound below each note.
        places = tf.reduce_sum(tf.cast(notes[..., None, :] < tf.range(NOTES)[:, None], tf.int32), axis=-1)
        chosen = tf.cast(places[..., None, :] == tf.range(tf.shape(notes)[-1] + 1)[:, None], given.dtype)
        return logits + tf.cast(tf.reduce_sum(given * chosen, axis=-2), tf.float32)

    def start_from(self, frequencies: np.ndarray) -> None:
        """Sets the bias so that each note is as probable as its share of the time steps, float `(88,)`."""
        shares = np.clip(frequencies, 1e-3, 1 - 1e-3)
        self.visible.bias.assign(np.log(shares / (1 - shares)))

    def draw(self, outputs: tf.Tensor, randoms: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
        """Draws the notes of a step from the lowest to the highest, each by inverting a distribution function.

        Args:
            outputs: `(batch, units)`.
            randoms: Numbers from 0 to 1, float32 `(batch, voices)`; no more notes than `voices` sound.
            temperature: Float32 `(batch,)`, the divisor of the logits; 0 takes notes more probable than not.

        Returns:
            Int32 `(batch, voices)`, ascending, then `NONE`.
        """
        visible = tf.cast(self.visible(outputs), tf.float32)
        hidden = None if self.hidden is None else self.hidden(outputs)
        last = tf.fill([tf.shape(outputs)[0]], -1)
        found = []
        for random in tf.unstack(randoms, axis=1):
            logits = visible
            if hidden is not None:
                given = tf.matmul(tf.nn.relu(hidden), tf.cast(self.above, hidden.dtype), transpose_b=True)
                logits += tf.cast(given, tf.float32)
            sounds = tf.sigmoid(logits / tf.maximum(temperature, 1e-4)[:, None])
            sounds = tf.where(tf.range(NOTES) > last[:, None], sounds, 0.0)
            # The next note is at most i unless all notes up to i are silent.
            reached = 1.0 - tf.math.cumprod(1.0 - sounds, axis=1)
            last = tf.reduce_sum(tf.cast(reached <= random[:, None], tf.int32), axis=1)
            found.append(last)
            if hidden is not None:
                hidden += tf.gather(self._below(), last)
        return tf.stack(found, axis=1)

    def _below(self) -> tf.Tensor:
        """What each note adds to the hidden layer; `NONE` adds nothing."""
        below = tf.cast(self.below, self.compute_dtype)
        return tf.concat([below, tf.zeros([1, self.hidden_units], below.dtype)], axis=0)


def as_roll(notes: tf.Tensor) -> tf.Tensor:
    """Notes `(..., voices)` as a row of the piano roll: float32 `(..., 88)`, 1 for each that sounds."""
    silent = tf.fill(tf.concat([tf.shape(notes)[:-1], [1]], axis=0), NONE)
    return tf.reduce_max(tf.one_hot(tf.concat([notes, silent], axis=-1), NOTES), axis=-2)
