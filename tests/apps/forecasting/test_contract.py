"""The command line from end to end, on invented series: the contract, and what only this application does."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from rnnapps.apps.forecasting.cli import TASK, main
from rnnapps.apps.forecasting.serving import endpoints
from rnnapps.cli.run_config import read_run
from rnnapps.prediction import predictor
from tests.apps.contract import Contract, invoke

SMALL = ["--units", "16", "--hidden", "32", "--context", "48", "--horizon", "12", "--windows", "2", "--epochs", "9"]
SMALL += [
    "--windows-per-epoch",
    "768",
    "--batch-size",
    "32",
    "--learning-rate",
    "0.01",
    "--averaging",
    "0",
    "--dropout",
    "0",
]


def write_series(path, count, hours=240, first=0):
    """A long table of hourly series: daily waves of different levels that grow, with noise, and two hours missing."""
    random = np.random.default_rng(first)
    times = np.datetime64("2024-03-01T00:00") + np.arange(hours) * np.timedelta64(1, "h")
    lines = ["series,time,value"]
    for number in range(first, first + count):
        wave = 10.0 ** (number % 3) * (5 + np.sin(2 * np.pi * (np.arange(hours) + number) / 24))
        values = wave * (1 + 0.01 * random.normal(size=hours)) * 1.03 ** (np.arange(hours) / 24)
        rows = [f"s{number},{time},{value:.4f}" for time, value in zip(times, values, strict=True)]
        lines += rows[:50] + rows[52:]
    path.write_text("\n".join(lines) + "\n")
    return path


class TestForecasting(Contract):
    main, task, small = main, TASK, SMALL
    pictures = ("curves.png", "forecasts.png", "error_by_horizon.png", "calibration.png", "worst_series.png")
    timed = ("seconds", "peers")
    resumed = ("--dropout", "0.2", "--ensemble", "2")
    inputs = ()

    def write(self, folder):
        for number in range(3):
            write_series(folder / f"input-{number}.csv", 1, hours=(240, 30, 100)[number], first=number)
        type(self).inputs = tuple(str(folder / f"input-{number}.csv") for number in range(3))
        return ["--dataset", write_series(folder / "series.csv", 6)]

    def test_the_model_beats_the_seasonal_naive_forecast(self, trained):
        metrics = json.loads((trained[0] / "metrics.json").read_text())["test"]
        naive = metrics["peers"]["seasonal naive"]
        assert metrics["forecasts"] == 12 and metrics["series"] == 6
        assert metrics["mase"] < naive["mase"] and metrics["wql"] < naive["wql"] and metrics["owa"] < naive["owa"]
        assert "seasonal naive" in trained[1] and "MASE" in trained[1]

    def test_predict_goes_on_where_each_series_of_the_run_ends(self, trained, tmp_path):
        picture = tmp_path / "bands.png"
        output = self.run("predict", trained[0], "--plot", picture).stdout
        rows = list(csv.DictReader(io.StringIO(output)))
        assert len(rows) == 6 * 12 and picture.stat().st_size > 10_000
        assert rows[0]["series"] == "s0" and rows[0]["time"] == "2024-03-11T00:00:00"
        assert all(float(row["0.025"]) < float(row["0.5"]) < float(row["0.975"]) for row in rows)

    def test_forecasts_go_into_a_file_of_the_format_that_its_name_says(self, trained, tmp_path):
        table, objects = tmp_path / "forecasts.csv", tmp_path / "forecasts.jsonl"
        expected = self.run("predict", trained[0]).stdout
        self.run("predict", trained[0], "--output", table)
        self.run("predict", trained[0], "--output", objects)
        assert table.read_text() == expected
        assert objects.read_text() == self.run("predict", trained[0], "--json").stdout
        assert "already exists" in self.refused("predict", trained[0], "--output", table)
        assert ".jsonl, .json, .ndjson, got .txt" in self.refused("predict", trained[0], "--output", "forecasts.txt")

    def test_predict_reads_numbers_and_names_what_is_missing(self, trained):
        assert "numbers have no times" in self.refused("predict", trained[0], "1 2 3")
        assert "no such file: 'typo.csv'" in self.refused("predict", trained[0], "typo.csv")
        assert "'x' in '1 2 x' is not a number" in self.refused("predict", trained[0], "1 2 x")
        assert "an argument is empty" in self.refused("predict", trained[0], "")
        assert "put -- before arguments that begin with a minus sign" in self.refused("predict", trained[0], "-5 -4")
        assert ".png" in self.refused("predict", trained[0], *self.inputs, "--plot", "bands.pdf")

    def test_a_file_of_histories_is_answered_as_a_table_of_series_is(self, trained, exported, tmp_path):
        expected = self.answers(trained[0])
        rows = []
        for path in self.inputs:
            with open(path) as file:
                table = {row["time"]: float(row["value"]) for row in csv.DictReader(file)}
            start = np.datetime64(min(table), "h")
            steps = start + np.arange(int((np.datetime64(max(table), "h") - start).astype(int)) + 1)
            history = [table.get(f"{step}:00") for step in steps.astype("datetime64[m]").astype("datetime64[h]")]
            rows.append({"history": history, "start": str(np.datetime64(start, "s"))})
        rows.append({"history": [None, None], "start": "2024-03-01"})
        rows.append({"history": [1e38, -1e38, 1e38], "start": "2024-03-01"})
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        output = tmp_path / "out.jsonl"
        self.run("predict", exported[0], "--input", tmp_path / "in.jsonl", "--output", output)
        found = [json.loads(line) for line in output.read_text().splitlines()]
        assert len(found) == 3
        for one, other in zip(found, expected, strict=True):
            assert one["predicted_mean"] == pytest.approx(other["mean"], rel=1e-5)
            assert one["predicted_quantiles"]["0.9"] == pytest.approx(other["quantiles"]["0.9"], rel=1e-5)
        rejects = (tmp_path / "out.jsonl.rejects.csv").read_text()
        assert "at least one value" in rejects and "too large to forecast" in rejects

    def test_an_export_answers_as_its_run_does_in_every_batch_and_length(self, trained, exported):
        _, _, model = read_run(trained[0], TASK)
        run = predictor.of_endpoint(endpoints(model)["serving_default"], {}, model)
        export = predictor.of_export(exported[0], "serving_default")
        random = np.random.default_rng(5)
        for batch in (0, 1, 2, 33):
            for time in (1, 30, 48, 130):  # the context is 48
                history = random.normal(20, 5, (batch, time)).astype(np.float32)
                history[:, 1::4] = np.nan
                inputs = {"history": history, "start": np.array(["2024-02-28T20:00"] * batch, object)}
                found, expected = export.ask(inputs), run.ask(inputs)
                assert found["quantiles"].shape == (batch, 12, 9) and found["mean"].shape == (batch, 12)
                for name in ("quantiles", "mean"):
                    np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5)

    def test_a_long_table_is_answered_series_by_series(self, trained, exported, tmp_path):
        expected = self.answers(trained[0])
        lines = [line for path in self.inputs for line in Path(path).read_text().splitlines()[1:]]
        bad = [
            "off,2024-03-01T00:00,1",
            "off,2024-03-01T01:20,1",
            "off,2024-03-01T02:00,1",
            "broken,2024-03-01,1",
            "broken",
        ]
        lines[40], lines[41] = lines[41], lines[40]  # times need not ascend
        (tmp_path / "long.csv").write_text("\n".join(["series,time,value", *bad, *lines]) + "\n")
        for number, folder in enumerate((trained[0], exported[0])):
            output = tmp_path / f"out-{number}.jsonl"
            self.run("predict", folder, "--input", tmp_path / "long.csv", "--output", output)
            found = [json.loads(line) for line in output.read_text().splitlines()]
            assert [(one["series"], one["start"]) for one in found] == [
                (f"s{number}", "2024-03-01T00:00:00") for number in range(3)
            ]
            for one, other in zip(found, expected, strict=True):
                assert one["predicted_mean"] == pytest.approx(other["mean"], rel=1e-5)
            rejects = (tmp_path / f"out-{number}.jsonl.rejects.csv").read_text()
            assert "not a whole number of steps of 1 hour" in rejects
            assert "line 6: 1 field where the header has 3" in rejects

    def test_a_long_table_is_answered_on_beam_as_here(self, trained, exported, tmp_path):
        from rnnapps.prediction import beam  # takes seconds

        table, here = write_series(tmp_path / "long.csv", 5), tmp_path / "here.jsonl"
        self.run("predict", exported[0], "--input", table, "--output", here)
        there = ["--input", table, "--output", tmp_path / "there", "--long"]
        beam.main(["--export", str(exported[0]), *map(str, there)])
        found = [json.loads(line) for path in tmp_path.glob("there-*") for line in path.read_text().splitlines()]
        expected = [json.loads(line) for line in here.read_text().splitlines()]
        for one, other in zip(sorted(found, key=lambda row: row["series"]), expected, strict=True):
            assert one["predicted_mean"] == pytest.approx(other["predicted_mean"], rel=1e-5)
            assert (one["series"], one["history"]) == (other["series"], other["history"])

    def test_bad_values_of_a_long_table_are_named_and_count_as_missing(self, exported, tmp_path):
        lines = write_series(tmp_path / "good.csv", 2).read_text().splitlines()
        bad = lines[150].rpartition(",")[0]
        (tmp_path / "bad.csv").write_text("\n".join([*lines[:150], f"{bad},n/k", *lines[151:]]) + "\n")
        (tmp_path / "empty.csv").write_text("\n".join([*lines[:150], f"{bad},", *lines[151:]]) + "\n")
        answers = []
        for name in ("bad", "empty"):
            output = tmp_path / f"{name}.jsonl"
            told = self.run("predict", exported[0], "--input", tmp_path / f"{name}.csv", "--output", output).stderr
            answers.append(output.read_text())
            assert ("line 151: 'value' must be a number, got 'n/k'; taken as missing" in told) == (name == "bad")
        assert answers[0] == answers[1] and answers[0].count("\n") == 2

    def test_a_series_that_cannot_be_forecast_is_named(self, trained, tmp_path):
        (tmp_path / "huge.csv").write_text(
            "series,time,value\n" + "".join(f"huge,2024-03-01T{hour:02}:00,{(-1) ** hour}e38\n" for hour in range(20))
        )
        assert "'huge': history: its values are too large" in self.refused("predict", trained[0], tmp_path / "huge.csv")

    def test_evaluate_warns_when_the_data_have_changed(self, trained, tmp_path):
        changed = self.copied(trained, tmp_path)
        config = (changed / "config.json").read_text()
        (changed / "config.json").write_text(config.replace("test 12 forecasts", "test 120 forecasts"))
        for run, warned in ((trained[0], False), (changed, True)):
            warning = self.run("evaluate", run).stderr
            assert (
                "it may be tested on what it has read" in warning and "Now: test 12 forecasts." in warning
            ) == warned

    def test_evaluate_forecasts_as_often_as_asked(self, trained):
        metrics = json.loads(self.run("evaluate", trained[0], "--forecasts", 1, "--json").stdout)
        assert metrics["forecasts"] == 6

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            (["--levels", "0.1,0.9"], "--levels must ascend and include 0.5, got 0.1,0.9"),
            (["--head", "normal", "--past", "rain"], "--past needs --head quantiles"),
            (["--paths", "5"], "--paths is for heads that sample; leave it out with --head quantiles, got 5"),
            (["--head", "normal", "--segment", "4"], "--segment is for --head quantiles"),
            (["--windows", "30"], "no series is long enough"),
            (["--frequency", "fortnight"], "--frequency must be like h, 15min, D, W, MS or B, got 'fortnight'"),
            (["--head", "negative-binomial"], "--head negative-binomial needs counts"),
            (["--known", "price"], "there is no column 'price'"),
        ],
    )
    def test_mistakes_are_one_line(self, data, tmp_path, options, complaint):
        assert complaint in self.refused("train", *data, "--run-dir", tmp_path / "run", *options)


def test_covariates_of_a_table_reach_the_forecast(tmp_path):
    """A promotion that is known ahead doubles what is sold on its days."""
    random = np.random.default_rng(0)
    days = np.datetime64("2023-01-01") + np.arange(300)
    lines = ["series,time,value,promotion,kind"]
    for name in ("tea", "coffee"):
        promotions = random.integers(0, 2, 300)
        values = (promotions + 1) * 10 + random.normal(size=300)
        for number, (day, promotion, value) in enumerate(zip(days, promotions, values, strict=True)):
            lines.append(f"{name},{day},{value if number < 293 else ''},{promotion},drink")
    (tmp_path / "sales.csv").write_text("\n".join(lines) + "\n")
    run = tmp_path / "run"
    options = ["--horizon", 7, "--windows", 2, "--units", 16, "--epochs", 6, "--windows-per-epoch", 1280]
    options += ["--learning-rate", 0.01, "--known", "promotion", "--static", "kind", "--context", 28]
    invoke(main, "train", "--dataset", tmp_path / "sales.csv", "--run-dir", run, *options)
    output = invoke(main, "predict", run).stdout
    (tmp_path / "past.csv").write_text("\n".join(lines[:290]) + "\n")
    error = invoke(main, "predict", run, tmp_path / "past.csv", code=2).stderr
    assert "the series 'tea' needs 7 rows with promotion and without a value after its last value, got 0" in error
    rows = list(csv.DictReader(io.StringIO(output)))
    known = {(line.split(",")[0], line.split(",")[1]): line.split(",")[3] for line in lines[1:]}
    found = [(known[row["series"], row["time"][:10]], float(row["0.5"])) for row in rows]
    assert len(found) == 14
    assert min(value for promotion, value in found if promotion == "1") > 15
    assert max(value for promotion, value in found if promotion == "0") < 15
    config = json.loads((run / "config.json").read_text())
    other = config["model_arguments"] | {"statistics": "[[0.0, 1.0]]"}
    for arguments, complaint in (
        (other, "have another 'statistics'. Then: [[0.0, 1.0]]. Now: [["),
        (None, "an older version"),
    ):
        (run / "config.json").write_text(json.dumps(config | {"model_arguments": arguments}))
        assert complaint in invoke(main, "train", "--resume", run, code=2).stderr
