"""The search for options: from the space to the best ones, alone and in two processes, one of which is killed."""

import csv
import os
import signal
import subprocess
import sys
import time

import click
import optuna
import pytest
import tomllib

from rnnapps import training
from rnnapps.apps.sentiment.cli import TASK, main
from rnnapps.cli import tune
from rnnapps.cli.run_config import RunConfig
from rnnapps.cli.search_space import Dimension, search_space, with_values
from rnnapps.cli.study_database import shared_database
from rnnapps.errors import Stopped, UserError
from tests.apps.contract import invoke
from tests.apps.sentiment.test_cli import SMALL, write_reviews

CONFIG = RunConfig(TASK.source(), TASK.model(), TASK.training)
SPACE = 'units = [4, 8]\nlearning-rate = {low = 1e-3, high = 1e-1, log = true}\ntruncate = ["none", 4]\n'


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tune")
    write_reviews(folder / "reviews.csv", 120)
    (folder / "space.toml").write_text(SPACE)
    return folder


def options(data, study, *more):
    fixed = ["tune", "--dataset", data / "reviews.csv", "--space", data / "space.toml", "--study", study]
    return [*map(str, [*fixed, *SMALL, "--epochs", 2, "--pruner", "none", *more])]


def trials(study):
    with open(study / "trials.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_study_finds_options_that_train_takes_and_goes_on(data, tmp_path):
    study = tmp_path / "study"
    result = invoke(main, *options(data, study, "--trials", 2))
    assert "trial 1: units" in result.stdout and "best val_loss" in result.stdout
    found = trials(study)
    assert [row["state"] for row in found] == ["complete", "complete"]
    best = min(found, key=lambda row: float(row["value"]))
    content = tomllib.loads((study / "best.toml").read_text())
    assert content["units"] == int(best["units"])
    history = list(csv.DictReader((study / "trials" / f"{int(best['trial']):05}" / "history.csv").open()))
    assert min(float(row["val_loss"]) for row in history) == pytest.approx(float(best["value"]))
    assert {path.name for path in (study / "report").iterdir()} == {
        "history.png",
        "importances.png",
        "parallel_coordinates.png",
    }
    config = ["--config", study / "best.toml", "--run-dir", tmp_path / "run", "--epochs", 1]
    invoke(main, "train", *config)
    assert "already contains a study" in invoke(main, *options(data, study), code=2).stderr
    assert "already has 2 trials" in invoke(main, *options(data, study, "--resume", "--trials", 2), code=2).stderr
    other = options(data, study, "--resume", "--l2", 0.1)
    assert "was started with other options" in invoke(main, *other, code=2).stderr
    invoke(main, *options(data, study, "--resume", "--trials", 3))
    assert len(trials(study)) == 3


def test_trials_without_a_result_count_and_the_search_ends(data, tmp_path, monkeypatch):
    def diverging(task, config, splits, run_dir, watch):
        raise training.Diverged("the loss became nan")

    monkeypatch.setattr(tune, "fit_model", diverging)
    study = tmp_path / "50%20?"
    result = invoke(main, *options(data, study, "--trials", 3))
    assert [row["state"] for row in trials(study)] == ["fail"] * 3 and "no trial finished" in result.stderr
    assert (study / "study.db").exists()
    assert "already has 3 trials" in invoke(main, *options(data, study, "--resume", "--trials", 3), code=2).stderr


def test_options_that_do_not_go_together_are_left_out(data, tmp_path, monkeypatch):
    monkeypatch.setattr(tune, "fit_model", None)
    (tmp_path / "space.toml").write_text("layer-rate = [0.5, 0.6]\n")
    study = tmp_path / "study"
    space = ["--space", tmp_path / "space.toml", "--trials", 2]
    result = invoke(main, *options(data, study, *space))
    assert "trial 0 is left out: --layer-rate needs --start-from RUN" in result.stdout
    assert [row["state"] for row in trials(study)] == ["pruned"] * 2


def test_an_interrupted_trial_keeps_its_place_in_the_grid(data, tmp_path, monkeypatch):
    fit = tune.fit_model

    def interrupted(*arguments, **options):
        monkeypatch.setattr(tune, "fit_model", fit)
        raise Stopped("interrupted")

    monkeypatch.setattr(tune, "fit_model", interrupted)
    study = tmp_path / "study"
    (tmp_path / "space.toml").write_text("units = [4, 8]\n")
    grid = ["--space", tmp_path / "space.toml", "--sampler", "grid", "--trials", 2, "--epochs", 1]
    invoke(main, *options(data, study, *grid), code=130)
    invoke(main, *options(data, study, *grid, "--resume"))
    found = trials(study)
    assert [row["state"] for row in found] == ["fail", "complete", "complete"]
    assert {row["units"] for row in found[1:]} == {"4", "8"}


@pytest.mark.slow
def test_two_processes_share_a_study_and_a_kill_costs_one_trial(data, tmp_path):
    study = tmp_path / "shared"
    url = f"sqlite:///{tmp_path}/trials.db"
    storage = optuna.storages.RDBStorage(url)

    def process(*more):
        code = "from rnnapps.apps.sentiment.cli import main; main()"
        arguments = options(data, study, "--trials", 3, "--storage", url, *more)
        return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)

    def running():
        with storage.engine.begin() as connection:  # a trial that has not reported once could not count as dead
            reported = set(connection.exec_driver_sql("SELECT trial_id FROM trial_heartbeats").scalars())
        return [
            trial
            for summary in optuna.get_all_study_summaries(storage)
            for trial in storage.get_all_trials(summary._study_id)
            if trial.state is optuna.trial.TrialState.RUNNING
            if len(trial.params) == 3 and trial._trial_id in reported
        ]

    first = process()
    deadline = time.monotonic() + 300
    while not running() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    with storage.engine.begin() as connection:  # in place of waiting until the trial counts as dead
        connection.exec_driver_sql("UPDATE trial_heartbeats SET heartbeat = '2000-01-01 00:00:00'")
    others = [process("--resume"), process("--resume")]
    assert [other.wait() for other in others] == [0, 0]
    states = [row["state"] for row in trials(study)]
    assert states.count("fail") == 1
    done = [row for row in trials(study) if row["state"] == "complete"]
    assert len(done) in (3, 4)  # both may be in their last trial when the third ends
    rates = [row["learning_rate"] for row in trials(study)]
    assert rates.count(rates[0]) == 2  # the killed one's options ran again


def test_processes_never_take_one_trial_twice(tmp_path):
    url = f"sqlite:///{tmp_path}/trials.db"
    study = optuna.create_study(storage=shared_database(url), study_name="taken")
    for number in range(20):
        study.enqueue_trial({"x": number})
    code = (
        "import optuna; from rnnapps.cli.study_database import shared_database\n"
        f"study = optuna.load_study(study_name='taken', storage=shared_database({url!r}))\n"
        "print(*[study.ask().number for _ in range(10)])"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    taken = [int(number) for process in processes for number in process.communicate()[0].split()]
    assert sorted(taken) == list(range(20))


def test_a_trial_that_was_given_to_another_process_ends_in_one_line(data, tmp_path, monkeypatch):
    study, url = tmp_path / "study", f"sqlite:///{tmp_path}/trials.db"
    fit = tune.fit_model

    def late(*arguments, **options):
        trained = fit(*arguments, **options)
        storage = optuna.storages.RDBStorage(url)
        if not optuna.load_study(study_name="study", storage=storage).get_trials()[0].state.is_finished():
            storage.set_trial_state_values(1, optuna.trial.TrialState.FAIL)
        return trained

    monkeypatch.setattr(tune, "fit_model", late)
    result = invoke(main, *options(data, study, "--trials", 1, "--epochs", 1, "--storage", url))
    assert "did not report for 60 s: its trial was given to another" in result.stderr
    assert [row["state"] for row in trials(study)] == ["fail", "complete"]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("", "there is no option to vary"),
        ("unitz = [1]", "unknown option 'unitz'"),
        ("units = [0]", "units must be at least 1, got 0"),
        ("units = 5", "units must be a list of values, or {low = ..., high = ...}, got 5"),
        ("dropout = {low = 0.5, high = 0.2}", "dropout must have low < high, got 0.5 and 0.2"),
        ("learning_rate = {low = 0.1, high = 0.2, base = 2}", "must be a list of values"),
        ("cell = {low = 1, high = 2}", "cell is not a number"),
        ("dataset = ['a', 'b']", "dataset selects the data"),
        ("units = [", "space.toml: "),
    ],
)
def test_a_wrong_space_is_one_line(tmp_path, space, said):
    (tmp_path / "space.toml").write_text(space)
    with pytest.raises(UserError, match=said.replace("{", r"\{").replace("(", r"\(")):
        search_space(tmp_path / "space.toml", CONFIG)


def test_the_default_space_fits_every_application():
    space = search_space(None, CONFIG)
    assert Dimension("learning_rate", low=1e-3, high=1e-2, log=True) in space
    assert Dimension("layers", low=2, high=3, whole=True) in space
    assert with_values(CONFIG, {"truncate": "none"}, "here").model.truncate is None
    assert "units" not in {dimension.name for dimension in search_space(None, CONFIG, given=["units"])}
    assert with_values(CONFIG, {"dropout": 0.4683819990511542}, "here").model.dropout == 0.4684


def test_a_grid_needs_lists():
    assert Dimension("layers", low=2, high=4, whole=True).grid() == [2, 3, 4]
    with pytest.raises(UserError, match="--sampler grid needs a list of values for dropout"):
        Dimension("dropout", low=0.1, high=0.5).grid()


def test_a_budget_is_a_time(data, tmp_path):
    error = invoke(main, *options(data, tmp_path / "study", "--budget", "soon"), code=2).stderr
    assert "expected a time such as 90s, 30m or 2h, got 'soon'" in error
    assert not (tmp_path / "study").exists()
    for wrong in (-5, float("nan"), True, "1x"):
        with pytest.raises(click.BadParameter, match="expected a time"):
            tune._Duration().convert(wrong, None, None)
    assert tune._Duration().convert(90, None, None) == tune._Duration().convert("1.5m", None, None) == 90
