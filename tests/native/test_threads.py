"""Results are the same bit for bit, however many threads TensorFlow has."""

from __future__ import annotations

import subprocess
import sys

DIGEST = """
import hashlib, sys
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
from rnnapps.recurrences import native
from tests.native.test_against_graph import GATES, both_passes, example
digest = hashlib.sha256()
for cell in GATES:
    for batch, steps, features, units in ((13, 9, 20, 33), (1, 40, 7, 64), (1, 30, 5, 80)):
        arguments = example(cell, batch, steps, features, units, mask=True)
        for one in tf.nest.flatten(both_passes(native, cell, arguments, clip=0.5)):
            digest.update(one.numpy().tobytes())
print(digest.hexdigest())
"""

# With few rows, an op tries two ways to use its threads, and later keeps to the faster one.
CALLS = """
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(3)
from rnnapps.layers import GRU, LSTM, SimpleRNN
from rnnapps.recurrences import use_engine
for layer in GRU(100), LSTM(100), SimpleRNN(100):
    inputs = tf.random.stateless_normal((1, 50, 10), (1, 2))
    layer.build(inputs.shape)
    call = tf.function(lambda inputs: layer(inputs))
    with use_engine("native"):
        print(len({call(inputs).numpy().tobytes() for _ in range(40)}))
"""


def test_results_do_not_depend_on_the_number_of_threads(engine):
    runs = [
        subprocess.Popen([sys.executable, "-c", DIGEST, str(threads)], stdout=subprocess.PIPE, text=True)
        for threads in (1, 2, 5)
    ]
    digests = {run.communicate(timeout=300)[0].strip() for run in runs}
    assert all(run.returncode == 0 for run in runs)
    assert len(digests) == 1


def test_all_calls_of_a_function_give_the_same_result(engine):
    printed = subprocess.check_output([sys.executable, "-c", CALLS], text=True, timeout=300)
    assert printed.split() == ["1", "1", "1"]
