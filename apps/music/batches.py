"""Batches of pieces: padded, and in training transposed at random, with conditions that are sometimes withheld."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rnnapps.apps.music.keys import key_of, transposed_key
from rnnapps.apps.music.model import ChordModel
from rnnapps.apps.music.note_distribution import NONE, NOTES
from rnnapps.datasets import Pieces
from rnnapps.datasets.pieces import LOWEST, TICKS

WITHHELD = 0.5  # share of the training pieces whose key the model is not told
ROUNDED = 16  # steps; batches have few lengths


class Arrays(NamedTuple):
    """A piece as arrays.

    Attributes:
        notes: Int32 `(steps, voices)`, 0 to 87, ascending, then `NONE`.
        key: Its number, or None.
        metre: Its place in the model's metres plus 1, or 0.
        place: Int32 `(steps,)`: the place of each step in its bar.
    """

    notes: np.ndarray
    key: int | None
    metre: int
    place: np.ndarray


class PieceBatches:
    """Batches of whole pieces, see `rnnapps.training.Batches`.

    A batch is `(inputs, targets)`: see `ChordModel` and `rnnapps.apps.music.losses`. In training each piece is
    transposed at random, within the range of the piano, and half of the pieces have their key withheld. For
    validation the key is always withheld, because it is estimated from the whole piece.

    Args:
        model: The model.
        split: The pieces.
        batch_size: Pieces in a batch.
        seed: For training: determines order and transposition. None: each piece once, unchanged.
        transpose: Maximum number of semitones up or down.
    """

    def __init__(
        self, model: ChordModel, split: Pieces, batch_size: int, seed: int | None = None, transpose: int = 0
    ) -> None:
        pieces = arrays_of(model, split)
        self.pieces = pieces if seed is not None else [piece._replace(key=None) for piece in pieces]
        self.batch_size, self.seed, self.transpose = batch_size, seed, transpose
        self.voices = max([model.voices, *(piece.notes.shape[1] for piece in self.pieces)])
        self.steps = -(-len(self.pieces) // batch_size)

    def epoch(self, n: int) -> tf.data.Dataset:
        """The batches of epoch `n`."""
        notes = tf.TensorSpec([None, None, self.voices], tf.int32)
        one, place = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32)
        inputs = {"notes": notes, "key": one, "metre": one, "place": place}
        targets = tf.TensorSpec([None, None, NOTES], tf.float32)
        made = tf.data.Dataset.from_generator(lambda: self._batches(n), output_signature=(inputs, targets))
        return made.apply(tf.data.experimental.assert_cardinality(self.steps)).prefetch(2)

    def _batches(self, n: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        lengths = np.array([len(piece.notes) for piece in self.pieces])
        if self.seed is None:
            for places in in_order(lengths, self.batch_size):
                yield padded([self.pieces[place] for place in places], self.voices)
            return
        random = np.random.default_rng([self.seed, n])
        for places in shuffled(lengths, self.batch_size, random):
            yield padded([self._varied(self.pieces[place], random) for place in places], self.voices)

    def _varied(self, piece: Arrays, random: np.random.Generator) -> Arrays:
        semitones = int(random.integers(-self.transpose, self.transpose + 1))
        withheld = random.random() < WITHHELD
        sounding = piece.notes[piece.notes != NONE]
        if not len(sounding):
            return piece
        semitones = int(np.clip(semitones, -sounding.min(), NOTES - 1 - sounding.max()))
        notes = np.where(piece.notes == NONE, NONE, piece.notes + semitones)
        key = None if piece.key is None or withheld else transposed_key(piece.key, semitones)
        return piece._replace(notes=notes, key=key)


def in_order(lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """The indices of the pieces of each batch, the shortest first."""
    order = np.argsort(lengths, kind="stable")
    for begin in range(0, len(order), batch_size):
        yield order[begin : begin + batch_size]


def shuffled(lengths: np.ndarray, batch_size: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """The indices of the pieces of each batch: similar lengths together, differently in each epoch."""
    order = np.argsort(lengths * random.uniform(0.8, 1.25, len(lengths)), kind="stable")
    for batch in random.permutation(-(-len(lengths) // batch_size)):
        yield order[batch * batch_size : (batch + 1) * batch_size]


def arrays_of(model: ChordModel, split: Pieces) -> list[Arrays]:
    """The pieces of a split as arrays; those without a note are left out."""
    ticks, found = round(split.step * TICKS), []
    for piece, steps in zip(split.pieces, split.steps(), strict=True):
        if not steps:
            continue
        notes = np.full((len(steps), max(map(len, steps))), NONE, np.int32)
        for number, pitches in enumerate(steps):
            notes[number, : len(pitches)] = np.array(pitches, np.int32) - LOWEST
        bar = model.steps_of_bar(piece.metre) if piece.metre in model.metres else 0
        metre = model.metres.index(piece.metre) + 1 if bar else 0
        place = (np.arange(len(steps)) - piece.upbeat // ticks) % max(bar, 1)
        key = key_of(pitch for pitches in steps for pitch in pitches)
        found.append(Arrays(notes, key, metre, place.astype(np.int32)))
    return found


def note_frequencies(split: Pieces) -> np.ndarray:
    """The share of the time steps in which each note sounds, float64 `(88,)`."""
    steps = [pitches for piece in split.steps() for pitches in piece]
    counts = np.bincount([pitch - LOWEST for pitches in steps for pitch in pitches], minlength=NOTES)
    return counts / max(len(steps), 1)


def padded(pieces: list[Arrays], voices: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Pieces as one batch: inputs and targets."""
    longest = max(len(piece.notes) for piece in pieces)
    longest = -(-longest // ROUNDED) * ROUNDED
    notes = np.full((len(pieces), longest, voices), NONE, np.int32)
    place = np.zeros((len(pieces), longest), np.int32)
    roll = np.full((len(pieces), longest, NOTES + 1), -1, np.float32)
    for row, piece in enumerate(pieces):
        length, width = piece.notes.shape
        notes[row, :length, :width] = piece.notes
        place[row, :length] = piece.place
        roll[row, :length] = 0
        roll[row, np.arange(length)[:, None], piece.notes] = 1
    conditions: dict[str, Any] = {
        "key": np.array([0 if piece.key is None else piece.key + 1 for piece in pieces], np.int32),
        "metre": np.array([piece.metre for piece in pieces], np.int32),
    }
    return {"notes": notes, **conditions, "place": place}, roll[..., :NOTES]
