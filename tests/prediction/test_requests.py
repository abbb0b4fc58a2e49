"""Values of tables and JSON lines as the inputs of a signature, and rows of several inputs, of numbers and strings."""

import json
import math

import numpy as np
import pytest

from rnnapps.errors import UserError
from rnnapps.prediction.requests import TEXT, as_input, ask_rows
from rnnapps.serving.clients.signatures import TensorSpec
from tests.prediction.test_files import predict, table

NAN = math.nan
FLOAT, INTEGER, BOOLEAN = (TensorSpec(dtype, ()) for dtype in ("float32", "int32", "bool"))
FLOATS, INTEGERS, TEXTS = (TensorSpec(dtype, (None,)) for dtype in ("float32", "int64", "object"))
PAIRS = TensorSpec("float32", (None, 2))


@pytest.mark.parametrize(
    ("value", "spec", "expected"),
    [
        ("2.5", FLOAT, 2.5), (" 7 ", FLOAT, 7), (3, FLOAT, 3), ("", FLOAT, NAN), (None, FLOAT, NAN),
        ("nan", FLOAT, NAN),
        ("1e3", FLOAT, 1000), ("-inf", FLOAT, -math.inf), ("7", INTEGER, 7), (7, INTEGER, 7), ("true", BOOLEAN, True),
        (False, BOOLEAN, False), ("[1, null, 2.5]", FLOATS, [1, NAN, 2.5]), ("1 2.5\t3", FLOATS, [1, 2.5, 3]),
        ([1, None], FLOATS, [1, NAN]), ("5", FLOATS, [5]), ("1 null 2", FLOATS, [1, NAN, 2]), ("[]", FLOATS, []),
        ([], FLOATS, []), ("", FLOATS, []), ("1 2", INTEGERS, [1, 2]), ("[[1, 2], [3, 4]]", PAIRS, [[1, 2], [3, 4]]),
        ('["a", "ü"]', TEXTS, [b"a", "ü".encode()]), (["a"], TEXTS, [b"a"]),
    ],
)  # fmt: skip
def test_a_value_becomes_what_the_signature_takes(value, spec, expected):
    found = as_input({"x": value}, "x", spec)
    assert found.dtype == np.dtype(spec.dtype)
    if spec.dtype == "object":
        assert found.tolist() == expected
    else:
        np.testing.assert_array_equal(found, np.array(expected, spec.dtype))


@pytest.mark.parametrize(
    ("value", "spec", "problem"),
    [
        ("abc", FLOAT, "must be float32, got 'abc'"), ("1,5", FLOAT, "must be float32, got '1,5'"),
        ("1 2", FLOAT, "must be float32, got a list"), ([1], FLOAT, "must be float32, got a list"),
        (True, FLOAT, "must be float32, got a boolean"), ({"a": 1}, FLOAT, "must be float32, got an object"),
        ("1.5", INTEGER, "must be int32, got '1.5'"), (1.5, INTEGER, "must be int32, got a number"),
        ("", INTEGER, "must be int32, got null"), (2**31, INTEGER, "must be int32, got numbers from 2147483648"),
        ("perhaps", BOOLEAN, "must be JSON, got 'perhaps'"), (1, BOOLEAN, "must be bool, got a number"),
        ("[1, 2", FLOATS, "must be JSON, got '[1, 2'"), ("[" * 9999, FLOATS, "must be JSON, got '[[[["),
        (3, FLOATS, "must have 1 dimensions, got a number"), ([[1], [2]], FLOATS, "must be float32, got a list"),
        ([1, "2"], FLOATS, "must be float32, got a string"), ([1, None], INTEGERS, "must be int64, got null"),
        ([[1, 2], [3]], PAIRS, "must not be ragged, got rows of 1 and of 2"),
        ([[1, 2, 3]], PAIRS, "must have 2 values, got 3"), (3, TEXT, "must be a text, got 3"),
        (["a"], TEXT, 'must be a text, got ["a"]'), ([1], TEXTS, "must be strings, got a number"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_named(value, spec, problem):
    with pytest.raises(UserError) as caught:
        as_input({"x": value}, "x", spec)
    assert str(caught.value).startswith(f"'x' {problem}")


def test_rows_of_different_shapes_are_asked_apart_and_answered_in_order():
    shapes = []

    def ask(inputs):
        shapes.append(inputs["x"].shape)
        return {"total": inputs["x"].sum(axis=1), "model": np.array(b"m", object), "key": inputs["key"]}

    lengths = [2, 3, 2, 0, 3]
    requests = [{"x": np.arange(length) + row, "key": f"row {row}"} for row, length in enumerate(lengths)]
    found = ask_rows(ask, requests)
    assert [answer["total"] for answer in found] == [sum(range(row, row + n)) for row, n in enumerate(lengths)]
    assert [answer["key"] for answer in found] == [f"row {row}" for row in range(5)]
    assert {answer["model"] for answer in found} == {b"m"}
    assert sorted(shapes) == [(1, 0), (2, 2), (2, 3)]


def test_an_output_with_another_number_of_rows_is_one_line():
    with pytest.raises(UserError, match="'y' must have 2 rows, as its inputs have, got 1"):
        ask_rows(lambda inputs: {"y": np.zeros(1)}, [{"x": 1}, {"x": 2}])


def forecast(rows):
    """The sum of what is there of `history`, times `factor`."""
    answers = []
    for row in rows:
        history = as_input(row, "history", FLOATS)
        answers.append({"forecast": float(np.nansum(history) * as_input(row, "factor", FLOAT))})
    return answers


def test_a_file_of_several_inputs_is_answered_and_keeps_its_columns(tmp_path):
    columns = {"column": ("history", "factor"), "outputs": ["forecast"]}
    (tmp_path / "in.csv").write_text('factor,history,id\n2,1 2 3,a\n0.5,"[4, null]",b\n')
    found = table(predict(tmp_path / "in.csv", tmp_path / "a.csv", forecast, **columns))
    assert found[1:] == [["2", "1 2 3", "a", "12.0"], ["0.5", "[4, null]", "b", "2.0"]]
    rows = [{"history": [1, 2, 3], "factor": 2, "id": "a"}, {"factor": "0.5", "history": [4, None], "id": 7}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = predict(tmp_path / "in.jsonl", tmp_path / "b.jsonl", forecast, **columns)
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert found == [rows[0] | {"predicted_forecast": 12.0}, rows[1] | {"predicted_forecast": 2.0}]


def test_rejected_rows_can_be_corrected_and_answered_from_the_file_that_lists_them(tmp_path):
    columns = {"column": ("history", "factor"), "outputs": ["forecast"]}
    lines = ['{"history": [1], "factor": 2}', '{"history": {"a": 1}, "factor": 1}', '{"history": [1, 2]}', "{"]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    predict(tmp_path / "in.jsonl", tmp_path / "out.jsonl", forecast, **columns)
    rejects = tmp_path / "out.jsonl.rejects.csv"
    kind = "must have a value, got"
    assert table(rejects)[:3] == [
        ["line", "reason", "history", "factor"],
        ["2", f"'history' {kind} an object", '{"a": 1}', "1"],
        ["3", f"'factor' {kind} nothing", "[1, 2]", ""],
    ]
    assert table(rejects)[3][0] == "4" and not table(rejects)[3][2:]
    with pytest.raises(UserError, match=r"writes out\.jsonl\.rejects\.csv, which is also the --input"):
        predict(rejects, tmp_path / "out.jsonl", forecast, overwrite=True, **columns)
    rejects.write_text(rejects.read_text().replace('"{""a"": 1}"', "[1]").replace('"[1, 2]",', '"[1, 2]",3'))
    found = table(predict(rejects, tmp_path / "again.csv", forecast, **columns))
    assert [row[-1] for row in found[1:3]] == ["1.0", "9.0"]


def test_input_columns_called_as_those_of_the_rejects_are_kept_apart(tmp_path):
    (tmp_path / "in.csv").write_text("line,reason\na,1\nb\n")
    answer = lambda rows: [{"label": row["line"], "score": 1} for row in rows]  # noqa: E731
    predict(tmp_path / "in.csv", tmp_path / "out.csv", answer, column=("line", "reason"))
    assert table(tmp_path / "out.csv.rejects.csv")[0] == ["rejected_line", "rejected_reason", "line", "reason"]


def test_names_that_are_not_utf_8_do_not_stop_a_folder(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in (b"\xff.wav", b"good.wav"):
        with open(bytes(folder) + b"/" + name, "wb"):
            pass
    answer = lambda rows: [{"label": "a", "score": 1} for _ in rows]  # noqa: E731
    output = predict(folder, tmp_path / "out.csv", answer, column="path", suffixes=(".wav",))
    assert sorted(row[0] for row in table(output)[1:]) == ["\\udcff.wav", "good.wav"]
