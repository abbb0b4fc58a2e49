"""Live recordings: a causal model, or an export of one, that is fed chunk by chunk."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.speech.cli import TASK
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.apps.speech.pictures import plot_stream
from rnnapps.audio import read_audio
from rnnapps.cli.run_config import read_run
from rnnapps.errors import UserError
from rnnapps.terminal import printable


class Stream:
    """A session with the `stream` signature of an export: call it with one chunk after another.

    Args:
        export: The folder of an export or of a version.
        batch: Number of parallel streams.
    """

    def __init__(self, export: Path, batch: int = 1):
        self._stream = serving.load(export, "stream")
        self._states = serving.load(export, "stream_start")(batch=tf.constant(batch))

    def __call__(self, chunk: np.ndarray) -> dict[str, tf.Tensor]:
        """The answers so far, after a chunk float32 (batch, samples)."""
        outputs = self._stream(chunk=tf.constant(chunk), **self._states)
        self._states = {name: outputs[name] for name in self._states}
        return outputs


def listen(model: SpeechClassifier, samples: np.ndarray, every: float) -> Iterator[tuple[float, np.ndarray]]:
    """Feeds a recording to a causal model chunk by chunk.

    Args:
        model: The classifier.
        samples: Float32 (samples,) at the model's rate.
        every: Length of a chunk in seconds.

    Yields:
        The time in seconds, and the probabilities then, (classes,).
    """
    step = max(1, round(every * model.sample_rate))
    states = model.initial_states(1)
    advance = tf.function(model.stream, reduce_retracing=True)
    for begin in range(0, len(samples), step):
        chunk = samples[None, begin : begin + step]
        probabilities, states = advance(tf.constant(chunk), states)
        yield (begin + chunk.shape[1]) / model.sample_rate, probabilities[0].numpy()


def follow(run: Path, file: Path, every: float, plot: Path | None, as_json: bool) -> None:
    """The verb `stream`: prints the most probable class of a recording over time, and draws it.

    Raises:
        UserError: The run cannot stream, or the file is not a recording.
    """
    folder, _, model = read_run(run, TASK)
    if not model.options.causal:
        raise UserError(f"{run}: reads in both directions, so it cannot stream; train a run with --causal")
    recording = read_audio(file, model.sample_rate)
    times, answers = [], []
    for time, probabilities in listen(model, recording, every):
        times.append(time)
        answers.append(probabilities)
        label, score = model.classes[probabilities.argmax()], float(probabilities.max())
        line = {"time": round(time, 3), "label": label, "score": round(score, 6)}
        click.echo(json.dumps(line) if as_json else printable(f"{time:8.2f} s  {label}\t{score:.3f}"))
    picture = plot or folder.report / "stream.png"
    title = f"{file.name}: {label} {score:.3f}"
    plot_stream(model.log_mel, model.classes, recording, times, answers, title, picture)
    click.echo(f"spectrogram and probabilities: {picture}", err=as_json)
