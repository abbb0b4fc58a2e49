"""Prediction on a cluster: an Apache Beam pipeline that runs an export with RunInference.

    python -m rnnapps.prediction.beam --export exports/sentiment --input 'reviews-*.jsonl' --output answers

Answers JSON lines, tables (.csv, .tsv) or lines of text on this machine. A signature with several inputs takes each
from the column of the same name, or from another one: `--column history=sales --column weekday`. All other options
are Beam's: `--runner FlinkRunner --flink_master HOST:PORT`, `--runner SparkRunner`, `--runner DataflowRunner --project
... --temp_location gs://...`.
Workers need TensorFlow and this package, but neither Keras nor the run.

Reference: https://beam.apache.org/documentation/ml/about-ml/
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from rnnapps.datasets.rows import SUFFIXES, rows_of
from rnnapps.datasets.series_rows import Steps, series_rows
from rnnapps.datasets.sources import SeriesSource
from rnnapps.errors import UserError
from rnnapps.files import strict_json
from rnnapps.prediction.answers import PREFIX, Refused
from rnnapps.prediction.long_tables import steps_of
from rnnapps.prediction.saved_model_handler import SavedModelHandler, columns_of
from rnnapps.terminal import printable

_BAD, _GOOD = "bad", "good"


def read_rows(
    file: fileio.ReadableFile, columns: Sequence[str], quoting: str = "standard", steps: Steps | None = None
) -> Iterator[Any]:
    """The rows of a file, by the reader of `predict --input`; bad rows go to the output `bad`, with the reason.

    With `steps`, the file is a long table of series, and the rows of a series are combined into one.
    """
    path = file.metadata.path
    with file.open(mime_type="application/octet-stream") as content:
        try:
            if steps is None:
                rows = rows_of(content, path, columns, "--column", quoting)
            else:
                wanted = (steps.source.time_column, steps.source.value_column)
                rows = series_rows(rows_of(content, path, wanted, "--long", quoting), Path(path), steps)
            for row in rows:
                if row.problem:
                    yield beam.pvalue.TaggedOutput(_BAD, _bad_line(f"{path}, line {row.line}", row.problem))
                else:
                    yield row.values
        except UserError as error:
            yield beam.pvalue.TaggedOutput(_BAD, _bad_line(path, str(error)))


def write_result(result: Any) -> Iterator[Any]:
    """A row and its answers as a JSON line; a refused one goes to the output `bad`."""
    if isinstance(result.inference, Refused):
        yield beam.pvalue.TaggedOutput(_BAD, _bad_line(result.example, result.inference.reason))
    else:
        answers = {PREFIX + name: value for name, value in result.inference.items()}
        yield strict_json(result.example | answers)


def _bad_line(row: Any, reason: str) -> str:
    return strict_json({"row": row, "reason": reason})


def build(
    pipeline: beam.Pipeline,
    input: str,
    output: str,
    handler: SavedModelHandler,
    columns: Sequence[str],
    quoting: str = "standard",
    steps: Steps | None = None,
) -> None:
    """Adds reading, inference and writing to a pipeline.

    Args:
        pipeline: Beam's.
        input: Files to read, a pattern; JSON lines or tables with a header if it ends as they do, and otherwise lines
            of text. A file is read by one worker, and its rows are spread over all of them.
        output: Prefix of the names of the answer files; JSON lines, in any order.
        handler: Whom to ask.
        columns: The columns of the inputs; for lines of text, the key that they get in the answers.
        quoting: "standard", or "none" if quotes are ordinary characters in a table.
        steps: How the rows of long tables become series; None if each row is an input.

    Raises:
        UserError: The input is lines of text, and there are several columns.
    """
    if len(columns) > 1 and not input.lower().endswith(SUFFIXES):
        raise UserError(f"--input {input}: must end in {', '.join(SUFFIXES)} to have several columns")
    files = pipeline | "Find" >> fileio.MatchFiles(input) | "Open" >> fileio.ReadMatches()
    read = files | "Rows" >> beam.FlatMap(read_rows, columns, quoting, steps).with_outputs(_BAD, main=_GOOD)
    rows = read[_GOOD] | beam.Reshuffle()  # from the worker that reads a file to all workers
    results = rows | "Predict" >> RunInference(handler)
    written = results | "Answers" >> beam.FlatMap(write_result).with_outputs(_BAD, main=_GOOD)
    written[_GOOD] | "Write" >> beam.io.WriteToText(output, ".jsonl")
    rejected = (read[_BAD], written[_BAD]) | beam.Flatten()
    rejected | "Write rejects" >> beam.io.WriteToText(f"{output}.rejects", ".jsonl", skip_if_empty=True)


def _steps(export: str, names: str) -> Steps:
    """How the rows of long tables become series, of which `--long` names the columns."""
    from rnnapps.serving import metadata

    columns = names.split(",")
    if len(columns) != 3:
        raise UserError(f"--long must name three columns, such as series,time,value, got {names}")
    if "://" in export:
        raise UserError(f"--long needs an export on this machine, got {export}")
    source = SeriesSource(series_column=columns[0], time_column=columns[1], value_column=columns[2])
    if (steps := steps_of(metadata(Path(export)), source)) is None:
        raise UserError(f"--long needs an export of rnn-forecasting, got {export}")
    return steps


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; a user's mistake is one line and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="python -m rnnapps.prediction.beam",
        description="Runs an export with Apache Beam. Other options are Beam's.",
    )
    parser.add_argument("--export", required=True, help="an export's folder, or that of a version")
    parser.add_argument("--input", required=True, help="files to read: .jsonl, .csv, .tsv, or lines of text")
    parser.add_argument("--output", required=True, help="prefix of the names of the output files")
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="[INPUT=]COLUMN",
        help="the column or key of an input of the signature; may be repeated (default: the input's own name)",
    )
    parser.add_argument(
        "--quoting",
        choices=("standard", "none"),
        default="standard",
        help="quotes in tables; none: they are ordinary characters, and a row is a line (default: standard)",
    )
    parser.add_argument(
        "--long",
        nargs="?",
        const="series,time,value",
        metavar="SERIES,TIME,VALUE",
        help="tables with one row per value of a time series, the rows of a series together; names of the columns"
        " (default: series,time,value)",
    )
    parser.add_argument("--files", action="store_true", help="strings are file paths: send the contents of the files")
    parser.add_argument("--signature", default="serving_default", help="the signature to run")
    parser.add_argument("--batch-size", type=int, default=64, help="rows answered at once, at most (default: 64)")
    options, for_beam = parser.parse_known_args(arguments)
    try:
        if options.batch_size < 1:
            raise UserError(f"--batch-size must be at least 1, got {options.batch_size}")
        settings = {"files": options.files, "signature": options.signature, "batch_size": options.batch_size}
        # Mistakes show up here, rather than in the logs of the workers.
        model = SavedModelHandler(options.export, **settings).load_model()
        steps = None if options.long is None else _steps(options.export, options.long)
        columns = columns_of(options.column, list(model.inputs))
        handler = SavedModelHandler(options.export, columns, **settings)
        with beam.Pipeline(options=PipelineOptions(for_beam)) as pipeline:
            build(pipeline, options.input, options.output, handler, list(columns.values()), options.quoting, steps)
    except (UserError, OSError) as error:
        print(f"error: {printable(' '.join(str(error).split()))}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
