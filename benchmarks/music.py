"""Nats per time step on the chorales of Boulanger-Lewandowski et al. (2012), compared with the published figure.

    python benchmarks/music.py jsb-chorales-quarter.json

The file contains 382 chorales by J. S. Bach, one list of MIDI pitches for every quarter note, split into train, valid
and test. Trains `rnn-music` with NADE and with independent notes, each in its own process with the options of
apps/music/chorales.toml; the best epoch is chosen on the validation split.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from measuring import cores, in_a_process, print_header, print_row, run_command, write_figures

HEADS = ("nade", "independent")
CONFIG = Path(__file__).parents[1] / "apps" / "music" / "chorales.toml"
RNN_NADE = 5.56  # of Boulanger-Lewandowski et al. (2012), table 1


def ours(dataset: str, head: str, options: list[str]) -> dict:
    """Trains a model and returns its figures on the test split, with seconds of training."""
    from rnnapps.apps.music.cli import main as music

    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.perf_counter(), time.process_time()
        run = f"{folder}/run"
        told = ["--config", str(CONFIG), "--dataset", dataset, "--head", head, "--run-dir", run]
        run_command(music, "train", *told, *options)
        seconds = {"seconds": time.perf_counter() - began, "processor_seconds": time.process_time() - cpu}
        figures = json.loads(Path(run, "metrics.json").read_text())
    return {**figures["test"], **seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="jsb-chorales-quarter.json, or any data of rnn-music")
    parser.add_argument("--epochs", type=int, help="number of epochs, overriding the configuration")
    parser.add_argument("--heads", nargs="+", default=HEADS, choices=HEADS, help="distributions to train")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--contender", choices=HEADS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        more = ["--epochs", str(options.epochs)] if options.epochs else []
        print(json.dumps(ours(options.dataset, options.contender, more)))
        return
    print(f"{cores()} cores")
    print_header(["", "nats per time step", "accuracy", "seconds", "processor seconds"])
    results = {}
    for head in options.heads:
        results[head] = found = in_a_process(str(Path(__file__)), "--contender", head, *sys.argv[1:])
        numbers = [f"{found['nats']:.2f}", f"{found['accuracy']:.1%}"]
        print_row([f"this model, {head}", *numbers, f"{found['seconds']:.0f}", f"{found['processor_seconds']:.0f}"])
    print_row(["RNN-NADE of Boulanger-Lewandowski et al. (2012)", f"{RNN_NADE:.2f}", "", "", ""])
    write_figures(options.json, {"cores": cores(), "results": results})


if __name__ == "__main__":
    main()
