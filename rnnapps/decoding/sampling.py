"""Decoding token by token without a beam: the most probable token (greedy), or one drawn by its probability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from rnnapps.decoding.hypotheses import (
    LEAST_END,
    Hypotheses,
    Step,
    any_rows,
    batch_size,
    length_penalty,
    log_normaliser,
    only_rows,
    per_sentence,
    with_pad_column,
)


def greedy(
    step: Step,
    states: Any,
    constants: Any = (),
    *,
    start: int | tf.Tensor,
    end: int,
    max_length: int | tf.Tensor,
    alpha: float = 0.0,
    pad: int = 0,
) -> Hypotheses:
    """The sequences of the most probable token at each step; a tie goes to the end, then to the lower id.

    Args:
        step: `step(ids, states, constants) -> (logits, states)`, see `rnnapps.decoding`.
        states: Nest of `(batch, ...)`, the states that `step` starts from.
        constants: Nest of `(batch, ...)` that `step` receives unchanged.
        start: Token before the first, one for all sentences or integer `(batch,)`.
        end: Token that ends a sequence.
        max_length: Largest number of tokens, without the end, one for all sentences or integer `(batch,)`.
        alpha: Exponent of the length penalty that divides the log-probability; 0 for none.
        pad: Fills `ids` after the last token.

    Returns:
        `Hypotheses` with one for each sentence.

    Example:
        >>> table = tf.math.log([[0.0, 0.6, 0.4], [0.0, 0.3, 0.7], [1 / 3, 1 / 3, 1 / 3]])  # next token, by the last
        >>> step = lambda ids, states, constants: (tf.gather(table, ids), states)
        >>> greedy(step, tf.zeros([2, 1]), start=0, end=2, max_length=[5, 0]).ids.numpy().tolist()
        [[[1]], [[0]]]
    """

    def most_probable(logits: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
        ends = logits[..., end] >= tf.reduce_max(logits, axis=-1)
        return tf.where(ends, end, tf.argmax(logits, axis=-1, output_type=tf.int32))

    return _decode(step, states, constants, most_probable, start, end, max_length, 1, alpha, pad)


def sample(
    step: Step,
    states: Any,
    constants: Any = (),
    *,
    start: int | tf.Tensor,
    end: int,
    max_length: int | tf.Tensor,
    samples: int = 1,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | tf.Tensor = 0,
    pad: int = 0,
) -> Hypotheses:
    """Sequences drawn token by token; the same call with the same seed draws the same sequences.

    Args:
        step: `step(ids, states, constants) -> (logits, states)`, see `rnnapps.decoding`.
        states: Nest of `(batch, ...)`, the states that `step` starts from.
        constants: Nest of `(batch, ...)` that `step` receives unchanged.
        start: Token before the first, one for all sentences or integer `(batch,)`.
        end: Token that ends a sequence.
        max_length: Largest number of tokens, without the end, one for all sentences or integer `(batch,)`.
        samples: Number of sequences drawn for each sentence.
        temperature: Divisor of the logits; below 1 it makes probable tokens more probable.
        top_k: Draw only from the `top_k` most probable tokens; None for all.
        top_p: Draw only from the most probable tokens that together have at least this probability (after `top_k` and
            temperature), and always from the first; None for all.
        seed: An integer, or an integer tensor, so that a graph can draw anew at each call.
        pad: Fills `ids` after the last token.

    Returns:
        `Hypotheses` with `samples` for each sentence, in the order drawn. Their scores are plain log-probabilities of
        the model, without temperature, `top_k` or `top_p`.

    Raises:
        ValueError: `samples`, `temperature`, `top_k` or `top_p` is out of range.

    Example:
        >>> table = tf.math.log([[0.0, 0.6, 0.4], [0.0, 0.3, 0.7], [1 / 3, 1 / 3, 1 / 3]])  # next token, by the last
        >>> step = lambda ids, states, constants: (tf.gather(table, ids), states)
        >>> sample(step, tf.zeros([1, 1]), start=0, end=2, max_length=5, samples=9, top_k=1).ids.shape
        TensorShape([1, 9, 1])

    Reference:
        Fan et al., Hierarchical neural story generation, ACL 2018, section 5.1 (top-k); Holtzman et al., The curious
        case of neural text degeneration, ICLR 2020, section 3.1 (top-p).
    """
    if samples < 1:
        raise ValueError(f"`samples` must be at least 1, got {samples}")
    if not temperature > 0:
        raise ValueError(f"`temperature` must be above 0, got {temperature}: use `greedy` for the limit at 0")
    if top_k is not None and top_k < 1:
        raise ValueError(f"`top_k` must be at least 1 or None, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"`top_p` must be above 0 and at most 1, or None, got {top_p}")

    def drawn(logits: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(logits)
        logits, tokens = candidates(tf.reshape(logits, [-1, shape[2]]), temperature, top_k, top_p)
        seeds = tf.stack([tf.cast(seed, tf.int32), position])
        index = tf.random.stateless_categorical(logits, 1, seeds, dtype=tf.int32)
        index = tf.minimum(index, tf.shape(logits)[1] - 1)  # NaN logits draw one past the last
        if tokens is not None:
            index = tf.gather(tokens, index, batch_dims=1)
        return tf.reshape(index, shape[:2])

    return _decode(step, states, constants, drawn, start, end, max_length, samples, 0.0, pad)


def candidates(
    logits: tf.Tensor, temperature: float | tf.Tensor, top_k: int | None, top_p: float | None
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """The tokens to draw from.

    Args:
        logits: `(rows, tokens)`.
        temperature: Their divisor, a number or `(rows, 1)`.
        top_k, top_p: See `sample`.

    Returns:
        Logits `(rows, candidates)`, -inf for those left out, and their tokens, int32 `(rows, candidates)`, the most
        probable first; None instead of the tokens if all are candidates, in their order.
    """
    tokens = None
    if top_k is not None or top_p is not None:
        size = tf.shape(logits)[1]
        logits, tokens = tf.math.top_k(logits, size if top_k is None else tf.minimum(top_k, size))
    logits = logits / temperature
    if top_p is not None:
        before = tf.cumsum(tf.nn.softmax(logits), axis=-1, exclusive=True)
        logits = tf.where(before < top_p, logits, -float("inf"))
    return logits, tokens


class _Sequences(NamedTuple):
    """The loop's variables for sentences that are not done."""

    sentences: tf.Tensor  # (rows,) which sentence of the batch a row is
    last: tf.Tensor  # (rows, width) last tokens
    states: Any  # (rows, width, ...)
    constants: Any  # (rows, ...)
    ended: tf.Tensor  # (rows, width)


def _decode(
    step: Step,
    states: Any,
    constants: Any,
    choose: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    start: int | tf.Tensor,
    end: int,
    max_length: int | tf.Tensor,
    width: int,
    alpha: float,
    pad: int,
) -> Hypotheses:
    """`width` sequences for each sentence; `choose(logits, position)` returns the next token of each."""
    batch = batch_size(states, constants)
    limits = per_sentence(batch, max_length)

    def body(position: tf.Tensor, now: _Sequences, results: Hypotheses) -> tuple[tf.Tensor, _Sequences, Hypotheses]:
        logits, states = step(now.last, now.states, now.constants)
        logits = tf.cast(logits, tf.float32)
        normaliser = log_normaliser(logits, tf.reduce_max(logits, axis=-1))
        forced = (tf.gather(limits, now.sentences) == position)[:, None]
        tokens = tf.where(forced, end, choose(logits, position))
        ends = tokens == end
        log_probs = tf.gather(logits, tokens, batch_dims=2) - normaliser
        log_probs = tf.where(ends, tf.maximum(log_probs, LEAST_END), log_probs)

        goes_on = tf.logical_not(tf.logical_or(ends, now.ended))
        tokens = tf.where(goes_on, tokens, pad)
        before = Hypotheses(*(tf.gather(x, now.sentences) for x in results))
        after = Hypotheses(
            ids=tf.concat([before.ids, tokens[:, :, None]], axis=2),
            scores=before.scores + tf.where(now.ended, 0.0, log_probs),
            lengths=before.lengths + tf.cast(goes_on, tf.int32),
        )
        longer = results._replace(ids=with_pad_column(results.ids, pad))
        at = now.sentences[:, None]
        results = Hypotheses(*(tf.tensor_scatter_nd_update(x, at, y) for x, y in zip(longer, after, strict=True)))

        alive = tf.reduce_any(goes_on, axis=1)
        rows = tf.cast(tf.where(alive)[:, 0], tf.int32)
        shrinks = tf.logical_not(tf.reduce_all(alive))
        rest = _Sequences(now.sentences, tokens, states, now.constants, tf.logical_not(goes_on))
        return position + 1, only_rows(rest, rows, shrinks), results

    first = _Sequences(
        sentences=tf.range(batch),
        last=tf.repeat(per_sentence(batch, start)[:, None], width, axis=1),
        states=tf.nest.map_structure(lambda x: tf.repeat(x[:, None], width, axis=1), states),
        constants=constants,
        ended=tf.fill([batch, width], False),
    )
    empty = Hypotheses(
        ids=tf.zeros([batch, width, 0], tf.int32),
        scores=tf.zeros([batch, width]),
        lengths=tf.zeros([batch, width], tf.int32),
    )
    open_shapes = any_rows(empty)._replace(ids=tf.TensorShape([None, width, None]))
    _, _, results = tf.while_loop(
        lambda position, now, results: tf.size(now.sentences) > 0,
        body,
        (tf.constant(0), first, empty),
        shape_invariants=(tf.TensorShape([]), any_rows(first), open_shapes),
        maximum_iterations=tf.reduce_max(tf.concat([limits, [0]], axis=0)) + 1,
    )
    longest = tf.reduce_max(tf.concat([tf.reshape(results.lengths, [-1]), [0]], axis=0))
    scores = results.scores / length_penalty(results.lengths + 1, alpha)
    return Hypotheses(results.ids[:, :, :longest], scores, results.lengths)
