"""Recordings of your own with their texts; `rnnapps.datasets.transcript_lists` says in which layouts.

A validation or test split that the data do not name is held out from the rest: a tenth, fixed by the seed; in whole
speakers where these are known, otherwise so that equal texts are in one split.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnnapps.audio import read_audio
from rnnapps.audio.audio_files import BEYOND
from rnnapps.datasets.examples import Transcripts
from rnnapps.datasets.normalisation import Normalisation
from rnnapps.datasets.recording_checks import checked_recording
from rnnapps.datasets.rejected import DataError, Rejected, first_of
from rnnapps.datasets.sources import TranscriptSource
from rnnapps.datasets.speakers import Speakers, fill_splits, remarks
from rnnapps.datasets.splits import named_parts, places_of
from rnnapps.datasets.transcript_lists import Utterance, list_transcripts
from rnnapps.errors import UserError

_UNKNOWN = "speakers are unknown, so a speaker may be in several splits"


def normalisation_of(source: TranscriptSource) -> Normalisation:
    """What a source does to the texts."""
    return Normalisation(source.case, source.punctuation, source.digits, source.language, source.alphabet)


def read_transcripts(path: Path, source: TranscriptSource, splits: Sequence[str]) -> dict[str, Transcripts]:
    """Reads your own recordings with their texts, and divides them. Only the splits wanted are decoded.

    Args:
        path: A manifest or a folder.
        source: How to read and divide it.
        splits: The splits wanted, or "all".

    Raises:
        DataError: There is nothing usable, a split is empty, or (with `source.strict`) a row or file is bad.
    """
    listing = list_transcripts(path)
    rejected: list[Rejected] = list(listing.rejected)
    normalise, kept, texts = normalisation_of(source), [], []
    for utterance in listing.utterances:
        try:
            texts.append(normalise(utterance.text).encode())
            kept.append(utterance)
        except ValueError as error:
            rejected.append(utterance.rejected(str(error)))
    if rejected and source.strict:
        raise DataError(str(rejected[0]))
    if not kept:
        raise DataError(f"{path}: no recording with a text{first_of(rejected, 'row', 'rows')}")
    parts, notes = None, list(listing.notes)
    if "all" not in splits:
        parts, said = _parts(path, kept, texts, source, advise="train" in splits)
        notes += said
    made = {}
    for split in splits:
        chosen = places_of(split, parts, len(kept), path, ("recording", "recordings")).tolist()
        waveforms, good, bad = _decoded([kept[place] for place in chosen], source)
        if not good:
            every = [*rejected, *bad]
            raise DataError(
                f"{path}: none of the {len(chosen)} recordings of the {split} split can be used: {every[0]}"
            )
        usable = [chosen[place] for place in good]
        made[split] = Transcripts(
            waveforms,
            [texts[place] for place in usable],
            tuple(kept[place].name for place in usable),
            source.sample_rate,
            source.dataset,
            split,
            (*rejected, *bad),
            tuple(notes),
        )
    return made


def _decoded(
    utterances: Sequence[Utterance], source: TranscriptSource
) -> tuple[list[np.ndarray], list[int], list[Rejected]]:
    """The waveforms of those that could be read, their places, and what is wrong with the others."""
    waveforms: list[np.ndarray] = []
    good: list[int] = []
    bad: list[Rejected] = []
    last: tuple[Path, np.ndarray] | None = None  # parts of a long recording follow one another
    for place, utterance in enumerate(utterances):
        try:
            if last is None or last[0] != utterance.path:
                last = utterance.path, read_audio(utterance.path, source.sample_rate)
            waveforms.append(cut_out(last[1], utterance, source.sample_rate))
            good.append(place)
        except UserError as error:
            rejected = utterance.rejected(str(error))
            if source.strict:
                raise DataError(str(rejected)) from None
            bad.append(rejected)
    return waveforms, good, bad


def cut_out(samples: np.ndarray, utterance: Utterance, sample_rate: int) -> np.ndarray:
    """The samples of an utterance, int16, from those of its recording.

    Raises:
        UserError: It does not lie in the recording, is too short, or is silent.
    """
    seconds = len(samples) / sample_rate
    if utterance.start >= seconds:
        raise UserError(f"{utterance.path}: 'start' is {utterance.start:g} s, but the file is {seconds:.2f} s long")
    if utterance.end is not None and utterance.end > seconds + BEYOND:
        raise UserError(f"{utterance.path}: 'end' is {utterance.end:g} s, but the file is {seconds:.2f} s long")
    end = len(samples) if utterance.end is None else round(utterance.end * sample_rate)
    part = samples[round(utterance.start * sample_rate) : end]
    return checked_recording(part, sample_rate, utterance.path)


def _parts(
    path: Path, utterances: Sequence[Utterance], texts: Sequence[bytes], source: TranscriptSource, *, advise: bool
) -> tuple[np.ndarray, list[str]]:
    """The split of each recording, an index into `SPLITS`, and remarks on its speakers."""
    parts, _, missing = named_parts(path, [utterance.split for utterance in utterances])
    labels: np.ndarray = np.zeros(len(utterances), np.int64)
    speakers = None
    if any(utterance.speaker for utterance in utterances):
        # A recording of which the speaker is not known counts as one by somebody else.
        speakers = Speakers([one.speaker or f"{one.name} {number}" for number, one in enumerate(utterances)], "")
    whole = fill_splits(speakers, texts, labels, parts, missing, source.seed)
    start = "spoken_phrases" if advise else None
    return parts, remarks(speakers, parts, missing, whole=whole, unknown=_UNKNOWN, start=start)
