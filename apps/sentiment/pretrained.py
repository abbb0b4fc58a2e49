"""What a classifier starts from: a language model of the same words, or word vectors that others have trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnnapps import training
from rnnapps.apps.sentiment.cli import Training
from rnnapps.apps.sentiment.model import SentimentClassifier
from rnnapps.cli.output import say
from rnnapps.errors import UserError
from rnnapps.layers import Bidirectional
from rnnapps.text import END, read_vectors

_WORDS = 2  # ids of the classifier before its first word


class _LanguageModel(NamedTuple):
    option: str  # and the run, as the user named it
    config: dict[str, Any]
    arrays: dict[str, np.ndarray]


def start_from_language_models(model: SentimentClassifier, forward: Path, backward: Path | None = None) -> None:
    """Takes over the embeddings of language models and the layers that read them.

    With two language models, an embedding is that of the forward one followed by that of the backward one, and each
    direction of the first layer begins with its own half. With one, layers that read backward keep their random
    weights. Layers above a bidirectional one always do.

    Args:
        model: A built classifier.
        forward: A run of `rnn-language train --level word`.
        backward: A run of `rnn-language train --level word --backward`, for a bidirectional classifier.

    Raises:
        UserError: One is no such run, or its layers are not as wide as those of the classifier.

    References:
        Dai and Le, Semi-supervised sequence learning, NIPS 2015; Howard and Ruder, Universal language model fine-tuning
        for text classification, ACL 2018 (both directions).
    """
    origins = [_read(f"--start-from {forward}", forward, backward=False)]
    if backward is not None:
        origins.append(_read(f"--start-from-backward {backward}", backward, backward=True))
    _check_shape(model, origins)
    begin = 0
    for direction, (option, config, arrays) in enumerate(origins):
        width = config["embedding_units"]
        rows: dict[str, int] = {}
        for number, piece in enumerate(config["vocabulary"]):
            rows.setdefault(piece.strip(), END + 1 + number)  # the most frequent form of a word comes first
        found = np.array([rows.get(word, 0) for word in model.vocabulary])
        _put_embeddings(model, found > 0, arrays["embedding/vars/0"][found], f"the language model of {option}", begin)
        for number, layer in enumerate(model.recurrent):
            reader = layer
            if isinstance(layer, Bidirectional):
                reader = layer.backward_layer if direction else layer.forward_layer
            kernel, *others = _layer_weights(config, arrays, number, len(reader.get_weights()))
            if number == 0:
                # The language model multiplies tied embeddings by the root of their width. Here the kernel is
                # multiplied instead: Adam takes steps of one size, so embeddings that large would hardly learn.
                own = kernel * (width**0.5 if config["tied"] else 1.0)
                kernel = np.zeros((model.options.embedding_units, own.shape[1]), own.dtype)
                kernel[begin : begin + width] = own
            reader.set_weights([kernel, *others])
            if reader is not layer:
                break
        begin += width


def start_from_vectors(model: SentimentClassifier, file: Path) -> None:
    """Takes over word vectors that others have trained.

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
    """How quickly layers with pretrained weights learn, and from when on.

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
    layers = [layer.trainable_weights for layer in reversed(model.recurrent)]
    return [
        training.LayerRate(weights, how.layer_rate**depth, round(how.unfreeze_every * depth * steps))
        for depth, weights in enumerate([*layers, embedding], start=1)
    ]


def _read(option: str, run: Path, backward: bool) -> _LanguageModel:
    config, arrays = training.load_arrays(training.open_run(run))
    if "level" not in config or "vocabulary" not in config:
        raise UserError(f"{option}: is not a run of rnn-language")
    how = "--level word --normalised" + " --backward" * backward
    if config["level"] != "word":
        raise UserError(
            f"{option}: its language model reads {config['level']}s; train one with rnn-language train {how}"
        )
    if config.get("backward", False) != backward:
        raise UserError(
            f"{option}: its language model reads {'forward' if backward else 'backward'};"
            f" train one with rnn-language train {how}"
        )
    return _LanguageModel(option, config, arrays)


def _layer_weights(config: dict[str, Any], arrays: dict[str, np.ndarray], number: int, count: int) -> list[np.ndarray]:
    """Kernel, recurrent kernel and bias of a layer of a language model."""
    name = config["cell"] if config["cell"] != "rnn" else "simple_rnn"
    path = f"layers/{name}{f'_{number}' if number else ''}/cell/vars/"
    return [arrays[f"{path}{place}"] for place in range(count)]


def _check_shape(model: SentimentClassifier, origins: list[_LanguageModel]) -> None:
    for option, config, _ in origins:
        wanted = {name: config[name] for name in ("cell", "units")}
        wanted["embedding_units"] = sum(origin.config["embedding_units"] for origin in origins)
        if not model.options.bidirectional:
            wanted["layers"] = config["layers"]
        if any(getattr(model.options, name) != value for name, value in wanted.items()):
            options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in wanted.items())
            raise UserError(f"{option}: the classifier must be shaped like the language model: use {options}")


def _put_embeddings(
    model: SentimentClassifier, known: np.ndarray, vectors: np.ndarray, origin: str, begin: int = 0
) -> None:
    """Puts the vectors of known words into the embeddings, from number `begin` on, and says how many there are."""
    if not known.any():
        raise UserError(f"{origin}: has none of the {len(known):,} words of the training texts")
    table = model.embedding.get_weights()[0]
    table[_WORDS:, begin : begin + vectors.shape[1]][known] = vectors[known]
    model.embedding.set_weights([table])
    say(f"embeddings of {known.sum():,} of {len(known):,} words ({known.mean():.1%}) come from {origin}")
