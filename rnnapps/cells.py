"""The names of the cells, for command lines, which do not wait for TensorFlow, and for `rnnapps.layers`."""

CELL_NAMES = ("rnn", "gru", "lstm")
_STATES = {"rnn": "h", "gru": "h", "lstm": "hc"}


def state_names(cell: str, layers: int) -> list[str]:
    """The names of the states of layers in the signatures of exports.

    Example:
        >>> state_names("lstm", 2)
        ['h_1', 'c_1', 'h_2', 'c_2']
    """
    return [f"{state}_{number}" for number in range(1, layers + 1) for state in _STATES[cell]]
