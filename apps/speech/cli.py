"""`rnn-speech`: train, evaluate, predict, export. Commands import TensorFlow themselves: --help must be quick."""

import json
from collections.abc import Iterator
from functools import partial
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
    load_run_model,
    model_options,
    predict_options,
    quantize_option,
    training_options,
)
from rnnapps.cli.config import saved_config
from rnnapps.cli.options import COUNT, POSITIVE
from rnnapps.errors import UserError
from rnnapps.prediction.files import Refused, one_by_one_if_need_be
from rnnapps.serving.clients.errors import BadRequest

MODEL = (
    *("sample_rate", "cell", "units", "layers", "dropout", "recurrent_dropout", "l2", "truncate"),
    *("causal", "pooling", "convolutions", "bands", "window_seconds", "hop_seconds"),
    *("speed", "shift_seconds", "gain", "noise", "tempo", "warp", "channel", "mask_seconds", "mask_bands"),
)
SOURCE = ("data_dir", "seed", "strict", "split_by", "test_files")
AMOUNT = click.FloatRange(0)
RUN = click.argument("run", type=click.Path(path_type=Path))


class Widths(click.ParamType):
    """Comma-separated widths; "0" or nothing for none."""

    name = "widths"

    def convert(self, value, parameter, context):
        if not isinstance(value, str):
            return list(value)
        try:
            widths = [int(part) for part in value.split(",") if part.strip()]
        except ValueError:
            self.fail(f"{value!r} is not a list of widths such as 16,32", parameter, context)
        if widths == [0]:
            return []
        if len(widths) > 4 or any(width < 1 for width in widths):
            self.fail(f"{value!r}: up to four widths of 1 and more, or 0 for no convolutions", parameter, context)
        return widths


def split_options(command):
    """--split-by and --test-files for recordings of one's own."""
    command = click.option(
        "--test-files",
        metavar="PATTERN",
        help="Regular expression: recordings in whose path it is found are the test split.",
    )(command)
    return click.option(
        "--split-by",
        metavar="PATTERN",
        help="Regular expression: recordings with the same match (or group 1) in their path stay in one split.",
    )(command)


@click.group(cls=App)
def main():
    """Audio classification: train on labelled recordings, evaluate, predict, stream, export for TensorFlow Serving."""


@main.command()
@data_options(dataset="spoken_words")
@split_options
@model_options(cell="gru", units=96, layers=1, dropout=0.2)
@click.option(
    "--causal/--bidirectional", default=False, show_default=True, help="Causal: read forward only, to stream."
)
@click.option(
    "--pooling",
    type=click.Choice(["attention", "max", "mean", "max+mean", "last"]),
    default="attention",
    show_default=True,
    help="How the steps of a recording become one vector.",
)
@click.option(
    "--convolutions",
    type=Widths(),
    default="16,32",
    show_default=True,
    help="Channels before the recurrent layers; each convolution halves time and frequency. 0: none.",
)
@click.option("--sample-rate", type=click.IntRange(4000, 96000), default=16000, show_default=True, help="In Hz.")
@click.option("--bands", type=COUNT, default=40, show_default=True, help="Mel bands.")
@click.option("--window-seconds", type=POSITIVE, default=0.025, show_default=True, help="Length of a frame.")
@click.option("--hop-seconds", type=POSITIVE, default=0.01, show_default=True, help="From one frame to the next.")
@click.option("--speed", type=AMOUNT, default=0.15, show_default=True, help="Training: faster or slower, a fraction.")
@click.option("--shift-seconds", type=AMOUNT, default=0.1, show_default=True, help="Training: silence put around.")
@click.option("--gain", type=AMOUNT, default=10.0, show_default=True, help="Training: louder or softer, dB.")
@click.option(
    "--noise", type=float, default=-5.0, show_default=True, help="Training: loudest noise, dB; -5: 5 dB below the clip."
)
@click.option("--tempo", type=AMOUNT, default=0.2, show_default=True, help="Training: quicker or slower at one pitch.")
@click.option("--warp", type=AMOUNT, default=0.1, show_default=True, help="Training: other vocal tracts, a fraction.")
@click.option("--channel", type=AMOUNT, default=0.3, show_default=True, help="Training: other microphones, 0 to 1.")
@click.option("--mask-seconds", type=AMOUNT, default=0.1, show_default=True, help="Training: longest part hidden.")
@click.option("--mask-bands", type=click.IntRange(0), default=6, show_default=True, help="Training: most bands hidden.")
@click.option(
    "--start-from",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Begin with what the model of another run has learnt to hear; for few recordings.",
)
@training_options(run_dir="runs/speech", epochs=12, batch_size=64, learning_rate=3e-3, schedule="cosine", patience=4)
@click.pass_context
def train(context, run_dir, overwrite, checkpoint_every, gradient_flow, **options):
    """Train a classifier, evaluate it on the test split, and leave everything in --run-dir."""
    from rnnapps import training
    from rnnapps.apps.speech import data, report
    from rnnapps.apps.speech.model import SpeechClassifier

    resume = context.meta["resume"]
    if options["causal"] and options["pooling"] != "attention":
        raise UserError(f"--causal streams with --pooling attention, not {options['pooling']}")
    hop, window = (options[name] * options["sample_rate"] for name in ("hop_seconds", "window_seconds"))
    if not 1 <= round(hop) <= round(window):
        raise UserError(
            f"--hop-seconds {options['hop_seconds']} must be from one sample to --window-seconds,"
            f" which is {options['window_seconds']}"
        )
    if resume or not overwrite:
        training.check_run_dir(run_dir, resume=resume)
    options["dataset"] = absolute_dataset(options["dataset"], data.EMBEDDED)
    training.set_seed(options["seed"])
    splits = {name: _clips(options, name) for name in data.SPLITS}
    for line in data.summary(splits.values(), options["sample_rate"]):
        click.echo(line)
    model = SpeechClassifier(splits["train"].classes, **{name: options[name] for name in MODEL})
    batches = data.WaveformBatches(splits["train"], options["batch_size"], seed=options["seed"])
    model.adapt(batches)
    if options["start_from"] and not resume:
        try:
            model.start_from(_model(training.open_run(options["start_from"])))
        except ValueError as error:
            raise UserError(f"--start-from {options['start_from']}: {error}") from None
    history = fit_classifier(
        model,
        batches,
        data.WaveformBatches(splits["validation"], options["batch_size"]),
        run_dir,
        options,
        resume=resume,
        overwrite=overwrite,
        checkpoint_every=checkpoint_every,
        gradient_flow=gradient_flow,
        jit_compile=False,  # XLA on a CPU has a slow Fourier transform
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
@click.option("--split", type=click.Choice(["train", "validation", "test", "all"]), default="test", show_default=True)
@split_options
@click.option("--strict", is_flag=True, default=None, help="Stop at the first bad file instead of skipping it.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the confusion matrix, a PNG.")
@predict_options
def evaluate(run, dataset, split, split_by, test_files, strict, plot, batch_size, as_json):
    """Accuracy, macro F1, confusions, loss and speed of a trained RUN."""
    from rnnapps import training
    from rnnapps.apps.speech import data, report

    folder = training.open_run(run)
    options = saved_config(run, "dataset", "sample_rate", *SOURCE)
    if dataset:  # the run's patterns are for the run's files
        options |= {"dataset": dataset, "split_by": None, "test_files": None}
    given = {"split_by": split_by, "test_files": test_files, "strict": strict}
    options |= {name: value for name, value in given.items() if value is not None}
    model = _model(folder)
    examples = data.with_classes(_clips(options, split), model.classes)
    for line in data.summary([examples], model.sample_rate):
        click.echo(line, err=as_json)
    metrics = report.assess(model, examples, batch_size, picture=plot)
    click.echo(json.dumps(metrics) if as_json else report.table(metrics))


@main.command()
@asking_options("RECORDING", model="speech")
@click.option("--top", type=COUNT, default=1, show_default=True, help="How many classes to name.")
@click.option("--strict", is_flag=True, help="Stop at the first bad file instead of skipping it.")
@click.option(
    "--stream", type=click.Path(path_type=Path), metavar="FILE", help="Label FILE over time; a causal RUN only."
)
@click.option("--every", type=POSITIVE, default=0.1, show_default=True, metavar="SECONDS", help="With --stream.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PNG",
    help="With --stream: the picture.  [default: RUN/report/stream.png]",
)
@click.option(
    "--batch-size", type=COUNT, default=16, show_default=True, help="With --input: recordings a server gets at once."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def predict(source, inputs, files, top, strict, stream, every, plot, batch_size, as_json):
    """The class of each RECORDING: files, or folders of them; or of all in a manifest.

    RUN is a run folder or an export; --server takes its place. The last two read WAV only. --input is a table with the
    column path, relative to it, a list of paths, or a folder.
    """
    if stream is not None:
        if source.path is None:
            raise UserError("--stream follows a recording with a RUN, not with --server")
        if source.exported:
            raise UserError(f"--stream follows a recording with a run folder; {source.path} is an export")
        _stream(source.path, stream, every, plot, as_json)
        return
    if source.client is not None and top > 1:
        raise UserError(f"--top {top}: a server names the best class only; ask the run or the export")
    if files is not None:
        from rnnapps.datasets.rows import open_rows
        from rnnapps.prediction.files import predict_file

        rows = open_rows(files.input, "path", suffixes=_suffixes(source))
        folder = files.input if files.input.is_dir() else files.input.parent
        answer = _answers(source, top)
        predict_file(
            rows,
            files,
            lambda paths: answer([folder / path for path in paths]),
            ("label", "score"),
            source.name,
            batch_size,
        )
        return
    if not inputs:
        raise UserError("no input: name recordings or folders of recordings, or --stream FILE")
    answer = _answers(source, top)
    bad = good = 0
    for file in _files(inputs, _suffixes(source)):
        (found,) = one_by_one_if_need_be(answer, [file])
        if isinstance(found, Refused):
            if strict:
                raise UserError(found.reason)
            click.echo(f"skipped: {found.reason}", err=True)
            bad += 1
            continue
        good += 1
        if as_json:
            click.echo(json.dumps({"path": str(file)} | found))
        else:
            click.echo(f"{file}\t" + "\t".join(f"{label}\t{score:.3f}" for label, score in found["top"].items()))
    if bad and not good:
        raise UserError(f"no recording could be read ({bad} tried)")
    if bad:
        click.echo(f"{good} answered, {bad} skipped", err=True)


@main.command()
@RUN
@export_options
@quantize_option
def export(run, output, model_version, quantize):
    """Write OUTPUT/<version>/, a SavedModel for TensorFlow Serving, and check it in a process without Keras."""
    from rnnapps import training
    from rnnapps.apps.speech import data, serving
    from rnnapps.datasets import DataError

    folder = training.open_run(run)
    model = _model(folder)
    options = saved_config(run, "dataset", "sample_rate", *SOURCE)
    try:
        examples = data.with_classes(_clips(options, "test"), model.classes)
        samples = examples.waveforms[:16]
        inputs, labels = examples.waveforms, examples.labels
    except DataError as error:
        click.echo(f"the check goes without the run's own recordings: {error}", err=True)
        samples, inputs, labels = [], [], []
    about = {"dataset": options["dataset"], "metrics": folder.read_metrics()}
    export_classifier(
        lambda add: serving.export(model, output, samples, model_version, about, add),
        partial(serving.quantize, model) if quantize else None,
        inputs,
        labels,
        "a second of waveform, float32 (1, samples): WAV files are read outside",
    )


def _clips(options: dict, split: str):
    from rnnapps.apps.speech import data

    source = {name: options[name] for name in SOURCE}
    return data.clips(options["dataset"], split, sample_rate=options["sample_rate"], **source)


def _model(folder):
    from rnnapps.apps.speech.model import SpeechClassifier

    return load_run_model(folder, SpeechClassifier)


def _suffixes(source: Source) -> tuple[str, ...]:
    """Of the files in a folder that are recordings."""
    if source.client is not None:  # and no TensorFlow for the list of what libsndfile reads
        return (".wav",)
    from rnnapps.audio import SUFFIXES

    return SUFFIXES


def _files(recordings: tuple[str, ...], suffixes: tuple[str, ...]) -> Iterator[Path]:
    for recording in map(Path, recordings):
        if recording.is_dir():
            yield from sorted(file for file in recording.rglob("*") if file.suffix.lower() in suffixes)
        else:
            yield recording


def _answers(source: Source, top: int):
    """A function from files to the answers of a run, an export or a server: a dictionary or `Refused` each."""
    if source.client is not None:
        return lambda files: _ask_server(source, files)
    from rnnapps import training
    from rnnapps.apps.speech.serving import ask_export, ask_model

    run = source.path
    ask, classes = ask_export(run) if source.exported else ask_model(_model(training.open_run(run)))

    def answer(file: Path) -> dict | Refused:
        try:
            probabilities = ask(file)
        except UserError as error:
            return Refused(str(error))
        best = sorted(zip(classes, probabilities, strict=True), key=lambda pair: -pair[1])[:top]
        return _answer(*best[0], {label: round(score, 6) for label, score in best})

    return lambda files: [answer(file) for file in files]


def _ask_server(source: Source, files: list[Path]) -> list[dict | Refused]:
    found = {}
    for file in files:
        try:
            found[file] = file.read_bytes()
        except OSError as error:
            found[file] = Refused(f"{file}: cannot be read: {error.strerror or error}")
    asked = [file for file in files if not isinstance(found[file], Refused)]
    if not asked:
        return [found[file] for file in files]
    try:
        labels, scores = source.ask_server(("label", "score"), audio=[found[file] for file in asked])
    except BadRequest as error:
        if len(asked) > 1:
            raise
        found[asked[0]] = Refused(f"{asked[0]}: {error}")
    else:
        for file, label, score in zip(asked, labels.tolist(), scores.tolist(), strict=True):
            found[file] = _answer(label.decode(), score, {label.decode(): round(score, 6)})
    return [found[file] for file in files]


def _answer(label: str, score: float, top: dict[str, float]) -> dict:
    return {"label": label, "score": round(score, 6), "top": top}


def _stream(run: Path, file: Path, every: float, plot: Path | None, as_json: bool) -> None:
    from rnnapps import training
    from rnnapps.apps.speech import report
    from rnnapps.apps.speech.serving import listen
    from rnnapps.audio import read_audio

    folder = training.open_run(run)
    model = _model(folder)
    if not model.options["causal"]:
        raise UserError(f"{run} reads in both directions and cannot stream; train one with --causal")
    samples = read_audio(file, model.sample_rate)
    times, probabilities = [], []
    for time, after in listen(model, samples, every):
        times.append(time)
        probabilities.append(after)
        label, score = model.classes[after.argmax()], float(after.max())
        line = {"time": round(time, 3), "label": label, "score": round(score, 6)}
        click.echo(json.dumps(line) if as_json else f"{time:8.2f} s  {label}\t{score:.3f}")
    picture = plot or folder.report / "stream.png"
    report.plot_stream(model, samples, times, probabilities, f"{file.name}: {label} {score:.3f}", picture)
    click.echo(f"spectrogram and probabilities: {picture}", err=as_json)
