import io

import numpy as np
import pytest
import soundfile
import soxr
import tensorflow as tf

from rnnapps.audio import AudioError, decode_wav, read_audio, resample
from rnnapps.audio.to_wav import wav_bytes as part_of
from tests.audio.recordings import speech_like, wav_bytes

KINDS = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]


@pytest.fixture(scope="module")
def in_graph():
    return tf.function(
        lambda audio: decode_wav(audio, 16000), input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
    )


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG"])
def test_files_are_mixed_to_one_channel_and_resampled(tmp_path, form):
    left, right = speech_like(22050, 1), speech_like(22050, 2)
    path = tmp_path / f"clip.{form.lower()}"
    soundfile.write(path, np.stack([left, right], axis=1), 22050, format=form)
    samples = read_audio(path, 16000)
    assert samples.dtype == np.float32
    expected = soxr.resample((left + right) / 2, 22050, 16000)
    assert len(samples) == len(expected)
    assert np.abs(samples - expected).mean() < (0.05 if form == "OGG" else 1e-4)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "the file is empty"),
        (b"this is a text\n" * 50, "not a recording in a known format"),
        (wav_bytes(np.zeros(0, np.float32)), "no samples"),
        (wav_bytes(np.array([0.0, np.nan], np.float32), subtype="FLOAT"), "NaN or infinite"),
        (wav_bytes(np.array([0.0, 1e30], np.float32), subtype="FLOAT"), "larger than 1,000,000,000"),
        (wav_bytes(np.zeros(9, np.float32), rate=7), "the sample rate must be from 1000 to 768000 Hz, got 7"),
    ],
    ids=[
        "empty",
        "text",
        "no-samples",
        "not-finite",
        "too-loud",
        "rate",
    ],  # libsndfile writes the time into a file of floats
)
def test_what_is_no_recording_is_named(tmp_path, content, complaint):
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=f"bad.wav: .*{complaint}"):
        read_audio(path, 16000)


def test_a_file_that_is_cut_off_is_named_and_a_stream_of_unknown_length_is_read(tmp_path):
    content = wav_bytes(speech_like(8000))
    (tmp_path / "a.wav").write_bytes(content[:9000])
    for read in (lambda path: read_audio(path, 16000), part_of):
        with pytest.raises(AudioError, match=r"a\.wav: the file is cut off: 9,000 of 16,044 bytes; copy it again, or"):
            read(tmp_path / "a.wav")
    for size in (0, 2**31 - 1, 2**32 - 1):
        assert len(read_audio(content[:4] + size.to_bytes(4, "little") + content[8:], 8000)) == 8000


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"nowhere.wav: cannot be read: No such file"):
        read_audio(tmp_path / "nowhere.wav", 16000)


def test_one_sample_stays_one_sample():
    assert len(read_audio(wav_bytes(np.array([0.5], np.float32), rate=44100), 16000)) == 1


def test_the_graph_reads_wav_as_soundfile_does(in_graph):
    clip = speech_like(3001)
    stereo = np.stack([clip, -clip / 2], axis=1)
    contents = [wav_bytes(samples, 16000, kind) for kind in KINDS for samples in (clip, stereo)]
    contents += [wav_bytes(stereo, 16000, "PCM_24", "WAVEX")]
    found = in_graph(tf.constant(contents))
    for content, samples in zip(contents, found, strict=True):
        np.testing.assert_allclose(samples, read_audio(content, 16000), atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 44099])
def test_the_graph_resamples_as_soxr_does(in_graph, rate):
    clip = speech_like(rate // 2 + 1)  # no power near either Nyquist frequency, where filters may differ
    if rate > 16000:
        clip = soxr.resample(soxr.resample(clip, rate, 10000), 10000, rate)
    found = in_graph(tf.constant([wav_bytes(clip, rate, "FLOAT")]))[0].numpy()
    expected = soxr.resample(clip, rate, 16000, quality="VHQ")
    assert abs(len(found) - len(expected)) <= 1
    inside = slice(400, min(len(found), len(expected)) - 400)  # the ends of a cut-off wave depend on the filter
    assert np.abs(found[inside] - expected[inside]).max() < 2e-3


def test_resampling_there_and_back_changes_nothing():
    clip = speech_like(5000)
    back = resample(resample(tf.constant(clip), tf.constant(8000), 12345), tf.constant(12345), 8000)
    np.testing.assert_allclose(back[300:4700], clip[300:4700], atol=2e-3)


def test_a_recording_that_was_cut_off_gives_what_there_is(in_graph):
    content = wav_bytes(speech_like(1000), 16000)
    found = in_graph(tf.constant([content[:1044]]))[0]
    np.testing.assert_allclose(found, read_audio(content, 16000)[:500], atol=1e-7)


def test_chunks_before_the_data_are_passed_over(in_graph):
    content = wav_bytes(speech_like(100), 16000)
    note = b"LIST" + (5).to_bytes(4, "little") + b"notes\0"  # an odd size is followed by a byte of padding
    found = in_graph(tf.constant([content[:12] + note + content[12:]]))[0]
    np.testing.assert_allclose(found, read_audio(content, 16000), atol=1e-7)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not a WAV file"),
        (b"hello", "not a WAV file"),
        (b"RIFF\x00\x00\x00\x00WAVE", "without a fmt or data chunk"),
        (wav_bytes(speech_like(100), 16000, "ALAW"), "WAV format"),
        (wav_bytes(speech_like(100), 10), "1 to 768 kHz"),
        (wav_bytes(np.array([0.0, np.inf], np.float32), subtype="FLOAT"), "NaN or infinite"),
        (wav_bytes(np.array([0.0, -1e30], np.float32), subtype="FLOAT"), "larger than 1,000,000,000"),
    ],
    ids=["empty", "text", "no-chunks", "a-law", "rate", "not-finite", "too-loud"],
)
def test_the_graph_says_what_it_cannot_read(in_graph, content, complaint):
    with pytest.raises(tf.errors.InvalidArgumentError, match=complaint):
        in_graph(tf.constant([content]))


def test_no_recordings_give_no_waveforms(in_graph):
    assert in_graph(tf.constant([], tf.string)).shape[0] == 0


def test_bytes_are_taken_like_files():
    file = io.BytesIO()
    soundfile.write(file, speech_like(100), 16000, format="FLAC")
    assert read_audio(file.getvalue(), 16000).shape == (100,)


@pytest.mark.parametrize("part", [(0.5, 0.2), (0.1, 0.1), (-0.1, None), (float("nan"), None), (0.0, float("nan"))])
def test_a_part_that_cannot_be_is_named(tmp_path, part):
    (tmp_path / "a.wav").write_bytes(wav_bytes(speech_like(8000)))
    with pytest.raises(AudioError, match=r"a\.wav: a part begins at 0 s or later and ends after that"):
        part_of(tmp_path / "a.wav", *part)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_in_units_of_16_bits_are_scaled_alike_in_python_and_in_the_graph(in_graph, subtype):
    clip = np.sin(np.arange(800) / 5) * np.linspace(1, 0.2, 800)
    content = wav_bytes(clip * 8000, 16000, subtype)
    expected = clip * 8000 / 2**15
    np.testing.assert_allclose(read_audio(content, 16000), expected, atol=1e-6)
    np.testing.assert_allclose(in_graph(tf.constant([content]))[0].numpy(), expected, atol=1e-6)
    loud = wav_bytes(clip * 3, 16000, subtype)  # beyond full scale, as from some decoders
    np.testing.assert_allclose(read_audio(loud, 16000), clip * 3, atol=1e-6)
    np.testing.assert_allclose(in_graph(tf.constant([loud]))[0].numpy(), clip * 3, atol=1e-6)
