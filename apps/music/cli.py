"""`rnn-music`: what the application declares. Commands import TensorFlow themselves: --help must be quick."""

from dataclasses import dataclass
from pathlib import Path

from rnnapps.cli import RecurrentOptions, Task, TrainingOptions, command_group
from rnnapps.datasets.sources import MusicSource
from rnnapps.options import option

LONGEST = 4096  # time steps written at once


@dataclass(frozen=True)
class Options(RecurrentOptions):
    """The options of `ChordModel` and `MelodyModel`."""

    representation: str = option(
        "chords",
        "What to learn: all notes of each time step (chords), or the top voice, note by note (melody).",
        choices=("chords", "melody"),
    )
    head: str = option(
        "nade",
        "Chords: each note of a time step depends on the lower ones (nade), or all are independent.",
        choices=("nade", "independent"),
    )
    hidden: int = option(128, "Width of the hidden layer of --head nade.", minimum=1)
    embedding_units: int = option(64, "Melody: width of a token's embedding.", minimum=1)


@dataclass(frozen=True)
class Training(TrainingOptions):
    """How to train a model of music."""

    transpose: int = option(
        5, "Transpose training pieces at random by up to this many semitones up or down.", minimum=0, maximum=11
    )


@dataclass(frozen=True)
class Generation:
    """How a tune is written."""

    bars: int = option(16, "Number of bars to write.", minimum=0, maximum=256, requested=True)
    key: str | None = option(
        None, 'Key, such as "G major" or "F# minor".', metavar="KEY", missing="the model's choice", requested=True
    )
    metre: str | None = option(
        None, "Time signature, such as 3/4.", metavar="METRE", missing="the music file's, or 4/4", requested=True
    )
    temperature: float = option(
        0.8, "Below 1 favours probable notes; 0 takes the most probable.", minimum=0, requested=True
    )
    seed: int = option(0, "The same seed writes the same tune.", minimum=0, maximum=2**31 - 1, requested=True)
    midi: Path | None = option(None, "Write the first tune as MIDI.", metavar="MID", shown=True, free=True)
    abc: Path | None = option(None, "Write the first tune in ABC notation.", metavar="ABC", shown=True, free=True)
    wav: Path | None = option(None, "Write the first tune as WAV.", metavar="WAV", shown=True, free=True)
    soundfont: Path | None = option(
        None,
        "Play --wav with FluidSynth and this soundfont.",
        metavar="SF2",
        missing="a simple synthesiser",
        shown=True,
    )
    plot: Path | None = option(None, "Draw the piano roll of the first tune.", metavar="PNG", shown=True, free=True)
    tempo: float = option(80.0, "Quarter notes a minute in MIDI, ABC and WAV.", minimum=10, maximum=400, shown=True)


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measures."""

    tunes: int = option(
        8, "Number of tunes to write in the keys of the pieces, to check whether they stay in key; 0: none.", minimum=0
    )


TASK = Task(
    name="music",
    summary="Music: train on chords or melodies, write tunes, evaluate, export for TensorFlow Serving.",
    source=MusicSource,
    model=Options,
    training=Training(epochs=40, batch_size=16, learning_rate=3e-3, schedule="cosine", patience=8),
    implementation="rnnapps.apps.music.task",
    requests="rnnapps.apps.music.requests",
    page="rnnapps.apps.music.page",
    columns=("prime",),
    argument="BEGINNING",
    outputs=("notes",),
    decoding=Generation,
    evaluation=Evaluation,
    batch_sizes=(1, 2, 4, 8),
    batch_size=16,
)
main = command_group(TASK)
