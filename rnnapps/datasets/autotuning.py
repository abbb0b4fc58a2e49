"""Data sets without the pause that ends an epoch."""

import tensorflow as tf


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """`dataset` without tf.data's autotuning, whose thread may sleep while its iterator waits to be released.

    In training that was a pause of 40 s after each epoch of 100 s. Steps with `AUTOTUNE` get one thread per core
    instead.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
