"""What a person sees: a bar on a terminal, plain lines elsewhere."""

import io
import sys
import time

import pytest

from rnnapps.training import progress

ROW = {"epoch": 1, "step": 20, "seconds": 3.2, "learning_rate": 0.001, "loss": 0.51234, "val_loss": 2e-5}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def drive(display):
    display.begin("epoch 1/3", 20)
    for done in range(1, 21):
        display.step(done, {"loss": 0.51234})
        time.sleep(0.02)
    display.begin("validation", None)
    display.step(1, {"loss": 0.5})
    display.epoch_end(ROW, 3, best=True)
    display.close()


def test_a_pipe_gets_one_plain_line_an_epoch(capsys):
    drive(progress.show_progress(True))
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "epoch 1/3  loss 0.5123  val_loss 2.000e-05  0:03  best\n"


def test_a_pipe_also_gets_a_line_a_minute_in_a_long_epoch(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    display = progress.show_progress(True)
    for label, steps in (("epoch 1/3", 400), ("  validation", None)):
        display.begin(label, steps)
        for done in range(1, 150):
            now += 1
            display.step(done, {"loss": 0.51234})
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/3  60/400  loss 0.5123",
        "epoch 1/3  120/400  loss 0.5123",
        "validation  60  loss 0.5123",
        "validation  120  loss 0.5123",
    ]


def test_a_terminal_gets_a_bar_with_metrics_and_the_time_left(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    drive(progress.show_progress(True))
    written = sys.stderr.getvalue()
    for part in ("epoch 1/3", "/20", "loss 0.5123", "0:00 left", "━", "0:03  best"):
        assert part in written


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "dumb")
    drive(progress.show_progress(True))
    assert "\x1b" not in sys.stderr.getvalue()
    assert sys.stderr.getvalue().count("\n") == 1


def test_nothing_is_shown_when_not_wanted(capsys):
    drive(progress.show_progress(False))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599.4, "59:59"), (36000, "10:00:00")])
def test_durations(seconds, text):
    assert progress.duration(seconds) == text


def test_numbers_keep_their_meaning():
    metrics = {"a": 0.0, "b": 0.00012345, "c": -1.5, "d": 1234567.0, "e": float("nan")}
    assert progress.metric_texts(metrics) == ["a 0.0000", "b 1.234e-04", "c -1.5000", "d 1.235e+06", "e nan"]


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 200])
def test_lines_fit_into_the_terminal(width):
    metrics = {"loss": 0.5, "accuracy": 0.9, "a_metric_of_a_long_name": 1.0}
    line = progress.bar_line("epoch 12/99", 1234, 5678, metrics, "12:34 left", width)
    assert len(line.plain) <= max(width, len("epoch 12/99  1234/5678  12:34 left"))
    for text in progress.wrapped(progress.epoch_parts(ROW | metrics, 99, True), width).split("\n")[1:]:
        assert len(text) <= width or "  " not in text.strip()


def test_a_narrow_terminal_keeps_names_and_values_together(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    drive(progress.show_progress(True))
    assert "epoch 1/3  loss 0.5123" in sys.stderr.getvalue()
    assert "\n           val_loss 2.000e-05" in sys.stderr.getvalue()
