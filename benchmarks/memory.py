"""Peak memory and time of a training step over long sequences: Keras, ours, and ours with gradient checkpointing.

    python benchmarks/memory.py
    python benchmarks/memory.py --steps 8192 --checkpoint-every 128 --json memory.json
    python benchmarks/memory.py --steps 8192 --only ours --mode plain

Every measurement runs in its own process. A training step over 64 time steps warms up. The memory figure is the peak of
the first long step above what was resident before it (Linux only: it reads /proc); later steps would reuse memory that
the allocator kept. The time is that of later steps. The loss depends on the last output, as in classifying a sequence;
with `--return-sequences` it depends on all outputs, which then count together with their gradients. Keras and ours are
each measured in both modes, plain graph and XLA; the summary takes the better mode of each.
"""

import argparse
import json
import statistics
import time

from measuring import in_a_process, print_header, print_row, reset_peak, resident_mebibytes, write_figures

CONTENDERS = ("keras", "ours", "ours, checkpoints")
MODES = {"plain": False, "XLA": True}  # jit_compile


def measure(
    contender: str,
    *,
    cell: str,
    batch_size: int,
    steps: int,
    units: int,
    jit_compile: bool,
    checkpoint_every: int,
    return_sequences: bool,
) -> dict[str, float]:
    """Peak memory above the start in MiB, and the median seconds of a training step."""
    import keras
    import tensorflow as tf

    from rnnapps import layers

    keras.utils.set_random_seed(0)
    if contender == "keras":
        layer = getattr(keras.layers, cell)(units, return_sequences=return_sequences)
    else:
        every = checkpoint_every if contender == "ours, checkpoints" else None
        layer = getattr(layers, cell)(units, return_sequences=return_sequences, checkpoint_every=every)
    inputs = tf.random.normal((batch_size, steps, units))
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
    reset_peak()
    before = resident_mebibytes()
    run(inputs)
    peak = resident_mebibytes(peak=True) - before
    return {"mebibytes": peak, "seconds": statistics.median(run(inputs) for _ in range(3))}


def summary(best: dict[tuple[str, str], float]) -> str | None:
    """What gradient checkpointing saves and costs, if all contenders took part."""
    if len(best) < 2 * len(CONTENDERS):
        return None
    kept = best["ours, checkpoints", "mebibytes"]
    return (
        f"checkpoints: {kept / best['keras', 'mebibytes']:.2f} of Keras's memory, "
        f"{kept / best['ours', 'mebibytes']:.2f} of ours without, for "
        f"{best['ours, checkpoints', 'seconds'] / best['ours', 'seconds']:.2f} times its time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", default="LSTM", choices=("SimpleRNN", "GRU", "LSTM"), help="default: %(default)s")
    parser.add_argument("--steps", type=int, nargs="+", default=[512, 2048, 8192], help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=16, help="default: %(default)s")
    parser.add_argument("--units", type=int, default=256, help="units and input features (default: %(default)s)")
    parser.add_argument("--checkpoint-every", type=int, default=128, help="default: %(default)s")
    parser.add_argument("--return-sequences", action="store_true", help="a loss of all outputs, not only the last")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=CONTENDERS, help="default: all")
    parser.add_argument("--mode", nargs="+", choices=MODES, default=list(MODES), help="default: both")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(**json.loads(options.measure))))
        return

    report = []
    print(
        f"{options.cell}, batch {options.batch_size}, {options.units} units, "
        f"checkpoints every {options.checkpoint_every} steps"
    )
    print_header(["steps", "", "mode", "MiB", "seconds"])
    for steps in options.steps:
        best: dict[tuple[str, str], float] = {}
        for contender in options.only:
            for mode in options.mode:
                case = {
                    "contender": contender,
                    "cell": options.cell,
                    "batch_size": options.batch_size,
                    "steps": steps,
                    "units": options.units,
                    "jit_compile": MODES[mode],
                    "checkpoint_every": options.checkpoint_every,
                    "return_sequences": options.return_sequences,
                }
                figures = in_a_process(__file__, "--measure", json.dumps(case))
                report.append({"steps": steps, "contender": contender, "mode": mode, **figures})
                print_row([steps, contender, mode, f"{figures['mebibytes']:.0f}", f"{figures['seconds']:.2f}"])
                for name, value in figures.items():
                    best[contender, name] = min(best.get((contender, name), value), value)
        if line := summary(best):
            print(line)
    write_figures(options.json, report)


if __name__ == "__main__":
    main()
