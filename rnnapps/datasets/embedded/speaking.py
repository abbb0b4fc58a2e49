"""Many sentences spoken at once by processes of their own: eSpeak NG speaks one sentence at a time in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from rnnapps.datasets.embedded.voices import manner, recorded
from rnnapps.datasets.rejected import DataError

# Constant, since a voice flutters on from sentence to sentence of a process: any machine then makes the same samples.
_SENTENCES = 300  # of a process
_SLOWEST, _FASTEST = 120, 190  # words a minute


class Spoken(NamedTuple):
    """What is to be said.

    Attributes:
        text: The sentence.
        voice: A variant of eSpeak NG.
        seed: Seed of tempo, pitch, noise and loudness.
    """

    text: str
    voice: str
    seed: int


def speak(sentences: Sequence[Spoken]) -> Iterator[np.ndarray]:
    """Clips of sentences in their order, int16 (samples,) at 16 kHz, made in as many processes as there are cores.

    Raises:
        DataError: A process failed; the message is its last line.
    """
    parts = [sentences[begin : begin + _SENTENCES] for begin in range(0, len(sentences), _SENTENCES)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for clips in pool.map(_in_a_process, parts):
            yield from clips


def _in_a_process(sentences: Sequence[Spoken]) -> list[np.ndarray]:
    # Not by multiprocessing: a child that imports the main module anew would run a script that has no guard.
    command = [sys.executable, "-c", f"from {__name__} import main; main()"]
    process = subprocess.run(command, input=json.dumps(sentences).encode(), capture_output=True, check=False)
    if process.returncode:
        raise DataError((process.stderr.decode(errors="replace").strip().splitlines() or ["a process failed"])[-1])
    lengths = np.frombuffer(process.stdout[: 4 * len(sentences)], np.int32)
    samples = np.frombuffer(process.stdout[4 * len(sentences) :], np.int16)
    return np.split(samples, np.cumsum(lengths)[:-1])


def main() -> None:
    """The work of a process: JSON of sentences in, lengths and samples out."""
    clips = []
    for sentence in map(Spoken._make, json.load(sys.stdin)):
        random = np.random.default_rng([sentence.seed, *sentence.voice.encode()])
        clips.append(recorded(sentence.text, manner(sentence.voice, random, _SLOWEST, _FASTEST), random))
    sys.stdout.buffer.write(np.array([len(clip) for clip in clips], np.int32).tobytes())
    sys.stdout.buffer.write(np.concatenate(clips).tobytes())
