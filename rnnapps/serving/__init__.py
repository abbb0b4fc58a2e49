"""SavedModels for TensorFlow Serving: written completely or not at all, checked without Keras and rnnapps, and queried.

TensorFlow is imported only with the names that need it, so clients and the check start quickly.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "BadAnswer": "clients.errors",
    "BadRequest": "clients.errors",
    "Client": "clients.client",
    "Endpoint": "endpoint",
    "ExportError": "versions",
    "Findings": "check",
    "Saved": "export",
    "ServerError": "clients.errors",
    "check_export": "check",
    "in_chunks": "chunks",
    "connect": "clients.client",
    "is_export": "versions",
    "labelled": "classification",
    "labelled_in_chunks": "classification",
    "latest": "versions",
    "load": "loading",
    "metadata": "versions",
    "never_empty": "chunks",
    "save": "export",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"rnnapps.serving.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
