"""The pictures are drawn for every shape of result, without a display and without warnings."""

import warnings

import matplotlib.image
import numpy as np
import pytest

from rnnapps import training


def row(epoch, **metrics):
    return {"epoch": epoch, "step": epoch, "seconds": 1.0, "learning_rate": 0.1 / epoch, **metrics}


def size(path):
    height, width, _ = matplotlib.image.imread(path).shape
    return width, height


@pytest.mark.parametrize(
    "rows",
    [
        [row(1, loss=1.0)],
        [row(n, loss=1 / n, val_loss=1.0, accuracy=0.5, val_accuracy=0.6) for n in range(1, 60)],
        [row(1, loss=float("nan"), val_loss=float("inf")), row(2, loss=1.0, val_loss=1.0)],
        [row(n, loss=1.0, val_f1=0.1, a=1.0, b=2.0, c=3.0, d=4.0) for n in (1, 2)],
    ],
    ids=["one epoch", "many epochs", "not finite", "many metrics"],
)
@pytest.mark.sampled
def test_curves(tmp_path, rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training.plot_curves(rows, tmp_path / "report/curves.png", best_epoch=1)
    width, height = size(tmp_path / "report/curves.png")
    assert width > 300 and height > 300


@pytest.mark.parametrize("n", [1, 2, 10, 30, 700])
@pytest.mark.sampled
def test_confusion_matrices(tmp_path, n):
    counts = np.random.default_rng(n).integers(0, 2000, (n, n))
    counts[-1] = 0  # a class without an example
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training.plot_confusion_matrix(counts, [f"klasse $x_{i}$ 中" for i in range(n)], tmp_path / "matrix.png")
    width, height = size(tmp_path / "matrix.png")
    assert 250 < width < 5000 and 250 < height < 5000


def test_a_matrix_that_does_not_fit_its_classes(tmp_path):
    with pytest.raises(ValueError, match=r"\(2, 2\) for 2 classes, got \(2, 3\)"):
        training.plot_confusion_matrix(np.zeros((2, 3)), ["a", "b"], tmp_path / "matrix.png")
