"""Whatever bytes or options change in a `model.keras`, it is refused in one line or gives the very model."""

from __future__ import annotations

import keras
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnapps.errors import UserError
from tests.training.model_files import load, parts, refusal, with_config, written


def loads_or_refuses(good, path):
    """Either one line, or the very model: nothing else may come of a changed file."""
    try:
        model = load(path)
    except UserError:
        refusal(path)
    else:
        assert model.count_params() == keras.saving.load_model(good).count_params()


few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(data=st.data())
@few
def test_files_with_changed_bytes(good, tmp_path, data):
    content = bytearray(good.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "zero", "insert", "double"]))
    place = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(1, 200))
    if kind == "flip":
        content[place] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del content[place:]
    elif kind == "zero":
        content[place : place + length] = bytes(length)
    elif kind == "insert":
        content[place:place] = data.draw(st.binary(min_size=length, max_size=length))
    else:
        content += content[place:]
    (tmp_path / "model.keras").write_bytes(content)
    loads_or_refuses(good, tmp_path / "model.keras")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@given(data=st.data())
@few
def test_files_with_another_configuration(good, tmp_path, data):
    def change(config):
        place = config
        while True:
            key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
            if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
                place = place[key]
            else:
                break
        place[key] = data.draw(json_values | st.sampled_from([{"class_name": "Dense", "config": None}, 10**6, -1, "x"]))

    loads_or_refuses(good, with_config(good, tmp_path, change))


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@settings(few, max_examples=12)
def test_weights_with_changed_bytes_and_a_checksum_that_fits(good, tmp_path, place, flip):
    members = parts(good)
    weights = bytearray(members["model.weights.h5"])
    weights[int(place * len(weights))] ^= flip
    loads_or_refuses(good, written(tmp_path, members | {"model.weights.h5": bytes(weights)}))
