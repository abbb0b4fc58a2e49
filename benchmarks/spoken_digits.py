"""Spoken digits: how well `rnn-speech` learns them, with the usual test recordings and with speakers never heard.

    python benchmarks/spoken_digits.py PATH                     # recordings 0 to 4 for test, seeds 0, 1, 2
    python benchmarks/spoken_digits.py PATH --leave-one-out     # each speaker left out in turn

PATH is the Free Spoken Digit Dataset (https://github.com/Jakobovski/free-spoken-digit-dataset), its recordings in a
folder for each digit: PATH/7/7_jackson_32.wav. Options that this script does not know go to `rnn-speech train`.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

CUSTOMARY = r"_[0-4]\.wav$"
OPTIONS = ["--sample-rate", "8000", "--batch-size", "32", "--patience", "100"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=pathlib.Path, help="the recordings")
    parser.add_argument("--leave-one-out", action="store_true", help="test on each speaker in turn")
    parser.add_argument("--seeds", type=int, nargs="+", default=None, help="by default 0 1 2; 0 with --leave-one-out")
    options, others = parser.parse_known_args()
    speakers = sorted({file.stem.split("_")[1] for file in options.path.rglob("*.wav")})
    if not speakers:
        sys.exit(f"{options.path}: no recordings such as 7/7_jackson_32.wav")
    patterns = {name: f"_{name}_" for name in speakers} if options.leave_one_out else {"recordings 0-4": CUSTOMARY}
    epochs = "40" if options.leave_one_out else "30"
    print("test on           seed   accuracy   F1       seconds")
    found = []
    for name, pattern in patterns.items():
        for seed in options.seeds or ([0] if options.leave_one_out else [0, 1, 2]):
            metrics, seconds = train(options.path, pattern, seed, ["--epochs", epochs, *others])
            found.append(metrics["accuracy"])
            print(f"{name:17} {seed:4}   {metrics['accuracy']:8.2%}   {metrics['f1']:.4f}   {seconds:.0f}", flush=True)
    spread = statistics.stdev(found) if len(found) > 1 else 0.0
    print(f"mean {statistics.mean(found):.2%}, standard deviation {spread:.2%}, lowest {min(found):.2%}")


def train(path: pathlib.Path, pattern: str, seed: int, others: list[str]) -> tuple[dict, float]:
    """The figures of one run on its test split, and its seconds from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from rnnapps.apps.speech.cli import main; main()", "train"]
        command += ["--dataset", str(path), "--test-files", pattern, "--seed", str(seed), "--run-dir", f"{folder}/run"]
        begin = time.perf_counter()
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        process = subprocess.run(
            command + OPTIONS + others, env=environment, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - begin
        if process.returncode:
            sys.exit(process.stderr.strip().splitlines()[-1])
        return json.loads(pathlib.Path(folder, "run", "metrics.json").read_text())["test"], seconds


if __name__ == "__main__":
    main()
