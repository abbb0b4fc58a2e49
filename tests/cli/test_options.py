"""Dataclass fields as command-line options, and the values that they take."""

from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from rnnapps.cli.options import click_options, collected
from rnnapps.errors import UserError
from rnnapps.options import as_json, from_json, option, redirected


@dataclass(frozen=True)
class Options:
    cell: str = option("lstm", "Cell.", choices=("gru", "lstm"))
    units: int = option(8, "Width.", minimum=1, maximum=100)
    rate: float = option(0.5, "Rate.", above=0, below=1)
    truncate: int | None = option(None, "Steps.", minimum=1, missing="never")
    widths: tuple[int, ...] = option((16, 32), "Widths.", minimum=1)
    causal: bool = option(False, "Causal.", flags="--causal/--bidirectional")
    strict: bool = option(False, "Strict.")
    folder: Path | None = option(None, "Folder.", located=True)
    seed: int = option(0, "Seed.", fixed=True)
    top: int = option(1, "Top.", shown=True)


def parse(*arguments, **how):
    """The options that a command line gives."""
    caught = []
    command = click.Command(
        "test", params=click_options(Options, **how), callback=lambda **values: caught.append(values)
    )
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    return caught[0] if caught else result


def test_defaults_are_those_of_the_dataclass():
    assert collected(Options, parse()) == Options()


def test_every_kind_of_value_is_read():
    arguments = ["--cell", "gru", "--units", 9, "--rate", "1e-3", "--truncate", 4, "--widths", "1, 2,3", "--causal"]
    arguments += ["--strict", "--folder", "a/b", "--top", 3]
    expected = Options("gru", 9, 1e-3, 4, (1, 2, 3), True, True, Path("a/b"), 0, 3)
    assert collected(Options, parse(*arguments)) == expected
    assert collected(Options, parse("--widths", "0")).widths == ()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cell", "tree"],
        ["--units", "0"],
        ["--units", "101"],
        ["--units", "1.5"],
        ["--rate", "0"],
        ["--rate", "1"],
        ["--rate", "nan"],
        ["--rate", "inf"],
        ["--widths", "a"],
        ["--widths", "4,-1"],
        ["--truncate", "0"],
    ],
)
def test_values_out_of_bounds_are_refused_by_name(arguments):
    result = parse(*arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.output


def test_help_shows_defaults_bounds_and_what_stands_for_a_missing_value():
    text = CliRunner().invoke(click.Command("test", params=click_options(Options)), ["--help"]).output
    for part in ("[default: lstm]", "default: 8; 1<=x<=100", "never", "16,32", "--causal / --bidirectional"):
        assert part in text
    assert text.index("--folder") < text.index("--cell")  # where the data are comes first


def test_options_of_a_run_are_inherited_and_those_that_belong_to_it_not_offered():
    values = parse(inherited=True)
    assert "seed" not in values and set(values.values()) == {None}
    assert "top" not in parse(without=["shown"]) and "seed" in parse(without=["shown"])


def test_values_survive_json():
    options = Options(widths=(1,), folder=Path("a"))
    assert from_json(Options, as_json(options), "config.json") == options


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"units": "8"}, "units must be a whole number, got '8'"),
        ({"units": True}, "units must be a whole number, got True"),
        ({"units": 0}, "units must be at least 1, got 0"),
        ({"rate": float("nan")}, "rate must be a finite number, got nan"),
        ({"rate": 1}, "rate must be less than 1, got 1"),
        ({"cell": "tree"}, "cell must be one of gru, lstm, got 'tree'"),
        ({"widths": 3}, "widths must be a list, got 3"),
        ({"widths": [0]}, "widths must be at least 1, got 0"),
        ({"cell": None}, "cell must be a string, got None"),
        ({"new": 1}, "unknown option 'new'"),
    ],
)
def test_wrong_values_in_json_are_one_line(change, complaint):
    with pytest.raises(UserError) as error:
        from_json(Options, as_json(Options()) | change, "config.json")
    assert str(error.value).startswith(f"config.json: {complaint}")


def test_a_missing_value_in_json_is_named():
    values = as_json(Options())
    del values["units"]
    with pytest.raises(UserError, match="option 'units' is missing"):
        from_json(Options, values, "config.json")


def test_naming_other_data_drops_what_belonged_to_the_old():
    @dataclass(frozen=True)
    class Source:
        dataset: str = option("default", "Data.", data=True)
        pattern: str | None = option(None, "Pattern.", located=True)
        column: str = option("text", "Column.")

    source = Source("mine", "_(a)_", "body")
    assert redirected(source, {"dataset": None, "column": "other"}) == Source("mine", "_(a)_", "other")
    assert redirected(source, {"pattern": "(b)"}) == Source("mine", "(b)", "body")
    assert redirected(source, {"dataset": "yours"}) == Source("yours", None, "body")
