"""A run that is stopped anywhere and resumed ends as the run that nothing stopped."""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from rnnapps import training
from rnnapps.errors import UserError
from rnnapps.training.checkpoint import Checkpoints
from tests.training import tiny_run

DEAD_PROCESS = 2**22 + 1  # above the largest process number of Linux


class Kill(keras.callbacks.Callback):
    """Ends the run at a given batch or in validation without any chance to tidy up."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.at, self.now = (epoch, batch), None

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.now, batch) == self.at:
            raise SystemError("killed")


def assert_same_run(history, model, whole_run):
    """Equal to the last bit, since the same computation runs."""
    expected, expected_model = whole_run
    assert len(history.rows) == len(expected.rows)
    for row, expected_row in zip(history.rows, expected.rows, strict=True):
        assert row.keys() == expected_row.keys()
        assert row | {"seconds": 0} == expected_row | {"seconds": 0}
    assert (history.best_epoch, history.stopped) == (expected.best_epoch, expected.stopped)
    for weights, expected_weights in zip(model.get_weights(), expected_model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected_weights)


def killed_run(run_dir, epoch, batch):
    with pytest.raises(SystemError):
        tiny_run.fit(tiny_run.model(), run_dir, callbacks=[Kill(epoch, batch)])


def newest(run_dir) -> pathlib.Path:
    return sorted((pathlib.Path(run_dir) / "checkpoints").glob("epoch-*"))[-1]


@pytest.mark.parametrize(
    ("epoch", "batch", "resumes_at"),
    [(0, 2, None), (1, 7, "epoch-00001-step-00000005"), (2, 0, "epoch-00002-step-00000000")],
    ids=["before the first checkpoint", "in mid-epoch", "at the start of an epoch"],
)
def test_a_resumed_run_ends_as_an_uninterrupted_one(tmp_path, whole_run, epoch, batch, resumes_at):
    killed_run(tmp_path / "run", epoch, batch)
    if resumes_at is None:
        assert not list((tmp_path / "run/checkpoints").iterdir())
    else:
        assert newest(tmp_path / "run").name == resumes_at
    model = tiny_run.model()
    history = tiny_run.fit(model, tmp_path / "run", resume=True)
    assert_same_run(history, model, whole_run)


@pytest.mark.slow
def test_a_process_killed_again_and_again_resumes_to_the_same_end(tmp_path, whole_run):
    random = np.random.default_rng(0)
    run = training.RunFolder(tmp_path / "run")
    for moment in range(3):
        command = [sys.executable, "-m", "tests.training.tiny_run", str(run.path), "5"]
        process = subprocess.Popen(command, cwd=pathlib.Path(__file__).parents[2], stderr=subprocess.DEVNULL)
        try:
            before = set(run.checkpoints.glob("epoch-*"))
            deadline = time.monotonic() + 240
            while not set(run.checkpoints.glob("epoch-*")) - before:
                assert process.poll() is None and time.monotonic() < deadline, "the run made no checkpoint"
                time.sleep(0.005)
            time.sleep(random.uniform(0, 0.5))
        finally:
            process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, f"the run was over before kill {moment}"
    assert not run.metrics_file.exists()

    model = tiny_run.model()
    history = tiny_run.fit(model, run.path, resume=True)
    assert_same_run(history, model, whole_run)
    assert history.run.read_metrics()["steps"] == len(history.rows) * tiny_run.STEPS
    assert not [path for path in run.path.rglob("*") if path.name.startswith(".")]


def test_a_resumed_run_makes_checkpoints_as_often_as_it_is_told(tmp_path):
    config = tiny_run.CONFIG | {"checkpoint_every": 100}
    with pytest.raises(SystemError):
        tiny_run.fit(tiny_run.model(), tmp_path / "run", config=config, callbacks=[Kill(1, 1)])
    with pytest.raises(SystemError):
        tiny_run.fit(
            tiny_run.model(), tmp_path / "run", resume=True, checkpoint_every_steps=3, callbacks=[Kill(1, 7)],
            config=config | {"checkpoint_every": 3}, changeable=["checkpoint_every"],
        )  # fmt: skip
    assert newest(tmp_path / "run").name == "epoch-00001-step-00000006"
    assert training.RunFolder(tmp_path / "run").read_config()["checkpoint_every"] == 3


class CountEpochs(keras.callbacks.Callback):
    """A callback with a state of its own, beside `GradientFlow`."""

    def __init__(self):
        super().__init__()
        self.epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1

    def get_state(self):
        return self.epochs

    def set_state(self, state):
        self.epochs = state


def test_callbacks_get_their_state_back(tmp_path):
    first, second = CountEpochs(), CountEpochs()
    with pytest.raises(SystemError):
        tiny_run.fit(tiny_run.model(), tmp_path / "run", callbacks=[first, Kill(2, 3)])
    tiny_run.fit(tiny_run.model(), tmp_path / "run", resume=True, callbacks=[second])
    assert (first.epochs, second.epochs) == (2, tiny_run.EPOCHS)


def test_the_first_gradient_flow_is_drawn_by_a_resumed_run():
    before, after = (training.GradientFlow((None, None)) for _ in range(2))
    after.set_state(before.get_state())
    assert after.first is None
    before.first = {"lstm": np.array([0.1, 0.25], "float32")}
    after.set_state(json.loads(json.dumps(before.get_state())))
    np.testing.assert_array_equal(after.first["lstm"], before.first["lstm"])


def test_a_run_whose_best_model_is_gone_is_refused(tmp_path):
    killed_run(tmp_path / "run", 1, 7)
    (tmp_path / "run/model.keras").unlink()
    with pytest.raises(training.RunError, match=r"model.keras, the model of its best epoch 1, is missing"):
        tiny_run.fit(tiny_run.model(), tmp_path / "run", resume=True)


def test_a_finished_run_whose_model_is_damaged_is_refused(tmp_path):
    tiny_run.fit(tiny_run.model(), tmp_path / "run", epochs=1)
    (tmp_path / "run/model.keras").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"model.keras: its weights cannot be loaded: its ZIP archive is damaged"):
        tiny_run.fit(tiny_run.model(), tmp_path / "run", epochs=1, resume=True)


def test_resuming_a_finished_run_gives_its_history_and_best_weights_and_says_so(whole_run, capsys):
    history, _ = whole_run
    model = tiny_run.model()
    assert_same_run(tiny_run.fit(model, history.run.path, resume=True, progress=True), model, whole_run)
    assert "is finished: it stopped after epoch" in "".join(capsys.readouterr())


def test_a_run_interrupted_in_validation_resumes_to_the_same_end(tmp_path, whole_run):
    class InterruptValidation(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (1, tiny_run.STEPS - 1):
                signal.raise_signal(signal.SIGTERM)

    with pytest.raises(training.Interrupted) as interrupted:
        tiny_run.fit(tiny_run.model(), tmp_path / "run", callbacks=[InterruptValidation()])
    assert interrupted.value.signal == signal.SIGTERM
    assert newest(tmp_path / "run").name == f"epoch-00001-step-{tiny_run.STEPS:08d}"
    model = tiny_run.model()
    assert_same_run(tiny_run.fit(model, tmp_path / "run", resume=True), model, whole_run)


def test_a_damaged_checkpoint_is_passed_over(tmp_path, whole_run):
    killed_run(tmp_path / "run", 1, 10)
    data = next(newest(tmp_path / "run").glob("variables.data*"))
    torn = bytearray(data.read_bytes())
    torn[len(torn) // 2 :] = bytes(len(torn) - len(torn) // 2)  # what a power cut can leave of a file
    data.write_bytes(torn)
    model = tiny_run.model()
    with pytest.warns(UserWarning, match="damaged"):
        history = tiny_run.fit(model, tmp_path / "run", resume=True)
    assert_same_run(history, model, whole_run)


def test_half_a_checkpoint_is_never_picked_up(tmp_path, whole_run):
    killed_run(tmp_path / "run", 1, 10)
    checkpoints = tmp_path / "run/checkpoints"
    half = checkpoints / f".partial-{DEAD_PROCESS}-epoch-00001-step-00000011"
    shutil.copytree(newest(tmp_path / "run"), half)
    (half / "state.json").write_text("{")
    model = tiny_run.model()
    assert_same_run(tiny_run.fit(model, tmp_path / "run", resume=True), model, whole_run)
    assert not list(checkpoints.glob(".*"))


def test_damaged_checkpoints_alone_are_an_error(tmp_path):
    killed_run(tmp_path / "run", 0, 8)
    for state in (tmp_path / "run/checkpoints").glob("*/state.json"):
        state.write_text("{")
    with pytest.raises(training.RunError, match="no checkpoint"), pytest.warns(UserWarning, match="damaged"):
        tiny_run.fit(tiny_run.model(), tmp_path / "run", resume=True)


def test_two_checkpoints_are_kept(whole_run):
    history, _ = whole_run
    assert len(list(history.run.checkpoints.iterdir())) == 2


@pytest.mark.parametrize("change", [{"units": 7}, {"boundaries": [8]}, {"new": 1}])
def test_resuming_with_another_option_names_it(tmp_path, change):
    killed_run(tmp_path / "run", 0, 8)
    with pytest.raises(training.RunError, match=next(iter(change))):
        tiny_run.fit(tiny_run.model(), tmp_path / "run", resume=True, config=tiny_run.CONFIG | change)


def test_resuming_with_another_model_names_the_variable(tmp_path):
    killed_run(tmp_path / "run", 0, 8)
    other = keras.Sequential([keras.layers.Embedding(40, 7), keras.layers.Flatten(), keras.layers.Dense(1)])
    other.compile(training.optimizer(weight_averaging=0.8), loss="mse")
    with pytest.raises(training.RunError, match="embeddings"):
        tiny_run.fit(other, tmp_path / "run", resume=True, monitor="loss")


def test_resuming_with_another_optimizer_is_an_error(tmp_path):
    killed_run(tmp_path / "run", 0, 8)
    with pytest.raises(training.RunError, match="another model"):
        tiny_run.fit(tiny_run.model(training.optimizer("sgd", 0.1)), tmp_path / "run", resume=True)


def test_bfloat16_variables_and_random_generators_are_restored(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = np.ones((4, 3), "float32")

    def made():
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(3, dtype="bfloat16"), keras.layers.Dropout(0.5)]
        )
        model.compile("adam", loss="mse")
        model.evaluate(inputs, inputs, verbose=0)
        model.optimizer.build(model.trainable_variables)
        return model

    first, second = made(), made()
    first(inputs, training=True)  # moves its random generator on
    tmp_path.joinpath("checkpoints").mkdir()
    Checkpoints(tmp_path / "checkpoints", first).write(training.state.State(epoch=1, total_steps=5))
    assert Checkpoints(tmp_path / "checkpoints", second).restore().total_steps == 5
    np.testing.assert_array_equal(first(inputs, training=True), second(inputs, training=True))
