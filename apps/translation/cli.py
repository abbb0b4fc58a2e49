"""`rnn-translation`: train, evaluate, predict, export. Commands import TensorFlow themselves: --help must be quick."""

import json
from itertools import islice
from pathlib import Path

import click

from rnnapps.cli import (
    App,
    Source,
    absolute_dataset,
    asking_options,
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
NO_SCORE = -1e9  # of a translation that does not exist
DRAWN = 10  # sentences in a picture
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
@click.option(
    "--vocabulary",
    type=click.IntRange(512),
    default=600,
    show_default=True,
    help="Subwords of a vocabulary, at most; a small text gives fewer.",
)
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
@click.option(
    "--max-length", type=COUNT, default=100, show_default=True, help="Training: longer sentences are cut, in subwords."
)
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
@click.option("--label-smoothing", type=FRACTION, default=0.0, show_default=True, help="0.1 is usual for real text.")
@click.option(
    "--bleu-sample", type=COUNT, default=500, show_default=True, help="Validation sentences translated each epoch."
)
@training_options(
    run_dir="runs/translation",
    epochs=14,
    batch_size=64,
    learning_rate=3e-3,
    schedule="cosine",
    patience=5,
    averaging=0.99,
)
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
    if any(options[name] for name in FILES) and context.get_parameter_source("dataset").name == "DEFAULT":
        options["dataset"] = None
    options["dataset"] = options["dataset"] and absolute_dataset(options["dataset"], [])
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
    click.echo(f"subwords: {' and '.join(f'{one.size:,}' for one in subwords)}")
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
@asking_options("TEXT", model="translation")
@click.option("--text-column", default="text", show_default=True, help="With --input: column or key of the text.")
@search_options
@click.option("--nbest", type=COUNT, default=1, show_default=True, help="Translations of each text, the best first.")
@click.option(
    "--attention-plot",
    type=FILE,
    metavar="PNG",
    help=f"Draw where the attention looked, for the first {DRAWN} texts and 40 subwords of each; a RUN only.",
)
@predict_options
@click.pass_context
def predict(context, source, inputs, files, text_column, nbest, attention_plot, batch_size, as_json, **search):
    """The translation of each TEXT, of each line of standard input, or of each row of a file.

    RUN is a run folder or an export; --server takes its place. Prints a translation a line; with --nbest the number of
    the text, score and translation, separated by tabs. Of a text of more than 1,000 subwords the first are read.
    """
    if attention_plot and files is not None:
        raise UserError("--attention-plot is for texts on the command line or standard input; leave out --input")
    if attention_plot and attention_plot.suffix.lower() != ".png":
        raise UserError(f"--attention-plot {attention_plot}: must end in .png")
    if nbest > search["beam"]:
        raise UserError(f"--nbest {nbest} needs a --beam as wide; it is {search['beam']}")
    if source.path is None or not (source.path / "config.json").exists():
        _refuse_what_is_fixed(context, source)
    ask, model = _asked(source, search, nbest)

    def answer(texts: list[str]) -> list[dict]:
        return [_answer(*row, nbest) for row in zip(*(output.tolist() for output in ask(texts)), strict=True)]

    if files is not None:
        from rnnapps.datasets.rows import open_rows
        from rnnapps.prediction.files import predict_file

        rows = open_rows(files.input, text_column, "--text-column")
        predict_file(rows, files, answer, ("translation", "score"), f"{source.name} {search} {nbest}", batch_size)
        return
    texts, drawn = input_texts(inputs), []
    batches = iter(lambda: list(islice(texts, batch_size)), [])
    answered = (pair for batch in batches for pair in zip(batch, answer(batch), strict=True))
    for number, (text, found) in enumerate(answered, start=1):
        if attention_plot and number <= DRAWN:
            drawn.append((text, found["translation"]))
        if as_json:
            click.echo(json.dumps({"text": text} | found, ensure_ascii=False))
        elif nbest > 1:
            for one in found["nbest"]:
                click.echo(f"{number}\t{one['score']:.4f}\t{one['translation']}")
        else:
            click.echo(found["translation"])
    if drawn:
        from rnnapps.apps.translation import report

        if not report.draw_attention(model, *zip(*drawn, strict=True), attention_plot):
            click.echo("there is no attention to draw: nothing was read or nothing written", err=True)


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


def _refuse_what_is_fixed(context: click.Context, source: Source) -> None:
    """Options that an export or a server cannot follow any more."""
    for option in ("beam", "length_penalty", "length_ratio", "longest", "attention_plot"):
        if context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE:
            name = option.replace("_", "-")
            raise UserError(
                f"--{name} needs the run folder: {source.path or source.name} is an export, fixed when written"
            )


def _asked(source: Source, search: dict, nbest: int):
    """A function from strings to arrays, translations and scores (texts, n-best), and the model if RUN is a run."""
    outputs = ("translations", "scores")
    if source.client is not None:
        return lambda texts: source.ask_server(outputs, signature="nbest", text=texts), None
    import tensorflow as tf

    from rnnapps import serving, training

    run, model = source.path, None
    if source.exported:
        import tensorflow_text  # noqa: F401 - the ops of its subwords

        signature = serving.load(run, "nbest")
    else:
        model = _model(training.open_run(run))

        def several(text):
            return dict(zip(outputs, model.translate(text, _search(search), n_best=nbest), strict=True))

        signature = tf.function(several, [tf.TensorSpec([None], tf.string)], autograph=False)

    def ask(texts: list[str]):
        found = signature(text=tf.constant(texts))
        return [found[name].numpy() for name in outputs]

    return ask, model


def _answer(translations: list[bytes], scores: list[float], nbest: int) -> dict:
    """The best translation and its score; with `nbest` above 1 all that there are."""
    found = [
        {"translation": text.decode("utf-8", errors="replace"), "score": round(score, 6)}
        for text, score in zip(translations[:nbest], scores, strict=False)
        if score > NO_SCORE / 2
    ]
    return found[0] | ({"nbest": found} if nbest > 1 else {})
