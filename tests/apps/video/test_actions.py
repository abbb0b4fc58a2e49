"""The command line from end to end on films of a square that moves: the contract, and what only this app does."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.video.cli import TASK, main
from tests.apps.contract import Contract
from tests.apps.video.films import WAYS, square, write_film

SMALL = ["--units", "12", "--convolutions", "4,8", "--frame-units", "16", "--dropout", "0", "--batch-size", "8"]
SMALL += ["--epochs", "8", "--learning-rate", "0.02"]


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A folder per class, one of the films a folder of pictures."""
    folder = tmp_path_factory.mktemp("films")
    random = np.random.default_rng(0)
    for way in WAYS:
        for number in range(20):
            write_film(folder / way / f"{number}.mp4", square(way, int(random.integers(10, 20)), random))
    frames = folder / "left" / "frames"
    frames.mkdir()
    for number, picture in enumerate(square("left", 8, random)):
        (frames / f"frame_{number}.jpg").write_bytes(tf.io.encode_jpeg(picture, quality=98).numpy())
    return folder


@pytest.fixture(scope="module", autouse=True)
def inputs(films, tmp_path_factory):
    """Films of several lengths and a folder of pictures, set as the inputs of the contract."""
    random = np.random.default_rng(1)
    one = write_film(films.parent / "one.mkv", square("still", 1, random))
    TestActions.inputs = [str(films / "left" / "1.mp4"), str(films / "right" / "2.mp4"), str(one)]
    TestActions.inputs.append(str(films / "left" / "frames"))
    TestActions.films = films


class TestActions(Contract):
    main, task, small = main, TASK, SMALL
    pictures = ("curves.png", "confusion_matrix.png", "attention.png")
    timed = ("frames_per_second",)
    resumed = None

    def write(self, folder):
        return ["--dataset", self.films]

    def test_train_learns_and_says_so(self, trained):
        metrics = json.loads((trained[0] / "metrics.json").read_text())["test"]
        assert metrics["accuracy"] == 1 and np.sum(metrics["confusion"]) == metrics["count"] == 6
        assert "classes left (" in trained[1] and "32x32 at 8 a second" in trained[1]
        assert "accuracy    100.00%" in trained[1]

    def test_predict_answers_files_and_folders_and_names_what_is_no_video(self, trained, tmp_path):
        for number, name in enumerate(("a.mp4", "b.mp4")):
            shutil.copy(self.inputs[number], tmp_path / name)
        (tmp_path / "broken.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:600])
        (tmp_path / "text.avi").write_text("no video at all")
        (tmp_path / "empty.mp4").write_bytes(b"")
        (tmp_path / "notes.txt").write_text("ignored")
        shutil.copytree(self.inputs[3], tmp_path / "frames")
        shutil.copy(tmp_path / "frames" / "frame_0.jpg", tmp_path / "cover.jpg")  # no frame: it lies beside videos
        result = self.run("predict", trained[0], tmp_path, "--json", "--top", 3)
        found = {line["path"]: line for line in map(json.loads, result.stdout.splitlines())}
        assert [line["answer"] for line in found.values()] == ["left", "right", "left"]
        assert sum(found[str(tmp_path / "a.mp4")]["top"].values()) == pytest.approx(1, abs=1e-4)
        *complaints, count = result.stderr.strip().splitlines()
        assert count == "3 answered, 3 skipped"
        for name, complaint in zip(("broken.mp4", "empty.mp4", "text.avi"), complaints, strict=True):
            assert f"{name}: not a video that FFmpeg can read" in complaint

    def test_mistakes_in_predict_are_one_line(self, trained, exported, tmp_path):
        assert "no such file or folder" in self.refused("predict", trained[0], "typo.mp4", "--strict")
        assert "no videos or pictures" in self.refused("predict", trained[0], tmp_path)
        assert "no input" in self.refused("predict", trained[0])
        beam = self.refused("predict", trained[0], self.inputs[0], "--beam", 2)
        assert "--beam 2: the model answers with actions; leave it out" in beam
        table = ["--input", tmp_path / "x.csv", "--output", tmp_path / "y.csv"]
        assert "--strict is for inputs on the command line" in self.refused("predict", trained[0], *table, "--strict")
        assert "--fps is for --server" in self.refused("predict", trained[0], "x.mp4", "--fps", 3)
        assert "--plot must end in .png" in self.refused("predict", trained[0], "x.mp4", "--plot", "x.gif")
        assert "--plot needs a run folder" in self.refused("predict", exported[0], "x.mp4", "--plot", "x.png")

    def test_a_whole_table_of_videos_is_answered(self, trained, tmp_path):
        (tmp_path / "films.csv").write_text("path\n" + "\n".join(self.inputs) + "\n")
        out = tmp_path / "answers.csv"
        self.run("predict", trained[0], "--input", tmp_path / "films.csv", "--output", out)
        lines = out.read_text().splitlines()
        assert lines[0] == "path,predicted_answer,predicted_score" and "left" in lines[1] and len(lines) == 5

    def test_jpeg_and_mjpeg_are_answered_as_the_frames_are(self, exported):
        frames = square("right", 9, np.random.default_rng(5), 32, 32)
        files = [tf.io.encode_jpeg(frame, quality=100, chroma_downsampling=False).numpy() for frame in frames]
        plain = serving.load(exported[0], "serving_default")(frames=tf.constant(frames[None]), lengths=tf.constant([9]))
        rows = [files, [files[0]] + [b""] * 8]  # the second clip has one frame
        jpeg = serving.load(exported[0], "jpeg")(frames=tf.constant(rows))
        mjpeg = serving.load(exported[0], "mjpeg")(video=tf.constant([b"".join(row) for row in rows]))
        assert plain["label"].numpy().tolist() == [b"right"] == jpeg["label"].numpy().tolist()[:1]
        np.testing.assert_allclose(jpeg["probabilities"][0], plain["probabilities"][0], atol=0.05)
        np.testing.assert_allclose(mjpeg["probabilities"], jpeg["probabilities"], atol=1e-5)

    def test_requests_that_make_no_sense_are_refused_in_words(self, exported):
        plain, jpeg, mjpeg = (serving.load(exported[0], name) for name in ("serving_default", "jpeg", "mjpeg"))
        frames = tf.zeros([1, 3, 32, 32, 3], tf.uint8)
        for lengths in ([0], [4]):
            with pytest.raises(tf.errors.InvalidArgumentError, match="a clip has from 1 to"):
                plain(frames=frames, lengths=tf.constant(lengths))
        picture = tf.io.encode_jpeg(frames[0, 0])
        with pytest.raises(tf.errors.InvalidArgumentError, match="may only follow the last frame"):
            jpeg(frames=tf.stack([["", picture]]))
        with pytest.raises(tf.errors.InvalidArgumentError):
            jpeg(frames=tf.constant([["no picture"]]))
        with pytest.raises(tf.errors.InvalidArgumentError, match="at least one JPEG file"):
            mjpeg(video=tf.constant([""]))

    def test_ten_thousand_frames_are_answered(self, exported):
        frames = tf.zeros([1, 10_000, 32, 32, 3], tf.uint8)
        answer = serving.load(exported[0], "serving_default")(frames=frames, lengths=tf.constant([10_000]))
        assert np.isfinite(answer["probabilities"].numpy()).all()
