"""From the probabilities of the model to texts: the search, the times of words, and their confidences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from rnnapps.apps.transcription.cli import Search
from rnnapps.apps.transcription.language import Judge
from rnnapps.apps.transcription.model import Transcriber
from rnnapps.decoding import Scorer, ctc_align, ctc_beam_search, ctc_greedy, without_long_blanks
from rnnapps.prediction.nbest import NO_ANSWER

Listen = Callable[[tf.Tensor, tf.Tensor], list[str]]
_CERTAIN = 0.999


class Heard(NamedTuple):
    """What is said in recordings.

    Attributes:
        texts: String (batch, n_best), the best first; "" where there are fewer.
        scores: Float32 (batch, n_best), log-probabilities, with those of a language model if there is one; `NO_ANSWER`
            where there are fewer texts.
        words: String (batch, words) of the best text, padded with "".
        starts, ends: Float32 (batch, words), when each word was heard, in seconds.
        confidences: Float32 (batch, words), from 0 to 1: the mean probability of its tokens where they were heard.
    """

    texts: tf.Tensor
    scores: tf.Tensor
    words: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    confidences: tf.Tensor


def transcribe(
    model: Transcriber,
    waveform: tf.Tensor,
    lengths: tf.Tensor | None,
    search: Search,
    scorer: Scorer | Judge | None = None,
    n_best: int = 1,
) -> Heard:
    """The texts of waveforms; a plain graph.

    Args:
        model: The transcriber.
        waveform: Float (batch, samples).
        lengths: Integer (batch,), the number of real samples of each; None if all are real.
        search: How to look for the texts.
        scorer: A language model that scores during the search, or one that rescores the texts found by the search.
        n_best: How many texts to return, at most the beam's width.
    """
    log_probs, steps = model.log_probabilities(waveform, lengths)
    if search.beam == 1 and scorer is None:
        tokens, scores = ctc_greedy(log_probs, steps)
        tokens, scores = tokens[:, None], scores[:, None]
    else:
        shorter, fewer = without_long_blanks(log_probs, steps, _CERTAIN)
        if scorer is None or isinstance(scorer, Scorer):
            beta = search.beta if scorer else 0.0
            tokens, scores, _ = ctc_beam_search(
                shorter, fewer, beam_width=search.beam, n_best=n_best, scorer=scorer, alpha=search.alpha, beta=beta
            )
        else:
            tokens, scores, _ = ctc_beam_search(shorter, fewer, beam_width=search.beam, n_best=search.beam)
            tokens, scores = _judged(model, tokens, scores, search, scorer, n_best)
    texts = _spelt(model, tokens)
    times = _words(model, log_probs, steps, tokens[:, 0])
    return Heard(
        tf.ensure_shape(texts, [None, n_best]),
        tf.ensure_shape(tf.maximum(scores, NO_ANSWER), [None, n_best]),
        tf.strings.split(texts[:, 0]).to_tensor(""),
        *times,
    )


def tidy(texts: tf.Tensor) -> tf.Tensor:
    """Texts with single spaces between words and none at the ends."""
    return tf.strings.strip(tf.strings.regex_replace(texts, " +", " "))


def _spelt(model: Transcriber, tokens: tf.Tensor) -> tf.Tensor:
    """The texts of tokens (batch, n, length), string (batch, n)."""
    shape = tf.shape(tokens)
    return tf.reshape(tidy(model.tokens.decode(tf.reshape(tokens, [shape[0] * shape[1], shape[2]]))), shape[:2])


def _judged(
    model: Transcriber, tokens: tf.Tensor, scores: tf.Tensor, search: Search, judge: Judge, n_best: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The best texts of those found, tokens (batch, n, length) and scores (batch, n), after rescoring each."""
    texts = tf.reshape(_spelt(model, tokens), [-1])
    gained = search.alpha * judge(texts) + search.beta * tf.cast(tf.strings.length(texts, "UTF8_CHAR"), tf.float32)
    scores, best = tf.math.top_k(scores + tf.reshape(gained, tf.shape(scores)), n_best)
    return tf.gather(tokens, best, batch_dims=1), scores


def _words(
    model: Transcriber, log_probs: tf.Tensor, steps: tf.Tensor, tokens: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Starts, ends and confidences of the words of a text, each float32 (batch, words)."""
    aligned = ctc_align(log_probs, steps, tokens)
    pieces = model.tokens.each(tokens)
    letters = (tokens >= 0) & (pieces != " ")
    # A word begins after a space, or with a subword that has a space in front.
    spaced = tf.strings.substr(pieces, 0, 1) == " "
    begins = letters & (spaced | ~tf.pad(letters[:, :-1], [[0, 0], [1, 0]]))
    number = tf.cumsum(tf.cast(begins, tf.int32), axis=1) - 1
    count = tf.reduce_max(tf.concat([[0], tf.reshape(number, [-1]) + 1], axis=0))
    # of[b, l, w]: token l is part of word w.
    of = letters[..., None] & tf.equal(number[..., None], tf.range(count)[None, None])
    steps_of = tf.cast(of, tf.float32)
    size = tf.reduce_sum(steps_of, axis=1)
    there = size > 0
    late = tf.reduce_max(aligned.last) + 1
    first = tf.reduce_min(tf.where(of, aligned.first[..., None], late), axis=1)
    last = tf.reduce_max(tf.where(of, aligned.last[..., None] + 1, 0), axis=1)
    sure = tf.reduce_sum(steps_of * tf.exp(aligned.log_probs)[..., None], axis=1) / tf.maximum(size, 1.0)
    seconds = model.step_seconds
    starts, ends = (tf.where(there, tf.cast(step, tf.float32) * seconds, 0.0) for step in (first, last))
    return starts, ends, tf.where(there, sure, 0.0)


def listener(model: Transcriber, search: Search, scorer: Scorer | Judge | None = None) -> Listen:
    """A function from a batch of waveforms and their lengths to their best texts, which compiles once."""

    def best(waveform: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        return transcribe(model, waveform, lengths, search, scorer).texts[:, 0]

    specs = [tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.int32)]
    compiled = tf.function(best, input_signature=specs, autograph=False)

    def listen(waveform: tf.Tensor, lengths: tf.Tensor) -> list[str]:
        return [text.decode("utf-8", errors="replace") for text in compiled(waveform, lengths).numpy()]

    return listen


def in_order(found: Sequence[str], order: np.ndarray) -> list[str]:
    """Answers in the order of the examples, from answers in the order of `WaveformBatches.order`."""
    return [found[place] for place in np.argsort(order)]
