"""Pictures: spectrogram, probabilities and words of a recording; and the most frequent mistakes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.figure
import numpy as np
import tensorflow as tf

from rnnapps.apps.transcription.cli import Search
from rnnapps.apps.transcription.language import Judge, scorer_of
from rnnapps.apps.transcription.model import Transcriber
from rnnapps.apps.transcription.transcribing import transcribe
from rnnapps.audio import LogMel, read_audio
from rnnapps.audio.spectrogram import draw_spectrogram
from rnnapps.decoding import Scorer
from rnnapps.training.plots import STYLE, VALIDATION, plain, save

_CURVES = 8  # more tokens could not be told apart
_LEAST_PROBABLE = 0.1  # tokens that never reach this probability are not drawn
_TITLE = 110  # characters


def plot_heard(
    model: Transcriber, samples: np.ndarray, search: Search, scorer: Scorer | Judge | None, title: str, path: Path
) -> None:
    """Draws what the model heard: the log-mel spectrogram, the probabilities of tokens over time, and the words.

    Args:
        model: The transcriber.
        samples: The recording at the model's rate, float (samples,).
        search: How texts are found.
        scorer: A language model.
        title: Title of the picture.
        path: The PNG file to write.
    """
    waveform = tf.constant(samples[None], tf.float32)
    log_probs, _ = model.log_probabilities(waveform)
    heard = transcribe(model, waveform, None, search, scorer)
    probabilities = np.exp(log_probs[0].numpy())
    seconds = len(samples) / model.sample_rate
    times = (np.arange(len(probabilities)) + 0.5) * model.step_seconds
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(10, 5.5), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        _draw_samples(above, model.front_end.log_mel, samples, title)
        below.plot(times, probabilities[:, -1], color="#b8bec8", linewidth=1.5, label="blank")
        most_probable = probabilities[:, :-1].max(axis=0, initial=0.0)
        drawn = np.argsort(-most_probable)[:_CURVES]
        for number in drawn[most_probable[drawn] >= _LEAST_PROBABLE]:
            name = plain(model.tokens.pieces[number].replace(" ", "\N{OPEN BOX}"))
            below.plot(times, probabilities[:, number], linewidth=1.5, label=name)
        words = zip(*(values[0].numpy() for values in (heard.words, heard.starts, heard.ends)), strict=True)
        _write_words(below, [(word.decode("utf-8", errors="replace"), start, end) for word, start, end in words])
        below.set(xlim=(0, seconds), ylim=(0, 1.15), xlabel="seconds", ylabel="probability")
        below.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
        save(figure, path)


def plot_words(
    log_mel: LogMel, samples: np.ndarray, words: Sequence[Mapping[str, Any]], title: str, path: Path
) -> None:
    """Draws the log-mel spectrogram of a recording, and its words with their confidence; see `plot_heard`.

    Args:
        log_mel: The layer that makes the frames of the spectrogram.
        samples: The recording at the layer's rate, float (samples,).
        words: The words of an answer of `predict`: `word`, `start`, `end` and `confidence` of each.
        title: Title of the picture.
        path: The PNG file to write.
    """
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(10, 5.5), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        _draw_samples(above, log_mel, samples, title)
        _write_words(below, [(one["word"], one["start"], one["end"]) for one in words])
        for one in words:
            below.plot((one["start"], one["end"]), (one["confidence"],) * 2, color=VALIDATION, linewidth=3)
        seconds = len(samples) / log_mel.sample_rate
        below.set(xlim=(0, seconds), ylim=(0, 1.15), xlabel="seconds", ylabel="confidence")
        save(figure, path)


def _draw_samples(axes: Any, log_mel: LogMel, samples: np.ndarray, title: str) -> None:
    """Draws the spectrogram of a recording under a title that is no wider than the picture."""
    draw_spectrogram(axes, log_mel, samples)
    axes.set_title(plain(textwrap.shorten(title, _TITLE, placeholder=" ...")), loc="left")


def _write_words(axes: Any, words: Sequence[tuple[str, float, float]]) -> None:
    """Writes words at the top of axes, and marks when each starts and ends."""
    for word, start, end in words:
        axes.annotate(plain(word), ((start + end) / 2, 1.03), ha="center", fontsize=9)
        axes.axvspan(start, end, color="#e6e9ee", zorder=0)


def plot_errors(mistakes: Sequence[tuple[str, int]], path: Path) -> None:
    """Draws how often the most frequent mistakes were made, and writes a PNG.

    Args:
        mistakes: Pairs "said > heard" and their counts, the most frequent first.
        path: The PNG file to write.
    """
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(7, max(2.5, 0.3 * len(mistakes) + 1)), layout="constrained")
        axes = figure.subplots()
        axes.barh([plain(pair) for pair, _ in mistakes], [count for _, count in mistakes])
        axes.invert_yaxis()
        axes.set_xlabel("times")
        axes.set_title("said > heard, the most frequent mistakes" if mistakes else "no mistakes", loc="left")
        save(figure, path)


def draw(model: Transcriber, answered: Sequence[tuple[Mapping[str, Any], Any]], decoding: Search) -> None:
    """`predict --plot`: draws the first recording."""
    if decoding.plot is None or not answered:
        return
    row, answer = answered[0]
    samples = read_audio(row["path"], model.sample_rate)
    start = round(row.get("start", 0.0) * model.sample_rate)
    end = None if row.get("end") is None else round(row["end"] * model.sample_rate)
    title = f"{Path(row['path']).name}: {answer['text']}"
    plot_heard(model, samples[start:end], decoding, scorer_of(model, decoding), title, decoding.plot)
