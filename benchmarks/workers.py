"""Speed of workers that share one machine, compared with a single process that has all of its cores.

    python benchmarks/workers.py
    python benchmarks/workers.py --workers 2 --batch-size 128 --steps 50

Each worker may use its share of the cores. They communicate over the loopback interface, so the table shows
what exchanging gradients costs when the network is free; it does not show how a cluster scales.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile

from measuring import cores, print_header, print_row, write_figures


def train(units: int, batch_size: int, steps: int, rounds: int) -> list[float]:
    """Seconds of each round of a two-layer LSTM classifier on 100 time steps, after one round of warm-up."""
    import keras
    import numpy as np

    from rnnapps import layers, training

    with training.strategy("auto").scope():
        training.set_seed(0)
        random = np.random.default_rng(0)
        x = random.normal(size=(batch_size * steps, 100, 64)).astype("float32")
        y = random.integers(2, size=batch_size * steps)
        model = keras.Sequential([layers.LSTM(units, return_sequences=True), layers.LSTM(units), keras.layers.Dense(2)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(training.optimizer(), loss=loss, jit_compile=False)
        with tempfile.TemporaryDirectory() as folder:
            history = training.fit(
                model, (x, y), run_dir=f"{folder}/run", epochs=rounds + 1, batch_size=batch_size, monitor="loss",
                patience=None, checkpoint_every_steps=steps + 1, progress=False,
            )  # fmt: skip
    return [row["seconds"] for row in history.rows[1:]]


def measure(workers: int, arguments: argparse.Namespace) -> float:
    """Median seconds of a step in `workers` processes."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    threads = str(max(1, cores() // workers))
    processes = []
    for number in range(workers):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps(task),
            "TF_NUM_INTRAOP_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        command = [sys.executable, __file__, "--worker"]
        for name in ("units", "batch_size", "steps", "rounds"):
            command += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    outputs = [process.communicate() for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit(outputs[0][1])
    return statistics.median(json.loads(outputs[0][0].splitlines()[-1])) / arguments.steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[2], help="default: 2")
    parser.add_argument("--units", type=int, nargs="+", default=[128, 256], help="default: 128 and 256")
    parser.add_argument("--batch-size", type=int, default=64, help="total over all workers (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="steps per round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        (units,) = arguments.units
        print(json.dumps(train(units, arguments.batch_size, arguments.steps, arguments.rounds)))
        return
    print(f"{cores()} cores; two LSTM layers, 100 time steps, batch {arguments.batch_size}")
    print_header(["units", "workers", "ms per step", "against one process"])
    figures, sizes = [], arguments.units
    for arguments.units in sizes:
        seconds = {workers: measure(workers, arguments) for workers in sorted({1, *arguments.workers})}
        for workers, value in seconds.items():
            print_row([arguments.units, workers, f"{value * 1000:.1f}", f"{seconds[1] / value:.2f}"])
            figures.append({"units": arguments.units, "workers": workers, "seconds": value})
    write_figures(arguments.json, figures)


if __name__ == "__main__":
    main()
