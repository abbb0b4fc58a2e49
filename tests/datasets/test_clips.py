"""Clips of one's own video: files that PyAV wrote, folders of pictures, manifests, and every mistake in them."""

import csv
import gc
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest

from rnnapps.datasets import DataError, VideoSource, clip_cache, load_splits, summary
from rnnapps.datasets.video_files import read_clip
from rnnapps.errors import UserError
from tests.apps.video.films import square, write_film


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(clip_cache, "cache_folder", lambda: folder)
    return folder / "clips"


def grey(*values):
    """Frames of one grey each, so that a frame can be told by its brightness."""
    return np.stack([np.full((16, 24, 3), value, np.uint8) for value in values])


def brightness(path, fps, most=256):
    frames = read_clip(path, fps, 8, most)
    assert frames.dtype == np.uint8 and frames.shape[1:] == (8, 8, 3)
    return [round(float(frame.mean())) for frame in frames]


def load(path, split="all", **options):
    return load_splits(VideoSource(dataset=str(path), size=8, **options), [split])[split]


def write_manifest(path, rows):
    with open(path, "w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return path


def test_a_video_is_sampled_by_its_times(tmp_path):
    film = write_film(tmp_path / "even.mkv", grey(*range(0, 200, 10)), rate=20)  # one second
    assert brightness(film, 10) == list(range(0, 200, 20))
    assert brightness(film, 20) == list(range(0, 200, 10))
    assert brightness(film, 40) == [value for value in range(0, 200, 10) for _ in range(2)]
    assert brightness(film, 7) == [0, 20, 50, 80, 110, 140, 170]  # the frames on the screen at k / 7 s
    assert brightness(film, 10, most=3) == [0, 20, 40]


def test_a_frame_rate_that_varies_gives_as_many_frames_a_second(tmp_path):
    film = write_film(tmp_path / "uneven.mkv", grey(10, 20, 30, 40, 50), times=[0, 0.1, 0.2, 1.0, 1.1])
    assert brightness(film, 5)[:6] == [10, 30, 30, 30, 30, 40]


def test_one_frame_is_a_clip_and_ten_thousand_are_cut(tmp_path):
    assert brightness(write_film(tmp_path / "one.mkv", grey(70)), 8) == [70]
    long = write_film(tmp_path / "long.mkv", np.tile(grey(0, 80), (5000, 1, 1, 1)), rate=25)
    assert len(brightness(long, 25, most=100)) == 100
    assert len(brightness(long, 25, most=20_000)) == 10_000


def test_the_whole_picture_is_kept_and_colours_stay(tmp_path):
    picture = np.zeros((1, 32, 64, 3), np.uint8)
    picture[:, :, 32:] = (250, 120, 0)  # the right half
    frames = read_clip(write_film(tmp_path / "half.mkv", picture), 8, 8, 1)
    np.testing.assert_allclose(frames[0, :, 5:].mean((0, 1)), (250, 120, 0), atol=3)
    assert frames[0, :, :3].max() < 3


def test_a_film_that_a_phone_took_upright_is_turned(tmp_path):
    """The header of such a file says by how much; here its matrix of numbers in 16.16 bits is put in place."""
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    picture[:, :, :16] = 250  # the left half, which is on top when the picture is turned to the right
    film = write_film(tmp_path / "phone.mp4", picture)
    begin = film.read_bytes().index(b"tkhd")
    head, track = film.read_bytes()[:begin], film.read_bytes()[begin:]
    as_it_is = np.array([65536, 0, 0, 0, 65536], ">i4").tobytes()
    turned = np.array([0, 65536, 0, -65536, 0], ">i4").tobytes()
    assert as_it_is in track
    film.write_bytes(head + track.replace(as_it_is, turned, 1))
    frames = read_clip(film, 8, 8, 1)
    assert frames[0, :3].min() > 200 and frames[0, 5:].max() < 50


def test_pictures_are_frames_in_their_natural_order(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, value in ((10, 100), (9, 90), (1, 10)):
        write_film(tmp_path / "x.mkv", grey(value))
        with av.open(str(tmp_path / "x.mkv")) as container:
            next(container.decode(video=0)).to_image().save(folder / f"frame_{number}.png")
    assert brightness(folder, 8) == [10, 90, 100]
    assert brightness(folder, 8, most=2) == [10, 90]


def test_what_cannot_be_read_is_one_line(tmp_path):
    good = write_film(tmp_path / "good.mp4", square("left", 20, np.random.default_rng(0)))
    (tmp_path / "cut.mp4").write_bytes(good.read_bytes()[:900])
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.avi").write_text("no video")
    (tmp_path / "folder").mkdir()
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(str(tmp_path / "none.avi"), "w") as container:
        container.add_stream("mpeg4", rate=8, width=16, height=16)
        container.start_encoding()
    complaints = {
        "cut.mp4": "not a video that FFmpeg can read",
        "empty.mp4": "not a video that FFmpeg can read",
        "text.avi": "not a video that FFmpeg can read",
        "folder": "no pictures in this folder",
        "sound.mkv": "contains no video",
        "none.avi": "contains no frames|not a video",
        "typo.mp4": "no such file or folder",
    }
    for name, complaint in complaints.items():
        with pytest.raises(UserError, match=complaint) as error:
            read_clip(tmp_path / name, 8, 8, 256)
        assert name in str(error.value) and "\n" not in str(error.value)


def test_a_folder_for_each_class_is_divided_and_bad_files_are_named(tmp_path):
    for label, value in (("dark", 20), ("light", 200)):
        for number in range(20):
            write_film(tmp_path / label / f"{number}.mkv", grey(value, value))
    (tmp_path / "dark" / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "dark" / "notes.txt").write_text("ignored")
    splits = load_splits(VideoSource(dataset=str(tmp_path), size=8))
    assert sum(map(len, splits.values())) == 40 and len(splits["test"]) in (3, 4)
    train = splits["train"]
    assert train.classes == ("dark", "light") and train.task == "actions" and train.captions is None
    for clip, label in zip(train.frames, train.labels, strict=True):
        assert isinstance(clip, np.memmap) and (clip.mean() > 100) == label
    lines = "\n".join(summary(splits.values()))
    assert "broken.mp4: not a video" in lines and "ignored 1 file that is not a video" in lines
    assert "8x8 at 8 a second; classes dark (16), light (16)" in lines
    with pytest.raises(DataError, match=r"broken\.mp4: not a video"):
        load(tmp_path, strict=True)
    with pytest.raises(DataError, match="needs a manifest"):
        load(tmp_path, task="captions")


def test_named_splits_and_folders_of_pictures_are_followed(tmp_path):
    for split, count in (("train", 3), ("val", 1), ("test", 2)):
        for label in ("a", "b"):
            for number in range(count):
                write_film(tmp_path / split / label / f"{number}.mkv", grey(9))
    splits = load_splits(VideoSource(dataset=str(tmp_path), size=8))
    assert {name: len(split) for name, split in splits.items()} == {"train": 6, "validation": 2, "test": 4}


def test_clips_cut_from_one_film_stay_together(tmp_path):
    for label in ("archery", "bowling"):
        for film in range(1, 6):
            for number in range(1, 5):
                write_film(tmp_path / label / f"v_{label}_g{film:02}_c{number:02}.mkv", grey(9))
    splits = load_splits(VideoSource(dataset=str(tmp_path), size=8))
    films = [{Path(path).stem[:-4] for path in split.paths} for split in splits.values()]
    assert [len(found) for found in films] == [8, 1, 1] and len(set().union(*films)) == 10
    assert not any("films" in line for line in summary(splits.values()))


def test_clips_of_too_few_films_are_divided_with_a_remark(tmp_path):
    for label in ("archery", "bowling"):
        for number in range(1, 21):
            write_film(tmp_path / label / f"v_{label}_g01_c{number:02}.mkv", grey(9))
    splits = load_splits(VideoSource(dataset=str(tmp_path), size=8))
    assert {name: len(split) for name, split in splits.items()} == {"train": 32, "validation": 4, "test": 4}
    assert "2 films are too few to keep all clips of a film in one split" in list(summary(splits.values()))


def test_videos_are_decoded_once_and_again_when_they_change(tmp_path, cache, monkeypatch):
    film = write_film(tmp_path / "film.mkv", grey(10, 20))
    write_film(tmp_path / "other.mkv", grey(200))
    manifest = write_manifest(
        tmp_path / "films.csv", [{"path": "film.mkv", "label": "x"}, {"path": "other.mkv", "label": "y"}]
    )
    assert load(manifest).lengths.tolist() == [1, 1]
    read = []
    monkeypatch.setattr(clip_cache, "read_clip", lambda *how: read.append(how[0].name) or read_clip(*how))
    load(manifest)
    assert read == []
    write_film(film, grey(10, 20, 30, 40, 50, 60))
    assert load(manifest).lengths.tolist() == [3, 1] and read == ["film.mkv"]
    assert load(manifest, fps=16.0).lengths.tolist() == [6, 1]
    for file in cache.iterdir():
        file.write_bytes(b"damaged")
    assert load(manifest).lengths.tolist() == [3, 1]
    for file in cache.iterdir():
        file.write_bytes(file.read_bytes()[: -8 * 8 * 3])  # a whole frame
    assert load(manifest).lengths.tolist() == [3, 1]


def test_a_video_with_several_captions_is_decoded_once(tmp_path, cache, monkeypatch):
    read = []
    monkeypatch.setattr(clip_cache, "read_clip", lambda path, *how: read.append(path) or read_clip(path, *how))
    for name in "ab":
        write_film(tmp_path / f"{name}.mkv", grey(1, 2))
    rows = [{"path": f"{name}.mkv", "caption": f"caption {number}"} for number in range(20) for name in "ab"]
    found = load(write_manifest(tmp_path / "captions.csv", rows))
    assert len(found) == 40 and found.captions[:3] == [b"caption 0", b"caption 0", b"caption 1"]
    assert sorted(path.name for path in read) == ["a.mkv", "b.mkv"] and len(list(cache.iterdir())) == 2


def test_threads_read_frames_while_garbage_is_collected(tmp_path):
    """Parsing the header of an `.npy` file fails then in Python 3.11.7, and a training run with it, though rarely."""
    for name, value in (("a", 10), ("b", 200)):
        (tmp_path / name).mkdir()
        write_film(tmp_path / name / "film.mkv", grey(value))
    clips = load(tmp_path).frames
    threshold = gc.get_threshold()
    gc.callbacks.append(lambda *_: time.sleep(1e-6))  # lets another thread run
    gc.set_threshold(5, 10000, 10000)
    try:
        with ThreadPoolExecutor(2) as pool:
            means = list(pool.map(lambda number: float(clips[number % 2].mean()), range(400)))
    finally:
        gc.callbacks.pop()
        gc.set_threshold(*threshold)
    assert means == [10, 200] * 200


def test_a_manifest_says_by_its_columns_what_is_learnt(tmp_path):
    write_film(tmp_path / "a.mkv", grey(1))
    write_film(tmp_path / "b.mkv", grey(2))
    rows = [
        {"path": "a.mkv", "caption": "A dog  runs.", "label": "dog"},
        {"path": "a.mkv", "caption": "An animal runs.", "label": "dog"},
        {"path": "b.mkv", "caption": "", "label": "cat"},
    ]
    manifest = write_manifest(tmp_path / "both.csv", rows)
    labelled = load(manifest)
    assert labelled.task == "actions" and labelled.classes == ("cat", "dog") and len(labelled) == 2
    assert "a.mkv is already listed in line 2" in str(labelled.rejected[0])
    captioned = load(manifest, task="captions")
    assert captioned.captions == [b"A dog runs.", b"An animal runs."] and captioned.labels is None
    assert "empty 'caption'" in str(captioned.rejected[0])
    only = write_manifest(tmp_path / "captions.csv", [{"path": row["path"], "caption": "x"} for row in rows[1:]])
    assert load(only).task == "captions"
    with pytest.raises(DataError, match="has captions, but the model names actions"):
        load(only).with_classes(("cat", "dog"))
    nothing = write_manifest(tmp_path / "nothing.csv", [{"path": "a.mkv"}])
    with pytest.raises(DataError, match=r"nothing\.csv.*label"):
        load(nothing)
    with pytest.raises(DataError, match="a single video is not a data set"):
        load(tmp_path / "a.mkv")


def test_long_videos_are_cut_and_the_summary_says_so(tmp_path):
    write_film(tmp_path / "a" / "1.mkv", grey(*range(64)), rate=16)
    write_film(tmp_path / "b" / "2.mkv", grey(7))
    found = load(tmp_path, max_frames=20)
    assert found.lengths.tolist() == [20, 1]
    assert "all: 1 clip has --max-frames 20 frames (2.5 s); longer ones were cut" in list(summary([found]))
