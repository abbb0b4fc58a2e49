"""The signatures of an exported model of melodies: write a melody, or continue token by token."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.music.keys import key_name
from rnnapps.apps.music.melody_batches import melodies_of
from rnnapps.apps.music.melody_generation import (
    Place,
    conditions,
    generate,
    next_logits,
    read_tokens,
    written_tokens,
)
from rnnapps.apps.music.melody_model import MelodyModel
from rnnapps.apps.music.melody_tokens import BAR, PAD, text_of
from rnnapps.datasets import Pieces
from rnnapps.decoding import draw, step_uniform

_PRIMES = ["", "z 4 |", "G 1", "c 3/2 - 1/3 z 1/3 ^F 1/3 | A,, 1/24", "C 1/6 | - 1"]
_PLACES = ("left", "sounding")  # of `Place`: states of a melody in addition to those of the network


def endpoints(model: MelodyModel) -> dict[str, serving.Endpoint]:
    """The signatures of an export. Melodies are texts, see `rnnapps.apps.music.melody_tokens`.

    - `serving_default`: `prime` string, `bars` int32, `key` string ("" for none), `metre` string ("" for 4/4),
      `temperature` float32 and `seed` int32, each `(batch,)` -> `notes` string `(batch,)`, the tokens that follow.
    - `step`: `notes` string, the previous token, "" at the beginning; `number` int32, that of the token to draw; `key`,
      `metre`, `temperature` and `seed` as above; and the states, zeros at the beginning, with `left`, the ticks that
      are left of the bar, and `sounding`, 1 after a note -> `notes` string, the next token, and the states. The number
      that a token is drawn with follows from `seed` and `number`.
    """

    def default(prime: tf.Tensor, bars: tf.Tensor, *told: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"notes": generate(model, prime, bars, *told)}

    names = model.state_names

    def step(
        notes: tf.Tensor,
        number: tf.Tensor,
        key: tf.Tensor,
        metre: tf.Tensor,
        temperature: tf.Tensor,
        seed: tf.Tensor,
        left: tf.Tensor,
        sounding: tf.Tensor,
        *states: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        key_token, metre_token, bar = conditions(model, key, metre)
        token = read_tokens(notes, complete=False).to_tensor(PAD, shape=[None, 1])[:, 0]
        begins = token == PAD
        _, first = model.step(key_token, model.initial_states(tf.shape(notes)[0]))
        own = [tf.where(begins[:, None], new, state) for new, state in zip(first, states, strict=True)]
        # The client decides how many bars there are, so one is always to come.
        place = Place(tf.where(begins, bar, left), tf.fill(tf.shape(left), 2), tf.where(begins, 0, sounding))
        logits, place, own = next_logits(model, tf.where(begins, metre_token, token), place, bar, own)
        randoms = step_uniform(seed, number, 1)[:, 0]
        written = written_tokens(draw(logits, randoms, temperature)[:, None])
        return {"notes": written, "left": place.left, "sounding": place.sounding, **dict(zip(names, own, strict=True))}

    text = {name: tf.TensorSpec([None], tf.string, name=name) for name in ("prime", "notes", "key", "metre")}
    whole = {name: tf.TensorSpec([None], tf.int32, name=name) for name in ("bars", "number", "seed", *_PLACES)}
    temperature = tf.TensorSpec([None], tf.float32, name="temperature")
    told = [text["key"], text["metre"], temperature, whole["seed"]]
    states = [tf.TensorSpec([None, model.options.units], model.compute_dtype, name=name) for name in names]
    places = [whole[name] for name in _PLACES]
    return {
        "serving_default": serving.Endpoint(serving.never_empty(default), [text["prime"], whole["bars"], *told]),
        "step": serving.Endpoint(serving.never_empty(step), [text["notes"], whole["number"], *told, *places, *states]),
    }


def samples(model: MelodyModel, split: Pieces | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export: beginnings of melodies, and unusual ones."""
    primes = list(_PRIMES)
    if split is not None:
        for melody in melodies_of(split)[:5]:
            primes.append(text_of(melody.tokens[: 1 + int(np.argmax(melody.tokens == BAR))]))
    count = len(primes)
    told: dict[str, Any] = {
        "key": ([""] + [key_name(number) for number in range(24)])[:count],
        "metre": ["4/4", "3/2", *["7/2"] * (count - 3), ""],  # the bars of many metres fit into 7/2
        "temperature": np.linspace(0, 1.2, count).astype(np.float32),
        "seed": np.arange(count, dtype=np.int32),
    }
    states = {name: np.zeros((2, model.options.units), model.compute_dtype) for name in model.state_names}
    places = {name: np.array([0, 1], np.int32) * 24 for name in _PLACES}
    two = {name: values[:2] for name, values in told.items()}
    return {
        "serving_default": [{"prime": primes, "bars": np.arange(count, dtype=np.int32) % 3, **told}],
        "step": [{"notes": ["", "1"], "number": np.array([0, 5], np.int32), **two, **places, **states}],
    }


def about(model: MelodyModel) -> dict[str, Any]:
    """What an export says about the model: what its texts are, and the metres it has learnt."""
    return {"representation": "melody", "metres": list(model.metres)}
