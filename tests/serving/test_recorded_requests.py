"""Requests may have any number of inputs, of numbers and of strings, and a server gets them as they were."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

from rnnapps import serving
from rnnapps.serving.recorded_requests import record

HISTORY = [[1.0, np.nan, 3.0, np.inf], [4.0, 5.0, np.nan, 6.0], [-0.0, 1e-30, 7.0, np.nan]]
START = ["2024-01-01T05:00", "2024-06-01T07:00", "2023-12-31T23:00"]


def forecast(history, start):
    """The mean of the known values up to infinity, plus the hour, for three steps; and the last value as it is."""
    known = tf.math.is_finite(history)
    total = tf.reduce_sum(tf.where(known, history, 0.0), axis=1)
    mean = total / tf.maximum(1.0, tf.math.count_nonzero(known, axis=1, dtype=tf.float32))
    hour = tf.strings.to_number(tf.strings.substr(start, 11, 2))
    return {"forecast": (mean + hour)[:, None] + tf.range(3.0), "last": history[:, -1], "start": start}


INPUTS = [tf.TensorSpec([None, None], tf.float32, name="history"), tf.TensorSpec([None], tf.string, name="start")]
ENDPOINTS = {"serving_default": serving.Endpoint(serving.in_chunks(forecast, rows=2), INPUTS)}
REQUEST = {"history": HISTORY, "start": START}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    output = tmp_path_factory.mktemp("exports") / "hourly"
    return serving.save(output, [], ENDPOINTS, {"serving_default": [REQUEST]}, batch_sizes=(1, 4))


def test_numbers_with_gaps_and_strings_are_recorded_checked_and_answered(saved):
    details = {row.check: row.detail for row in saved.findings.rows if row.passed}
    assert details["recorded answers serving_default"] == "3 rows, largest difference 0"
    assert details["warm-up"] == "replayed, batches of serving_default 1, 4"
    answer = serving.load(saved.folder)(history=tf.constant(HISTORY, tf.float32), start=tf.constant(START))
    np.testing.assert_allclose(answer["forecast"], [[7, 8, 9], [12, 13, 14], [23 + 7 / 3 + step for step in range(3)]])
    np.testing.assert_array_equal(answer["last"], np.float32([np.inf, 6, np.nan]))
    assert answer["start"].numpy().tolist() == [text.encode() for text in START]


def test_the_file_has_every_input_and_output_of_a_request(saved):
    (recording,) = json.loads((saved.folder / "assets.extra" / "recorded_answers.json").read_text())
    np.testing.assert_array_equal(recording["request"]["inputs"]["history"], np.float32(HISTORY))
    assert recording["request"]["inputs"]["start"] == START
    assert sorted(recording["response"]["outputs"]) == ["forecast", "last", "start"]


def test_warm_up_requests_have_every_input_in_every_batch_size(saved):
    messages = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    file = saved.folder / "assets.extra" / "tf_serving_warmup_requests"
    logs = [messages.PredictionLog.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(file))]
    history, start = (
        [tf.make_ndarray(log.predict_log.request.inputs[name]) for log in logs] for name in ("history", "start")
    )
    np.testing.assert_array_equal(history[1], np.float32([*HISTORY, HISTORY[0]]))
    assert [array.tolist() for array in start] == [[START[0].encode()], [text.encode() for text in [*START, START[0]]]]


def test_the_readme_asks_with_every_input(saved):
    readme = (saved.folder / "README.md").read_text()
    assert "| input | `history` | float32 | [null, null] |\n| input | `start` | string | [null] |" in readme
    body = json.loads(re.search("predict -d '(.*)'$", readme, re.MULTILINE)[1])
    np.testing.assert_array_equal(body["inputs"]["history"], np.float32(HISTORY[:1]))
    assert body["inputs"]["start"] == START[:1]


def test_inputs_of_different_numbers_of_rows_are_refused(saved):
    ask = serving.load(saved.folder)
    with pytest.raises(tf.errors.InvalidArgumentError, match="different numbers of rows:"):
        ask(history=tf.zeros([3, 2]), start=tf.constant(START[:1]))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"history": HISTORY}, "needs the input 'start', got history"),
        ({**REQUEST, "stop": START}, "has an unknown input, 'stop'"),
        ({**REQUEST, "history": HISTORY[0]}, r"'history' as float32\(None, None\), got the shape \(4,\)"),
        ({**REQUEST, "history": [["a"]]}, r"'history' as float32\(None, None\), got \[\['a'\]\]"),
        ({**REQUEST, "history": [[1.0], [1.0, 2.0]]}, r"'history' as float32\(None, None\), got "),
        ({**REQUEST, "start": [5]}, r"'start' as string\(None,\), got \[5\]"),
    ],
)
def test_a_request_that_does_not_fit_its_signature_is_named(request_, message):
    with pytest.raises(ValueError, match=message):
        record(ENDPOINTS, {"serving_default": [request_]})


def test_a_request_to_no_signature_is_named():
    with pytest.raises(ValueError, match="one of the signatures serving_default, got 'stream'"):
        record(ENDPOINTS, {"stream": [REQUEST]})


def test_tensors_and_arrays_of_other_widths_are_taken():
    request = {"history": np.float64(HISTORY), "start": tf.constant(START)}
    (recording,) = record(ENDPOINTS, {"serving_default": [request]})
    assert recording.inputs["history"].dtype == np.float32
    whole = serving.Endpoint(lambda n: {"n": n}, [tf.TensorSpec([None], tf.int32, name="n")])
    (recording,) = record({"n": whole}, {"n": [{"n": np.int64([5])}]})
    assert recording.outputs["n"].dtype == np.int32
    with pytest.raises(ValueError, match="'n' as int32"):
        record({"n": whole}, {"n": [{"n": [5.5]}]})


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 5.001])
@pytest.mark.parametrize("right", [5.0, np.nan, np.inf])
def test_a_gap_is_no_number_and_infinity_no_large_one(wrong, right):
    from rnnapps.serving.inspection.answers import _difference, _Differs

    expected = {"y": np.float32([0, right])}
    assert list(_difference("", {"y": np.float32([0, right])}, expected, 1e-4)) == [0]
    if not np.array_equal(wrong, right, equal_nan=True):
        with pytest.raises(_Differs, match="output 'y' is"):
            list(_difference("", {"y": np.float32([0, wrong])}, expected, 1e-4))
