"""A damaged, incomplete or different export is one line that names it, from whatever opens it."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from rnnapps import serving
from rnnapps.serving.inspection.findings import findings
from tests.serving.models import REQUESTS, make, save

METADATA = "assets.extra/metadata.json"
RECORDED = "assets.extra/recorded_answers.json"
WARM_UP = "assets.extra/tf_serving_warmup_requests"
VARIABLES = "variables/variables.data-00000-of-00001"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    output = tmp_path_factory.mktemp("whole") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnnapps.serving.export.check_export", lambda folder: serving.Findings(()))
        save(output, make(), REQUESTS, about={"app": "test"})
    return output


@pytest.fixture
def output(whole, tmp_path):
    """A copy of an export to damage."""
    return Path(shutil.copytree(whole, tmp_path / "model"))


def failures(folder):
    return {row.check: row.detail for row in findings(str(folder)) if row.passed is False}


def refusal(function, *arguments):
    with pytest.raises(serving.ExportError) as caught:
        function(*arguments)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


GRAPHS = {
    "cut off": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "not a graph": lambda content: b"PK\x03\x04" + content[:100],
    "of an unknown operation": lambda content: content.replace(b"StringLower", b"StringLowex"),
}


@pytest.mark.parametrize("damage", GRAPHS)
def test_a_damaged_graph_is_named(output, damage):
    graph = output / "1" / "saved_model.pb"
    graph.write_bytes(GRAPHS[damage](graph.read_bytes()))
    assert str(output / "1") in refusal(serving.load, output)
    assert failures(output / "1")


@pytest.mark.parametrize("name", [VARIABLES, "variables/variables.index"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut off", "a folder"])
def test_damaged_variables_are_named(output, name, damage):
    file = output / "1" / name
    content = file.read_bytes()
    file.unlink()
    if damage == "a folder":
        file.mkdir()
    elif damage != "missing":
        file.write_bytes(content[: len(content) // 3 if damage == "cut off" else 0])
    assert f"{output / '1'}: damaged, cannot be loaded (" in refusal(serving.load, output)
    assert "loads" in failures(output / "1")


@pytest.mark.parametrize("damage", ["missing", "empty", "damaged"])
def test_the_fingerprint_is_not_needed(output, damage):
    file = output / "1" / "fingerprint.pb"
    file.unlink()
    if damage != "missing":
        file.write_bytes(b"" if damage == "empty" else b"\xff\xff")
    assert serving.load(output)(text=tf.constant(["good"]))["text"].numpy() == [b"good"]
    assert not failures(output / "1")


def test_a_version_without_a_graph_is_skipped_and_named(output, caplog):
    (output / "3" / "variables").mkdir(parents=True)
    (output / "0002").mkdir()
    (output / "20").write_text("not a folder")
    assert serving.latest(output) == output / "1"
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        f"warning: {output / '3'}: skipped",
        f"warning: {output / '0002'}: skipped",
    ]
    (output / "1" / "saved_model.pb").rename(output / "0002" / "saved_model.pb")
    assert serving.latest(output) == output / "0002"
    (output / "0002" / "saved_model.pb").unlink()
    assert refusal(serving.latest, output).startswith(f"{output}: no version has a saved_model.pb: damaged")
    assert serving.is_export(output)


def test_the_next_version_has_a_number_above_all_that_are_there(output):
    (output / "7").mkdir()
    (output / str(2**64)).mkdir()  # no version to a server, which counts in 64 bits
    assert serving.versions.next_version(output) == 8


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_named(output):
    output.chmod(0)
    try:
        assert refusal(serving.latest, output).startswith(f"{output}: cannot be read (Permission denied)")
    finally:
        output.chmod(0o755)


@pytest.mark.parametrize(
    "content", ["", "{", "[1, 2]", "null", "5", '"text"', "\x00", "[" * 100_000, '{"a": ' * 100_000, "9" * 10_000]
)
def test_metadata_of_another_shape_are_named(output, content):
    (output / "1" / METADATA).write_text(content)
    assert refusal(serving.metadata, output).startswith(f"{output / '1' / METADATA}: ")
    assert METADATA in failures(output / "1")["accompanying files"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"])
def test_metadata_that_cannot_be_read_are_named(output, content):
    file = output / "1" / METADATA
    file.unlink()
    if content:
        file.write_bytes(content)
    assert refusal(serving.metadata, output).startswith(f"{file}: ")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[5]",
        "[[]]",
        '[{"request": {}}]',
        '[{"request": null, "response": null}]',
        '[{"request": {"signature_name": ["a"], "inputs": {}}}]',
        '[{"request": {"signature_name": "other", "inputs": {}}, "response": {"outputs": {}}}]',
        '[{"request": {"signature_name": "serving_default", "inputs": []}, "response": {"outputs": {}}}]',
        '[{"request": {"signature_name": "serving_default", "inputs": {"other": [1]}}, "response": {"outputs": {}}}]',
        '[{"request": {"signature_name": "serving_default", "inputs": {"text": [1]}}, "response": {"outputs": {}}}]',
        '[{"request": {"signature_name": "serving_default", "inputs": {"text": "a"}}, "response": {"outputs": {}}}]',
        '[{"request": {"signature_name": "serving_default", "inputs": {}}, "response": {"outputs": {}}}]',
        '[{"request": {"signature_name": "serving_default", "inputs": {"text": ["a"]}}, "response": {"outputs": '
        '{"mean": [["a", "b"]]}}}]',
        "[" * 100_000,
    ],
)
def test_recorded_answers_of_another_shape_are_named(output, content):
    (output / "1" / RECORDED).write_text(content)
    assert any(check.startswith("recorded answers") for check in failures(output / "1"))


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 1000])
def test_warm_up_requests_that_are_damaged_are_named(output, content):
    (output / "1" / WARM_UP).write_bytes(content)
    assert "warm-up" in failures(output / "1")


def test_a_model_of_another_kind_is_named(output):
    ask = serving.load(output)
    assert refusal(lambda: ask(audio=tf.constant([b""]))) == (
        f"{output / '1'}: wrong kind of model: serving_default takes text, got audio"
    )
    assert refusal(lambda: ask()).endswith("serving_default takes text, got none")
    with pytest.raises(serving.ExportError, match="has no output 'label'; it has mean, text"):
        serving.load(output, outputs=["text", "label"])
    with pytest.raises(serving.ExportError, match="no signature 'nbest'; it has serving_default"):
        serving.load(output, "nbest")


def test_a_saved_model_without_signatures_is_named(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    assert refusal(serving.load, tmp_path).endswith("no signature 'serving_default'; it has none")


def test_what_an_export_says_reaches_a_terminal_without_control_characters(output):
    content = json.loads((output / "1" / RECORDED).read_text())
    content[0]["response"]["outputs"]["text"][0] = "\x1b]0;owned\x07\x1b[31mred"
    (output / "1" / RECORDED).write_text(json.dumps(content))
    damaged = serving.Findings(tuple(findings(str(output / "1"))))
    assert "where the run answered" in str(damaged)
    assert damaged.table().replace("\n", "").isprintable()


def test_random_damage_is_an_answer_or_one_line(output):
    """Bytes changed, cut and repeated anywhere. TensorFlow may abort a process on them: this takes one of its own."""
    script = (
        "import sys; from pathlib import Path; from tests.serving import test_damaged_exports\n"
        "test_damaged_exports.damage_at_random(Path(sys.argv[1]))\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, output], cwd=root, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]


def damage_at_random(output):
    choose = random.Random(0)
    names = ["saved_model.pb", "saved_model.pb", VARIABLES, METADATA, RECORDED, WARM_UP]
    for turn in range(40):
        file = output / "1" / choose.choice(names)
        whole = file.read_bytes()
        file.write_bytes(damaged(whole, choose))
        print(turn, file.name, flush=True)
        try:
            serving.load(output)(text=tf.constant(["good"]))
        except serving.ExportError as error:
            assert len(str(error).splitlines()) == 1
        except tf.errors.OpError:
            pass  # a graph that loads and cannot be run
        try:
            serving.metadata(output)
        except serving.ExportError as error:
            assert len(str(error).splitlines()) == 1
        list(findings(str(output / "1")))
        file.write_bytes(whole)


def damaged(content, choose):
    begin = choose.randrange(len(content))
    end = min(len(content), begin + choose.choice([1, 4, 50]))
    part = bytes(choose.randrange(256) for _ in range(end - begin))
    changed = content[:begin] + part + content[end:]
    repeated = content + content[begin:]
    return choose.choice([content[:begin], changed, content[:begin] + content[end:], repeated])
