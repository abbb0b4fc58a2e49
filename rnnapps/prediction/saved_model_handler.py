"""An export for Apache Beam's RunInference: rows in, the answers of a signature out."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import ModelHandler, PredictionResult

from rnnapps.errors import UserError
from rnnapps.prediction.answers import Refused, answer_each
from rnnapps.prediction.predictor import of_graph
from rnnapps.prediction.requests import Arrays, as_input, ask_rows
from rnnapps.serving.clients.signatures import DEFAULT_SIGNATURE, TensorSpec


@dataclass(frozen=True)
class Signature:  # not a tuple: Beam keeps a weak reference to it
    """A signature of an export that a worker has loaded.

    Attributes:
        ask: From its inputs, the batch first, to its outputs.
        inputs: Dtype and shape of the input of one row, by name.
    """

    ask: Callable[[Arrays], Arrays]
    inputs: Mapping[str, TensorSpec]


class SavedModelHandler(ModelHandler[dict[str, Any], PredictionResult, Signature]):
    """Lets `RunInference` run a signature whose inputs are batches.

    An element is a row, a dictionary; its result is the row with an answer by output, as JSON values, or with a
    `Refused`. The values of the row are converted to the dtypes of the signature, as in `as_input`.

    Args:
        export: The folder of an export or of a version, on any file system that TensorFlow reads.
        columns: The row's key for each of the signature's inputs; by default the name of the input.
        files: Whether a string input is the content of a file whose path is in the row.
        signature: Which signature to run.
        batch_size: The largest number of rows answered at once.

    Example:
        >>> handler = SavedModelHandler("exports/sentiment", {"text": "review"})
        >>> answers = rows | RunInference(handler)  # doctest: +SKIP
    """

    def __init__(
        self,
        export: str,
        columns: Mapping[str, str] | None = None,
        *,
        files: bool = False,
        signature: str = DEFAULT_SIGNATURE,
        batch_size: int = 64,
    ):
        super().__init__()
        self._export, self._columns, self._files = export, dict(columns or {}), files
        self._signature, self._batch_size = signature, batch_size

    def load_model(self) -> Signature:
        import tensorflow as tf

        with contextlib.suppress(ImportError):
            import tensorflow_text  # noqa: F401 - its operations, where an export needs them
        folder = _latest(self._export)
        model = tf.saved_model.load(folder)
        if self._signature not in model.signatures:
            raise UserError(f"{folder}: no signature {self._signature!r}; it has {', '.join(model.signatures)}")
        function = model.signatures[self._signature]
        function.owner = model  # a signature alone does not keep the model's variables alive
        inputs = {}
        for name, spec in sorted(function.structured_input_signature[1].items()):
            shape = spec.shape.as_list() if spec.shape.rank else None
            if shape is None or shape[0] is not None:
                raise UserError(f"{folder}: {self._signature!r} takes no batch: {name!r} has the shape {spec.shape}")
            dtype = "object" if spec.dtype == tf.string else spec.dtype.name
            inputs[name] = TensorSpec(dtype, tuple(shape[1:]))
        return Signature(
            of_graph(lambda arrays: function(**{name: tf.constant(array) for name, array in arrays.items()})), inputs
        )

    def run_inference(
        self, batch: Sequence[dict[str, Any]], model: Signature, inference_args: dict[str, Any] | None = None
    ) -> Iterable[PredictionResult]:
        requests = [self._request(row, model.inputs) for row in batch]
        asked = [request for request in requests if not isinstance(request, Refused)]
        replies = iter(answer_each(lambda rows: ask_rows(model.ask, rows), asked))
        for row, request in zip(batch, requests, strict=True):
            reply = request if isinstance(request, Refused) else next(replies)
            if not isinstance(reply, Refused):
                reply = {name: _json(value) for name, value in reply.items()}
            yield PredictionResult(row, reply, model_id=self._export)

    def batch_elements_kwargs(self) -> dict[str, int]:
        return {"min_batch_size": 1, "max_batch_size": self._batch_size}

    def get_metrics_namespace(self) -> str:
        return "rnnapps"

    def _request(self, row: dict[str, Any], inputs: Mapping[str, TensorSpec]) -> dict[str, Any] | Refused:
        request = {}
        for name, spec in inputs.items():
            try:
                value = as_input(row, self._columns.get(name, name), spec)
            except UserError as error:
                return Refused(str(error))
            if self._files and isinstance(value, str):
                try:
                    with FileSystems.open(value) as file:
                        value = file.read()
                except Exception as error:  # each of Beam's file systems has its own errors
                    return Refused(f"{value}: cannot be read: {error}")
            request[name] = value
        return request


def columns_of(options: Sequence[str], inputs: Sequence[str]) -> dict[str, str]:
    """The column of each input.

    Args:
        options: The values of `--column`: `INPUT=COLUMN`, or the column of the only input, or a column with the name
            of its input.
        inputs: The names of the signature's inputs.

    Returns:
        The columns by input; the column of an input that no option names has the name of the input.

    Raises:
        UserError: An option names an input that the signature does not have, or one twice.

    Example:
        >>> columns_of(["history=sales"], ["history", "weekday"])
        {'history': 'sales', 'weekday': 'weekday'}
        >>> columns_of(["review"], ["text"])
        {'text': 'review'}
    """
    columns: dict[str, str] = {}
    for option in options:
        name, pair, column = option.partition("=")
        if not pair or (len(inputs) == 1 and name not in inputs):
            name, column = (inputs[0] if len(inputs) == 1 else option), option
        if name not in inputs:
            raise UserError(f"--column {option}: the signature has no input {name!r}; it has {', '.join(inputs)}")
        if name in columns:
            raise UserError(f"--column {option}: the input {name!r} has a column already, {columns[name]!r}")
        columns[name] = column
    return {name: columns.get(name, name) for name in inputs}


def _json(value: Any) -> Any:
    """An output as JSON values: text for bytes, and six digits after the decimal point, as `predict` prints them."""
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
