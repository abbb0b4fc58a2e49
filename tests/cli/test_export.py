"""What `export` does where the run's data cannot be read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rnnapps.cli.export import _held_out
from rnnapps.datasets import DataError
from rnnapps.errors import UserError


@pytest.mark.parametrize("error", [UserError("needs the extra demo"), DataError("data: no file")])
def test_data_that_cannot_be_read_are_a_warning(error, capsys):
    def load(source, splits):
        raise error

    assert _held_out(SimpleNamespace(load=load), None) is None
    assert capsys.readouterr().err == f"warning: checking the export without the run's test data: {error}\n"


def test_the_validation_split_takes_the_place_of_a_missing_test_split():
    def load(source, splits):
        if splits == ["test"]:
            raise DataError("no test split")
        return {"validation": "validation texts"}

    assert _held_out(SimpleNamespace(load=load), None) == "validation texts"
