"""SavedModels for TensorFlow Serving: written whole or not at all, and checked without our Python."""

from rnnapps.serving.compatibility import check
from rnnapps.serving.export import Endpoint, ExportError, is_export, latest, load, save

__all__ = ["Endpoint", "ExportError", "check", "is_export", "latest", "load", "save"]
