import pytest

from rnnapps.apps.transcription.cli import main as transcription
from rnnapps.apps.translation.cli import main as translation


@pytest.mark.parametrize("app", [translation, transcription])
def test_evaluate_has_no_option_that_changes_no_figure(app):
    names = {name: {option.name for option in app.commands[name].params} for name in ("evaluate", "predict")}
    assert {"beam"} < names["evaluate"]
    assert {"nbest", "plot", "attention_plot"} & names["predict"]
    assert not {"nbest", "plot", "attention_plot", "format"} & names["evaluate"]
