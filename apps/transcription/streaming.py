"""Live recordings: a causal model that is fed chunk by chunk and transcribes what it hears."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import soxr
import tensorflow as tf

from rnnapps.apps.transcription.cli import TASK
from rnnapps.apps.transcription.model import Transcriber
from rnnapps.audio import read_audio
from rnnapps.cli.run_config import read_run
from rnnapps.errors import UserError
from rnnapps.terminal import printable

States = dict[str, tf.Tensor]


def initial_states(model: Transcriber, batch_size: int | tf.Tensor) -> States:
    """The states of streams that have not begun: those of the model, the text so far, and the class of the last step.

    Raises:
        ValueError: The model is not causal.
    """
    return {
        **model.initial_states(batch_size),
        "last": tf.fill([batch_size], model.tokens.size),
        "text": tf.fill([batch_size], ""),
    }


def stream_on(model: Transcriber, chunk: tf.Tensor, states: States) -> States:
    """Continues listening: the states after a chunk, float (batch, samples), with the text of the best path.

    A step that repeats the class of the previous step, or is blank, adds nothing. So the text after the last chunk is
    that of `rnnapps.decoding.ctc_greedy` for the whole recording, except for a space at its end.
    """
    last, text = states["last"], states["text"]
    heard = {name: state for name, state in states.items() if name not in ("last", "text")}
    log_probs, new = model.stream(chunk, heard)
    path = tf.concat([last[:, None], tf.argmax(log_probs, axis=-1, output_type=tf.int32)], axis=1)
    added = tf.where((path[:, 1:] != model.tokens.size) & (path[:, 1:] != path[:, :-1]), path[:, 1:], -1)
    longer = tf.strings.join([text, model.tokens.decode(added)])
    longer = tf.strings.regex_replace(tf.strings.regex_replace(longer, " +", " "), "^ ", "")
    return {**new, "last": path[:, -1], "text": longer}


def listen(model: Transcriber, chunks: Iterator[np.ndarray]) -> Iterator[tuple[float, str]]:
    """Feeds a recording to a causal model.

    Args:
        model: The transcriber.
        chunks: Float32 (samples,) each, at the model's rate.

    Yields:
        The time in seconds after each chunk, and the text so far.
    """
    states = initial_states(model, 1)
    advance = tf.function(lambda chunk, states: stream_on(model, chunk, states), reduce_retracing=True, autograph=False)
    samples = 0
    for chunk in chunks:
        states = advance(tf.constant(chunk[None], tf.float32), states)
        samples += len(chunk)
        yield samples / model.sample_rate, states["text"].numpy()[0].decode("utf-8", errors="replace")


def follow(run: Path, file: Path | None, every: float, rate: int | None, as_json: bool) -> None:
    """The verb `listen`: prints the text of a recording as it grows.

    Raises:
        UserError: The run cannot stream, or the file is not a recording.
    """
    if file is not None and rate is not None:
        raise UserError("--rate is for standard input; leave it out, since a file states its own rate")
    _, _, model = read_run(run, TASK)
    if not model.options.causal:
        raise UserError(f"{run}: reads in both directions, so it cannot stream; train a run with --causal")
    if file is None and sys.stdin.isatty():
        raise UserError("no input: name a file, or send 16-bit samples to standard input")
    chunks = _of_file(file, model.sample_rate, every) if file else _of_input(rate, model.sample_rate, every)
    before, seconds = "", 0.0
    begin = time.perf_counter()
    for seconds, text in listen(model, chunks):
        if text.rstrip() != before:
            before = text.rstrip()
            line = {"time": round(seconds, 3), "text": before}
            click.echo(json.dumps(line) if as_json else printable(f"{seconds:8.2f} s  {before}"))
    computing = time.perf_counter() - begin
    if not before:
        click.echo("nothing was heard", err=True)
    if file is not None and seconds:
        click.echo(f"real-time factor {computing / seconds:.3f}", err=True)


def _of_file(file: Path, rate: int, every: float) -> Iterator[np.ndarray]:
    samples = read_audio(file, rate)
    step = max(1, round(every * rate))
    for begin in range(0, len(samples), step):
        yield samples[begin : begin + step]


def _of_input(rate: int | None, model_rate: int, every: float) -> Iterator[np.ndarray]:
    """Chunks of standard input as they come: mono samples of 16 bits, little-endian, without a header."""
    given = rate or model_rate
    resampler = None if given == model_rate else soxr.ResampleStream(given, model_rate, 1, dtype="float32")
    size = 2 * max(1, round(every * given))
    content = sys.stdin.buffer.read(size)
    if content[:4] == b"RIFF":
        raise UserError("standard input is a WAV file, but must be samples without a header; name the file instead")
    while content:
        samples = np.frombuffer(content[: len(content) // 2 * 2], "<i2").astype(np.float32) / 2**15
        yield samples if resampler is None else resampler.resample_chunk(samples)
        content = sys.stdin.buffer.read(size)
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
