"""Spoken digits: how well `rnn-speech` learns them, with the usual test recordings and with speakers never heard.

    python benchmarks/spoken_digits.py PATH                     # recordings 0 to 4 for test, seeds 0, 1, 2
    python benchmarks/spoken_digits.py PATH --leave-one-out     # each speaker left out in turn

PATH is the Free Spoken Digit Dataset (https://github.com/Jakobovski/free-spoken-digit-dataset), its recordings in a
folder for each digit: PATH/7/7_jackson_32.wav. `--synthetic 2` adds digits spoken by eSpeak NG to the training split,
two of each by each of its voices; `--voices` first trains on sixty words by those voices (`spoken_vocabulary`) and
starts from there. A tenth of the training recordings validates; synthetic ones never validate or test.
Options that this script does not know go to `rnn-speech train`.
"""

import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

OPTIONS = ["--sample-rate", "8000", "--batch-size", "32", "--patience", "100"]
Row = tuple[pathlib.Path, str, str]  # path, label, split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=pathlib.Path, help="the recordings")
    parser.add_argument("--leave-one-out", action="store_true", help="test on each speaker in turn")
    parser.add_argument("--speakers", nargs="+", help="with --leave-one-out: leave out only these in turn")
    parser.add_argument("--seeds", type=int, nargs="+", default=None, help="by default 0 1 2; 0 with --leave-one-out")
    parser.add_argument("--synthetic", type=int, default=0, metavar="N", help="synthetic clips a digit and voice")
    parser.add_argument("--voices", action="store_true", help="start from a model that has heard synthetic voices")
    options, others = parser.parse_known_args()
    recordings = sorted(options.path.resolve().rglob("*.wav"))
    if not recordings:
        sys.exit(f"{options.path}: no recordings such as 7/7_jackson_32.wav")
    speakers = options.speakers or sorted({_speaker(file) for file in recordings})
    parts = {name: [file for file in recordings if _speaker(file) == name] for name in speakers}
    if not options.leave_one_out:
        parts = {"recordings 0-4": [file for file in recordings if _number(file) < 5]}
    epochs = "40" if options.leave_one_out else "90"
    print("test on           seed   accuracy   F1       seconds")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        made = list(synthetic(pathlib.Path(folder), options.synthetic))
        if options.voices:
            voices = pathlib.Path(folder, "voices")
            line("sixty words", 0, *train("spoken_vocabulary", voices, 0, ["--epochs", "8", "--batch-size", "64"]))
            others += ["--start-from", str(voices)]
        for name, test in parts.items():
            for seed in options.seeds or ([0] if options.leave_one_out else [0, 1, 2]):
                manifest = pathlib.Path(folder, "manifest.csv")
                write(manifest, [*divided(recordings, set(test)), *made])
                metrics, seconds = train(manifest, pathlib.Path(folder, "run"), seed, ["--epochs", epochs, *others])
                line(name, seed, metrics, seconds)
                found.append(metrics["accuracy"])
    spread = statistics.stdev(found) if len(found) > 1 else 0.0
    print(f"mean {statistics.mean(found):.2%}, standard deviation {spread:.2%}, lowest {min(found):.2%}")


def divided(recordings: Iterable[pathlib.Path], test: set[pathlib.Path]) -> Iterator[Row]:
    """Every recording with its digit and its split; of those that are not for test, a tenth is for validation."""
    for file in recordings:
        split = "test" if file in test else "validation" if _number(file) % 10 == 7 else "train"
        yield file, file.parent.name, split


def synthetic(folder: pathlib.Path, count: int) -> Iterator[Row]:
    """Digits that eSpeak NG's voices say, `count` of each by each voice, written to a folder."""
    import numpy as np
    import soundfile

    from rnnapps.datasets.spoken_words import OTHER_WORDS, SAMPLE_RATE, VOICES, clip

    for voice in (voice for voices in VOICES.values() for voice in voices):
        random = np.random.default_rng(list(voice.encode()))
        for digit, word in enumerate(OTHER_WORDS[:10]):
            for number in range(count):
                file = folder / f"{digit}_{voice}_{number}.wav"
                soundfile.write(file, clip(word, voice, random), SAMPLE_RATE)
                yield file, str(digit), "train"


def write(manifest: pathlib.Path, rows: Iterable[Row]) -> None:
    """A manifest for `rnn-speech train --dataset`."""
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])


def train(
    dataset: str | pathlib.Path, run: pathlib.Path, seed: int, others: Iterable[str]
) -> tuple[dict[str, float], float]:
    """The figures of one run on its test split, and its seconds from start to end."""
    command = [sys.executable, "-c", "from rnnapps.apps.speech.cli import main; main()", "train", "--overwrite"]
    command += ["--dataset", str(dataset), "--seed", str(seed), "--run-dir", str(run), *OPTIONS, *others]
    begin = time.perf_counter()
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if process.returncode:
        sys.exit(process.stderr.strip().splitlines()[-1])
    return json.loads((run / "metrics.json").read_text())["test"], seconds


def line(name: str, seed: int, metrics: dict[str, float], seconds: float) -> None:
    """Prints one row of the table."""
    print(f"{name:17} {seed:4}   {metrics['accuracy']:8.2%}   {metrics['f1']:.4f}   {seconds:.0f}", flush=True)


def _speaker(file: pathlib.Path) -> str:
    return file.stem.split("_")[1]


def _number(file: pathlib.Path) -> int:
    return int(file.stem.split("_")[2])


if __name__ == "__main__":
    main()
