"""What an exported classifier answers."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from rnnapps.serving.chunks import Outputs, in_chunks


def labelled(classes: Sequence[str], probabilities: tf.Tensor) -> Outputs:
    """The answers of a classifier.

    Args:
        classes: The names of the classes, in the order of the probabilities.
        probabilities: Float32 `(batch, classes)`.

    Returns:
        `label`: string `(batch,)`, the most probable class; `score`: float32 `(batch,)`, its probability; and the
        `probabilities`.

    Example:
        >>> labelled(["no", "yes"], tf.constant([[0.25, 0.75]]))["label"].numpy()
        array([b'yes'], dtype=object)
    """
    label = tf.gather(tf.constant(list(classes)), tf.argmax(probabilities, axis=1))
    return {"label": label, "score": tf.reduce_max(probabilities, axis=1), "probabilities": probabilities}


def labelled_in_chunks(
    classes: Sequence[str], probabilities: Callable[..., tf.Tensor], rows: int
) -> Callable[..., Outputs]:
    """As `in_chunks`, for the probabilities of a classifier; batches of any size get the answers of `labelled`."""
    # One tensor goes through the loop instead of three.
    chunked = in_chunks(lambda *inputs: {"probabilities": probabilities(*inputs)}, rows)
    return lambda *inputs: labelled(classes, **chunked(*inputs))
