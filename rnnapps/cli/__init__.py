"""What the command lines of all apps share: options, TOML configuration, errors in one line. Imports no TensorFlow."""

from rnnapps.cli.app import App
from rnnapps.cli.config import config_option
from rnnapps.cli.fitting import fit_classifier, load_classifier
from rnnapps.cli.options import data_options, model_options, predict_options, training_options
from rnnapps.cli.texts import input_texts

__all__ = [
    "App",
    "config_option",
    "data_options",
    "fit_classifier",
    "input_texts",
    "load_classifier",
    "model_options",
    "predict_options",
    "training_options",
]
