"""`rnn-sentiment`: what sentiment analysis declares. Commands import TensorFlow themselves: --help must be quick."""

from dataclasses import dataclass
from pathlib import Path

from rnnapps.cli import RecurrentOptions, Task, TrainingOptions, command_group
from rnnapps.datasets.sources import TextSource
from rnnapps.options import option


@dataclass(frozen=True)
class Options(RecurrentOptions):
    """The options of `SentimentClassifier`."""

    bidirectional: bool = option(True, "Read each text in both directions.", flags="--bidirectional/--no-bidirectional")
    embedding_units: int = option(128, "Width of a word's embedding.", minimum=1)
    vocabulary: int = option(30_000, "Number of most frequent words to know.", minimum=1)
    max_length: int = option(400, "Number of words kept from the end of a text.", minimum=1)
    pooling: str = option(
        "max+mean", "How the steps of a text become one vector.", choices=("max", "mean", "max+mean", "last")
    )
    word_dropout: float = option(0.0, "Fraction of words hidden in training.", minimum=0, below=1)
    ngrams: int = option(
        3, "Longest word n-gram of a linear part beside the recurrent one; 0 leaves it out.", minimum=0, maximum=5
    )
    adversarial: float = option(
        0.0,
        "Also train on embeddings moved in the worst direction by this fraction of their norm.",
        minimum=0,
        below=1,
    )


@dataclass(frozen=True)
class Training(TrainingOptions):
    """How to train a classifier, and what to start from."""

    start_from: Path | None = option(
        None, "Run of rnn-language --level word whose embeddings to start from.", metavar="RUN"
    )
    start_layers: bool = option(False, "--start-from: also start from its recurrent layers, in the forward direction.")
    unfreeze_every: float = option(
        0.0,
        "--start-from: epochs between the starts of pretrained layers; the top one starts to learn first.",
        minimum=0,
        metavar="EPOCHS",
    )
    layer_rate: float = option(
        1.0,
        "--start-from: learning rate of each pretrained layer relative to that of the one above.",
        above=0,
        maximum=1,
    )
    embeddings: Path | None = option(
        None, "File of word vectors to start from: word2vec, GloVe or fastText.", metavar="FILE"
    )
    freeze_embeddings: float = option(
        1.0, "--embeddings: epochs in which the vectors are frozen.", minimum=0, metavar="EPOCHS"
    )


TASK = Task(
    name="sentiment",
    summary="Sentiment analysis: train on labelled texts, evaluate, predict, export for TensorFlow Serving.",
    source=TextSource,
    model=Options,
    training=Training(epochs=3, batch_size=32, learning_rate=2e-3, schedule="cosine", patience=2),
    implementation="rnnapps.apps.sentiment.task",
    requests="rnnapps.apps.sentiment.requests",
    page="rnnapps.apps.sentiment.page",
    litert_input="word ids, int32 (1, words): line numbers of vocabulary.txt beside it, from 0",
)
main = command_group(TASK)
