"""`rnn-translation`: what translation declares. Commands import TensorFlow themselves: --help must be quick."""

from dataclasses import dataclass
from pathlib import Path

from rnnapps.cli import RecurrentOptions, Task, TrainingOptions, command_group
from rnnapps.datasets.sources import PairSource
from rnnapps.options import inherited, option


@dataclass(frozen=True)
class Source(PairSource):
    """Where the sentence pairs are."""

    dataset: str | None = inherited(PairSource, "dataset", None, missing="expressions")

    def __post_init__(self) -> None:
        if self.dataset is None and self.source is None and self.target is None:
            object.__setattr__(self, "dataset", "expressions")


@dataclass(frozen=True)
class Options(RecurrentOptions):
    """The options of `Translator`. The encoder has `units` in each direction; the decoder is twice as wide."""

    cell: str = inherited(RecurrentOptions, "cell", "gru")
    dropout: float = inherited(RecurrentOptions, "dropout", 0.1)
    attention: str = option(
        "multiplicative",
        "How the decoder attends to the source; none: it sees one fixed vector.",
        choices=("multiplicative", "additive", "none"),
    )
    embedding_units: int = option(128, "Width of a subword's embedding.", minimum=1)
    label_smoothing: float = option(
        0.0, "Probability that training spreads evenly over all subwords; 0.1 is usual for real text.",
        minimum=0, below=1,
    )  # fmt: skip


@dataclass(frozen=True)
class Training(TrainingOptions):
    """How to train a translator."""

    vocabulary: int = option(600, "Maximum size of a vocabulary; a small text gives fewer subwords.", minimum=512)
    joint: bool = option(True, "One vocabulary for both languages, or one for each.", flags="--joint/--separate")
    sampling: float = option(
        0.0,
        "Subword regularisation: segment anew each epoch; 0.3 is usual for little data, 0 is off.",
        minimum=0,
        maximum=1,
    )
    max_length: int = option(100, "Longest sentence in training, in subwords; longer ones are cut.", minimum=1)
    bleu_sample: int = option(500, "Number of validation sentences translated after each epoch.", minimum=1)


@dataclass(frozen=True)
class Search:
    """How translations are found, by beam search.

    A translation has at most `length_ratio` times the subwords of its source and ten more, and never more than
    `longest`.
    """

    beam: int = option(5, "Beam width; 1 is greedy search.", minimum=1, maximum=100)
    length_penalty: float = option(1.0, "Exponent of the length penalty; more favours longer translations.", minimum=0)
    length_ratio: float = option(2.0, "Maximum number of subwords per subword of the source, plus ten.", above=0)
    longest: int = option(500, "Maximum number of subwords of a translation.", minimum=1)
    nbest: int | None = option(
        None, "Number of translations per text, best first.", minimum=1, missing="1; in an export 5", free=True
    )
    attention_plot: Path | None = option(
        None, "Draw the attention of the first 10 texts, up to 40 subwords of each; run folders only.",
        metavar="PNG", shown=True, free=True,
    )  # fmt: skip


TASK = Task(
    name="translation",
    summary="Translation: train on parallel sentences, evaluate, predict, export for TensorFlow Serving.",
    source=Source,
    model=Options,
    training=Training(epochs=14, batch_size=64, learning_rate=3e-3, schedule="cosine", patience=5, averaging=0.99),
    implementation="rnnapps.apps.translation.task",
    requests="rnnapps.apps.translation.requests",
    page="rnnapps.apps.translation.page",
    outputs=("translation", "score"),
    decoding=Search,
    signature="nbest",
    resources=("source_subwords", "target_subwords"),
)
main = command_group(TASK)
