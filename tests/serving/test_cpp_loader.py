"""TensorFlow's own C++ loader, the one in TensorFlow Serving, gets from each application's export what was recorded."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from benchmarks import cpp_loader
from rnnapps import serving
from rnnapps.apps.sentiment import serving as sentiment
from rnnapps.apps.sentiment.model import SentimentClassifier
from rnnapps.apps.speech import serving as speech
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.serving.inspection.columns import from_json
from rnnapps.serving.inspection.graph import serving_graph

pytestmark = pytest.mark.skipif(
    not cpp_loader.available(), reason="no C++ compiler, or a wheel without libtensorflow_cc"
)
SIGNATURES = {
    "sentiment": {"serving_default"},
    "speech": {"serving_default", "waveform", "stream", "stream_start"},
    "translation": {"serving_default", "nbest"},
}


@pytest.fixture(scope="module")
def compiling(tmp_path_factory):
    """The compiler at work on the program, which takes it a while: exports are written in the meantime."""
    program = tmp_path_factory.mktemp("loader") / "ask_export"
    process = cpp_loader.build(program)
    yield program, process
    process.kill()


def make_sentiment():
    model = SentimentClassifier(
        ["good", "bad", "film"], ["negative", "positive"], ngram_bins=64, units=4, embedding_units=4
    )
    model.build()
    return [model], sentiment.endpoints(model), sentiment.samples(model, None)


def make_speech():
    model = SpeechClassifier(["no", "yes"], sample_rate=4000, units=4, bands=16, convolutions=(4, 8), causal=True)
    model.build()
    return [model], speech.endpoints(model), speech.samples(model, None)


def make_translation():
    pytest.importorskip("tensorflow_text")
    pytest.importorskip("sentencepiece")
    from rnnapps.apps.translation import serving as translation
    from rnnapps.apps.translation.cli import Search
    from rnnapps.apps.translation.model import Translator
    from rnnapps.text import Subwords, train_subwords

    subwords = Subwords(train_subwords(["Two dogs run.", "A dog sleeps in the sun."] * 20, 512))
    model = Translator(subwords.to_text(), units=4, embedding_units=4)
    model.build()
    endpoints = translation.endpoints(model, Search(beam=3, longest=5))
    resources = [model, model.source_subwords, model.target_subwords]
    return resources, endpoints, translation.samples(model, None)


MAKERS = {"sentiment": make_sentiment, "speech": make_speech, "translation": make_translation}


@pytest.fixture(scope="module", params=MAKERS)
def exported(request, compiling, tmp_path_factory):
    """The version's folder of an untrained model of an application."""
    tf.keras.utils.set_random_seed(0)
    resources, endpoints, requests = MAKERS[request.param]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnnapps.serving.export.check_export", lambda folder: serving.Findings(()))
        saved = serving.save(tmp_path_factory.mktemp("exports") / request.param, resources, endpoints, requests)
    return saved.folder


def test_the_recorded_requests_get_the_recorded_answers(exported, compiling, tmp_path):
    program, process = compiling
    assert not process.wait(300), process.stderr.read()
    signatures = serving_graph(str(exported)).signature_def
    recorded = json.loads((exported / "assets.extra" / "recorded_answers.json").read_text(encoding="utf-8"))
    assert {entry["request"]["signature_name"] for entry in recorded} == SIGNATURES[exported.parent.name]
    requests = [entry["request"] for entry in recorded]
    cpp_loader.write_requests(
        tmp_path / "requests",
        [
            (request["signature_name"], arrays(request["inputs"], signatures[request["signature_name"]].inputs))
            for request in requests
        ],
    )
    assert cpp_loader.ask(program, exported, tmp_path / "requests", tmp_path / "answers") > 0
    answers = cpp_loader.read_answers(tmp_path / "answers")
    for entry, (name, answer) in zip(recorded, answers, strict=True):
        assert name == entry["request"]["signature_name"]
        expected = arrays(entry["response"]["outputs"], signatures[name].outputs)
        assert answer.keys() == expected.keys()
        for key, value in answer.items():
            if value.dtype == object:
                assert value.tolist() == expected[key].tolist()
            else:
                np.testing.assert_allclose(value, expected[key], rtol=1e-4, atol=1e-5)


def arrays(values: dict, tensors: dict[str, meta_graph_pb2.TensorInfo]) -> dict[str, np.ndarray]:
    return {
        name: from_json(
            value,
            tf.dtypes.as_dtype(tensors[name].dtype).as_numpy_dtype,
            [None if size.size < 0 else size.size for size in tensors[name].tensor_shape.dim],
        )
        for name, value in values.items()
    }
