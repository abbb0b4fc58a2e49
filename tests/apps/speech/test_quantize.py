"""A LiteRT file of a speech model hears what the model hears."""

import numpy as np
import tensorflow as tf

from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.apps.speech.serving import quantize
from rnnapps.datasets import Recordings
from rnnapps.serving.litert import Interpreter
from tests.audio.recordings import RATE, tone

KINDS = ("high", "low", "rising")


def test_eight_bits_hardly_change_probabilities(tmp_path):
    random = np.random.default_rng(0)
    clips = [
        np.resize(np.float32(0.01 if quiet else 1) * tone(kind, random), RATE) for kind in KINDS for quiet in (0, 1)
    ]
    model = SpeechClassifier(KINDS, sample_rate=RATE, units=16)
    model.log_mel.adapt([(clip[None], np.array([RATE])) for clip in clips])
    model.build()
    model.head.kernel.assign(4 * model.head.kernel)  # a model that is sure of itself, as a trained one is
    labels = [int(np.argmax(model.probabilities(clip[None]))) for clip in clips]
    split = Recordings([np.int16(clip * 2**15) for clip in clips], np.array(labels), KINDS, (), RATE, "tones", "test")
    before, _, count = quantize(model, tmp_path / "model.tflite", split)
    assert (before, count) == (1, len(clips))
    smaller = Interpreter(tmp_path / "model.tflite")
    for clip in clips:
        np.testing.assert_allclose(smaller(clip[None]), model.probabilities(clip[None]), atol=0.02)


def test_bands_without_a_product_are_the_same():
    model = SpeechClassifier(KINDS, sample_rate=RATE, units=4)
    model.build()
    wave = tf.constant(np.random.default_rng(1).standard_normal((2, RATE)), tf.float32)
    expected = model.log_mel.spectrum(wave)
    with model.log_mel.without_product():
        np.testing.assert_allclose(model.log_mel.spectrum(wave), expected, rtol=1e-4, atol=1e-4)
