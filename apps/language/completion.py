"""Autocomplete: the likeliest completions of the last word of a text, and the likeliest next words."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.apps.language.generation import Tensors, after
from rnnapps.apps.language.model import LanguageModel
from rnnapps.apps.language.tokens import END, PAD, UNKNOWN, valid_utf8
from rnnapps.decoding import IMPOSSIBLE, beam_search

_LONGEST = 24  # tokens of a word
_LAST_WORD = r"(?s)^(.*?)( ?[\pL\pM\pN'’-]*)$"


def complete(model: LanguageModel, prefix: tf.Tensor, count: int) -> dict[str, tf.Tensor]:
    """Completions of the last word of texts, which may be unfinished or just a space.

    A beam of words is searched token by token. The first tokens have to spell what is there of the word; a word ends
    where a space, a punctuation mark, a line break or the end of the document is more probable than a continuation.

    Args:
        model: The model.
        prefix: String `(batch,)`.
        count: How many.

    Returns:
        `completions`, string `(batch, count)`: whole words, the most probable first; `probabilities`, float32
        `(batch, count)`: of each, given the text with what is there of the word. Where there are fewer, the words are
        empty, with the probability 0.
    """
    within = model.tokens.of_letters()
    letters = within | model.tokens.of_letters(" ")  # other tokens are marks, white space, and ids without text
    pieces = tf.constant(model.tokens.pieces)
    space = np.array([piece == b" " for piece in model.tokens.pieces])
    never = tf.constant([number in (PAD, UNKNOWN) for number in range(model.tokens.size)])
    width = 2 * count

    begun = tf.strings.regex_replace(prefix, _LAST_WORD, r"\2")
    context = tf.strings.regex_replace(prefix, _LAST_WORD, r"\1")
    if model.tokens.normalised:
        begun = tf.strings.lower(begun, encoding="utf-8")
    if model.tokens.spaced_lines:  # the first word of a line has a space before it, too
        at_start = (context == "") | tf.strings.regex_full_match(context, r"(?s).*\n")
        lacks = at_start | model.tokens.normalised
        begun = tf.where(lacks & ~tf.strings.regex_full_match(begun, " .*"), tf.strings.join([" ", begun]), begun)
    if spelling := model.tokens.level != "char" or model.tokens.normalised:
        position, rest, empty = after(model, context), begun, tf.fill([tf.shape(prefix)[0]], True)
    else:  # characters spell what is there of the word in one way only, so it is read with the rest
        position, rest = after(model, prefix), tf.zeros_like(begun)
        empty = ~tf.strings.regex_full_match(begun, r".*[\pL\pM\pN'’-].*")

    def step(ids: tf.Tensor, states: Any, constants: Tensors) -> tuple[tf.Tensor, Any]:
        rest, empty, started, *states = states  # to be spelt; no letter yet; whether `ids` belongs to the word
        shape = tf.shape(ids)
        token = tf.reshape(ids, [-1])
        piece = tf.where(tf.reshape(started, [-1]), tf.gather(pieces, token), "")
        rest = tf.reshape(rest, [-1])
        spelt_now = tf.minimum(tf.strings.length(piece), tf.strings.length(rest))
        rest = tf.strings.substr(rest, spelt_now, tf.strings.length(rest) - spelt_now)
        empty = tf.reshape(empty, [-1]) & ~(tf.reshape(started, [-1]) & tf.gather(tf.constant(letters), token))
        outputs, states = model.step(token, [tf.reshape(state, [-1, state.shape[-1]]) for state in states])
        logits = tf.where(never, IMPOSSIBLE, model.logits(outputs))
        spelt = rest == ""

        def fitting() -> tf.Tensor:
            spells = _begins(pieces[None], rest[:, None])
            if model.tokens.level != "word":  # where a word has several tokens, one may spell a part of it
                spells |= _begins(rest[:, None], pieces[None])
            return tf.where(spells & (pieces != "") | spelt[:, None], logits, IMPOSSIBLE)

        logits = tf.cond(tf.reduce_all(spelt), lambda: logits, fitting)
        stuck = tf.reduce_max(logits, axis=1) <= IMPOSSIBLE  # nothing spells what is there; the word is not shown
        # A word ends with any token that does not continue it; their probabilities are added. A token that is a word is
        # not continued, not even by the first word of a line, which has no space before it.
        over = tf.constant(~within | (model.tokens.level == "word"))
        ending = tf.reduce_logsumexp(tf.where(over, logits, IMPOSSIBLE), axis=1)
        free = spelt & ~empty
        logits = tf.where(free[:, None] & over, IMPOSSIBLE, logits)
        # Before the first letter, only a space is allowed.
        logits = tf.where((spelt & empty)[:, None] & tf.constant(~(letters | space)), IMPOSSIBLE, logits)
        ending = tf.where(free, ending, tf.where(stuck, 0.0, IMPOSSIBLE))
        logits = tf.concat([logits[:, :END], ending[:, None], logits[:, END + 1 :]], axis=1)

        def back(value: tf.Tensor) -> tf.Tensor:
            return tf.reshape(value, tf.concat([shape, tf.shape(value)[1:]], 0))

        started = tf.ones_like(started)
        return back(logits), (back(rest), back(empty), started, *map(back, states))

    states = (rest, empty, tf.zeros_like(empty), *position.states)
    found = beam_search(
        step, states, start=position.last, end=END, max_length=_LONGEST, beam_width=width, n_best=width, alpha=0.0
    )
    words = tf.strings.reduce_join(tf.gather(pieces, found.ids), axis=-1)
    if not spelling:
        words = tf.strings.join([tf.broadcast_to(begun[:, None], tf.shape(words)), words])
    likely = (found.scores > IMPOSSIBLE / 10) & _begins(words, begun[:, None])
    words = tf.where(likely, tf.strings.strip(valid_utf8(words)), "")
    probabilities = tf.where(likely, tf.exp(found.scores), 0.0)
    # Several tokens may spell one word in several ways.
    same = words[:, :, None] == words[:, None, :]
    first = ~tf.reduce_any(tf.linalg.band_part(same, -1, 0) & ~tf.eye(width, dtype=tf.bool), axis=2)
    probabilities = tf.where(first, tf.reduce_sum(tf.where(same, probabilities[:, None, :], 0.0), axis=2), 0.0)
    best = tf.math.top_k(probabilities, count)
    words = tf.gather(words, best.indices, batch_dims=1)
    return {"completions": tf.where(best.values > 0, words, ""), "probabilities": best.values}


def next_tokens(model: LanguageModel, outputs: tf.Tensor, count: int) -> dict[str, tf.Tensor]:
    """The most probable known tokens as text, string `(batch, count)`, and their probabilities; the end is ""."""
    probabilities = tf.nn.softmax(model.logits(outputs))
    known = tf.where(tf.range(model.tokens.size) == UNKNOWN, 0.0, probabilities)
    likeliest = tf.math.top_k(known, min(count, model.tokens.size))
    return {"next": model.tokens.shown(likeliest.indices), "probabilities": likeliest.values}


def _begins(texts: tf.Tensor, beginnings: tf.Tensor) -> tf.Tensor:
    """Whether texts begin with others, both string, of shapes that broadcast to one of two axes."""
    shape = tf.broadcast_dynamic_shape(tf.shape(texts), tf.shape(beginnings))
    texts, beginnings = (tf.reshape(tf.broadcast_to(text, shape), [-1]) for text in (texts, beginnings))
    lengths = tf.strings.length(beginnings)
    enough = tf.strings.length(texts) >= lengths
    starts = tf.strings.substr(texts, tf.zeros_like(lengths), tf.where(enough, lengths, 0))
    return tf.reshape(enough & (starts == beginnings), shape)
