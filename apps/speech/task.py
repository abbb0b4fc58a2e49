"""Audio classification: what its commands call. See `rnnapps.cli.task` for the contract."""

from pathlib import Path

import keras

from rnnapps import training
from rnnapps.apps.speech.data import WaveformBatches
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.apps.speech.pretraining import PRETRAINED, pretrained
from rnnapps.apps.speech.report import assess, table
from rnnapps.apps.speech.serving import about, endpoints, quantize, samples
from rnnapps.apps.speech.streaming import follow
from rnnapps.audio import BackgroundNoise
from rnnapps.cli import Objective, RunConfig
from rnnapps.datasets import Recordings, summary
from rnnapps.datasets import load_splits as load
from rnnapps.errors import UserError
from rnnapps.options import as_json

Model = SpeechClassifier


def make(config: RunConfig, train: Recordings) -> SpeechClassifier:
    """A classifier whose frames are normalised by those of the training recordings."""
    model = SpeechClassifier(train.classes, sample_rate=train.sample_rate, **as_json(config.model))
    model.adapt(WaveformBatches(train, config.training.batch_size))
    return model


def start(model: SpeechClassifier, config: RunConfig) -> None:
    """Takes over what the model `--start-from` has learned to hear."""
    origin = config.training.start_from
    if origin is None:
        return
    run = pretrained(origin, config) if origin in PRETRAINED and not Path(origin).exists() else Path(origin)
    try:
        model.start_from(training.load_model(training.open_run(run), Model))
    except ValueError as error:
        raise UserError(f"--start-from {origin}: {error}") from None
    training.set_seed(config.source.seed)  # whether or not a model was trained just now


def batches(model: SpeechClassifier, split: Recordings, config: RunConfig, seed: int | None = None) -> WaveformBatches:
    """Batches of waveforms and class numbers; in training with the background noise that came with the data."""
    noise = None
    if seed is not None and split.noise:
        noise = BackgroundNoise(split.noise, config.training.background_noise)
    return WaveformBatches(split, config.training.batch_size, seed=seed, noise=noise)


def objective(model: SpeechClassifier, validation: Recordings, config: RunConfig) -> Objective:
    """Cross-entropy and accuracy; without XLA, whose Fourier transform on a CPU is slow."""
    return Objective(keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"], jit_compile=False)
