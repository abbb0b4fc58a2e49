"""What every application must do. An application's test class derives from `Contract` and says what its data are."""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner, Result

from rnnapps import serving
from rnnapps.cli import RunConfig, Task, asking, predict, questions
from rnnapps.cli.run_config import read_run
from rnnapps.prediction.predictor import Predictor
from rnnapps.recurrences import use_engine
from rnnapps.training.checkpoint import Checkpoints
from tests.pages.answered import answered
from tests.serving.model_server import KINDS, serve

WITHOUT_TENSORFLOW = """
heavy = {"tensorflow", "keras"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""

HELP = """
import sys
from {package}.cli import main
for verb in ([], ["train"], ["tune"], ["evaluate"], ["predict"], ["try"], ["export"]):
    try:
        main([*verb, "--help"])
    except SystemExit as end:
        assert not end.code
sys.exit("tensorflow" in sys.modules or "numpy" in sys.modules)
"""


def invoke(main: click.Group, *arguments: object, code: int = 0, **others: object) -> Result:
    """Runs a command in this process and checks its exit code."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], **others)
    assert result.exit_code == code, (result.output, result.stderr, result.exception)
    return result


def write_config(run: Path, task: Task) -> None:
    """Writes the `config.json` of a run with default options, for tests that train nothing."""
    config = RunConfig(task.source(), task.model(), task.training)
    (run / "config.json").write_text(json.dumps(config.as_json(task)))


class Contract:
    """The checks. A class of an application sets the attributes and overrides `write`.

    Attributes:
        main: The command group.
        task: The task.
        small: Options of `train` for a model that learns the data of `write` in seconds.
        inputs: Inputs of `predict`, unusual ones among them.
        pictures: Files in `report/` after training.
        timed: Figures that differ from run to run.
        bad_option: An option of `train` with a value that is out of bounds.
        resumed: More options for the run that is killed and resumed, such as dropout; None where there is no such run.
        engine: Where that run is trained. A plain graph is traced soonest, but "auto" is where Keras would compile one.
    """

    main: click.Group
    task: Task
    small: Sequence[str]
    inputs: Sequence[str]
    pictures: Sequence[str] = ("curves.png", "confusion_matrix.png")
    timed: Sequence[str] = ()
    bad_option: Sequence[str] = ("--units", "0")
    resumed: Sequence[str] | None = ()
    engine: str = "graph"

    def write(self, folder: Path) -> list[str]:
        """Writes a data set; the options of `train` and `evaluate` that name it."""
        raise NotImplementedError

    def run(self, *arguments: object, **others: object) -> Result:
        return invoke(type(self).main, *arguments, **others)

    def refused(self, *arguments: object, **others: object) -> str:
        """The one line on standard error of a command that a user has got wrong."""
        result = self.run(*arguments, code=2, **others)
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr
        return result.stderr

    def program(self, *arguments: object, after: str) -> subprocess.CompletedProcess:
        """Runs a command, and then some code, in a process of its own."""
        package = self.task.implementation.rpartition(".")[0]
        code = f"import sys\nfrom {package}.cli import main\n"
        code += "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n" + after
        command = [sys.executable, "-c", code, *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": os.getcwd()}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    @pytest.fixture(scope="class", autouse=True)
    def loaded_once(self):
        """`predict` and `try` load and trace a run or an export once for all tests of a class."""
        kept: dict[tuple, Predictor] = {}

        def predictor_of(task, asked, decoding, signature=None, model=None):
            if asked.kind == "server":
                return asking.predictor_of(task, asked, decoding, signature)
            key = asked.kind, asked.name, repr(decoding), signature  # the name says when the model was written
            if key not in kept:
                kept[key] = asking.predictor_of(task, asked, decoding, signature, model)
            return kept[key]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(predict, "predictor_of", predictor_of)
            patch.setattr(questions, "predictor_of", predictor_of)
            yield

    @pytest.fixture(scope="class")
    def data(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("data")
        return self.write(folder)

    @pytest.fixture(scope="class")
    def trained(self, data, tmp_path_factory):
        """A run folder, and what train printed."""
        folder = tmp_path_factory.mktemp("runs") / "run"
        return folder, self.run("train", *data, "--run-dir", folder, *self.small).stdout

    @pytest.fixture(scope="class")
    def exported(self, trained, tmp_path_factory):
        """An export of the run, and what export printed."""
        folder = tmp_path_factory.mktemp("exports") / self.task.name
        return folder, self.run("export", trained[0], "--output", folder).stdout

    @pytest.fixture
    def unchecked(self, monkeypatch):
        """Exports are not asked in a process of their own; that of `exported` is."""
        monkeypatch.setattr("rnnapps.serving.export.check_export", lambda folder: serving.Findings(()))

    @pytest.fixture(scope="class")
    def served(self, exported):
        """The addresses of servers of the export, of each kind that there is, the double first."""
        models = {self.task.name: exported[0], "renamed": exported[0]}
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(serve(models, kind)) for kind in KINDS]

    def copied(self, trained, tmp_path) -> Path:
        """A copy of what a run needs to answer."""
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("config.json", "model.keras"):
            shutil.copy(trained[0] / name, copy)
        return copy

    def test_train_leaves_the_run_folder(self, trained):
        folder, output = trained
        files = {"config.json", "model.keras", "checkpoints", "history.csv", "metrics.json", "logs", "report"}
        assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == files
        assert {path.name for path in (folder / "report").iterdir()} >= set(self.pictures)
        config = json.loads((folder / "config.json").read_text())
        assert (config["format"], config["task"]) == (2, self.task.name)
        assert set(config) == {"format", "task", "source", "model", "training", "data", "model_arguments"}
        assert "on the test split:" in output and str(folder) in output

    def test_evaluate_repeats_the_figures_of_train(self, trained):
        figures = json.loads(self.run("evaluate", trained[0], "--json").stdout)
        expected = json.loads((trained[0] / "metrics.json").read_text())["test"]
        assert figures.keys() == expected.keys()
        for name in figures.keys() - set(self.timed):
            if isinstance(figures[name], float):
                assert figures[name] == pytest.approx(expected[name], rel=1e-4, abs=1e-5), name
            else:
                assert figures[name] == expected[name], name

    def test_evaluate_writes_no_pictures_unless_asked(self, trained, tmp_path):
        pictures = {file: file.stat().st_mtime_ns for file in (trained[0] / "report").iterdir()}
        self.run("evaluate", trained[0], "--report", tmp_path / "pictures")
        assert {file: file.stat().st_mtime_ns for file in (trained[0] / "report").iterdir()} == pictures
        assert all(file.stat().st_size > 1000 for file in (tmp_path / "pictures").iterdir())

    def answers(self, *where: object) -> list[dict]:
        lines = self.run("predict", *where, "--json", "--", *self.inputs).stdout.split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def test_run_export_and_server_give_the_same_answers(self, trained, exported, served):
        folder, output = exported
        assert "in a process without keras and rnnapps" in output
        expected = self.answers(trained[0])
        assert len(expected) == len(self.inputs)
        assert_alike(self.answers(folder), expected)
        for url in itertools.chain(*served):
            assert_alike(self.answers("--server", url), expected)
            assert_alike(self.answers("--server", url, "--model", "renamed", "--model-version", 1), expected)

    def test_the_page_of_try_answers_for_run_export_and_server(self, trained, exported, served, tmp_path, monkeypatch):
        found: list[dict] = []

        def show(page, *where):
            found.append(answered(page, self.inputs[0], tmp_path))

        monkeypatch.setattr("rnnapps.cli.try_page.show", show)
        self.run("try", trained[0])
        self.run("try", exported[0])
        self.run("try", "--server", served[0].grpc)
        of_run, of_export, of_server = found
        for other in (of_export, of_server):
            assert other and other.keys() <= of_run.keys()
        for name in of_export:
            assert_alike(of_export[name], of_run[name])
        for name, value in of_server.items():
            if not isinstance(value, dict):  # a server does not say what classes are called
                assert_alike(value, of_run[name])

    def test_an_export_says_what_it_is(self, trained, exported):
        about = serving.metadata(exported[0])
        assert about["app"] == self.task.name
        assert about["metrics"] == json.loads((trained[0] / "metrics.json").read_text())

    def test_a_client_of_a_server_imports_no_tensorflow(self, served):
        for url in served[0]:
            inputs = self.inputs[:2]
            found = self.program("predict", "--server", url, "--", *inputs, after=WITHOUT_TENSORFLOW)
            assert found.returncode == 0, found.stderr
            assert found.stdout.count("\n") >= len(inputs)  # a text may have several lines

    def test_help_imports_neither_tensorflow_nor_numpy(self):
        shown = subprocess.run(
            [sys.executable, "-c", HELP.format(package=self.task.implementation.rpartition(".")[0])],
            capture_output=True,
            text=True,
            check=False,
        )
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.count("Usage") == 7

    def test_a_killed_run_resumes_to_the_history_of_an_uninterrupted_one(self, data, tmp_path, monkeypatch):
        """What a kill would leave is copied while the run goes on; `tests/training/test_resume.py` kills processes."""
        if self.resumed is None:
            pytest.skip("its batches are compared, and the rest is as in the other applications")
        options = ["train", *data, *self.small, *self.resumed, "--epochs", 2, "--patience", 9]
        killed, whole = tmp_path / "killed", tmp_path / "whole"
        write, written = Checkpoints.write, []

        def write_and_copy(*arguments, **others):
            write(*arguments, **others)
            written.append(1)
            if len(written) == 2:
                shutil.copytree(whole, killed)

        # This is about the history; how a finished run is evaluated and drawn is checked on that of `trained`.
        monkeypatch.setattr(f"{self.task.implementation}.assess", lambda *arguments: {})
        monkeypatch.setattr(f"{self.task.implementation}.table", lambda metrics: "")
        monkeypatch.setattr(Checkpoints, "write", write_and_copy)
        with use_engine(self.engine):
            self.run(*options, "--run-dir", whole, "--checkpoint-every", 2)
            assert history(killed) != history(whole)
            self.run("train", "--resume", killed, "--checkpoint-every", 1000)
        assert history(killed) == history(whole)

    def test_a_resumed_run_gets_the_batches_of_an_uninterrupted_one(self, trained):
        _, config, model = read_run(trained[0], self.task)
        code = self.task.code()
        train = code.load(config.source, ["train"])["train"]
        once, again = (
            [
                [np.asarray(part) for part in tf.nest.flatten(batch, expand_composites=True)]
                for batch in code.batches(model, train, config, seed=config.source.seed).epoch(1).take(2)
            ]
            for _ in range(2)
        )
        assert once
        for one, other in zip(tf.nest.flatten(once), tf.nest.flatten(again), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_resume_refuses_options_that_change_the_result(self, trained):
        assert "'epochs'" in self.refused("train", "--resume", trained[0], "--epochs", 77)

    def test_resume_refuses_other_data(self, trained, tmp_path):
        folder = self.copied(trained, tmp_path)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"data": "yesterday's"}))
        error = self.refused("train", "--resume", folder)
        assert f"its data have changed. Then: yesterday's. Now: {config['data']}." in error

    def test_a_run_is_replaced_only_when_told_to_and_not_before_the_data_are_read(self, trained, data, tmp_path):
        folder = self.copied(trained, tmp_path)
        error = self.refused("train", *data, "--run-dir", folder)
        assert "already contains a run" in error and "--overwrite" in error
        wrong = [data[0], tmp_path / "typo.csv", *data[2:]]
        self.refused("train", *wrong, "--run-dir", folder, "--overwrite")
        assert (folder / "model.keras").read_bytes() == (trained[0] / "model.keras").read_bytes()

    def test_mistakes_in_folders_are_one_line(self, trained, data, tmp_path):
        nowhere = tmp_path / "nowhere"
        for arguments in (["evaluate", nowhere], ["predict", nowhere, "x"], ["train", "--resume", nowhere]):
            assert "nowhere" in self.refused(*arguments)
        assert "nowhere" in self.refused("export", nowhere, "--output", tmp_path / "export")
        assert "aaa" in self.refused("predict", "a" * 300)
        (tmp_path / "file").write_text("")
        assert "file" in self.refused("train", *data, "--run-dir", tmp_path / "file" / "run")
        assert not (tmp_path / "export").exists()

    @pytest.mark.parametrize("content", ["{}", "[]", "{", '{"format": 2, "task": "other"}', '{"format": 1}'])
    def test_a_damaged_configuration_is_one_line(self, trained, tmp_path, content):
        damaged = self.copied(trained, tmp_path)
        (damaged / "config.json").write_text(content)
        for arguments in (["evaluate", damaged], ["train", "--resume", damaged]):
            assert "config.json" in self.refused(*arguments)

    @pytest.mark.parametrize("change", [{"units": "x"}, {"units": None}, {"units": 0}, {"new": 1}, {"cell": "tree"}])
    def test_a_wrong_value_in_the_configuration_is_one_line(self, trained, tmp_path, change):
        damaged = self.copied(trained, tmp_path)
        config = json.loads((damaged / "config.json").read_text())
        config["model"] |= change
        (damaged / "config.json").write_text(json.dumps(config))
        error = self.refused("evaluate", damaged)
        assert "config.json" in error and next(iter(change)) in error

    def test_a_damaged_model_is_one_line(self, trained, tmp_path):
        damaged = self.copied(trained, tmp_path)
        (damaged / "model.keras").write_bytes((trained[0] / "model.keras").read_bytes()[:5000])
        assert "model.keras" in self.refused("predict", damaged, *self.inputs)

    def test_export_warns_where_the_data_of_the_run_are_gone(self, trained, tmp_path, monkeypatch):
        """What is written is not looked at: requests from the data are only added to those that are there without."""
        moved = self.copied(trained, tmp_path)
        config = json.loads((moved / "config.json").read_text())
        config["source"]["dataset"] = str(tmp_path / "gone.csv")
        (moved / "config.json").write_text(json.dumps(config))
        asked = []

        def save(output, resources, endpoints, requests, **others):
            asked.append(requests)
            assert requests.keys() <= endpoints.keys()
            return serving.Saved(output, serving.Findings(()), ())

        monkeypatch.setattr(serving, "save", save)
        result = self.run("export", moved, "--output", tmp_path / "export")
        assert "warning: checking the export without the run's test data" in result.stderr
        assert "gone.csv" in result.stderr
        assert asked[0]["serving_default"]

    def test_a_wrong_option_is_one_line_that_names_it(self, tmp_path):
        option, value = self.bad_option
        error = self.refused("train", "--run-dir", tmp_path / "run", option, value)
        assert option in error and value in error
        (tmp_path / "options.toml").write_text("unitz = 3\n")
        error = self.refused("train", "--run-dir", tmp_path / "run", "--config", tmp_path / "options.toml")
        assert "unitz" in error and "options.toml" in error
        assert not (tmp_path / "run").exists()

    def test_server_options_need_a_server_and_file_options_each_other(self, trained):
        assert "--server" in self.refused("predict", trained[0], *self.inputs, "--timeout", 3)
        assert "--output" in self.refused("predict", trained[0], "--input", "x.csv")
        assert "leave out" in self.refused("predict", "--server", "http://localhost:1", trained[0], *self.inputs)

    def test_an_export_is_refused_where_a_run_is_needed(self, exported, tmp_path):
        assert "config.json" in self.refused("evaluate", exported[0])
        assert "config.json" in self.refused("export", exported[0], "--output", tmp_path / "export")


def history(run: Path) -> list[list[str]]:
    """The rows of `history.csv`, without the seconds; none before the first epoch has ended."""
    file = run / "history.csv"
    if not file.exists():
        return []
    rows = [line.split(",") for line in file.read_text().splitlines()]
    seconds = rows[0].index("seconds")
    return [row[:seconds] + row[seconds + 1 :] for row in rows]


def assert_alike(found: object, expected: object) -> None:
    """Equal, but for the last digits of numbers."""
    if isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-4)
    elif isinstance(expected, dict):
        assert isinstance(found, dict) and found.keys() == expected.keys()
        for key in expected:
            assert_alike(found[key], expected[key])
    elif isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
    else:
        assert found == expected
