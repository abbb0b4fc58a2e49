"""TensorFlow Serving's configuration files, beside the versions of a model.

The server looks at numbered folders only, so it ignores the files among them.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rnnapps.files import replacing
from rnnapps.serving.endpoint import Endpoint

_MARK = "# Written by rnnapps; edit as you like, an edited file is kept. "
_MODELS = """\
model_config_list {{
  config {{
    name: "{model}"
    base_path: "/models/{model}"
    model_platform: "tensorflow"
    # The newest version is served. To keep an older one as well: specific {{ versions: 1 versions: 2 }}
    model_version_policy {{ latest {{ num_versions: 1 }} }}
  }}
}}
"""
_BATCHING = """\
# Requests that arrive at the same time are answered together; the largest number of rows of such a batch.
max_execution_batch_size {{ value: {largest} }}
# A larger request is split into such batches; without these two lines it would be refused.
enable_large_batch_splitting {{ value: true }}
max_batch_size {{ value: {rows} }}
# How long a request may wait for others.
batch_timeout_micros {{ value: 2000 }}
# How many batches may wait; beyond that requests are refused.
max_enqueued_batches {{ value: {waiting} }}
# num_batch_threads is left at its default, the number of processors.
"""
_ROWS = 2**17  # most rows of a request
# No allowed_batch_sizes: the graph is not compiled per batch size, so padding would only cost time, and versions of the
# server disagree on whether the last one must be max_batch_size or max_execution_batch_size.
_MONITORING = """\
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""
_COMPOSE = """\
# `docker compose up` in this folder: gRPC on port 8500, REST on port 8501.
services:
  {model}:
    image: tensorflow/serving:${{TF_SERVING_TAG:-latest}}
    ports:
      - "8500:8500"
      - "8501:8501"
    volumes:
      - ".:/models/{model}:ro"
    command:
      - "--model_config_file=/models/{model}/models.config"
      - "--model_config_file_poll_wait_seconds=60"
      - "--monitoring_config_file=/models/{model}/monitoring.config"
{batching}"""
_WITH_BATCHING = """\
      - "--enable_batching=true"
      - "--batching_parameters_file=/models/{model}/batching_parameters.txt"
"""
_WITHOUT_BATCHING = """\
      # Batching is off, because the server joins requests along the batch only and all other sizes must be equal:
{reasons}
      # If no client uses these signatures, turn it on:
      # - "--enable_batching=true"
      # - "--batching_parameters_file=/models/{model}/batching_parameters.txt"
"""


def model_name(output: Path) -> str:
    """The name of the model in a folder: the folder's, in characters that URLs, paths and YAML take unquoted."""
    return re.sub("[^A-Za-z0-9_.-]+", "-", output.resolve().name).strip("-.") or "model"


def write(output: Path, endpoints: Mapping[str, Endpoint], batch_sizes: Sequence[int]) -> tuple[Path, ...]:
    """Writes the configuration files, except those that were edited, and returns these."""
    model = model_name(output)
    reasons = "\n".join(f"      #   {reason}" for reason in _cannot_batch(endpoints))
    batching = _WITHOUT_BATCHING if reasons else _WITH_BATCHING
    contents = {
        "models.config": _MODELS.format(model=model),
        "batching_parameters.txt": _BATCHING.format(
            largest=batch_sizes[-1],
            rows=_ROWS,
            waiting=max(1000, 2 * -(-_ROWS // batch_sizes[-1])),  # twice the largest request
        ),
        "monitoring.config": _MONITORING,
        "compose.yaml": _COMPOSE.format(model=model, batching=batching.format(model=model, reasons=reasons)),
    }
    return tuple(output / name for name, content in contents.items() if not _write(output / name, content))


def _cannot_batch(endpoints: Mapping[str, Endpoint]) -> Iterator[str]:
    """Why the server cannot join the requests of different clients, one line a signature and reason.

    It needs a batch dimension in every input and equal sizes in all others; padding would change some answers.
    """
    for name, endpoint in endpoints.items():
        if scalars := [spec.name for spec in endpoint.inputs if spec.shape.rank == 0]:
            yield f"the signature {name} takes {', '.join(scalars)} without a batch"
        if varying := [spec.name for spec in endpoint.inputs if spec.shape.rank and None in spec.shape.as_list()[1:]]:
            yield f"the signature {name} takes {', '.join(varying)} of any length"


def _write(path: Path, content: str) -> bool:
    """Writes a file with its checksum in the first line, unless the file there no longer has its own checksum."""
    if path.exists():
        first, _, rest = path.read_text(encoding="utf-8", errors="replace").partition("\n")
        if first != _MARK + _checksum(rest):
            return False
    with replacing(path) as partial:
        partial.write_text(f"{_MARK}{_checksum(content)}\n{content}", encoding="utf-8")
    return True


def _checksum(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]
