"""`rnn-speech predict` of a run, an export and servers, for files, manifests and folders. Nothing is trained."""

import csv
import json

import keras
import numpy as np
import pytest
import soundfile

from rnnapps import serving
from rnnapps.apps.speech.cli import TASK, main
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.apps.speech.serving import endpoints
from tests.apps.contract import invoke, write_config
from tests.audio.recordings import RATE, tone
from tests.printed_answers import assert_same_answers
from tests.serving.model_server import KINDS, serve


def run(*arguments, **others):
    return invoke(main, *arguments, **others)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run folder, an export and recordings, of a model whose weights are random."""
    folder = tmp_path_factory.mktemp("speech")
    keras.utils.set_random_seed(1)
    model = SpeechClassifier(("high", "low", "rising"), sample_rate=RATE, units=8, bands=16, convolutions=(4,))
    model(np.zeros((1, RATE), np.float32))
    (folder / "run").mkdir()
    model.save(folder / "run" / "model.keras")
    write_config(folder / "run", TASK)
    random = np.random.default_rng(0)
    clips = [tone(kind, random) for kind in ("high", "low", "rising") * 3]
    about = {"classes": list(model.classes)}
    with pytest.MonkeyPatch.context() as patch:  # the export of the contract is checked
        patch.setattr("rnnapps.serving.export.check_export", lambda folder: serving.Findings(()))
        serving.save(folder / "speech", [model], endpoints(model), about=about, batch_sizes=[1])
    (folder / "clips").mkdir()
    for number, clip in enumerate(clips):
        soundfile.write(folder / "clips" / f"{number}.wav", clip, RATE)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def server(request, folder):
    with serve({"speech": folder / "speech"}, request.param) as addresses:
        yield addresses


def test_a_server_answers_as_the_export(folder, server):
    files = sorted((folder / "clips").iterdir())
    for form in ([], ["--json"]):
        expected = run("predict", folder / "speech", *form, *files).stdout
        assert expected.count("\n") == 9
        for url in server:
            assert_same_answers(run("predict", "--server", url, *form, *files).stdout, expected)
            assert_same_answers(run("predict", "--server", url, *form, folder / "clips").stdout, expected)
    assert run("predict", folder / "run", *files).stdout.split("\t")[1] == expected.split('"label": "')[1].split('"')[0]


def test_files_that_are_no_recordings_are_named_and_the_others_answered(folder, server, tmp_path):
    whole = (folder / "clips" / "0.wav").read_bytes()
    hostile = {"empty": b"", "text": b"no sound", "header": whole[:30], "zeros": bytes(100)}
    hostile["wrong"] = whole[:20] + b"\x55\x00" + whole[22:]
    hostile["truncated"] = whole[: len(whole) // 2]
    for name, content in hostile.items():
        (tmp_path / f"{name}.wav").write_bytes(content)
    # A recorder that was switched off leaves a header without a length.
    (tmp_path / "unfinished.wav").write_bytes(whole[:4] + bytes(4) + whole[8 : len(whole) // 2])
    good = folder / "clips" / "0.wav"
    for url in server:
        result = run("predict", "--server", url, tmp_path, tmp_path / "nowhere.wav", good)
        assert [line.split("\t")[0] for line in result.stdout.splitlines()] == [f"{tmp_path}/unfinished.wav", str(good)]
        *complaints, count = result.stderr.splitlines()
        assert count == "2 answered, 7 skipped"
        assert len(complaints) == 7 and all(line.startswith(f"skipped: {tmp_path}") for line in complaints)
        assert "nowhere.wav: cannot be read: No such file" in complaints[-1]
        assert "text.wav: not a recording" in result.stderr and "truncated.wav: the file is cut off" in result.stderr
        strict = run("predict", "--server", url, "--strict", tmp_path / "text.wav", good, code=2)
        assert (strict.stdout, strict.stderr.count("\n")) == ("", 1)


def test_a_manifest_or_a_folder_gets_the_same_answers_from_all(folder, server, tmp_path):
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker"])
        writer.writerows([f"clips/{number}.wav", number % 4] for number in range(9))
        writer.writerow(["clips/nowhere.wav", 1])
        writer.writerow([folder / "clips" / "3.wav", "absolute"])
    found = []
    sources = [[folder / "speech"], *(["--server", url] for url in server)]
    for number, where in enumerate(sources):
        output = tmp_path / f"{number}.csv"
        result = run("predict", *where, "--input", manifest, "--output", output, "--batch-size", 4)
        assert "10 answers, 1 row rejected" in result.stdout
        found.append(output.read_text())
        (rejected,) = (tmp_path / f"{number}.csv.rejects.csv").read_text().splitlines()[1:]
        assert rejected.startswith("11,") and "nowhere.wav: cannot be read" in rejected
    rows = [list(csv.DictReader(text.splitlines())) for text in found]
    for row, *others in zip(*rows, strict=True):
        for other in others:  # batches are padded to the longest recording
            assert {**other, "predicted_score": ""} == {**row, "predicted_score": ""}
            assert float(other["predicted_score"]) == pytest.approx(float(row["predicted_score"]), abs=2e-6)
    for where in ([folder / "run"], ["--server", server.rest]):
        output = tmp_path / f"folder{len(where)}.jsonl"
        run("predict", *where, "--input", folder / "clips", "--output", output)
        lines = [json.loads(line) for line in output.read_text().splitlines()]
        assert [line["path"] for line in lines] == [f"{number}.wav" for number in range(9)]
        assert [line["predicted_label"] for line in lines] == [row["predicted_label"] for row in rows[0][:9]]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--top", 2, "a.wav"], "a server gives only the best class"),
        ([], "no input"),
        (["nowhere.wav"], "none of the 1 inputs could be answered"),
    ],
)
def test_mistakes_are_one_line(server, options, complaint):
    result = run("predict", "--server", server.rest, *options, code=2)
    assert complaint in result.stderr.splitlines()[-1]
