"""The signatures of an exported classifier: WAV bytes, waveforms and streams in, answers out."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.assertions import asserted
from rnnapps.audio import decode_wav
from rnnapps.audio.to_wav import wav_file
from rnnapps.audio.wav import bounded
from rnnapps.datasets import Recordings
from rnnapps.serving import litert
from rnnapps.serving.audio_streams import stream_endpoints, stream_requests
from rnnapps.serving.sample_sounds import RATES, SUBTYPES, sample_sounds

_CHUNK = 64  # recordings at a time
_SAMPLES = 16  # recordings of the test split in an export


def decoded(model: SpeechClassifier, audio: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Waveforms `(batch, samples)` and their numbers of samples `(batch,)`, from the bytes of WAV files `(batch,)`."""
    waveforms = decode_wav(audio, model.sample_rate)
    hop, shortest = model.log_mel.hop, tf.reduce_min(waveforms.row_lengths())
    waveforms = asserted(waveforms, shortest >= hop, "audio: too short:", shortest, "of at least", hop, "samples")
    return waveforms.to_tensor(), waveforms.row_lengths()


def endpoints(model: SpeechClassifier, decoding: object = None) -> dict[str, serving.Endpoint]:
    """The signatures: `serving_default`, `waveform`, and for a causal model `stream_start` and `stream`.

    `waveform` takes float32 (batch, samples) at the model's rate, all samples real. `stream_start` takes the number of
    streams (`batch`, an int32 scalar, at most 1024) and gives their first states; `stream` takes `chunk`, float32
    (batch, samples), and states, and gives the answers so far and the states to send with the next chunk, under the
    same names.
    """
    # One function for both signatures: a server loads half as much before it answers.
    probabilities = tf.function(model.probabilities, autograph=False).get_concrete_function(
        tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.int64)
    )

    def of_waveforms(waveform: tf.Tensor) -> tf.Tensor:
        rows, samples = tf.unstack(tf.shape(waveform, tf.int64))
        return probabilities(bounded(waveform, "waveform"), tf.fill([rows], samples))

    def of_files(audio: tf.Tensor) -> tf.Tensor:
        return probabilities(*decoded(model, audio))

    found = {
        "serving_default": serving.Endpoint(
            serving.labelled_in_chunks(model.classes, of_files, _CHUNK),
            [tf.TensorSpec([None], tf.string, name="audio")],
        ),
        "waveform": serving.Endpoint(
            serving.labelled_in_chunks(model.classes, of_waveforms, _CHUNK),
            [tf.TensorSpec([None, None], tf.float32, name="waveform")],
        ),
    }
    if model.options.causal:
        found |= stream_endpoints(model.initial_states, partial(_heard_on, model))
    return found


def _heard_on(model: SpeechClassifier, chunk: tf.Tensor, states: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The answers so far, and the states after a chunk."""
    probabilities, new = model.stream(chunk, states)
    return serving.labelled(model.classes, probabilities) | new


def samples(model: SpeechClassifier, split: Recordings | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export.

    Recordings of a split and made-up sounds are sent as WAV files of many kinds; a causal model's stream is followed
    from chunk to chunk.
    """
    clips = [
        *([] if split is None else split.waveforms[:_SAMPLES]),
        *sample_sounds(model.sample_rate, model.sample_rate // 10),
    ]
    files = [
        wav_file(
            np.stack([clip] * (1 + number % 2), axis=1),
            RATES[number % len(RATES)],
            SUBTYPES[number % len(SUBTYPES)],
        )
        for number, clip in enumerate(clips)
    ]
    waveform = clips[0][None].astype(np.float32) / 2**15
    requests: dict[str, list[dict[str, Any]]] = {
        "serving_default": [{"audio": files}],
        "waveform": [{"waveform": waveform}],
    }
    if model.options.causal:
        streamed = stream_requests(model.initial_states, partial(_heard_on, model), waveform)
        requests |= {"stream_start": [{"batch": 2}], "stream": list(streamed)}
    return requests


def about(model: SpeechClassifier) -> dict[str, Any]:
    """What an export says about the model: its classes, in the order of `probabilities`, and its sample rate in Hz."""
    return {"classes": list(model.classes), "sample_rate": model.sample_rate}


def quantize(model: SpeechClassifier, file: Path, split: Recordings) -> tuple[float, float, int]:
    """Writes the classifier as a LiteRT file: float32 (1, samples), one second at the model's rate -> probabilities.

    Args:
        model: A trained classifier.
        file: The file to write.
        split: Recordings; the accuracy is measured on the first of them.

    Returns:
        The accuracy of the model, that of the file on the same recordings cut or padded to a second, and how many
        recordings they were measured on.

    Raises:
        ExportError: LiteRT lacks operations.
    """
    split = split.with_classes(model.classes)
    clips, labels = split.waveforms[: litert.MEASURED], split.labels[: litert.MEASURED]
    spec = tf.TensorSpec([1, model.sample_rate], tf.float32)
    with model.log_mel.without_product():
        litert.convert(model.probabilities, spec, file)
    waveforms = [clip[None].astype(np.float32) / 2**15 for clip in clips]
    second = [np.pad(one[:, : spec.shape[1]], ((0, 0), (0, max(0, spec.shape[1] - one.shape[1])))) for one in waveforms]
    before = tf.function(model.probabilities, input_signature=[tf.TensorSpec([1, None])], autograph=False)
    original = litert.accuracy(lambda waveform: before(waveform).numpy(), waveforms, labels)
    return original, litert.accuracy(litert.Interpreter(file), second, labels), len(labels)
