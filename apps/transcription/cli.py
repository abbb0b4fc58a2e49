"""`rnn-transcription`: what speech recognition declares, and `listen`. Commands import TensorFlow themselves."""

from dataclasses import dataclass
from pathlib import Path

import click

from rnnapps.audio.suffixes import SUFFIXES
from rnnapps.cli import AudioOptions, AudioTrainingOptions, Task, command_group
from rnnapps.cli.options import COUNT, PATH, POSITIVE, run_argument
from rnnapps.datasets.sources import TranscriptSource
from rnnapps.options import inherited, option


@dataclass(frozen=True)
class Options(AudioOptions):
    """The options of `Transcriber`. Recordings vary less than in `rnn-speech`; otherwise it learns more slowly."""

    layers: int = inherited(AudioOptions, "layers", 2)
    dropout: float = inherited(AudioOptions, "dropout", 0.1)
    hop_seconds: float = inherited(AudioOptions, "hop_seconds", 0.016)
    convolutions: tuple[int, ...] = inherited(AudioOptions, "convolutions", (8, 16))
    speed: float = inherited(AudioOptions, "speed", 0.0)
    gain: float = inherited(AudioOptions, "gain", 6.0)
    noise: float = inherited(AudioOptions, "noise", -30.0)
    tempo: float = inherited(AudioOptions, "tempo", 0.1)
    channel: float = inherited(AudioOptions, "channel", 0.1)
    mask_seconds: float = inherited(AudioOptions, "mask_seconds", 0.05)
    mask_bands: int = inherited(AudioOptions, "mask_bands", 4)
    reduction: int = option(
        2, "Frames that the convolutions merge into a step; a text needs a step for each token.", minimum=1, maximum=8
    )
    tokens: str = option("subwords", "What a token is: a subword or a character.", choices=("subwords", "characters"))
    vocabulary: int = option(600, "Maximum number of --tokens subwords; a small text gives fewer.", minimum=512)
    join: int | None = option(
        None, "Steps of the first recurrent layer that the second reads as one.", minimum=1, maximum=8,
        missing="2 for subwords, 1 for characters",
    )  # fmt: skip
    spelling: float = option(
        1.0, "Training: weight of an auxiliary loss that teaches the first of several layers to spell.", minimum=0
    )

    @property
    def steps_joined(self) -> int:
        """Number of steps of the first recurrent layer that the next one reads as one."""
        return self.join or {"subwords": 2, "characters": 1}[self.tokens]


@dataclass(frozen=True)
class Training(AudioTrainingOptions):
    """How to train a transcriber."""

    start_from: str | None = inherited(
        AudioTrainingOptions, "start_from", None, metavar="RUN|spoken_phrases",
        help="For few recordings or voices: start from the model of another run. spoken_phrases: a model of "
        "phrases in synthetic voices, trained once and kept.",
    )  # fmt: skip
    precision: str = option(
        "float32", "Numeric precision of training; mixed_bfloat16 is for GPUs.", choices=("float32", "mixed_bfloat16")
    )


@dataclass(frozen=True)
class Search:
    """How texts are found and shown."""

    beam: int = option(8, "Beam width; 1 without a language model takes the best path.", minimum=1, maximum=500)
    language_model: Path | None = option(
        None, "Run of rnn-language that also scores the texts; of characters if --tokens are.", metavar="RUN"
    )
    alpha: float = option(0.3, "Weight of the language model; 1 or more is usual with --tokens characters.", minimum=0)
    beta: float = option(0.0, "With a language model: reward per character, to counter its bias towards short texts.")
    nbest: int | None = option(
        None, "Number of texts per recording, best first.", minimum=1, missing="1; in an export 5", free=True
    )
    format: str = option(
        "text", "What to print: texts, subtitles, or JSON with the times of words.",
        choices=("text", "srt", "json"), shown=True, free=True,
    )  # fmt: skip
    plot: Path | None = option(
        None, "Draw spectrogram, probabilities and words of the first recording; run folders only.",
        metavar="PNG", shown=True, free=True,
    )  # fmt: skip


TASK = Task(
    name="transcription",
    summary="Speech recognition: train on recordings with their texts, evaluate, predict, listen, export for "
    "TensorFlow Serving.",
    source=TranscriptSource,
    model=Options,
    training=Training(epochs=11, batch_size=8, schedule="cosine", patience=4),
    implementation="rnnapps.apps.transcription.task",
    requests="rnnapps.apps.transcription.requests",
    page="rnnapps.apps.transcription.page",
    columns=("path",),
    suffixes=SUFFIXES,
    optional_columns=("start", "end"),
    outputs=("text", "score"),
    decoding=Search,
    signature="nbest",
    resources=("fused",),
    batch_size=16,
    batch_sizes=(1, 2, 4, 8, 16),
)
main = command_group(TASK)


@main.command(params=[run_argument(), click.Argument(["file"], type=PATH, required=False)])
@click.option("--every", type=POSITIVE, default=0.04, show_default=True, metavar="SECONDS", help="Length of a chunk.")
@click.option("--rate", type=COUNT, metavar="HZ", help="Sample rate of standard input.  [default: that of the model]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object per line.")
def listen(run: Path, file: Path | None, every: float, rate: int | None, as_json: bool) -> None:
    """Transcribe FILE, or 16-bit samples from standard input, chunk by chunk; RUN must be trained with --causal."""
    TASK.code().follow(run, file, every, rate, as_json)
