"""What a classifier can start from: a language model of the same words, or pretrained word vectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps import training
from rnnapps.apps.sentiment.cli import Training
from rnnapps.apps.sentiment.model import SentimentClassifier
from rnnapps.cli.options import spelled
from rnnapps.cli.output import say
from rnnapps.errors import UserError
from rnnapps.layers import Bidirectional
from rnnapps.text import END, read_vectors

_WORDS = 2  # ids of the classifier before its first word


def start_from_language_model(model: SentimentClassifier, run: Path, layers: bool) -> None:
    """Copies a language model's embeddings and, on request, its layers into the forward layers with the same inputs.

    Layers that read backwards keep their random weights, and so do the layers above a bidirectional one.

    Args:
        model: A built classifier.
        run: A run of `rnn-language train --level word`.
        layers: Whether to copy the recurrent layers too.

    Raises:
        UserError: It is not such a run, or the shapes of what is copied do not fit the classifier.

    Reference:
        Dai and Le, Semi-supervised sequence learning, NIPS 2015.
    """
    config, arrays = training.load_arrays(training.open_run(run))
    if "level" not in config or "vocabulary" not in config:
        raise UserError(f"--start-from {run}: is not a run of rnn-language")
    if config["level"] != "word":
        pieces = "characters" if config["level"] == "char" else "subwords"
        raise UserError(
            f"--start-from {run}: its language model reads {pieces}; train one with"
            " rnn-language train --level word --normalised"
        )
    _check_shape(model, run, config, layers)
    rows: dict[str, int] = {}
    for number, piece in enumerate(config["vocabulary"]):
        rows.setdefault(piece.strip(), END + 1 + number)  # the most frequent form of a word comes first
    found = np.array([rows.get(word, 0) for word in model.vocabulary])
    _put_embeddings(model, found > 0, arrays["embedding/vars/0"][found], f"the language model in {run}")
    if layers:
        _put_layers(model, config, arrays)


def start_from_vectors(model: SentimentClassifier, file: Path) -> None:
    """Copies pretrained word vectors.

    Args:
        model: A built classifier.
        file: See `rnnapps.text.read_vectors`.

    Raises:
        UserError: The file cannot be read, or its vectors are not as wide as the embeddings.
    """
    found = read_vectors(file, model.vocabulary)
    width = found.vectors.shape[1]
    if width != model.options.embedding_units:
        raise UserError(
            f"--embeddings {file}: has vectors of {width} numbers; use --embedding-units {width},"
            f" got {model.options.embedding_units}"
        )
    _put_embeddings(model, found.known, found.vectors, str(file))


def layer_rates(model: SentimentClassifier, how: Training, steps: int) -> list[training.LayerRate]:
    """How fast layers with pretrained weights learn, and when they start.

    Args:
        model: The classifier.
        how: The options.
        steps: Training steps of an epoch.

    Reference:
        Howard and Ruder, Universal language model fine-tuning for text classification, ACL 2018.
    """
    embedding = model.embedding.trainable_weights
    if how.start_from is None:
        frozen = round(how.freeze_embeddings * steps) if how.embeddings else 0
        return [training.LayerRate(embedding, frozen_steps=frozen)] if frozen else []
    layers = [layer.trainable_weights for layer in reversed(model.recurrent)] if how.start_layers else []
    return [
        training.LayerRate(weights, how.layer_rate**depth, round(how.unfreeze_every * depth * steps))
        for depth, weights in enumerate([*layers, embedding], start=1)
    ]


def _check_shape(model: SentimentClassifier, run: Path, config: dict[str, Any], layers: bool) -> None:
    same = ["embedding_units"]
    if layers:
        same += ["cell", "units"] if model.options.bidirectional else ["cell", "units", "layers"]
    if any(getattr(model.options, name) != config[name] for name in same):
        options = " ".join(f"{spelled(name)} {config[name]}" for name in same)
        raise UserError(f"--start-from {run}: the classifier must be shaped like the language model: use {options}")


def _put_layers(model: SentimentClassifier, config: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Copies the language model's recurrent layers into those that read forwards."""
    # The language model multiplies tied embeddings by this. Here the kernel of the first layer is multiplied instead:
    # Adam's steps all have the same size, so embeddings that large would hardly learn.
    scale = config["embedding_units"] ** 0.5 if config["tied"] else 1.0
    name = config["cell"] if config["cell"] != "rnn" else "simple_rnn"
    for number, layer in enumerate(model.recurrent):
        path = f"layers/{name}{f'_{number}' if number else ''}/cell/vars/"
        forward = layer.forward_layer if isinstance(layer, Bidirectional) else layer
        kernel, *others = (arrays[f"{path}{place}"] for place in range(len(forward.get_weights())))
        forward.set_weights([kernel if number else kernel * scale, *others])
        if forward is not layer:
            break


def _put_embeddings(model: SentimentClassifier, known: np.ndarray, vectors: np.ndarray, origin: str) -> None:
    """Copies the vectors of known words into the embeddings and reports their number."""
    if not known.any():
        raise UserError(f"{origin}: has none of the {len(known):,} words of the training texts, which are lower-case")
    table = model.embedding.get_weights()[0]
    table[_WORDS:][known] = vectors[known]
    model.embedding.set_weights([table])
    say(f"embeddings of {known.sum():,} of {len(known):,} words ({known.mean():.1%}) come from {origin}")
