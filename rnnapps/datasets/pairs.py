"""Sentence pairs of your own: two files of lines, or a TSV with a pair on each line.

The layouts: a file of sentences and a file with the translation of each line; a `.tsv` file with source and target
separated by a tab (no header, no quoting, further columns ignored); or a folder with such files for the splits,
`train.tsv`, `validation.tsv`, `test.tsv`. Text is UTF-8. Pairs with an empty side or with bytes that are not UTF-8 are
rejected, and in the train split also those of more than 1,500 characters or with more than nine times as many
characters on one side as on the other.

Where the data have no validation part, a validation and a test split are held out, a tenth each, at most 2,000 pairs.
Data with a validation part and no test part have no test split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import NamedTuple

from rnnapps.datasets.examples import Pairs
from rnnapps.datasets.lines import START, examined, lines_after
from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.source_paths import files_of
from rnnapps.datasets.sources import PairSource
from rnnapps.datasets.splits import SPLITS, hold_out, part_paths

# What a training pair may be: the rules and figures of Moses's clean-corpus-n.perl as people use it, 250 words and a
# ratio of 9, but in characters (6 a word), which are fair to compounds and to scripts without spaces.
MOST_CHARACTERS, HIGHEST_RATIO = 1500, 9
_SHORT = 10  # characters; below that a ratio says little
_HELD_OUT_AT_MOST = 2000  # pairs: BLEU needs no more, and a large corpus should not lose a tenth to it

# The files of a part: one of pairs, or one of sources and one of targets.
Files = tuple[Path, ...]


class GoodPairs(NamedTuple):
    """The pairs that can be used, and what is wrong with the others."""

    sources: list[bytes]
    targets: list[bytes]
    rejected: list[Rejected]


def read_pairs(source: PairSource, path: Path | None, splits: Sequence[str] | None) -> dict[str, Pairs]:
    """Reads your own pairs, and divides them.

    Args:
        source: Where the files of lines are, and how to divide them.
        path: The file or folder of pairs; None for files of lines.
        splits: The splits wanted, or "all"; None for all splits that the data have.

    Raises:
        DataError: There is nothing usable, files are of unequal length, a split does not exist or is empty, or (with
            `source.strict`) a pair is bad.
    """
    files = files_of(source)
    parts = _parts_of_lines(files) if path is None else _parts_of_tables(path)
    name = ", ".join(map(str, files.values())) if path is None else str(source.dataset)
    missing = () if "validation" in parts else tuple(split for split in SPLITS if split not in parts)
    if splits is None:
        splits = tuple(split for split in SPLITS if split in parts or split in missing)
    if "test" in splits and "test" not in parts and not missing:
        raise DataError(
            f"{name}: there is a validation part but no test part: name files with --source and --target, or take"
            " --split validation"
        )
    if "all" in splits:
        return {"all": _all(parts, name, source.strict)}
    found = {}
    for part, part_files in parts.items():
        stands_for = [split for split in splits if split == part or (part == "train" and split in missing)]
        if stands_for:
            good = good_pairs(*_read(part_files), training=part == "train", strict=source.strict)
            _check_any(good, name)
            held_out = missing if part == "train" else ()
            for split, kept in divided(good.sources, stands_for, held_out, source.seed).items():
                chosen = list(compress(good.sources, kept)), list(compress(good.targets, kept))
                found[split] = Pairs(*chosen, name, split, tuple(good.rejected))
    for split in splits:
        if not len(found[split]):
            raise DataError(f"{name}: the {split} split is empty: there are too few pairs to divide")
    return {split: found[split] for split in splits}


def divided(
    sources: Sequence[bytes], splits: Iterable[str], missing: Sequence[str], seed: int
) -> dict[str, Sequence[bool]]:
    """Which pairs of one part of a data set belong to the splits that it stands for.

    Args:
        sources: The sentences of the part.
        splits: The splits wanted: that of the part itself, and of a train part those in `missing`.
        missing: The splits to hold out.
        seed: Decides which pairs are held out.
    """
    if not missing:
        return {split: [True] * len(sources) for split in splits}
    held_out = hold_out(sources, [0] * len(sources), missing, seed, at_most=_HELD_OUT_AT_MOST)
    return {split: (held_out == SPLITS.index(split)).tolist() for split in splits}


def good_pairs(
    paths: tuple[Path, Path],
    sources: Iterable[bytes],
    targets: Iterable[bytes | None],
    *,
    training: bool,
    strict: bool,
) -> GoodPairs:
    """Sorts out the pairs that can be used, without the spaces at their ends.

    Args:
        paths: The files of the sources and of the targets, for messages.
        sources: The sentences.
        targets: The translation of each; None where a line holds none.
        training: Whether to leave out pairs that are hardly translations, too.
        strict: Whether a bad pair is an error.
    """
    good = GoodPairs([], [], [])
    for line, (source, target) in enumerate(zip(sources, targets, strict=True), start=1):
        if fault := _fault(source, target, training):
            side, reason = fault
            good.rejected.append(Rejected(line, reason, paths[side]))
            if strict:
                raise DataError(str(good.rejected[-1]))
        else:
            good.sources.append(source.strip())
            good.targets.append((target or b"").strip())
    return good


def _parts_of_lines(files: Mapping[str, Path]) -> dict[str, Files]:
    for one, other in (("source", "target"), ("validation-source", "validation-target")):
        for here, there in ((one, other), (other, one)):
            if here in files and there not in files:
                raise DataError(f"--{here} {files[here]} needs --{there} FILE, the other side of the pairs")
    if "source" not in files:
        raise DataError("no data: name a set with --dataset, or two files of lines with --source and --target")
    parts: dict[str, Files] = {"train": (files["source"], files["target"])}
    if "validation-source" in files:
        parts["validation"] = (files["validation-source"], files["validation-target"])
    return parts


def _parts_of_tables(path: Path) -> dict[str, Files]:
    if path.is_dir():
        named = part_paths(path, ((file.stem, file) for file in sorted(path.glob("*.tsv"))))
        parts: dict[str, Files] = {split: (file,) for split, file in named.items()}
        if "train" not in parts:
            raise DataError(f"{path}: there is no train.tsv in this folder")
        return parts
    if path.suffix.lower() != ".tsv":
        raise DataError(f"{path}: pairs are read from a .tsv file; give two files of lines with --source and --target")
    return {"train": (path,)}


def _all(parts: Mapping[str, Files], name: str, strict: bool) -> Pairs:
    every = GoodPairs([], [], [])
    for files in parts.values():
        good = good_pairs(*_read(files), training=False, strict=strict)
        every.sources.extend(good.sources)
        every.targets.extend(good.targets)
        every.rejected.extend(good.rejected)
    _check_any(every, name)
    return Pairs(every.sources, every.targets, name, "all", tuple(every.rejected))


def _check_any(good: GoodPairs, name: str) -> None:
    if not good.sources:
        rejected = good.rejected
        why = f"all {len(rejected)} pairs are bad, the first: {rejected[0]}" if rejected else "no lines"
        raise DataError(f"{name}: there are no pairs ({why})")


def _read(files: Files) -> tuple[tuple[Path, Path], Sequence[bytes], Sequence[bytes | None]]:
    """The file of the sources and that of the targets, and both sides line by line; None where a line has no tab."""
    if len(files) == 1:
        fields = [line.split(b"\t") for line in _lines(files[0])]
        return (files[0], files[0]), [row[0] for row in fields], [row[1] if len(row) > 1 else None for row in fields]
    sources, targets = (list(_lines(file)) for file in files)
    if len(sources) != len(targets):
        raise DataError(
            f"{files[0]} has {len(sources):,} lines but {files[1]} has {len(targets):,}: a line of one must be the"
            " translation of the same line of the other"
        )
    return (files[0], files[1]), sources, targets


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file; of one longer than 16 MiB, nothing is left."""
    try:
        with open(path, "rb") as file:
            layout, _ = examined(file, path)
            for line in lines_after(file, START, layout):
                yield line.content or b""
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _fault(source: bytes, target: bytes | None, training: bool) -> tuple[int, str] | None:
    """What is wrong with a pair and on which side, 0 the source and 1 the target."""
    if target is None:
        return 1, "no tab between source and target"
    lengths: list[int] = []
    for side, (kind, sentence) in enumerate((("source", source), ("target", target))):
        try:
            lengths.append(len(sentence.decode().strip()))
        except UnicodeDecodeError:
            return side, f"the {kind} is not UTF-8"
        if not lengths[side]:
            return side, f"the {kind} is empty"
    shorter, longer = sorted(lengths)
    if training and longer > MOST_CHARACTERS:
        return lengths.index(longer), f"{longer:,} characters, more than {MOST_CHARACTERS:,}"
    if training and longer > HIGHEST_RATIO * max(shorter, _SHORT):
        return 1, f"{lengths[0]} characters of source and {lengths[1]} of target: hardly a translation"
    return None
