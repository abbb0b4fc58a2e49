"""The signatures of an exported classifier: WAV bytes, waveforms and streams in, answers out."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.assertions import asserted
from rnnapps.audio import decode_wav
from rnnapps.datasets import Recordings
from rnnapps.serving import litert

_CHUNK = 64  # recordings at a time
_SAMPLES = 16  # recordings of the test split in an export
_STREAMS = 1024  # that one request may start
_CHUNK_SAMPLES = 777  # of a stream's recorded requests: what fills neither a frame nor a step
_SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")
_RATES = (8000, 16000, 22050, 44100, 48000)


def answers(model: SpeechClassifier, audio: tf.Tensor) -> dict[str, tf.Tensor]:
    """What `serving_default` answers.

    Args:
        model: The classifier.
        audio: String (batch,), bytes of WAV files; see `decode_wav`.

    Returns:
        `label`: string (batch,), the most probable class; `score`: float32 (batch,), its probability; `probabilities`:
        float32 (batch, classes), in the order of `model.classes`.
    """
    waveforms = decode_wav(audio, model.sample_rate)
    hop, shortest = model.log_mel.hop, tf.reduce_min(waveforms.row_lengths())
    waveforms = asserted(waveforms, shortest >= hop, "audio: too short:", shortest, "of at least", hop, "samples")
    return _named(model, model.probabilities(waveforms.to_tensor(), waveforms.row_lengths()))


def _named(model: SpeechClassifier, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
    label = tf.gather(tf.constant(model.classes), tf.argmax(probabilities, axis=1))
    return {"label": label, "score": tf.reduce_max(probabilities, axis=1), "probabilities": probabilities}


def endpoints(model: SpeechClassifier, decoding: object = None) -> dict[str, serving.Endpoint]:
    """The signatures: `serving_default`, `waveform`, and for a causal model `stream_start` and `stream`.

    `waveform` takes float32 (batch, samples) at the model's rate, all samples real. `stream_start` takes the number of
    streams (`batch`, an int32 scalar, at most 1024) and gives their first states; `stream` takes `chunk`, float32
    (batch, samples), and states, and gives the answers so far and the states to send with the next chunk, under the
    same names.
    """
    found = {
        "serving_default": serving.Endpoint(
            serving.in_chunks(lambda audio: answers(model, audio), _CHUNK),
            [tf.TensorSpec([None], tf.string, name="audio")],
        ),
        "waveform": serving.Endpoint(
            serving.in_chunks(lambda waveform: _named(model, model.probabilities(waveform)), _CHUNK),
            [tf.TensorSpec([None, None], tf.float32, name="waveform")],
        ),
    }
    if not model.options.causal:
        return found
    states = model.initial_states(1)
    names = list(states)

    def stream(chunk: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities, new = model.stream(chunk, dict(zip(names, values, strict=True)))
        return _named(model, probabilities) | {name: new[name] for name in names}

    def start(batch: tf.Tensor) -> dict[str, tf.Tensor]:
        # A number takes no bandwidth, its states memory: without a bound one request could stop the server.
        allowed = (batch >= 0) & (batch <= _STREAMS)
        return model.initial_states(
            asserted(batch, allowed, "batch: from 0 to", _STREAMS, "streams a request, got", batch)
        )

    def spec(name: str) -> tf.TensorSpec:
        shape = [None, *states[name].shape[1:]]
        if name == "samples" or name.startswith("frames_"):
            shape[1] = None  # what has come in without filling a frame or a step
        return tf.TensorSpec(shape, states[name].dtype, name=name)

    chunk = tf.TensorSpec([None, None], tf.float32, name="chunk")
    found["stream"] = serving.Endpoint(serving.never_empty(stream), [chunk, *map(spec, names)])
    found["stream_start"] = serving.Endpoint(start, [tf.TensorSpec([], tf.int32, name="batch")])
    return found


def samples(model: SpeechClassifier, split: Recordings | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export.

    Recordings of a split and made-up sounds are sent as WAV files of many kinds; a causal model's stream is followed
    from chunk to chunk.
    """
    clips = [*([] if split is None else split.waveforms[:_SAMPLES]), *_sounds(model.sample_rate)]
    files = [
        _wav(clip, _RATES[number % len(_RATES)], _SUBTYPES[number % len(_SUBTYPES)], 1 + number % 2)
        for number, clip in enumerate(clips)
    ]
    waveform = clips[0][None].astype(np.float32) / 2**15
    requests: dict[str, list[dict[str, Any]]] = {
        "serving_default": [{"audio": files}],
        "waveform": [{"waveform": waveform}],
    }
    if model.options.causal:
        requests |= {"stream_start": [{"batch": 2}], "stream": list(_stream_requests(model, waveform))}
    return requests


def about(model: SpeechClassifier) -> dict[str, Any]:
    """What an export says of the model: its classes, in the order of `probabilities`, and its sample rate in Hz."""
    return {"classes": list(model.classes), "sample_rate": model.sample_rate}


def _stream_requests(model: SpeechClassifier, waveform: np.ndarray) -> Iterator[dict]:
    """Chunks of a waveform, each with the states that the model left after the one before."""
    states = model.initial_states(1)
    for begin in range(0, min(waveform.shape[1], 5 * _CHUNK_SAMPLES), _CHUNK_SAMPLES):
        chunk = waveform[:, begin : begin + _CHUNK_SAMPLES]
        yield {"chunk": chunk, **states}
        states = model.stream(tf.constant(chunk), states)[1]


def _sounds(rate: int) -> list[np.ndarray]:
    """Noise, a rising tone, a short one and silence: int16 (samples,) each."""
    time = np.arange(rate, dtype=np.float64) / rate
    noise = np.random.default_rng(0).standard_normal(rate) / 10
    tone = np.sin(2 * np.pi * (200 + 400 * time) * time) / 2
    sounds = (noise, tone, tone[: rate // 10], np.zeros(rate // 2))
    return [np.round(np.clip(sound, -1, 1) * (2**15 - 1)).astype(np.int16) for sound in sounds]


def _wav(clip: np.ndarray, rate: int, subtype: str, channels: int) -> bytes:
    """A clip as a WAV file whose header says `rate`: at another rate than the model's it is another clip."""
    file = io.BytesIO()
    soundfile.write(file, np.stack([clip] * channels, axis=1), rate, format="WAV", subtype=subtype)
    return file.getvalue()


def quantize(model: SpeechClassifier, file: Path, split: Recordings) -> tuple[float, float, int]:
    """Writes the classifier as a LiteRT file: float32 (1, samples), one second at the model's rate -> probabilities.

    Args:
        model: A trained classifier.
        file: The file to write.
        split: Recordings; the accuracy is measured on the first of them, cut or padded to a second.

    Returns:
        The accuracy of the model, that of the file, and how many recordings they were measured on.

    Raises:
        ExportError: LiteRT lacks operations.
    """
    split = split.with_classes(model.classes)
    clips, labels = split.waveforms[: litert.MEASURED], split.labels[: litert.MEASURED]
    spec = tf.TensorSpec([1, model.sample_rate], tf.float32)
    with model.log_mel.without_product():
        litert.convert(model.probabilities, spec, file)
    second = [np.pad(clip[: spec.shape[1]], (0, max(0, spec.shape[1] - len(clip)))) for clip in clips]
    waveforms = [clip[None].astype(np.float32) / 2**15 for clip in second]
    before = tf.function(model.probabilities, input_signature=[spec], autograph=False)
    original, quantized = (
        litert.accuracy(answer, waveforms, labels)
        for answer in (lambda waveform: before(waveform).numpy(), litert.Interpreter(file))
    )
    return original, quantized, len(labels)
