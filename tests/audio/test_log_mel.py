import keras
import librosa
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.audio import LogMel
from rnnapps.audio.log_mel import mel_filters
from tests.audio.recordings import speech_like


@pytest.mark.parametrize(("rate", "bands", "window", "hop"), [(16000, 40, 0.025, 0.01), (8000, 23, 0.032, 0.016)])
@pytest.mark.slow
def test_frames_are_those_of_librosa(rate, bands, window, hop):
    layer = LogMel(rate, bands, window, hop)
    clip = speech_like(rate)
    frames, mask = layer(clip[None])
    # librosa puts a window shorter than the transform into its middle.
    beside = (layer.fft_length - layer.window) // 2
    padded = np.pad(clip, (layer.window - layer.hop + beside, beside))
    expected = librosa.feature.melspectrogram(
        y=padded,
        sr=rate,
        n_fft=layer.fft_length,
        win_length=layer.window,
        hop_length=layer.hop,
        center=False,
        n_mels=bands,
        fmin=20,
        fmax=min(7600, rate / 2),
        htk=True,
        norm=None,
    )
    assert frames.shape == (1, rate // layer.hop, bands)
    assert np.all(mask)
    np.testing.assert_allclose(frames[0], np.log(expected.T + 1e-6), atol=1e-3)


def test_filters_are_those_of_librosa():
    expected = librosa.filters.mel(sr=16000, n_fft=512, n_mels=64, fmin=60, fmax=7000, htk=True, norm=None)
    np.testing.assert_allclose(mel_filters(16000, 512, 64, 60, 7000), expected.T, atol=1e-6)


def test_the_middle_of_a_band_has_its_place():
    centres = librosa.mel_frequencies(42, fmin=20, fmax=7600, htk=True)[1:-1]
    places = [LogMel(16000).place(hertz) for hertz in centres]
    np.testing.assert_allclose(places, np.arange(40) + 0.5, atol=1e-6)


@pytest.mark.parametrize("chunk", [1, 33, 80, 333, 4000])
@pytest.mark.sampled
def test_chunks_give_the_frames_of_the_whole(chunk):
    layer = LogMel(8000, bands=12)
    clip = speech_like(250 if chunk == 1 else 4000)[None]
    whole, _ = layer(clip)
    state, parts = layer.initial_state(1), []
    for begin in range(0, clip.shape[1], chunk):
        frames, state = layer.stream(clip[:, begin : begin + chunk], state)
        parts.append(frames)
    np.testing.assert_allclose(tf.concat(parts, axis=1), whole, atol=1e-4)


def test_padding_changes_no_frame_and_is_masked():
    layer = LogMel(8000)
    clip = speech_like(1234)
    alone, _ = layer(clip[None])
    padded, mask = layer(np.pad(clip, (0, 700))[None], np.array([1234]))
    assert mask.numpy().sum() == alone.shape[1] == 1234 // 80
    # Not bit for bit: the shape of the product with the mel filters differs, and so may its order of summation.
    np.testing.assert_allclose(padded[:, : alone.shape[1]], alone, atol=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 79, 80])
def test_short_clips_give_few_frames_or_none(samples):
    frames, mask = LogMel(8000)(np.zeros((2, samples), "float32"))
    assert frames.shape == (2, samples // 80, 40)
    assert mask.shape == (2, samples // 80)
    assert np.all(np.isfinite(frames))


def test_normalisation_is_learnt_from_real_frames_and_saved(tmp_path):
    clips = np.stack([speech_like(4000, seed) for seed in range(4)])
    lengths = np.array([4000, 4000, 3000, 2000])
    layer = LogMel(8000)
    layer(clips[:1])
    layer.adapt([(clips[:1] * 5, lengths[:1])])  # which the next time makes no difference
    layer.adapt([(clips[:2], lengths[:2]), (clips[2:] * 1.0, lengths[2:])])
    frames, mask = layer(clips, lengths)
    real = frames.numpy()[mask.numpy()]
    np.testing.assert_allclose(real.mean(axis=0), 0, atol=1e-3)
    assert np.all(real.std(axis=0) <= 1.001)
    inputs = keras.Input((None,))
    model = keras.Model(inputs, layer(inputs)[0])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(clips), model(clips))


def test_frames_stay_in_full_precision():
    assert LogMel(8000, dtype="mixed_bfloat16")(np.zeros((1, 800), "float32"))[0].dtype == tf.float32


@pytest.mark.parametrize(
    "wrong", [{"hop_seconds": 0.05}, {"highest": 5000.0}, {"lowest": 4000.0}, {"window_seconds": 0.0001}]
)
def test_impossible_frames_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        LogMel(8000, **wrong)
