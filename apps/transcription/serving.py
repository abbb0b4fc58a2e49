"""The signatures of an exported transcriber: WAV bytes, waveforms and streams in, texts out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.transcription.cli import Search
from rnnapps.apps.transcription.language import scorer_of
from rnnapps.apps.transcription.model import Transcriber
from rnnapps.apps.transcription.streaming import initial_states, stream_on
from rnnapps.apps.transcription.transcribing import Heard, transcribe
from rnnapps.assertions import asserted
from rnnapps.audio import decode_wav
from rnnapps.datasets import Transcripts

_CHUNK = 16  # recordings at a time
_SAMPLES = 8  # recordings of the test split in an export
_NBEST = 5
_STREAMS = 1024  # that one request may start
_CHUNK_SAMPLES = 777  # of a stream's recorded requests: what fills neither a frame nor a step
_SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")
_RATES = (16000, 8000, 22050, 44100, 48000)


def endpoints(model: Transcriber, decoding: Search | None = None) -> dict[str, serving.Endpoint]:
    """The signatures: `serving_default`, `nbest`, `waveform`, and for a causal model `stream_start` and `stream`.

    `serving_default`: `audio` string (batch,), the bytes of WAV files -> `text` string (batch,); `score` float32
    (batch,), its log-probability; `words` string (batch, words), `starts`, `ends` and `confidences` float32 (batch,
    words), padded with "" and 0. `nbest` gives `texts` and `scores`, (batch, n_best), in place of `text` and `score`.
    `waveform` takes float32 (batch, samples) at the model's rate, all samples real.

    `stream_start` takes the number of streams (`batch`, an int32 scalar, at most 1024) and gives their first states;
    `stream` takes `chunk`, float32 (batch, samples), and states, and gives the states to send with the next chunk,
    among them `text`, string (batch,), all that was heard so far.
    """
    search = decoding or Search()
    scorer = scorer_of(model, search)
    # Without a beam there is one text.
    most = 1 if search.beam == 1 and scorer is None else search.beam
    n_best = min(search.nbest or _NBEST, most)

    def one(heard: Heard) -> dict[str, tf.Tensor]:
        return {"text": heard.texts[:, 0], "score": heard.scores[:, 0], **_words(heard)}

    def enough(waveforms: Any, shortest: tf.Tensor, name: str) -> Any:
        least = model.front_end.log_mel.hop * model.front_end.reduction
        message = (f"{name}: too short:", shortest, "of at least", least, "samples")
        return asserted(waveforms, tf.cast(shortest, tf.int32) >= least, *message)

    def of_files(audio: tf.Tensor, texts: int) -> Heard:
        waveforms = decode_wav(audio, model.sample_rate)
        waveforms = enough(waveforms, tf.reduce_min(waveforms.row_lengths()), "audio")
        lengths = tf.cast(waveforms.row_lengths(), tf.int32)
        return transcribe(model, waveforms.to_tensor(), lengths, search, scorer, texts)

    def several(audio: tf.Tensor) -> dict[str, tf.Tensor]:
        heard = of_files(audio, n_best)
        return {"texts": heard.texts, "scores": heard.scores, **_words(heard)}

    def of_waveform(waveform: tf.Tensor) -> dict[str, tf.Tensor]:
        waveform = enough(waveform, tf.shape(waveform)[1], "waveform")
        return one(transcribe(model, waveform, None, search, scorer))

    audio = [tf.TensorSpec([None], tf.string, name="audio")]
    found = {
        "serving_default": serving.Endpoint(serving.in_chunks(lambda audio: one(of_files(audio, 1)), _CHUNK), audio),
        "nbest": serving.Endpoint(serving.in_chunks(several, _CHUNK), audio),
        "waveform": serving.Endpoint(
            serving.in_chunks(of_waveform, _CHUNK), [tf.TensorSpec([None, None], tf.float32, name="waveform")]
        ),
    }
    if model.options.causal:
        found |= _stream_endpoints(model)
    return found


def _words(heard: Heard) -> dict[str, tf.Tensor]:
    return {name: getattr(heard, name) for name in ("words", "starts", "ends", "confidences")}


def _stream_endpoints(model: Transcriber) -> dict[str, serving.Endpoint]:
    states = initial_states(model, 1)
    names = list(states)

    def stream(chunk: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        new = stream_on(model, chunk, dict(zip(names, values, strict=True)))
        return {name: new[name] for name in names}

    def start(batch: tf.Tensor) -> dict[str, tf.Tensor]:
        # A number takes no bandwidth, its states memory: without a bound one request could stop the server.
        allowed = (batch >= 0) & (batch <= _STREAMS)
        return initial_states(
            model, asserted(batch, allowed, "batch: from 0 to", _STREAMS, "streams a request, got", batch)
        )

    def spec(name: str) -> tf.TensorSpec:
        shape = [None, *states[name].shape[1:]]
        if name == "samples" or name.startswith("frames_"):
            shape[1] = None  # what has come in without filling a frame or a step
        return tf.TensorSpec(shape, states[name].dtype, name=name)

    chunk = tf.TensorSpec([None, None], tf.float32, name="chunk")
    return {
        "stream": serving.Endpoint(serving.never_empty(stream), [chunk, *map(spec, names)]),
        "stream_start": serving.Endpoint(start, [tf.TensorSpec([], tf.int32, name="batch")]),
    }


def samples(model: Transcriber, split: Transcripts | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export.

    Recordings of a split and made-up sounds are sent as WAV files of many kinds; a causal model's stream is followed
    from chunk to chunk.
    """
    clips = [*([] if split is None else split.waveforms[:_SAMPLES]), *_sounds(model.sample_rate)]
    files = [
        _wav(clip, model.sample_rate if number < _SAMPLES else _RATES[number % len(_RATES)], _SUBTYPES[number % 5])
        for number, clip in enumerate(clips)
    ]
    waveform = clips[0][None].astype(np.float32) / 2**15
    requests: dict[str, list[dict[str, Any]]] = {
        "serving_default": [{"audio": files}],
        "nbest": [{"audio": files}],
        "waveform": [{"waveform": waveform}],
    }
    if model.options.causal:
        requests |= {"stream_start": [{"batch": 2}], "stream": list(_stream_requests(model, waveform))}
    return requests


def about(model: Transcriber) -> dict[str, Any]:
    """What an export says of the model: its characters, how its texts are written, and its sample rate in Hz."""
    return {
        "alphabet": "".join(model.tokens.pieces),
        "normalisation": model.normalisation,
        "sample_rate": model.sample_rate,
        "step_seconds": model.front_end.step_seconds,
    }


def _stream_requests(model: Transcriber, waveform: np.ndarray) -> Iterator[dict]:
    """Chunks of a waveform, each with the states that the model left after the one before."""
    states = initial_states(model, 1)
    for begin in range(0, min(waveform.shape[1], 5 * _CHUNK_SAMPLES), _CHUNK_SAMPLES):
        chunk = waveform[:, begin : begin + _CHUNK_SAMPLES]
        yield {"chunk": chunk, **states}
        states = stream_on(model, tf.constant(chunk), states)


def _sounds(rate: int) -> list[np.ndarray]:
    """Noise, a rising tone, a short one and silence: int16 (samples,) each."""
    time = np.arange(rate, dtype=np.float64) / rate
    noise = np.random.default_rng(0).standard_normal(rate) / 10
    tone = np.sin(2 * np.pi * (200 + 400 * time) * time) / 2
    sounds = (noise, tone, tone[: rate // 5], np.zeros(rate // 2))
    return [np.round(np.clip(sound, -1, 1) * (2**15 - 1)).astype(np.int16) for sound in sounds]


def _wav(clip: np.ndarray, rate: int, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, clip, rate, format="WAV", subtype=subtype)
    return file.getvalue()
