"""TensorFlow's C++ loader, the one in TensorFlow Serving, as a program of its own: `ask_export.cc`."""

import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import named_tensor_pb2

from rnnapps.native.compiler import compiler

_SOURCE = Path(__file__).with_name("ask_export.cc")
_LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")
_TENSORFLOW = Path(tf.sysconfig.get_lib())


def available() -> bool:
    """Whether there is a C++ compiler, and TensorFlow's wheel has the libraries."""
    return compiler() is not None and all((_TENSORFLOW / name).exists() for name in _LIBRARIES)


def build(program: Path) -> subprocess.Popen:
    """Starts the compiler, which takes half a minute."""
    command = [compiler(), "-O0", "-w", *tf.sysconfig.get_compile_flags(), _SOURCE, "-o", program, f"-L{_TENSORFLOW}"]
    command += ["-Wl,--no-as-needed"]  # sessions register themselves: no symbol of theirs is needed
    command += [*(f"-l:{name}" for name in _LIBRARIES), f"-Wl,-rpath,{_TENSORFLOW}", "-ldl"]
    return subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)


def write_requests(path: Path, requests: Iterable[tuple[str, Mapping[str, np.ndarray]]]) -> None:
    """Writes requests as the program reads them.

    Args:
        path: The file to write.
        requests: For each request the name of its signature and its inputs by name.
    """
    with tf.io.TFRecordWriter(str(path)) as file:
        for signature, inputs in requests:
            file.write(named_tensor_pb2.NamedTensorProto(name=signature).SerializeToString())
            for name, value in inputs.items():
                tensor = named_tensor_pb2.NamedTensorProto(name=name, tensor=tf.make_tensor_proto(value))
                file.write(tensor.SerializeToString())


def read_answers(path: Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Reads what the program wrote: for each request the name of its signature and its outputs by name."""
    answers: list[tuple[str, dict[str, np.ndarray]]] = []
    for record in tf.data.TFRecordDataset(str(path)):
        tensor = named_tensor_pb2.NamedTensorProto.FromString(record.numpy())
        if tensor.HasField("tensor"):
            answers[-1][1][tensor.name] = tf.make_ndarray(tensor.tensor)
        else:
            answers.append((tensor.name, {}))
    return answers


def ask(program: Path, export: Path, requests: Path, answers: Path) -> float:
    """Loads an export in a process without Python and asks it.

    Args:
        program: What `build` compiled.
        export: The folder of a version.
        requests: A file by `write_requests`.
        answers: The file to write, for `read_answers`.

    Returns:
        Seconds from the beginning of loading to the first answer.

    Raises:
        RuntimeError: If the program fails, with the end of what it printed.
    """
    text = importlib.util.find_spec("tensorflow_text")  # its operations, which TensorFlow Serving links
    libraries = sorted(Path(text.origin).parent.glob("python/ops/_*.so")) if text else []
    command = [str(part) for part in (program, export, requests, answers, *libraries)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return sum(float(line.split()[2]) for line in done.stdout.splitlines())


def start_in_turn(
    program: Path, exports: Mapping[str, Path], name: str, row: bytes, cores: int, rounds: int
) -> dict[str, list[float]]:
    """Starts each export `rounds` times, alternately, and asks it one row.

    Args:
        program: What `build` compiled.
        exports: The folders of versions by name.
        name: The input of `serving_default`.
        row: Its value.
        cores: The processor cores to use.
        rounds: How many times.

    Returns:
        The seconds of all starts, by the names of the exports.
    """
    starts: dict[str, list[float]] = {export: [] for export in exports}
    allowed = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        requests = Path(folder, "requests")
        write_requests(requests, [("serving_default", {name: np.array([row])})])
        os.sched_setaffinity(0, sorted(allowed)[:cores])  # the program inherits it
        try:
            for _ in range(rounds):
                for export, version in exports.items():
                    starts[export].append(ask(program, version, requests, Path(folder, "answers")))
        finally:
            os.sched_setaffinity(0, allowed)
    return starts
