"""Time of a training step and of inference: our layers, Keras's and PyTorch's, alternating in one run.

    python benchmarks/layers.py                                   # every cell and row, half an hour
    python benchmarks/layers.py --cell LSTM --row 32,128,64,64    # one cell, one row
    python benchmarks/layers.py --quick --json layers.json
    python benchmarks/layers.py --device gpu                      # against Keras on a GPU, at most 8 minutes

A training step is the forward pass, the sum of squares of all outputs as the loss, and the gradients of all weights.
Each contender has the same weights and inputs, and must first reproduce Keras's outputs. A round calls one after the
other; the figures are medians over the rounds. Keras counts in its faster mode, plain graph or XLA.
GFLOP/s counts the matrix products only. PyTorch takes part on a CPU if it is installed. On a GPU "ours" is
whatever the layers choose by default, cuDNN or the graph engine under XLA.
"""

import argparse
import json
import math
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from rnnapps import layers
from rnnapps.recurrences import engine_in_use, use_engine

CELLS = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}  # gates
ROWS = ("32,128,64,64", "32,128,128,128", "32,128,256,256", "32,128,512,512", "1,256,128,128", "8,512,128,128")
VARIED = ("32,128,128,128,masked", "32,128,128,128,bidirectional")
COLUMNS = ("keras", "keras XLA", "graph", "graph XLA", "native", "auto", "torch")
GPU_ROWS = (
    *("32,128,64,64", "32,128,256,256", "128,256,512,512", "1,256,128,128"),
    *(f"32,128,256,256,{variant}" for variant in ("masked", "bidirectional", "dropout", "float16", "bfloat16")),
)
# Largest difference of an output from Keras's. On a GPU, float32 products have 10 bits, as in float16.
TOLERANCES = {"cpu": 1e-4, "gpu": 5e-3, "float16": 2e-2, "bfloat16": 1e-1}


class Row:
    """One line of the table: a cell, a shape, and every contender for it."""

    def __init__(self, cell: str, row: str, training: bool, device: str = "cpu") -> None:
        *shape, self.variant = (row + ",plain").split(",")[:5]
        self.batch, self.steps, self.features, self.units = map(int, shape)
        self.name, self.cell, self.training = row, cell, training
        self.tolerance = TOLERANCES.get(self.variant, TOLERANCES[device])
        random = np.random.default_rng(0)
        self.inputs = random.normal(size=(self.batch, self.steps, self.features)).astype("float32")
        self.lengths = random.integers(self.steps // 4, self.steps + 1, size=self.batch)
        self.lengths[0] = self.steps
        self.reference = self.layer(keras.layers)
        self.expected = self.reference(self.inputs, mask=self.mask()).numpy()

    def mask(self) -> tf.Tensor | None:
        return tf.sequence_mask(self.lengths, self.steps) if self.variant == "masked" else None

    def layer(self, library, **options) -> keras.layers.Layer:
        if self.variant.endswith("float16"):
            options["dtype"] = f"mixed_{self.variant}"
        if self.variant == "dropout":
            options["recurrent_dropout"] = 0.1
        layer = getattr(library, self.cell)(self.units, return_sequences=True, **options)
        if self.variant == "bidirectional":
            layer = library.Bidirectional(layer)
        layer.build(self.inputs.shape)
        return layer

    def gigaflops(self) -> float:
        """GFLOP of the products of unmasked steps: inputs and states forward; in training, states and weights back."""
        width = CELLS[self.cell] * self.units * (2 if self.variant == "bidirectional" else 1)
        forward = self.features + self.units
        back = self.units + self.features + self.units if self.training else 0
        positions = self.lengths.sum() if self.variant == "masked" else self.batch * self.steps
        return 2e-9 * positions * width * (forward + back)

    def contenders(self, engines: list[str], with_torch: bool) -> dict[str, Callable[[], None]]:
        found = {}
        found["keras"] = self.in_tensorflow(self.reference, False)
        # XLA does not compile cuDNN.
        without_cudnn = self.layer(keras.layers, **({} if self.cell == "SimpleRNN" else {"use_cudnn": False}))
        without_cudnn.set_weights(self.reference.get_weights())
        found["keras XLA"] = self.in_tensorflow(without_cudnn, True)
        for engine in engines:
            with use_engine(engine):
                layer = self.layer(layers)
                layer.set_weights(self.reference.get_weights())
                found[engine] = self.in_tensorflow(layer, False)
                if engine == "graph":
                    found["graph XLA"] = self.in_tensorflow(layer, True)
        if with_torch:
            found["torch"] = self.in_torch()
        return found

    def in_tensorflow(self, layer: keras.layers.Layer, jit_compile: bool) -> Callable[[], None]:
        mask, inputs = self.mask(), tf.constant(self.inputs)

        @tf.function(jit_compile=jit_compile, autograph=False)
        def infer(inputs):
            return layer(inputs, mask=mask)

        @tf.function(jit_compile=jit_compile, autograph=False)
        def train(inputs):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(layer(inputs, mask=mask, training=True)))
            return tape.gradient(loss, layer.trainable_variables)

        error = np.abs(infer(inputs).numpy().astype("float32") - self.expected.astype("float32")).max()
        if not error < self.tolerance:
            raise SystemExit(f"{self.cell} {self.name}: differs from Keras by {error:.1e}")
        function = train if self.training else infer

        def call() -> None:
            function(inputs)
            tf.test.experimental.sync_devices()  # not .numpy(), which would copy the results

        call()
        return call

    def in_torch(self) -> Callable[[], None]:
        import torch

        recurrent = {"SimpleRNN": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}[self.cell]
        module = recurrent(
            self.features, self.units, batch_first=True, bidirectional=self.variant == "bidirectional"
        ).train(self.training)
        inputs = torch.from_numpy(self.inputs)
        lengths = torch.from_numpy(self.lengths)

        def outputs():
            if self.variant != "masked":
                return module(inputs)[0]
            pack, pad = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence
            packed = pack(inputs, lengths, batch_first=True, enforce_sorted=False)
            return pad(module(packed)[0], batch_first=True)[0]

        def call() -> None:
            if not self.training:
                with torch.inference_mode():
                    outputs()
                return
            module.zero_grad(set_to_none=True)
            outputs().square().sum().backward()

        call()
        return call


def in_turn(calls: dict[str, Callable[[], None]], rounds: int, seconds: float) -> dict[str, float]:
    """Median milliseconds of each. A round gives each at least `seconds`, and starts with another contender."""
    repeats = {}
    for name, call in calls.items():
        started = time.perf_counter()
        call()
        repeats[name] = max(1, math.ceil(seconds / (time.perf_counter() - started)))
    names, times = list(calls), {name: [] for name in calls}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            started = time.perf_counter()
            for _ in range(repeats[name]):
                calls[name]()
            times[name].append((time.perf_counter() - started) / repeats[name])
    return {name: 1000 * statistics.median(one) for name, one in times.items()}


def ratios(times: dict[str, float]) -> dict[str, float]:
    """How many times as fast as the others our layers are."""
    keras_best = min(times["keras"], times["keras XLA"])
    found = {}
    if "graph" in times:
        found["graph/Keras"] = keras_best / min(times["graph"], times["graph XLA"])
        found["plain/plain"] = times["keras"] / times["graph"]
        found["plain/Keras"] = keras_best / times["graph"]
    if "auto" in times:
        found["auto/Keras"] = keras_best / times["auto"]
    if "native" in times:
        found["native/Keras"] = keras_best / times["native"]
        if "torch" in times:
            found["native/torch"] = times["torch"] / times["native"]
    return found


def peak_gigaflops() -> float:
    """GFLOP/s of a large matrix product in TensorFlow."""
    size = 2048
    matrix = tf.random.normal((size, size))
    product = tf.function(lambda one: tf.matmul(one, one), autograph=False)
    product(matrix).numpy()
    best = math.inf
    for _ in range(8):
        started = time.perf_counter()
        product(matrix).numpy()
        best = min(best, time.perf_counter() - started)
    return 2e-9 * size**3 / best


def name_of_gpu() -> str:
    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    return details.get("device_name", "GPU")


def version_of_torch() -> str | None:
    try:
        import torch
    except ImportError:
        return None
    return torch.__version__


def print_header(cell: str, kind: str, result: dict) -> None:
    columns = [name for name in COLUMNS if name in result["milliseconds"]]
    print(f"\n{cell}, {kind}: milliseconds; times as fast; GFLOP/s of our best")
    print(f"{'batch,steps,input,units':>30}" + "".join(f"{name:>11}" for name in columns), end="")
    print("".join(f"{name:>14}" for name in result["ratios"]) + f"{'GFLOP/s':>9}")


def print_row(result: dict) -> None:
    columns = [name for name in COLUMNS if name in result["milliseconds"]]
    print(f"{result['row']:>30}" + "".join(f"{result['milliseconds'][name]:11.2f}" for name in columns), end="")
    print("".join(f"{one:14.2f}" for one in result["ratios"].values()) + f"{result['gflops']:9.0f}", flush=True)


def print_means(results: list[dict]) -> None:
    """Geometric means of the ratios over the rows that are neither masked nor bidirectional."""
    plain = [result["ratios"] for result in results if result["row"].count(",") == 3]
    if plain:
        columns = [name for name in COLUMNS if name in results[0]["milliseconds"]]
        print(f"{'geometric mean':>30}" + " " * 11 * len(columns), end="")
        print(
            "".join(f"{statistics.geometric_mean(one[name] for one in plain):14.2f}" for name in plain[0]), flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", action="append", choices=list(CELLS), help="only this cell; may be repeated")
    parser.add_argument(
        "--row", action="append", help="batch,steps,input,units[,masked|bidirectional]; may be repeated"
    )
    parser.add_argument("--only", choices=("training", "inference"), help="run only this one")
    parser.add_argument("--engine", action="append", choices=("graph", "native"), help="default: all that run here")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="default: %(default)s")
    parser.add_argument("--minutes", type=float, help="no new row after this time (default: 7 on a GPU, else none)")
    parser.add_argument("--no-torch", action="store_true", help="leave out PyTorch")
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=0.2, help="for a contender in a round (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.05 s, the two smallest shapes")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    options = parser.parse_args()
    on_gpu = options.device == "gpu"
    if on_gpu and not tf.config.list_physical_devices("GPU"):
        raise SystemExit("--device gpu: TensorFlow sees no GPU")
    if not on_gpu:
        tf.config.set_visible_devices([], "GPU")
    rows = options.row or ([*GPU_ROWS] if on_gpu else [*ROWS, *VARIED])
    end = time.monotonic() + 60 * (options.minutes or (7 if on_gpu else math.inf))
    if on_gpu:
        options.rounds, options.seconds, options.no_torch = min(options.rounds, 5), min(options.seconds, 0.1), True
    if options.quick:
        options.rounds, options.seconds = 3, 0.05
        rows = options.row or [ROWS[0], ROWS[4]]
    here = ["graph"] + ["native"] * (engine_in_use("float32")[0] == "native")
    engines = ["auto"] if on_gpu else options.engine or here
    torch_version = None if options.no_torch else version_of_torch()

    report = {
        "device": name_of_gpu() if on_gpu else "CPU",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "peak_gflops": peak_gigaflops(),
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__, "torch": torch_version},
        "results": [],
    }
    print(
        f"{report['device']}, {report['cores']} cores, {report['peak_gflops']:.0f} GFLOP/s in a large product; "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, PyTorch {torch_version or 'not installed'}; "
        f"engines: {', '.join(engines)}"
    )
    kinds = {"training": True, "inference": False}
    for kind, training in kinds.items():
        if options.only not in (None, kind):
            continue
        for cell in options.cell or CELLS:
            results = []
            for name in rows:
                if time.monotonic() > end:
                    print(f"{name:>30}  left out: no time left")
                    continue
                row = Row(cell, name, training, options.device)
                times = in_turn(row.contenders(engines, torch_version is not None), options.rounds, options.seconds)
                ours = min(time for column, time in times.items() if column.split()[0] in engines)
                results.append(
                    {
                        "cell": cell,
                        "row": name,
                        "kind": kind,
                        "milliseconds": times,
                        "ratios": ratios(times),
                        "gflops": 1000 * row.gigaflops() / ours,
                    }
                )
                keras.backend.clear_session()
                if len(results) == 1:
                    print_header(cell, kind, results[0])
                print_row(results[-1])
            print_means(results)
            report["results"] += results
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)


if __name__ == "__main__":
    main()
