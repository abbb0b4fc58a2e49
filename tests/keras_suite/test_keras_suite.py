"""Keras's own tests of its recurrent layers, from the installed package, run on our classes in place of Keras's."""

from __future__ import annotations

import importlib.util
import unittest
from types import ModuleType

import keras
import pytest

from rnnapps import layers as ours

FILES = (
    "rnn_test",
    "simple_rnn_test",
    "gru_test",
    "lstm_test",
    "bidirectional_test",
    "stacked_rnn_cells_test",
    "dropout_rnn_cell_test",
)

# Everything in Keras's tests that says nothing about a replacement of its layers, and why.
DOES_NOT_APPLY = {
    "bidirectional_test.test_fused_lstm_eligibility": "about a private method of Keras that guards its cuDNN call",
    "bidirectional_test.test_fused_gru_eligibility": "about a private method of Keras that guards its cuDNN call",
    "bidirectional_test.test_keeps_use_cudnn": "our SimpleRNN has use_cudnn as well, see docs/differences.md",
}


class OursFirst:
    """Keras's `layers` module as its tests see it, with our classes under Keras's names."""

    RNN = ours.Recurrent
    SimpleRNN, SimpleRNNCell = ours.SimpleRNN, ours.SimpleRNNCell
    GRU, GRUCell = ours.GRU, ours.GRUCell
    LSTM, LSTMCell = ours.LSTM, ours.LSTMCell
    Bidirectional = ours.Bidirectional

    def __getattr__(self, name: str) -> object:
        return getattr(keras.layers, name)


def load_with_our_classes(file: str) -> ModuleType | None:
    """A copy of one of Keras's test modules in which `layers` means ours; None if it is missing."""
    spec = importlib.util.find_spec(f"keras.src.layers.rnn.{file}")
    if spec is None:
        return None  # `test_keras_ships_this_test_file` fails then
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.layers = OursFirst()
    return module


def cases_of(file: str, module: ModuleType | None) -> dict[str, type[unittest.TestCase]]:
    """The test cases of a module, named by file and class, those that do not apply marked as skipped."""
    cases = {}
    for name, case in vars(module).items() if module else ():
        if isinstance(case, type) and issubclass(case, unittest.TestCase):
            for method in filter(case.__dict__.get, dir(case)):
                if reason := DOES_NOT_APPLY.get(f"{file}.{method}"):
                    setattr(case, method, unittest.skip(reason)(getattr(case, method)))
            cases[f"{file}_{name}"] = case
    return cases


MODULES = {file: load_with_our_classes(file) for file in FILES}
for _file, _module in MODULES.items():
    globals().update(cases_of(_file, _module))  # where pytest finds them


@pytest.mark.parametrize("file", FILES)
def test_keras_ships_this_test_file(file: str) -> None:
    assert MODULES[file] is not None, f"Keras {keras.__version__} is installed without its test file {file}.py"
    assert any(name.startswith(f"{file}_") for name in globals()), f"{file}.py holds no test case"
