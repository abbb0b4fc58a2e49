"""Time steps as text, in the graph: "60,64,67 - 62,65" is three steps, the second of them silent."""

from __future__ import annotations

import tensorflow as tf

from rnnapps.apps.music.note_distribution import NONE, NOTES
from rnnapps.assertions import asserted
from rnnapps.datasets.music_files import HIGHEST, LOWEST

_STEP = r"-|\d{1,3}(,\d{1,3})*"


def read_steps(text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Parses texts; a text in any other form is an error in the graph.

    Args:
        text: String `(batch,)`.

    Returns:
        Notes from 0 to 87, then `NONE`, int32 `(batch, time, voices)`, and the number of steps of each row, int32
        `(batch,)`.
    """
    steps = tf.strings.split(tf.strings.strip(text))
    good = tf.reduce_all(tf.strings.regex_full_match(steps.values, _STEP))
    form = f"prime must be time steps such as 60,64,67 - 62, each MIDI pitches from {LOWEST} to {HIGHEST}"
    (flat,) = asserted([steps.values], good, form)
    numbers = tf.strings.split(tf.where(flat == "-", "", flat), ",")
    pitches = numbers.with_values(tf.strings.to_number(tf.where(numbers.values == "", "0", numbers.values), tf.int32))
    silent = numbers.values == ""
    within = silent | ((pitches.values >= LOWEST) & (pitches.values <= HIGHEST))
    (values,) = asserted([pitches.values], tf.reduce_all(within), form)
    notes = pitches.with_values(tf.where(silent, NONE, values - LOWEST)).to_tensor(NONE)
    return steps.with_values(notes).to_tensor(NONE), tf.cast(steps.row_lengths(), tf.int32)


def written_steps(notes: tf.Tensor) -> tf.Tensor:
    """The text of each step.

    Args:
        notes: Int32 `(..., voices)`, from 0 to 87, ascending, then `NONE`.

    Returns:
        String `(...)`.
    """
    names = tf.constant([str(LOWEST + number) for number in range(NOTES)] + [""])
    text = tf.strings.reduce_join(tf.gather(names, notes), axis=-1, separator=",")
    text = tf.strings.regex_replace(text, ",+$", "")
    return tf.where(text == "", "-", text)
