"""`rnn-speech`: what audio classification declares, and its verb `stream`. TensorFlow is imported inside commands."""

from dataclasses import dataclass
from pathlib import Path

import click

from rnnapps.audio.suffixes import SUFFIXES
from rnnapps.cli import AudioOptions, AudioTrainingOptions, Task, command_group
from rnnapps.cli.options import PATH, POSITIVE, run_argument
from rnnapps.datasets.sources import RecordingSource
from rnnapps.options import inherited, option


@dataclass(frozen=True)
class Options(AudioOptions):
    """The options of `SpeechClassifier`."""

    units: int = inherited(AudioOptions, "units", 96)
    dropout: float = inherited(AudioOptions, "dropout", 0.2)
    convolutions: tuple[int, ...] = inherited(
        AudioOptions,
        "convolutions",
        (16, 32),
        help="Channels of the convolutions, each of which halves time and frequency. 0: no convolutions.",
    )
    pooling: str = option(
        "attention",
        "How the steps of a recording become one vector.",
        choices=("attention", "max", "mean", "max+mean", "last"),
    )
    memory_seconds: float = option(0.5, "Causal: half-life of past audio in the pooling.", above=0, metavar="SECONDS")


@dataclass(frozen=True)
class Training(AudioTrainingOptions):
    """How to train a speech classifier."""

    start_from: str | None = inherited(
        AudioTrainingOptions,
        "start_from",
        None,
        help="For few recordings: start from the model of another run. spoken_vocabulary: "
        "a model of sixty words in 84 synthetic voices, trained once and kept.",
        metavar="RUN|spoken_vocabulary",
    )
    background_noise: float = option(
        -5.0, "Loudest noise from the data's folder _background_noise_, in dB relative to the clip."
    )


@dataclass(frozen=True)
class Shown:
    """How `predict` shows answers."""

    top: int = option(1, "Number of most probable classes to print.", minimum=1, shown=True, free=True)


TASK = Task(
    name="speech",
    summary="Audio classification: train on labelled recordings, evaluate, predict, stream, export for TensorFlow "
    "Serving.",
    source=RecordingSource,
    model=Options,
    training=Training(epochs=12, batch_size=64, schedule="cosine", patience=4),
    implementation="rnnapps.apps.speech.task",
    requests="rnnapps.apps.speech.requests",
    page="rnnapps.apps.speech.page",
    columns=("path",),
    suffixes=SUFFIXES,
    decoding=Shown,
    batch_size=16,
    batch_sizes=(1, 2, 4, 8, 16, 32),
    litert_input="one second of waveform, float32 (1, samples); read WAV files in your own code",
)
main = command_group(TASK)


@main.command(params=[run_argument(), click.Argument(["file"], type=PATH)])
@click.option("--every", type=POSITIVE, default=0.1, show_default=True, metavar="SECONDS", help="Time between answers.")
@click.option("--plot", type=PATH, metavar="PNG", help="Where to draw it.  [default: RUN/report/stream.png]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object per line.")
def stream(run: Path, file: Path, every: float, plot: Path | None, as_json: bool) -> None:
    """Label a recording over time, chunk by chunk, with a RUN that was trained with --causal."""
    TASK.code().follow(run, file, every, plot, as_json)
