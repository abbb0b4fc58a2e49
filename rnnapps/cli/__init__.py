"""What the command lines of all apps share: options, TOML configuration, errors in one line. Imports no TensorFlow."""

from rnnapps.cli.app import App
from rnnapps.cli.asking import Files, Source, asking_options
from rnnapps.cli.config import absolute_dataset, config_option
from rnnapps.cli.exporting import export_classifier, export_options, quantize_option, tell_export
from rnnapps.cli.fitting import fit_classifier, fit_model, load_run_model
from rnnapps.cli.options import data_options, model_options, predict_options, training_options
from rnnapps.cli.texts import input_texts

__all__ = [
    "App",
    "Files",
    "Source",
    "absolute_dataset",
    "asking_options",
    "config_option",
    "data_options",
    "export_classifier",
    "export_options",
    "fit_classifier",
    "fit_model",
    "input_texts",
    "load_run_model",
    "model_options",
    "predict_options",
    "quantize_option",
    "tell_export",
    "training_options",
]
