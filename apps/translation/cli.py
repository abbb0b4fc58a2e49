"""`rnn-translation`: train, evaluate, predict, export. Commands import TensorFlow themselves: --help must be quick."""

import json
from itertools import islice
from pathlib import Path

import click

from rnnapps.cli import (
    App,
    absolute_dataset,
    data_options,
    export_options,
    fit_model,
    input_texts,
    load_run_model,
    model_options,
    predict_options,
    tell_export,
    training_options,
)
from rnnapps.cli.config import saved_config
from rnnapps.cli.options import COUNT, FRACTION
from rnnapps.errors import UserError

MODEL = (
    *("cell", "units", "layers", "attention", "embedding_units"),
    *("dropout", "recurrent_dropout", "label_smoothing", "l2", "truncate"),
)
FILES = ("source", "target", "validation_source", "validation_target")
SOURCE = ("dataset", *FILES, "data_dir", "seed", "strict")
RUN = click.argument("run", type=click.Path(path_type=Path))
FILE = click.Path(path_type=Path, dir_okay=False)


def search_options(command):
    """--beam, --length-penalty, --length-ratio, --longest: how translations are looked for."""
    for option in (
        click.option("--longest", type=COUNT, default=500, show_default=True, help="Subwords of a translation."),
        click.option(
            "--length-ratio",
            type=click.FloatRange(0, min_open=True),
            default=2.0,
            show_default=True,
            help="Subwords of a translation per subword of its source; ten more are allowed.",
        ),
        click.option(
            "--length-penalty",
            type=click.FloatRange(0),
            default=1.0,
            show_default=True,
            help="Exponent; more favours longer translations.",
        ),
        click.option(
            "--beam", type=click.IntRange(1, 100), default=5, show_default=True, help="Beam width; 1: greedy."
        ),
    ):
        command = option(command)
    return command


@click.group(cls=App)
def main():
    """Translation: train on parallel sentences, evaluate, predict, export for TensorFlow Serving."""


@main.command()
@data_options(dataset="expressions")
@click.option("--source", type=FILE, help="File of sentences, one a line, in place of --dataset.")
@click.option("--target", type=FILE, help="File of their translations, line by line.")
@click.option("--validation-source", type=FILE, help="Sentences to validate on.  [default: a part of --source]")
@click.option("--validation-target", type=FILE, help="Their translations.")
@click.option("--vocabulary", type=COUNT, default=2000, show_default=True, help="Subwords of a vocabulary.")
@click.option(
    "--joint/--separate", default=True, show_default=True, help="One vocabulary for both languages, or one for each."
)
@click.option(
    "--sampling",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Subword regularisation: segment anew each epoch; 0.3 is usual with little data, 0 is never.",
)
@click.option("--max-length", type=COUNT, default=100, show_default=True, help="Subwords of a training sentence.")
@model_options(cell="gru", units=128, layers=1, dropout=0.1)
@click.option(
    "--attention",
    type=click.Choice(["multiplicative", "additive"]),
    default="multiplicative",
    show_default=True,
    help="How the decoder finds what to look at.",
)
@click.option("--no-attention", is_flag=True, help="The decoder sees the source as one fixed vector.")
@click.option("--embedding-units", type=COUNT, default=128, show_default=True, help="Width of a subword's embedding.")
@click.option("--label-smoothing", type=FRACTION, default=0.1, show_default=True, help="0.1 is usual.")
@click.option(
    "--bleu-sample", type=COUNT, default=500, show_default=True, help="Validation sentences translated each epoch."
)
@training_options(epochs=10, batch_size=64, learning_rate=3e-3, schedule="cosine", patience=5, averaging=0.99)
@click.pass_context
def train(context, run_dir, overwrite, checkpoint_every, gradient_flow, **options):
    """Train a translator, evaluate it on the test split, and leave everything in --run-dir."""
    from rnnapps import training
    from rnnapps.apps.translation import data, report
    from rnnapps.apps.translation.model import Search, Translator
    from rnnapps.datasets import load_pairs
    from rnnapps.text import Subwords, train_subwords

    resume = context.meta["resume"]
    if resume or not overwrite:
        training.check_run_dir(run_dir, resume=resume)
    if options.pop("no_attention"):
        options["attention"] = None
    options |= {name: options[name] and str(Path(options[name]).resolve()) for name in FILES}
    options["dataset"] = None if options["source"] else absolute_dataset(options["dataset"], [])
    training.set_seed(options["seed"])
    # Files of one's own with a validation part have no test part.
    names = data.SPLITS[:2] if options["validation_source"] else data.SPLITS
    splits = {name: load_pairs(split=name, **_source(options)) for name in names}
    for line in data.summary(splits.values()):
        click.echo(line)
    subwords = [splits["train"].sources, splits["train"].targets]
    if options["joint"]:
        subwords = [[*subwords[0], *subwords[1]]]
    subwords = [Subwords(train_subwords(texts, options["vocabulary"], seed=options["seed"])) for texts in subwords]
    model = Translator(*(one.to_text() for one in subwords), **{name: options[name] for name in MODEL})
    model.build()
    shape = {"batch_size": options["batch_size"], "max_length": options["max_length"]}
    batches = data.batches(model, splits["train"], **shape, seed=options["seed"], sampling=options["sampling"] or None)
    validation = splits["validation"]
    sample = report.translator(model, Search(beam_width=1), options["batch_size"])
    references = [text.decode() for text in validation.targets[: options["bleu_sample"]]]
    history = fit_model(
        model,
        batches,
        data.batches(model, validation, **shape),
        run_dir,
        options,
        resume=resume,
        overwrite=overwrite,
        checkpoint_every=checkpoint_every,
        gradient_flow=gradient_flow,
        jit_compile=False,  # the shapes of batches are too many to compile each of them
        figures={"val_bleu": lambda: report.bleu(sample(validation.sources[: len(references)]), references)[0]},
        monitor="val_bleu",
        mode="max",
    )
    run = history.run
    last = splits[names[-1]]
    metrics = report.assess(model, last, options["batch_size"], Search())
    if last.split == "test":
        run.add_metrics(test=metrics)
    if model.attention:
        shown = validation.sources[:3]
        translations = report.translator(model, Search(), 3)(shown)
        report.draw_attention(model, shown, translations, run.report / "attention.png")
    click.echo(f"best epoch {history.best_epoch} of {len(history.rows)}; on the {last.split} split:")
    click.echo(report.table(metrics))
    click.echo(f"model and metrics: {run_dir}   plots: {run.report}")


@main.command()
@RUN
@click.option("--dataset", metavar="NAME|PATH", help="Data to evaluate on.  [default: the run's]")
@click.option("--source", type=FILE, help="File of sentences, one a line, in place of --dataset.")
@click.option("--target", type=FILE, help="File of their references, line by line.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    help="The part to evaluate on.  [default: test; with --source all]",
)
@click.option("--strict", is_flag=True, default=None, help="Stop at the first bad line instead of skipping it.")
@search_options
@predict_options
def evaluate(run, dataset, source, target, split, strict, batch_size, as_json, **search):
    """BLEU, chrF, exact match, loss and speed of a trained RUN."""
    from rnnapps import training
    from rnnapps.apps.translation import data, report
    from rnnapps.datasets import load_pairs

    folder = training.open_run(run)
    options = saved_config(run, *SOURCE)
    if dataset or source or target:
        options |= {**dict.fromkeys(FILES), "dataset": dataset, "source": source, "target": target}
    if strict is not None:
        options["strict"] = strict
    pairs = load_pairs(split=split or ("all" if source else "test"), **_source(options))
    model = _model(folder)
    for line in data.summary([pairs]):
        click.echo(line, err=as_json)
    metrics = report.assess(model, pairs, batch_size, _search(search))
    click.echo(json.dumps(metrics) if as_json else report.table(metrics))


@main.command()
@RUN
@click.argument("text", nargs=-1)
@search_options
@click.option("--nbest", type=COUNT, default=1, show_default=True, help="Translations of each text, the best first.")
@click.option("--attention-plot", type=FILE, metavar="PNG", help="Draw what the attention looked at; a RUN only.")
@predict_options
@click.pass_context
def predict(context, run, text, nbest, attention_plot, batch_size, as_json, **search):
    """The translation of each TEXT, or of each line of standard input. RUN is a run folder or an export.

    Prints a translation a line; with --nbest, score and translation separated by a tab.
    """
    from rnnapps.apps.translation import report

    if nbest > search["beam"]:
        raise UserError(f"--nbest {nbest} needs a --beam as wide; it is {search['beam']}")
    texts = input_texts(text)
    translate, model = _translate(context, run, _search(search), nbest)
    drawn = []
    while batch := list(islice(texts, batch_size)):
        translations, scores = translate(batch)
        for source, found, scored in zip(batch, translations, scores, strict=True):
            drawn += [(source, found[0])] * (attention_plot is not None)
            best = [{"translation": t, "score": round(s, 6)} for t, s in zip(found, scored, strict=True) if s > -1e30]
            if as_json:
                line = {"text": source, **best[0]} | ({"nbest": best} if nbest > 1 else {})
                click.echo(json.dumps(line, ensure_ascii=False))
            elif nbest > 1:
                click.echo("\n".join(f"{one['score']:.4f}\t{one['translation']}" for one in best))
            else:
                click.echo(best[0]["translation"])
    if attention_plot is not None:
        if model is None:
            raise UserError("--attention-plot needs the run folder: an export does not tell where its attention looked")
        report.draw_attention(model, *zip(*drawn[:10], strict=True), attention_plot)


@main.command(short_help="Write a SavedModel for TensorFlow Serving.")
@RUN
@export_options
@search_options
@click.option("--nbest", type=COUNT, default=5, show_default=True, help="Translations of the signature nbest.")
def export(run, output, model_version, nbest, **search):
    """Write OUTPUT/<version>/, a SavedModel for TensorFlow Serving, and check it in a process without Keras."""
    from rnnapps import training
    from rnnapps.apps.translation import serving
    from rnnapps.datasets import DataError, load_pairs

    if nbest > search["beam"]:
        raise UserError(f"--nbest {nbest} needs a --beam as wide; it is {search['beam']}")
    folder = training.open_run(run)
    model = _model(folder)
    options = saved_config(run, *SOURCE)
    try:
        split = "validation" if options["validation_source"] else "test"
        pairs = load_pairs(split=split, **_source(options))
        samples = [text.decode("utf-8", errors="replace") for text in pairs.sources[:200]]
    except DataError as error:
        click.echo(f"the check goes without the run's own sentences: {error}", err=True)
        samples = []
    about = {"dataset": options["dataset"] or options["source"], "metrics": folder.read_metrics()}
    saved = serving.export(
        model, output, samples, search=_search(search), n_best=nbest, version=model_version, about=about
    )
    tell_export(saved)


def _source(options: dict) -> dict:
    """Where the data are and how to read them."""
    return {name: options[name] for name in SOURCE}


def _search(options: dict):
    from rnnapps.apps.translation.model import Search

    return Search(options["beam"], options["length_penalty"], options["length_ratio"], options["longest"])


def _model(folder):
    from rnnapps.apps.translation.model import Translator

    return load_run_model(folder, Translator)


def _translate(context: click.Context, run: Path, search, nbest: int):
    """A function from strings to their translations and scores, lists of `nbest`, and the model if RUN is a run."""
    import tensorflow as tf

    from rnnapps import serving, training

    if not (run / "config.json").exists() and run.is_dir() and serving.is_export(run):
        for option in ("beam", "length_penalty", "length_ratio", "longest"):
            if context.get_parameter_source(option) == click.core.ParameterSource.COMMANDLINE:
                name = option.replace("_", "-")
                raise UserError(f"--{name} was fixed when {run} was exported; leave it out, or name the run folder")
        import tensorflow_text  # noqa: F401  the ops of its subwords

        signature, model = serving.load(run, "nbest"), None

        def search_for(text):
            found = signature(text=text)
            return found["translations"][:, :nbest], found["scores"][:, :nbest]
    else:
        model = _model(training.open_run(run))
        search_for = tf.function(
            lambda text: model.translate(text, search, n_best=nbest),
            [tf.TensorSpec([None], tf.string)],
            autograph=False,
        )

    def translate(batch: list[str]):
        translations, scores = search_for(tf.constant(batch))
        texts = [[text.decode("utf-8", errors="replace") for text in row] for row in translations.numpy()]
        return texts, scores.numpy().tolist()

    return translate, model
