"""Nothing that `printable` returns makes a terminal do anything but show characters."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnapps.terminal import printable, printable_json

BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
ANY_CHARACTER = st.characters(codec=None, exclude_categories=())


@given(st.text(ANY_CHARACTER | st.sampled_from("\x1b\x9b\x9d\x07[];m\u202e\ud800")))
def test_no_control_override_or_surrogate_is_left_and_the_text_is_one_line(text):
    shown = printable(text)
    assert shown.encode().decode() == shown
    for character in shown:
        assert unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.bidirectional(character) not in BIDIRECTIONAL
    assert printable(shown) == shown


@given(st.text(ANY_CHARACTER))
def test_many_lines_keep_line_breaks_and_tabs_and_no_other_control(text):
    shown = printable(text, multiline=True)
    assert {character for character in shown if unicodedata.category(character) == "Cc"} <= {"\n", "\t"}


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[31m",
        "\x1b[38;2;255;0;0m",
        "\x1b[?1049h",
        "\x1b[2J",
        "\x1b[6n",
        "\x9b31m",
        "\x1b]0;title\x07",
        "\x1b]0;title\x1b\\",
        "\x1b]8;;http://host\x1b\\",
        "\x1b]52;c;cm0gLXJm\x07",
        "\x9d0;title\x9c",
        "\x1bP+q544e\x1b\\",
        "\x1b_Gpayload\x1b\\",
        "\x1b^secret\x1b\\",
        "\x1bXstring\x1b\\",
        "\x1bc",
        "\x1b7",
        "\x1b(0",
        "\x1b#8",
        "\x07",
        "\x08\x08",
        "\x7f",
        "\u202e",
        "\u2066",
    ],
)
def test_a_sequence_is_removed_whole(sequence):
    assert printable(f"before{sequence}after") == "beforeafter"


@pytest.mark.parametrize(
    "text", ["größe 🎉", "👩‍👩‍👧", "می‌خواهم", "עברית\u200f", "नमस्ते", "a\u00a0b", "", "\\x1b[31m", "[0m"]
)
def test_text_of_any_language_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize("end", ["\x1b", "\x1b[", "\x1b[31", "\x1b]0;title", "\x9d", "\x1bP"])
def test_an_unfinished_sequence_loses_its_escape(end):
    assert printable(f"text{end}") == "text" + end.lstrip("\x1b\x9d")


def test_white_space_controls_become_spaces():
    assert printable("a\tb\nc\rd\r\ne\u2028f\x85g\vh\fi") == "a b c d e f g h i"


@given(st.text(ANY_CHARACTER | st.sampled_from("\x7f\x9b\u202e\u2028\ud800")))
def test_json_for_a_terminal_means_the_same_and_commands_nothing(text):
    shown = printable_json({"label": text})
    assert json.loads(shown) == {"label": text}
    assert printable(shown) == shown
