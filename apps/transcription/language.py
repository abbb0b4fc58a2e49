"""A run of rnn-language that scores texts.

For a transcriber of characters it scores each next character during the search. A transcriber of subwords splits texts
differently from the language model, so the texts found by its search are scored as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from rnnapps.apps.transcription.cli import Search
from rnnapps.apps.transcription.model import Transcriber
from rnnapps.cli.other_runs import read_run_of
from rnnapps.decoding import Scorer
from rnnapps.errors import UserError

Judge = Callable[[tf.Tensor], tf.Tensor]


def scorer_of(model: Transcriber, search: Search | None) -> Scorer | Judge | None:
    """The language model that the options of the search name, as `transcribe` takes it; None where they name none.

    The weights and the vocabulary of the language model become part of an export of the transcriber.

    Raises:
        UserError: It is not a run of rnn-language. If the transcriber writes characters: it is not a character model,
            or does not know the characters of the transcriber.
    """
    if search is None or search.language_model is None:
        return None
    language = read_run_of("language", search.language_model)
    model.fused.language = [*(variable.value for variable in language.variables), language.tokens]
    return judge(language) if model.subwords else scorer(language, model.tokens.pieces, search.language_model)


def scorer(language: Any, characters: tuple[str, ...], run: Path) -> Scorer:
    """A language model of characters as a `Scorer`. Each text is read as a separate line.

    Args:
        language: The model of a run of rnn-language.
        characters: Those of the transcriber.
        run: Its folder, for messages.
    """
    options = language.options
    if options.level != "char" or options.normalised:
        level = "normalised text" if options.normalised else f"{options.level}s"
        raise UserError(f"--language-model {run}: needs a model of characters as written, got one of {level}")
    encoded = language.tokens.encode(tf.constant([*characters, "\n"])).to_list()
    if unknown := [character for character, ids in zip(characters, encoded, strict=False) if len(ids) != 1]:
        raise UserError(
            f"--language-model {run}: does not know {unknown[0]!r}; train it on texts with the transcriber's characters"
        )
    ids = tf.constant([one[0] for one in encoded], tf.int32)

    def after(token: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        outputs, states = language.step(token, states)
        return tf.gather(tf.nn.log_softmax(language.logits(outputs)), ids, axis=1), states

    def start(batch: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        return after(tf.fill([batch], ids[-1]), language.initial_states(batch))

    def step(tokens: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        return after(tf.gather(ids, tokens), states)

    return Scorer(start, step)


def judge(language: Any) -> Judge:
    """A function from texts, string (rows,), to their log-probabilities, float32 (rows,). Each text is a separate line.

    Args:
        language: The model of a run of rnn-language, of any level.
    """

    def log_probability(texts: tf.Tensor) -> tf.Tensor:
        ids = language.tokens.encode(tf.strings.join([texts, "\n"])).to_tensor(0)
        before = tf.repeat(language.tokens.encode(tf.constant(["\n"])).to_tensor(), tf.shape(ids)[0], axis=0)
        inputs = tf.concat([before, ids[:, :-1]], axis=1)
        outputs, _ = language.read(inputs, language.initial_states(tf.shape(ids)[0]))
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(ids, language.logits(outputs))
        return -tf.reduce_sum(tf.where(ids > 0, nats, 0.0), axis=1)

    return log_probability
