"""What holds for every public Keras layer: eager and symbolic calls, serialisation, dtypes, masks, empty batches."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import rnnapps
from rnnapps.audio import (
    FrontEnd,
    LogMel,
    SpecAugment,
    TimeConvolution,
    VoiceAugmentation,
    WaveformAugmentation,
)
from rnnapps.layers import (
    GRU,
    LSTM,
    AdditiveAttention,
    AttentionPooling,
    Bidirectional,
    GRUCell,
    LSTMCell,
    MaskedPooling,
    MultiplicativeAttention,
    Recurrent,
    SimpleRNN,
    SimpleRNNCell,
    Stacked,
)
from rnnapps.text import HashedNgrams
from tests.layers.cases import randomise

RANDOM = np.random.default_rng(0)
SEQUENCES = RANDOM.normal(size=(3, 6, 4)).astype("float32")
QUERIES = RANDOM.normal(size=(3, 2, 4)).astype("float32")
PICTURES = RANDOM.normal(size=(3, 6, 4, 2)).astype("float32")
WAVEFORMS = RANDOM.uniform(-0.5, 0.5, (3, 100)).astype("float32")
LENGTHS = np.array([100, 42, 0], "int32")
TOKENS = np.array([[5, 6, 7, 0, 0], [6, 6, 2, 1, 9], [0, 0, 0, 0, 0]], "int32")
MASK = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]], bool)


@dataclass(frozen=True)
class Case:
    """A layer and what it is called with.

    Attributes:
        make: Makes the layer of keyword arguments of every Keras layer, such as `dtype`.
        inputs: The arguments of a call.
        masked: Which of `inputs` has a mask, if any.
        full_precision: Whether the layer computes in float32 whatever its dtype.
    """

    make: Callable[..., keras.layers.Layer]
    inputs: Sequence[np.ndarray] = (SEQUENCES,)
    masked: int | None = 0
    full_precision: bool = False

    def built(self, **options: Any) -> keras.layers.Layer:
        """The layer with weights large enough to matter."""
        layer = self.make(**options)
        layer(*self.inputs)
        if layer.weights and not isinstance(layer, LogMel):
            randomise(layer)
        return layer

    def model(self, layer: keras.layers.Layer) -> keras.Model:
        """A Functional model of the layer, in which the batch and the length are not known."""
        inputs = [
            keras.Input((None, *x.shape[2:]) if x.ndim > 1 else (), dtype=x.dtype.name if x.dtype != bool else "bool")
            for x in self.inputs
        ]
        return keras.Model(inputs, layer(*inputs))


def stacked(**options: Any) -> Stacked:
    return Stacked([LSTM(3, **options), GRU(4, **options)], residual=True, dropout=0.1)


CASES = {
    "SimpleRNN": Case(lambda **options: SimpleRNN(4, return_sequences=True, **options)),
    "SimpleRNN with output": Case(lambda **options: SimpleRNN(4, output_units=2, **options)),
    "GRU": Case(lambda **options: GRU(4, return_sequences=True, **options)),
    "GRU reset before": Case(lambda **options: GRU(4, reset_after=False, return_state=True, **options)),
    "LSTM": Case(lambda **options: LSTM(4, return_sequences=True, return_state=True, **options)),
    "LSTM on Keras's loop": Case(lambda **options: LSTM(4, activation="softsign", **options)),
    "Recurrent": Case(lambda **options: Recurrent(GRUCell(4, dtype=options.get("dtype")), **options)),
    "Bidirectional": Case(lambda **options: Bidirectional(LSTM(4, return_sequences=True, **options))),
    "Stacked": Case(stacked),
    "Stacked of Bidirectional": Case(
        lambda **options: Stacked([Bidirectional(GRU(4, **options)), LSTM(8, return_sequences=True, **options)])
    ),
    "Bidirectional of Stacked": Case(lambda **options: Bidirectional(stacked(**options))),
    "MaskedPooling": Case(lambda **options: MaskedPooling("max+mean", **options)),
    "MaskedPooling last": Case(lambda **options: MaskedPooling("last", **options)),
    "AdditiveAttention": Case(lambda **options: AdditiveAttention(5, **options), (QUERIES, SEQUENCES), masked=1),
    "MultiplicativeAttention": Case(
        lambda **options: MultiplicativeAttention(4, **options), (QUERIES, SEQUENCES), masked=1
    ),
    "AttentionPooling": Case(lambda **options: AttentionPooling(3.0, **options), full_precision=True),
    "TimeConvolution": Case(lambda **options: TimeConvolution(3, (3, 2), (2, 1), **options), (PICTURES,)),
    "LogMel": Case(
        lambda **options: LogMel(1000, 4, lowest=50.0, **options),
        (WAVEFORMS, LENGTHS),
        masked=None,
        full_precision=True,
    ),
    "FrontEnd": Case(
        lambda **options: FrontEnd(1000, bands=8, convolutions=(3, 2), **options), (WAVEFORMS, LENGTHS), masked=None
    ),
    "SpecAugment": Case(lambda **options: SpecAugment(2, 2, seed=1, **options)),
    "VoiceAugmentation": Case(lambda **options: VoiceAugmentation(seed=1, **options), (SEQUENCES, MASK), masked=None),
    "WaveformAugmentation": Case(
        lambda **options: WaveformAugmentation(seed=1, **options),
        (WAVEFORMS, LENGTHS),
        masked=None,
        full_precision=True,
    ),
    "HashedNgrams": Case(lambda **options: HashedNgrams(2, order=2, bins=64, **options), (TOKENS,), masked=None),
}
# Cells step through time inside a recurrent layer; test_cells_step_and_serialise and test_attention_cell.py have them.
CELLS = {"SimpleRNNCell", "GRUCell", "LSTMCell", "AttentionCell"}

every_layer = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def flat(results: Any) -> list[Any]:
    return list(results) if isinstance(results, (list, tuple)) else [results]


def is_float(result: Any) -> bool:
    return "float" in keras.backend.standardize_dtype(result.dtype)


def assert_close(results: Any, expected: Any, tolerance: float = 1e-5) -> None:
    for result, other in zip(flat(results), flat(expected), strict=True):
        np.testing.assert_allclose(np.asarray(result, "float64"), np.asarray(other, "float64"), atol=tolerance)


def test_every_public_layer_has_a_case() -> None:
    public = set()
    for room in pkgutil.iter_modules(rnnapps.__path__, "rnnapps."):
        if room.ispkg and room.name != "rnnapps.apps":
            module = importlib.import_module(room.name)
            exported = [getattr(module, name) for name in getattr(module, "__all__", ())]
            public |= {one.__name__ for one in exported if isinstance(one, type) and issubclass(one, keras.Layer)}
    assert public - CELLS == {type(case.make()).__name__ for case in CASES.values()}


@every_layer
def test_a_functional_model_is_the_eager_layer(case: Case) -> None:
    layer = case.built()
    model = case.model(layer)
    expected = flat(layer(*case.inputs))
    assert_close(model(list(case.inputs)), expected)
    for symbolic, result in zip(flat(model.output), expected, strict=True):
        assert symbolic.dtype == keras.backend.standardize_dtype(result.dtype)
        assert len(symbolic.shape) == len(result.shape)
        assert all(size in (None, found) for size, found in zip(symbolic.shape, result.shape, strict=True))


@every_layer
def test_the_output_shape_is_known_before_the_call(case: Case) -> None:
    layer = case.built()
    expected = [tuple(result.shape) for result in flat(layer(*case.inputs))]
    if type(layer).compute_output_shape is keras.Layer.compute_output_shape:
        shapes = [
            spec.shape for spec in flat(layer.compute_output_spec(*map(keras.ops.convert_to_tensor, case.inputs)))
        ]
    else:
        shapes = layer.compute_output_shape(*(x.shape for x in case.inputs))
        shapes = [shapes] if len(expected) == 1 and not isinstance(shapes[0], tuple) else list(shapes)
    for shape, found in zip(shapes, expected, strict=True):
        assert len(shape) == len(found)
        assert all(size in (None, other) for size, other in zip(shape, found, strict=True))


@every_layer
def test_the_configuration_makes_the_same_layer(case: Case) -> None:
    layer = case.make()
    serialised = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(serialised)
    assert type(copy) is type(layer)
    assert json.dumps(copy.get_config()) == json.dumps(layer.get_config())
    layer(*case.inputs)
    copy(*case.inputs)
    copy.set_weights(layer.get_weights())
    assert_close(copy(*case.inputs), layer(*case.inputs))


@every_layer
def test_a_saved_model_loads_and_answers_alike(case: Case, tmp_path: Path) -> None:
    model = case.model(case.built())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_close(loaded(list(case.inputs)), model(list(case.inputs)))


@every_layer
@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_bfloat16"])
def test_it_computes_in_its_dtype(case: Case, dtype: str) -> None:
    exact, layer = case.built(dtype="float64"), case.built(dtype=dtype)
    layer.set_weights(exact.get_weights())
    policy = keras.dtype_policies.get("float32" if case.full_precision else dtype)
    # The frames inside `FrontEnd` are those of `LogMel`, which always computes in float32.
    own = [weight for weight in layer.weights if "float" in weight.dtype and "log_mel/" not in weight.path]
    assert {weight.dtype for weight in own} <= {policy.variable_dtype}
    results = flat(layer(*case.inputs))
    assert {keras.backend.standardize_dtype(one.dtype) for one in results if is_float(one)} == {policy.compute_dtype}
    tolerance = {"float32": 1e-5, "float64": 1e-5 if case.full_precision else 1e-12, "mixed_bfloat16": 0.15}[dtype]
    assert_close([tf.cast(one, "float64") for one in results], exact(*case.inputs), tolerance)


masked_layer = pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.masked is not None],
    ids=[name for name, case in CASES.items() if case.masked is not None],
)  # fmt: skip


def real_steps(layer: keras.layers.Layer, inputs: Sequence[Any], results: Any) -> list[np.ndarray]:
    """The results, zero where a mask of the output says that they do not count."""
    masks = flat(layer.compute_mask(*inputs, mask=tf.constant(MASK))) if len(inputs) == 1 else []
    masks += [None] * (len(flat(results)) - len(masks))
    kept = []
    for result, mask in zip(flat(results), masks, strict=True):
        result = np.asarray(result)
        if mask is not None:
            result = np.where(np.reshape(mask, (*mask.shape, *[1] * (result.ndim - 2))), result, 0)
        kept.append(result)
    return kept


@masked_layer
def test_what_is_masked_does_not_count(case: Case) -> None:
    layer = case.built()
    if isinstance(layer, SpecAugment):
        pytest.skip("passes frames on as they are")
    garbage = list(case.inputs)
    where = np.reshape(MASK, (*MASK.shape, *[1] * (garbage[case.masked].ndim - 2)))
    garbage[case.masked] = np.where(where, garbage[case.masked], np.float32(1e3))
    expected = real_steps(layer, case.inputs, layer(*case.inputs, mask=MASK))
    assert_close(real_steps(layer, garbage, layer(*garbage, mask=MASK)), expected)


@masked_layer
def test_a_mask_from_the_layer_before_is_a_mask_of_the_call(case: Case) -> None:
    layer = case.built()
    expected = layer(*case.inputs) if isinstance(layer, SpecAugment) else layer(*case.inputs, mask=MASK)
    inputs = [keras.Input((None, *x.shape[2:])) for x in case.inputs]
    marked = [MarkMask()(x) if number == case.masked else x for number, x in enumerate(inputs)]
    model = keras.Model(inputs, layer(*marked))
    assert_close(model(list(case.inputs)), expected)


class MarkMask(keras.layers.Layer):
    """Says that the first steps of the first sequence and so on are real, as `Embedding(mask_zero=True)` does."""

    supports_masking = True

    def call(self, sequences: tf.Tensor) -> tf.Tensor:
        return tf.identity(sequences)

    def compute_mask(self, sequences: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        return tf.constant(MASK)


@every_layer
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_an_empty_batch_has_an_empty_answer(case: Case, mode: str) -> None:
    layer = case.built()
    call = layer
    if mode == "graph":
        signature = [tf.TensorSpec((None, *[None] * min(x.ndim - 1, 1), *x.shape[2:]), x.dtype) for x in case.inputs]
        call = tf.function(lambda *inputs: layer(*inputs), input_signature=signature)
    results = flat(call(*(x[:0] for x in case.inputs)))
    expected = flat(layer(*case.inputs))
    assert [result.shape[0] for result in results] == [0] * len(expected)
    assert [result.dtype for result in results] == [result.dtype for result in expected]


@pytest.mark.parametrize("cell", [SimpleRNNCell(4, output_units=2), GRUCell(4, seed=1), LSTMCell(4)])
def test_cells_step_and_serialise(cell: keras.layers.Layer) -> None:
    output, new_states = cell(SEQUENCES[:, 0], cell.get_initial_state(3))
    assert output.shape == (3, cell.output_size) and len(new_states) == cell.state_count
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell))
    assert copy.get_config() == cell.get_config()
