"""The signatures of an exported transcriber: WAV bytes, waveforms and streams in, texts out."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.transcription.cli import Search
from rnnapps.apps.transcription.language import scorer_of
from rnnapps.apps.transcription.model import Transcriber
from rnnapps.apps.transcription.streaming import initial_states, stream_on
from rnnapps.apps.transcription.transcribing import Heard, transcribe
from rnnapps.assertions import asserted
from rnnapps.audio import decode_wav
from rnnapps.audio.to_wav import wav_file
from rnnapps.audio.wav import bounded
from rnnapps.datasets import Transcripts
from rnnapps.serving.audio_streams import stream_endpoints, stream_requests
from rnnapps.serving.sample_sounds import RATES, SUBTYPES, sample_sounds

_CHUNK = 16  # recordings at a time
_SAMPLES = 8  # recordings of the test split in an export
_NBEST = 5


def endpoints(model: Transcriber, decoding: Search | None = None) -> dict[str, serving.Endpoint]:
    """The signatures: `serving_default`, `nbest`, `waveform`, and for a causal model `stream_start` and `stream`.

    `serving_default`: `audio` string (batch,), the bytes of WAV files -> `text` string (batch,); `score` float32
    (batch,), its log-probability; `words` string (batch, words), `starts`, `ends` and `confidences` float32 (batch,
    words), padded with "" and 0. `nbest` gives `texts` and `scores`, (batch, n_best), in place of `text` and `score`.
    `waveform` takes float32 (batch, samples) at the model's rate, all samples real.

    `stream_start` takes the number of streams (`batch`, an int32 scalar, at most 1024) and gives their first states;
    `stream` takes `chunk`, float32 (batch, samples), and states, and gives the states to send with the next chunk,
    among them `text`, string (batch,), everything heard so far.
    """
    search = decoding or Search()
    scorer = scorer_of(model, search)
    # Without a beam there is one text.
    most = 1 if search.beam == 1 and scorer is None else search.beam
    n_best = min(search.nbest or _NBEST, most)

    def one(heard: Heard) -> dict[str, tf.Tensor]:
        return {"text": heard.texts[:, 0], "score": heard.scores[:, 0], **_words(heard)}

    def enough(waveforms: Any, shortest: tf.Tensor, name: str) -> Any:
        least = model.step_samples
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
        waveform = enough(bounded(waveform, "waveform"), tf.shape(waveform)[1], "waveform")
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
        found |= stream_endpoints(partial(initial_states, model), partial(stream_on, model))
    return found


def _words(heard: Heard) -> dict[str, tf.Tensor]:
    return {name: getattr(heard, name) for name in ("words", "starts", "ends", "confidences")}


def samples(model: Transcriber, split: Transcripts | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export.

    Recordings of a split and made-up sounds are sent as WAV files of many kinds; a causal model's stream is followed
    from chunk to chunk.
    """
    clips = [
        *([] if split is None else split.waveforms[:_SAMPLES]),
        *sample_sounds(model.sample_rate, model.sample_rate // 5),
    ]
    files = [
        wav_file(
            clip,
            model.sample_rate if number < _SAMPLES else RATES[number % len(RATES)],
            SUBTYPES[number % len(SUBTYPES)],
        )
        for number, clip in enumerate(clips)
    ]
    waveform = clips[0][None].astype(np.float32) / 2**15
    requests: dict[str, list[dict[str, Any]]] = {
        "serving_default": [{"audio": files}],
        "nbest": [{"audio": files}],
        "waveform": [{"waveform": waveform}],
    }
    if model.options.causal:
        streamed = stream_requests(partial(initial_states, model), partial(stream_on, model), waveform)
        requests |= {"stream_start": [{"batch": 2}], "stream": list(streamed)}
    return requests


def about(model: Transcriber) -> dict[str, Any]:
    """What an export says about the model: tokens and characters, how texts are written, and its sample rate in Hz."""
    return {
        "tokens": model.options.tokens,
        "alphabet": "".join(model.characters.pieces),
        "normalisation": model.normalisation,
        "sample_rate": model.sample_rate,
        "step_seconds": model.step_seconds,
    }
