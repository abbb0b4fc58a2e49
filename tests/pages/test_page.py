"""What a page shows where something goes wrong, and who can reach it. No browser, no model."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import pytest

from rnnapps.apps.sentiment.cli import main
from rnnapps.apps.sentiment.page import left_out, pieces_of, weights
from rnnapps.errors import UserError
from rnnapps.pages import FileInput, Page, Part, TextInput, TextOutput, gradio_page
from tests.apps.contract import invoke

GIVEN = TextInput("given", "Given")


def answering(answer, tmp_path: Path, field=GIVEN):
    part = Part("Part", [field], [TextOutput("text", "Text")], answer)
    return gradio_page._answering(part, ["given"], tmp_path)


def test_a_mistake_is_a_sentence_and_empties_the_outputs(tmp_path):
    def answer(given):
        raise UserError(f"{given}: not <a> recording")

    path = str(tmp_path / "gradio" / "clip.wav")
    notice, text = answering(answer, tmp_path, FileInput("given", "Given"))(path)
    assert notice == '<p class="notice" role="alert">Clip.wav: not &lt;a&gt; recording</p>'
    assert text == ""


def test_a_failure_of_the_model_is_a_sentence_and_the_traceback_goes_to_the_terminal(tmp_path, caplog):
    notice, text = answering(lambda given: 1 / 0, tmp_path)("x")
    assert "could not answer" in notice and "Zero" not in notice and text == ""
    assert "ZeroDivisionError" in caplog.text


def test_a_server_that_is_away_is_a_sentence(monkeypatch, tmp_path):
    found = []

    def show(page, *where):
        (part,) = page.parts
        found.extend(gradio_page._answering(part, ["text"], tmp_path)("a superb film"))

    monkeypatch.setattr("rnnapps.cli.try_page.show", show)
    invoke(main, "try", "--server", "http://localhost:1")
    assert "no model server answers there" in found[0] and 'role="alert"' in found[0]


def test_a_port_in_use_is_one_line():
    from rnnapps.pages.server import running

    page = Page("Title", "Summary", [Part("Part", [TextInput("given", "Given")], [], lambda given: {})])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match=r"--port .* in use"), running(page, port=taken.getsockname()[1]):
            pass
    with running(page) as address:
        answer = urllib.request.urlopen(address)
        assert address.startswith("http://127.0.0.1:")
        assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_the_weight_of_a_word_is_what_the_log_odds_lose_without_it():
    text = "A superb,  film. " * 40
    pieces = pieces_of(text)
    assert "".join(pieces) == text and 32 <= len(pieces) <= 64
    assert left_out(["a ", "b ", "c"]) == ["b c", "a c", "a b "]
    whole = {"probabilities": [0.1, 0.9]}
    found = weights(
        whole, [{"probabilities": [0.5, 0.5]}, {"probabilities": [0.1, 0.9]}, {"probabilities": [0.01, 0.99]}]
    )
    assert found == pytest.approx([2.1972 / 3, 0, -2.3979 / 3], abs=1e-4)  # log-odds: ln 9 = 2.1972, ln 99 = 4.5951
