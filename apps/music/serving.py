"""The signatures of an exported model of chords: write a tune, or continue step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.music.generation import Position, conditions, generate, one_step
from rnnapps.apps.music.keys import key_name
from rnnapps.apps.music.model import ChordModel
from rnnapps.apps.music.note_distribution import as_roll
from rnnapps.apps.music.step_text import text_of
from rnnapps.apps.music.time_steps import read_steps, written_steps
from rnnapps.datasets import Pieces
from rnnapps.decoding import step_uniform

_PRIMES = ["", "-", "60", "48,55,64,72 - 50,57,65,74", "21,108"]
_PRIME_STEPS = 8


def endpoints(model: ChordModel) -> dict[str, serving.Endpoint]:
    """The signatures of an export. Time steps are texts, see `rnnapps.apps.music.time_steps`.

    - `serving_default`: `prime` string, `bars` int32, `key` string ("" for none), `metre` string ("" for 4/4),
      `temperature` float32 and `seed` int32, each `(batch,)` -> `notes` string `(batch,)`, the time steps that follow.
    - `step`: `notes` string, the previous time step, "" at the beginning; `number` int32, that of the step to draw;
      `key`, `metre`, `temperature` and `seed` as above; and the states, zeros at the beginning -> `notes` string, the
      next time step, and the states. The numbers that a step is drawn with follow from `seed` and `number`.
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
        *states: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        before, lengths = read_steps(notes)
        begins = tf.cast(lengths == 0, tf.float32)[:, None]
        silent = tf.pad(as_roll(before), [[0, 0], [1, 0], [0, 0]])  # so that there is a step to take
        last = tf.concat([tf.gather(silent, lengths, batch_dims=1), begins], axis=1)
        randoms = step_uniform(seed, number, model.voices)
        told = conditions(model, key, metre)
        drawn, after = one_step(model, Position(last, number, list(states)), told, randoms, temperature)
        return {"notes": written_steps(drawn), **dict(zip(names, after.states, strict=True))}

    text = {name: tf.TensorSpec([None], tf.string, name=name) for name in ("prime", "notes", "key", "metre")}
    whole = {name: tf.TensorSpec([None], tf.int32, name=name) for name in ("bars", "number", "seed")}
    temperature = tf.TensorSpec([None], tf.float32, name="temperature")
    told = [text["key"], text["metre"], temperature, whole["seed"]]
    states = [tf.TensorSpec([None, model.options.units], model.compute_dtype, name=name) for name in names]
    return {
        "serving_default": serving.Endpoint(serving.never_empty(default), [text["prime"], whole["bars"], *told]),
        "step": serving.Endpoint(serving.never_empty(step), [text["notes"], whole["number"], *told, *states]),
    }


def samples(model: ChordModel, split: Pieces | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export: beginnings of pieces, and unusual ones."""
    primes = list(_PRIMES)
    if split is not None:
        primes += [text_of(steps[:_PRIME_STEPS]) for steps in split.steps()[:5]]
    count = len(primes)
    told: dict[str, Any] = {
        "key": ([""] + [key_name(number) for number in range(24)])[:count],
        "metre": ["4/4"] * (count - 1) + [""],
        "temperature": np.linspace(0, 1.2, count).astype(np.float32),
        "seed": np.arange(count, dtype=np.int32),
    }
    states = {name: np.zeros((2, model.options.units), model.compute_dtype) for name in model.state_names}
    two = {name: values[:2] for name, values in told.items()}
    return {
        "serving_default": [{"prime": primes, "bars": np.arange(2, count + 2, dtype=np.int32) % 3, **told}],
        "step": [{"notes": ["", "60,64,67"], "number": np.array([0, 5], np.int32), **two, **states}],
    }


def about(model: ChordModel) -> dict[str, Any]:
    """What an export says about the model: the length of a time step, its metres, the maximum of notes at once."""
    own = {"step": model.step_quarters, "metres": list(model.metres), "voices": model.voices}
    return {"representation": "chords", **own}
