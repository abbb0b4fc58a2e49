"""One worker of `test_strategies.py`: `python -m tests.training.worker RUN_DIR [resume|die]`; TF_CONFIG says which."""

import os
import signal
import sys

import keras
import numpy as np

from rnnapps import training
from rnnapps.layers import LSTM

ROWS, BATCH, EPOCHS, DIES_AT = 60, 12, 4, 8


def train(run_dir, *, resume=False, callbacks=(), strategy="none"):
    """Twenty steps on batches of twelve."""
    with training.strategy(strategy).scope():
        training.set_seed(3)
        random = np.random.default_rng(0)
        x, y = random.normal(size=(ROWS, 5, 3)).astype("float32"), random.normal(size=(ROWS, 1)).astype("float32")
        model = keras.Sequential([LSTM(4), keras.layers.Dense(1)])
        model.compile(training.optimizer("adam", 0.01, weight_averaging=0.9), loss="mse", metrics=["mae"])
        return model, training.fit(
            model, (x, y), (x, y), run_dir=run_dir, epochs=EPOCHS, batch_size=BATCH, resume=resume,
            checkpoint_every_steps=2, callbacks=callbacks, progress=False,
        )  # fmt: skip


class Die(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps == DIES_AT:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    run_dir, how = sys.argv[1], sys.argv[2]
    try:
        _, history = train(
            run_dir, resume=how == "resume", callbacks=[Die()] if how == "die" else [], strategy="multi-worker"
        )
        print(history.best_value, flush=True)
    except training.WorkerLost as error:
        print(error, flush=True)
        os._exit(3)
