"""Forecasts compared with those of statistical models: errors, coverage and seconds on the same windows.

    python benchmarks/forecasting.py --forecasts 2
    python benchmarks/forecasting.py --config apps/forecasting/m4_hourly.toml --dataset train.csv --test test.csv \\
        --peer-python peer/bin/python

Runs `rnn-forecasting train` in its own process, and then forecasts the test part with the model, the seasonal
naive method, and AutoETS and AutoTheta of statsforecast, which are refitted at each origin to everything known by then.
`--peer-python` adds the GRU of neuralforecast, run by `benchmarks/forecasting_peer.py` in a separate environment.
OWA is relative to Naive2 of the M4 competition, computed on the same windows.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from measuring import cores, in_a_process, print_header, print_row, run_command, write_figures


def ours(options: list[str], forecasts: int | None, peers: bool, peer_python: str | None) -> dict:
    """Trains a model, evaluates it and returns the figures of `rnn-forecasting evaluate`, with seconds of training."""
    from rnnapps.apps.forecasting.cli import main as forecasting

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run_command(forecasting, "train", "--run-dir", f"{folder}/run", *options)
        seconds = time.perf_counter() - began
        more = ["--forecasts", str(forecasts)] if forecasts else []
        figures = json.loads(
            run_command(forecasting, "evaluate", f"{folder}/run", *more, *(["--peers"] if peers else []), "--json")
        )
        if peer_python:
            figures["peers"]["neuralforecast GRU"] = in_torch(f"{folder}/run", forecasts, peer_python, Path(folder))
    return {**figures, "training": seconds}


def in_torch(run: str, forecasts: int | None, python: str, folder: Path) -> dict:
    """The figures of neuralforecast's GRU on the windows of a run."""
    from rnnapps.apps.forecasting import metrics, peers
    from rnnapps.apps.forecasting.cli import TASK
    from rnnapps.cli.run_config import read_config
    from rnnapps.datasets import load_splits

    config = read_config(Path(run), TASK)
    split = load_splits(config.source, ["test"])["test"]
    origins, levels = split.origins(forecasts), config.model.levels
    histories = [peers.without_gaps(split.series[index].values[:origin], split.season) for index, origin in origins]
    np.savez(
        folder / "windows.npz",
        values=np.concatenate(histories),
        lengths=[len(history) for history in histories],
        series=[index for index, _ in origins],
        horizon=split.horizon,
        season=split.season,
        levels=levels,
    )
    script = str(Path(__file__).with_name("forecasting_peer.py"))
    files = [str(folder / "windows.npz"), str(folder / "answers.npz")]
    seconds = in_a_process(script, *files, "--units", str(config.model.units), python=python)
    quantiles = np.load(folder / "answers.npz")["quantiles"]
    actual, scales = metrics.actual_values(split, origins), metrics.mase_scales(split, origins)
    point = metrics.point_figures(actual, quantiles[..., levels.index(0.5)], scales)
    reference = metrics.point_figures(actual, peers.naive2(split, origins), scales)
    spread = metrics.quantile_figures(actual, quantiles, levels, scales)
    return {**point, "owa": metrics.owa(point, reference), **spread, **seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", help="TOML file with options for rnn-forecasting train (default: its defaults)")
    parser.add_argument("--dataset", help="a name or a path (default: temperatures)")
    parser.add_argument("--test", help="file with the values that follow")
    parser.add_argument("--epochs", type=int, help="number of epochs, overriding the configuration")
    parser.add_argument("--forecasts", type=int, help="number of last forecasts of each series (default: all)")
    parser.add_argument("--no-peers", action="store_true", help="leave out AutoETS and AutoTheta, which are slow")
    parser.add_argument("--peer-python", metavar="PYTHON", help="Python of an environment with neuralforecast")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--contender", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        named = {name: getattr(options, name) for name in ("config", "dataset", "test", "epochs")}
        train = [word for name, value in named.items() if value is not None for word in (f"--{name}", str(value))]
        print(json.dumps(ours(train, options.forecasts, not options.no_peers, options.peer_python)))
        return
    results = in_a_process(str(Path(__file__)), "--contender", *sys.argv[1:])
    print(f"{options.dataset or 'temperatures'}: {results['forecasts']} forecasts; {cores()} cores")
    print_header(["", "MASE", "sMAPE", "OWA", "WQL", "in 80 %", "in 95 %", "seconds to train", "to forecast"])
    for name, figures in {"this model": results, **results["peers"]}.items():
        errors = [f"{figures['mase']:.3f}", f"{figures['smape']:.3f}", f"{figures['owa']:.3f}", f"{figures['wql']:.5f}"]
        covered = [f"{figures[f'coverage_{interval}']:.1%}" for interval in (80, 95)]
        seconds = [f"{figures['training']:.0f}" if "training" in figures else "", f"{figures['seconds']:.1f}"]
        print_row([name, *errors, *covered, *seconds])
    write_figures(options.json, {"cores": cores(), "results": results})


if __name__ == "__main__":
    main()
