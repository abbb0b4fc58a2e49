"""Options of the applications' models, where they enter: as keyword arguments, and from a `model.keras`."""

from __future__ import annotations

import json
import zipfile

import pytest

from rnnapps import training
from rnnapps.apps.sentiment.model import SentimentClassifier
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.apps.translation.model import Translator
from rnnapps.errors import UserError
from rnnapps.text import Subwords, train_subwords

SUBWORDS = Subwords(train_subwords(["one two three", "four five six"], 512)).to_text()
MODELS = {
    "sentiment": (SentimentClassifier, {"words": ["good", "bad"], "classes": ["no", "yes"], "embedding_units": 2}),
    "speech": (SpeechClassifier, {"classes": ["no", "yes"], "convolutions": (2,)}),
    "translation": (Translator, {"source_subwords": SUBWORDS, "embedding_units": 2}),
}
WRONG = [
    ("units", "many", "units must be a whole number, got 'many'"),
    ("units", 0, "units must be at least 1, got 0"),
    ("units", True, "units must be a whole number, got True"),
    ("layers", 10**12, ""),  # refused by the size of the file, or by the bound on layers
    ("units", 10**12, ""),
    ("dropout", 1.5, "dropout must be less than 1, got 1.5"),
    ("dropout", None, "dropout must be a number, got None"),
    ("cell", "transformer", "cell must be one of rnn, gru, lstm, got 'transformer'"),
    ("depth", 3, "unknown option 'depth'"),
]
OWN = {
    "sentiment": ("max_length", "x", "max_length must be a whole number, got 'x'"),
    "speech": ("convolutions", 16, "convolutions must be a list, got 16"),
    "translation": ("attention", "loud", "attention must be one of"),
}


@pytest.mark.parametrize("app", MODELS)
def test_a_wrong_option_is_refused_where_the_model_is_made(app):
    model_class, arguments = MODELS[app]
    for name, value, message in [*WRONG, OWN[app]]:
        if message:
            with pytest.raises(UserError, match=f"^{model_class.__name__}: {message}"):
                model_class(**{**arguments, "units": 2, name: value})


@pytest.mark.parametrize("app", MODELS)
def test_a_wrong_option_in_a_file_is_one_line_that_names_it(app, tmp_path):
    model_class, arguments = MODELS[app]
    model = model_class(**arguments, units=2)
    model.build()
    run = training.RunFolder(tmp_path)
    model.save(run.model_file)
    assert type(training.load_model(run, model_class)) is model_class
    with zipfile.ZipFile(run.model_file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name, value, message in [*WRONG, OWN[app]]:
        config = json.loads(members["config.json"])
        config["config"][name] = value
        with zipfile.ZipFile(run.model_file, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, json.dumps(config) if member == "config.json" else content)
        with pytest.raises(UserError) as caught:
            training.load_model(run, model_class)
        assert str(caught.value).startswith(f"{run.model_file}: cannot be loaded as a {model_class.__name__}: ")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
