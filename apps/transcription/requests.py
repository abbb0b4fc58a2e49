"""Requests to the signature `nbest` of a transcriber, and the meaning of its answers. No TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnapps.apps.transcription.cli import Search
from rnnapps.apps.transcription.subtitles import subtitle_lines, subtitles
from rnnapps.cli import RunConfig
from rnnapps.cli.inputs import input_files
from rnnapps.errors import UserError
from rnnapps.files import strict_json
from rnnapps.options import changed
from rnnapps.prediction.drawn_files import check_on_screen, check_suffix
from rnnapps.prediction.nbest import NO_ANSWER, check_beam, check_nbest, with_nbest

LONGEST_SECONDS = 20.0  # of a recording that is transcribed at once; longer ones are cut at pauses


def rows(arguments: Sequence[str], config: RunConfig | None, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Recordings, those in folders, and those that manifests name; a row for each part of a long one.

    Args:
        arguments: Paths of recordings, folders and manifests.
        config: What the run was started with; None for an export or a server.
        about: What an export says about itself.
    """
    from rnnapps.audio.suffixes import SUFFIXES
    from rnnapps.datasets.rows import SUFFIXES as TABLES

    for name in input_files(arguments, SUFFIXES):
        if Path(name).suffix.lower() not in TABLES:
            yield from _parts({"path": name})
            continue
        for row in _manifest(Path(name)):
            yield from _parts(row)


def _manifest(path: Path) -> Iterator[dict[str, Any]]:
    from rnnapps.datasets.labels import text_of
    from rnnapps.datasets.rows import open_rows
    from rnnapps.datasets.transcript_lists import part_of, path_column

    column = path_column(open_rows(path, ()).columns)
    for row in open_rows(path, column).after():
        try:
            if row.values is None:
                raise ValueError(row.problem)
            found = {"path": str(path.parent / text_of(row.values, column))}
            start, end = part_of(row.values, Path(found["path"]))
        except ValueError as error:
            yield {"path": str(path), "problem": f"{path}:{row.line}: {error}"}  # `request` refuses it
        else:
            yield found if not start and end is None else {**found, "start": start, "end": end}


def _parts(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The row, or, if its recording is long, a row for each part between pauses."""
    import soundfile

    from rnnapps.audio import cut_at_pauses

    if "problem" in row:
        yield row
        return
    try:
        about = soundfile.info(row["path"])
        begin, end = row.get("start", 0.0), row.get("end") or about.duration
        if end - begin <= LONGEST_SECONDS or not about.samplerate:
            yield row
            return
        samples, rate = soundfile.read(
            row["path"], start=round(begin * about.samplerate), stop=round(end * about.samplerate), dtype="float32"
        )
    except (soundfile.LibsndfileError, OSError):
        yield row  # the request reports what is wrong
        return
    samples = samples.mean(axis=1) if samples.ndim > 1 else samples
    for first, last in cut_at_pauses(samples, rate, LONGEST_SECONDS):
        yield {"path": row["path"], "start": round(begin + first / rate, 3), "end": round(begin + last / rate, 3)}


def request(row: Mapping[str, Any], decoding: Search) -> dict[str, Any]:
    """The input: the bytes of a WAV file; other audio files, and parts of recordings, are converted to WAV.

    Raises:
        UserError: The file cannot be read, or is not a recording.
    """
    from rnnapps.audio import wav_bytes
    from rnnapps.datasets.transcript_lists import part_of

    if "problem" in row:
        raise UserError(row["problem"])
    try:
        start, end = part_of(row, Path(row["path"]))
    except ValueError as error:
        raise UserError(f"{row['path']}: {error}") from None
    return {"audio": wav_bytes(Path(row["path"]), start, end)}


def answer(outputs: Mapping[str, Any], about: Mapping[str, Any], decoding: Search) -> dict[str, Any]:
    """The text, its score, and its words with their times in seconds and confidences; several texts if requested."""
    words = [
        {"word": _text(word), "start": round(start, 3), "end": round(end, 3), "confidence": round(confidence, 4)}
        for word, start, end, confidence in zip(
            outputs["words"], outputs["starts"], outputs["ends"], outputs["confidences"], strict=True
        )
        if word
    ]
    check_nbest(decoding.nbest, len(outputs["texts"]))
    # Two rows of tokens may spell the same text; the first has the higher score.
    scores: dict[str, float] = {}
    for text, score in zip(outputs["texts"], outputs["scores"], strict=True):
        if score > NO_ANSWER / 2:
            scores.setdefault(_text(text), round(score, 6))
    several = [{"text": text, "score": score} for text, score in scores.items()]
    return {**several[0], "words": words, **with_nbest(several, decoding.nbest)}


def placed(row: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The answer to a part of a recording, with the times of words in the whole recording."""
    start = float(row.get("start") or 0.0)
    words = [
        {**word, "start": round(word["start"] + start, 3), "end": round(word["end"] + start, 3)}
        for word in answer["words"]
    ]
    return {**answer, "words": words}


def lines(number: int, row: Mapping[str, Any], answer: Mapping[str, Any], decoding: Search) -> Iterator[Sequence[str]]:
    """The recording and its text; or a subtitle; or JSON."""
    if decoding.format == "json":
        yield (strict_json({**shown(row), **answer}),)
    elif decoding.format == "srt":
        if answer["words"]:
            yield from ((line,) for line in subtitle_lines(number, answer["words"]))
    elif "nbest" in answer:
        for candidate in answer["nbest"]:
            yield row["path"], *_times(row), f"{candidate['score']:.4f}", candidate["text"]
    else:
        yield row["path"], *_times(row), answer["text"]


def pieces(
    row: Mapping[str, Any], answer: Mapping[str, Any], decoding: Search
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The subtitles of an answer, each with its words; in other formats, the answer as it is."""
    if decoding.format != "srt":
        yield row, answer
        return
    for words in subtitles(answer["words"]):
        yield row, {**answer, "words": words}


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """What `predict --json` repeats of a row."""
    return dict(row)


def check(decoding: Search, asked: str, input: Path | None) -> None:
    """Refuses options that do not go together."""
    from rnnapps.datasets.rows import columns_of

    check_beam(decoding.nbest, decoding.beam, asked, input)
    if asked == "run" and decoding.language_model is None:
        for name, value in changed(decoding, "alpha", "beta").items():
            raise UserError(f"--{name} {value:g} needs a language model: add --language-model RUN")
    if input is not None and {"offset", "end"} & set(columns_of(input)) == {"offset"}:
        raise UserError(f"--input {input}: has offsets and durations, as of NeMo; give it as an argument instead")
    if decoding.plot is not None:
        check_suffix("--plot", decoding.plot)
        check_on_screen("--plot", asked, input)


def check_config(config: RunConfig) -> None:
    """Refuses options of `train` that do not go together."""
    options = config.model
    most = 2 ** len(options.convolutions)
    if options.reduction > most or options.reduction not in (1, 2, 4, 8):
        raise UserError(
            f"--reduction must be 1, 2, 4 or 8 and at most {most} with {len(options.convolutions)} --convolutions,"
            f" got {options.reduction}"
        )
    if options.layers == 1 and (options.join or 1) > 1:
        raise UserError(f"--join {options.join} needs a second recurrent layer; use at least --layers 2")
    options.check_frames(config.source.sample_rate)


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


def _times(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The part of a recording, as a cell; no cell for a whole recording."""
    if "start" not in row:
        return ()
    end = row.get("end")
    return (f"{row['start'] or 0:.2f}-{'' if end is None else f'{end:.2f}'}",)
