"""Writing text token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from rnnapps.apps.language.cli import LONGEST, Generation
from rnnapps.apps.language.model import LanguageModel
from rnnapps.apps.language.tokens import END, PAD, UNKNOWN
from rnnapps.decoding import IMPOSSIBLE, sample_rows, uniform

READ = 4096  # tokens of a prompt that are read, the last ones
_STREAMED = 8  # tokens between two pieces of a streamed text

Tensors = Sequence[tf.Tensor]


class Position(NamedTuple):
    """The position in a text: what is needed to continue it.

    Attributes:
        last: Int32 `(batch,)`, the last token, which has not been read.
        states: The states before it.
    """

    last: tf.Tensor
    states: list[tf.Tensor]


def after(model: LanguageModel, text: tf.Tensor) -> Position:
    """Reads texts, string `(batch,)`, of which the last `READ` tokens count."""
    ids = model.tokens.encode(text)[:, -READ:]
    ids = tf.concat([tf.fill([ids.nrows(), 1], END), ids], axis=1)
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    dense = ids.to_tensor()
    last = tf.gather(dense, lengths - 1, batch_dims=1)
    before = tf.sequence_mask(lengths - 1, tf.shape(dense)[1] - 1)
    _, states = model.read(dense[:, :-1], model.initial_states(tf.shape(dense)[0]), mask=before)
    return Position(last, states)


def write(
    model: LanguageModel,
    position: Position,
    randoms: tf.Tensor,
    temperature: tf.Tensor,
    how: Generation,
) -> tuple[tf.Tensor, Position]:
    """Continues texts.

    Args:
        model: The model.
        position: The position in the texts.
        randoms: A number from 0 to 1 for each token to write, float32 `(batch, count)`, see `uniform`; below 0 where
            nothing more is to be written.
        temperature: Float32 `(batch,)`; 0 takes the most probable token.
        how: Its `top_k` and `top_p` count.

    Returns:
        Tokens, int32 `(batch, count)`, `PAD` after the end of a document, and the new position.
    """

    def step(tokens: tf.Tensor, states: Tensors) -> tuple[tf.Tensor, list[tf.Tensor]]:
        outputs, after_it = model.step(tokens, states)
        logits = without_special(model.logits(outputs))
        return tf.where(model.tokens.would_join(tokens), IMPOSSIBLE, logits), after_it

    found = sample_rows(
        step, position.last, position.states, randoms, temperature, end=END, pad=PAD, top_k=how.top_k, top_p=how.top_p
    )
    return found.ids, Position(found.last, found.states)


def without_special(logits: tf.Tensor) -> tf.Tensor:
    """Logits `(batch, tokens)` with which padding and the unknown token are never drawn."""
    numbers = tf.range(tf.shape(logits)[1])
    return tf.where((numbers == PAD) | (numbers == UNKNOWN), IMPOSSIBLE, logits)


def generate(
    model: LanguageModel,
    prompt: tf.Tensor,
    length: tf.Tensor,
    temperature: tf.Tensor,
    seed: tf.Tensor,
    how: Generation,
    sample: int = 0,
) -> tf.Tensor:
    """What follows prompts, without them.

    Args:
        model: The model.
        prompt: String `(batch,)`.
        length: Int32 `(batch,)`, the maximum number of tokens to write, at most `LONGEST`.
        temperature, seed: `(batch,)`.
        how: Its `top_k`, `top_p` and `stop` count.
        sample: Which of several texts of a seed.

    Returns:
        String `(batch,)`.
    """
    length = tf.clip_by_value(length, 0, LONGEST)
    count = tf.reduce_max(tf.concat([length, [0]], axis=0))
    tokens, _ = write(model, after(model, prompt), uniform(seed, length, count, sample), temperature, how)
    return until(model.tokens.decode(tokens, after=prompt), how.stop)


def until(text: tf.Tensor, stop: str | None) -> tf.Tensor:
    """Texts up to the first occurrence of a text."""
    return text if not stop else tf.strings.split(text, stop, maxsplit=1).to_tensor(shape=[None, 2])[:, 0]


def stream(model: LanguageModel, prompt: str, how: Generation, sample: int = 0) -> Iterator[str]:
    """The text of `generate`, piece by piece as it is written."""
    begin = tf.function(lambda text: after(model, text), autograph=False)
    go_on = tf.function(
        lambda position, randoms: write(model, position, randoms, tf.constant([how.temperature]), how),
        autograph=False,
        reduce_retracing=True,
    )
    randoms = uniform(tf.constant([how.seed]), tf.constant([how.length]), tf.constant(how.length), sample)
    position = begin(tf.constant([prompt]))
    pieces: list[bytes] = []
    shown = ""
    for number in range(0, how.length, _STREAMED):
        tokens, position = go_on(position, randoms[:, number : number + _STREAMED])
        pieces += [model.tokens.pieces[token] for token in tokens.numpy()[0]]
        text = model.tokens.readable(tf.constant([b"".join(pieces)]), tf.constant([prompt])).numpy()[0].decode()
        ended = bool(position.last.numpy()[0] == PAD) or number + _STREAMED >= how.length
        if how.stop and how.stop in text:
            text, ended = text.partition(how.stop)[0], True
        # The end of what is known may still change: half a character, or the beginning of the text to stop at.
        sure = text if ended else text[: max(0, len(text) - max(1, len(how.stop or "")))]
        if sure.startswith(shown):
            yield sure[len(shown) :]
            shown = sure
        if ended:
            return
