"""What `fit` does with a model, and what it leaves."""

import csv
import io
import json
import signal
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import training
from rnnapps.training import distributed
from tests.training import tiny_run


def doubled(values, batch_size=4):
    x = np.asarray(values, "float32")[:, None]
    return tf.data.Dataset.from_tensor_slices((x, 2 * x)).batch(batch_size)


def test_the_run_folder_holds_everything(whole_run):
    history, _ = whole_run
    run = history.run
    names = {path.name for path in run.path.iterdir()}
    assert names == {"config.json", "model.keras", "checkpoints", "history.csv", "metrics.json", "logs", "report"}
    assert run.read_config() == tiny_run.CONFIG
    assert (run.report / "curves.png").read_bytes()[1:4] == b"PNG"
    assert not [path for path in run.path.rglob("*") if path.name.startswith(".")]


def test_history_csv_has_the_rows_of_the_history(whole_run):
    history, _ = whole_run
    with open(history.run.history_file, newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert rows == [pytest.approx(row) for row in history.rows]
    assert [row["step"] for row in rows] == [tiny_run.STEPS * (n + 1) for n in range(len(rows))]


def test_metrics_json_sums_up_the_best_epoch(whole_run):
    history, _ = whole_run
    metrics = json.loads(history.run.metrics_file.read_text())
    assert metrics["best_epoch"] == history.best_epoch
    assert metrics["validation"] == {"loss": history.best["val_loss"], "accuracy": history.best["val_accuracy"]}
    assert metrics["train"]["loss"] == history.best["loss"]
    history.run.add_metrics(test={"accuracy": 0.5})
    assert history.run.read_metrics() == metrics | {"test": {"accuracy": 0.5}}


def test_the_model_and_its_file_have_the_best_weights(whole_run):
    history, model = whole_run
    assert history.best_value == min(row["val_loss"] for row in history.rows)
    saved = keras.saving.load_model(history.run.model_file)
    for of in (model, saved):
        values = of.evaluate(tiny_run.validation_batches(), verbose=0, return_dict=True)
        assert values["loss"] == pytest.approx(history.best_value, rel=1e-6)


def test_rows_are_what_keras_fit_would_have_logged(tmp_path):
    ours, keras_model = (
        tiny_run.model(training.optimizer("rmsprop", 0.01, clip_norm=0.5), dropout=0.0) for _ in range(2)
    )
    train, validation = tiny_run.train_batches().epoch(0), tiny_run.validation_batches()
    history = training.fit(ours, train, validation, run_dir=tmp_path / "run", epochs=3, patience=None, progress=False)
    expected = keras_model.fit(train, validation_data=validation, epochs=3, verbose=0, shuffle=False).history
    for name, values in expected.items():
        np.testing.assert_allclose([row[name] for row in history.rows], values, rtol=1e-5)


def test_two_runs_with_one_seed_are_equal(tmp_path, whole_run):
    history, model = whole_run
    again = tiny_run.model()
    rows = tiny_run.fit(again, tmp_path / "again").rows
    for row, expected in zip(rows, history.rows, strict=True):
        assert {**row, "seconds": 0} == {**expected, "seconds": 0}
    for weights, expected in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected)


def test_training_stops_when_nothing_improves(tmp_path, dense_model):
    dense_model.optimizer.learning_rate = 0.6  # overshoots: every epoch is worse than the first
    history = training.fit(
        dense_model, doubled([3, 3]), doubled([3]), run_dir=tmp_path / "run", epochs=9, patience=2, progress=False
    )
    assert (history.best_epoch, len(history.rows), history.stopped) == (1, 3, "patience")
    assert history.rows[0]["val_loss"] < history.rows[1]["val_loss"] < history.rows[2]["val_loss"]
    assert dense_model.evaluate(doubled([3]), verbose=0) == pytest.approx(history.rows[0]["val_loss"])


@pytest.mark.slow
def test_a_metric_can_be_monitored_for_its_maximum(tmp_path):
    history = tiny_run.fit(tiny_run.model(), tmp_path / "run", monitor="val_accuracy", mode="max")
    assert history.best["val_accuracy"] == max(row["val_accuracy"] for row in history.rows)


def test_the_learning_rate_falls_on_a_plateau(tmp_path, dense_model):
    dense_model.optimizer.learning_rate = 0.6
    rule = training.ReduceOnPlateau(0.5, patience=2, minimum=0.2)
    history = training.fit(
        dense_model, doubled([3]), doubled([3]), run_dir=tmp_path / "run", epochs=7, patience=None,
        reduce_on_plateau=rule, progress=False,
    )  # fmt: skip
    rates = [row["learning_rate"] for row in history.rows]
    assert rates == pytest.approx([0.6, 0.6, 0.6, 0.3, 0.3, 0.2, 0.2])


def test_a_plateau_never_raises_the_learning_rate():
    rule = training.ReduceOnPlateau(0.5, minimum=1e-6)
    assert [rule.lower(rate) for rate in (1.0, 1.5e-6, 1e-7)] == [0.5, 1e-6, 1e-7]
    with pytest.raises(ValueError, match="minimum must not be negative"):
        training.ReduceOnPlateau(minimum=-1)


def test_training_without_validation(tmp_path, dense_model):
    history = training.fit(
        dense_model, doubled([1, 2]), run_dir=tmp_path / "run", epochs=2, monitor="loss", progress=False
    )
    assert history.best_epoch == 2
    assert "val_loss" not in history.best


class Raise(keras.callbacks.Callback):
    def __init__(self, *signals, batch=1):
        super().__init__()
        self.signals, self.batch = signals, batch

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.batch:
            for number in self.signals:
                signal.raise_signal(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_saves_everything_and_says_how_to_resume(tmp_path, dense_model, number):
    before = signal.getsignal(number)
    with pytest.raises(training.Interrupted, match=r"step 2 of 3.*continue with --resume") as interrupted:
        training.fit(
            dense_model, doubled(range(12)), doubled([1]), run_dir=tmp_path / "run", epochs=5, progress=False,
            callbacks=[Raise(number)],
        )  # fmt: skip
    assert (interrupted.value.signal, interrupted.value.run_dir) == (number, tmp_path / "run")
    assert keras.saving.load_model(tmp_path / "run/model.keras").count_params() == 1
    assert [path.name for path in (tmp_path / "run/checkpoints").iterdir()] == ["epoch-00000-step-00000002"]
    assert signal.getsignal(number) is before


@pytest.mark.slow
def test_the_best_weights_survive_a_later_interruption(tmp_path):
    class InterruptThirdEpoch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(training.Interrupted, match="best weights, of epoch"):
        tiny_run.fit(tiny_run.model(), tmp_path / "run", callbacks=[InterruptThirdEpoch()])
    with open(tmp_path / "run/history.csv") as file:
        best = min(float(row["val_loss"]) for row in csv.DictReader(file))
    saved = keras.saving.load_model(tmp_path / "run/model.keras")
    loss, _ = saved.evaluate(tiny_run.validation_batches(), verbose=0)
    assert loss == pytest.approx(best, rel=1e-6)


def test_a_second_ctrl_c_stops_at_once(tmp_path, dense_model):
    with pytest.raises(KeyboardInterrupt):
        training.fit(
            dense_model, doubled([1, 2]), run_dir=tmp_path / "run", epochs=5, monitor="loss", progress=False,
            callbacks=[Raise(signal.SIGINT, signal.SIGINT, batch=0)],
        )  # fmt: skip


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_loss_that_is_not_finite_stops_and_keeps_the_best_weights(tmp_path, dense_model):
    class Explode(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.learning_rate = float("inf")

    with pytest.raises(training.Diverged, match=r"epoch 2.*lower --learning-rate") as diverged:
        training.fit(
            dense_model, doubled([1, 2, 3, 4, 5]), doubled([1]), run_dir=tmp_path / "run", epochs=5, progress=False,
            callbacks=[Explode()],
        )  # fmt: skip
    assert "of epoch 1" in str(diverged.value)
    weight = keras.saving.load_model(tmp_path / "run/model.keras").get_weights()[0]
    assert np.isfinite(weight).all() and weight != 0
    assert isinstance(diverged.value, training.RunError)


def test_a_callback_can_stop_training(tmp_path, dense_model):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = logs["loss"] > 0

    history = training.fit(
        dense_model, doubled([1]), doubled([1]), run_dir=tmp_path / "run", epochs=5, progress=False, callbacks=[Stop()]
    )
    assert (len(history.rows), history.stopped) == (1, "callback")


@pytest.mark.slow
def test_ways_to_run_steps_give_the_same(tmp_path):
    rows = [
        tiny_run.fit(tiny_run.model(dropout=0.0, **arguments), tmp_path / str(n), epochs=1).rows[0] | {"seconds": 0}
        for n, arguments in enumerate([{}, {"steps_per_execution": 7}, {"jit_compile": True}])
    ]
    assert rows[1] == pytest.approx(rows[0], rel=1e-6)
    assert rows[2] == pytest.approx(rows[0], rel=1e-4)


def test_a_train_step_of_the_models_own_is_used(tmp_path):
    class Model(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            return super().train_step(data) | {"answer": tf.constant(42.0)}

    model = Model()
    model.compile(training.optimizer("sgd", 0.1), loss="mse")
    history = training.fit(
        model, doubled([1, 2]), doubled([1]), run_dir=tmp_path / "run", epochs=1, patience=None, progress=False
    )
    assert history.best["answer"] == 42


def test_our_part_of_a_step_takes_a_small_part_of_a_millisecond(tmp_path, dense_model, monkeypatch):
    steps = 20_000

    def no_step(iterator):
        return {"loss": tf_loss}

    tf_loss = tf.constant(0.5)
    dense_model.train_function = no_step  # what is left is the loop, the bar on a terminal, and a second to begin
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    data = doubled([1]).repeat(steps)
    started = time.thread_time()
    training.fit(dense_model, data, run_dir=tmp_path / "run", epochs=1, monitor="loss", checkpoint_every_steps=steps)
    assert time.thread_time() - started < steps * 0.2e-3
    assert f"/{steps}" in sys.stderr.getvalue()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_tensorboard_finds_the_values_of_every_epoch(whole_run):
    history, _ = whole_run
    (file,) = (history.run.logs / "validation").iterdir()
    found = {}
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    expected = {("loss", row["epoch"]): row["val_loss"] for row in history.rows}
    expected |= {("accuracy", row["epoch"]): row["val_accuracy"] for row in history.rows}
    assert found == pytest.approx(expected)


class TestMistakes:
    def test_a_folder_that_holds_a_run(self, whole_run):
        history, _ = whole_run
        with pytest.raises(training.RunError, match="already contains a run: choose another --run-dir"):
            tiny_run.fit(tiny_run.model(), history.run.path)

    def test_nothing_to_resume(self, tmp_path):
        with pytest.raises(training.RunError, match="no run to resume"):
            tiny_run.fit(tiny_run.model(), tmp_path / "run", resume=True)

    def test_no_batches(self, tmp_path, dense_model):
        with pytest.raises(training.RunError, match="no training batches"):
            training.fit(dense_model, doubled([1]).take(0), doubled([1]), run_dir=tmp_path / "run", epochs=1)
        assert not (tmp_path / "run").exists()

    def test_an_unknown_monitor(self, tmp_path, dense_model):
        with pytest.raises(ValueError, match="loss, val_loss, got 'val_f1'"):
            training.fit(dense_model, doubled([1]), doubled([1]), run_dir=tmp_path, epochs=1, monitor="val_f1")

    def test_data_of_unknown_length(self, tmp_path, dense_model):
        unknown = doubled([1, 2]).filter(lambda x, y: True)
        with pytest.raises(ValueError, match="assert_cardinality"):
            training.fit(dense_model, unknown, doubled([1]), run_dir=tmp_path / "run", epochs=1)

    def test_endless_data(self, tmp_path, dense_model):
        with pytest.raises(ValueError, match="is infinite"):
            training.fit(dense_model, doubled([1]).repeat(), doubled([1]), run_dir=tmp_path / "run", epochs=1)

    def test_several_batches_at_once_on_several_replicas(self, dense_model, monkeypatch):
        dense_model.compile("sgd", "mse", steps_per_execution=4)
        monkeypatch.setattr(distributed, "replicas", lambda model: 2)
        with pytest.raises(ValueError, match="steps_per_execution must be 1 on several replicas, got 4"):
            distributed.train_function(dense_model)

    def test_endless_validation_data(self, tmp_path, dense_model):
        with pytest.raises(ValueError, match=r"never end: leave out \.repeat\(\)"):
            training.fit(dense_model, doubled([1]), doubled([1]).repeat(), run_dir=tmp_path / "run", epochs=1)

    def test_data_of_another_kind(self, tmp_path, dense_model):
        with pytest.raises(TypeError, match="list"):
            training.fit(dense_model, [1, 2], doubled([1]), run_dir=tmp_path / "run", epochs=1)

    def test_fewer_batches_than_said(self, tmp_path, dense_model):
        class Short:
            steps = 3

            def epoch(self, n):
                return doubled([1, 2], batch_size=1)

        with pytest.raises(ValueError, match="gave 2 batches, but its `steps` is 3"):
            training.fit(dense_model, Short(), doubled([1]), run_dir=tmp_path / "run", epochs=1, progress=False)

    def test_a_plateau_rule_beside_a_schedule(self, tmp_path, dense_model):
        dense_model.compile(training.optimizer(schedule="cosine", total_steps=10), loss="mse")
        with pytest.raises(ValueError, match="constant learning rate"):
            training.fit(
                dense_model, doubled([1]), doubled([1]), run_dir=tmp_path, epochs=1,
                reduce_on_plateau=training.ReduceOnPlateau(),
            )  # fmt: skip

    @pytest.mark.parametrize("argument", [{"epochs": 0}, {"patience": 0}, {"checkpoint_every_steps": 0}])
    def test_counts_below_one(self, tmp_path, dense_model, argument):
        with pytest.raises(ValueError, match=next(iter(argument))):
            training.fit(
                dense_model, doubled([1]), doubled([1]), run_dir=tmp_path / "run", **({"epochs": 1} | argument)
            )

    def test_a_model_that_is_not_compiled(self, tmp_path):
        model = keras.Sequential([keras.layers.Dense(1)])
        with pytest.raises(ValueError, match="not compiled"):
            training.fit(model, doubled([1]), doubled([1]), run_dir=tmp_path / "run", epochs=1)
