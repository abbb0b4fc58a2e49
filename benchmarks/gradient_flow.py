"""A vanilla RNN loses its gradient over 200 steps; an LSTM keeps it. Both are trained and drawn side by side.

    python benchmarks/gradient_flow.py --picture docs/gradient_flow.png

The task is to say at the end of a sequence which of four symbols came first; the rest is noise, so only the first
step helps. The LSTM starts with forget gates that remember for about the length of a sequence
(Tallec and Ollivier, Can recurrent neural networks warp time?, ICLR 2018).
"""

import argparse
import pathlib
from collections.abc import Callable

import keras
import matplotlib
import matplotlib.figure
import numpy as np

from rnnapps.layers import LSTM, SimpleRNN
from rnnapps.training.gradient_flow import draw_gradient_flow, gradient_flow
from rnnapps.training.plots import STYLE

SYMBOLS = 4


def examples(count: int, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise `(count, steps, SYMBOLS)` with a one-hot symbol as its first step, and the symbols."""
    random = np.random.default_rng(seed)
    symbols = random.integers(SYMBOLS, size=count)
    sequences = random.normal(scale=0.3, size=(count, steps, SYMBOLS)).astype("float32")
    sequences[:, 0] = 3 * np.eye(SYMBOLS)[symbols]
    return sequences, symbols


def remembering_bias(steps: int) -> Callable[..., object]:
    """Biases of an LSTM: forget gates with time constants from 1 to `steps`, input gates with the opposite biases."""

    def bias(shape, dtype=None):
        units = shape[0] // 4
        forget = np.log(np.random.default_rng(0).uniform(1, steps - 1, size=units))
        return keras.ops.cast(np.concatenate([-forget, forget, np.zeros(2 * units)]), dtype)

    return bias


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=pathlib.Path, default=pathlib.Path("gradient_flow.png"), help="PNG to write")
    parser.add_argument("--steps", type=int, default=200, help="length of a sequence (default: %(default)s)")
    parser.add_argument("--updates", type=int, default=600, help="training steps (default: %(default)s)")
    parser.add_argument("--units", type=int, default=64, help="(default: %(default)s)")
    parser.add_argument("--test", type=int, default=512, help="sequences to test on (default: %(default)s)")
    options = parser.parse_args()

    batch = 32
    train = examples(batch * options.updates, options.steps, seed=1)
    test = examples(options.test, options.steps, seed=2)
    contenders = {
        "SimpleRNN": SimpleRNN(options.units),
        "LSTM": LSTM(options.units, unit_forget_bias=False, bias_initializer=remembering_bias(options.steps)),
    }
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(10.5, 4), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (name, layer) in zip(panels, contenders.items(), strict=True):
            keras.utils.set_random_seed(0)
            model = keras.Sequential(
                [keras.Input((options.steps, SYMBOLS)), layer, keras.layers.Dense(SYMBOLS, activation="softmax")]
            )
            model.compile(
                keras.optimizers.Adam(2e-3, clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
            )
            before = next(iter(gradient_flow(model, test).values()))
            model.fit(*train, batch_size=batch, verbose=0)
            loss, accuracy = model.evaluate(*test, verbose=0)
            after = next(iter(gradient_flow(model, test).values()))
            shrunk = after[0] / after[-1]
            print(
                f"{name:10} accuracy {accuracy:6.1%}  loss {loss:.4f}  ∂L/∂h first/last step {shrunk:.1e}", flush=True
            )
            draw_gradient_flow(
                axes,
                {"before training": before, f"after {options.updates} updates": after},
                title=f"{name}: {accuracy:.0%} of {len(test[1])} right",
            )
            axes.set_xlabel("step t   (the gradient flows from right to left)")
        panels[1].set_ylabel("")
        options.picture.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(options.picture, dpi=130)
    print(options.picture)


if __name__ == "__main__":
    main()
