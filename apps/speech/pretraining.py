"""Models for `--start-from spoken_vocabulary`: trained once on a named data set, and kept in the cache folder."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from rnnapps import training
from rnnapps.apps.speech.cli import TASK, Options, Source, Training
from rnnapps.apps.speech.model import SHAPING
from rnnapps.cli import RunConfig
from rnnapps.cli.output import say
from rnnapps.cli.train import train_run
from rnnapps.native.cache import cache_folder

PRETRAINED = ("spoken_vocabulary",)
_TRAINING = Training(epochs=30, batch_size=64, learning_rate=None, patience=30)


def pretrained(dataset: str, config: RunConfig) -> Path:
    """The run of a model like that of `config`, trained on a named data set: from the cache, or trained now.

    Args:
        dataset: One of `PRETRAINED`.
        config: The run that is to start from the model.

    Returns:
        A run folder.
    """
    source = Source(dataset=dataset, sample_rate=config.source.sample_rate, data_dir=config.source.data_dir)
    options = replace(Options(), **{name: getattr(config.model, name) for name in SHAPING})
    wanted = RunConfig(source, options, _TRAINING)
    digest = hashlib.sha256(json.dumps(wanted.as_json(TASK), sort_keys=True).encode()).hexdigest()[:16]
    run = training.RunFolder(cache_folder() / "pretrained" / f"speech-{dataset}-{digest}")
    begun = run.config_file.exists()
    if begun and "test" in run.read_metrics():
        say(f"starting from the model of {dataset} in {run.path}")
        return run.path
    say(f"training a model of {dataset} first; it is kept in {run.path} for later runs")
    train_run(TASK, wanted, run.path, resumed=wanted if begun and run.checkpoints.exists() else None)
    return run.path
