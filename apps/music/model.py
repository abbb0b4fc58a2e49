"""The model: time steps of a piano roll -> recurrent layers -> a distribution of the notes of the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.music.cli import Options
from rnnapps.apps.music.keys import KEYS
from rnnapps.apps.music.note_distribution import NOTES, NoteDistribution, as_roll
from rnnapps.cells import state_names
from rnnapps.datasets.pieces import TICKS, bar_length
from rnnapps.layers import Stacked, recurrent_layers
from rnnapps.options import as_json, from_keywords

Inputs = Mapping[str, tf.Tensor]
Tensors = Sequence[tf.Tensor]
_POSITIONS = 16  # places in a bar that the model tells apart


@keras.saving.register_keras_serializable("rnnapps")
class ChordModel(keras.Model):
    """Reads a piece step by step and says after each one which notes are probable in the next.

        x_t = relu(E [v_{t-1}, key, metre, place of step t in its bar])
        h_t = the recurrent layers' output
        p(v_t | v_1 ... v_{t-1}) = NoteDistribution(h_t)

    Args:
        step: Length of a time step in quarter notes.
        voices: Maximum number of notes drawn for a step.
        metres: The time signatures that it has learnt; in any other it does not know the position in the bar.
        name, trainable, dtype: As for every Keras model.
        **options: See `rnnapps.apps.music.cli.Options`.

    Call arguments:
        inputs: A dictionary of `notes`, int32 `(batch, time, voices)`, from 0 to 87, ascending, then 88; `key`, int32
            `(batch,)`, 0 for an unknown one, else one more than its number; `metre`, int32 `(batch,)`, 0 for an unknown
            one, else one more than its place in `metres`; and `place`, int32 `(batch, time)`, the step's place in its
            bar.

    Output:
        Float32 `(batch, time, 88)`: the log-odds of each note of each step, given all steps before it, and the lower
        notes of the step itself.

    Reference:
        Boulanger-Lewandowski, Bengio, Vincent, Modeling temporal dependencies in high-dimensional sequences:
        application to polyphonic music generation and transcription, ICML 2012.
    """

    def __init__(
        self,
        step: float,
        voices: int,
        metres: Sequence[str] = (),
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.step_quarters, self.voices, self.metres = step, voices, tuple(metres)
        self.options = chosen = from_keywords(Options, options, type(self).__name__)
        self.reading = keras.layers.Dense(chosen.units, activation="relu", name="reading")
        layers = recurrent_layers(chosen.layers, **chosen.layer_arguments())
        layers[-1].return_state = True
        self.recurrent = Stacked(layers, residual=True, name="recurrent")
        self.drop = keras.layers.Dropout(chosen.dropout)
        hidden = chosen.hidden if chosen.head == "nade" else 0
        self.distribution = NoteDistribution(hidden, name="distribution")

    def build(self, input_shape: Any = None) -> None:
        self.call(self.example())
        self.built = True

    def example(self) -> Inputs:
        """A piece of two silent steps."""
        return {
            "notes": tf.fill((1, 2, self.voices), NOTES),
            "key": tf.zeros((1,), tf.int32),
            "metre": tf.zeros((1,), tf.int32),
            "place": tf.zeros((1, 2), tf.int32),
        }

    @property
    def state_names(self) -> list[str]:
        """The names of the states of all layers together."""
        return state_names(self.options.cell, self.options.layers)

    def initial_states(self, batch: int | tf.Tensor) -> list[tf.Tensor]:
        """Zeros `(batch, units)` for each state."""
        return self.recurrent.get_initial_state(batch)

    def steps_of_bar(self, metre: str) -> int:
        """Time steps in a bar, or 0 if that is not a whole number."""
        ticks = round(self.step_quarters * TICKS)
        return 0 if bar_length(metre) % ticks else bar_length(metre) // ticks

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        notes = inputs["notes"]
        before = with_beginning(as_roll(notes))[:, :-1]
        conditions = inputs["key"], inputs["metre"], inputs["place"]
        outputs, _ = self.read(before, *conditions, self.initial_states(tf.shape(notes)[0]), training=training)
        return self.distribution(self.drop(outputs, training=training), notes)

    def read(
        self,
        before: tf.Tensor,
        key: tf.Tensor,
        metre: tf.Tensor,
        place: tf.Tensor,
        states: Tensors,
        mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Outputs of the last layer `(batch, time, units)` and the states after the last step.

        Args:
            before: Float32 `(batch, time, 89)`: the step before each step, see `with_beginning`.
            key, metre, place: As for `call`.
            states: The states before, see `initial_states`.
            mask: Bool `(batch, time)`: a step where it is false changes no state.
            training: Whether dropout is on.
        """
        time = tf.shape(before)[1]
        known = tf.cast(metre > 0, tf.float32)[:, None, None]
        bar = tf.one_hot(metre - 1, max(1, len(self.metres)))
        features = [
            before,
            _repeated(tf.one_hot(key - 1, KEYS), time),
            _repeated(bar, time),
            known * tf.one_hot(tf.minimum(place, _POSITIONS - 1), _POSITIONS),
        ]
        steps = self.reading(tf.concat(features, axis=-1))
        outputs, *after = self.recurrent(steps, initial_state=list(states), mask=mask, training=training)
        return outputs, after

    def get_config(self) -> dict[str, Any]:
        own = {"step": self.step_quarters, "voices": self.voices, "metres": list(self.metres)}
        return {**super().get_config(), **own, **as_json(self.options)}


def with_beginning(roll: tf.Tensor) -> tf.Tensor:
    """A piano roll `(batch, time, 88)` after the step that stands for its beginning: `(batch, time + 1, 89)`."""
    batch = tf.shape(roll)[0]
    begin = tf.concat([tf.zeros([batch, 1, NOTES]), tf.ones([batch, 1, 1])], axis=-1)
    return tf.concat([begin, tf.pad(roll, [[0, 0], [0, 0], [0, 1]])], axis=1)


def _repeated(features: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
    return tf.repeat(features[:, None], time, axis=1)
