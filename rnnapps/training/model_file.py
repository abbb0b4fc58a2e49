"""Temporary."""

import keras

from rnnapps.errors import UserError


def load_model(folder, model_class):
    try:
        return keras.models.load_model(folder.model_file, compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{folder.model_file}: cannot be loaded: {error}") from None
