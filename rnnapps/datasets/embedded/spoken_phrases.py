"""`spoken_phrases`: numbers, times, dates, prices and short commands, spoken by eSpeak NG. Needs no network.

The texts are the English ones of `expressions` that are written in words, and commands with such words in them. No text
and no voice is in two splits.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator

import tensorflow_datasets as tfds

from rnnapps.datasets.embedded.expressions import generate
from rnnapps.datasets.embedded.speaking import Spoken, speak
from rnnapps.datasets.embedded.spoken_words import Waveform
from rnnapps.datasets.embedded.voices import SAMPLE_RATE, VOICES
from rnnapps.extras import from_extra

SIZES = {"train": 6_000, "validation": 400, "test": 800}
_COMMANDS = 0.4  # share of the texts
_IN_WORDS = re.compile(r"[A-Za-z][a-z' ,.-]*|[A-Za-z][A-Za-z' ,.-]*[a-z.]")
_LONGEST = 60  # characters

_SLOTS = {
    "switch": ("on", "off"),
    "device": ("light", "lights", "radio", "television", "heating", "fan", "lamp", "oven", "music"),
    "opening": ("door", "window", "windows", "curtains", "gate", "blinds"),
    "room": ("kitchen", "bedroom", "bathroom", "hall", "garden", "office", "garage", "living room"),
    "move": ("open", "close", "lock", "check"),
    "who": ("my mother", "my father", "the doctor", "the office", "my sister", "my brother", "the school", "a taxi"),
    "what": ("the next song", "the last message", "the news", "the weather report", "some music", "the first film"),
    "act": ("play", "stop", "repeat", "skip"),
    "thing": ("milk", "bread", "apples", "coffee", "eggs", "water", "rice", "paper"),
    "day": ("today", "tomorrow", "on monday", "on tuesday", "on wednesday", "on thursday", "on friday", "on saturday"),
    "daytime": ("in the morning", "in the afternoon", "in the evening", "at noon", "at night"),
    "digit": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "small": ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty", "thirty"),
    "span": ("seconds", "minutes", "hours", "days", "weeks"),
}
_TEMPLATES = (
    "turn {switch} the {device} in the {room}",
    "turn the {device} {switch} {day}",
    "{move} the {opening} in the {room}",
    "{move} the {opening} in {small} {span}",
    "call {who} {day} {daytime}",
    "call {who} in {small} {span}",
    "{act} {what}",
    "{act} {what} in the {room}",
    "{act} {what} in {small} {span}",
    "set a timer for {small} {span}",
    "set the alarm for {small} {day}",
    "wake me up at {small} {day}",
    "remind me {day} {daytime}",
    "what is the weather like {day} {daytime}",
    "buy {small} {thing} and {thing}",
    "add {thing} and {thing} to the list",
    "dial {digit} {digit} {digit} {digit}",
    "dial {digit} {digit} {digit} {digit} {digit} {digit}",
    "the code is {digit} {digit} {digit} {digit}",
    "{digit} {digit} {digit} {digit} {digit}",
    "volume up to {small}",
    "go back {small} {span}",
)


def texts(seed: int = 0) -> Iterator[str]:
    """Texts to be said, in lower case without punctuation, without end and without repeats.

    Raises:
        UserError: The package Babel or num2words is missing.

    Example:
        >>> list(itertools.islice(texts(), 2))
        ['the year twenty ninety one', 'at ten to nine in the morning']
    """
    draw = random.Random(seed)
    expressions = (text for text, _ in generate("de", seed) if len(text) <= _LONGEST and _IN_WORDS.fullmatch(text))
    told = set()
    while True:
        text = _command(draw) if draw.random() < _COMMANDS else next(expressions)
        text = " ".join(re.sub(r"[^a-z']", " ", text.lower()).split())
        if text not in told:
            told.add(text)
            yield text


def _command(draw: random.Random) -> str:
    template = draw.choice(_TEMPLATES)
    return re.sub(r"\{(\w+)\}", lambda slot: draw.choice(_SLOTS[slot[1]]), template)


class SpokenPhrases(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """7,200 sentences of about 2.3 s at 16 kHz: 6,000 to train on, 400 to validate, 800 to test."""

    name = "spoken_phrases"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "84 voices; numbers, times, dates, prices and commands."}  # noqa: RUF012

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Numbers, times, dates, prices and short commands spoken by eSpeak NG. Voice, accent, tempo, pitch,"
                " noise and loudness vary; no voice and no text is in two splits. Synthetic speech is more regular than"
                " people's: figures on it say that a pipeline works, not how well a model would understand people."
            ),
            features=tfds.features.FeaturesDict(
                {"audio": Waveform(SAMPLE_RATE), "text": tfds.features.Text(), "speaker": tfds.features.Text()}
            ),
            supervised_keys=("audio", "text"),
            homepage="https://github.com/espeak-ng/espeak-ng",
            license=(
                "Made on this machine. eSpeak NG is under the GPL, version 3 or later, CLDR under the Unicode licence,"
                " num2words under the LGPL."
            ),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        from_extra("espeakng_loader", extra="demo", purpose="synthetic speech")
        every = texts()
        # Cut off one after another: TFDS reads the splits in this order.
        parts = {split: list(itertools.islice(every, size)) for split, size in SIZES.items()}
        return {split: self._generate_examples(split, part) for split, part in parts.items()}

    def _generate_examples(self, split: str, said: list[str]) -> Iterator[tuple[int, dict]]:
        voices = VOICES[split]
        sentences = [Spoken(text, voices[number % len(voices)], number) for number, text in enumerate(said)]
        for number, (sentence, audio) in enumerate(zip(sentences, speak(sentences), strict=True)):
            yield number, {"audio": audio, "text": sentence.text, "speaker": sentence.voice}
