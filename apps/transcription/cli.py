"""`rnn-transcription`: what speech recognition declares, and its verb `listen`. Commands import TensorFlow themselves."""

from dataclasses import dataclass

from rnnapps.audio.suffixes import SUFFIXES
from rnnapps.cli import RecurrentOptions, Task, TrainingOptions, command_group
from rnnapps.datasets.sources import TranscriptSource
from rnnapps.options import inherited, option


@dataclass(frozen=True)
class Source(TranscriptSource):
    """Where the recordings and their texts are."""


@dataclass(frozen=True)
class Options(RecurrentOptions):
    """The options of `Transcriber`. Those that begin with "Training:" vary the recordings in training."""

    cell: str = inherited(RecurrentOptions, "cell", "gru")
    layers: int = inherited(RecurrentOptions, "layers", 2)
    dropout: float = inherited(RecurrentOptions, "dropout", 0.1)
    causal: bool = option(
        False, "Causal: read forward only, so that the model can stream.", flags="--causal/--bidirectional"
    )
    convolutions: tuple[int, ...] = option(
        (16, 32), "Channels before the recurrent layers; each halves the frequencies.", minimum=1, metavar="WIDTHS"
    )
    reduction: int = option(
        2,
        "Frames that the convolutions turn into a step; a text needs a step for each character.",
        minimum=1,
        maximum=8,
    )
    bands: int = option(40, "Number of mel bands.", minimum=1)
    window_seconds: float = option(0.025, "Length of a frame.", above=0, metavar="SECONDS")
    hop_seconds: float = option(0.0125, "Time from one frame to the next.", above=0, metavar="SECONDS")
    speed: float = option(0.1, "Training: largest change of speed, a fraction.", minimum=0)
    shift_seconds: float = option(
        0.1, "Training: maximum silence added before and after.", minimum=0, metavar="SECONDS"
    )
    gain: float = option(10.0, "Training: largest change of loudness, in dB.", minimum=0)
    noise: float = option(-10.0, "Training: loudest noise, in dB relative to the clip.")
    tempo: float = option(0.1, "Training: largest change of tempo at constant pitch, a fraction.", minimum=0)
    warp: float = option(0.1, "Training: largest change of vocal tract length, a fraction.", minimum=0)
    channel: float = option(0.3, "Training: strength of microphone variation, 0 to 1.", minimum=0)
    mask_seconds: float = option(0.1, "Training: longest part hidden.", minimum=0, metavar="SECONDS")
    mask_bands: int = option(6, "Training: most mel bands hidden.", minimum=0)


@dataclass(frozen=True)
class Training(TrainingOptions):
    """How to train a transcriber."""


TASK = Task(
    name="transcription",
    summary="Speech recognition: train on recordings with their texts, evaluate, predict, listen, export for "
    "TensorFlow Serving.",
    source=Source,
    model=Options,
    training=Training(epochs=8, batch_size=24, learning_rate=3e-3, schedule="cosine", patience=4),
    implementation="rnnapps.apps.transcription.task",
    requests="rnnapps.apps.transcription.requests",
    columns=("path",),
    suffixes=SUFFIXES,
    outputs=("text", "score"),
    batch_size=16,
    batch_sizes=(1, 2, 4, 8, 16),
)
main = command_group(TASK)
