"""Batches of melodies: padded, and in training transposed at random, with keys that are sometimes withheld."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from rnnapps.apps.music.batches import ROUNDED, WITHHELD, in_order, shuffled
from rnnapps.apps.music.keys import key_of, transposed_key
from rnnapps.apps.music.melody_model import MelodyModel
from rnnapps.apps.music.melody_tokens import END, FIRST_LENGTH, FIRST_PITCH, PAD, melody_of
from rnnapps.datasets import DataError, Pieces

_HEADER = 2  # tokens: key and metre


class Melody(NamedTuple):
    """The melody of a piece.

    Attributes:
        tokens: Int32 `(tokens,)`, without key, metre and end.
        key: Its number, or None.
        metre: Its time signature; "" where it is unknown.
    """

    tokens: np.ndarray
    key: int | None
    metre: str


class MelodyBatches:
    """Batches of whole melodies, see `rnnapps.training.Batches`.

    A batch is `(inputs, targets)`, both int32 `(batch, time)`: key, metre and melody, and for each the token after it;
    `PAD` for padding, and where the target is given to the model. In training each melody is transposed at
    random, within the range of the piano, and half of them have their key withheld. For validation the key is
    always withheld, because it is estimated from the whole piece.

    Args:
        model: The model.
        melodies: The melodies.
        batch_size: Melodies in a batch.
        seed: For training: determines order and transposition. None: each melody once, unchanged.
        transpose: Maximum number of semitones up or down.
    """

    def __init__(
        self,
        model: MelodyModel,
        melodies: list[Melody],
        batch_size: int,
        seed: int | None = None,
        transpose: int = 0,
    ) -> None:
        self.model, self.batch_size, self.seed, self.transpose = model, batch_size, seed, transpose
        self.melodies = melodies if seed is not None else [melody._replace(key=None) for melody in melodies]
        self.steps = -(-len(melodies) // batch_size)

    def epoch(self, n: int) -> tf.data.Dataset:
        """The batches of epoch `n`."""
        tokens = tf.TensorSpec([None, None], tf.int32)
        made = tf.data.Dataset.from_generator(lambda: self._batches(n), output_signature=(tokens, tokens))
        return made.apply(tf.data.experimental.assert_cardinality(self.steps)).prefetch(2)

    def _batches(self, n: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        lengths = np.array([len(melody.tokens) for melody in self.melodies])
        if self.seed is None:
            for places in in_order(lengths, self.batch_size):
                yield padded(self.model, [self.melodies[place] for place in places])
            return
        random = np.random.default_rng([self.seed, n])
        for places in shuffled(lengths, self.batch_size, random):
            yield padded(self.model, [self._varied(self.melodies[place], random) for place in places])

    def _varied(self, melody: Melody, random: np.random.Generator) -> Melody:
        semitones = int(random.integers(-self.transpose, self.transpose + 1))
        withheld = random.random() < WITHHELD
        is_pitch = (melody.tokens >= FIRST_PITCH) & (melody.tokens < FIRST_LENGTH)
        pitches = melody.tokens[is_pitch]
        semitones = int(np.clip(semitones, FIRST_PITCH - pitches.min(), FIRST_LENGTH - 1 - pitches.max()))
        tokens = melody.tokens + semitones * is_pitch.astype(np.int32)
        key = None if melody.key is None or withheld else transposed_key(melody.key, semitones)
        return melody._replace(tokens=tokens, key=key)


def melodies_of(split: Pieces) -> list[Melody]:
    """The top voices of a split's pieces; those without a note are left out.

    Raises:
        DataError: All of them are without a note.
    """
    found = []
    for piece in split.pieces:
        tokens = np.array(melody_of(piece), np.int32)
        if len(tokens):
            # All voices together say more about the key than the melody alone.
            found.append(Melody(tokens, key_of(piece.notes[:, 2].tolist()), piece.metre))
    if not found:
        raise DataError(f"{split.name}: there are no notes in the {split.split} pieces")
    return found


def padded(model: MelodyModel, melodies: list[Melody]) -> tuple[np.ndarray, np.ndarray]:
    """Melodies as one batch: inputs and targets."""
    longest = _HEADER + max(len(melody.tokens) for melody in melodies)
    longest = -(-longest // ROUNDED) * ROUNDED
    inputs = np.full((len(melodies), longest), PAD, np.int32)
    targets = np.full((len(melodies), longest), PAD, np.int32)
    for row, melody in enumerate(melodies):
        end = _HEADER + len(melody.tokens)
        inputs[row, :end] = [model.key_token(melody.key), model.metre_token(melody.metre), *melody.tokens]
        targets[row, _HEADER - 1 : end] = [*melody.tokens, END]
    return inputs, targets
