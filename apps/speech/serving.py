"""The signatures of an exported classifier, WAV bytes, waveforms and streams in and answers out, and who asks them."""

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.audio import AudioError, decode, decode_wav

_CLASSES = "assets.extra/classes.txt"
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
    return _named(model, model.probabilities(waveforms.to_tensor(), waveforms.row_lengths()))


def _named(model: SpeechClassifier, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
    label = tf.gather(tf.constant(model.classes), tf.argmax(probabilities, axis=1))
    return {"label": label, "score": tf.reduce_max(probabilities, axis=1), "probabilities": probabilities}


def endpoints(model: SpeechClassifier) -> dict[str, serving.Endpoint]:
    """The signatures: `serving_default`, `waveform`, and for a causal model `stream_start` and `stream`.

    `waveform` takes float32 (batch, samples) at the model's rate, all samples real. `stream_start` takes the number of
    streams (`batch`, an int32 scalar) and gives their first states; `stream` takes `chunk`, float32 (batch, samples),
    and states, and gives the answers so far and the states to send with the next chunk, under the same names.
    """
    found = {
        "serving_default": serving.Endpoint(
            lambda audio: answers(model, audio), [tf.TensorSpec([None], tf.string, name="audio")]
        ),
        "waveform": serving.Endpoint(
            lambda waveform: _named(model, model.probabilities(waveform)),
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

    def spec(name):
        shape = [None, *states[name].shape[1:]]
        if name == "samples" or name.startswith("frames_"):
            shape[1] = None  # what has come in without filling a frame or a step
        return tf.TensorSpec(shape, states[name].dtype, name=name)

    chunk = tf.TensorSpec([None, None], tf.float32, name="chunk")
    found["stream"] = serving.Endpoint(stream, [chunk, *map(spec, names)])
    found["stream_start"] = serving.Endpoint(model.initial_states, [tf.TensorSpec([], tf.int32, name="batch")])
    return found


def export(
    model: SpeechClassifier, output: Path, samples: Sequence[np.ndarray], version: int | None = None
) -> tuple[Path, dict]:
    """Writes OUTPUT/<version>/ and checks it in a fresh process without Keras and rnnapps.

    Args:
      model: a trained classifier.
      output: the model's folder, as TensorFlow Serving's `base_path`.
      samples: clips at the model's rate, int16; sent as WAV files of many kinds, they must be answered as the model
        does, and a causal model must answer them in chunks as it does whole.
      version: the version's number; None takes the next free one.

    Returns:
      The version's folder, and what the check found.

    Raises:
      ExportError: if the folder cannot be written or the check fails.
    """
    requests = [
        _wav(clip, _RATES[number % len(_RATES)], _SUBTYPES[number % len(_SUBTYPES)], 1 + number % 2)
        for number, clip in enumerate(samples)
    ]
    expected = answers(model, tf.constant(requests))
    whole = samples[0][None].astype(np.float32) / 2**15
    findings = {}

    def approve(folder: Path) -> None:
        found = {
            "label": [label.decode() for label in expected["label"].numpy()],
            "score": expected["score"].numpy().tolist(),
            "probabilities": expected["probabilities"].numpy().tolist(),
        }
        findings.update(serving.check(folder, {"audio": requests}, found))
        answer = model.probabilities(whole).numpy()
        _check_answer(folder, "waveform", serving.load(folder, "waveform")(waveform=tf.constant(whole)), answer)
        if model.options["causal"]:
            _check_stream(folder, whole, answer)
        (folder / "assets.extra").mkdir(exist_ok=True)
        (folder / _CLASSES).write_text("\n".join(model.classes) + "\n", encoding="utf-8")

    signatures = endpoints(model)
    findings["signatures"] = list(signatures)
    folder = serving.save(output, [model], signatures, version=version, approve=approve)
    return folder, findings


def _wav(clip: np.ndarray, rate: int, subtype: str, channels: int) -> bytes:
    """A clip as a WAV file whose header says `rate`: at another rate than the model's it is another clip."""
    file = io.BytesIO()
    soundfile.write(file, np.stack([clip] * channels, axis=1), rate, format="WAV", subtype=subtype)
    return file.getvalue()


def _check_stream(folder: Path, whole: np.ndarray, answer: np.ndarray) -> None:
    stream = Stream(folder)
    for begin in range(0, whole.shape[1], 777):
        found = stream(whole[:, begin : begin + 777])
    _check_answer(folder, "stream", found, answer)


def _check_answer(folder: Path, signature: str, found: dict[str, tf.Tensor], answer: np.ndarray) -> None:
    difference = np.abs(found["probabilities"].numpy() - answer).max()
    if not difference <= 1e-4:
        raise serving.ExportError(f"{folder}: the signature {signature!r} differs from the run by {difference:.2g}")


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
        samples = decode(file, model.sample_rate)
        if len(samples) < model.log_mel.hop:
            raise AudioError(f"{file}: only {len(samples)} samples; a frame needs {model.log_mel.hop}")
        return compiled(samples[None])[0].numpy().tolist()

    return answer, model.classes


def ask_export(export: Path) -> tuple[Callable[[Path], np.ndarray], tuple[str, ...]]:
    """The same of an export, which reads WAV files itself."""
    signature = serving.load(export)
    classes = tuple((serving.latest(export) / _CLASSES).read_text(encoding="utf-8").splitlines())

    def answer(file: Path) -> list[float]:
        try:
            return signature(audio=tf.constant([file.read_bytes()]))["probabilities"][0].numpy().tolist()
        except OSError as error:
            raise AudioError(f"{file}: cannot be read: {error.strerror or error}") from None
        except tf.errors.InvalidArgumentError:
            raise AudioError(
                f"{file}: the export cannot read it: not WAV, or of an unusual kind; ask the run"
            ) from None

    return answer, classes
