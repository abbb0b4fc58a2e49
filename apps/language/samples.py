"""Texts that the model writes after each epoch, collected in a file that shows how it learns to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from rnnapps.apps.language.cli import Generation
from rnnapps.apps.language.generation import generate
from rnnapps.files import replacing

_LENGTH = {"char": 400, "word": 80, "subword": 100}
_TEMPERATURES = (0.5, 0.8)


def _heading(epoch: int, temperature: float) -> str:
    return f"==== epoch {epoch + 1}, temperature {temperature:g} ====\n"


class SampleTexts(keras.callbacks.Callback):
    """Adds samples to a text file after each epoch. The same seed draws the same numbers each time.

    Args:
        path: The file.
        seed: An integer.
    """

    def __init__(self, path: Path, seed: int = 0) -> None:
        super().__init__()
        self.path, self.seed = path, seed
        self.write: Callable[[], tf.Tensor] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.write is None:
            self.write = tf.function(self._texts, autograph=False)
        texts = self.write()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        before = self.path.read_text(encoding="utf-8") if epoch and self.path.exists() else ""
        before = before.partition(_heading(epoch, _TEMPERATURES[0]))[0]  # of a run that was killed behind this epoch
        with replacing(self.path) as partial, partial.open("w", encoding="utf-8") as file:
            file.write(before)
            for temperature, text in zip(_TEMPERATURES, texts.numpy(), strict=True):
                file.write(f"{_heading(epoch, temperature)}{text.decode()}\n\n")

    def _texts(self) -> tf.Tensor:
        """One text per temperature, string (temperatures,)."""
        length = _LENGTH[self.model.options.level]
        count = len(_TEMPERATURES)
        return generate(
            self.model,
            tf.constant([""] * count),
            tf.constant([length] * count),
            tf.constant(_TEMPERATURES),
            tf.constant([self.seed] * count),
            Generation(),
        )
