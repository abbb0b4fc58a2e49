"""Whatever a client sends to an export gets an error or an answer, and the next request is answered as ever."""

import io
import resource

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.sentiment import serving as sentiment
from rnnapps.apps.sentiment.model import SentimentClassifier
from rnnapps.apps.speech import serving as speech
from rnnapps.apps.speech.model import SpeechClassifier

RATE = 4000
REFUSED = (tf.errors.InvalidArgumentError, TypeError, ValueError)
MEMORY = 3 * 2**30  # bytes that a process may grow by; 100,000 texts of 400 words would take ten times as much at once


def wav(samples, **kwargs):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", **kwargs)
    return file.getvalue()


SOUND = wav(np.sin(np.arange(RATE // 4) / 5))


@pytest.fixture(scope="module", autouse=True)
def unchecked():
    """The check has its own tests and takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnnapps.serving.export.check_export", lambda folder: serving.Findings(()))
        yield


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Functions from a batch to the answers, by the name of the input."""
    folder = tmp_path_factory.mktemp("exports")
    texts = SentimentClassifier(["good", "bad"], ["bad", "good"], ngram_bins=64, units=32, embedding_units=32)
    texts.build()
    sounds = SpeechClassifier(["high", "low"], sample_rate=RATE, units=8, bands=16, convolutions=(4, 8))
    sounds.build()
    for model, app, name in ((texts, sentiment, "text"), (sounds, speech, "audio")):
        serving.save(folder / name, [model], app.endpoints(model), app.samples(model, None))
    functions = {
        "text": serving.load(folder / "text"),
        "audio": serving.load(folder / "audio"),
        "waveform": serving.load(folder / "audio", "waveform"),
    }
    return {
        name: lambda batch, name=name, ask=ask: ask(**{name: tf.constant(batch)}) for name, ask in functions.items()
    }


GOOD = {"text": ["a good film"], "audio": [SOUND], "waveform": np.float32([np.sin(np.arange(1000) / 5)])}


@pytest.fixture(params=GOOD)
def name(request):
    return request.param


@pytest.fixture(autouse=True)
def next_request_works(asked):
    before = {name: asked[name](batch)["probabilities"].numpy() for name, batch in GOOD.items()}
    yield
    for name, batch in GOOD.items():
        np.testing.assert_allclose(asked[name](batch)["probabilities"], before[name], atol=1e-6)


@pytest.mark.parametrize("batch", [[1, 2], [True], [[[1j]]]])
def test_a_wrong_dtype_is_refused(asked, name, batch):
    with pytest.raises(REFUSED):
        asked[name](batch)


def test_a_wrong_rank_is_refused(asked, name):
    for batch in (GOOD[name][0] if name != "waveform" else 1.0, [[GOOD[name]]]):
        with pytest.raises(REFUSED):
            asked[name](batch)


@pytest.mark.parametrize(
    "text",
    [b"\xff\xfe\xc3(", b"\x00" * 1000, b"good " * 200_000, b"x" * 1_000_000, b"<" * 1_000_000, "🎉".encode() * 250_000],
    ids=["no UTF-8", "zeros", "1 MB of words", "one word of 1 MB", "1 MB of markup", "1 MB of emoji"],
)
def test_any_text_is_answered(asked, text):
    answer = asked["text"]([text, b"a good film"])
    np.testing.assert_allclose(answer["probabilities"][1:], asked["text"](["a good film"])["probabilities"], atol=1e-5)
    np.testing.assert_allclose(tf.reduce_sum(answer["probabilities"], axis=1), 1, atol=1e-5)


def test_a_damaged_wav_is_answered_or_refused(asked):
    refused = 0
    for end in [*range(60), len(SOUND) - 1]:
        try:
            assert np.isfinite(asked["audio"]([SOUND[:end]])["probabilities"]).all()
        except tf.errors.InvalidArgumentError as error:
            assert "audio: " in str(error)
            refused += 1
    assert refused >= 44  # a header alone is no sound
    for content in (b"", b"RIFF", b"\xff" * 1_000_000, SOUND[:40] + b"\xff" * 4 + SOUND[44:]):
        with_sound = [SOUND, content]
        try:
            assert asked["audio"](with_sound)["probabilities"].shape == (2, 2)
        except tf.errors.InvalidArgumentError as error:
            assert "audio: " in str(error)


def test_a_hundred_thousand_texts_are_answered_in_bounded_memory(asked):
    batch = np.array(["a good film"] * 100_000, object)
    batch[::10_000] = "bad " * 500
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = asked["text"](batch)
    assert answer["label"].shape == (100_000,)
    assert np.unique(answer["score"].numpy().round(4)).size == 2
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


def test_a_hundred_thousand_waveforms_are_answered_in_bounded_memory(asked):
    batch = np.zeros((100_000, 200), "float32")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert asked["waveform"](batch)["label"].shape == (100_000,)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


def test_thousands_of_files_are_answered(asked):
    tiny = wav(np.zeros(100))
    assert asked["audio"]([tiny] * 2000)["label"].shape == (2000,)
