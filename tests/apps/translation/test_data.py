import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from rnnapps.apps.translation import task
from rnnapps.apps.translation.cli import TASK
from rnnapps.apps.translation.data import batches
from rnnapps.cli import RunConfig
from rnnapps.datasets import Pairs, Rejected, summary
from rnnapps.text import END, PAD, START, Subwords, train_subwords

SOURCES = [f"{number} Hunde laufen durch den Park." for number in range(40)] + ["Ja.", "Ein Mann mit Hut schläft."]
TARGETS = [f"{number} dogs are running through the park." for number in range(40)] + ["Yes.", "A man in a hat sleeps."]
PAIRS = Pairs([s.encode() for s in SOURCES], [t.encode() for t in TARGETS], "dogs", "train", languages=("de", "en"))


@pytest.fixture(scope="module")
def model():
    subwords = [Subwords(train_subwords(texts, 520)) for texts in (SOURCES, TARGETS)]
    return SimpleNamespace(source_subwords=subwords[0], target_subwords=subwords[1])


def texts(model, made, epoch):
    found = []
    for (source, target_in), target_out in made.epoch(epoch):
        assert (target_in[:, 0] == START).numpy().all()
        assert tf.reduce_sum(tf.cast(target_out == END, tf.int32), axis=1).numpy().tolist() == [1] * len(source)
        assert not tf.reduce_any((target_out == START) | (target_in == END))
        shifted = tf.concat([target_out[:, :-1], tf.fill([len(source), 1], PAD)], axis=1)
        inside = target_in[:, 1:] != PAD
        assert tf.reduce_all(tf.where(inside, target_in[:, 1:] == shifted[:, : inside.shape[1]], True))
        sides = (model.source_subwords.decode(source), model.target_subwords.decode(target_out))
        found.extend(zip(*(side.numpy().tolist() for side in sides), strict=True))
    return sorted(found)


@pytest.mark.parametrize("sampling", [0, 0.2])
def test_batches_spell_the_pairs(model, sampling):
    made = batches(model, PAIRS, 8, seed=1, sampling=sampling)
    assert made.steps == 6
    for epoch in (0, 1):
        assert texts(model, made, epoch) == sorted(zip(PAIRS.sources, PAIRS.targets, strict=True))


def ids(made, epoch):
    rows = (row for (source, _), _ in made.epoch(epoch) for row in source.numpy())
    return sorted(row[row != PAD].tolist() for row in rows)


def test_sampling_segments_anew_every_epoch_and_alike_after_a_restart(model):
    made, again = (batches(model, PAIRS, 8, seed=1, sampling=0.2) for _ in range(2))
    assert ids(made, 0) != ids(made, 1)
    assert ids(made, 1) == ids(again, 1)
    best = batches(model, PAIRS, 8, seed=1)
    assert ids(best, 0) == ids(best, 1)


def test_the_summary_names_some_bad_pairs_once():
    rejected = tuple(Rejected(line, "the source is empty", Path("a.de")) for line in range(1, 23))
    splits = [Pairs([b"a"] * 1200, [b"b"] * 1200, "a.de, a.en", split, rejected) for split in ("train", "validation")]
    lines = list(summary(splits))
    assert lines[0] == "a.de, a.en: train 1,200, validation 1,200 pairs"
    assert lines[1] == "skipped 22 bad pairs:"
    assert lines[2] == "  a.de:1: the source is empty"
    assert lines[-1] == "  and 2 more; with --strict, the first is an error"
    assert len(lines) == 23
    assert list(summary([PAIRS])) == ["dogs: train 42 pairs; de to en"]


def test_the_sentences_of_val_bleu_are_spread_over_the_whole_split(monkeypatch):
    asked = []
    monkeypatch.setattr(task, "translator", lambda *_: lambda sources: asked.extend(sources) or TARGETS[:1] * 10)
    training = dataclasses.replace(TASK.training, bleu_sample=10)
    objective = task.objective(None, PAIRS, RunConfig(TASK.source(), TASK.model(), training))
    objective.figures["val_bleu"]()
    places = [PAIRS.sources.index(source) for source in asked]
    assert places == sorted(set(places)) and (len(places), places[0], places[-1]) == (10, 0, 41)
