"""Recordings of the Free Spoken Digit Dataset, such as 7/7_jackson_32.wav, and the choice of those to test on."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def speaker_of(file: Path) -> str:
    """The speaker of a recording."""
    return file.stem.split("_")[1]


def number_of(file: Path) -> int:
    """The number of a recording among those of its digit and speaker."""
    return int(file.stem.split("_")[2])


def tests(recordings: Sequence[Path], left_out: Sequence[str] | None) -> Iterator[tuple[str, set[Path]]]:
    """The test sets: a name and its recordings, one pair per training.

    Args:
        recordings: All recordings.
        left_out: Speakers to test on, separated by commas if there are several in one test set; each speaker in turn if
            empty. None tests on recordings 0 to 4 of all speakers.
    """
    if left_out is None:
        yield "recordings 0-4", {file for file in recordings if number_of(file) < 5}
        return
    known = sorted({speaker_of(file) for file in recordings})
    for name in left_out or known:
        if unknown := set(name.split(",")) - set(known):
            sys.exit(f"--leave-out: no speaker {min(unknown)!r}; there are {', '.join(known)}")
        yield name, {file for file in recordings if speaker_of(file) in name.split(",")}
