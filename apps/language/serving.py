"""The signatures of an exported language model: write, complete, score, and follow a user who is typing."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.language.cli import Generation
from rnnapps.apps.language.completion import complete, next_tokens
from rnnapps.apps.language.generation import after, generate
from rnnapps.apps.language.model import LanguageModel
from rnnapps.apps.language.scoring import log_probabilities
from rnnapps.apps.language.tokens import PAD
from rnnapps.datasets import Corpus

COMPLETIONS = 5
NEXT = 10
TRICKY = ["", " ", "\n\n", "🎉🎉", "这部电影很好看。", "nul \x00 byte", "\u00e9t\u00e9 e\u0301te\u0301", "word " * 40]
_LONG = "word " * 500  # in characters, more than `score` reads at once
_PROMPT = 60  # characters of a sample request


def endpoints(model: LanguageModel, decoding: Generation | None = None) -> dict[str, serving.Endpoint]:
    """The signatures of an export.

    - `serving_default`: `prompt` string, `length` int32 (maximum number of tokens), `temperature` float32 and `seed`
      int32, each `(batch,)` -> `text` string `(batch,)`, what follows the prompt. (`predict --samples` of a run asks
      for several: `(batch, samples)`.)
    - `complete`: `prefix` string `(batch,)` -> `completions` string and `probabilities` float32, both `(batch, 5)`.
    - `score`: `text` string `(batch,)` -> `tokens` string and `log_probabilities` float32 `(batch, time)`, padded with
      "" and 0, and `total` float32 `(batch,)`, in nats.
    - `start`: `text` string `(batch,)`, the text so far -> `next` string and `probabilities` float32
      `(batch, 10)`, the likeliest next tokens, and the states. `step`: `text`, what was typed since then, and the
      states -> the same.
    """
    decoding = decoding or Generation()

    def default(prompt: tf.Tensor, length: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        texts = [
            generate(model, prompt, length, temperature, seed, decoding, sample) for sample in range(decoding.samples)
        ]
        return {"text": texts[0] if len(texts) == 1 else tf.stack(texts, axis=1)}

    def score(text: tf.Tensor) -> dict[str, tf.Tensor]:
        ids, scores = log_probabilities(model, text)
        tokens = model.tokens.shown(ids)
        return {"tokens": tokens, "log_probabilities": scores, "total": tf.reduce_sum(scores, axis=1)}

    names = model.state_names

    def start(text: tf.Tensor) -> dict[str, tf.Tensor]:
        position = after(model, text)
        outputs, states = model.step(position.last, position.states)
        return next_tokens(model, outputs, NEXT) | dict(zip(names, states, strict=True))

    def step(text: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs, states = typed(model, text, list(values))
        return next_tokens(model, outputs, NEXT) | dict(zip(names, states, strict=True))

    strings = {name: tf.TensorSpec([None], tf.string, name=name) for name in ("prompt", "prefix", "text")}
    states = [tf.TensorSpec([None, model.options.units], model.compute_dtype, name=name) for name in names]
    numbers = [
        tf.TensorSpec([None], dtype, name=name)
        for name, dtype in (("length", tf.int32), ("temperature", tf.float32), ("seed", tf.int32))
    ]
    return {
        "serving_default": serving.Endpoint(serving.never_empty(default), [strings["prompt"], *numbers]),
        "complete": serving.Endpoint(
            serving.never_empty(lambda prefix: complete(model, prefix, COMPLETIONS)), [strings["prefix"]]
        ),
        "score": serving.Endpoint(serving.never_empty(score), [strings["text"]]),
        "start": serving.Endpoint(serving.never_empty(start), [strings["text"]]),
        "step": serving.Endpoint(serving.never_empty(step), [strings["text"], *states]),
    }


def typed(model: LanguageModel, text: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Reads further tokens one by one: outputs `(batch, units)` and states after texts, string `(batch,)`.

    Where there is no text, state and output stay the same.
    """
    ids = model.tokens.encode(text).to_tensor(shape=[None, None])
    ids = tf.pad(ids, [[0, 0], [0, tf.cast(tf.shape(ids)[1] == 0, tf.int32)]])  # at least one column

    def read(token: tf.Tensor, outputs: tf.Tensor, states: list[tf.Tensor]) -> list[tf.Tensor]:
        new, after_it = model.step(token, states)
        real = (token != PAD)[:, None]
        return [tf.where(real, now, before) for now, before in zip((new, *after_it), (outputs, *states), strict=True)]

    def body(number: tf.Tensor, outputs: tf.Tensor, states: list[tf.Tensor]) -> tuple:
        outputs, *states = read(ids[:, number], outputs, states)
        return number + 1, outputs, states

    # The state `h` of the last layer is its output. A keystroke is one token, which needs no loop.
    outputs, *states = read(ids[:, 0], states[-model.states_a_layer], states)
    _, outputs, states = tf.while_loop(
        lambda number, outputs, states: number < tf.shape(ids)[1], body, (tf.constant(1), outputs, states)
    )
    return outputs, states


def samples(model: LanguageModel, split: Corpus | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export: lines of a split, and tricky ones."""
    lines: list[str] = []
    if split is not None:
        text = next(split.read()).text.decode("utf-8", errors="replace")
        lines = [line for line in text.splitlines() if line.strip()][:20]
    prompts = [*(line[:_PROMPT] for line in lines), *TRICKY]
    outputs = {name: np.zeros((2, model.options.units), model.compute_dtype) for name in model.state_names}
    count = len(prompts)
    order = np.roll(np.arange(count), -(count // 2))  # the first is an example: neither too short nor too hot
    return {
        "serving_default": [
            {
                "prompt": prompts,
                "length": (order % 30).astype(np.int32),
                "temperature": np.linspace(0, 1.5, count)[order].astype(np.float32),
                "seed": np.arange(count, dtype=np.int32),
            }
        ],
        "complete": [{"prefix": prompts}],
        "score": [{"text": [*lines, *TRICKY]}, {"text": [_LONG]}],
        "start": [{"text": prompts}],
        "step": [{"text": ["a", ""], **outputs}, {"text": ["bc", "the"], **outputs}],
    }


def about(model: LanguageModel) -> dict[str, Any]:
    """What an export says about the model: what its tokens are, and how many."""
    return {"level": model.options.level, "vocabulary": model.tokens.size}
