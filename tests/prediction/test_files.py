"""Prediction for whole files, with an answer that needs no model: the length of the text."""

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rnnapps.datasets.rows import open_rows
from rnnapps.errors import UserError
from rnnapps.prediction.answers import Refused, answer_each
from rnnapps.prediction.files import predict_file
from rnnapps.serving.clients.errors import BadRequest, ServerError

OUTPUTS = ("label", "score")


def length(text):
    if not isinstance(text, str):
        return Refused(f"must be a text, got {text!r}")
    return {"label": f"of {len(text)}", "score": len(text) / 4, "probabilities": [0.5, 0.5]}


def lengths(rows):
    return [length(*row.values()) for row in rows]


def predict(path, output, answer=lengths, *, column="text", suffixes=(), source="test", batch_size=3, **options):
    rows = open_rows(Path(path), column, "--text-column", suffixes)
    options = {"outputs": OUTPUTS, "source": source, "batch_size": batch_size, **options}
    predict_file(rows, answer, output=Path(output), **options)
    return Path(output)


def write(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


def test_a_table_keeps_its_columns_and_its_order(tmp_path, capsys):
    content = '\ufeffid,text,label\n1,good,pos\n2,"two\nlines, ""quoted""",neg\n\n3,,neg\n4,größe 🎉,pos\n'
    output = predict(write(tmp_path / "in.csv", content), tmp_path / "out.csv")
    assert table(output) == [
        ["id", "text", "label", "predicted_label", "predicted_score"],
        ["1", "good", "pos", "of 4", "1.0"],
        ["2", 'two\nlines, "quoted"', "neg", "of 19", "4.75"],
        ["3", "", "neg", "of 0", "0.0"],
        ["4", "größe 🎉", "pos", "of 7", "1.75"],
    ]
    assert capsys.readouterr().out == f"{output}: 4 answers\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_every_format_becomes_every_other(tmp_path):
    texts = ["good", 'a "quote", and\ttab', "", "\u2028🎉"]
    sources = [write(tmp_path / "in.txt", "".join(f"{text}\n" for text in texts))]
    for name, delimiter in (("in.csv", ","), ("in.tsv", "\t")):
        file = io.StringIO()
        csv.writer(file, delimiter=delimiter).writerows([["text"], *([text] for text in texts)])
        sources.append(write(tmp_path / name, file.getvalue()))
    sources.append(write(tmp_path / "in.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts)))
    for source in sources:
        for suffix in (".csv", ".tsv", ".jsonl"):
            output = predict(source, tmp_path / f"from_{source.suffix[1:]}{suffix}")
            if suffix == ".jsonl":
                lines = [json.loads(line) for line in output.read_text(encoding="utf-8").split("\n")[:-1]]
                assert [line["predicted_probabilities"] for line in lines] == [[0.5, 0.5]] * 4
                found = [(line["text"], line["predicted_label"]) for line in lines]
            else:
                found = [tuple(row[:2]) for row in table(output)[1:]]
            assert found == [(text, f"of {len(text)}") for text in texts]


def test_bad_rows_are_named_in_a_file_of_their_own(tmp_path, capsys):
    content = b'text,stars\ngood,1\nonly one\n"never closed,2\ngood,3\nbad \xff,4\nx" "y,5\nlast,6\n'
    output = predict(write(tmp_path / "in.csv", content), tmp_path / "out.csv")
    assert [row[1] for row in table(output)[1:]] == ["1", "3", "5", "6"]
    rejects = table(tmp_path / "out.csv.rejects.csv")
    assert rejects[0] == ["line", "reason", "text"]
    assert [row[0] for row in rejects[1:]] == ["3", "4", "6"]
    assert rejects[1][1] == "1 field where the header has 2"
    assert "not UTF-8" in rejects[3][1]
    assert "4 answers, 3 rows rejected, see" in capsys.readouterr().out
    # What could not be read has no text there, and is not taken for an empty one.
    with pytest.raises(UserError, match="none of the 3 rows was answered"):
        predict(tmp_path / "out.csv.rejects.csv", tmp_path / "again.csv")


def test_bad_json_lines_are_named(tmp_path):
    lines = ['{"text": "a", "n": 1}', "{", "[1]", '{"n": 2}', '{"text": 3}', '{"text": "\\ud800"}', "", '{"text": "b"}']
    lines += ['{"text": "c", "new": 1}', '{"text": "d", "predicted_label": 1}', '{"text": null}', "[" * 10_000]
    source = write(tmp_path / "in.jsonl", "\n".join(lines))
    bad = ["2", "3", "4", "5", "6", "10", "11", "12"]
    output = predict(source, tmp_path / "out.jsonl")
    assert [json.loads(line)["text"] for line in output.read_text().splitlines()] == ["a", "b", "c"]
    rejects = table(tmp_path / "out.jsonl.rejects.csv")
    assert [row[0] for row in rejects[1:]] == bad
    reasons = {row[0]: tuple(row[1:]) for row in rejects[1:]}
    assert reasons["5"] == ("must be a text, got 3", "3")
    taken = "'predicted_label' starts with 'predicted_', which is reserved for answers; rename it"
    assert reasons["10"] == (taken, "d")
    assert [row[0] for row in table(predict(source, tmp_path / "out.csv"))[1:]] == ["a", "b"]
    reasons = {row[0]: row[1] for row in table(tmp_path / "out.csv.rejects.csv")}
    assert reasons["9"] == "'new' is not a key of the first row; write .jsonl to keep it"


def test_what_json_and_tables_cannot_hold_is_written_so_that_readers_take_it(tmp_path):
    source = write(tmp_path / "in.jsonl", '{"text": "a\\rb", "n": NaN}\n{"text": "c", "n": 1e999}\n')
    lines = predict(source, tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line, parse_constant=pytest.fail)["n"] for line in lines] == [None, None]
    assert [row[0] for row in table(predict(source, tmp_path / "out.csv"))[1:]] == ["a\rb", "c"]


def test_a_line_too_long_for_memory_is_a_bad_row(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnapps.datasets.lines.LONGEST_LINE", 1000)
    for suffix, quote in ((".txt", ""), (".csv", '"')):
        header = "text\n" if suffix == ".csv" else ""
        source = write(tmp_path / f"in{suffix}", f"{header}good\n{'x' * 999}\n{quote}{'x' * 5000}{quote}\nlast\n")
        output = predict(source, tmp_path / f"out_{suffix[1:]}.csv")
        assert [len(row[0]) for row in table(output)[1:]] == [4, 999, 4]
        rejects = table(tmp_path / f"out_{suffix[1:]}.csv.rejects.csv")
        assert rejects[1:] == [["4" if header else "3", "longer than 0 MiB"]]


def test_one_refused_input_does_not_cost_its_neighbours(tmp_path):
    def picky(rows):
        if any("bad" in row["text"] for row in rows):
            raise BadRequest("server: the server refuses the request: bad")
        return lengths(rows)

    inputs = [f"text {number}" + " bad" * (number in (3, 4, 11)) for number in range(16)]
    found = answer_each(picky, [{"text": text} for text in inputs])
    assert [number for number, reply in enumerate(found) if isinstance(reply, Refused)] == [3, 4, 11]
    assert [reply["label"] for reply in found[:3]] == ["of 6"] * 3
    source = write(tmp_path / "in.txt", "\n".join(inputs))
    predict(source, tmp_path / "out.csv", picky, batch_size=16)
    rejects = table(tmp_path / "out.csv.rejects.csv")[1:]
    assert [(line, text) for line, _, text in rejects] == [(str(number + 1), inputs[number]) for number in (3, 4, 11)]


def test_a_folder_is_a_table_of_its_files(tmp_path):
    for name in ("b.wav", "a.WAV", "other.txt", "sub/c.wav"):
        (tmp_path / "clips" / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / "clips" / name, "")
    output = predict(tmp_path / "clips", tmp_path / "out.csv", column="path", suffixes=(".wav",))
    assert [row[0] for row in table(output)] == ["path", "a.WAV", "b.wav", "sub/c.wav"]


def make_input(path, rows=3000):
    choose = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        for number in range(rows):
            text = choose.choice(["plain", 'with "quotes"', "two\nlines", "größe 🎉", "comma, comma"])
            writer.writerow([number, text * choose.randint(1, 5)] + ["one too many"] * (number % 97 == 5))
    return path


SLOW = """
import sys, time
from tests.prediction.test_files import lengths, predict
def slow(texts):
    time.sleep(0.01)
    return lengths(texts)
predict(sys.argv[1], sys.argv[2], slow, batch_size=10)
"""


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_killed_job_goes_on_and_ends_with_the_same_bytes(tmp_path, suffix, monkeypatch):
    source = make_input(tmp_path / "in.csv", 1500)
    whole = predict(source, tmp_path / f"whole{suffix}", batch_size=10)
    output = tmp_path / f"out{suffix}"
    command = [sys.executable, "-c", SLOW, str(source), str(output)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    positions = []
    for _ in range(2):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        position = tmp_path / f"out{suffix}.position"
        before = position.read_text() if position.exists() else ""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not position.exists() or position.read_text() == before):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not output.exists()
        positions.append(json.loads(position.read_text())["done"][0][1])
    assert 1 < positions[0] < positions[1] < 3000
    predict(source, output, batch_size=10)
    assert output.read_bytes() == whole.read_bytes()
    rejects = [Path(f"{path}.rejects.csv").read_bytes() for path in (output, whole)]
    assert rejects[0] == rejects[1]
    assert not list(tmp_path.glob("out*.p*"))


def test_whatever_a_kill_leaves_behind_the_position_is_cut_off(tmp_path):
    source = make_input(tmp_path / "in.csv", 300)
    whole = predict(source, tmp_path / "whole.csv")

    def broken(texts):
        broken.left -= 1
        if not broken.left:
            raise ServerError("grpc://host:1: no model server answers there (refused)")
        return lengths(texts)

    for batches in (2, 3, 40):
        broken.left = batches
        with pytest.raises(ServerError, match=r"refused.*; run the same command to continue after line"):
            predict(source, tmp_path / "out.csv", broken)
        for name in ("out.csv.partial", "out.csv.rejects.csv"):
            with open(tmp_path / name, "ab") as file:
                file.write(b"half a row")
    predict(source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == whole.read_bytes()
    assert (tmp_path / "out.csv.rejects.csv").read_bytes() == (tmp_path / "whole.csv.rejects.csv").read_bytes()


def test_a_job_goes_on_only_if_it_is_the_same(tmp_path):
    source = make_input(tmp_path / "in.csv", 100)

    def stop(texts):
        if "one" in done:
            raise ServerError("stopped")
        done.append("one")
        return lengths(texts)

    done = []
    with pytest.raises(ServerError, match="stopped; run the same command to continue after line"):
        predict(source, tmp_path / "out.csv", stop)
    with pytest.raises(UserError, match=r"different job \(different source\); start from the beginning with"):
        predict(source, tmp_path / "out.csv", source="another")
    os.utime(source, ns=(1, 1))
    with pytest.raises(UserError, match=r"different job \(the input has changed"):
        predict(source, tmp_path / "out.csv")
    predict(source, tmp_path / "out.csv", overwrite=True)
    assert len(table(tmp_path / "out.csv")) == 1 + 99


def test_an_output_is_replaced_only_if_told_to_and_only_when_complete(tmp_path):
    source = write(tmp_path / "in.txt", "one\ntwo\n")
    output = write(tmp_path / "out.csv", "precious")
    with pytest.raises(UserError, match=r"out\.csv: already exists; choose another file, or add --overwrite"):
        predict(source, output)

    def stop(texts):
        assert output.read_text() == "precious"
        return lengths(texts)

    predict(source, output, stop, overwrite=True)
    assert table(output)[1] == ["one", "of 3", "0.75"]


def test_a_job_that_fails_before_the_first_answer_leaves_nothing(tmp_path):
    source = write(tmp_path / "in.csv", "text\none\n")

    def stop(texts):
        raise ServerError("no model 'nope'")

    for wrong in ("nope", "nobody"):
        with pytest.raises(ServerError, match=r"no model 'nope'$"):
            predict(source, tmp_path / "out.csv", stop, source=wrong)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]


def test_a_job_without_a_single_answer_fails_and_keeps_the_reasons(tmp_path):
    source = write(tmp_path / "in.csv", "text\none\ntwo\n")

    def refuse(texts):
        raise BadRequest("refused")

    for _ in range(2):  # and may be given again
        with pytest.raises(UserError, match=r"none of the 2 rows was answered, see .*out\.csv\.rejects\.csv"):
            predict(source, tmp_path / "out.csv", refuse)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv.rejects.csv"]
        assert table(tmp_path / "out.csv.rejects.csv")[1:] == [["2", "refused", "one"], ["3", "refused", "two"]]


def test_outputs_that_differ_in_their_suffix_have_rejects_of_their_own(tmp_path):
    source = write(tmp_path / "in.csv", "text\none\ntwo,\n")
    for suffix in (".csv", ".jsonl"):
        predict(source, tmp_path / f"out{suffix}")
    names = ["in.csv", "out.csv", "out.csv.rejects.csv", "out.jsonl", "out.jsonl.rejects.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_an_input_is_not_replaced_by_its_answers(tmp_path):
    source = write(tmp_path / "in.csv", "text\none\n")
    with pytest.raises(UserError, match="is also the --input; choose another file"):
        predict(source, source, overwrite=True)
    assert source.read_text() == "text\none\n"


def test_two_jobs_do_not_write_one_file(tmp_path):
    source = write(tmp_path / "in.txt", "one\n")

    def again(texts):
        with pytest.raises(UserError, match="another process is writing it"):
            predict(source, tmp_path / "out.csv")
        return lengths(texts)

    predict(source, tmp_path / "out.csv", again)
    assert (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("in.csv", "", "no header: the file is empty"),
        (
            "in.csv",
            "body,stars\na,1\n",
            "no column 'text'; the columns are 'body', 'stars': name one with --text-column",
        ),
        ("in.csv", "text,text\na,1\n", "two columns of the header are called 'text'"),
        ("in.csv", "text,predicted_label\n", "'predicted_label' starts with 'predicted_', reserved for answers"),
        ("in.csv", b"\xff\xfet\x00", "UTF-16"),
        ("in.csv", b"t\xff\n", "the header cannot be read: not UTF-8"),
        ("in.jsonl", "", "no column 'text'; the columns are none"),
        ("in.jsonl", '{"body": "a"}', "no column 'text'; the columns are 'body'"),
    ],
)
def test_an_input_that_cannot_be_read_is_named(tmp_path, name, content, complaint):
    source = write(tmp_path / name, content)
    with pytest.raises(UserError) as error:
        predict(source, tmp_path / "out.csv")
    assert complaint in str(error.value) and str(error.value).startswith((str(source), "--input"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.csv: cannot be read: No such file"):
        predict(tmp_path / "nowhere.csv", tmp_path / "out.csv")
    source = write(tmp_path / "in.txt", "")
    with pytest.raises(UserError, match=r"out\.parquet: must end in"):
        predict(source, tmp_path / "out.parquet")
    with pytest.raises(UserError, match="cannot be written: No such file"):
        predict(source, tmp_path / "no" / "out.csv")
    assert table(predict(source, tmp_path / "out.csv")) == [["text", "predicted_label", "predicted_score"]]


MEMORY = """
import resource, sys
from tests.prediction.test_files import lengths, predict
predict(sys.argv[1], sys.argv[2], lengths, batch_size=64)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(name, rows):
        source = tmp_path / name
        line = f"{'word ' * 200}\n".encode()
        with source.open("wb") as file:
            file.writelines(line for _ in range(rows))
        command = [sys.executable, "-c", MEMORY, str(source), str(tmp_path / f"{name}.csv")]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return int(process.stdout.split()[-1])

    small, large = peak("small.txt", 200), peak("large.txt", 60_000)  # 60 MB in, 60 MB out
    assert large < small + 8


def test_a_folder_in_the_place_of_a_file_beside_the_output_is_named(tmp_path):
    (tmp_path / "out.csv.rejects.csv").mkdir()
    with pytest.raises(UserError, match=r"out\.csv\.rejects\.csv cannot be written: Is a directory$"):
        predict(write(tmp_path / "in.txt", "a\n"), tmp_path / "out.csv")
