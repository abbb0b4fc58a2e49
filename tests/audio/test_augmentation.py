import numpy as np
import pytest
import tensorflow as tf

from rnnapps.audio import BackgroundNoise, SpecAugment, VoiceAugmentation, WaveformAugmentation

NOTHING = {"speed": 0.0, "shift": 0, "gain": 0.0, "noise": None}


def sine(frequency, samples=4000, rate=8000):
    return np.sin(2 * np.pi * frequency * np.arange(samples) / rate)[None].astype("float32") * 0.1


def test_outside_training_nothing_changes():
    clip = sine(200)
    waveform, lengths = WaveformAugmentation()(clip, np.array([4000]))
    np.testing.assert_array_equal(waveform, clip)
    assert lengths.numpy().tolist() == [4000]
    np.testing.assert_array_equal(SpecAugment()(clip[..., None]), clip[..., None])


def test_with_nothing_to_vary_the_clip_stays():
    waveform, lengths = WaveformAugmentation(**NOTHING)(sine(200), np.array([3000]), training=True)
    assert lengths.numpy().tolist() == [3000]
    np.testing.assert_allclose(waveform[:, :3000], sine(200)[:, :3000], atol=1e-6)
    assert np.all(waveform[:, 3000:] == 0)


def test_speed_moves_the_pitch_and_the_length_together():
    layer = WaveformAugmentation(**NOTHING | {"speed": 0.5}, seed=3)
    clips = np.repeat(sine(400), 32, axis=0)
    waveform, lengths = layer(clips, np.full(32, 4000), training=True)
    lengths = lengths.numpy()
    assert lengths.min() >= 2666 and lengths.max() <= 6001 and np.ptp(lengths) > 1000
    assert waveform.shape[1] >= lengths.max()
    for clip, length in zip(waveform.numpy(), lengths, strict=True):
        peak = np.abs(np.fft.rfft(clip[:length])).argmax() * 8000 / length
        assert peak == pytest.approx(400 * 4000 / length, abs=4)


def test_shift_puts_silence_around():
    layer = WaveformAugmentation(**NOTHING | {"shift": 800}, seed=1)
    waveform, lengths = layer(np.full((16, 100), 0.5, "float32"), np.full(16, 100), training=True)
    begins = (np.abs(waveform) > 0.1).argmax(axis=1)
    assert len(set(begins.tolist())) > 8
    assert np.all(lengths.numpy() >= begins + 99)
    assert np.all(np.abs((np.abs(waveform) > 0.1).sum(axis=1) - 100) <= 1)


def test_noise_is_as_loud_as_asked_and_only_in_the_clip():
    layer = WaveformAugmentation(**NOTHING | {"noise": -10.0}, seed=1)
    clips = np.repeat(sine(400), 64, axis=0)
    waveform, _ = layer(np.pad(clips, ((0, 0), (0, 500))), np.full(64, 4000), training=True)
    noise = waveform.numpy()[:, :4000] - clips
    level = 10 * np.log10(np.mean(noise**2, axis=1) / np.mean(clips**2, axis=1))
    assert level.max() < -8 and level.min() > -53 and np.ptp(level) > 20
    assert np.all(waveform.numpy()[:, 4000:] == 0)


def test_gain_changes_the_loudness_and_never_clips_beyond_one():
    layer = WaveformAugmentation(**NOTHING | {"gain": 20.0}, seed=1)
    waveform, _ = layer(np.repeat(sine(400), 64, axis=0), np.full(64, 4000), training=True)
    peaks = np.abs(waveform).max(axis=1)
    assert peaks.min() < 0.03 and 0.5 < peaks.max() <= 1


def test_the_same_seed_gives_the_same_clips():
    one, two = (WaveformAugmentation(seed=5)(sine(400), np.array([4000]), training=True)[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_masks_hide_stretches_no_longer_than_asked():
    frames = SpecAugment(time=5, frequency=3, masks=1, seed=2)(tf.ones((64, 40, 20)), training=True).numpy()
    steps, bands = (frames.max(axis=2) == 0).sum(axis=1), (frames.max(axis=1) == 0).sum(axis=1)
    assert set(steps.tolist()) <= set(range(6)) and steps.max() == 5
    assert set(bands.tolist()) <= set(range(4)) and bands.max() == 3
    for hidden in frames.max(axis=2) == 0:
        assert np.abs(np.diff(np.pad(hidden.astype(int), 1))).sum() in (0, 2)  # one stretch


def test_masks_take_sequences_shorter_than_themselves():
    assert SpecAugment(time=50, frequency=50)(tf.ones((2, 3, 4)), training=True).shape == (2, 3, 4)


STILL = {"tempo": 0.0, "warp": 0.0, "channel": 0.0}


def varied(frames, **kwargs):
    mask = np.ones(frames.shape[:2], bool)
    return [found.numpy() for found in VoiceAugmentation(**STILL | kwargs, seed=1)(frames, mask, training=True)]


def test_a_voice_is_stretched_along_frequency_in_all_frames_alike():
    frames = np.zeros((32, 5, 40), "float32")
    frames[:, :, 20] = 1
    peaks = varied(frames, warp=0.25)[0].argmax(axis=2)
    assert np.all(peaks == peaks[:, :1])  # indices of bands
    assert 16 <= peaks.min() < 18 and 22 < peaks.max() <= 25


def test_a_voice_is_stretched_along_time_and_its_mask_with_it():
    frames = np.repeat(np.arange(100.0, dtype="float32")[None, :, None], 32, axis=0)
    found, mask = varied(frames, tempo=0.5)
    lengths = mask.sum(axis=1)
    assert lengths.min() >= 66 and lengths.max() <= 150 and np.ptp(lengths) > 40
    for clip, length in zip(found[..., 0], lengths, strict=True):
        assert np.diff(clip[: length - 2]) == pytest.approx(100 / length, rel=0.02)


def test_a_microphone_colours_all_frames_of_a_clip_alike_and_smoothly():
    found, _ = varied(np.zeros((256, 3, 40), "float32"), channel=0.5)
    # Frames of one clip are computed at different places of a vector, so rounding may differ.
    np.testing.assert_allclose(found[:, 0], found[:, 2], atol=1e-6)
    assert np.abs(np.diff(found[:, 0], axis=1)).max() < 0.8
    assert found[:, 0].std() == pytest.approx(0.5 * np.sqrt(3), rel=0.1)  # one constant and four cosines


def test_a_voice_stays_where_nothing_varies():
    frames = np.random.default_rng(0).standard_normal((3, 7, 9)).astype("float32")
    mask = np.ones((3, 7), bool)
    np.testing.assert_allclose(varied(frames)[0], frames, atol=1e-6)
    np.testing.assert_array_equal(VoiceAugmentation()(frames, mask)[0], frames)


def test_impossible_amounts_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        WaveformAugmentation(speed=-0.1)
    with pytest.raises(ValueError, match="must not be negative"):
        SpecAugment(time=-1)
    with pytest.raises(ValueError, match="must not be negative"):
        VoiceAugmentation(channel=-1)


def test_background_noise_is_an_excerpt_of_the_recordings_at_a_level_within_bounds():
    rng = np.random.default_rng(0)
    recordings = [rng.integers(-9000, 9000, size).astype(np.int16) for size in (700, 300)]
    clips = np.zeros((64, 400), "float32")
    lengths = rng.integers(50, 401, 64)
    for clip, length in zip(clips, lengths, strict=True):
        clip[:length] = rng.normal(0, 0.1, length)
    mix = BackgroundNoise(recordings, loudest=-5.0)
    noise = mix(tf.constant(clips), tf.constant(lengths), tf.constant([3, 4])).numpy() - clips
    joined = np.tile(np.concatenate(recordings), 2) / 2**15
    windows = np.lib.stride_tricks.sliding_window_view(joined, 50)[:1000]
    levels = []
    for clip, heard, length in zip(clips, noise, lengths, strict=True):
        np.testing.assert_array_equal(heard[length:], 0)
        match = windows @ heard[:50] / np.linalg.norm(windows, axis=1) / np.linalg.norm(heard[:50])
        start = np.argmax(match)
        assert match[start] > 0.999
        np.testing.assert_allclose(
            heard[:length] / np.linalg.norm(heard[:length]),
            joined[start : start + length] / np.linalg.norm(joined[start : start + length]),
            atol=2e-3,
        )
        levels.append(20 * np.log10(np.linalg.norm(heard) / np.linalg.norm(clip)))
    assert -45.1 < min(levels) < -40
    assert -10 < max(levels) < -4.9


def test_background_noise_is_the_same_for_the_same_seed_only():
    mix = BackgroundNoise([np.arange(1, 900, dtype=np.int16)], loudest=0.0)
    clips, lengths = tf.ones((2, 50)), tf.constant([50, 20])
    first, again, other = (mix(clips, lengths, tf.constant([0, step])).numpy() for step in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_silent_background_noise_changes_nothing_and_none_is_refused():
    mix = BackgroundNoise([np.zeros(10, np.int16)], loudest=0.0)
    np.testing.assert_array_equal(mix(tf.ones((1, 30)), tf.constant([30]), tf.constant([0, 0])), np.ones((1, 30)))
    with pytest.raises(ValueError, match="at least one sample"):
        BackgroundNoise([], loudest=0.0)


def test_training_batches_of_speech_have_the_noise_of_the_data_and_validation_batches_have_none():
    from rnnapps.apps.speech import task
    from rnnapps.apps.speech.cli import TASK, Options
    from rnnapps.cli import RunConfig
    from rnnapps.datasets import Recordings, RecordingSource

    waveforms = [np.full(100, 1000 + number, np.int16) for number in range(4)]
    noise = (np.random.default_rng(0).integers(-9000, 9000, 500).astype(np.int16),)
    split = Recordings(
        waveforms, np.array([0, 1, 0, 1]), ("a", "b"), tuple("abcd"), 16_000, "own", "train", noise=noise
    )
    config = RunConfig(RecordingSource(), Options(), TASK.training)

    def epoch(seed, number):
        (batch,) = task.batches(None, split, config, seed).epoch(number)
        (waveform, _), labels = batch
        return waveform.numpy()[np.argsort(waveform.numpy().mean(axis=1))], labels

    plain = np.stack(waveforms) / 2**15
    np.testing.assert_allclose(epoch(None, 0)[0], plain, atol=1e-6)
    first, again, later = epoch(7, 0)[0], epoch(7, 0)[0], epoch(7, 1)[0]
    assert np.all(np.abs(first.std(axis=1)) > 0)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - later).max() > 0


@pytest.mark.parametrize("options", [{"speed": 0.0, "shift": 0}, {"speed": 0.0}, {}])
@pytest.mark.parametrize("shape", [(2, 0), (2, 100), (0, 100), (0, 0)])
def test_clips_without_samples_stay_so(options, shape):
    layer = tf.function(WaveformAugmentation(**options), reduce_retracing=True)
    waveform, lengths = layer(tf.zeros(shape), tf.zeros([shape[0]], tf.int32), training=True)
    assert waveform.shape[0] == lengths.shape[0] == shape[0] and not tf.reduce_any(waveform != 0)
