"""The names of the cells, for command lines, which do not wait for TensorFlow, and for `rnnapps.layers`."""

CELL_NAMES = ("rnn", "gru", "lstm")
