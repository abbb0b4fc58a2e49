"""Fixtures that several rooms' tests share, and which tests `make test-fast` leaves out."""

import gc
import signal
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
    "datasets/embedded/test_expressions.py",
    "datasets/embedded/test_spoken_phrases.py",
    "datasets/embedded/test_spoken_words.py",
)
FIRST = {
    FOLDER / name
    for name in (
        "test_benchmarks.py",
        "test_notebooks.py",
        "test_packaging.py",
        "training/test_resume.py",
        "training/test_strategies.py",
    )
}

# What starts with SIGINT ignored, as jobs in the background of a shell do, hands this on to every process that a test
# starts and then interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# TensorFlow's tracing makes objects by the million, and each search for garbage walks over all of them: with Python's
# thresholds, an eighth of the tests' time.
gc.set_threshold(50_000, 20, 20)


def pytest_collection_finish() -> None:
    """What has been imported by now stays, and need not be searched for garbage."""
    gc.freeze()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make test-fast` does not import the files of which it would run nothing."""
    return (config.option.markexpr == "not slow" and is_slow(collection_path)) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    sampled = set()
    for item in items:
        if is_slow(item.path) or (item.get_closest_marker("sampled") and item.function in sampled):
            item.add_marker(pytest.mark.slow)
        sampled.add(getattr(item, "function", None))
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skipif(not _has_gpu(), reason="TensorFlow sees no GPU"))
    # A long file that begins last would leave the other workers without work.
    items.sort(key=lambda item: item.path not in FIRST)


def is_slow(path: Path) -> bool:
    """Whether all tests of a file are marked `slow`."""
    return any(path.is_relative_to(FOLDER / name) for name in SLOW)


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
