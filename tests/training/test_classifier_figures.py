"""The figures of a classifier, counted by hand; scikit-learn computes them."""

import numpy as np
import pytest

from rnnapps.training.classifier_figures import classifier_figures

CLASSES = ("a", "b", "c")


def test_the_figures_of_a_few_examples(tmp_path):
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1]], np.float32)
    figures = classifier_figures(labels, probabilities, CLASSES, tmp_path)
    assert figures["accuracy"] == 0.75 and figures["confusion"] == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert figures["loss"] == pytest.approx(-np.log([0.7, 0.2, 0.8, 0.6]).mean(), rel=1e-6)
    # Of a: precision 1, recall 1/2; of b: precision 2/3, recall 1. The class c neither occurs nor was predicted.
    assert figures["f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert figures["classes"] == ["a", "b", "c"] and (tmp_path / "confusion_matrix.png").exists()


def test_a_single_class_has_figures_too():
    figures = classifier_figures(np.array([1]), np.array([[0.1, 0.9, 0.0]], np.float32), CLASSES)
    assert figures["accuracy"] == figures["f1"] == 1 and figures["loss"] == pytest.approx(-np.log(0.9), rel=1e-6)
