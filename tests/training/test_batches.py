"""Arrays and PyDatasets train as they do in Keras, and resume."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import training
from rnnapps.errors import UserError
from rnnapps.training.batches import as_batches
from tests.training import tiny_run


class Batched(keras.utils.PyDataset):
    """Batches of arrays that are turned by one place at the end of every epoch."""

    def __init__(self, arrays, batch_size, **kwargs):
        super().__init__(**kwargs)
        self.arrays, self.batch_size = arrays, batch_size
        self.begun = self.turned = 0

    def __len__(self):
        return -(-len(self.arrays[0]) // self.batch_size)

    def __getitem__(self, index):
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return tuple(array[rows] for array in self.arrays)

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.turned += 1
        self.arrays = tuple(np.roll(array, 1, axis=0) for array in self.arrays)


def weighted():
    x, y = tiny_run.examples(24, seed=2)
    return x, y, np.linspace(0.5, 2, 24)


@pytest.mark.slow
def test_arrays_in_one_batch_train_as_in_keras(tmp_path):
    ours, theirs = (tiny_run.model(training.optimizer("sgd", 0.5), dropout=0.0) for _ in range(2))
    x, y, weights = weighted()
    history = training.fit(
        ours, (x, y, weights), (x, y), run_dir=tmp_path / "run", epochs=3, batch_size=24, patience=None, progress=False
    )
    expected = theirs.fit(x, y, 24, 3, verbose=0, validation_data=(x, y), sample_weight=weights).history
    for name, values in expected.items():
        np.testing.assert_allclose([row[name] for row in history.rows], values, rtol=1e-5)


def test_arrays_come_in_another_order_in_every_epoch_and_the_same_one_again():
    x, y = np.arange(10), {"a": np.arange(10) * 0.5, "b": tf.range(10)}
    batches = as_batches((x, y, None), "train", batch_size=4, shuffle=True)
    assert batches.steps == 3

    def read(epoch):
        read = list(batches.epoch(epoch))
        assert [len(x) for x, _ in read] == [4, 4, 2]
        for x, y in read:
            np.testing.assert_array_equal(y["a"], x.numpy() * 0.5)
            np.testing.assert_array_equal(y["b"], x)
            assert y["a"].dtype == tf.float32
        return np.concatenate([x for x, _ in read]).tolist()

    assert sorted(read(0)) == sorted(read(1)) == x.tolist()
    assert read(0) != read(1) and read(0) == read(0)


def test_arrays_of_validation_keep_their_order():
    (batch,) = as_batches((np.arange(5),), "validation").epoch(0)
    np.testing.assert_array_equal(batch[0], np.arange(5))


@pytest.mark.parametrize("workers", [1, 3])
def test_a_py_dataset_gives_its_batches_in_another_order_in_every_epoch(workers):
    dataset = Batched((np.arange(11), np.ones((11, 2))), 4, workers=workers)
    batches = as_batches(dataset, "train", shuffle=True)
    read = [[x.numpy().tolist() for x, _ in batches.epoch(0)] for _ in range(2)]
    assert read[0] == read[1] and sorted(read[0]) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert batches.epoch(0).element_spec[1] == tf.TensorSpec((None, 2), tf.float32)
    turned = sorted(x.numpy().tolist() for x, _ in batches.epoch(1))
    assert turned == [[3, 4, 5, 6], [7, 8, 9], [10, 0, 1, 2]]
    assert (dataset.begun, dataset.turned) == (2, 1)


@pytest.mark.slow
def test_a_py_dataset_trains_as_in_keras(tmp_path):
    ours, theirs = (tiny_run.model(training.optimizer("sgd", 0.5), dropout=0.0) for _ in range(2))
    history = training.fit(
        ours, Batched(weighted(), 24), Batched(weighted(), 7), run_dir=tmp_path / "run", epochs=3, patience=None,
        progress=False,
    )  # fmt: skip
    data = {"x": Batched(weighted(), 24), "validation_data": Batched(weighted(), 7)}
    expected = theirs.fit(**data, epochs=3, verbose=0).history
    for name, values in expected.items():
        np.testing.assert_allclose([row[name] for row in history.rows], values, rtol=1e-5)


@pytest.mark.parametrize("kind", ["arrays", "PyDataset"])
@pytest.mark.slow
def test_a_resumed_run_sees_the_same_batches(tmp_path, kind):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (2, 2):
                raise SystemError

    def fit(run_dir, **arguments):
        model = tiny_run.model()
        data = weighted() if kind == "arrays" else Batched(weighted(), 5)
        size = 5 if kind == "arrays" else None
        history = tiny_run.fit(model, tmp_path / run_dir, train=data, batch_size=size, **arguments)
        return [row | {"seconds": 0} for row in history.rows], model.get_weights()

    rows, weights = fit("whole")
    with pytest.raises(SystemError):
        fit("killed", callbacks=[Kill()], checkpoint_every_steps=2)
    resumed_rows, resumed_weights = fit("killed", resume=True)
    assert resumed_rows == rows
    for resumed, expected in zip(resumed_weights, weights, strict=True):
        np.testing.assert_array_equal(resumed, expected)


@pytest.mark.parametrize(
    ("data", "size", "reason"),
    [
        ((np.ones(3), np.ones(4)), None, r"of train must have the same length, got \[3, 4\]"),
        ((), None, "a tuple of 0"),
        ((1, 2, 3, 4), None, "a tuple of 4"),
        ((np.ones(3),), 0, "batch_size must be at least 1, got 0"),
        (tf.data.Dataset.range(3).batch(2), 2, "train is batched already; leave it out, got 2"),
        (keras.utils.PyDataset(), None, "give the PyDataset a __len__, got None"),
    ],
)
def test_data_that_are_refused(data, size, reason):
    with pytest.raises(ValueError, match=reason):
        as_batches(data, "train", batch_size=size)


def test_another_backend_is_refused(tmp_path, dense_model, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UserError, match=r"training.fit needs the TensorFlow backend, got 'jax': set KERAS_BACKEND"):
        training.fit(dense_model, (np.ones(2), np.ones(2)), run_dir=tmp_path / "run", epochs=1)
    assert not (tmp_path / "run").exists()
