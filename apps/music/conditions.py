"""Key and metre as a client names them, in the graph."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from rnnapps.apps.music.keys import NAMES
from rnnapps.assertions import asserted

_METRE = r"([1-9]|[12]\d|3[0-2])/(1|2|4|8|16)"


def key_index(key: tf.Tensor) -> tf.Tensor:
    """One more than the number of each key, int32 `(batch,)`, and 0 for none.

    Args:
        key: String `(batch,)`, such as "G major", or "" for none; any other text is an error of the graph.
    """
    names, numbers = tf.constant(["", *NAMES]), tf.constant([0, *(number + 1 for number in NAMES.values())])
    known = tf.cast(key[:, None] == names, tf.int32)
    (known,) = asserted([known], tf.reduce_all(tf.reduce_any(known > 0, axis=1)), "key must be like 'F# minor'")
    return tf.reduce_max(known * numbers, axis=1)


def metre_index(metre: tf.Tensor, learnt: Sequence[str]) -> tuple[tf.Tensor, tf.Tensor]:
    """One more than the place of each metre among those learnt, and the length of its bar.

    Args:
        metre: String `(batch,)`, such as "3/4"; "" for 4/4. Any other text is an error of the graph.
        learnt: The metres that a model has learnt.

    Returns:
        Int32 `(batch,)`, 0 for a metre that is not among them, and quarter notes in a bar, float32 `(batch,)`.
    """
    metre = tf.where(metre == "", "4/4", metre)
    form = tf.reduce_all(tf.strings.regex_full_match(metre, _METRE))
    (metre,) = asserted([metre], form, "metre must be a time signature such as 3/4")
    parts = tf.strings.to_number(tf.strings.split(metre, "/").to_tensor(shape=[None, 2]))
    places = tf.cast(metre[:, None] == tf.constant(tuple(learnt) or ("none",)), tf.int32)
    return tf.reduce_sum(places * tf.range(1, 1 + places.shape[1]), axis=1), parts[:, 0] * 4 / parts[:, 1]
