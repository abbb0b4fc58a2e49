import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnapps.datasets.splits import SPLITS, divide, quotas, text_hash


def parts_by_text(texts, labels, **sizes):
    parts = divide([text_hash(text, 0) for text in texts], labels, **sizes)
    return dict(zip(texts, parts.tolist(), strict=True))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(0, 12), st.integers(0, 12))
def test_every_class_keeps_a_training_example_and_no_part_is_larger_than_asked(labels, validation, test):
    labels = np.unique(labels, return_inverse=True)[1]
    parts = divide(np.arange(len(labels)), labels, validation=validation, test=test)
    assert set(labels[parts == 0]) == set(labels)
    assert (parts == SPLITS.index("validation")).sum() <= validation
    assert (parts == SPLITS.index("test")).sum() <= test


def test_large_classes_give_exactly_what_is_asked_in_proportion():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    parts = divide(np.random.default_rng(0).integers(0, 2**63, 1000), labels, validation=100, test=50)
    assert np.bincount(labels[parts == 1]).tolist() == [60, 30, 10]
    assert np.bincount(labels[parts == 2]).tolist() == [30, 15, 5]


def test_the_order_of_the_rows_does_not_matter():
    texts = [str(number).encode() for number in range(200)]
    labels = [number % 3 for number in range(200)]
    shuffled = np.random.default_rng(1).permutation(200)
    again = parts_by_text([texts[i] for i in shuffled], [labels[i] for i in shuffled], validation=20, test=20)
    assert parts_by_text(texts, labels, validation=20, test=20) == again


def test_hash_is_fixed_for_all_time_and_depends_on_the_seed():
    assert text_hash(b"good", 0) == 973327805157084796
    assert text_hash(b"good", 1) != text_hash(b"good", 0)


def test_no_class_is_emptied_by_a_quota():
    assert quotas(np.array([2, 1]), 3).tolist() == [1, 0]
    assert quotas(np.array([0, 5]), 2).tolist() == [0, 2]
