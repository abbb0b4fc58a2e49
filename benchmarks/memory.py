"""Peak memory and time of a training step over long sequences: Keras, ours, and ours with checkpoints.

    python benchmarks/memory.py
    python benchmarks/memory.py --steps 8192 --checkpoint-every 128 --json memory.json

Every measurement has a process of its own. A step over 64 steps of time warms up; then the peak of the first long step
is counted above what was resident before it (Linux only: it reads /proc). Later steps would find memory that the
allocator kept. Their time is what counts. The loss is one of the
last output, as in classifying a sequence; with `--return-sequences` it is one of all outputs, which then count together
with their gradients. Both modes of Keras and of ours are measured, plain graph and XLA; the summary takes the better
one of each.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

BATCH, UNITS = 16, 256
CONTENDERS = ("keras", "ours", "ours, checkpoints")


def resident(peak: bool = False) -> float:
    """Resident memory of this process now, or at its peak since the last reset, in MiB."""
    name = "VmHWM" if peak else "VmRSS"
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def measure(
    contender: str, cell: str, steps: int, jit_compile: bool, every: int, return_sequences: bool
) -> dict[str, float]:
    import keras
    import tensorflow as tf

    from rnnapps import layers

    keras.utils.set_random_seed(0)
    if contender == "keras":
        layer = getattr(keras.layers, cell)(UNITS, return_sequences=return_sequences)
    else:
        layer = getattr(layers, cell)(
            UNITS, return_sequences=return_sequences, checkpoint_every=every if "checkpoints" in contender else None
        )
    inputs = tf.random.normal((BATCH, steps, UNITS))
    layer.build(inputs.shape)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def step(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(inputs, training=True)))
        return tape.gradient(loss, layer.trainable_variables)

    def run(inputs) -> float:
        started = time.perf_counter()
        for gradient in step(inputs):
            gradient.numpy()
        return time.perf_counter() - started

    run(inputs[:, :64])
    with open("/proc/self/clear_refs", "w", encoding="ascii") as reset:
        reset.write("5")
    before = resident()
    run(inputs)
    peak = resident(peak=True) - before
    return {"mebibytes": peak, "seconds": statistics.median(run(inputs) for _ in range(3))}


def in_a_process(*arguments: object) -> dict[str, float]:
    """`measure` in a fresh process."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--measure", json.dumps(arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", default="LSTM", choices=("SimpleRNN", "GRU", "LSTM"), help="default: %(default)s")
    parser.add_argument("--steps", type=int, action="append", help="may be repeated (default: 512, 2048, 8192)")
    parser.add_argument("--checkpoint-every", type=int, default=128, help="default: %(default)s")
    parser.add_argument("--return-sequences", action="store_true", help="a loss of all outputs, not of the last")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*json.loads(options.measure))))
        return

    report = []
    print(f"{options.cell}, batch {BATCH}, {UNITS} units, checkpoints every {options.checkpoint_every} steps")
    print(f"{'steps':>6} {'':20} {'mode':>6} {'MiB':>8} {'seconds':>9}")
    for steps in options.steps or [512, 2048, 8192]:
        best = {}
        for contender in CONTENDERS:
            for jit_compile in (False, True):
                found = in_a_process(
                    contender, options.cell, steps, jit_compile, options.checkpoint_every, options.return_sequences
                )
                mode = "XLA" if jit_compile else "plain"
                report.append({"steps": steps, "contender": contender, "mode": mode, **found})
                print(
                    f"{steps:6} {contender:20} {mode:>6} {found['mebibytes']:8.0f} {found['seconds']:9.2f}", flush=True
                )
                for what, value in found.items():
                    key = contender, what
                    best[key] = min(best.get(key, value), value)
        kept = best["ours, checkpoints", "mebibytes"]
        print(
            f"{steps:6} checkpoints: {kept / best['keras', 'mebibytes']:.2f} of Keras's memory, "
            f"{kept / best['ours', 'mebibytes']:.2f} of ours without, for "
            f"{best['ours, checkpoints', 'seconds'] / best['ours', 'seconds']:.2f} times its time"
        )
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)


if __name__ == "__main__":
    main()
