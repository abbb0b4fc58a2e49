import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.apps.speech.model import SpeechClassifier
from tests.audio.recordings import speech_like

SMALL = {"sample_rate": 8000, "units": 8, "bands": 16, "convolutions": (4, 8)}
KINDS = [
    {},
    {"cell": "lstm", "layers": 2, "pooling": "max+mean"},
    {"cell": "rnn", "convolutions": ()},
    {"causal": True},
    {"causal": True, "cell": "lstm", "layers": 2, "convolutions": (4,)},
]


def classifier(**options):
    keras.utils.set_random_seed(0)
    model = SpeechClassifier(["a", "b", "c"], **(SMALL | options))
    model.build()
    # Weights as training leaves them, not as it finds them: answers that differ.
    for weight in model.trainable_weights:
        weight.assign(weight + 0.3 * keras.random.normal(weight.shape))
    model.log_mel.mean.assign(tf.fill([16], -4.0))
    return model


@pytest.mark.parametrize("options", KINDS)
def test_padding_never_changes_an_answer(options):
    model = classifier(**options)
    lengths = np.array([4000, 1234, 399, 80, 8000])
    clips = [speech_like(length, seed) for seed, length in enumerate(lengths)]
    alone = np.concatenate([model.probabilities(clip[None]) for clip in clips])
    together = model.probabilities(np.stack([np.pad(clip, (0, 8000 - len(clip))) for clip in clips]), lengths)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.ptp(alone, axis=0).max() > 0.01


@pytest.mark.parametrize("options", KINDS[3:])
def test_chunks_of_any_size_give_the_answer_to_the_whole(options):
    model = classifier(**options)
    clip = speech_like(4000)[None]
    whole = model.probabilities(clip)
    go_on = tf.function(model.stream, reduce_retracing=True)
    for chunk in (57, 160, 1001, 9999):
        states = model.initial_states(1)
        for begin in range(0, clip.shape[1], chunk):
            answer, states = go_on(tf.constant(clip[:, begin : begin + chunk]), states)
        np.testing.assert_allclose(answer, whole, atol=1e-5)


def test_an_empty_chunk_changes_nothing():
    model = classifier(causal=True)
    before, states = model.stream(speech_like(900)[None], model.initial_states(1))
    after, again = model.stream(np.zeros((1, 0), "float32"), states)
    np.testing.assert_allclose(after, before, atol=1e-6)
    for name, state in states.items():
        np.testing.assert_allclose(again[name], state, atol=1e-6)


@pytest.mark.parametrize("options", KINDS[:1] + KINDS[3:4])
def test_no_samples_and_few_samples_have_an_answer(options):
    model = classifier(**options)
    for samples in (0, 1, 79):
        np.testing.assert_allclose(model.probabilities(np.zeros((2, samples), "float32")).numpy().sum(axis=1), 1, 1e-5)


def test_a_long_recording_is_heard_to_its_end():
    model = classifier(causal=True)
    clip = np.tile(speech_like(80000), 12)  # two minutes
    other = clip.copy()
    other[-4000:] *= 5
    one, two = (model.probabilities(samples[None]).numpy() for samples in (clip, other))
    assert np.all(np.isfinite(one))
    assert np.abs(one - two).max() > 1e-4


def test_models_come_back_from_a_file(tmp_path):
    model, clip = classifier(layers=2), speech_like(4000)[None]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(again.probabilities(clip), model.probabilities(clip))
    assert again.classes == ("a", "b", "c")


def test_training_hears_other_clips_than_prediction():
    model, clip = classifier(), speech_like(4000)[None]
    assert not np.allclose(model(clip, training=True), model(clip))
    np.testing.assert_array_equal(model(clip), model(clip))


def test_what_cannot_stream_says_so():
    with pytest.raises(ValueError, match="cannot stream"):
        classifier().initial_states(1)
    with pytest.raises(ValueError, match="attention pooling, got 'max'"):
        classifier(causal=True, pooling="max")


def test_a_model_starts_from_what_another_has_learnt():
    one, other = classifier(layers=2), SpeechClassifier(["x", "y"], **SMALL, layers=2)
    other.build()
    other.start_from(one)
    for mine, theirs in zip(other.recurrent.weights, one.recurrent.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(ValueError, match="units is 9, but 8 in the model to start from"):
        classifier(units=9).start_from(one)
