"""Sampling in which each row has its own seed, temperature and end: a sequence is the same in every batch.

`rnnapps.decoding.sample` draws several sequences of a sentence with one seed for the whole batch; this is for requests
from many clients that a server answers together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from rnnapps.decoding.sampling import candidates

States = Sequence[tf.Tensor]


class Rows(NamedTuple):
    """What was drawn, and the new position in the sequences.

    Attributes:
        ids: Int32 `(batch, count)`, `pad` after the end.
        last: Int32 `(batch,)`, the last token, which has not been read; `pad` where a sequence has ended.
        states: The states before it, `(batch, ...)` each.
    """

    ids: tf.Tensor
    last: tf.Tensor
    states: list[tf.Tensor]


def sample_rows(
    step: Callable[[tf.Tensor, list[tf.Tensor]], tuple[tf.Tensor, list[tf.Tensor]]],
    last: tf.Tensor,
    states: States,
    randoms: tf.Tensor,
    temperature: tf.Tensor,
    *,
    end: int,
    pad: int,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Rows:
    """Draws tokens one after another.

    Args:
        step: `step(ids, states) -> (logits, states)`: reads a token of each row, int32 `(batch,)`, and says how
            probable each next one is, `(batch, tokens)`.
        last: Int32 `(batch,)`, the last token of each row, which `step` has not read.
        states: The states before it, `(batch, ...)` each.
        randoms: A number from 0 to 1 for each token to draw, float32 `(batch, count)`, see `uniform`; below 0 where
            nothing more is to be drawn.
        temperature: Float32 `(batch,)`; 0 takes the most probable token.
        end: Token that ends a sequence.
        pad: Fills `ids` after the end.
        top_k, top_p: See `sample`.

    Returns:
        `Rows`.

    Example:
        >>> table = tf.math.log([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # next token, by the last
        >>> step = lambda ids, states: (tf.gather(table, ids), states)
        >>> sample_rows(step, tf.constant([0]), [], tf.zeros([1, 4]), tf.ones([1]), end=2, pad=9).ids.numpy().tolist()
        [[1, 9, 9, 9]]
    """
    randoms = tf.transpose(randoms)
    count = tf.shape(randoms)[0]

    def body(number: tf.Tensor, drawn: tf.Tensor, last: tf.Tensor, states: list[tf.Tensor]) -> tuple:
        logits, states = step(last, states)
        token = draw(logits, randoms[number], temperature, top_k, top_p)
        ended = (randoms[number] < 0) | (last == pad) | (token == end)
        last = tf.where(ended, pad, token)
        return number + 1, tf.concat([drawn, last[:, None]], axis=1), last, states

    rows = [tf.TensorShape([None]).concatenate(state.shape[1:]) for state in states]
    number, drawn, last, states = tf.while_loop(
        lambda number, drawn, last, states: (number < count) & tf.reduce_any(last != pad),
        body,
        (tf.constant(0), tf.zeros([tf.shape(last)[0], 0], tf.int32), last, list(states)),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape([None]), rows),
    )
    return Rows(tf.pad(drawn, [[0, 0], [0, count - number]], constant_values=pad), last, list(states))


def draw(
    logits: tf.Tensor,
    randoms: tf.Tensor,
    temperature: tf.Tensor,
    top_k: int | None = None,
    top_p: float | None = None,
) -> tf.Tensor:
    """One token of each row: that with the largest sum of logit and Gumbel noise.

    The noise of a token follows from the number of its row and its own. Rounding differs between batches; it changes
    the token only where two sums are equal but for rounding. (Where the number falls in the distribution function
    changes a thousand times as often: there are as many borders as tokens.)

    Args:
        logits: `(batch, tokens)`.
        randoms: `(batch,)`, from 0 to 1.
        temperature: `(batch,)`; 0 takes the most probable token.
        top_k, top_p: See `sample`.

    Returns:
        Int32 `(batch,)`.

    Reference:
        Maddison, Tarlow and Minka, A* sampling, NeurIPS 2014, section 2 (the Gumbel-max trick).
    """
    best = tf.argmax(logits, axis=1, output_type=tf.int32)
    logits, tokens = candidates(logits, tf.maximum(temperature, 1e-4)[:, None], top_k, top_p)
    numbers = tf.range(tf.shape(logits)[1])[None] if tokens is None else tokens
    chosen = tf.argmax(logits + _gumbel(randoms, numbers), axis=1, output_type=tf.int32)
    if tokens is not None:
        chosen = tf.gather(tokens, chosen, batch_dims=1)
    return tf.where(temperature > 0, chosen, best)


def _gumbel(randoms: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Gumbel noise, float32 `(batch, tokens)`, of the tokens with these numbers, `(batch or 1, tokens)`."""
    rows = _mixed(tf.bitcast(randoms, tf.uint32))[:, None]
    bits = _mixed(rows + tf.cast(numbers, tf.uint32) * tf.constant(0x9E3779B9, tf.uint32))
    # 23 bits and a half: with one more the largest number would round to 1, and its noise would be infinite.
    uniform = (tf.cast(tf.bitwise.right_shift(bits, tf.constant(9, tf.uint32)), tf.float32) + 0.5) * 2.0**-23
    return -tf.math.log(-tf.math.log(uniform))


def _mixed(bits: tf.Tensor) -> tf.Tensor:
    """The finaliser of MurmurHash3 (Appleby 2011): each bit, uint32, depends on all bits."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, None)):
        bits = tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint32)))
        bits = bits if factor is None else bits * tf.constant(factor, tf.uint32)
    return bits
