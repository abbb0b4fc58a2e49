"""Beam search: the best few hypotheses of every length, one token after the other, until no better one can come."""

from __future__ import annotations

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

BLOCK = 40  # vocabulary entries looked at together in `_best_tokens`; 25 to 60 are as fast


class _Beams(NamedTuple):
    """The loop's variables: hypotheses of the sentences that still go on, and the best ended ones of all."""

    sentences: tf.Tensor  # (rows,) which sentence of the batch a row is
    ids: tf.Tensor  # (rows, width, 1 + position), start first
    scores: tf.Tensor  # (rows, width) log-probabilities
    states: Any  # (rows, width, ...)
    constants: Any  # (rows, ...)
    ended: tf.Tensor  # (rows,) how many hypotheses have ended
    best: Hypotheses  # (batch, n_best, ...), start first


def beam_search(
    step: Step,
    states: Any,
    constants: Any = (),
    *,
    start: int | tf.Tensor,
    end: int,
    max_length: int | tf.Tensor,
    beam_width: int = 5,
    n_best: int = 1,
    alpha: float = 0.6,
    pad: int = 0,
) -> Hypotheses:
    """The most probable sequences under a step function, as far as a beam of hypotheses finds them.

    At each step all continuations of a sentence's hypotheses are ranked by log-probability. Those among the first
    `beam_width` that end are kept by their score, log-probability over `length_penalty`; the first `beam_width` that
    do not end go on. A sentence is done as soon as

    - `n_best` hypotheses have ended, none of which can be beaten any more: the `n_best`-th score is at least the
      highest log-probability among those that go on over the length penalty of `max_length`, which they would reach if
      all that follows were certain, or
    - `beam_width` have ended, and the `n_best`-th best of them is at least as probable as the best that goes on (a
      model that is sure of its sentence gives ends to the other hypotheses long before the sentence ends), or
    - the hypotheses have `max_length` tokens, after which only the end can follow.

    A sentence's result depends on nothing else in the batch. Width 1 is `greedy`.

    Args:
        step: `step(ids, states, constants) -> (logits, states)`, see `rnnapps.decoding`.
        states: Nest of `(batch, ...)`, what `step` starts from.
        constants: Nest of `(batch, ...)` that `step` gets as they are.
        start: Token before the first, one for all or int `(batch,)`.
        end: Token that ends a sequence.
        max_length: Most tokens of a sequence, the end not counted; one for all or int `(batch,)`; 0 allows the empty
            sequence only.
        beam_width: Hypotheses that go on for each sentence.
        n_best: How many to return for each sentence, at most `beam_width`.
        alpha: Exponent of the length penalty, at least 0; larger values favour longer sequences.
        pad: What fills `ids` after the last token.

    Returns:
        `Hypotheses`, sorted by score.

    Raises:
        ValueError: if `beam_width`, `n_best` or `alpha` is out of range.

    Example:
        >>> table = tf.math.log([[0.0, 0.6, 0.4], [0.0, 0.3, 0.7], [1 / 3, 1 / 3, 1 / 3]])  # next token, by the last
        >>> step = lambda ids, states, constants: (tf.gather(table, ids), states)
        >>> found = beam_search(step, tf.zeros([1, 1]), start=0, end=2, max_length=5, beam_width=2, alpha=0.0)
        >>> found.ids.numpy().tolist(), round(float(tf.exp(found.scores[0, 0])), 2)
        ([[[1]]], 0.42)

    Reference:
        Sutskever et al., Sequence to sequence learning with neural networks, NeurIPS 2014, section 3.2; the length
        penalty is that of Wu et al., Google's neural machine translation system, 2016.
    """
    if beam_width < 1:
        raise ValueError(f"`beam_width` must be at least 1, got {beam_width}")
    if not 1 <= n_best <= beam_width:
        raise ValueError(f"`n_best` must be between 1 and `beam_width`, {beam_width}, got {n_best}")
    if not alpha >= 0:
        raise ValueError(f"`alpha` must be at least 0, got {alpha}")
    batch = batch_size(states, constants)
    limits = per_sentence(batch, max_length)
    features = tf.nest.map_structure(lambda x: x.shape[1:], states)

    def body(position: tf.Tensor, beams: _Beams) -> tuple[tf.Tensor, _Beams]:
        logits, states = step(beams.ids[:, :, -1], beams.states, beams.constants)
        logits = tf.cast(logits, tf.float32)
        limit = tf.gather(limits, beams.sentences)
        width = tf.shape(beams.scores)[1]
        tokens, log_probs, normaliser = _best_tokens(logits, beam_width + 1)

        # Those that go on. One token more than the beam is wide, since the end may be among the best.
        going_on = tf.where(tokens == end, -float("inf"), beams.scores[:, :, None] + log_probs)
        going_on = tf.where((limit == position)[:, None, None], -float("inf"), going_on)
        choices = tf.shape(tokens)[2]
        going_on, index = _top(_joined(going_on), beam_width)
        parents = index // choices
        tokens = tf.gather(_joined(tokens), index, batch_dims=1)

        # Those that end, if they are among the best of all.
        ending = beams.scores + tf.maximum(logits[:, :, end] - normaliser, LEAST_END)
        last_rank = _top(tf.concat([going_on, ending], axis=1), beam_width).values[:, -1:]
        ending = tf.where(ending >= last_rank, ending / length_penalty(position + 1, alpha), -float("inf"))
        ended = beams.ended + tf.math.count_nonzero(ending > -float("inf"), axis=1, dtype=tf.int32)
        best, worst, length = _with_ended(beams, ending, position)

        reachable = going_on[:, 0] / length_penalty(limit + 1, alpha)
        less_probable = worst * length_penalty(length + 1, alpha) >= going_on[:, 0]
        done = (worst >= reachable) | ((ended >= beam_width) & less_probable)
        rows = tf.cast(tf.where(~done)[:, 0], tf.int32)
        parents = tf.gather(parents, rows) + rows[:, None] * width

        def reorder(x: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
            shape = shape if shape.is_fully_defined() else tf.shape(x)[2:]
            return tf.gather(tf.reshape(x, tf.concat([[-1], shape], axis=0)), parents)

        ids = reorder(beams.ids, tf.TensorShape([None]))
        return position + 1, _Beams(
            sentences=tf.gather(beams.sentences, rows),
            ids=tf.concat([ids, tf.gather(tokens, rows)[:, :, None]], axis=2),
            scores=tf.gather(going_on, rows),
            states=tf.nest.map_structure(reorder, states, features),
            constants=only_rows(beams.constants, rows, tf.reduce_any(done)),
            ended=tf.gather(ended, rows),
            best=best._replace(ids=with_pad_column(best.ids, pad)),
        )

    first = _Beams(
        sentences=tf.range(batch),
        ids=per_sentence(batch, start)[:, None, None],
        scores=tf.zeros([batch, 1]),
        states=tf.nest.map_structure(lambda x: x[:, None], states),
        constants=constants,
        ended=tf.zeros([batch], tf.int32),
        best=Hypotheses(
            ids=tf.fill([batch, n_best, 1], pad),
            scores=tf.fill([batch, n_best], -float("inf")),
            lengths=tf.zeros([batch, n_best], tf.int32),
        ),
    )
    open_shapes = _Beams(
        sentences=any_rows(first.sentences),
        ids=any_rows(first.ids, free=3),
        scores=any_rows(first.scores, free=2),
        states=any_rows(first.states, free=2),
        constants=any_rows(first.constants),
        ended=any_rows(first.ended),
        best=any_rows(first.best, free=1)._replace(ids=tf.TensorShape([None, n_best, None])),
    )
    _, beams = tf.while_loop(
        lambda position, beams: tf.size(beams.sentences) > 0,
        body,
        (tf.constant(0), first),
        shape_invariants=(tf.TensorShape([]), open_shapes),
        maximum_iterations=tf.reduce_max(tf.concat([limits, [0]], axis=0)) + 1,
    )
    longest = tf.reduce_max(tf.concat([tf.reshape(beams.best.lengths, [-1]), [0]], axis=0))
    return beams.best._replace(ids=beams.best.ids[:, :, 1 : 1 + longest])


def _best_tokens(logits: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The best `count` tokens of each `(rows, width, vocabulary)`, fewer if the vocabulary is smaller.

    The best tokens are in the blocks of the vocabulary that have the highest maxima: ranking the maxima, and then the
    tokens of as many blocks as tokens are asked for, takes a fourth of the time of ranking the whole vocabulary.

    Returns:
        Tokens and their log-probabilities, each `(rows, width, count)`, and log Σ exp(logits) `(rows, width)`.
    """
    vocabulary = logits.shape[-1]
    block = _block_size(vocabulary, count)
    if block is None:
        values, tokens = _top(logits, count)
    else:
        shape, blocks = tf.shape(logits), vocabulary // block
        logits_in_blocks = tf.reshape(logits, [-1, block])
        maxima = tf.reduce_max(tf.reshape(logits_in_blocks, [-1, blocks, block]), axis=2)
        chosen = tf.math.top_k(maxima, count).indices
        first = tf.range(tf.shape(maxima)[0])[:, None] * blocks
        values = tf.reshape(tf.gather(logits_in_blocks, first + chosen), [-1, count * block])
        values, index = tf.math.top_k(values, count)
        tokens = tf.gather(chosen, index // block, batch_dims=1) * block + index % block
        values, tokens = (tf.reshape(x, [shape[0], shape[1], count]) for x in (values, tokens))
    normaliser = log_normaliser(logits, values[:, :, 0])
    return tokens, values - normaliser[:, :, None], normaliser


def _block_size(vocabulary: int | None, count: int) -> int | None:
    """The divisor of the vocabulary's size nearest to BLOCK; None where ranking all is as good or blocks do not fit."""
    if vocabulary is None or vocabulary < 16 * count:
        return None
    divisors = [size for size in range(8, 129) if vocabulary % size == 0 and vocabulary // size >= count]
    return min(divisors, key=lambda size: abs(size - BLOCK), default=None)


def _with_ended(beams: _Beams, ending: tf.Tensor, position: tf.Tensor) -> tuple[Hypotheses, tf.Tensor, tf.Tensor]:
    """The best hypotheses of all sentences after some more ended; last score and length `(rows,)` of those going on."""
    n_best = beams.best.scores.shape[1]
    before = Hypotheses(*(tf.gather(x, beams.sentences) for x in beams.best))
    scores, index = tf.math.top_k(tf.concat([before.scores, ending], axis=1), n_best)
    ids = tf.gather(tf.concat([before.ids, beams.ids], axis=1), index, batch_dims=1)
    lengths = tf.concat([before.lengths, tf.fill(tf.shape(ending), position)], axis=1)
    lengths = tf.where(scores > -float("inf"), tf.gather(lengths, index, batch_dims=1), 0)
    after = Hypotheses(ids, scores, lengths)
    rows = beams.sentences[:, None]
    best = Hypotheses(*(tf.tensor_scatter_nd_update(x, rows, y) for x, y in zip(beams.best, after, strict=True)))
    return best, scores[:, -1], lengths[:, -1]


def _joined(x: tf.Tensor) -> tf.Tensor:
    """`(rows, width, choices)` as `(rows, width * choices)`."""
    shape = tf.shape(x)
    return tf.reshape(x, [shape[0], shape[1] * shape[2]])


def _top(x: tf.Tensor, count: int) -> Any:
    """The `count` highest along the last axis, fewer if it is shorter."""
    return tf.math.top_k(x, tf.minimum(count, tf.shape(x)[-1]))
