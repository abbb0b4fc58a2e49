import tensorflow as tf

from rnnapps.datasets.autotuning import without_autotuning


def test_autotuning_stays_off_behind_other_steps_and_the_elements_are_the_same():
    dataset = without_autotuning(tf.data.Dataset.range(5).map(lambda n: 2 * n, num_parallel_calls=tf.data.AUTOTUNE))
    for later in (dataset, dataset.skip(0).take(5).prefetch(tf.data.AUTOTUNE)):
        assert later.options().autotune.enabled is False
        assert list(later.as_numpy_iterator()) == [0, 2, 4, 6, 8]
