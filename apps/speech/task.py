"""Audio classification: what its commands call. See `rnnapps.cli.task` for the contract."""

from dataclasses import replace

import keras

from rnnapps.apps.speech.cli import TASK, Options, Training
from rnnapps.apps.speech.data import labelled_batches
from rnnapps.apps.speech.model import SHAPING, SpeechClassifier
from rnnapps.apps.speech.report import assess, table
from rnnapps.apps.speech.serving import about, endpoints, quantize, samples
from rnnapps.apps.speech.streaming import follow
from rnnapps.audio import BackgroundNoise
from rnnapps.cli import Objective, RunConfig
from rnnapps.cli.starting import model_to_start_from, take_over
from rnnapps.datasets import Recordings, RecordingSource, WaveformBatches, summary
from rnnapps.datasets import load_splits as load
from rnnapps.options import as_json

Model = SpeechClassifier


def make(config: RunConfig, train: Recordings) -> SpeechClassifier:
    """A classifier whose frames are normalised by those of the training recordings."""
    model = SpeechClassifier(train.classes, sample_rate=train.sample_rate, **as_json(config.model))
    model.adapt(labelled_batches(train, config.training.batch_size))
    return model


def start(model: SpeechClassifier, config: RunConfig) -> None:
    """Copies the weights of the model named by `--start-from`."""
    other = model_to_start_from(TASK, config, {"spoken_vocabulary": _sixty_words})
    if other is not None:
        take_over(model, other, config)


def _sixty_words(config: RunConfig) -> RunConfig:
    """The run that `--start-from spoken_vocabulary` stands for."""
    source = RecordingSource(
        "spoken_vocabulary", sample_rate=config.source.sample_rate, data_dir=config.source.data_dir
    )
    shape = {name: getattr(config.model, name) for name in SHAPING}
    options = replace(Options(), tempo=0.4, warp=0.0, channel=0.1, **shape)
    return RunConfig(source, options, Training(epochs=30, batch_size=64, patience=30))


def batches(model: SpeechClassifier, split: Recordings, config: RunConfig, seed: int | None = None) -> WaveformBatches:
    """Batches of waveforms and class numbers; in training, with the background noise that came with the data."""
    noise = None
    if seed is not None and split.noise:
        noise = BackgroundNoise(split.noise, config.training.background_noise)
    return labelled_batches(split, config.training.batch_size, seed=seed, noise=noise)


def objective(model: SpeechClassifier, validation: Recordings, config: RunConfig) -> Objective:
    """Cross-entropy and accuracy; without XLA, whose Fourier transform on a CPU is slow."""
    return Objective(keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"], jit_compile=False)
