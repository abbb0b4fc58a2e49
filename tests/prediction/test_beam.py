"""The Beam pipeline on the direct runner."""

import csv
import json
import subprocess
import sys

import pytest

pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")

import tensorflow as tf

from rnnapps.prediction import beam as pipeline

TEXTS = ["good", "", "größe 🎉", "nul \x00 byte"]


def run(model_folder, *options):
    pipeline.main(["--export", str(model_folder), *map(str, options)])


def lines(folder, pattern):
    """The lines of all shards, in no order."""
    return [line for file in folder.glob(pattern) for line in file.read_text(encoding="utf-8").split("\n") if line]


def test_json_lines_keep_their_keys_and_get_the_models_answers(tmp_path, model_folder):
    rows = [{"id": number, "text": TEXTS[number % 4] * number} for number in range(100)]
    for part in range(2):
        content = "".join(json.dumps(row) + "\n" for row in rows[part::2])
        (tmp_path / f"in-{part}.jsonl").write_text(content)
    run(model_folder, "--input", tmp_path / "in-*.jsonl", "--output", tmp_path / "out", "--batch-size", 7)
    found = {row["id"]: row for row in map(json.loads, lines(tmp_path, "out-*.jsonl"))}
    texts = [row["text"] for row in rows]
    expected = tf.saved_model.load(str(model_folder / "3")).signatures["serving_default"](text=tf.constant(texts))
    assert len(found) == 100
    for row, score in zip(rows, expected["score"].numpy().tolist(), strict=True):
        answer = found[row["id"]]
        assert answer["text"] == answer["predicted_label"] == row["text"]
        assert answer["predicted_score"] == pytest.approx(score, abs=1e-6)  # rounded; asked in other batches
    assert not list(tmp_path.glob("out.rejects*"))


def test_tables_keep_their_columns_and_their_line_breaks(tmp_path, model_folder):
    (tmp_path / "in-1.csv").write_text('id,text\n1,"good,\nlong"\n2\n3,fine\n')
    (tmp_path / "in-2.csv").write_text("id,review\n4,good\n")
    run(model_folder, "--input", tmp_path / "in-*.csv", "--output", tmp_path / "out")
    found = {row["id"]: row for row in map(json.loads, lines(tmp_path, "out-*.jsonl"))}
    assert {id: row["predicted_label"] for id, row in found.items()} == {"1": "good,\nlong", "3": "fine"}
    rejected = {row["row"]: row["reason"] for row in map(json.loads, lines(tmp_path, "out.rejects-*"))}
    assert rejected[f"{tmp_path}/in-1.csv, line 4"] == "1 field where the header has 2"
    assert "there is no column 'text'; the columns are 'id', 'review'" in rejected[f"{tmp_path}/in-2.csv"]


def test_bad_lines_go_to_files_of_their_own(tmp_path, model_folder):
    (tmp_path / "in.jsonl").write_bytes(b'{"text": "a"}\n{\n\n[]\n{"text": "\xff"}\n{"text": 3}\n{"text": "b"}\n')
    run(model_folder, "--input", tmp_path / "in.jsonl", "--output", tmp_path / "out")
    assert sorted(json.loads(line)["predicted_label"] for line in lines(tmp_path, "out-*")) == ["a", "b"]
    rejected = [json.loads(line) for line in lines(tmp_path, "out.rejects-*")]
    source = f"{tmp_path}/in.jsonl, line"
    found = [row["row"] for row in rejected if isinstance(row["row"], str)]
    assert sorted(found) == [f"{source} 2", f"{source} 4", f"{source} 5"]
    assert [row["row"] for row in rejected if not isinstance(row["row"], str)] == [{"text": 3}]
    assert all(row["reason"] for row in rejected)


@pytest.mark.parametrize(
    ("name", "content", "options", "expected"),
    [
        ("old Macintosh.csv", "id,text\r1,a\r2,b\r", [], ["a", "b"]),
        ("old Macintosh.txt", "a\rb\r", [], ["a", "b"]),
        ("byte order mark.csv", "\ufefftext,id\na,1\n", [], ["a"]),
        ("byte order mark.jsonl", '\ufeff{"text": "a"}\n', [], ["a"]),
        ("a quote that begins a field.tsv", 'id\ttext\n1\t"a\n2\tb\n', ["--quoting", "none"], ['"a', "b"]),
        ("a first line without the key.jsonl", '{"id": 1}\n{"text": "a"}\n', [], ["a"]),
        ("SUFFIX.CSV", "id,text\n1,a\n", [], ["a"]),
    ],
)
def test_a_file_is_read_as_predict_reads_it(tmp_path, model_folder, name, content, options, expected):
    from rnnapps.datasets.rows import open_rows

    path = tmp_path / name
    path.write_bytes(content.encode())
    run(model_folder, "--input", path, "--output", tmp_path / "out", *options)
    assert sorted(json.loads(line)["predicted_label"] for line in lines(tmp_path, "out-*")) == expected
    rows = open_rows(path, "text", quoting=options[-1] if options else "standard").after()
    assert sorted(row.values["text"] for row in rows if row.values and "text" in row.values) == expected


def test_paths_of_files_are_answered_with_their_content(tmp_path, model_folder):
    (tmp_path / "one.bin").write_bytes(b"12345")
    (tmp_path / "in.txt").write_text(f"{tmp_path}/one.bin\n{tmp_path}/nowhere.bin\n")
    options = ["--files", "--column", "path", "--signature", "binary"]
    run(model_folder, "--input", tmp_path / "in.txt", "--output", tmp_path / "out", *options)
    (answer,) = map(json.loads, lines(tmp_path, "out-*"))
    assert (answer["path"], answer["predicted_size"]) == (f"{tmp_path}/one.bin", 5)
    (rejected,) = map(json.loads, lines(tmp_path, "out.rejects-*"))
    assert "nowhere.bin: cannot be read" in rejected["reason"]


def test_an_input_that_the_graph_refuses_does_not_cost_its_neighbours(tmp_path, model_folder):
    (tmp_path / "in.txt").write_text("".join(f"{number}\n" for number in [1, 2, "bad", 4, 5]))
    options = ["--signature", "parsed", "--batch-size", 5]
    run(model_folder, "--input", tmp_path / "in.txt", "--output", tmp_path / "out", *options)
    assert sorted(json.loads(line)["predicted_number"] for line in lines(tmp_path, "out-*")) == [1, 2, 4, 5]
    (rejected,) = map(json.loads, lines(tmp_path, "out.rejects-*"))
    assert rejected["row"] == {"text": "bad"}


def forecast(history, factor, place):
    mean = tf.reduce_mean(history, axis=1) * tf.cast(factor, tf.float32)
    return {"forecast": mean, "missing": tf.reduce_any(tf.math.is_nan(history), axis=1), "at": place}


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory):
    """An export whose signature has three inputs: a series, a number and a text."""
    folder = tmp_path_factory.mktemp("forecaster")
    inputs = [("history", tf.float32, [None, None]), ("factor", tf.int32, [None]), ("place", tf.string, [None])]
    specs = [tf.TensorSpec(shape, dtype, name=name) for name, dtype, shape in inputs]
    function = tf.function(forecast, autograph=False).get_concrete_function(*specs)
    tf.saved_model.save(tf.Module(), str(folder / "1"), signatures={"serving_default": function})
    return folder


ROWS = [
    {"id": 0, "sales": [1, 2, 3], "factor": 2, "place": "Köln"},
    {"id": 1, "sales": [4.5], "factor": 1, "place": "Bonn"},
    {"id": 2, "sales": [2, None, 2], "factor": 1, "place": ""},
    {"id": 3, "sales": [3, 4, 5], "factor": -1, "place": "Aachen"},
]
EXPECTED = {0: (4.0, False, "Köln"), 1: (4.5, False, "Bonn"), 3: (-4.0, False, "Aachen")}


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_signature_with_several_inputs_takes_each_from_its_column(tmp_path, forecaster, suffix):
    source = tmp_path / f"in{suffix}"
    bad = [{"id": 4, "sales": "one", "factor": 1, "place": ""}, {"id": 5, "sales": [1], "factor": 1.5, "place": ""}]
    if suffix == ".jsonl":
        bad += [{"id": 6, "factor": 1, "place": "a"}, {"id": 7, "sales": [1], "factor": 1, "place": 3}]
        source.write_text("".join(json.dumps(row) + "\n" for row in ROWS + bad))
    else:
        with source.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(ROWS[0])
            table.writerows([json.dumps(cell) if isinstance(cell, list) else cell for cell in row.values()]
                            for row in ROWS + bad)  # fmt: skip
    run(forecaster, "--input", source, "--output", tmp_path / "out", "--column", "history=sales", "--column", "place")
    answers = {int(row["id"]): row for row in map(json.loads, lines(tmp_path, "out-*.jsonl"))}
    assert sorted(answers) == [0, 1, 2, 3]
    for number, expected in EXPECTED.items():
        found = answers[number]
        assert (found["predicted_forecast"], found["predicted_missing"], found["predicted_at"]) == expected
    assert answers[2]["predicted_missing"] is True
    rejected = {int(row["row"]["id"]): row["reason"] for row in map(json.loads, lines(tmp_path, "out.rejects-*"))}
    assert rejected[4] == "'sales' must be float32, got 'one'"
    assert rejected[5] == f"'factor' must be int32, got {'a number' if suffix == '.jsonl' else repr('1.5')}"
    if suffix == ".jsonl":
        assert (rejected[6], rejected[7]) == ("no value in 'sales'", "'place' must be a text, got 3")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--column", "sales"], "--column sales: the signature has no input 'sales'; it has factor, history, place"),
        (["--column", "a=b"], "--column a=b: the signature has no input 'a'; it has factor, history, place"),
        (["--column", "history=a", "--column", "history=b"], "the input 'history' has a column already, 'a'"),
        (["--batch-size", "0"], "--batch-size must be at least 1, got 0"),
        ([], "in.txt: must end in .csv, .tsv, .jsonl, .json, .ndjson to have several columns"),
    ],
)
def test_columns_that_the_signature_does_not_have_are_one_line(tmp_path, forecaster, options, complaint, capsys):
    with pytest.raises(SystemExit):
        run(forecaster, "--input", tmp_path / "in.txt", "--output", tmp_path / "out", *options)
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--signature", "nosuch"], []])
def test_mistakes_are_one_line(tmp_path, model_folder, options, capsys):
    export = model_folder if options else tmp_path
    with pytest.raises(SystemExit) as stop:
        run(export, "--input", tmp_path / "in.txt", "--output", tmp_path / "out", *options)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.startswith("error: ") and error.count("\n") == 1
    assert ("no signature 'nosuch'" if options else "no SavedModel here") in error


def test_the_options_choose_the_runner():
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners.runner import create_runner

    for name in ("FlinkRunner", "SparkRunner"):
        chosen = PipelineOptions(["--runner", name]).view_as(StandardOptions).runner
        assert type(create_runner(chosen)).__name__ == name


def test_workers_need_no_keras(model_folder):
    code = f"""
import sys
sys.modules["keras"] = None
from rnnapps.prediction.beam import SavedModelHandler
handler = SavedModelHandler({str(model_folder)!r})
(result,) = handler.run_inference([{{"text": "a"}}], handler.load_model())
assert result.inference["label"] == "a"
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
