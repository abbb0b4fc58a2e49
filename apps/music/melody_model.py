"""The model of melodies: the network of a language model over the tokens of `rnnapps.apps.music.melody_tokens`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.music.cli import Options
from rnnapps.apps.music.melody_tokens import FIRST_KEY, FIRST_METRE
from rnnapps.layers.token_model import TokenModel
from rnnapps.options import as_json, from_keywords


@keras.saving.register_keras_serializable("rnnapps")
class MelodyModel(TokenModel):
    """Reads a melody token by token, after its key and its metre, and says how probable each next one is.

    Args:
        metres: The time signatures that it has learnt.
        lengths: The lengths of notes that it has learnt, in ticks, see `rnnapps.apps.music.melody_tokens.LENGTHS`.
        name, trainable, dtype: As for every Keras model.
        **options: See `rnnapps.apps.music.cli.Options`.

    Call arguments:
        inputs: Tokens, int32 `(batch, time)`: key, metre, and then the melody.

    Output:
        Logits, float32 `(batch, time, tokens)`.

    Reference:
        Sturm et al., Music transcription modelling and composition using deep learning, 2016.
    """

    def __init__(
        self,
        metres: Sequence[str],
        lengths: Sequence[int],
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        chosen = from_keywords(Options, options, type(self).__name__)
        super().__init__(
            FIRST_METRE + 1 + len(metres),
            embedding_units=chosen.embedding_units,
            tied=False,
            layers=chosen.layers,
            **chosen.layer_arguments(),
            name=name,
            trainable=trainable,
            dtype=dtype,
        )
        self.options, self.metres, self.lengths = chosen, tuple(metres), tuple(lengths)
        self.drop = keras.layers.Dropout(chosen.dropout)

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        outputs, _ = self.read(inputs, self.initial_states(tf.shape(inputs)[0]), training=training)
        return self.logits(self.drop(outputs, training=training))

    def key_token(self, key: int | None) -> int:
        """The token of a key by its number, or of an unknown key."""
        return FIRST_KEY + (0 if key is None else 1 + key)

    def metre_token(self, metre: str) -> int:
        """The token of a metre; one token stands for all metres that the model has not learnt."""
        return FIRST_METRE + (1 + self.metres.index(metre) if metre in self.metres else 0)

    def get_config(self) -> dict[str, Any]:
        own = {"metres": list(self.metres), "lengths": list(self.lengths)}
        return {**super().get_config(), **own, **as_json(self.options)}
