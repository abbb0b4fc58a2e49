"""The GRU of neuralforecast, in a separate environment; `benchmarks/forecasting.py --peer-python` runs this script.

    python -m venv peer && peer/bin/pip install torch neuralforecast
    peer/bin/python benchmarks/forecasting_peer.py windows.npz answers.npz

Trains one network on the values of all series before their first forecast, and forecasts every window. It has the same
cell, units and loss as `rnn-forecasting`, seven seasons of context, and otherwise neuralforecast's defaults.
"""

import argparse
import json
import time

import numpy as np

CONTEXT_SEASONS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("windows", help="file written by forecasting.py: histories, horizon, season and levels")
    parser.add_argument("answers", help="file to write: quantiles (forecasts, horizon, levels)")
    parser.add_argument("--units", type=int, default=128, help="units of the GRU (default: 128)")
    parser.add_argument("--steps", type=int, default=1000, help="training steps (default: 1000, as in neuralforecast)")
    options = parser.parse_args()

    import pandas as pd
    import torch
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MQLoss
    from neuralforecast.models import GRU

    torch.set_num_threads(1)
    torch.manual_seed(0)
    given = np.load(options.windows, allow_pickle=False)
    horizon, season, levels = int(given["horizon"]), int(given["season"]), given["levels"].tolist()
    histories = np.split(given["values"], np.cumsum(given["lengths"])[:-1])
    series = given["series"]

    def frame(chosen: list[int]) -> pd.DataFrame:
        parts = [pd.DataFrame({"unique_id": n, "ds": np.arange(len(histories[n])), "y": histories[n]}) for n in chosen]
        return pd.concat(parts, ignore_index=True)

    firsts = [int(np.flatnonzero(series == one)[0]) for one in np.unique(series)]
    model = GRU(
        h=horizon,
        input_size=CONTEXT_SEASONS * season,
        encoder_n_layers=1,
        encoder_hidden_size=options.units,
        loss=MQLoss(quantiles=levels),
        max_steps=options.steps,
        windows_batch_size=32,
        start_padding_enabled=True,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    learner = NeuralForecast(models=[model], freq=1)
    began, busy = time.perf_counter(), time.process_time()
    learner.fit(frame(firsts))
    trained, busy = time.perf_counter(), time.process_time() - busy
    found = learner.predict(df=frame(list(range(len(series)))))
    seconds = time.perf_counter() - trained
    found = found.sort_values(["unique_id", "ds"])
    columns = [name for name in found.columns if name not in ("unique_id", "ds")]
    quantiles = np.sort(found[columns].to_numpy("float32").reshape(len(series), horizon, len(levels)), axis=-1)
    np.savez(options.answers, quantiles=quantiles)
    print(json.dumps({"training": trained - began, "processor": busy, "seconds": seconds, "columns": columns}))


if __name__ == "__main__":
    main()
