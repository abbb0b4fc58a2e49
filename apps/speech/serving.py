"""The signatures of an exported classifier, WAV bytes, waveforms and streams in and answers out, and who asks them."""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.audio import AudioError, decode_wav, read_audio
from rnnapps.serving import litert

_CHUNK = 64  # recordings at a time
_BATCH_SIZES = (1, 2, 4, 8, 16, 32)
_STREAMS = 1024  # that one request may start
_CHUNK_SAMPLES = 777  # of a stream's recorded requests: what fills neither a frame nor a step
_SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")
_RATES = (8000, 16000, 22050, 44100, 48000)


def answers(model: SpeechClassifier, audio: tf.Tensor) -> dict[str, tf.Tensor]:
    """What `serving_default` answers.

    Args:
      model: the classifier.
      audio: string (batch,), bytes of WAV files; see `decode_wav`.

    Returns:
      `label`: string (batch,), the most probable class; `score`: float32 (batch,), its probability; `probabilities`:
      float32 (batch, classes), in the order of `model.classes`.
    """
    waveforms = decode_wav(audio, model.sample_rate)
    hop, shortest = model.log_mel.hop, tf.reduce_min(waveforms.row_lengths())
    enough = tf.debugging.Assert(shortest >= hop, ["audio: too short:", shortest, "of at least", hop, "samples"])
    with tf.control_dependencies([enough]):
        waveforms = tf.identity(waveforms)
    return _named(model, model.probabilities(waveforms.to_tensor(), waveforms.row_lengths()))


def _named(model: SpeechClassifier, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
    label = tf.gather(tf.constant(model.classes), tf.argmax(probabilities, axis=1))
    return {"label": label, "score": tf.reduce_max(probabilities, axis=1), "probabilities": probabilities}


def endpoints(model: SpeechClassifier) -> dict[str, serving.Endpoint]:
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
    if not model.options["causal"]:
        return found
    states = model.initial_states(1)
    names = list(states)

    def stream(chunk, *values):
        probabilities, new = model.stream(chunk, dict(zip(names, values, strict=True)))
        return _named(model, probabilities) | {name: new[name] for name in names}

    def start(batch):
        # A number takes no bandwidth, its states memory: without a bound one request could stop the server.
        refusal = ["batch: from 0 to", _STREAMS, "streams a request, not", batch]
        with tf.control_dependencies([tf.debugging.Assert((batch >= 0) & (batch <= _STREAMS), refusal)]):
            return model.initial_states(tf.identity(batch))

    def spec(name):
        shape = [None, *states[name].shape[1:]]
        if name == "samples" or name.startswith("frames_"):
            shape[1] = None  # what has come in without filling a frame or a step
        return tf.TensorSpec(shape, states[name].dtype, name=name)

    chunk = tf.TensorSpec([None, None], tf.float32, name="chunk")
    found["stream"] = serving.Endpoint(serving.never_empty(stream), [chunk, *map(spec, names)])
    found["stream_start"] = serving.Endpoint(start, [tf.TensorSpec([], tf.int32, name="batch")])
    return found


def export(
    model: SpeechClassifier,
    output: Path,
    samples: Sequence[np.ndarray],
    version: int | None = None,
    about: Mapping[str, Any] | None = None,
    add: Callable[[Path], None] | None = None,
) -> serving.Saved:
    """Writes OUTPUT/<version>/ and what a server needs beside it, checked in a process without Keras and rnnapps.

    Args:
      model: a trained classifier.
      output: the model's folder, as TensorFlow Serving's `base_path`.
      samples: clips at the model's rate, int16; sent as WAV files of many kinds, they must be answered as the model
        does, and a causal model's stream must go on from chunk to chunk as the model itself does. Made-up sounds are
        added.
      version: the version's number; None takes the next free one.
      about: what the export's metadata say of the model: data set, metrics.
      add: writes more files into `assets.extra` before the version gets its name; see `serving.save`.

    Raises:
      ExportError: if the folder cannot be written or the check fails.
    """
    samples = [*samples, *_sounds(model.sample_rate)]
    files = [
        _wav(clip, _RATES[number % len(_RATES)], _SUBTYPES[number % len(_SUBTYPES)], 1 + number % 2)
        for number, clip in enumerate(samples)
    ]
    waveform = samples[0][None].astype(np.float32) / 2**15
    signatures = endpoints(model)
    requests = {"serving_default": [{"audio": files}], "waveform": [{"waveform": waveform}]}
    if model.options["causal"]:
        requests |= {"stream_start": [{"batch": 2}], "stream": list(_stream_requests(model, waveform))}
    described = {"app": "speech", "classes": list(model.classes), "sample_rate": model.sample_rate, **(about or {})}
    return serving.save(
        output,
        [model],
        signatures,
        requests,
        about=described,
        version=version,
        batch_sizes=_BATCH_SIZES,
        add=add,
    )


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


def quantize(
    model: SpeechClassifier, file: Path, clips: Sequence[np.ndarray], labels: Sequence[int]
) -> tuple[float, float]:
    """Writes the classifier as a LiteRT file: float32 (1, samples), one second at the model's rate -> probabilities.

    Args:
      model: a trained classifier.
      file: what to write.
      clips, labels: what the accuracy is measured on; int16 each, cut or padded to a second.

    Returns:
      The accuracy of the model, and of the file.

    Raises:
      ExportError: if LiteRT lacks operations.
    """
    spec = tf.TensorSpec([1, model.sample_rate], tf.float32)
    with model.log_mel.without_product():
        litert.convert(model.probabilities, spec, file)
    second = [np.pad(clip[: spec.shape[1]], (0, max(0, spec.shape[1] - len(clip)))) for clip in clips]
    waveforms = [one[None].astype(np.float32) / 2**15 for one in second]
    before = tf.function(model.probabilities, input_signature=[spec], autograph=False)
    measured = (lambda one: before(one).numpy(), litert.Interpreter(file))
    return tuple(litert.accuracy(answer, waveforms, labels) for answer in measured)


class Stream:
    """A conversation with the `stream` signature of an export: call it with one chunk after another.

    Args:
      export: the folder of an export or of a version.
      batch: how many streams go on side by side.
    """

    def __init__(self, export: Path, batch: int = 1):
        self._stream = serving.load(export, "stream")
        self._states = serving.load(export, "stream_start")(batch=tf.constant(batch))

    def __call__(self, chunk: np.ndarray) -> dict[str, tf.Tensor]:
        """The answers so far, after a chunk float32 (batch, samples)."""
        found = self._stream(chunk=tf.constant(chunk), **self._states)
        self._states = {name: found[name] for name in self._states}
        return found


def listen(model: SpeechClassifier, samples: np.ndarray, every: float) -> Iterator[tuple[float, np.ndarray]]:
    """Feeds a recording to a causal model chunk by chunk.

    Args:
      model: the classifier.
      samples: float32 (samples,) at the model's rate.
      every: length of a chunk in seconds.

    Yields:
      The time in seconds, and the probabilities then, (classes,).
    """
    step = max(1, round(every * model.sample_rate))
    states = model.initial_states(1)
    go_on = tf.function(model.stream, reduce_retracing=True)
    for begin in range(0, len(samples), step):
        chunk = samples[None, begin : begin + step]
        probabilities, states = go_on(tf.constant(chunk), states)
        yield (begin + chunk.shape[1]) / model.sample_rate, probabilities[0].numpy()


def ask_model(model: SpeechClassifier) -> tuple[Callable[[Path], np.ndarray], tuple[str, ...]]:
    """A function from a recording to its class probabilities as Python floats, and the classes."""
    compiled = tf.function(
        model.probabilities, input_signature=[tf.TensorSpec([None, None], tf.float32)], autograph=False
    )

    def answer(file: Path) -> list[float]:
        samples = read_audio(file, model.sample_rate)
        if len(samples) < model.log_mel.hop:
            raise AudioError(f"{file}: too short: {len(samples)} of at least {model.log_mel.hop} samples")
        return compiled(samples[None])[0].numpy().tolist()

    return answer, model.classes


def ask_export(export: Path) -> tuple[Callable[[Path], np.ndarray], tuple[str, ...]]:
    """The same of an export, which reads WAV files itself."""
    signature = serving.load(export)
    classes = serving.metadata(export)["classes"]

    def answer(file: Path) -> list[float]:
        try:
            return signature(audio=tf.constant([file.read_bytes()]))["probabilities"][0].numpy().tolist()
        except OSError as error:
            raise AudioError(f"{file}: cannot be read: {error.strerror or error}") from None
        except tf.errors.InvalidArgumentError as error:
            said = re.search("assertion failed: (.*)", error.message)  # its parts in brackets
            reason = " ".join(re.findall(r"\[(.*?)\]", said[1])) if said else "not as its signature takes it"
            raise AudioError(f"{file}: the export cannot read it: {reason.removeprefix('audio: ')}") from None

    return answer, classes
