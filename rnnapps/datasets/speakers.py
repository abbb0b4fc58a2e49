"""Who speaks in a recording, as far as file names show, and splits that share no speaker.

A model that is tested on voices that it was trained on looks better than it is. Names are read conservatively: a rule
must fit every recording, and the speakers that it finds must each have recordings of several classes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from rnnapps.datasets.splits import SPLIT_NAMES, SPLITS, held_out_size, hold_out, text_hash

_FEW = 8  # speakers; with so few a model learns little about voices
_SPEECH_COMMANDS = re.compile(r"([0-9a-f]{8})_nohash_\d+", re.IGNORECASE)
_NAMED = re.compile(r"(?:speaker|spkr?|actor|subject|user|talker)[-_ ]?\w+", re.IGNORECASE)
_LETTERS_AND_NUMBER = re.compile(r"([^\W\d_]+)[-_ ]?\d+")


class Speakers(NamedTuple):
    """The speaker of each recording.

    Attributes:
        of: The speaker of each recording.
        rule: How they were recognised, as the end of a sentence; "" if the data name them.
    """

    of: Sequence[str]
    rule: str

    @property
    def number(self) -> int:
        """The number of speakers."""
        return len(set(self.of))


def recognised(names: Sequence[str], labels: Sequence[str]) -> Speakers | None:
    """Recognises speakers in the names of recordings.

    Args:
        names: The path of each recording below the folder of the data, with forward slashes.
        labels: The label of each.

    Returns:
        The speakers; None if no rule fits, or several rules disagree.

    Example:
        >>> names = [f"{digit}/{digit}_{name}_{n}.wav" for digit in "01" for name in ("ann", "bob") for n in "12"]
        >>> recognised(names, [name[0] for name in names]).of[:4]
        ('ann', 'ann', 'bob', 'bob')
    """
    paths = [PurePosixPath(name) for name in names]
    stems = [path.stem for path in paths]
    if all(matches := [_SPEECH_COMMANDS.fullmatch(stem) for stem in stems]):
        of = tuple(match[1].lower() for match in matches if match)
        return Speakers(of, f"the file names ({of[0]!r} in {names[0]!r})") if len(set(of)) > 1 else None
    candidates = [*_in_folders(paths), *_in_tokens(stems, labels)]
    # What calls itself a speaker goes before what only may be one.
    named = [of for of in candidates if all(map(_NAMED.fullmatch, of))]
    found = [of for of in named or candidates if _several_speak(of, labels)]
    if not found or any(not _same_groups(of, found[0]) for of in found[1:]):
        return None
    return Speakers(found[0], f"the file names ({found[0][0]!r} in {names[0]!r})")


def hold_out_speakers(
    of: Sequence[str],
    labels: np.ndarray,
    parts: np.ndarray,
    missing: Sequence[str],
    seed: int,
) -> bool:
    """Moves whole speakers from the train split to the splits that are missing, in place.

    Each missing split gets speakers until it has a tenth of the recordings, and never more than two tenths, or twice
    the recordings of the smallest speaker: who has most of the recordings stays in train. A class never loses its last
    recordings in train.

    Args:
        of: The speaker of each recording.
        labels: The class number of each.
        parts: The split of each, an index into `SPLITS`; changed in place where this returns True.
        missing: The splits to fill.
        seed: Decides which speakers are held out.

    Returns:
        Whether there were enough speakers.
    """
    train = np.flatnonzero(parts == SPLITS.index("train"))
    members: dict[str, list[int]] = defaultdict(list)
    for index in train.tolist():
        members[of[index]].append(index)
    size, counts = held_out_size(len(train)), np.bincount(labels[train])
    divided = parts.copy()
    waiting = sorted(members, key=lambda speaker: text_hash(speaker.encode(errors="surrogateescape"), seed))
    for number, split in enumerate(missing):
        taken, most = 0, 2 * max(size, min(len(members[speaker]) for speaker in waiting))
        for speaker in list(waiting):
            # The splits to come, train among them, need a speaker each.
            if taken >= size or len(waiting) <= len(missing) - number:
                break
            own = np.bincount(labels[members[speaker]], minlength=len(counts))
            if taken + len(members[speaker]) <= most and np.all((own == 0) | (own < counts)):
                waiting.remove(speaker)
                counts -= own
                divided[members[speaker]] = SPLITS.index(split)
                taken += len(members[speaker])
        if not taken:
            return False
    parts[:] = divided
    return True


def fill_splits(
    speakers: Speakers | None,
    contents: Sequence[bytes],
    labels: np.ndarray,
    parts: np.ndarray,
    missing: Sequence[str],
    seed: int,
) -> bool:
    """Holds out the splits that are missing, in place: whole speakers where there are enough, otherwise by class.

    Args:
        speakers: The speaker of each recording; None if they are unknown.
        contents: What the place of each recording follows from where speakers are not kept whole.
        labels, parts, missing, seed: As for `hold_out_speakers`.

    Returns:
        Whether speakers are whole in the splits that were missing.
    """
    if not missing:
        return False
    if speakers is not None and hold_out_speakers(speakers.of, labels, parts, missing, seed):
        return True
    train = np.flatnonzero(parts == SPLITS.index("train"))
    parts[train] = hold_out([contents[place] for place in train.tolist()], labels[train], missing, seed)
    return False


def remarks(
    speakers: Speakers | None,
    parts: np.ndarray,
    missing: Sequence[str],
    *,
    whole: bool,
    unknown: str,
    start: str | None,
) -> list[str]:
    """What is to be said about speakers: who they are, whether splits share them, and whether they are few.

    Args:
        speakers: The speakers.
        parts: The split of each recording, an index into `SPLITS`.
        missing: The splits that were held out.
        whole: What `fill_splits` returned.
        unknown: The line for unknown speakers.
        start: What `--start-from` could take where speakers are few; None says nothing of that.
    """
    if speakers is None:
        return [unknown] if missing else []
    said = [f"{speakers.number:,} speaker{'s' * (speakers.number != 1)}{' by ' * bool(speakers.rule)}{speakers.rule}"]
    why = ", since there are too few to hold any out" if missing and not whole else ""
    if warning := torn_warning(speakers.of, parts, why):
        said.append(warning)
    elif whole:
        said[0] += "; all recordings of a speaker are in one split"
    if start is not None and (remark := few_remark(speakers.number, start)):
        said.append(remark)
    return said


def torn(of: Sequence[str], parts: np.ndarray) -> list[tuple[str, list[str]]]:
    """The speakers that are in several splits, with the names of these splits."""
    heard: dict[str, set[int]] = defaultdict(set)
    for speaker, part in zip(of, parts.tolist(), strict=True):
        heard[speaker].add(part)
    return [(speaker, [SPLITS[part] for part in sorted(found)]) for speaker, found in heard.items() if len(found) > 1]


def few_remark(number: int, start: str) -> str:
    """A line for those whose speakers are few, otherwise "": `start` names what `--start-from` then takes."""
    if number > _FEW:
        return ""
    few = "1 speaker is little" if number == 1 else f"{number} speakers are few"
    return f"{few} to learn from: --start-from {start} helps with new speakers"


def torn_warning(of: Sequence[str], parts: np.ndarray, why: str = "") -> str:
    """A line that names a speaker who is in several splits; "" if there is none.

    Args:
        of: The speaker of each recording.
        parts: The split of each, an index into `SPLITS`.
        why: The reason, after a comma.
    """
    shared = torn(of, parts)
    if not shared:
        return ""
    speaker, splits = shared[0]
    others = f" and {len(shared) - 1:,} more are" if len(shared) > 1 else " is"
    return (
        f"warning: speaker {speaker!r} ({', '.join(splits)}){others} in several splits{why}; figures will look"
        " better than they are for new speakers"
    )


def _in_folders(paths: Sequence[PurePosixPath]) -> Iterator[tuple[str, ...]]:
    """The folders of recordings, level by level, where all recordings are equally deep."""
    depths = {len(path.parts) for path in paths}
    if len(depths) == 1:
        for level in range(depths.pop() - 1):
            found = tuple(path.parts[level] for path in paths)
            if not all(folder.lower() in SPLIT_NAMES for folder in found):
                yield found


def _in_tokens(stems: Sequence[str], labels: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The parts of file names that may be speakers: not a number, except between label and running number."""
    for separator in ("_", "-", r"[-_.\s]+"):
        tokens = [re.split(separator, stem) for stem in stems]
        if len({len(parts) for parts in tokens}) == 1 and len(tokens[0]) > 1:
            begins_with_label = all(
                parts[0].lower() == label.lower() for parts, label in zip(tokens, labels, strict=True)
            )
            for place, found in enumerate(zip(*tokens, strict=True)):
                label_number_number = begins_with_label and place == 1 and len(tokens[0]) == 3
                if label_number_number or not any(token.isdigit() for token in found):
                    yield _without_counters(found)
            return
    if not any(stem.isdigit() for stem in stems):
        yield _without_counters(tuple(stems))


def _without_counters(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """The names before running numbers, as in ann1, ann2, bob1; s1 and s2 are names themselves."""
    matches = [_LETTERS_AND_NUMBER.fullmatch(token) for token in tokens]
    names = tuple(match[1] for match in matches if match)
    if len(names) == len(tokens) and len(set(names)) > 1 and all(len(name) > 1 for name in names):
        return names
    return tokens


def _several_speak(of: Sequence[str], labels: Sequence[str]) -> bool:
    classes: dict[str, set[str]] = defaultdict(set)
    for speaker, label in zip(of, labels, strict=True):
        classes[speaker].add(label)
    return len(classes) > 1 and all(len(spoken) > 1 for spoken in classes.values())


def _same_groups(one: Iterable[str], other: Iterable[str]) -> bool:
    pairs = set(zip(one, other, strict=True))
    return len(pairs) == len({first for first, _ in pairs}) == len({second for _, second in pairs})
