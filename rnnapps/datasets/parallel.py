"""Parallel text: two files of lines, a TSV or a named set becomes the sentence pairs of one split."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence
from itertools import compress

from rnnapps.datasets.dataset import DataError, Rejected
from rnnapps.datasets.splits import SPLITS, divide, tenth, text_hash
from rnnapps.datasets.tables import SPLIT_NAMES

# What a training pair may be: the rules and figures of Moses's clean-corpus-n.perl as people use it, 250 words and a
# ratio of 9, but in characters (6 a word), which are fair to compounds and to scripts without spaces.
MOST_CHARACTERS, HIGHEST_RATIO = 1500, 9
_SHORT = 10  # characters; below that a ratio says little
_CARVED_AT_MOST = 2000  # pairs: BLEU needs no more, and a large corpus should not lose a tenth to it


@dataclasses.dataclass(frozen=True)
class Pairs:
    """The sentence pairs of one split, in memory.

    Attributes:
      sources: sentences in UTF-8, without spaces at the ends.
      targets: the translation of each.
      name: the data set as it was asked for.
      split: "train", "validation", "test", or "all" for the whole of one's own data.
      rejected: the pairs that were left out, in the order of the file.
      languages: the codes of source and target language, None where the data do not say.
    """

    sources: list[bytes]
    targets: list[bytes]
    name: str
    split: str
    rejected: tuple[Rejected, ...] = ()
    languages: tuple[str, str] | None = None


def load_pairs(
    dataset: str | os.PathLike | None,
    split: str,
    *,
    source: str | os.PathLike | None = None,
    target: str | os.PathLike | None = None,
    validation_source: str | os.PathLike | None = None,
    validation_target: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
    seed: int = 0,
    strict: bool = False,
) -> Pairs:
    """Loads one split of parallel text: two files of lines by `source` and `target`, anything else by `dataset`.

    `dataset` is looked up in this order:

    1. the built-in set `expressions` (English to German; also `expressions/en-fr` and `expressions/en-es`), made in
       seconds with the packages that `pip install "rnnapps[demo]"` brings;
    2. a `.tsv` file that exists: a pair a line, source and target parted by a tab, no header, no quoting, further
       columns ignored; or a folder with such files for the parts, `train.tsv`, `validation.tsv`, `test.tsv`;
    3. a TFDS name such as `ted_hrlr_translate/pt_to_en`, which TFDS downloads once.

    Where one's own data have no validation part, a validation and a test part are carved off the rest, fixed by the
    seed: a tenth of it each, at most 2,000 pairs. Own data with a validation part and no test part have no test split.

    Text is UTF-8, with or without a byte order mark. Pairs with an empty side or with bytes that are not UTF-8 are
    rejected, and in the train split also those of more than 1,500 characters or with more than nine times as many
    characters on one side as on the other.

    Args:
      dataset: what to load; None where `source` and `target` say it.
      split: "train", "validation", "test", or, for one's own data, "all" for every pair whatever its part.
      source: a file with a sentence a line.
      target: a file with the translation of each line of `source`.
      validation_source: the same for the validation part.
      validation_target: the same for the validation part.
      data_dir: where TFDS keeps prepared sets; by default `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.
      seed: fixes what is carved off; train and evaluate with the same one. Given splits do not depend on it.
      strict: whether a bad pair is an error rather than left out and noted in `Pairs.rejected`.

    Returns:
      The `Pairs`, in the order of the file.

    Raises:
      DataError: a mistake of the user's, in one line that says how to mend it; files of unequal length among them.

    Example:
      >>> pairs = load_pairs("expressions", "test")
      >>> len(pairs.sources), pairs.languages
      (1000, ('en', 'de'))
    """
    files = {"source": source, "target": target}
    files |= {"validation-source": validation_source, "validation-target": validation_target}
    given = {option: pathlib.Path(path).expanduser() for option, path in files.items() if path is not None}
    if dataset is None:
        return _own_pairs(_parts_of_lines(given), split, ", ".join(map(str, given.values())), seed, strict)
    if given:
        raise DataError(f"--{next(iter(given))} does not go with --dataset {dataset}: give one or the other")
    name, path = os.fspath(dataset), pathlib.Path(dataset).expanduser()
    # A built-in set goes before a file, ./expressions is the file; os.path.exists is False for an impossible name.
    if name.partition("/")[0] != "expressions" and name != "" and os.path.exists(path):
        return _own_pairs(_parts_of_tables(path), split, name, seed, strict)
    if name == "" or name.startswith((".", "~", os.sep)) or name.lower().endswith((os.sep, ".tsv", ".csv", ".txt")):
        raise DataError(f"no such file or folder: {name!r}")
    _check_split(name, split, SPLITS)
    # TFDS takes its time to import and is not needed for one's own data.
    from rnnapps.datasets.parallel_tfds import read_tfds

    place, sources, targets, languages = read_tfds(name, split, data_dir=data_dir, seed=seed)
    sources, targets, rejected = _good((place, place), sources, targets, training=split == "train", strict=strict)
    return Pairs(sources, targets, name, split, tuple(rejected), languages)


# The files of a part: one of pairs, or one of sources and one of targets.
_Files = tuple[pathlib.Path, ...]


def _parts_of_lines(files: dict[str, pathlib.Path]) -> dict[str, _Files]:
    for one, other in (("source", "target"), ("validation-source", "validation-target")):
        for here, there in ((one, other), (other, one)):
            if here in files and there not in files:
                raise DataError(f"--{here} {files[here]} needs --{there} FILE, the other side of the pairs")
    if "source" not in files:
        raise DataError("no data: name a set with --dataset, or two files of lines with --source and --target")
    parts = {"train": (files["source"], files["target"])}
    if "validation-source" in files:
        parts["validation"] = (files["validation-source"], files["validation-target"])
    return parts


def _parts_of_tables(path: pathlib.Path) -> dict[str, _Files]:
    if path.is_dir():
        named = [(SPLIT_NAMES.get(file.stem.lower()), file) for file in sorted(path.glob("*.tsv"))]
        parts = {part: (file,) for part, file in named if part}
        if "train" not in parts:
            raise DataError(f"{path}: there is no train.tsv in this folder")
        return parts
    if path.suffix.lower() != ".tsv":
        raise DataError(f"{path}: pairs are read from a .tsv file; two files of lines go by --source and --target")
    return {"train": (path,)}


def _own_pairs(parts: dict[str, _Files], split: str, name: str, seed: int, strict: bool) -> Pairs:
    _check_split(name, split, (*SPLITS, "all"))
    if split == "test" and "validation" in parts and "test" not in parts:
        raise DataError(
            f"{name}: there is a validation part but no test part: name files with --source and --target, or take"
            " --split validation"
        )
    missing = () if "validation" in parts else tuple(part for part in SPLITS if part not in parts)
    wanted = list(parts) if split == "all" else [split if split in parts else "train"]
    sources, targets, rejected = [], [], []
    for part in wanted:
        training = part == "train" and split != "all"
        found = _good(*_read(parts[part]), training=training, strict=strict)
        for every, more in zip((sources, targets, rejected), found, strict=True):
            every.extend(more)
    if not sources:
        why = f"all {len(rejected)} pairs are bad, the first: {rejected[0]}" if rejected else "no lines"
        raise DataError(f"{name}: there are no pairs ({why})")
    if split != "all" and wanted == ["train"]:
        sources, targets = carve(sources, targets, split, missing, seed)
        if not sources:
            raise DataError(f"{name}: the {split} split is empty: there are too few pairs to divide")
    return Pairs(sources, targets, name, split, tuple(rejected))


def carve(
    sources: list[bytes], targets: list[bytes], split: str, missing: Sequence[str], seed: int
) -> tuple[list[bytes], list[bytes]]:
    """What belongs to `split` of pairs that are the train part of a set and stand in for its `missing` parts, too."""
    if not missing:
        return sources, targets
    size = min(tenth(len(sources)), _CARVED_AT_MOST)
    sizes = {part: size if part in missing else 0 for part in ("validation", "test")}
    parts = divide([text_hash(source, seed) for source in sources], [0] * len(sources), **sizes)
    kept = parts == SPLITS.index(split)
    return list(compress(sources, kept)), list(compress(targets, kept))


def _check_split(name: str, split: str, splits: Iterable[str]) -> None:
    if split not in splits:
        raise DataError(f"unknown split {split!r} of {name}: it is one of {', '.join(splits)}")


def _read(files: _Files) -> tuple[tuple[pathlib.Path, pathlib.Path], list[bytes], list[bytes | None]]:
    """The file of the sources and that of the targets, and both sides line by line; None where a line has no tab."""
    if len(files) == 1:
        fields = [line.split(b"\t") for line in _lines(files[0])]
        return files * 2, [row[0] for row in fields], [row[1] if len(row) > 1 else None for row in fields]
    source, target = files
    sources, targets = _lines(source), _lines(target)
    if len(sources) != len(targets):
        raise DataError(
            f"{source} has {len(sources):,} lines but {target} has {len(targets):,}: a line of one must be the"
            " translation of the same line of the other"
        )
    return (source, target), sources, targets


def _lines(path: pathlib.Path) -> list[bytes]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: the file is UTF-16; save it as UTF-8")
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _good(
    paths: tuple[pathlib.Path, pathlib.Path],
    sources: Iterable[bytes],
    targets: Iterable[bytes | None],
    *,
    training: bool,
    strict: bool,
) -> tuple[list[bytes], list[bytes], list[Rejected]]:
    """The pairs that can be used, with the spaces at their ends gone, and what is wrong with the others."""
    good_sources, good_targets, rejected = [], [], []
    for line, pair in enumerate(zip(sources, targets, strict=True), start=1):
        if fault := _fault(*pair, training):
            side, reason = fault
            rejected.append(Rejected(line, reason, paths[side]))
            if strict:
                raise DataError(str(rejected[-1]))
        else:
            good_sources.append(pair[0].strip())
            good_targets.append(pair[1].strip())
    return good_sources, good_targets, rejected


def _fault(source: bytes, target: bytes | None, training: bool) -> tuple[int, str] | None:
    """What is wrong with a pair and on which side, 0 the source and 1 the target."""
    if target is None:
        return 1, "no tab between source and target"
    lengths = []
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
