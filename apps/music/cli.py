"""`rnn-music`: what the application declares. Commands import TensorFlow themselves: --help must be quick."""

from dataclasses import dataclass
from pathlib import Path

from rnnapps.cli import RecurrentOptions, Task, TrainingOptions, command_group
from rnnapps.datasets.sources import MusicSource
from rnnapps.options import inherited, option

LONGEST = 4096  # time steps written at once


@dataclass(frozen=True)
class Source(MusicSource):
    """Where the music is."""


@dataclass(frozen=True)
class Options(RecurrentOptions):
    """The options of `ChordModel`."""

    units: int = inherited(RecurrentOptions, "units", 128)
    head: str = option(
        "nade",
        "Distribution of the notes of a time step: each depends on the lower ones (nade), or all are independent.",
        choices=("nade", "independent"),
    )
    hidden: int = option(128, "Width of the hidden layer of --head nade.", minimum=1)


@dataclass(frozen=True)
class Training(TrainingOptions):
    """How to train a model of music."""

    transpose: int = option(
        5, "Most semitones that a piece is transposed up or down in training, at random.", minimum=0, maximum=11
    )


@dataclass(frozen=True)
class Generation:
    """How a tune is written."""

    bars: int = option(16, "Number of bars to write.", minimum=0, maximum=256, free=True)
    key: str | None = option(
        None, 'Key, such as "G major" or "F# minor".', metavar="KEY", missing="the model's choice", free=True
    )
    metre: str = option("4/4", "Time signature, such as 3/4.", metavar="METRE", free=True)
    temperature: float = option(
        0.8, "Below 1, probable notes gain; 0 takes each note that is more probable than not.", minimum=0, free=True
    )
    seed: int = option(0, "Seed: the same one writes the same tune.", minimum=0, maximum=2**31 - 1, free=True)
    midi: Path | None = option(None, "Write the first tune as MIDI.", metavar="MID", shown=True, free=True)
    abc: Path | None = option(None, "Write the first tune in ABC notation.", metavar="ABC", shown=True, free=True)
    wav: Path | None = option(None, "Write the sound of the first tune.", metavar="WAV", shown=True, free=True)
    plot: Path | None = option(None, "Draw the piano roll of the first tune.", metavar="PNG", shown=True, free=True)
    tempo: float = option(80.0, "Quarter notes a minute in MIDI, ABC and WAV.", minimum=10, maximum=400, shown=True)


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measures."""

    tunes: int = option(
        8, "Tunes to write in keys of the pieces, to see whether they keep them; 0 for none.", minimum=0
    )


TASK = Task(
    name="music",
    summary="Music: train on pieces in several voices, write tunes, evaluate, export for TensorFlow Serving.",
    source=Source,
    model=Options,
    training=Training(epochs=40, batch_size=16, learning_rate=3e-3, schedule="cosine", patience=8),
    implementation="rnnapps.apps.music.task",
    requests="rnnapps.apps.music.requests",
    page="rnnapps.apps.music.page",
    columns=("prime",),
    outputs=("notes",),
    decoding=Generation,
    evaluation=Evaluation,
    batch_sizes=(1, 2, 4, 8),
    batch_size=16,
)
main = command_group(TASK)
