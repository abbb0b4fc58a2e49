"""Words spoken by eSpeak NG: TFDS builders that need no network.

`spoken_words` is the task of Speech Commands (ten words, other words, silence); `spoken_vocabulary` has a class for
each of sixty words. The voices are those of a synthesiser: 84 of its variants, eight accents of English, with tempo,
pitch, liveliness, background noise and loudness drawn for each clip. No voice speaks in two of the splits, nor do
variants that share formants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
import tensorflow_datasets as tfds

from rnnapps.audio.samples import int16
from rnnapps.datasets.embedded.voices import SAMPLE_RATE, VOICES, coloured_noise, manner, recorded

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
UNKNOWN, SILENCE = "unknown", "silence"
CLASSES = (*WORDS, UNKNOWN, SILENCE)
OTHER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("bed", "bird", "cat", "dog", "happy", "house", "tree", "wow", "backward", "forward"),
    *("follow", "learn", "visual", "apple", "bridge", "candle", "doctor", "engine", "finger", "garden"),
    *("hammer", "island", "jacket", "kitchen", "lemon", "mountain", "needle", "orange", "paper", "queen"),
    *("river", "silver", "table", "umbrella", "village", "window", "yellow", "music", "coffee", "morning"),
)


class Waveform(tfds.features.Audio):
    """Mono int16 samples kept as plain bytes: the integers of an Example take four times the time and space."""

    def __init__(self, sample_rate: int):
        super().__init__(dtype=np.int16, sample_rate=sample_rate, encoding=tfds.features.Encoding.BYTES)

    def encode_example(self, samples: np.ndarray) -> bytes:
        # Audio passes an array on as it is, whatever the encoding.
        return tfds.features.Tensor.encode_example(self, samples)

    @classmethod
    def from_json_content(cls, value: object) -> Waveform:
        return cls(SAMPLE_RATE)


class _Spoken(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Clips of the same words by all voices."""

    VERSION = tfds.core.Version("1.0.0")
    LABELS: tuple[str, ...]
    CLIPS_PER_VOICE: Mapping[str, int]  # of each label
    DESCRIPTION: str

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                f"{self.DESCRIPTION} Spoken by eSpeak NG, one word a clip. Voice, accent, tempo, pitch, noise and"
                " loudness vary; no voice is in two splits. Synthetic speech is more regular than people's: figures on"
                " it say that a pipeline works, not how well a model would understand people."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "audio": Waveform(SAMPLE_RATE),
                    "label": tfds.features.ClassLabel(names=self.LABELS),
                    "speaker": tfds.features.Text(),
                }
            ),
            supervised_keys=("audio", "label"),
            homepage="https://github.com/espeak-ng/espeak-ng",
            license="Made on this machine; eSpeak NG itself is under the GPL, version 3 or later.",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        return {split: self._generate_examples(split) for split in VOICES}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict]]:
        for voice in VOICES[split]:
            # The name seeds the voice's clips, so adding a voice leaves the others as they were.
            random = np.random.default_rng(list(voice.encode()))
            for label in self.LABELS:
                for number in range(self.CLIPS_PER_VOICE[split]):
                    audio = clip(label, voice, random)
                    yield f"{voice}-{label}-{number}", {"audio": audio, "label": label, "speaker": voice}


class SpokenWords(_Spoken):
    """13,248 clips of about 0.6 s at 16 kHz: 11,136 to train on, 960 to validate, 1,152 to test."""

    name = "spoken_words"
    RELEASE_NOTES = {"1.0.0": "84 voices, 12 classes."}  # noqa: RUF012
    LABELS = CLASSES
    CLIPS_PER_VOICE = MappingProxyType({"train": 16, "validation": 8, "test": 6})
    DESCRIPTION = "Ten commands, fifty other words as 'unknown', and noise alone as 'silence'."


class SpokenVocabulary(_Spoken):
    """17,040 clips of 60 words, each a class of its own: 13,920 to train on, 1,200 to validate, 1,920 to test."""

    name = "spoken_vocabulary"
    RELEASE_NOTES = {"1.0.0": "84 voices, 60 classes."}  # noqa: RUF012
    LABELS = (*WORDS, *OTHER_WORDS)
    CLIPS_PER_VOICE = MappingProxyType({"train": 4, "validation": 2, "test": 2})
    DESCRIPTION = "Sixty words, each a class: to teach a model what voices have in common before it learns from few."


def clip(label: str, voice: str, random: np.random.Generator) -> np.ndarray:
    """One clip: int16 (samples,) at 16 kHz, with a random manner of speaking, noise and loudness.

    Args:
        label: A word, or `UNKNOWN` for one of `OTHER_WORDS`, or `SILENCE`.
        voice: A variant of eSpeak NG.
        random: Draws all that varies.
    """
    if label == SILENCE:
        samples = coloured_noise(int(random.uniform(0.5, 1.2) * SAMPLE_RATE), random)
        return int16(samples * 10 ** (random.uniform(-70, -20) / 20))
    how = manner(voice, random)
    return recorded(str(random.choice(OTHER_WORDS)) if label == UNKNOWN else label, how, random)
