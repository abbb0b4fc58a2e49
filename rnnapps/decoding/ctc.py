"""From the steps of a CTC model to a text: the best path, and where on it each token was heard.

A CTC model says at each step how probable each token and the blank are. A path has one of them at every step. It spells
the tokens that remain after repeats are joined and then blanks dropped. The blank is the last class.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from rnnapps.decoding.impossible import IMPOSSIBLE


class Alignment(NamedTuple):
    """Where the tokens of a text are, on the most probable path that spells it.

    Attributes:
        first: Int32 `(batch, length)`, the first step of each token; 0 for padding.
        last: Int32 `(batch, length)`, its last step.
        log_probs: Float32 `(batch, length)`, the mean of its log-probability over these steps; 0 for padding.
    """

    first: tf.Tensor
    last: tf.Tensor
    log_probs: tf.Tensor


def ctc_greedy(log_probs: tf.Tensor, steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What the most probable path spells.

    Args:
        log_probs: Float `(batch, time, tokens + 1)`, the blank last.
        steps: Integer `(batch,)`, the number of real steps.

    Returns:
        Tokens, int32 `(batch, length)`, -1 for padding; and the log-probability of the path, float32 `(batch,)`.

    Example:
        >>> paths = tf.one_hot([[0, 0, 2, 0, 1]], 3, on_value=0.0, off_value=-9.0)
        >>> ctc_greedy(paths, tf.constant([5]))[0].numpy().tolist()
        [[0, 0, 1]]
    """
    log_probs = tf.cast(log_probs, tf.float32)
    blank = log_probs.shape[-1] - 1
    real = tf.sequence_mask(steps, tf.shape(log_probs)[1])
    path = tf.argmax(log_probs, axis=-1, output_type=tf.int32)
    before = tf.pad(path[:, :-1], [[0, 0], [1, 0]], constant_values=blank)
    tokens = tf.ragged.boolean_mask(path, real & (path != blank) & (path != before)).to_tensor(-1)
    score = tf.reduce_sum(tf.where(real, tf.reduce_max(log_probs, axis=-1), 0.0), axis=1)
    return tokens, score


def without_long_blanks(log_probs: tf.Tensor, steps: tf.Tensor, least: float = 0.9999) -> tuple[tf.Tensor, tf.Tensor]:
    """Leaves out steps that add nothing to a search: where the blank is certain, and was at the previous step too.

    Args:
        log_probs: Float `(batch, time, tokens + 1)`, the blank last.
        steps: Integer `(batch,)`, the number of real steps.
        least: The probability at which the blank counts as certain.

    Returns:
        The same for fewer steps, in float32.
    """
    log_probs = tf.cast(log_probs, tf.float32)
    certain = log_probs[:, :, -1] >= tf.math.log(least)
    repeated = certain & tf.pad(certain[:, :-1], [[0, 0], [1, 0]])
    kept = tf.sequence_mask(steps, tf.shape(log_probs)[1]) & ~repeated
    shorter = tf.ragged.boolean_mask(log_probs, kept)
    return shorter.to_tensor(), tf.cast(shorter.row_lengths(), tf.int32)


def ctc_align(log_probs: tf.Tensor, steps: tf.Tensor, tokens: tf.Tensor) -> Alignment:
    """Finds the most probable path that spells given texts, by the algorithm of Viterbi.

    Args:
        log_probs: Float `(batch, time, tokens + 1)`, the blank last.
        steps: Integer `(batch,)`, the number of real steps.
        tokens: Integer `(batch, length)`, -1 for padding. A text that its steps cannot spell gets arbitrary times.

    Returns:
        The `Alignment`.

    Example:
        >>> paths = tf.one_hot([[2, 0, 0, 2, 1]], 3, on_value=0.0, off_value=-9.0)
        >>> found = ctc_align(paths, tf.constant([5]), tf.constant([[0, 1]]))
        >>> found.first.numpy().tolist(), found.last.numpy().tolist()
        ([[1, 4]], [[2, 4]])
    """
    batch, time, length = tf.shape(log_probs)[0], tf.shape(log_probs)[1], tf.shape(tokens)[1]
    blank = log_probs.shape[-1] - 1
    real = tokens >= 0
    lengths = tf.math.count_nonzero(real, axis=1, dtype=tf.int32)
    # States of a path: blank, token, blank, ..., blank. It stays, moves on, or skips a blank between different tokens.
    labels = tf.where(real, tf.cast(tokens, tf.int32), blank)
    blanks = tf.fill([batch, length], blank)
    states = tf.concat([tf.reshape(tf.stack([blanks, labels], axis=2), [batch, 2 * length]), blanks[:, :1]], axis=1)
    states = tf.cond(length > 0, lambda: states, lambda: tf.fill([batch, 1], blank))
    count = tf.shape(states)[1]
    emitted = tf.gather(tf.cast(log_probs, tf.float32), states, axis=2, batch_dims=1)  # (batch, time, states)
    two_before = tf.pad(states, [[0, 0], [2, 0]], constant_values=blank)[:, :count]
    jumps = tf.where((states != blank) & (states != two_before), 0.0, IMPOSSIBLE)
    begin = tf.where(tf.range(count)[None] < 2, emitted[:, 0], IMPOSSIBLE)

    def shifted(scores: tf.Tensor, by: int) -> tf.Tensor:
        return tf.pad(scores, [[0, 0], [by, 0]], constant_values=IMPOSSIBLE)[:, :count]

    def forward(step: tf.Tensor, scores: tf.Tensor, moves: tf.TensorArray) -> tuple:
        ways = tf.stack([scores, shifted(scores, 1), shifted(scores, 2) + jumps], axis=2)
        move = tf.argmax(ways, axis=2, output_type=tf.int32)
        going_on = (step < steps)[:, None]
        after = tf.where(going_on, tf.reduce_max(ways, axis=2) + emitted[:, step], scores)
        return step + 1, after, moves.write(step, tf.where(going_on, move, 0))

    moves = tf.TensorArray(tf.int32, time, element_shape=[None, None]).write(0, tf.zeros([batch, count], tf.int32))
    _, scores, moves = tf.while_loop(lambda step, *_: step < time, forward, (tf.constant(1), begin, moves))
    # A path ends in the last token or in the blank after it.
    ends = tf.stack([2 * lengths, tf.maximum(2 * lengths - 1, 0)], axis=1)
    best = tf.argmax(tf.gather(scores, ends, batch_dims=1), axis=1, output_type=tf.int32)
    state = tf.gather(ends, best, batch_dims=1)

    def backward(step: tf.Tensor, state: tf.Tensor, path: tf.TensorArray) -> tuple:
        path = path.write(step, state)
        return step - 1, state - tf.gather(moves.read(step), state, batch_dims=1), path

    path = tf.TensorArray(tf.int32, time, element_shape=[None])
    _, _, path = tf.while_loop(lambda step, *_: step >= 0, backward, (time - 1, state, path))
    path = tf.transpose(tf.reshape(path.stack(), [time, batch]))  # (batch, time)
    # on[b, t, k]: the path has token k at step t.
    within = tf.sequence_mask(steps, time)[:, :, None]
    on = tf.equal(path[:, :, None], 2 * tf.range(length)[None, None] + 1) & within & real[:, None]
    place = tf.range(time)[None, :, None]
    first = tf.reduce_min(tf.where(on, place, time), axis=1)
    last = tf.reduce_max(tf.where(on, place, 0), axis=1)
    sums = tf.reduce_sum(tf.where(on, emitted[:, :, 1::2], 0.0), axis=1)
    counted = tf.math.count_nonzero(on, axis=1, dtype=tf.float32)
    return Alignment(tf.where(counted > 0, first, 0), last, sums / tf.maximum(counted, 1.0))
