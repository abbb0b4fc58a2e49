"""Writing music: reads a prime, then draws step after step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from rnnapps.apps.music.cli import LONGEST
from rnnapps.apps.music.conditions import key_index, metre_index
from rnnapps.apps.music.model import ChordModel, with_beginning
from rnnapps.apps.music.note_distribution import as_roll
from rnnapps.apps.music.time_steps import read_steps, written_steps
from rnnapps.assertions import asserted
from rnnapps.decoding import uniform

Tensors = Sequence[tf.Tensor]


class Position(NamedTuple):
    """The position in pieces: what is needed to continue them.

    Attributes:
        last: Float32 `(batch, 89)`, the last step, which has not been read.
        number: Int32 `(batch,)`, the number of the next step.
        states: The states before the last step.
    """

    last: tf.Tensor
    number: tf.Tensor
    states: list[tf.Tensor]


class Conditions(NamedTuple):
    """What the model is told about pieces.

    Attributes:
        key, metre: Int32 `(batch,)`, see `ChordModel`.
        bar: Int32 `(batch,)`, time steps in a bar.
    """

    key: tf.Tensor
    metre: tf.Tensor
    bar: tf.Tensor


def conditions(model: ChordModel, key: tf.Tensor, metre: tf.Tensor) -> Conditions:
    """The conditions that texts name. A key may be ""; a metre that the model has not learnt only sets the bar.

    Args:
        model: The model.
        key: String `(batch,)`, such as "G major", or "" for none.
        metre: String `(batch,)`, such as "3/4"; "" for 4/4.
    """
    index, quarters = metre_index(metre, model.metres)
    steps = quarters / model.step_quarters
    whole = tf.reduce_all(tf.abs(steps - tf.round(steps)) < 1e-3) & tf.reduce_all(steps > 0.5)
    (steps,) = asserted(
        [steps], whole, f"a bar must be a whole number of time steps of {model.step_quarters:g} quarters"
    )
    return Conditions(key_index(key), index, tf.cast(tf.round(steps), tf.int32))


def after(model: ChordModel, prime: tf.Tensor, told: Conditions) -> Position:
    """Reads primes, string `(batch,)`, see `rnnapps.apps.music.time_steps`; only the last steps of long ones."""
    notes, lengths = read_steps(prime)
    steps = with_beginning(as_roll(notes))
    last = tf.gather(steps, lengths, batch_dims=1)
    time = tf.shape(notes)[1]
    place = tf.range(time) % told.bar[:, None]
    states = model.initial_states(tf.shape(prime)[0])
    mask = tf.sequence_mask(lengths, time)
    _, states = model.read(steps[:, :-1], told.key, told.metre, place, states, mask=mask)
    return Position(last, lengths, states)


def one_step(
    model: ChordModel, position: Position, told: Conditions, randoms: tf.Tensor, temperature: tf.Tensor
) -> tuple[tf.Tensor, Position]:
    """Draws the next step.

    Args:
        model: The model.
        position: The position in the pieces.
        told: The conditions.
        randoms: Float32 `(batch, voices)`, from 0 to 1.
        temperature: Float32 `(batch,)`.

    Returns:
        Notes, int32 `(batch, voices)`, and the new position.
    """
    place = (position.number % told.bar)[:, None]
    outputs, states = model.read(position.last[:, None], told.key, told.metre, place, position.states)
    notes = model.distribution.draw(outputs[:, 0], randoms, temperature)
    return notes, Position(tf.pad(as_roll(notes), [[0, 0], [0, 1]]), position.number + 1, states)


def generate(
    model: ChordModel,
    prime: tf.Tensor,
    bars: tf.Tensor,
    key: tf.Tensor,
    metre: tf.Tensor,
    temperature: tf.Tensor,
    seed: tf.Tensor,
) -> tf.Tensor:
    """The continuations of primes, without the primes.

    Args:
        model: The model.
        prime: String `(batch,)`, see `rnnapps.apps.music.time_steps`; "" for none.
        bars: Int32 `(batch,)`, the bars to write; the first of them completes the bar that the prime ends in.
        key, metre: String `(batch,)`, see `conditions`.
        temperature, seed: `(batch,)`.

    Returns:
        String `(batch,)`, time steps.
    """
    told = conditions(model, key, metre)
    position = after(model, prime, told)
    wanted = tf.clip_by_value(bars * told.bar - position.number % told.bar, 0, LONGEST)
    count = tf.reduce_max(tf.concat([wanted, [0]], axis=0))
    randoms = uniform(seed, wanted * model.voices, count * model.voices)
    randoms = tf.abs(tf.reshape(randoms, [-1, count, model.voices]))

    def body(number: tf.Tensor, written: tf.Tensor, *nest: tf.Tensor) -> tuple:
        last, place, *states = nest
        notes, new = one_step(model, Position(last, place, states), told, randoms[:, number], temperature)
        text = tf.where(number < wanted, written_steps(notes), "")
        written = tf.strings.join([written, text], separator=" ")
        return number + 1, written, new.last, new.number, *new.states

    begin = (tf.constant(0), tf.fill(tf.shape(prime), ""), position.last, position.number, *position.states)
    _, written, *_ = tf.while_loop(lambda number, *_: number < count, body, begin)
    return tf.strings.strip(written)
