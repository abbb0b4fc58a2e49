"""Writing melodies: reads key, metre and a prime, then draws token after token, so that every bar adds up.

A pitch is followed by a length that fits into what is left of the bar, a full bar by a bar line, and the last requested
bar by the end. The model chooses among the possible tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from rnnapps.apps.music.cli import LONGEST
from rnnapps.apps.music.conditions import key_index, metre_index
from rnnapps.apps.music.melody_model import MelodyModel
from rnnapps.apps.music.melody_tokens import (
    BAR,
    END,
    FIRST_KEY,
    FIRST_LENGTH,
    FIRST_METRE,
    FIRST_PITCH,
    LENGTHS,
    NAMES,
    PAD,
    REST,
    TIE,
    fillable,
)
from rnnapps.assertions import asserted
from rnnapps.datasets.pieces import TICKS
from rnnapps.decoding import IMPOSSIBLE, sample_rows, uniform

_LONGEST_BAR = 128 * TICKS  # of 32/1
_FORM = "prime must be a melody such as G 1 ^F 1/2 z 1/2 |: pitches, each with its length, and bar lines"


class Place(NamedTuple):
    """The position in melodies.

    Attributes:
        left: Int32 `(batch,)`, ticks left in the bar.
        bars: Int32 `(batch,)`, number of bar lines still to come.
        sounding: Int32 `(batch,)`, 1 after a note, which a tie may follow; 0 after a rest and at the beginning.
    """

    left: tf.Tensor
    bars: tf.Tensor
    sounding: tf.Tensor


def conditions(model: MelodyModel, key: tf.Tensor, metre: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The tokens of key and metre, and the ticks of a bar, int32 `(batch,)` each, that texts name.

    Args:
        model: The model.
        key: String `(batch,)`, such as "G major", or "" for none.
        metre: String `(batch,)`, such as "3/4"; "" for 4/4.
    """
    index, quarters = metre_index(metre, model.metres)
    return FIRST_KEY + key_index(key), FIRST_METRE + index, tf.cast(tf.round(quarters * TICKS), tf.int32)


def read_tokens(text: tf.Tensor, complete: bool = True) -> tf.RaggedTensor:
    """Parses texts: ragged int32 `(batch, None)`; a text that is not a melody is an error in the graph.

    Args:
        text: String `(batch,)`.
        complete: Whether each must be a melody, with a length after each pitch, rather than arbitrary tokens.
    """
    words = tf.strings.split(text)
    numbers = tf.where(tf.constant(NAMES) == "", PAD, tf.range(len(NAMES)))
    ids = tf.reduce_sum(tf.where(words.values[:, None] == tf.constant(NAMES), numbers, PAD), axis=1)
    good = tf.reduce_all(ids != PAD)
    if complete:
        # A length follows each pitch, rest and tie, and nothing else.
        takes_length = tf.concat([[False], (ids >= REST) & (ids < FIRST_LENGTH)], axis=0)[:-1]
        begins = words.row_splits[:-1]
        starts = tf.scatter_nd(begins[:, None], tf.ones_like(begins), [tf.size(ids, tf.int64) + 1])[:-1] > 0
        good &= tf.reduce_all((takes_length & ~starts) == _is_length(ids))
        ends = tf.gather(tf.concat([[BAR], ids], axis=0), words.row_limits())
        good &= tf.reduce_all((words.row_lengths() == 0) | _is_length(ends) | (ends == BAR))
    (ids,) = asserted([ids], good, _FORM)
    return words.with_values(ids)


def written_tokens(ids: tf.Tensor) -> tf.Tensor:
    """The text of tokens `(batch, time)`, string `(batch,)`."""
    names = tf.gather(tf.constant([*NAMES, ""]), tf.minimum(ids, len(NAMES)))
    return tf.strings.strip(tf.strings.regex_replace(tf.strings.reduce_join(names, axis=1, separator=" "), " +", " "))


def place_after(ids: tf.RaggedTensor, bar: tf.Tensor, bars: tf.Tensor) -> Place:
    """The position in melodies after primes."""
    dense = ids.to_tensor(PAD)
    bar_lines = tf.cast(dense == BAR, tf.int32)
    in_last = tf.cumsum(bar_lines, axis=1, reverse=True) == 0
    used = tf.reduce_sum(tf.where(in_last, _ticks(dense), 0), axis=1)
    (used,) = asserted([used], tf.reduce_all(used <= bar), "prime: its last bar is longer than the metre allows")
    kinds = tf.where((dense >= REST) & (dense < FIRST_LENGTH), dense, 0)
    places = tf.range(1, 1 + tf.shape(dense)[1])
    latest = tf.argmax(tf.pad(tf.where(kinds > 0, places, 0), [[0, 0], [1, 0]]), axis=1)
    kind = tf.gather(tf.pad(kinds, [[0, 0], [1, 0]], constant_values=REST), latest, batch_dims=1)
    left = bar - used
    # A bar line missing after the prime does not count as one of the requested ones.
    return Place(left, bars + tf.cast((left == 0) & (bars > 0), tf.int32), tf.cast(kind > REST, tf.int32))


def after(place: Place, token: tf.Tensor, bar: tf.Tensor) -> Place:
    """The position in melodies after one more token, int32 `(batch,)`, with bars of `bar` ticks."""
    ends = token == BAR
    left = tf.where(ends, bar, place.left - _ticks(token))
    note = (token >= FIRST_PITCH) & (token < FIRST_LENGTH)
    sounding = tf.where(note, 1, tf.where(token == REST, 0, place.sounding))
    return Place(left, place.bars - tf.cast(ends, tf.int32), sounding)


def possible(model: MelodyModel, place: Place, last: tf.Tensor, counted: bool = True) -> tf.Tensor:
    """Which tokens may follow: bool `(batch, tokens)`.

    Args:
        model: The model; lengths that it has learnt are preferred to others.
        place: The position in melodies after the token `last`.
        last: Int32 `(batch,)`.
        counted: Whether bars have to add up; otherwise a bar line may follow every note.
    """
    numbers = np.arange(model.size)
    ticks = np.zeros(model.size, np.int32)
    ticks[FIRST_LENGTH:FIRST_KEY] = LENGTHS
    learnt = (ticks > 0) & np.isin(ticks, model.lengths)
    pitches = tf.constant((numbers >= FIRST_PITCH) & (numbers < FIRST_LENGTH) | (numbers == REST))
    left = place.left[:, None]
    begun = tf.constant(numbers == TIE) & (place.sounding[:, None] > 0) | pitches
    needs_length = ((last >= REST) & (last < FIRST_LENGTH))[:, None]
    if counted:
        can_fill = tf.constant(fillable(model.lengths, _LONGEST_BAR))
        fits = learnt & (ticks <= left) & tf.gather(can_fill, tf.maximum(left - ticks, 0))
        longest = tf.reduce_max(tf.where(ticks <= left, ticks, 0), axis=1, keepdims=True)
        fits = tf.where(tf.reduce_any(fits, axis=1, keepdims=True), fits, (ticks > 0) & (ticks == longest))
        begun = tf.where(left > 0, begun, tf.constant(numbers == BAR))
    else:
        fits = tf.broadcast_to(tf.constant(learnt), tf.shape(begun))
        begun |= tf.constant(numbers == BAR) & (last != BAR)[:, None]
    begun = tf.where(place.bars[:, None] > 0, begun, tf.constant(numbers == END))
    return tf.where(needs_length, fits, begun)


def next_logits(
    model: MelodyModel, last: tf.Tensor, place: Place, bar: tf.Tensor, states: Sequence[tf.Tensor], counted: bool = True
) -> tuple[tf.Tensor, Place, list[tf.Tensor]]:
    """Reads a token. Returns the logits of the next one, and the place and states after the token."""
    outputs, states = model.step(last, states)
    place = after(place, last, bar)
    return tf.where(possible(model, place, last, counted), model.logits(outputs), IMPOSSIBLE), place, list(states)


def generate(
    model: MelodyModel,
    prime: tf.Tensor,
    bars: tf.Tensor,
    key: tf.Tensor,
    metre: tf.Tensor,
    temperature: tf.Tensor,
    seed: tf.Tensor,
    counted: bool = True,
) -> tf.Tensor:
    """The continuations of primes, without the primes.

    Args:
        model: The model.
        prime: String `(batch,)`, see `rnnapps.apps.music.melody_tokens`; "" for none.
        bars: Int32 `(batch,)`, the bars to write; the first of them completes the bar that the prime ends in.
        key, metre: String `(batch,)`, see `conditions`.
        temperature, seed: `(batch,)`.
        counted: Whether bars have to add up, see `possible`.

    Returns:
        String `(batch,)`, tokens.
    """
    key_token, metre_token, bar = conditions(model, key, metre)
    bars = tf.clip_by_value(bars, 0, LONGEST * TICKS // bar)
    ids = read_tokens(prime)
    header = tf.stack([key_token, metre_token], axis=1)
    read = tf.concat([tf.RaggedTensor.from_tensor(header), ids], axis=1)
    lengths = tf.cast(read.row_lengths(), tf.int32)
    dense = read.to_tensor(PAD)
    last = tf.gather(dense, lengths - 1, batch_dims=1)
    mask = tf.sequence_mask(lengths - 1, tf.shape(dense)[1] - 1)
    _, states = model.read(dense[:, :-1], model.initial_states(tf.shape(dense)[0]), mask=mask)
    # The first step reads the last token, so the place must not count it yet.
    place = place_after(ids, bar, bars)
    place = place._replace(
        left=tf.where(last == BAR, 0, place.left + _ticks(last)), bars=place.bars + tf.cast(last == BAR, tf.int32)
    )

    def step(token: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        left, remaining, sounding, *own = states
        logits, place, own = next_logits(model, token, Place(left, remaining, sounding), bar, own, counted)
        return logits, [*place, *own]

    most = (bars + 1) * (2 * (bar // min(model.lengths) + len(LENGTHS)) + 1) + 1
    count = tf.reduce_max(tf.concat([most, [0]], axis=0))
    found = sample_rows(step, last, [*place, *states], uniform(seed, most, count), temperature, end=END, pad=PAD)
    return written_tokens(found.ids)


def _is_length(ids: tf.Tensor) -> tf.Tensor:
    return (ids >= FIRST_LENGTH) & (ids < FIRST_KEY)


def _ticks(ids: tf.Tensor) -> tf.Tensor:
    """The length that each token stands for, int32; 0 for other tokens."""
    return tf.gather(tf.constant([0, *LENGTHS]), tf.where(_is_length(ids), ids - FIRST_LENGTH + 1, 0))
