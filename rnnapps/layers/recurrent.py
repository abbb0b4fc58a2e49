"""The layer that runs a cell over a sequence: states, masks, directions, and which loop does the work."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from numbers import Integral
from operator import attrgetter
from typing import Any, ClassVar

import keras
from keras import ops

from rnnapps import recurrences
from rnnapps.layers.gru_cell import GRUCell
from rnnapps.layers.initial_states import broadcast_mask, broadcast_states, check_initial_state, check_state_shapes
from rnnapps.layers.input_checks import check_inputs
from rnnapps.layers.lstm_cell import LSTMCell
from rnnapps.layers.recurrent_cell import RecurrentCell, Shape, Tensor, cell_arguments, freeze_sublayers
from rnnapps.layers.simple_rnn_cell import SimpleRNNCell

# A subclass of a cell may compute something else; what counts is whose step it runs.
FUSED_STEPS = (SimpleRNNCell.call, GRUCell.call, LSTMCell.call)


@keras.saving.register_keras_serializable("rnnapps")
class Recurrent(keras.layers.RNN):
    """Runs a cell over the steps of a sequence; the base class of `SimpleRNN`, `GRU` and `LSTM`.

    It takes and returns what `keras.layers.RNN` does, with these differences:

    - A sequence of no steps, `(batch, 0, features)`, leaves the states as they were.
    - A mask that came with the sequences (from `keras.layers.Embedding(mask_zero=True)`, say) also counts when
      `initial_state` is given; Keras drops it then.
    - Initial states and masks of batch 1 are repeated for every sequence, in graphs too.
    - `keep_time_order` and the three arguments on the gradient below.

    Args:
        cell: The cell, one of ours or any that `keras.layers.RNN` takes, or a list of cells to put on top of each
            other.
        return_sequences: Whether to return the output of every step or the last one only.
        return_state: Whether to return the final states after the output.
        go_backwards: Whether to read from the last step to the first. The outputs come in the order of reading.
        stateful: Whether a batch starts from the states at which the batch before it ended (fixed batch size).
        unroll: Whether to lay the steps out one by one in the graph (short sequences of fixed length).
        zero_output_for_mask: Whether the outputs of masked steps are zeros; otherwise they repeat the output before.
        truncate: Truncated backpropagation through time: the gradient does not cross the border between one
            segment of this many steps and the next. None for the whole sequence.
        checkpoint_every: A number k: keep only the states of every k-th step and recompute the others in the
            backward pass: less memory, more time, the same gradients. None to keep them all.
        gradient_clip: Bound on each element of the gradient that flows into a step's hidden state, against
            exploding gradients. None for no bound. All three need the fused loop.
        engine: Which loop runs the layer: "auto" for the fastest that can (the property `engine` says which, and why),
            "keras" for Keras's own loop.
        use_cudnn: As for `keras.layers.LSTM`: "auto" uses cuDNN wherever it can run, False never does, and True makes
            a call that cannot use it an error.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`, as for any Keras layer.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: One tensor `(batch, units)` per state; zeros if left out.
        mask: Boolean `(batch, time)`; at a step that is False the states are held. Outputs before the first step
            that is read are zeros, as in Keras.
        training: Whether dropout is on.
        keep_time_order: Whether a layer that goes backwards returns its outputs in the order of its inputs.

    Returns:
        `(batch, time, output_size)` with `return_sequences`, else `(batch, output_size)`; with `return_state`
        followed by the final states.

    Raises:
        ValueError: If `truncate`, `checkpoint_every` or `gradient_clip` is not positive, or is given for a
            configuration that only Keras's loop can run, if neither of the first two divides the other, if `unroll`
            is on and the length of the sequences is unknown, or if the initial states do not have the number and
            shapes that the cell needs.

    Example:

    >>> layer = Recurrent(LSTMCell(4), return_sequences=True)
    >>> layer(np.ones((2, 7, 3), "float32")).shape
    TensorShape([2, 7, 4])

    Reference:
        Werbos, Backpropagation through time: what it does and how to do it, Proc. IEEE 78 (1990); truncation and
        its cost in Williams and Peng, Neural Computation 2 (1990).
    """

    cell_class: ClassVar[type[RecurrentCell] | None] = None
    # Set while gradient flow is measured: from the sequences to zeros `(time,)` that a tape watches (see `recur`).
    gradient_probe: Callable[[Tensor], Tensor] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A layer made for one cell has the cell's arguments as attributes, as in Keras."""
        super().__init_subclass__(**kwargs)
        if "cell_class" in vars(cls) and cls.cell_class is not None:
            for name in cell_arguments(cls.cell_class):
                setattr(cls, name, property(attrgetter(f"cell.{name}")))

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        *,
        truncate: int | None = None,
        checkpoint_every: int | None = None,
        gradient_clip: float | None = None,
        engine: str = "auto",
        use_cudnn: str | bool = "auto",
        **kwargs: Any,
    ) -> None:
        if engine not in ("auto", "keras"):
            raise ValueError(
                f"`engine` must be 'auto' or 'keras' (`rnnapps.recurrences.use_engine` takes others), got {engine!r}"
            )
        for name, steps in (("truncate", truncate), ("checkpoint_every", checkpoint_every)):
            if steps is not None and (not isinstance(steps, Integral) or isinstance(steps, bool) or steps <= 0):
                raise ValueError(f"`{name}` must be a positive number of steps or None, got {steps!r}")
        if gradient_clip is not None and not gradient_clip > 0:
            raise ValueError(f"`gradient_clip` must be a positive number or None, got {gradient_clip!r}")
        if use_cudnn not in ("auto", True, False):
            raise ValueError(f"`use_cudnn` must be 'auto', True or False, got {use_cudnn!r}")
        super().__init__(
            cell, return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask, **kwargs
        )
        recurrences.segment_length(truncate, checkpoint_every)
        self.truncate = None if truncate is None else int(truncate)
        self.checkpoint_every = None if checkpoint_every is None else int(checkpoint_every)
        self.gradient_clip = gradient_clip
        self._engine = engine
        self.use_cudnn = use_cudnn
        self._need_fused_loop("truncate", "checkpoint_every", "gradient_clip")
        # As for cuDNN: with ops that XLA does not know in it, Keras must not compile a model of its own accord.
        self.supports_jit = not self.engine.startswith(("cudnn", "native"))
        if self.cell_class:
            self.input_spec = keras.InputSpec(ndim=3)
        freeze_sublayers(self)

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool = False,
        keep_time_order: bool = False,
    ) -> Any:
        if self.unroll and sequences.shape[1] is None:
            raise ValueError(
                "`unroll=True` needs sequences of a known length, got an unknown one: give it in keras.Input(shape=...)"
            )
        if mask is None:
            mask = getattr(sequences, "_keras_mask", None)  # Keras passes it on only where there is no initial_state
        elif keras.tree.is_nested(mask):
            mask = keras.tree.flatten(mask)[0]
        check_inputs(self, sequences, mask)
        if mask is not None:
            mask = broadcast_mask(mask, sequences)
        states = self._starting_states(sequences, initial_state)
        if training:
            self._maybe_config_dropout_masks(self.cell, self._blank_step(sequences), states)

        # A subclass may override `inner_loop` with Keras's arguments.
        asked = keep_time_order and "keep_time_order" in inspect.signature(self.inner_loop).parameters
        options = {"keep_time_order": True} if asked else {}
        last_output, outputs, states = self.inner_loop(sequences, states, mask, training, **options)
        if keep_time_order and not asked and self.go_backwards and self.return_sequences:
            outputs = ops.flip(outputs, axis=1)

        self._maybe_reset_dropout_masks(self.cell)
        output = ops.cast(outputs if self.return_sequences else last_output, self.compute_dtype)
        states = [
            keras.tree.map_structure(lambda state: ops.cast(state, self.compute_dtype), state) for state in states
        ]
        if self.stateful:
            for variable, state in zip(keras.tree.flatten(self.states), keras.tree.flatten(states), strict=True):
                variable.assign(state)
        return (output, *states) if self.return_state else output

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: list[Any],
        mask: Tensor | None,
        training: bool = False,
        keep_time_order: bool = False,
    ) -> tuple[Tensor, Tensor, list[Any]]:
        """Runs the cell over the steps.

        Dropout masks have been drawn: `cell.get_dropout_mask` and `cell.get_recurrent_dropout_mask` give them.

        Returns:
            The output of the last step read, `(batch, output_size)`; the outputs of all steps, in the order of
            reading unless `keep_time_order` (ignored without `return_sequences`); the final states.
        """
        self._check_use_cudnn()
        if self._obstacle() is not None:
            return self._keras_loop(sequences, initial_state, mask, training, keep_time_order)
        return self._fused_loop(sequences, initial_state, mask, training, keep_time_order)

    @property
    def engine(self) -> str:
        """Which loop runs this layer, and why: "cudnn: ...", "graph: ..." or "native: ...", or "keras loop: ..."."""
        obstacle = self._obstacle()
        if obstacle is not None:
            return f"keras loop: {obstacle}"
        return ": ".join(recurrences.engine_in_use(self.cell.compute_dtype, self._no_cudnn()))

    def _no_cudnn(self) -> str | None:
        """What keeps this layer from cuDNN on a GPU, by the rules of Keras's layers; None if nothing does."""
        if self.use_cudnn is False:
            return "use_cudnn=False"
        cell = self.cell
        return recurrences.not_served_by_cudnn(
            cell.recurrence,
            use_bias=cell.use_bias,
            recurrent_dropout=cell.recurrent_dropout > 0,
            gradient_clip=self.gradient_clip,
            norms=self.gradient_probe is not None,
        )

    def _check_use_cudnn(self) -> None:
        if self.use_cudnn is True:
            obstacle = self._obstacle()
            if obstacle is None:
                reason = recurrences.why_not_cudnn(self.cell.compute_dtype, self._no_cudnn())
            else:
                reason = obstacle
            if reason is not None:
                raise ValueError(f"use_cudnn=True, but {reason}: use_cudnn='auto' lets another engine run")

    def _obstacle(self) -> str | None:
        """What keeps this layer from our recurrences; None if nothing does."""
        cell = self.cell
        if self._engine == "keras":
            return "engine='keras'"
        if keras.backend.backend() != "tensorflow":
            return f"the backend is {keras.backend.backend()}"
        if not isinstance(cell, RecurrentCell) or type(cell).call not in FUSED_STEPS:
            return f"the cell is {type(cell).__name__}"
        if cell.recurrence is None:
            activations = {name: getattr(cell, name, None) for name in ("activation", "recurrent_activation")}
            usual = {"activation": "tanh", "recurrent_activation": "sigmoid"}
            names = {
                name: getattr(value, "__name__", value) for name, value in activations.items() if value is not None
            }
            return " and ".join(f"{name} is {value}" for name, value in names.items() if value != usual[name])
        return "unroll is on" if self.unroll else None

    def _need_fused_loop(self, *arguments: str) -> None:
        given = [f"{name}={getattr(self, name)}" for name in arguments if getattr(self, name) is not None]
        if given and self._obstacle() is not None:
            raise ValueError(
                f"{', '.join(given)} needs the fused loop, which this layer cannot use: {self._obstacle()}"
            )

    def _fused_loop(
        self, sequences: Tensor, initial_state: list[Any], mask: Tensor | None, training: bool, keep_time_order: bool
    ) -> tuple[Tensor, Tensor, list[Any]]:
        cell = self.cell
        dtype = cell.compute_dtype
        sequences = ops.convert_to_tensor(sequences, dtype=dtype)
        weights = recurrences.Weights(
            *(
                None if weight is None else ops.convert_to_tensor(weight, dtype=dtype)
                for weight in (cell.kernel, cell.recurrent_kernel, cell.bias)
            )
        )
        if mask is not None:
            mask = ops.cast(mask if len(mask.shape) == 2 else ops.squeeze(mask, axis=-1), "bool")
        recurrent_dropout_mask = None
        if training and cell.dropout:
            sequences = sequences * cell.get_dropout_mask(self._blank_step(sequences))[:, None]
        if training and cell.recurrent_dropout:
            recurrent_dropout_mask = cell.get_recurrent_dropout_mask(initial_state[0])
        outputs, states = recurrences.recur(
            cell.recurrence,
            sequences,
            initial_state,
            weights,
            mask=mask,
            recurrent_dropout_mask=recurrent_dropout_mask,
            go_backwards=self.go_backwards,
            truncate=self.truncate,
            checkpoint_every=self.checkpoint_every,
            gradient_clip=self.gradient_clip,
            use_cudnn=self._no_cudnn() is None,
            probe=None if self.gradient_probe is None else self.gradient_probe(sequences),
            return_sequences=self.return_sequences,
        )
        rule = {"reverse": self.go_backwards, "zero_output_for_mask": self.zero_output_for_mask}
        last_output = cell.read_out(states[0])
        if mask is not None:
            last_output = recurrences.masked_last_output(last_output, mask, **rule)
        if not self.return_sequences:
            return last_output, last_output[:, None], list(states)
        outputs = cell.read_out(outputs)
        if mask is not None:
            outputs = recurrences.masked_outputs(outputs, mask, **rule)
        if self.go_backwards and not keep_time_order:
            outputs = ops.flip(outputs, axis=1)
        return last_output, outputs, list(states)

    def _keras_loop(
        self, sequences: Tensor, initial_state: list[Any], mask: Tensor | None, training: bool, keep_time_order: bool
    ) -> tuple[Tensor, Tensor, list[Any]]:
        steps = ops.shape(sequences)[1]
        may_be_empty = not sequences.shape[1]
        if may_be_empty:
            sequences, mask = _with_a_first_step(sequences, mask)
        last_output, outputs, states = super().inner_loop(sequences, initial_state, mask, training)
        if keep_time_order and self.go_backwards and self.return_sequences:
            outputs = ops.flip(outputs, axis=1)
        if may_be_empty:
            any_step = ops.convert_to_tensor(steps) > 0
            last_output = ops.where(any_step, last_output, self._output_of(initial_state, ops.shape(sequences)[0]))
            outputs = outputs[:, :steps] if self.return_sequences else last_output[:, None]
            states = keras.tree.map_structure(
                lambda after, before: ops.where(any_step, after, before), list(states), list(initial_state)
            )
        return last_output, outputs, list(states)

    def _output_of(self, states: list[Any], batch: int | Tensor) -> Tensor:
        """The output that belongs to a state; zeros for a cell of another library, which does not tell."""
        if isinstance(self.cell, RecurrentCell):
            return self.cell.read_out(states[0])
        output_size = getattr(self.cell, "output_size", None) or self.state_size[0]
        return ops.zeros((batch, output_size), dtype=self.compute_dtype)

    def _starting_states(self, sequences: Tensor, initial_state: Any) -> list[Any]:
        if self.stateful and sequences.shape[0] not in (None, self._expected_batch_size or sequences.shape[0]):
            raise ValueError(
                f"a stateful layer keeps one state per sequence, so its batch size must stay "
                f"{self._expected_batch_size}, got sequences of shape {tuple(sequences.shape)}"
            )
        if initial_state is not None:
            states = check_initial_state(self, initial_state, sequences.shape[0])
            states = broadcast_states(self, states, sequences)
        elif self.stateful:
            states = self.states
        else:
            states = self.get_initial_state(batch_size=ops.shape(sequences)[0])
        dtype = self.cell.compute_dtype
        return keras.tree.map_structure(lambda state: ops.convert_to_tensor(state, dtype=dtype), list(states))

    def _blank_step(self, sequences: Tensor) -> Tensor:
        """Zeros in the shape of one step, from which cells take the shape of their dropout masks."""
        shape = ops.shape(sequences)
        return ops.zeros((shape[0], *shape[2:]), dtype=sequences.dtype)

    def compute_output_shape(self, sequences_shape: Shape, initial_state_shape: Any = None) -> Any:
        output_shape = super().compute_output_shape(sequences_shape)
        if initial_state_shape is None:
            return output_shape
        shapes = check_state_shapes(self, initial_state_shape, sequences_shape[0])
        if not self.return_state:
            return output_shape
        # `state_size` cannot tell the shape of a state with more than one axis, the state itself can.
        output_shape, *state_shapes = output_shape
        known = [None if isinstance(shape, list) else shape for shape in shapes]
        return output_shape, *(
            shape if given is None else (sequences_shape[0], *given[1:])
            for shape, given in zip(state_shapes, known, strict=True)
        )

    def reset_state(self) -> None:
        for state in keras.tree.flatten(self.states or ()):  # None before the layer is built, or if it keeps none
            state.assign(ops.zeros_like(state))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.cell_class:
            del config["cell"]
            config.update(self.cell.get_cell_config())
        names = ("truncate", "checkpoint_every", "gradient_clip", "use_cudnn")
        return {**config, **{name: getattr(self, name) for name in names}, "engine": self._engine}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Recurrent:
        # Keras takes entries out of the configuration that it is given.
        return cls(**config) if cls.cell_class else super().from_config(deepcopy(config), custom_objects)


def _with_a_first_step(sequences: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Sequences of no steps get one of zeros, others stay as they are.

    Keras's loop looks at the first step to learn what an output looks like. (A `cond` on the length would be plainer,
    but XLA cannot compile the gradient of a loop inside it.)
    """
    batch, steps, *features = ops.shape(sequences)
    missing = ops.maximum(1 - steps, 0)
    sequences = ops.concatenate([sequences, ops.zeros((batch, missing, *features), dtype=sequences.dtype)], axis=1)
    if mask is not None:
        blank = ops.zeros((batch, missing, *mask.shape[2:]), dtype="bool")
        mask = ops.concatenate([ops.cast(mask, "bool"), blank], axis=1)
    return sequences, mask
