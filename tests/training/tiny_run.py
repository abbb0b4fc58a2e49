"""A training run of a second or two with everything that a resumed run must restore.

Dropout (random generators), averaged weights, a learning rate that drops, early stopping, a shuffle per epoch. Also a
script, so that a test can kill it: `python -m tests.training.tiny_run RUN_DIR CHECKPOINT_EVERY`, which
also resumes a run that is there.
"""

from __future__ import annotations

import pathlib
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from rnnapps import training

CONFIG = {"units": 6, "seed": 3, "boundaries": [8, 16]}
STEPS, EPOCHS = 12, 3


class ShuffledBatches:
    """Batches in an order that follows from the number of the epoch."""

    def __init__(self, examples: tuple[np.ndarray, np.ndarray], batch_size: int):
        self.examples, self.batch_size = examples, batch_size
        self.steps = len(examples[0]) // batch_size

    def epoch(self, n: int) -> tf.data.Dataset:
        order = np.random.default_rng(n).permutation(len(self.examples[0]))
        return tf.data.Dataset.from_tensor_slices(tuple(part[order] for part in self.examples)).batch(self.batch_size)


def examples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of word numbers; the label says which half of the vocabulary the first word is from."""
    tokens = np.random.default_rng(seed).integers(0, 40, (count, 5))
    return tokens, (tokens[:, 0] >= 20).astype("int64")


def train_batches() -> ShuffledBatches:
    return ShuffledBatches(examples(STEPS * 8, seed=0), batch_size=8)


def validation_batches() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(examples(40, seed=1)).batch(8)


def model(
    optimizer: keras.optimizers.Optimizer | None = None, dropout: float = 0.2, **compile_arguments
) -> keras.Model:
    training.set_seed(CONFIG["seed"])
    made = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            keras.layers.Embedding(40, CONFIG["units"]),
            keras.layers.Dropout(dropout),
            keras.layers.SimpleRNN(1, activation="sigmoid", dropout=dropout, unroll=True),
        ]
    )
    optimizer = optimizer or training.optimizer("rmsprop", 0.05, weight_averaging=0.8)
    made.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy"], **compile_arguments)
    return made


def fit(made: keras.Model, run_dir, **arguments) -> training.History:
    defaults = {
        "train": train_batches(),
        "validation": validation_batches(),
        "epochs": EPOCHS,
        "config": CONFIG,
        "checkpoint_every_steps": 5,
        "reduce_on_plateau": training.ReduceOnPlateau(0.5, patience=1),
        "progress": False,
    }
    return training.fit(made, run_dir=run_dir, **(defaults | arguments))


class Wait(keras.callbacks.Callback):
    """Makes steps slow enough to be killed between."""

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.05)


if __name__ == "__main__":
    fit(
        model(),
        sys.argv[1],
        callbacks=[Wait()],
        checkpoint_every_steps=int(sys.argv[2]),
        resume=training.RunFolder(pathlib.Path(sys.argv[1])).is_run(),
    )
