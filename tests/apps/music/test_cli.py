"""The command line from end to end, on invented chorales: the contract, and what only this application does."""

import json

import music21
import numpy as np
import pytest
import soundfile

from rnnapps.apps.music.cli import TASK, main
from rnnapps.apps.music.melody_tokens import notes_of, parsed
from rnnapps.apps.music.step_text import steps_of
from rnnapps.datasets.music_files import read_file
from tests.apps.contract import Contract, invoke

SMALL = ["--units", "32", "--hidden", "16", "--dropout", "0", "--epochs", "12", "--batch-size", "8"]
SMALL += ["--learning-rate", "0.02", "--transpose", "0"]
CHORDS = ([48, 60, 64, 67], [53, 60, 65, 69], [43, 59, 62, 67], [48, 55, 64, 72])


def write_json(path, pieces=40, seed=0):
    """Four chords of C major that come round in order, each for one or two steps; a silent step between two rounds."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(pieces):
        steps = []
        for _ in range(4):
            for chord in CHORDS:
                steps += [chord] * int(random.integers(1, 3))
            steps.append([])
        found.append(steps)
    path.write_text(json.dumps({"train": found[:-10], "valid": found[-10:-5], "test": found[-5:]}))
    return path


class TestMusic(Contract):
    main, task, small = main, TASK, SMALL
    pictures = ("curves.png", "tune.png")
    inputs = ("", "48,60,64,67", "60 - 21,108", "48,60,64,67 53,60,65,69 43,59,62,67")
    bad_option = ("--transpose", "12")
    resumed = ("--dropout", "0.2", "--transpose", "3", "--layers", "2", "--cell", "gru")

    def write(self, folder):
        return ["--dataset", write_json(folder / "chorales.json")]

    def test_the_model_learns_which_chord_comes_next(self, trained):
        metrics = json.loads((trained[0] / "metrics.json").read_text())["test"]
        # A chord is followed by itself or by the next one, and the second time by the next one for sure.
        assert metrics["nats"] < 1.5 and metrics["accuracy"] > 0.7
        assert metrics["pieces"] == 5 and metrics["in_key_of_pieces"] == 1 and metrics["in_key"] > 0.9
        assert "nats per time step" in trained[1]

    def test_predict_writes_as_many_bars_as_asked_and_repeats_a_seed(self, trained):
        def notes(*options):
            return json.loads(self.run("predict", trained[0], "--json", *options).stdout)["notes"]

        first = notes("--bars", 4, "--seed", 5)
        assert first == notes("--bars", 4, "--seed", 5) != notes("--bars", 4, "--seed", 6)
        assert len(steps_of(first)) == 16
        assert len(steps_of(notes("--bars", 2, "--metre", "3/4"))) == 6
        assert len(steps_of(notes("--bars", 2, "48,60,64,67"))) == 7  # the first completes the bar of the prime
        assert notes("--bars", 0) == ""

    def test_files_that_anybody_can_play(self, trained, tmp_path):
        names = {name: tmp_path / f"tune.{name}" for name in ("mid", "abc", "wav", "png")}
        options = ["--midi", names["mid"], "--abc", names["abc"], "--wav", names["wav"], "--plot", names["png"]]
        output = self.run(
            "predict", trained[0], "48,60,64,67", "--bars", 4, "--key", "Bb major", "--tempo", 60, *options
        )
        steps = steps_of(output.stdout)
        assert names["png"].stat().st_size > 5000
        samples, rate = soundfile.read(names["wav"])
        seconds = 1 + max(number for number, step in enumerate(steps, 1) if step)
        assert (
            rate == 44_100 and len(samples) == pytest.approx(rate * seconds, rel=0.01) and np.abs(samples).max() > 0.5
        )
        for name in ("mid", "abc"):
            score = music21.converter.parse(names[name], forceSource=True)
            sounding = [set() for _ in steps]
            for note in score.flatten().notes:
                for step in range(round(note.offset), round(note.offset + note.quarterLength)):
                    sounding[step] |= {pitch.midi for pitch in note.pitches}
            assert sounding == [set(step) for step in steps], name
        (key,) = music21.converter.parse(names["mid"], forceSource=True).recurse().getElementsByClass("KeySignature")
        assert key.sharps == -2
        again = self.run("predict", trained[0], names["mid"], "--bars", 1, "--json").stdout
        assert json.loads(again)["prime"] == output.stdout.strip()

    def test_mistakes_in_predict_are_one_line(self, trained, tmp_path):
        assert "'H4 x': prime must be" in self.refused("predict", trained[0], "H4 x")
        assert "--key must be like" in self.refused("predict", trained[0], "--key", "H major")
        assert "--metre must be" in self.refused("predict", trained[0], "--metre", "waltz")
        assert ".mid" in self.refused("predict", trained[0], "--midi", "tune.mp3")
        assert "no such file: 'typo.mid'" in self.refused("predict", trained[0], "typo.mid")
        assert "time steps such as" in self.refused("predict", trained[0], "C major")
        assert "time steps such as" in self.refused("predict", trained[0], "200")
        assert "--soundfont needs --wav" in self.refused("predict", trained[0], "--soundfont", "piano.sf2")
        assert "--tempo needs --midi, --abc or --wav" in self.refused("predict", trained[0], "--tempo", "60")
        (tmp_path / "broken.mid").write_bytes(b"MThd not midi")
        assert "broken.mid" in self.refused("predict", trained[0], tmp_path / "broken.mid")

    def test_the_step_signature_goes_on_as_the_model_reads(self, trained, exported):
        from rnnapps import serving
        from rnnapps.apps.music.task import Model
        from rnnapps.training import RunFolder, load_model

        step = serving.load(exported[0], "step")
        model = load_model(RunFolder(trained[0]), Model)
        told = {"key": np.array([b""]), "metre": np.array([b"4/4"]), "temperature": np.zeros(1, np.float32)}
        states = {name: np.zeros((1, 32), np.float32) for name in ("h_1", "c_1")}
        notes, found = b"", []
        for number in range(9):
            asked = {**told, "notes": np.array([notes]), "seed": np.zeros(1, np.int32), **states}
            answer = step(**asked, number=np.array([number], np.int32))
            notes = answer.pop("notes").numpy()[0]
            states = {name: value.numpy() for name, value in answer.items()}
            found.append(notes.decode())
        options = ["--bars", 3, "--temperature", 0, "--json"]
        whole = json.loads(self.run("predict", trained[0], *options).stdout)["notes"]
        assert " ".join(found) == " ".join(whole.split()[:9])
        assert len(model.state_names) == 2

    @pytest.mark.parametrize("options", [["--embedding-units", 16], ["--head", "independent", "--hidden", 16]])
    def test_options_that_nothing_reads_are_refused(self, data, tmp_path, options):
        assert "leave it out" in self.refused("train", *data, "--run-dir", tmp_path / "run", *options)

    def test_a_time_step_must_divide_a_bar(self, data, tmp_path):
        options = ["--run-dir", tmp_path / "run", "--step", 1.5]
        assert "--step must divide a bar of 4/4" in self.refused("train", *data, *options)


class TestMelody:
    """What differs from chords, on the highest notes of the same pieces: C, A or B, or C an octave higher."""

    @pytest.fixture(scope="class")
    def trained(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("melodies")
        options = ["--representation", "melody", "--units", "32", "--embedding-units", "16", "--dropout", "0"]
        options += ["--epochs", "10", "--batch-size", "8", "--learning-rate", "0.03", "--transpose", "0"]
        data = ["--dataset", write_json(folder / "chorales.json")]
        return folder / "run", invoke(main, "train", *data, "--run-dir", folder / "run", *options).stdout

    def test_the_figures_are_those_of_the_tokens_and_are_repeated_by_evaluate(self, trained):
        figures = json.loads((trained[0] / "metrics.json").read_text())["test"]
        assert figures["nats"] < 1.3 and figures["accuracy"] > 0.5 and figures["pieces"] == 5
        assert figures["nats_per_note"] * figures["notes"] == pytest.approx(figures["nats"] * figures["tokens"])
        assert figures["tokens"] > 2 * figures["notes"]  # a pitch and a length each, and bar lines
        assert figures["full_bars"] == 1 and figures["in_key_of_pieces"] == 1 and figures["in_key"] > 0.8
        assert "full bars       100.0%" in trained[1]
        again = json.loads(invoke(main, "evaluate", trained[0], "--json").stdout)
        assert again == pytest.approx(figures, rel=1e-4)

    def test_predict_goes_on_from_a_file_in_its_metre_and_writes_files_that_anybody_can_play(self, trained, tmp_path):
        (tmp_path / "prime.abc").write_text("X:1\nM:3/4\nL:1/4\nK:C\nC | G c' G | a2\n")
        names = {name: tmp_path / f"tune.{name}" for name in ("mid", "abc", "wav", "png")}
        options = ["--midi", names["mid"], "--abc", names["abc"], "--wav", names["wav"], "--plot", names["png"]]
        text = invoke(main, "predict", trained[0], tmp_path / "prime.abc", "--bars", 4, "--tempo", 120, *options).stdout
        assert text.startswith("z 2 C 1 | G 1 c' 1 G 1 | a 2 ") and text.count("|") == 6
        notes, bars = notes_of(parsed(text))
        assert bars == [72] * 6
        assert read_file(names["mid"])[0].notes.tolist() == [list(note) for note in notes]
        upbeat = [[onset - 48, length, pitch] for onset, length, pitch in notes]
        assert read_file(names["abc"])[0].notes.tolist() == upbeat
        samples, rate = soundfile.read(names["wav"])
        end = (notes[-1][0] + notes[-1][1] - 48) / 48 + 1
        assert len(samples) == pytest.approx(rate * end, rel=0.01) and np.abs(samples[:2000]).max() > 0.1
        assert names["png"].stat().st_size > 5000

    def test_an_export_writes_what_the_run_writes(self, trained, tmp_path):
        invoke(main, "export", trained[0], "--output", tmp_path / "export")
        asked = ["--json", "--bars", 3, "--metre", "3/4", "--", "", "G 1 c 1"]
        expected = invoke(main, "predict", trained[0], *asked).stdout
        assert invoke(main, "predict", tmp_path / "export", *asked).stdout == expected and len(expected) > 100

    def test_options_of_chords_are_refused(self, tmp_path):
        options = ["--representation", "melody", "--head", "independent"]
        error = invoke(main, "train", "--run-dir", tmp_path / "run", *options, code=2).stderr
        assert error.startswith("error: --head is for --representation chords") and error.count("\n") == 1
