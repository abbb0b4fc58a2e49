"""A language of tones: each letter is a tone, a space is silence. A small model learns to write it down in seconds."""

import csv

import numpy as np
import soundfile

RATE = 8000
TONES = {"a": 400, "b": 700, "c": 1100, "d": 1600, "e": 2300}
SECONDS = 0.12  # of a letter


def melody(text, random, rate=RATE):
    """A recording of a text, float32 (samples,)."""
    pieces = [np.zeros(rate // 20)]
    for letter in text:
        time = np.arange(int(SECONDS * random.uniform(0.9, 1.1) * rate)) / rate
        pitch = TONES.get(letter, 0) * random.uniform(0.98, 1.02)
        pieces += [0.3 * np.sin(2 * np.pi * pitch * time), np.zeros(rate // 50)]
    samples = np.concatenate([*pieces, np.zeros(rate // 20)])
    return (samples + 0.002 * random.standard_normal(len(samples))).astype("float32")


def words(random, most=3):
    """Some words of two or three letters."""
    found = ["".join(random.choice(list(TONES), random.integers(2, 4))) for _ in range(random.integers(1, most))]
    return " ".join(found)


def write_set(folder, count=150, seed=0, words=words):
    """Recordings of what `words` says, and their manifest; returns the manifest."""
    random = np.random.default_rng(seed)
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "text", "speaker"])
        for number in range(count):
            text = words(random)
            soundfile.write(folder / f"{number}.wav", melody(text, random), RATE)
            rows.writerow([f"{number}.wav", text, f"s{number % 10}"])
    return folder / "manifest.csv"
