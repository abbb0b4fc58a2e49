"""`rnn-video`: what the application declares. Commands import TensorFlow themselves: --help must be quick."""

from dataclasses import dataclass
from pathlib import Path

from rnnapps.cli import RecurrentOptions, Task, TrainingOptions, command_group
from rnnapps.datasets.sources import VideoSource
from rnnapps.datasets.video_suffixes import VIDEOS
from rnnapps.options import inherited, option


@dataclass(frozen=True)
class Options(RecurrentOptions):
    """The options of `ActionClassifier` and `Captioner`."""

    cell: str = inherited(RecurrentOptions, "cell", "gru")
    units: int = inherited(RecurrentOptions, "units", 96)
    dropout: float = inherited(RecurrentOptions, "dropout", 0.2)
    convolutions: tuple[int, ...] = option(
        (16, 32, 64),
        "Channels of the convolutions of each frame; each halves height and width.",
        minimum=1,
        metavar="WIDTHS",
    )
    backbone: str = option(
        "none",
        "Frame features: from trained convolutions (none), or from a frozen Keras model of your own, a .keras file"
        " that takes pixel values from 0 to 255.",
        metavar="none|PATH",
    )
    frame_units: int = option(128, "Number of features per frame that the recurrent layers read.", minimum=1)
    embedding_units: int = option(64, "Captions: width of a word's embedding.", minimum=1)


@dataclass(frozen=True)
class Training(TrainingOptions):
    """How to train a model of video."""

    vocabulary: int = option(10_000, "Captions: maximum size of the vocabulary, in words.", minimum=1)


@dataclass(frozen=True)
class Answers:
    """How `predict` finds and shows answers."""

    top: int = option(1, "Actions: number of most probable classes to print.", minimum=1, shown=True, free=True)
    beam: int = option(5, "Captions: beam width; 1 is greedy search.", minimum=1, maximum=100)
    length_penalty: float = option(
        1.0, "Captions: exponent of the length penalty; more favours longer sentences.", minimum=0
    )
    longest: int = option(30, "Captions: maximum number of words in a sentence.", minimum=1)
    plot: Path | None = option(
        None,
        "Draw the frames of the first 4 clips, and where the attention was; run folders only.",
        metavar="PNG",
        shown=True,
        free=True,
    )
    fps: float | None = option(
        None,
        "With --server: frames per second that its model was trained with.",
        above=0,
        maximum=240,
        metavar="FPS",
        missing="8",
        shown=True,
        free=True,
    )
    size: int | None = option(
        None,
        "With --server: height and width of the frames of its model.",
        minimum=8,
        maximum=512,
        metavar="PIXELS",
        missing="32",
        shown=True,
        free=True,
    )


TASK = Task(
    name="video",
    summary="Video: train on labelled or captioned clips, evaluate, predict, export for TensorFlow Serving.",
    source=VideoSource,
    model=Options,
    training=Training(epochs=10, batch_size=32, learning_rate=2e-3, schedule="cosine", patience=4),
    implementation="rnnapps.apps.video.task",
    requests="rnnapps.apps.video.requests",
    page="rnnapps.apps.video.page",
    columns=("path",),
    suffixes=VIDEOS,
    outputs=("answer", "score"),
    decoding=Answers,
    batch_size=16,
    batch_sizes=(1, 2, 4, 8, 16),
)
main = command_group(TASK)
