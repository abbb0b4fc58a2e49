"""The number and the shapes of initial states, checked once before any loop, the same for every engine."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rnnapps.layers.recurrent_cell import Tensor

# Cells of Keras whose states are all `(batch, size)`.
_KERAS_CELLS = (keras.layers.SimpleRNNCell, keras.layers.GRUCell, keras.layers.LSTMCell)

# The shape of a state without its batch axis; None for a state of which the cell does not tell the shape; a list for
# the states of one cell among several.
StateShape = Any


def state_shapes(layer: keras.layers.Layer) -> list[StateShape]:
    """What a recurrent layer or wrapper expects as initial states, state by state.

    Args:
        layer: A recurrent layer, or a wrapper that has a method `state_shapes`.

    Returns:
        For each state its shape without the batch axis, None where the layer does not tell, or a list of these for
        the states of one cell of several.
    """
    if hasattr(layer, "state_shapes"):
        return layer.state_shapes()
    cell = getattr(layer, "cell", None)
    if cell is None:
        return [None] * state_count(layer)
    return cell_state_shapes(cell)


def cell_state_shapes(cell: Any) -> list[StateShape]:
    """As `state_shapes`, for a cell."""
    if hasattr(cell, "state_shapes"):
        return cell.state_shapes()
    if isinstance(cell, keras.layers.StackedRNNCells):
        return [cell_state_shapes(inner) for inner in cell.cells]
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    if type(cell) in _KERAS_CELLS or not hasattr(cell, "get_initial_state"):
        return [(size,) for size in sizes]
    return [None] * len(sizes)


def state_count(layer: keras.layers.Layer) -> int:
    """Number of states of a recurrent layer or wrapper."""
    return len(layer.state_size) if isinstance(layer.state_size, (list, tuple)) else 1


def check_initial_state(layer: keras.layers.Layer, initial_state: Any, batch: int | None) -> list[Any]:
    """Refuses initial states that do not fit, before any loop runs.

    Args:
        layer: The recurrent layer or wrapper that was called.
        initial_state: The states given, a tensor or a list of them. A tensor of batch 1 fits every batch.
        batch: Batch size of the sequences, None if it is not known yet.

    Returns:
        The states as a list with one entry per state.

    Raises:
        ValueError: If the number of states or one of their shapes is wrong.
    """
    states = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
    check_state_shapes(layer, [_shape_of(state) for state in states], batch)
    return states


def check_state_shapes(layer: keras.layers.Layer, initial_state_shape: Any, batch: int | None) -> list[Any]:
    """As `check_initial_state`, from the shape of the state, or the shapes of the list of states, alone.

    Returns:
        The shapes, one entry per state; a list for the states of one cell of several.

    Raises:
        ValueError: If the number of states or one of their shapes is wrong.
    """
    given = [initial_state_shape] if _is_shape(initial_state_shape) else list(initial_state_shape)
    given = [shape if _is_shape(shape) else list(shape) for shape in given]
    expected = state_shapes(layer)
    if len(given) == len(expected) and all(
        _fits(shape, wanted, batch) for shape, wanted in zip(given, expected, strict=True)
    ):
        return given
    count = "1 tensor" if len(expected) == 1 else f"{len(expected)} tensors"
    shapes = ", ".join(_described(shape, batch) for shape in expected)
    raise ValueError(
        f"`initial_state` of {type(layer).__name__} {layer.name!r} must be {count} of shape {shapes}, "
        f"got {len(given)}: {', '.join(map(str, given)) or 'none'}"
    )


def broadcast_states(layer: keras.layers.Layer, states: list[Any], sequences: Tensor) -> list[Any]:
    """States of batch 1 repeated for every sequence; others as they are.

    Args:
        layer: The recurrent layer that was called.
        states: Its initial states, checked.
        sequences: `(batch, time, ...)`.
    """
    return [_broadcast(state, shape, sequences) for state, shape in zip(states, state_shapes(layer), strict=True)]


def broadcast_mask(mask: Tensor, sequences: Tensor) -> Tensor:
    """A mask `(1, time)` repeated for every sequence `(batch, time, ...)`; others as they are."""
    if mask.shape[0] != 1 or sequences.shape[0] == 1:
        return mask
    return ops.broadcast_to(mask, (ops.shape(sequences)[0], *ops.shape(mask)[1:]))


def _fits(given: Any, expected: StateShape, batch: int | None) -> bool:
    """Whether the shape of a state, or the list of shapes of a cell's states, is one that is expected."""
    if isinstance(expected, list):
        given = given if isinstance(given, list) else [given]  # a cell of one state takes the state alone as well
        return len(given) == len(expected) and all(map(_fits, given, expected, [batch] * len(given)))
    if isinstance(given, list):
        return expected is None or (len(given) == 1 and _fits(given[0], expected, batch))
    if expected is None or given is None:
        return True
    if len(given) != len(expected) + 1 or (given[0] != 1 and _differ(given[0], batch)):
        return False
    return not any(map(_differ, given[1:], expected))


def _shape_of(state: Any) -> Any:
    """The shape of a tensor, None if its rank is not known; a list of shapes for a list of tensors."""
    if isinstance(state, (list, tuple)):
        return [_shape_of(each) for each in state]
    shape = getattr(state, "shape", ())
    return None if getattr(shape, "rank", 0) is None else tuple(shape)


def _is_shape(structure: Any) -> bool:
    if isinstance(structure, list) and not structure:
        return False  # of no states
    return structure is None or all(size is None or isinstance(size, int) for size in structure)


def _differ(size: int | None, expected: int | None) -> bool:
    return size is not None and expected is not None and size != expected


def _described(expected: StateShape, batch: int | None) -> str:
    if expected is None:
        return "(batch, ...)"
    if isinstance(expected, list):
        return f"[{', '.join(_described(shape, batch) for shape in expected)}]"
    return str((batch, *expected)).replace("None", "any").replace("(any", "(batch", 1)


def _broadcast(state: Any, shape: StateShape, sequences: Tensor) -> Any:
    if isinstance(shape, list):
        if not isinstance(state, (list, tuple)):
            return _broadcast(state, shape[0], sequences)
        return [_broadcast(each, inner, sequences) for each, inner in zip(state, shape, strict=True)]
    if isinstance(state, (list, tuple)):
        return [_broadcast(each, shape, sequences) for each in state]
    # Where one of the two is known only when the graph runs, it may turn out to be 1, or not to fit.
    if shape is None or (sequences.shape[0] is not None and state.shape[0] == sequences.shape[0]):
        return state
    return ops.broadcast_to(state, (ops.shape(sequences)[0], *ops.shape(state)[1:]))
