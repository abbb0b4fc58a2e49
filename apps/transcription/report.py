"""How good transcripts are: word and character error rates, speed, and the utterances with the most errors."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnnapps.apps.transcription.cli import Search
from rnnapps.apps.transcription.data import transcribed_batches
from rnnapps.apps.transcription.language import scorer_of
from rnnapps.apps.transcription.model import Transcriber
from rnnapps.apps.transcription.pictures import plot_errors, plot_heard
from rnnapps.apps.transcription.transcribing import Listen, in_order, listener
from rnnapps.datasets import Transcripts
from rnnapps.extras import from_extra

_WORST = 20


def assess(
    model: Transcriber,
    split: Transcripts,
    batch_size: int,
    decoding: Search | None = None,
    report: Path | None = None,
) -> dict[str, Any]:
    """Evaluates a transcriber.

    Args:
        model: The transcriber.
        split: Recordings with their texts.
        batch_size: Recordings per batch.
        decoding: How texts are found.
        report: Folder for `errors.png`, the most frequent mistakes, and `worst.png`, the utterance with the most
            errors; None draws nothing.

    Returns:
        `wer` and `cer` (word and character error rate: substitutions, deletions and insertions over the words or
        characters of the references), `substitutions`, `deletions`, `insertions` and `words` (counts), `sentences`
        (share of texts without an error), `count`, `seconds` (of audio), `real_time_factor` (seconds of computing per
        second of audio, in these batches), and `worst`: path, word error rate, number of errors, texts and alignment of
        the twenty utterances with the most errors.

    Raises:
        UserError: The package jiwer is missing, or the language model cannot be used.
    """
    jiwer = from_extra("jiwer", extra="transcription", purpose="evaluation")
    search = decoding or Search()
    scorer = scorer_of(model, search)
    listen = listener(model, search, scorer)
    ordered = transcribed_batches(split, batch_size)
    inputs = [waveform_and_lengths for waveform_and_lengths, _ in ordered.epoch(0)]
    listen(*inputs[0])  # traces and warms up
    begin = time.perf_counter()
    found = [text for batch in inputs for text in listen(*batch)]
    computing = time.perf_counter() - begin
    hypotheses = in_order(found, ordered.order())
    references = [text.decode() for text in split.texts]
    words, characters = jiwer.process_words(references, hypotheses), jiwer.process_characters(references, hypotheses)
    worst = _worst(jiwer, split.paths, references, hypotheses)
    if report is not None:
        plot_errors(_mistakes(words), report / "errors.png")
        place = split.paths.index(worst[0]["path"])
        heard = f"{worst[0]['hypothesis'] or '(nothing)'}, for: {worst[0]['reference']}"
        plot_heard(model, split.waveforms[place] / 2**15, search, scorer, heard, report / "worst.png")
    seconds = sum(map(len, split.waveforms)) / model.sample_rate
    return {
        "wer": float(words.wer),
        "cer": float(characters.cer),
        "substitutions": words.substitutions,
        "deletions": words.deletions,
        "insertions": words.insertions,
        "words": words.hits + words.substitutions + words.deletions,
        "sentences": sum(map(str.__eq__, references, hypotheses)) / len(references),
        "count": len(references),
        "seconds": seconds,
        "real_time_factor": computing / seconds,
        "worst": worst,
    }


def error_rate(listen: Listen, split: Transcripts, batch_size: int) -> float:
    """The word error rate of a `listener` on a split, which training monitors."""
    jiwer = from_extra("jiwer", extra="transcription", purpose="training")
    pairs = [
        (text.decode(), heard)
        for batch, texts in transcribed_batches(split, batch_size).epoch(0)
        for text, heard in zip(texts.numpy().tolist(), listen(*batch), strict=True)
    ]
    references, hypotheses = zip(*pairs, strict=True)
    return float(jiwer.wer(list(references), list(hypotheses)))


def _worst(
    jiwer: Any, paths: Sequence[str], references: Sequence[str], hypotheses: Sequence[str]
) -> list[dict[str, Any]]:
    """The utterances with the most errors, with references and hypotheses side by side."""
    outputs = [
        jiwer.process_words(reference, hypothesis) for reference, hypothesis in zip(references, hypotheses, strict=True)
    ]
    errors = [output.substitutions + output.deletions + output.insertions for output in outputs]
    ranked = sorted(range(len(outputs)), key=lambda place: (-errors[place], -outputs[place].wer, place))
    return [
        {
            "path": paths[place],
            "wer": float(outputs[place].wer),
            "errors": errors[place],
            "reference": references[place],
            "hypothesis": hypotheses[place],
            "alignment": alignment(outputs[place]),
        }
        for place in ranked[:_WORST]
    ]


def alignment(output: Any) -> str:
    """Reference and hypothesis of one utterance in two lines, word under word.

    Substituted words are in brackets; `*` stands for a missing word.
    """
    above, below = [], []
    for chunk in output.alignments[0]:
        reference = output.references[0][chunk.ref_start_idx : chunk.ref_end_idx]
        hypothesis = output.hypotheses[0][chunk.hyp_start_idx : chunk.hyp_end_idx]
        for place in range(max(len(reference), len(hypothesis))):
            pair = [side[place] if place < len(side) else "" for side in (reference, hypothesis)]
            if chunk.type == "substitute":
                pair = [f"[{word}]" for word in pair]
            width = max(map(len, pair))
            marks = [word or "*" * width for word in pair]
            above.append(marks[0].ljust(width))
            below.append(marks[1].ljust(width))
    return f"{' '.join(above).rstrip()}\n{' '.join(below).rstrip()}"


def _mistakes(output: Any) -> list[tuple[str, int]]:
    """The most frequent mistakes, "said > heard", and how often they were made."""
    counts: Counter[str] = Counter()
    for reference, hypothesis, chunks in zip(output.references, output.hypotheses, output.alignments, strict=True):
        for chunk in chunks:
            if chunk.type == "equal":
                continue
            said = reference[chunk.ref_start_idx : chunk.ref_end_idx]
            heard = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
            for place in range(max(len(said), len(heard))):
                pair = [side[place] if place < len(side) else "–" for side in (said, heard)]
                counts[" > ".join(pair)] += 1
    return counts.most_common(_WORST)


def table(metrics: dict[str, Any]) -> str:
    """The figures of `assess`, formatted for reading."""
    lines = [
        f"word error rate       {metrics['wer']:.2%}",
        f"character error rate  {metrics['cer']:.2%}",
        f"errors                {metrics['substitutions']:,} substitutions, {metrics['deletions']:,} deletions,"
        f" {metrics['insertions']:,} insertions in {metrics['words']:,} words",
        f"without an error      {metrics['sentences']:.2%}",
        f"real-time factor      {metrics['real_time_factor']:.4f}",
        f"recordings            {metrics['count']:,} ({metrics['seconds'] / 60:.1f} min)",
    ]
    for one in metrics["worst"]:
        if one["wer"]:
            errors = "1 error" if one["errors"] == 1 else f"{one['errors']} errors"
            lines += ["", f"{one['path']}: {errors}, {one['wer']:.0%}", *one["alignment"].splitlines()]
    return "\n".join(lines)
