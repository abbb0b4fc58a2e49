"""The attention cell against its equations step by step in NumPy float64, in both loops, stacked, saved and trained."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.layers import (
    GRU,
    AdditiveAttention,
    AttentionCell,
    GRUCell,
    LSTMCell,
    MultiplicativeAttention,
    Recurrent,
    SimpleRNNCell,
    Stacked,
)
from tests.layers.cases import randomise
from tests.reference.cells import CELLS

rng = np.random.default_rng(0)
INPUTS, MEMORY = rng.normal(size=(3, 5, 4)), rng.normal(size=(3, 6, 2))
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], bool)
MAKE = {"rnn": SimpleRNNCell, "gru_reset_after": GRUCell, "lstm": LSTMCell}
FORMS = {
    "luong": {},
    "bahdanau": {"attend_first": True, "input_feeding": False},
    "both": {"attend_first": True, "units": 5},
    "neither": {"input_feeding": False},
}
every_form = pytest.mark.parametrize("form", FORMS)


def built(form: str, kind: str = "gru_reset_after", dtype: str = "float64", dropout: float = 0.0) -> AttentionCell:
    attention = AdditiveAttention(4, dtype=dtype) if form == "bahdanau" else MultiplicativeAttention(3, dtype=dtype)
    cell = MAKE[kind](3, dtype=dtype, dropout=dropout, recurrent_dropout=dropout, seed=1)
    cell = AttentionCell(cell, attention, memory_size=2, **FORMS[form])
    cell.build((None, 4))
    randomise(cell)
    return cell


def reference(cell: AttentionCell, kind: str) -> np.ndarray:
    """The equations of the docstring."""
    names = ("kernel", "recurrent_kernel", "bias")
    weights = dict(zip(names, (np.array(w) for w in cell.cell.get_weights()), strict=True))
    projections, (W,) = cell.attention.get_weights(), cell.combine.get_weights()

    def attend(query: np.ndarray) -> np.ndarray:
        if cell.attend_first and not cell.input_feeding:
            W_q, U, v = projections
            scores = (np.tanh((query @ W_q)[:, None] + MEMORY @ U) @ v)[..., 0]
        else:
            scores = np.einsum("bq,bsq->bs", query, MEMORY @ projections[0])
        exponentials = np.exp(scores) * MASK
        return np.einsum("bs,bse->be", exponentials / np.maximum(exponentials.sum(1, keepdims=True), 1e-30), MEMORY)

    states = tuple(np.zeros((3, 3)) for _ in range(CELLS[kind].states))
    fed, outputs = np.zeros((3, cell.units)), []
    for t in range(5):
        context = attend(states[0])
        parts = [INPUTS[:, t], *([context] if cell.attend_first else []), *([fed] if cell.input_feeding else [])]
        states, _ = CELLS[kind].step(np.concatenate(parts, axis=1), states, weights)
        if not cell.attend_first:
            context = attend(states[0])
        fed = np.tanh(np.concatenate([context, states[0]], axis=1) @ W)
        outputs.append(fed)
    return np.stack(outputs, axis=1)


@every_form
@pytest.mark.parametrize("kind", MAKE)
def test_is_the_equation(form: str, kind: str) -> None:
    cell = built(form, kind)
    layer = Recurrent(cell, return_sequences=True, dtype="float64")
    outputs = layer(INPUTS, initial_state=cell.get_initial_state(MEMORY, mask=MASK))
    np.testing.assert_allclose(outputs, reference(cell, kind), atol=1e-12)


@pytest.mark.parametrize("form, jit_compile", [*((form, False) for form in FORMS), ("both", True)])
@pytest.mark.sampled
def test_gradients_are_those_of_finite_differences(form: str, jit_compile: bool) -> None:
    """Also to the memory, which all steps read, and to the encoder's last state."""
    cell = built(form)
    layer = keras.layers.RNN(cell, return_sequences=True, dtype="float64")
    sources = [tf.constant(INPUTS), tf.constant(MEMORY), tf.constant(rng.normal(size=(3, 3)))]
    variables = [weight.value for weight in cell.trainable_weights]

    @tf.function(jit_compile=jit_compile)
    def loss_of(inputs: tf.Tensor, memory: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        states = cell.get_initial_state(memory, mask=MASK, initial_state=[state])
        return tf.reduce_sum(tf.sin(layer(inputs, initial_state=states)))

    @tf.function(jit_compile=jit_compile)
    def gradients_of(*sources: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(sources)
            loss = loss_of(*sources)
        return tape.gradient(loss, [*sources, *variables])

    gradients = gradients_of(*sources)
    for index, gradient in enumerate(gradients):
        direction = tf.constant(rng.normal(size=gradient.shape))
        ends = []
        for sign in (1, -1):
            moved = list(sources)
            if index < 3:
                moved[index] = sources[index] + sign * 1e-5 * direction
                ends.append(loss_of(*moved))
            else:
                variables[index - 3].assign_add(sign * 1e-5 * direction)
                ends.append(loss_of(*moved))
                variables[index - 3].assign_sub(sign * 1e-5 * direction)
        expected = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(tf.reduce_sum(gradient * direction), expected, rtol=1e-6, atol=1e-8)
    assert not np.any(gradients[1].numpy()[~MASK])


@every_form
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_computes_in_its_dtype(form: str, dtype: str) -> None:
    cell, exact = built(form, dtype=dtype), built(form)
    outputs = keras.layers.RNN(cell, dtype=dtype)(INPUTS, initial_state=cell.get_initial_state(MEMORY, mask=MASK))
    expected = keras.layers.RNN(exact, dtype="float64")(
        INPUTS, initial_state=exact.get_initial_state(MEMORY, mask=MASK)
    )
    assert outputs.dtype == cell.compute_dtype
    np.testing.assert_allclose(tf.cast(outputs, "float64"), expected, atol={"float32": 1e-5}.get(dtype, 0.1))


def test_masked_steps_hold_the_states_with_sources_of_any_length() -> None:
    cell = built("luong", dtype="float32")
    steps = np.array([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    layer = Recurrent(cell, return_state=True)

    @tf.function(input_signature=[tf.TensorSpec([None, None, 4]), tf.TensorSpec([None, None, 2])])
    def run(inputs: tf.Tensor, memory: tf.Tensor) -> list[tf.Tensor]:
        return layer(inputs, initial_state=cell.get_initial_state(memory), mask=tf.constant(steps)[: len(inputs)])

    output, *states = run(INPUTS.astype("float32"), MEMORY.astype("float32"))
    shorter = layer(INPUTS[:1, [0, 1, 3]], initial_state=cell.get_initial_state(MEMORY[:1]))
    for a, b in zip((output, *states), shorter, strict=True):
        np.testing.assert_allclose(a[:1], b, atol=1e-6)
    assert len(states) == len(layer.state_size)


def test_a_stack_runs_it_below_another_layer() -> None:
    cell = built("luong", dtype="float32")
    upper = GRU(2, return_sequences=True)
    stack = Stacked([Recurrent(cell), upper])
    memory = MEMORY.astype("float32")
    states = [*cell.get_initial_state(memory, mask=MASK), *upper.get_initial_state(3)]
    lower = keras.layers.RNN(cell, return_sequences=True)
    result = stack(INPUTS, initial_state=states)
    np.testing.assert_allclose(result, upper(lower(INPUTS, initial_state=states[:-1])), atol=1e-6)


def test_hypotheses_share_a_memory() -> None:
    for form in FORMS:
        cell = built(form, "lstm", dtype="float32")
        *states, memory, keys, mask = cell.get_initial_state(MEMORY.astype("float32"), mask=MASK)
        inputs = tf.constant(INPUTS[:, :2], "float32")
        states = [tf.repeat(tf.random.normal(state.shape)[:, None], 2, axis=1) for state in states]
        both, new_states = cell.step(inputs, states, memory, mask=mask, keys=keys)
        for hypothesis in range(2):
            own = [state[:, hypothesis] for state in states]
            one, (*after, _, _, _) = cell(inputs[:, hypothesis], [*own, memory, keys, mask])
            np.testing.assert_allclose(both[:, hypothesis], one, atol=1e-6)
            for a, b in zip(new_states, after, strict=True):
                np.testing.assert_allclose(a[:, hypothesis], b, atol=1e-6)


def test_dropout_of_the_cell_is_one_mask_a_sequence() -> None:
    cell = built("luong", dtype="float32", dropout=0.5)
    layer = Recurrent(cell, return_sequences=True)
    run = tf.function(lambda **options: layer(INPUTS, initial_state=cell.get_initial_state(MEMORY), **options))
    trained, plain = run(training=True), run(training=False)
    assert np.any(trained != plain) and np.isfinite(trained).all()
    np.testing.assert_array_equal(plain, run(training=False))
    in_keras = keras.layers.RNN(cell, return_sequences=True)
    expected = in_keras(INPUTS, initial_state=cell.get_initial_state(MEMORY), training=False)
    np.testing.assert_allclose(plain, expected, atol=1e-6)  # Keras's loop runs eagerly, ours in a graph


@keras.saving.register_keras_serializable("tests")
class Decoder(keras.layers.Layer):
    """The way the docstring says: states made inside `call`."""

    def __init__(self, cell: AttentionCell, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.cell = cell
        self.layer = Recurrent(cell, return_sequences=True)

    def build(self, inputs_shape: tuple, memory_shape: tuple) -> None:
        self.cell.memory_size = memory_shape[-1]
        self.layer.build(inputs_shape)

    def call(self, inputs: tf.Tensor, memory: tf.Tensor) -> tf.Tensor:
        return self.layer(inputs, initial_state=self.cell.get_initial_state(memory))

    def get_config(self) -> dict:
        return {**super().get_config(), "cell": keras.saving.serialize_keras_object(self.cell)}

    @classmethod
    def from_config(cls, config: dict) -> Decoder:
        return cls(**{**config, "cell": keras.saving.deserialize_keras_object(config["cell"])})


@pytest.mark.parametrize("form, jit_compile", [("luong", True), ("bahdanau", False)])
@pytest.mark.slow
def test_learns_saves_and_loads(form: str, jit_compile: bool, tmp_path: Path) -> None:
    """To say the source backwards, which only attention can look up; padding in the source is masked."""
    keras.utils.set_random_seed(0)
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(6, 8, mask_zero=True)
    memory = keras.layers.GRU(8, return_sequences=True)(embedding(source))
    attention = AdditiveAttention(8) if form == "bahdanau" else MultiplicativeAttention(8)
    options = {**FORMS[form], "units": 8}
    outputs = Decoder(AttentionCell(GRUCell(8), attention, **options))(keras.layers.Embedding(6, 8)(target), memory)
    model = keras.Model([source, target], keras.layers.Dense(6)(outputs))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.03), loss, jit_compile=jit_compile)
    words = np.random.default_rng(0).integers(2, 6, (128, 3)).astype("int32")
    words[::4, 2] = 0
    says = words[:, ::-1]
    heard = np.concatenate([np.ones((128, 1), "int32"), says[:, :-1]], axis=1)
    history = model.fit([words, heard], says, epochs=5, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded([words, heard]), model([words, heard]), atol=1e-6)


@every_form
def test_config_makes_the_same_cell(form: str) -> None:
    cell = built(form, dtype="float32")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell))
    assert copy.get_config() == cell.get_config()
    copy.set_weights(cell.get_weights())
    states = cell.get_initial_state(MEMORY.astype("float32"), mask=MASK)
    inputs = INPUTS[:, 0].astype("float32")
    np.testing.assert_array_equal(copy(inputs, states)[0], cell(inputs, states)[0])


def test_says_what_is_wrong() -> None:
    cell = AttentionCell(GRUCell(3), MultiplicativeAttention(3))
    with pytest.raises(ValueError, match="size of the memory is not known"):
        cell.build((None, 4))
    with pytest.raises(ValueError, match="get_initial_state\\(memory\\)"):
        keras.layers.RNN(built("luong"))(INPUTS)
    with pytest.raises(ValueError, match="`units` must be a positive integer, got 0"):
        AttentionCell(GRUCell(3), MultiplicativeAttention(3), units=0)
