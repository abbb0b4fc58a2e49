"""How far the gradient reaches back in time: the norm of ∂L/∂h_t for every step t of every recurrent layer.

A vanishing gradient is a line that falls by orders of magnitude on its way back, an exploding one a line that climbs.
The recurrences measure the norms in the backward pass itself (`rnnapps.recurrences.recur`, `probe`).
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import keras
import matplotlib
import matplotlib.figure
import matplotlib.ticker
import numpy as np
import tensorflow as tf

from rnnapps.layers import Recurrent
from rnnapps.training.model_steps import kept_state
from rnnapps.training.plots import INK, STYLE, save
from rnnapps.training.tensorboard import SCALAR

COLOURS = ("#d1495b", "#2e6f95", "#edae49", "#66a182", "#8d6a9f", "#7a8ca3")


def gradient_flow(model: keras.Model, batch: Any, *, training: bool = True) -> dict[str, np.ndarray]:
    """Measures the norm of the loss's gradient in the hidden state of every step, for each recurrent layer.

    Args:
        model: A compiled model (it needs a loss), built on the TensorFlow backend.
        batch: One batch as `fit` takes it: `(x, y)` or `(x, y, sample_weight)`.
        training: Whether dropout is on, as in a step of training. Weights and states are as before afterwards.

    Returns:
        For each recurrent layer of `rnnapps.layers` in the model a float array `(time,)`: the L2 norm of ∂L/∂h_t over
        batch and units, after the layer's `gradient_clip`, in the order of the inputs (so the gradient enters a layer
        that reads forwards at the last step). The keys are the names of the layers in the order of the model, inside
        `Bidirectional` and `Stacked` with the names of the layers around them ("bidirectional/forward_lstm"). A layer
        that is called more than once has one entry per call ("lstm", "lstm (call 2)"). Layers on Keras's loop (see
        `layer.engine`) cannot be measured and are left out.

    Raises:
        ValueError: There is no layer to measure.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 3)), LSTM(4, name="lstm"), keras.layers.Dense(1)])
        >>> model.compile(loss="mse")
        >>> gradient_flow(model, (np.ones((2, 7, 3)), np.ones((2, 1))))["lstm"].shape
        (7,)

    Reference:
        Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks, ICML 2013, section 2.
    """
    return _measure(model, batch, training)[0]


def _measure(
    model: keras.Model, batch: Any, training: bool
) -> tuple[dict[str, np.ndarray], dict[str, float], list[str]]:
    """The flow, the gradient norm of each measured layer's weights, and the names in the flow that read backwards."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    layers = recurrent_layers(model)
    probes: dict[str, tf.Tensor] = {}
    backwards: list[str] = []
    with kept_state(model), tf.GradientTape() as tape:

        def probe_for(name: str, layer: Recurrent) -> Callable[[tf.Tensor], tf.Tensor]:
            def probe(sequences: tf.Tensor) -> tf.Tensor:
                calls = sum(label == name or label.startswith(f"{name} (call ") for label in probes)
                label = f"{name} (call {calls + 1})" if calls else name
                probes[label] = tf.zeros(tf.shape(sequences)[1])
                tape.watch(probes[label])
                if layer.go_backwards:
                    backwards.append(label)
                return probes[label]

            return probe

        for name, layer in layers.items():
            layer.gradient_probe = probe_for(name, layer)
        try:
            predictions = model(x, training=training)
            loss = model.compute_loss(x, y, predictions, sample_weight, training=training)
        finally:
            for layer in layers.values():
                layer.gradient_probe = None
    weights = {name: [weight.value for weight in layer.trainable_weights] for name, layer in layers.items()}
    flow, norms = tape.gradient(loss, (probes, weights), unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return (
        {name: norm.numpy() for name, norm in flow.items()},
        {name: float(tf.linalg.global_norm(gradients)) for name, gradients in norms.items() if gradients},
        backwards,
    )


def recurrent_layers(model: keras.Model) -> dict[str, Recurrent]:
    """The layers of a built model that can be measured, by name."""
    layers = {}
    for layer in model._flatten_layers(include_self=True, recursive=True):
        if isinstance(layer, Recurrent) and not layer.engine.startswith("keras loop"):
            # A weight's path names all the layers around it, the model first and the cell and the weight last.
            path = layer.cell.kernel.path.removeprefix(f"{model.name}/")
            layers["/".join(path.split("/")[:-2]) or layer.name] = layer
    if not layers:
        raise ValueError(
            "gradient flow needs a recurrent layer of rnnapps.layers that runs in the fused loop, "
            "got a model without one"
        )
    return layers


class GradientFlow(keras.callbacks.Callback):
    """Measures the gradient flow on one batch after every epoch, logs it for TensorBoard and draws it.

    Args:
        batch: The batch, see `gradient_flow`; the same after every epoch, so that the lines can be compared.
        log_dir: Folder for TensorBoard's event files, or None. For each layer: the norms of ∂L/∂h_t at the first and
            the last step, their ratio, and the norm of the gradient of its weights.
        picture: Path of the PNG, or None: the flow after the latest epoch, with that after the first one faint behind
            it.
    """

    def __init__(
        self,
        batch: Any,
        log_dir: str | pathlib.Path | None = None,
        picture: str | pathlib.Path | None = None,
    ) -> None:
        super().__init__()
        self.batch = batch
        self.picture = None if picture is None else pathlib.Path(picture)
        self.log_dir = log_dir
        self.writer: tf.summary.SummaryWriter | None = None
        self.first: dict[str, np.ndarray] | None = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if self.log_dir is not None:
            self.writer = tf.summary.create_file_writer(str(self.log_dir))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        flow, norms, backwards = _measure(self.model, self.batch, training=True)
        if self.writer is not None:
            self._log(flow, norms, epoch + 1)
        if self.picture is not None:
            title = f"Gradient flow after epoch {epoch + 1}"
            plot_gradient_flow(flow, self.picture, title=title, backwards=backwards, before=self.first)
        self.first = self.first or flow

    def get_state(self) -> dict[str, list[float]] | None:
        """Returns the flow after the first epoch, so that a resumed run still draws it."""
        return None if self.first is None else {name: norms.tolist() for name, norms in self.first.items()}

    def set_state(self, state: dict[str, list[float]] | None) -> None:
        """Takes back what `get_state` returned."""
        self.first = None if state is None else {name: np.array(norms, "float32") for name, norms in state.items()}

    def _log(self, flow: Mapping[str, np.ndarray], norms: Mapping[str, float], epoch: int) -> None:
        values = {f"gradient_norm/{name}": norm for name, norm in norms.items()}
        for name, steps in flow.items():
            if len(steps):
                values[f"gradient_flow/{name}/first_step"] = steps[0]
                values[f"gradient_flow/{name}/last_step"] = steps[-1]
                values[f"gradient_flow/{name}/first_over_last"] = steps[0] / max(steps[-1], 1e-30)
        assert self.writer is not None
        with self.writer.as_default():
            for name, value in values.items():
                tf.summary.write(name, tf.constant(value, tf.float32), step=epoch, metadata=SCALAR)
        self.writer.flush()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self.writer is not None:
            self.writer.close()


def plot_gradient_flow(
    flow: Mapping[str, np.ndarray],
    path: pathlib.Path,
    *,
    title: str = "Gradient flow",
    backwards: Collection[str] = (),
    before: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Draws the norms of ∂L/∂h_t over the steps on a log scale, one line per layer, and writes a PNG.

    Args:
        flow: What `gradient_flow` returned.
        path: Where the PNG goes.
        title: Its title.
        backwards: Names of the layers that read from the last step to the first.
        before: An earlier flow, drawn faint behind this one.
    """
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(7.5, 4.2), layout="constrained")
        draw_gradient_flow(figure.add_subplot(), flow, title=title, backwards=backwards, before=before)
        save(figure, path)


def draw_gradient_flow(
    axes: Any,
    flow: Mapping[str, np.ndarray],
    *,
    title: str,
    backwards: Collection[str] = (),
    before: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Draws what `plot_gradient_flow` draws into axes of matplotlib; see there for the arguments."""
    for number, (name, norms) in enumerate(flow.items()):
        colour = COLOURS[number % len(COLOURS)]
        earlier = (before or {}).get(name)
        if earlier is not None:
            axes.plot(_positive(earlier), color=colour, linewidth=1.2, alpha=0.3)
        label = f"{name} {'→' if name in backwards else '←'}"
        axes.plot(_positive(norms), color=colour, linewidth=2, label=label, solid_capstyle="round")
        if len(norms) == 1:
            axes.plot(_positive(norms), color=colour, marker="o")
    axes.set_yscale("log")
    axes.set_title(title, loc="left")
    axes.set_xlabel("step t  (the arrow of a layer shows which way its gradient flows)")
    axes.set_ylabel("norm of ∂L/∂h$_t$")
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    axes.grid(axis="y", color="#e6e9ee")
    axes.set_axisbelow(True)
    axes.legend(loc="best", fontsize=9)
    axes.tick_params(which="minor", left=False)
    axes.spines["left"].set_color(INK)


def _positive(norms: np.ndarray) -> np.ndarray:
    """Replaces zeros, which a log scale cannot show, by gaps."""
    return np.where(norms > 0, norms, np.nan)
