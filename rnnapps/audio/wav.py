"""WAV bytes to waveforms in the graph: PCM of 8 to 32 bits and floats; TensorFlow's own op reads only 16 bits."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from rnnapps.assertions import asserted
from rnnapps.audio.audio_files import HIGHEST_PEAK, HIGHEST_RATE, LOUDEST, LOWEST_RATE, SIXTEEN_BITS, TOO_LOUD
from rnnapps.audio.resampling import resample

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
_SampleReader = Callable[[tf.Tensor], tf.Tensor]
# For each (format, bits), how the bytes of a sample become a number from -1 to 1.
_READERS: dict[tuple[int, int], _SampleReader] = {
    (PCM, 8): lambda data: (tf.cast(data[:, 0], tf.float32) - 128) / 2**7,
    (PCM, 16): lambda data: tf.cast(tf.bitcast(data, tf.int16), tf.float32) / 2**15,
    # With a zero byte below, 24 bits are the upper part of 32.
    (PCM, 24): lambda data: tf.cast(tf.bitcast(tf.pad(data, [[0, 0], [1, 0]]), tf.int32), tf.float32) / 2**31,
    (PCM, 32): lambda data: tf.cast(tf.bitcast(data, tf.int32), tf.float32) / 2**31,
    (FLOAT, 32): lambda data: tf.bitcast(data, tf.float32),
    (FLOAT, 64): lambda data: tf.cast(tf.bitcast(data, tf.float64), tf.float32),
}


def decode_wav(audio: tf.Tensor, sample_rate: int) -> tf.RaggedTensor:
    """Decodes WAV files, mixes the channels of each and resamples it.

    Args:
        audio: String `(batch,)`, the bytes of WAV files: PCM with 8, 16, 24 or 32 bits or floats with 32 or 64, any
            number of channels, 1 to 768 kHz.
        sample_rate: Sample rate to resample to, in Hz.

    Returns:
        Ragged float32 `(batch, samples)`, scaled as by `read_audio`.

    Raises:
        tf.errors.InvalidArgumentError: One of the files is something else; the message says what.

    Reference:
        Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991 (RIFF, WAVE).
    """
    return tf.map_fn(
        lambda bytes_: _decode(bytes_, sample_rate),
        audio,
        fn_output_signature=tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0),
    )


def _decode(content: tf.Tensor, sample_rate: int) -> tf.Tensor:
    data = tf.io.decode_raw(content, tf.uint8)
    begin = tf.gather(tf.pad(data, [[0, 12]]), [*range(4), *range(8, 12)])
    is_wav = tf.reduce_all(tf.equal(begin, list(b"RIFFWAVE")))
    data = asserted(data, is_wav, "audio: not a WAV file (no RIFF WAVE header)")
    form_at, data_at, data_size = _chunks(data)
    form_at = asserted(form_at, (form_at > 0) & (data_at > 0), "audio: a WAV file without a fmt or data chunk")
    header = tf.pad(data[form_at : form_at + 26], [[0, 26]])  # a plain header has 16 bytes, an extensible one 40
    form, channels, rate, bits = (_number(header, *place) for place in ((0, 2), (2, 2), (4, 4), (14, 2)))
    form = tf.where(tf.equal(form, EXTENSIBLE), _number(header, 24, 2), form)
    known = [tf.equal(form, known_form) & tf.equal(bits, known_bits) for known_form, known_bits in _READERS]
    expected = "bits; PCM of 8, 16, 24, 32 bits and floats can be read"
    bits = asserted(bits, tf.reduce_any(known), "audio: WAV format", form, "of", bits, expected)
    possible = (rate >= LOWEST_RATE) & (rate <= HIGHEST_RATE) & (channels > 0)
    expected = "channels; 1 to 768 kHz can be read"
    bits = asserted(bits, possible, "audio: a WAV header of", rate, "Hz and", channels, expected)
    width = bits // 8
    frames = data_size // (width * channels)
    samples = tf.reshape(data[data_at : data_at + frames * channels * width], [-1, width])

    def read(reader: _SampleReader, size: int) -> Callable[[], tf.Tensor]:
        return lambda: reader(tf.ensure_shape(samples, [None, size // 8]))

    values = tf.switch_case(
        tf.argmax(known, output_type=tf.int32), [read(reader, bits_) for (_, bits_), reader in _READERS.items()]
    )
    mono = tf.reduce_mean(tf.reshape(values, [-1, channels]), axis=1)
    mono = bounded(mono, "audio")
    mono = tf.where(tf.reduce_max(tf.abs(mono)) > HIGHEST_PEAK, mono / SIXTEEN_BITS, mono)
    return tf.cond(tf.equal(rate, sample_rate), lambda: mono, lambda: resample(mono, rate, sample_rate))


def bounded(samples: tf.Tensor, name: str) -> tf.Tensor:
    """The samples; an error if they are not finite, or absurdly large.

    Args:
        samples: Float tensor.
        name: What the error calls them.
    """
    fine = tf.reduce_all(tf.abs(samples) <= LOUDEST)
    return asserted(samples, fine, f"{name}: {TOO_LOUD}")


def _number(data: tf.Tensor, begin: tf.Tensor | int, size: int) -> tf.Tensor:
    """An unsigned little-endian number, int32; a huge one is clipped to the range of int32."""
    digits = tf.cast(data[begin : begin + size], tf.int64)
    value = tf.reduce_sum(digits * tf.constant([256**place for place in range(size)], tf.int64))
    return tf.cast(tf.minimum(value, 2**31 - 1), tf.int32)


def _chunks(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Where the fmt and data chunks begin (0 if missing), and the size of the data."""
    size = tf.size(data)

    def more(at: tf.Tensor, form_at: tf.Tensor, data_at: tf.Tensor, data_size: tf.Tensor) -> tf.Tensor:
        return (at + 8 <= size) & ((form_at == 0) | (data_at == 0))

    def step(at: tf.Tensor, form_at: tf.Tensor, data_at: tf.Tensor, data_size: tf.Tensor) -> tuple[tf.Tensor, ...]:
        name = data[at : at + 4]
        # An interrupted recording leaves a size larger than the actual data.
        length = tf.minimum(_number(data, at + 4, 4), size - at - 8)
        is_form, is_data = (tf.reduce_all(tf.equal(name, list(text))) for text in (b"fmt ", b"data"))
        return (
            at + 8 + length + length % 2,  # chunks begin at even offsets
            tf.where(is_form, at + 8, form_at),
            tf.where(is_data, at + 8, data_at),
            tf.where(is_data, length, data_size),
        )

    zero = tf.constant(0)
    return tf.while_loop(more, step, (tf.constant(12), zero, zero, zero))[1:]
