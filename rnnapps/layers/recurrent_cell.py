"""What the three cells share: arguments, weights, dropout masks, initial state and configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import keras

from rnnapps.internals import DropoutRNNCell
from rnnapps.layers.units import positive_units

Tensor = Any  # a tensor of whichever backend Keras runs on
Shape = tuple[int | None, ...]
Activation = str | Callable[..., Any] | None
Initializer = Any  # a name, a configuration, a keras.initializers.Initializer or a function; so for the next two
Regularizer = Any
Constraint = Any


class RecurrentCell(keras.layers.Layer, DropoutRNNCell):
    """Base class of `SimpleRNNCell`, `GRUCell` and `LSTMCell`; it has no step of its own.

    A subclass declares the number of gates that lie side by side in its kernels (`gates`) and the number of states of
    shape `(batch, units)` that it carries (`state_count`), and writes one step as
    `call(inputs, states, training=False)`. `keras.layers.RNN` recognises Keras's `DropoutRNNCell` and draws its masks
    before the time loop starts, so these cells work in Keras's layers too.

    Args:
        units: Size of every state and of the output, a positive integer.
        activation: What turns a pre-activation into new content; a name, a function or None for identity.
        use_bias: Whether a bias is added to the gates.
        kernel_initializer, recurrent_initializer, bias_initializer: How the weights are initialised.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights, or None.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of the weights after each update, or None.
        dropout: Share of the inputs that is dropped in training, in [0, 1). There is one mask per sequence, the same
            for all steps and gates.
        recurrent_dropout: The same for the hidden state where it enters the recurrent product. The state that is
            carried over to the next step stays whole.
        seed: Makes the dropout masks repeatable.
        implementation: Accepted because Keras's cells and older configurations have it. Every value computes all gates
            in one product.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Raises:
        ValueError: If `units` is not positive or a dropout rate is outside [0, 1).
    """

    gates: ClassVar[int] = 1
    state_count: ClassVar[int] = 1
    # Whether the seed of dropout is drawn before those of the initializers, which decides what a global seed gives.
    _seeded_first: ClassVar[bool] = False
    units: int
    output_size: int
    activation: Callable[..., Tensor]
    use_bias: bool
    kernel_initializer: Callable[..., Tensor]
    recurrent_initializer: Callable[..., Tensor]
    bias_initializer: Callable[..., Tensor]
    dropout: float
    recurrent_dropout: float
    kernel: Any  # keras.Variable, as the two below
    recurrent_kernel: Any
    bias: Any  # None without `use_bias`

    def __init__(
        self,
        units: int,
        activation: Activation = "tanh",
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        *,
        implementation: int = 2,
        **kwargs: Any,
    ) -> None:
        units = positive_units(units)
        for name, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0 <= rate < 1:
                raise ValueError(f"`{name}` must be at least 0 and less than 1, got {rate!r}")
        super().__init__(**kwargs)
        if self._seeded_first:
            self.seed_generator = keras.random.SeedGenerator(seed)
        self.units = int(units)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.seed = seed
        self.implementation = implementation
        if not self._seeded_first:
            self.seed_generator = keras.random.SeedGenerator(seed)
        self.state_size = self.units if self.state_count == 1 else [self.units] * self.state_count
        self.output_size = self.units

    def build(self, input_shape: Shape) -> None:
        width = self.gates * self.units
        self.kernel = self._add_cell_weight("kernel", (input_shape[-1], width), "kernel", self.kernel_initializer)
        self.recurrent_kernel = self._add_cell_weight(
            "recurrent_kernel", (self.units, width), "recurrent", self.recurrent_initializer
        )
        self.bias = None
        if self.use_bias:
            self.bias = self._add_cell_weight("bias", self._bias_shape(), "bias", self._start_bias)

    def _add_cell_weight(
        self, name: str, shape: Shape, kind: str, initializer: Callable[..., Tensor]
    ) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            regularizer=getattr(self, f"{kind}_regularizer"),
            constraint=getattr(self, f"{kind}_constraint"),
        )

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _start_bias(self, shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        return self.bias_initializer(shape, dtype=dtype)

    @property
    def recurrence(self) -> str | None:
        """The engines' name of this cell's equation, or None if its activations are not the usual ones."""
        raise NotImplementedError

    def drop_inputs(self, inputs: Tensor, training: bool) -> Tensor:
        """`(batch, features)` inputs under this sequence's dropout mask."""
        return inputs * self.get_dropout_mask(inputs) if training and self.dropout else inputs

    def drop_state(self, h: Tensor, training: bool) -> Tensor:
        """`(batch, units)` hidden state under this sequence's recurrent dropout mask."""
        return h * self.get_recurrent_dropout_mask(h) if training and self.recurrent_dropout else h

    def read_out(self, h: Tensor) -> Tensor:
        """The output that belongs to a hidden state: the state itself, unless a subclass projects it."""
        return h

    def get_initial_state(self, batch_size: int | Tensor | None = None) -> list[Tensor]:
        """Zeros `(batch_size, units)` for each state."""
        return [keras.ops.zeros((batch_size, self.units), dtype=self.compute_dtype) for _ in range(self.state_count)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.get_cell_config()}

    def state_shapes(self) -> list[Shape]:
        """Shapes of the states without the batch axis."""
        return [(self.units,)] * self.state_count

    def get_cell_config(self) -> dict[str, Any]:
        """The cell's own arguments, without those of any Keras layer (name, dtype, trainable)."""
        config = {name: getattr(self, name) for name in cell_arguments(type(self)) if hasattr(self, name)}
        config["activation"] = keras.activations.serialize(self.activation)
        for weight in ("kernel", "recurrent", "bias"):
            for module in (keras.initializers, keras.regularizers, keras.constraints):
                name = f"{weight}_{module.__name__.rpartition('.')[2].removesuffix('s')}"
                config[name] = module.serialize(config[name])
        return config


def cell_arguments(cell: type[RecurrentCell]) -> tuple[str, ...]:
    """Names of the constructor arguments of a cell class and of its base classes, except `implementation`."""
    names = [
        name
        for owner in cell.__mro__
        if issubclass(owner, RecurrentCell) and "__init__" in vars(owner)
        for name, parameter in inspect.signature(vars(owner)["__init__"]).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and name not in ("self", "implementation")
    ]
    return tuple(dict.fromkeys(names))


def shared_with_cell(arguments: dict[str, Any]) -> dict[str, Any]:
    """What a layer's keyword arguments mean for its cell: `dtype`, `trainable` and, taken out, `implementation`."""
    cell: dict[str, Any] = {name: arguments[name] for name in ("dtype", "trainable") if name in arguments}
    if "implementation" in arguments:
        cell["implementation"] = arguments.pop("implementation")
    return cell


def freeze_sublayers(layer: keras.layers.Layer) -> None:
    """Passes the argument `trainable=False` of a layer on to all layers inside it, as a later assignment does."""
    for part in () if layer.trainable else layer._flatten_layers(include_self=False):
        part.trainable = False


def is_tanh(activation: Callable[..., Tensor]) -> bool:
    """Whether an activation is the hyperbolic tangent, which the fused recurrences compute."""
    return activation in (keras.activations.tanh, keras.ops.tanh)


def is_sigmoid(activation: Callable[..., Tensor]) -> bool:
    """Whether an activation is the logistic sigmoid, which the fused recurrences compute."""
    return activation in (keras.activations.sigmoid, keras.ops.sigmoid)
