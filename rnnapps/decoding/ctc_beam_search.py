"""Prefix beam search: the texts that a CTC model finds most probable, over all paths, and with a language model."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from rnnapps.decoding.hypotheses import Hypotheses, any_rows
from rnnapps.decoding.impossible import IMPOSSIBLE

# The hash of a prefix follows from that of its parent by a step of Knuth's linear congruential generator.
_FACTOR, _SUMMAND = 6364136223846793005, 1442695040888963407


class Scorer(NamedTuple):
    """A language model over the tokens of a CTC model.

    Attributes:
        start: `start(batch) -> log_probs, states`, before the first token. `log_probs` is float32
            `(batch, tokens + 1)`, of each next token and, last, of the end of the text; `states` a list of tensors
            `(batch, ...)`.
        step: `step(tokens, states) -> log_probs, states`, after one more token, int32 `(rows,)`.
    """

    start: Callable[[tf.Tensor], tuple[tf.Tensor, list[tf.Tensor]]]
    step: Callable[[tf.Tensor, list[tf.Tensor]], tuple[tf.Tensor, list[tf.Tensor]]]


class _Prefixes(NamedTuple):
    """The loop's variables: the best prefixes of each row, `(batch, width, ...)`."""

    ids: tf.Tensor  # (batch, width, time), -1 for padding
    lengths: tf.Tensor
    hashes: tf.Tensor
    last: tf.Tensor  # the last token, -1 for none
    blank: tf.Tensor  # log-probability of the paths that end in the blank
    token: tf.Tensor  # and of those that end in the last token
    bonus: tf.Tensor  # contribution of language model and length
    language: tf.Tensor  # (batch, width, tokens + 1), log-probabilities of what comes next
    states: list[tf.Tensor]


def ctc_beam_search(
    log_probs: tf.Tensor,
    steps: tf.Tensor,
    *,
    beam_width: int = 16,
    n_best: int = 1,
    scorer: Scorer | None = None,
    alpha: float = 0.5,
    beta: float = 0.0,
) -> Hypotheses:
    """The texts with the highest score, as far as a beam of prefixes finds them.

        score(y) = log p(y | x) + alpha log p_language(y, end) + beta |y|

    where p(y | x) sums over all paths that spell y. A plain graph of core operations, for any batch size but 0. The
    result for a row does not depend on the other rows.

    Args:
        log_probs: Float `(batch, time, tokens + 1)`, the blank last.
        steps: Integer `(batch,)`, the number of real steps.
        beam_width: Number of prefixes that are kept at each step.
        n_best: Number of texts returned for each row, at most `beam_width`.
        scorer: A language model, or None.
        alpha: Weight of the language model.
        beta: Reward for each token, to counter the bias of a language model towards short texts.

    Returns:
        `Hypotheses`, padded with -1, sorted by score; where there are fewer the score is -inf.

    Raises:
        ValueError: `beam_width` or `n_best` is out of range.

    Example:
        >>> log_probs = tf.math.log([[[0.4, 1e-9, 0.6], [0.4, 1e-9, 0.6]]])
        >>> found = ctc_beam_search(log_probs, tf.constant([2]))
        >>> found.ids.numpy().tolist(), round(float(tf.exp(found.scores[0, 0])), 2)
        ([[[0]]], 0.64)

    Reference:
        Hannun, Maas, Jurafsky and Ng, "First-pass large vocabulary continuous speech recognition using bi-directional
        recurrent DNNs", arXiv:1408.2873, algorithm 1.
    """
    if not 1 <= n_best <= beam_width:
        raise ValueError(f"`n_best` must be from 1 to `beam_width` ({beam_width}), got {n_best}")
    log_probs, steps = tf.cast(log_probs, tf.float32), tf.cast(steps, tf.int32)
    batch, time = tf.shape(log_probs)[0], tf.shape(log_probs)[1]
    tokens = log_probs.shape[-1] - 1
    # After its last step, a row continues with a certain blank, which changes nothing.
    certain = tf.one_hot(tokens, tokens + 1, on_value=0.0, off_value=IMPOSSIBLE)
    log_probs = tf.where(tf.sequence_mask(steps, time)[..., None], tf.maximum(log_probs, IMPOSSIBLE), certain)

    def body(step: tf.Tensor, prefixes: _Prefixes) -> tuple[tf.Tensor, _Prefixes]:
        now = log_probs[:, step]
        stay, extend = _continued(prefixes, now[:, :tokens], now[:, tokens:], tokens)
        total = _log_add(*stay)
        gained = (
            prefixes.bonus[..., None] + alpha * prefixes.language[..., :tokens] + beta
            if scorer
            else (prefixes.bonus[..., None] + beta)
        )
        ranks = tf.concat([total + prefixes.bonus, tf.reshape(extend + gained, [batch, beam_width * tokens])], axis=1)
        chosen = tf.math.top_k(ranks, beam_width).indices
        extended = chosen >= beam_width
        parents = tf.where(extended, (chosen - beam_width) // tokens, chosen)
        token = tf.where(extended, (chosen - beam_width) % tokens, -1)
        return step + 1, _selected(prefixes, stay, extend, gained, parents, token, scorer)

    first = _first(batch, beam_width, time, tokens, scorer)
    shapes = tf.nest.map_structure(lambda x: x.shape, first)._replace(
        ids=tf.TensorShape([None, beam_width, None]), states=any_rows(first.states, free=2)
    )
    _, found = tf.while_loop(
        lambda step, _: step < time, body, (tf.constant(0), first), shape_invariants=(tf.TensorShape([]), shapes)
    )
    total = _log_add(found.blank, found.token)
    scores = total + found.bonus + (alpha * found.language[..., tokens] if scorer else 0.0)
    scores = tf.where(total < IMPOSSIBLE / 2, -float("inf"), scores)
    scores, best = tf.math.top_k(scores, n_best)
    lengths = tf.where(scores > -float("inf"), tf.gather(found.lengths, best, batch_dims=1), 0)
    longest = tf.reduce_max(lengths)
    ids = tf.gather(found.ids, best, batch_dims=1)[:, :, :longest]
    return Hypotheses(tf.where(tf.sequence_mask(lengths, longest), ids, -1), scores, lengths)


def _first(batch: tf.Tensor, width: int, time: tf.Tensor, tokens: int, scorer: Scorer | None) -> _Prefixes:
    """The empty prefix, and empty places."""
    shape = [batch, width]
    language: tf.Tensor = tf.zeros([*shape, 0])
    states: list[tf.Tensor] = []
    if scorer is not None:
        first, states = scorer.start(batch)
        language = tf.ensure_shape(tf.repeat(first[:, None], width, axis=1), [None, width, tokens + 1])
        states = [tf.repeat(state[:, None], width, axis=1) for state in states]
    return _Prefixes(
        ids=tf.fill([*shape, time], -1),
        lengths=tf.zeros(shape, tf.int32),
        hashes=tf.zeros(shape, tf.int64),
        last=tf.fill(shape, -1),
        blank=tf.concat([tf.zeros([batch, 1]), tf.fill([batch, width - 1], IMPOSSIBLE)], axis=1),
        token=tf.fill(shape, IMPOSSIBLE),
        bonus=tf.zeros(shape),
        language=language,
        states=states,
    )


def _continued(
    prefixes: _Prefixes, heard: tf.Tensor, blank: tf.Tensor, tokens: int
) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Log-probabilities one step later: of the same prefixes, by how paths end, and of those one token longer."""
    total = _log_add(prefixes.blank, prefixes.token)
    last = tf.maximum(prefixes.last, 0)
    # For the last token of each prefix; the empty prefix has none that could repeat.
    repeated = tf.where(prefixes.last >= 0, tf.gather(heard, last, batch_dims=1), IMPOSSIBLE)
    is_last = tf.one_hot(prefixes.last, tokens, on_value=True, off_value=False)
    before = tf.where(is_last, prefixes.blank[..., None], total[..., None])
    extend = before + heard[:, None]
    # A prefix that becomes an existing one adds to it: child j has parent i.
    parent = tf.equal(
        prefixes.hashes[:, :, None], _extended_hash(prefixes.hashes[:, None, :], prefixes.last[:, :, None])
    ) & tf.equal(prefixes.lengths[:, :, None], prefixes.lengths[:, None, :] + 1)
    arriving = tf.gather(tf.transpose(extend, [0, 2, 1]), last, batch_dims=1)  # (batch, child, parent)
    arriving = tf.reduce_max(tf.where(parent, arriving, IMPOSSIBLE), axis=2)
    merged = tf.matmul(tf.cast(parent, tf.float32), tf.cast(is_last, tf.float32), transpose_a=True) > 0
    stay = total + blank, _log_add(prefixes.token + repeated, arriving)
    return stay, tf.where(merged, IMPOSSIBLE, extend)


def _selected(
    prefixes: _Prefixes,
    stay: tuple[tf.Tensor, tf.Tensor],
    extend: tf.Tensor,
    gained: tf.Tensor,
    parents: tf.Tensor,
    token: tf.Tensor,
    scorer: Scorer | None,
) -> _Prefixes:
    """The chosen prefixes: `parents` unchanged, or with one more `token`."""

    def of_parent(x: tf.Tensor) -> tf.Tensor:
        return tf.gather(x, parents, batch_dims=1)

    extended, added = token >= 0, tf.maximum(token, 0)

    def of_token(x: tf.Tensor) -> tf.Tensor:
        return tf.gather(of_parent(x), added, batch_dims=2)

    lengths = of_parent(prefixes.lengths)
    here = (tf.range(tf.shape(prefixes.ids)[2])[None, None] == lengths[..., None]) & extended[..., None]
    hashes = of_parent(prefixes.hashes)
    language, states = prefixes.language, prefixes.states
    if scorer is not None:
        language, states = _read_on(of_parent(language), [of_parent(state) for state in states], token, scorer)
        bonus = of_token(gained)
    else:
        bonus = of_parent(gained[..., 0])
    return _Prefixes(
        ids=tf.where(here, token[..., None], of_parent(prefixes.ids)),
        lengths=lengths + tf.cast(extended, tf.int32),
        hashes=tf.where(extended, _extended_hash(hashes, token), hashes),
        last=tf.where(extended, token, of_parent(prefixes.last)),
        blank=tf.where(extended, IMPOSSIBLE, of_parent(stay[0])),
        token=tf.where(extended, of_token(extend), of_parent(stay[1])),
        bonus=tf.where(extended, bonus, of_parent(prefixes.bonus)),
        language=language,
        states=states,
    )


def _read_on(
    language: tf.Tensor, states: list[tf.Tensor], token: tf.Tensor, scorer: Scorer
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The language model after the new tokens; it reads only where there is one."""
    places = tf.where(token >= 0)
    log_probs, new = scorer.step(tf.gather_nd(token, places), [tf.gather_nd(state, places) for state in states])
    language = tf.tensor_scatter_nd_update(language, places, log_probs)
    return language, [
        tf.tensor_scatter_nd_update(state, places, tf.cast(after, state.dtype))
        for state, after in zip(states, new, strict=True)
    ]


def _extended_hash(hashes: tf.Tensor, token: tf.Tensor) -> tf.Tensor:
    return hashes * _FACTOR + (tf.cast(token, tf.int64) + 1) * 0x9E3779B97F4A7C1 + _SUMMAND


def _log_add(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.maximum(x, y) + tf.math.log1p(tf.exp(-tf.abs(x - y)))
