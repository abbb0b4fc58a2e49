"""How long the exported `stream` signature takes for a chunk of live audio, on one core.

    python benchmarks/streaming_audio.py                        # a causal model of the default size, untrained
    python benchmarks/streaming_audio.py --run runs/speech      # a trained one (train with --causal)
    python benchmarks/streaming_audio.py --chunk-ms 20 100 --seconds 60

The model is exported, loaded as a client or TensorFlow Serving loads it, and fed noise chunk by chunk, each with the
states from the previous chunk. Weights do not change the time, so the model need not be trained. A real-time factor
of 0.05 means that one core can follow twenty streams.
"""

import argparse
import os
import pathlib
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import absl.logging
import numpy as np
import tensorflow as tf

from measuring import print_header, print_row
from rnnapps import serving, training
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.apps.speech.serving import endpoints
from rnnapps.apps.speech.streaming import Stream
from rnnapps.datasets.embedded.spoken_words import CLASSES
from rnnapps.recurrences import use_engine

WARM_UP = 50  # chunks
absl.logging.set_verbosity(absl.logging.ERROR)  # every load of an export warns that it cannot be trained further


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=pathlib.Path, help="a run folder of rnn-speech train --causal")
    parser.add_argument("--cell", default="gru", choices=["rnn", "gru", "lstm"], help="without --run")
    parser.add_argument("--units", type=int, default=96, help="without --run")
    parser.add_argument("--chunk-ms", type=float, nargs="+", default=[10, 20, 50, 100], help="chunk lengths")
    parser.add_argument("--seconds", type=float, default=30, help="audio to feed for each length")
    options = parser.parse_args()

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if options.run:
        model = training.load_model(training.open_run(options.run))
    else:
        model = SpeechClassifier(CLASSES, cell=options.cell, units=options.units, causal=True)
        model.build()
    with tempfile.TemporaryDirectory() as folder, use_engine("graph"):
        export = serving.save(pathlib.Path(folder), [model], endpoints(model)).folder
        print(f"{model.options.cell}, {model.options.units} units, {model.count_params():,} weights; one core")
        print_header(["chunk", "p50", "p99", "mean", "real-time factor"])
        for milliseconds in options.chunk_ms:
            times = measure(export, round(milliseconds * model.sample_rate / 1000), options.seconds, model.sample_rate)
            p50, p99, mean = (1000 * value for value in (*np.percentile(times, [50, 99]), times.mean()))
            factor = mean / milliseconds
            print_row([f"{milliseconds:g} ms", f"{p50:.2f} ms", f"{p99:.2f} ms", f"{mean:.2f} ms", f"{factor:.4f}"])


def measure(export: pathlib.Path, samples: int, seconds: float, sample_rate: int) -> np.ndarray:
    """Seconds for each chunk of `samples` samples, (chunks,)."""
    stream, times = Stream(export), []
    noise = np.random.default_rng(0).standard_normal((1, samples)).astype(np.float32) * 0.1
    for number in range(WARM_UP + max(1, int(seconds * sample_rate / samples))):
        begin = time.perf_counter()
        stream(noise)["score"].numpy()
        if number >= WARM_UP:
            times.append(time.perf_counter() - begin)
    return np.array(times)


if __name__ == "__main__":
    main()
