"""Spoken digits: how well `rnn-speech` learns them, with the usual test recordings and with unseen speakers.

    python benchmarks/spoken_digits.py PATH                     # recordings 0 to 4 for test, seeds 0, 1, 2
    python benchmarks/spoken_digits.py PATH --leave-out         # each speaker left out in turn
    python benchmarks/spoken_digits.py PATH --leave-out george,jackson lucas,nicolas    # both, then the other two

PATH is the Free Spoken Digit Dataset (https://github.com/Jakobovski/free-spoken-digit-dataset), with a folder of
recordings for each digit: PATH/7/7_jackson_32.wav. A tenth of the training recordings is used for validation.

With speakers left out, few voices remain to learn from, so synthetic ones help in two ways. The model starts from one
that tells apart sixty words spoken by eSpeak NG (`few_speakers.toml`); the first run trains it and keeps it in the
cache folder. The training split also contains two recordings of each digit by each of these voices. Synthetic
recordings are never used for validation or test. `--alone` leaves them out.

Options that this script does not know are passed to the training runs on digits.
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

from digit_recordings import number_of, tests
from measuring import print_header, print_row

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

OPTIONS = ["--sample-rate", "8000", "--batch-size", "32", "--patience", "100"]
USUAL = ["--epochs", "90"]
ALONE = ["--epochs", "40"]
# Chosen on pairs of speakers left out, see apps/speech/README.md.
LEFT_OUT = ["--config", str(pathlib.Path(__file__).parent.parent / "apps" / "speech" / "few_speakers.toml")]
SYNTHETIC = 2  # clips of each digit by each voice
Row = tuple[pathlib.Path, str, str]  # path, label, split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=pathlib.Path, help="the recordings")
    parser.add_argument(
        "--leave-out", nargs="*", metavar="SPEAKERS", help="test on these, separated by commas; if none, each in turn"
    )
    parser.add_argument("--alone", action="store_true", help="with --leave-out: no synthetic voices")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options, others = parser.parse_known_args()
    recordings = sorted(options.path.resolve().rglob("*.wav"))
    if not recordings:
        sys.exit(f"{options.path}: no recordings such as 7/7_jackson_32.wav")
    parts = list(tests(recordings, options.leave_out))
    made = []
    print_header(["test on", "seed", "accuracy", "F1", "seconds"])
    accuracies = []
    with tempfile.TemporaryDirectory() as folder:
        if options.leave_out is None:
            recipe = USUAL
        elif options.alone:
            recipe = ALONE
        else:
            made = list(synthetic(pathlib.Path(folder)))
            recipe = LEFT_OUT
        for name, test in parts:
            manifest = pathlib.Path(folder, "manifest.csv")
            write(manifest, [*divided(recordings, test), *made])
            for seed in options.seeds:
                metrics, seconds = train(manifest, pathlib.Path(folder, "run"), seed, [*recipe, *others])
                print_figures(name, seed, metrics, seconds)
                accuracies.append(metrics["accuracy"])
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    print(f"mean {statistics.mean(accuracies):.2%}, standard deviation {spread:.2%}, lowest {min(accuracies):.2%}")


def divided(recordings: Iterable[pathlib.Path], test: set[pathlib.Path]) -> Iterator[Row]:
    """Every recording with its digit and its split; a tenth of those not for test is for validation."""
    for file in recordings:
        split = "test" if file in test else "validation" if number_of(file) % 10 == 7 else "train"
        yield file, file.parent.name, split


def synthetic(folder: pathlib.Path) -> Iterator[Row]:
    """Digits spoken by eSpeak NG's voices, written to a folder."""
    import numpy as np
    import soundfile

    from rnnapps.datasets.embedded.spoken_words import OTHER_WORDS, SAMPLE_RATE, VOICES, clip

    for voice in (voice for voices in VOICES.values() for voice in voices):
        random = np.random.default_rng(list(voice.encode()))
        for digit, word in enumerate(OTHER_WORDS[:10]):
            for number in range(SYNTHETIC):
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


def print_figures(name: str, seed: int, metrics: dict[str, float], seconds: float) -> None:
    """Prints one row of the table."""
    print_row([name, seed, f"{metrics['accuracy']:.2%}", f"{metrics['f1']:.4f}", f"{seconds:.0f}"])


if __name__ == "__main__":
    main()
