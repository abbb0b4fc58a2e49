"""Beam search: the best few hypotheses of each length, one token after the other, until none can improve."""

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

BLOCK = 40  # vocabulary entries in a block of `_best_tokens`; 25 to 60 are as fast


class _Beams(NamedTuple):
    """The loop's variables: hypotheses of sentences that are not done, and the best ended ones of all sentences."""

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

    At each step all continuations of a sentence's hypotheses are ranked by log-probability. Of the first `beam_width`,
    those that end are kept with their score, log-probability over `length_penalty`; the first `beam_width` that do not
    end are continued. A sentence is done as soon as

    - `n_best` hypotheses have ended and none of them can be beaten: the `n_best`-th score is at least the highest
      log-probability of those continued over the length penalty of `max_length`, the score they would reach if all
      further tokens were certain, or
    - `alpha` is not 0, `beam_width` hypotheses have ended, and the best score of them is at least that which the best
      one continued would have if the next token were certain to end it (a confident model ends its other hypotheses
      long before), or
    - the hypotheses have `max_length` tokens, after which only the end can follow.

    The result for a sentence does not depend on the rest of the batch, nor the best hypothesis on `n_best`. Width 1 is
    greedy search.

    Args:
        step: `step(ids, states, constants) -> (logits, states)`, see `rnnapps.decoding`.
        states: Nest of `(batch, ...)`, the states that `step` starts from.
        constants: Nest of `(batch, ...)` that `step` receives unchanged.
        start: Token before the first, one for all sentences or integer `(batch,)`.
        end: Token that ends a sequence.
        max_length: Largest number of tokens, without the end, one for all sentences or integer `(batch,)`; 0 allows
            only the empty sequence.
        beam_width: Number of hypotheses continued for each sentence.
        n_best: Number of hypotheses returned for each sentence, at most `beam_width`.
        alpha: Exponent of the length penalty, at least 0; larger values favour longer sequences.
        pad: Fills `ids` after the last token.

    Returns:
        `Hypotheses`, sorted by score.

    Raises:
        ValueError: `beam_width`, `n_best` or `alpha` is out of range.

    Example:
        >>> table = tf.math.log([[0.0, 0.6, 0.4], [0.0, 0.3, 0.7], [1 / 3, 1 / 3, 1 / 3]])  # next token, by the last
        >>> step = lambda ids, states, constants: (tf.gather(table, ids), states)
        >>> best = beam_search(step, tf.zeros([1, 1]), start=0, end=2, max_length=5, beam_width=2, alpha=0.0)
        >>> best.ids.numpy().tolist(), round(float(tf.exp(best.scores[0, 0])), 2)
        ([[[1]]], 0.42)

    Reference:
        Sutskever et al., Sequence to sequence learning with neural networks, NeurIPS 2014, section 3.2; the length
        penalty is that of Wu et al., Google's neural machine translation system, 2016.
    """
    if beam_width < 1:
        raise ValueError(f"`beam_width` must be at least 1, got {beam_width}")
    if not 1 <= n_best <= beam_width:
        raise ValueError(f"`n_best` must be from 1 to `beam_width` ({beam_width}), got {n_best}")
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

        # Hypotheses to continue: one token more than the beam is wide, since the end may be among the best.
        continued = tf.where(tokens == end, -float("inf"), beams.scores[:, :, None] + log_probs)
        continued = tf.where((limit == position)[:, None, None], -float("inf"), continued)
        choices = tf.shape(tokens)[2]
        continued, index = _top(_joined(continued), beam_width)
        parents = index // choices
        tokens = tf.gather(_joined(tokens), index, batch_dims=1)

        # Hypotheses that end, if they are among the best of all.
        ending = beams.scores + tf.maximum(logits[:, :, end] - normaliser, LEAST_END)
        last_rank = _top(tf.concat([continued, ending], axis=1), beam_width).values[:, -1:]
        ending = tf.where(ending >= last_rank, ending / length_penalty(position + 1, alpha), -float("inf"))
        ended = beams.ended + tf.math.count_nonzero(ending > -float("inf"), axis=1, dtype=tf.int32)
        best, scores = _with_ended(beams, ending, position)

        reachable = continued[:, 0] / length_penalty(limit + 1, alpha)
        done = scores[:, -1] >= reachable
        if alpha:
            ended_now = continued[:, 0] / length_penalty(position + 2, alpha)
            done |= (ended >= beam_width) & (scores[:, 0] >= ended_now)
        rows = tf.cast(tf.where(~done)[:, 0], tf.int32)
        parents = tf.gather(parents, rows) + rows[:, None] * width

        def reorder(x: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
            shape = shape if shape.is_fully_defined() else tf.shape(x)[2:]
            return tf.gather(tf.reshape(x, tf.concat([[-1], shape], axis=0)), parents)

        ids = reorder(beams.ids, tf.TensorShape([None]))
        return position + 1, _Beams(
            sentences=tf.gather(beams.sentences, rows),
            ids=tf.concat([ids, tf.gather(tokens, rows)[:, :, None]], axis=2),
            scores=tf.gather(continued, rows),
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

    The best `count` tokens are in the `count` blocks of the vocabulary with the highest maxima. Ranking the maxima and
    then the tokens of these blocks takes a quarter of the time of ranking the whole vocabulary.

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
    """The divisor of the vocabulary's size nearest to BLOCK; None if ranking all is as fast or no divisor fits."""
    if vocabulary is None or vocabulary < 16 * count:
        return None
    divisors = [size for size in range(8, 129) if vocabulary % size == 0 and vocabulary // size >= count]
    return min(divisors, key=lambda size: abs(size - BLOCK), default=None)


def _with_ended(beams: _Beams, ending: tf.Tensor, position: tf.Tensor) -> tuple[Hypotheses, tf.Tensor]:
    """The best hypotheses of all sentences, and their scores for the rows `(rows, n_best)`, once some have ended."""
    n_best = beams.best.scores.shape[1]
    before = Hypotheses(*(tf.gather(x, beams.sentences) for x in beams.best))
    scores, index = tf.math.top_k(tf.concat([before.scores, ending], axis=1), n_best)
    ids = tf.gather(tf.concat([before.ids, beams.ids], axis=1), index, batch_dims=1)
    lengths = tf.concat([before.lengths, tf.fill(tf.shape(ending), position)], axis=1)
    lengths = tf.where(scores > -float("inf"), tf.gather(lengths, index, batch_dims=1), 0)
    after = Hypotheses(ids, scores, lengths)
    rows = beams.sentences[:, None]
    best = Hypotheses(*(tf.tensor_scatter_nd_update(x, rows, y) for x, y in zip(beams.best, after, strict=True)))
    return best, scores


def _joined(x: tf.Tensor) -> tf.Tensor:
    """`(rows, width, choices)` as `(rows, width * choices)`."""
    shape = tf.shape(x)
    return tf.reshape(x, [shape[0], shape[1] * shape[2]])


def _top(x: tf.Tensor, count: int) -> Any:
    """The `count` highest along the last axis, fewer if it is shorter."""
    return tf.math.top_k(x, tf.minimum(count, tf.shape(x)[-1]))
