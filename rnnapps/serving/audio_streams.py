"""The signatures by which a server follows live recordings chunk by chunk, and requests that record them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.assertions import asserted
from rnnapps.audio.wav import bounded
from rnnapps.serving.chunks import never_empty
from rnnapps.serving.endpoint import Endpoint

States = dict[str, tf.Tensor]
_STREAMS = 1024  # that one request may start
_CHUNK_SAMPLES = 777  # of recorded requests: what fills neither a frame nor a step
_CHUNKS = 5


def stream_endpoints(
    initial_states: Callable[[int | tf.Tensor], States], stream: Callable[[tf.Tensor, States], States]
) -> dict[str, Endpoint]:
    """The signatures `stream_start` and `stream` of a model that hears with a `rnnapps.audio.FrontEnd`.

    `stream_start` takes the number of streams (`batch`, an int32 scalar, at most 1024) and gives their first states.
    `stream` takes `chunk`, float32 (batch, samples), and states, and gives what `stream` returns.

    Args:
        initial_states: From a number of streams to their first states, by name. What has come in and is not used yet
            is called `samples`, `frames_...` or `steps_...`; it has any length along the second axis.
        stream: From a chunk and the states to the outputs, the new states among them under the same names.
    """
    states = initial_states(1)
    names = list(states)

    def go_on(chunk: tf.Tensor, *values: tf.Tensor) -> States:
        return stream(bounded(chunk, "chunk"), dict(zip(names, values, strict=True)))

    def start(batch: tf.Tensor) -> States:
        # A number takes no bandwidth, its states memory: without a bound one request could stop the server.
        allowed = (batch >= 0) & (batch <= _STREAMS)
        return initial_states(asserted(batch, allowed, "batch: from 0 to", _STREAMS, "streams a request, got", batch))

    def spec(name: str) -> tf.TensorSpec:
        shape = [None, *states[name].shape[1:]]
        if name.startswith(("samples", "frames_", "steps_")):
            shape[1] = None
        return tf.TensorSpec(shape, states[name].dtype, name=name)

    chunk = tf.TensorSpec([None, None], tf.float32, name="chunk")
    return {
        "stream": Endpoint(never_empty(go_on), [chunk, *map(spec, names)]),
        "stream_start": Endpoint(start, [tf.TensorSpec([], tf.int32, name="batch")]),
    }


def stream_requests(
    initial_states: Callable[[int], States], stream: Callable[[tf.Tensor, States], States], waveform: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Chunks of a waveform, float32 (1, samples), each with the states that the model left after the one before."""
    states = initial_states(1)
    for begin in range(0, min(waveform.shape[1], _CHUNKS * _CHUNK_SAMPLES), _CHUNK_SAMPLES):
        chunk = waveform[:, begin : begin + _CHUNK_SAMPLES]
        yield {"chunk": chunk, **states}
        outputs = stream(tf.constant(chunk), states)
        states = {name: outputs[name] for name in states}
