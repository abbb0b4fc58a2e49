"""Prediction on a cluster: an Apache Beam pipeline that runs an export with RunInference.

    python -m rnnapps.prediction.beam --export exports/sentiment --input 'reviews-*.jsonl' --output answers

answers JSON lines, tables (.csv, .tsv) or lines of text on this machine. Options that are not ours are Beam's:
`--runner FlinkRunner --flink_master HOST:PORT`, `--runner SparkRunner`, `--runner DataflowRunner --project ...
--temp_location gs://...`.
Workers need TensorFlow and this package; neither Keras nor the run.

Reference: https://beam.apache.org/documentation/ml/about-ml/
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.io import fileio
from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import ModelHandler, PredictionResult, RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from rnnapps.datasets import json_lines
from rnnapps.datasets.rows import DELIMITERS, JSON_LINES, rows_of
from rnnapps.errors import UserError
from rnnapps.prediction.files import PREFIX, Refused, one_by_one_if_need_be
from rnnapps.serving.clients.errors import BadRequest
from rnnapps.serving.clients.errors import reason as shortened

_BAD, _GOOD = "bad", "good"


class SavedModelHandler(ModelHandler[dict[str, Any], PredictionResult, Any]):
    """Lets `RunInference` run a signature that has one input, a string.

    An element is a row, a dictionary; its result is the row with an answer by output, or with a `Refused`.

    Args:
        export: the folder of an export or of a version, on any file system that TensorFlow reads.
        column: the row's key of the input.
        files: whether the input is the content of a file of which the row has the path.
        signature: which signature to run.
        batch_size: most rows answered at once.

    Example:
        >>> answers = rows | RunInference(SavedModelHandler("exports/sentiment", "text"))  # doctest: +SKIP
    """

    def __init__(
        self,
        export: str,
        column: str,
        *,
        files: bool = False,
        signature: str = "serving_default",
        batch_size: int = 64,
    ):
        super().__init__()
        self._export, self._column, self._files = export, column, files
        self._signature, self._batch_size = signature, batch_size

    def load_model(self):
        import tensorflow as tf

        with contextlib.suppress(ImportError):
            import tensorflow_text  # noqa: F401 - its operations, where an export needs them
        folder = _latest(self._export)
        model = tf.saved_model.load(folder)
        if self._signature not in model.signatures:
            raise UserError(f"{folder}: no signature {self._signature!r}; it has {', '.join(model.signatures)}")
        function = model.signatures[self._signature]
        function.owner = model  # a signature alone does not keep the model's variables alive
        return function

    def run_inference(
        self, batch: Sequence[dict[str, Any]], model, inference_args: dict[str, Any] | None = None
    ) -> Iterable[PredictionResult]:
        inputs = [self._input(row[self._column]) for row in batch]
        asked = [value for value in inputs if not isinstance(value, Refused)]
        replies = iter(one_by_one_if_need_be(lambda values: _ask(model, values), asked) if asked else [])
        for row, value in zip(batch, inputs, strict=True):
            reply = value if isinstance(value, Refused) else next(replies)
            yield PredictionResult(row, reply, model_id=self._export)

    def batch_elements_kwargs(self) -> dict[str, int]:
        return {"min_batch_size": 1, "max_batch_size": self._batch_size}

    def get_metrics_namespace(self) -> str:
        return "rnnapps"

    def _input(self, value: str) -> str | bytes | Refused:
        if not self._files:
            return value
        try:
            with FileSystems.open(value) as file:
                return file.read()
        except Exception as error:  # every file system of Beam's has errors of its own
            return Refused(f"{value}: cannot be read: {error}")


def _ask(signature, inputs: list) -> list[dict]:
    """The signature's answers to a list of strings, as JSON has them.

    Raises:
        BadRequest: the graph refuses one of them.
    """
    import tensorflow as tf

    (name,) = signature.structured_input_signature[1]
    try:
        found = signature(**{name: tf.constant(inputs)})
    except tf.errors.InvalidArgumentError as error:
        raise BadRequest(shortened(error.message.rpartition("unavailable>\n")[2])) from None
    columns = {output: value.numpy().tolist() for output, value in found.items()}
    return [dict(zip(columns, map(_json, row), strict=True)) for row in zip(*columns.values(), strict=True)]


def _json(value):
    """Text for bytes, and six digits behind the point, as `predict` prints them."""
    if isinstance(value, list):
        return [_json(part) for part in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return round(value, 6) if isinstance(value, float) else value


def _latest(export: str) -> str:
    """The newest version below a folder, or the folder itself, on any file system that TensorFlow reads."""
    import tensorflow as tf

    if tf.io.gfile.exists(f"{export}/saved_model.pb"):
        return export
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(export)] if tf.io.gfile.isdir(export) else []
    if versions := [int(name) for name in names if name.isdecimal()]:
        return f"{export}/{max(versions)}"
    raise UserError(f"--export {export}: no SavedModel here; name the folder that export wrote")


def read_row(line: bytes, column: str, is_json: bool) -> Iterator[Any]:
    """A line as a row; one that is none goes, with the reason, to the output `bad`. Blank JSON lines are nothing."""
    if is_json and not line.strip():
        return
    try:
        text = line.decode()
        row, problem = json_lines.parsed(text) if is_json else ({column: text}, "")
        if row is None or not isinstance(row.get(column), str):
            raise ValueError(problem or f"no text in {column!r}")
    except ValueError as error:
        yield beam.pvalue.TaggedOutput(_BAD, _bad_line(line.decode(errors="replace"), str(error)))
    else:
        yield row


def read_rows(file: fileio.ReadableFile, column: str) -> Iterator[Any]:
    """The rows of a table; what is none goes, with the reason, to the output `bad`."""
    path = file.metadata.path
    with file.open(mime_type="application/octet-stream") as content:
        try:
            for row in rows_of(content, path, column, "--column"):
                if row.problem:
                    yield beam.pvalue.TaggedOutput(_BAD, _bad_line(f"{path}, line {row.line}", row.problem))
                else:
                    yield row.values
        except UserError as error:
            yield beam.pvalue.TaggedOutput(_BAD, _bad_line(path, str(error)))


def write_result(result: PredictionResult) -> Iterator[Any]:
    """A row and its answers as a JSON line; a refused one goes to the output `bad`."""
    if isinstance(result.inference, Refused):
        yield beam.pvalue.TaggedOutput(_BAD, _bad_line(result.example, result.inference.reason))
    else:
        answers = {PREFIX + name: value for name, value in result.inference.items()}
        yield json.dumps(result.example | answers, ensure_ascii=False)


def _bad_line(row: Any, reason: str) -> str:
    return json.dumps({"row": row, "reason": reason}, ensure_ascii=False)


def build(pipeline: beam.Pipeline, input: str, output: str, handler: SavedModelHandler, column: str) -> None:
    """Adds reading, inference and writing to a pipeline.

    Args:
        pipeline: Beam's.
        input: files to read, a pattern; JSON lines or tables with a header if it ends as they do, and otherwise lines
            of text. A table is read by one worker, since a row of it may have line breaks.
        output: how the names of the files of answers begin; JSON lines, in any order.
        handler: whom to ask.
        column: the column or key of the input, and of text lines in the answers.
    """
    table = input.endswith(tuple(DELIMITERS))
    if table:
        content = pipeline | "Find" >> fileio.MatchFiles(input) | "Open" >> fileio.ReadMatches()
        parse = beam.FlatMap(read_rows, column)
    else:
        content = pipeline | "Read" >> beam.io.ReadFromText(input, coder=BytesCoder())
        parse = beam.FlatMap(read_row, column, input.endswith(JSON_LINES))
    read = content | "Rows" >> parse.with_outputs(_BAD, main=_GOOD)
    rows = read[_GOOD] | beam.Reshuffle() if table else read[_GOOD]  # from the reader of a table to all workers
    results = rows | "Predict" >> RunInference(handler)
    written = results | "Answers" >> beam.FlatMap(write_result).with_outputs(_BAD, main=_GOOD)
    written[_GOOD] | "Write" >> beam.io.WriteToText(output, ".jsonl")
    rejected = (read[_BAD], written[_BAD]) | beam.Flatten()
    rejected | "Write rejects" >> beam.io.WriteToText(f"{output}.rejects", ".jsonl", skip_if_empty=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; a user's mistake is one line and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="python -m rnnapps.prediction.beam",
        description="Runs an export with Apache Beam. Other options are Beam's.",
    )
    parser.add_argument("--export", required=True, help="an export's folder, or that of a version")
    parser.add_argument("--input", required=True, help="files to read: .jsonl, .csv, .tsv, or lines of text")
    parser.add_argument("--output", required=True, help="how the names of the files of answers begin")
    parser.add_argument("--column", default="text", help="the column or key of the input (default: text)")
    parser.add_argument("--files", action="store_true", help="the input is the path of a file: send its content")
    parser.add_argument("--signature", default="serving_default", help="the signature to run")
    parser.add_argument("--batch-size", type=int, default=64, help="most rows answered at once (default: 64)")
    options, for_beam = parser.parse_known_args(arguments)
    handler = SavedModelHandler(
        options.export,
        options.column,
        files=options.files,
        signature=options.signature,
        batch_size=options.batch_size,
    )
    try:
        handler.load_model()  # a mistake shows here, and not in the logs of the workers
        with beam.Pipeline(options=PipelineOptions(for_beam)) as pipeline:
            build(pipeline, options.input, options.output, handler, options.column)
    except (UserError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
