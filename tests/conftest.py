"""Fixtures that several rooms' tests share, and which tests `make test-fast` leaves out."""

from pathlib import Path

import pytest

from tests.serving.served_model import model_folder, server, url  # noqa: F401

FOLDER = Path(__file__).parent
# Folders and files in which nearly every test trains a model, starts processes or servers, or builds native code.
# A slow test elsewhere has the mark itself.
SLOW = (
    "apps",
    "cli/test_tune.py",
    "decoding/test_decoding.py",
    "keras_suite",
    "layers/test_attention_in_models.py",
    "native/test_build.py",
    "native/test_cache.py",
    "native/test_threads.py",
    "pages/test_browser.py",
    "prediction",
    "recurrences/test_cudnn.py",
    "recurrences/test_higher_order.py",
    "recurrences/test_layers_on_cudnn.py",
    "recurrences/test_layers_on_recurrences.py",
    "recurrences/test_options.py",
    "serving",
    "test_benchmarks.py",
    "test_every_layer.py",
    "test_notebooks.py",
    "test_packaging.py",
    "training/test_resume.py",
    "training/test_strategies.py",
    "datasets/embedded/test_spoken_words.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = tuple(FOLDER / name for name in SLOW)
    for item in items:
        if any(item.path == path or path in item.path.parents for path in slow):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skipif(not _has_gpu(), reason="TensorFlow sees no GPU"))


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
