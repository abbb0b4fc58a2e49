import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import serving
from rnnapps.text import word_vectorizer


@pytest.fixture(scope="module")
def model():
    words = word_vectorizer(["good", "bad"])
    embedding = keras.layers.Embedding(4, 2)
    embedding.build(None)
    return words, embedding


def endpoint(model):
    words, embedding = model

    def answer(text):
        return {"mean": tf.reduce_mean(embedding(words(text).to_tensor(shape=[None, 3])), axis=1), "text": text}

    return serving.Endpoint(answer, [tf.TensorSpec([None], tf.string, name="text")])


def save(output, model, **kwargs):
    return serving.save(output, list(model), {"serving_default": endpoint(model)}, **kwargs)


def test_an_export_answers_as_the_model_also_in_a_process_without_keras(tmp_path, model):
    folder = save(tmp_path, model)
    assert folder == tmp_path / "1"
    texts = ["good film", "", "bad"]
    expected = endpoint(model).function(tf.constant(texts))["mean"].numpy()
    np.testing.assert_allclose(serving.load(tmp_path)(text=tf.constant(texts))["mean"], expected, rtol=1e-6)
    findings = serving.check(folder, {"text": texts}, {"mean": expected.tolist(), "text": texts})
    assert findings["requests"] == 3
    assert findings["largest_difference"] < 1e-6


def test_an_answer_that_differs_is_found(tmp_path, model):
    folder = save(tmp_path, model)
    with pytest.raises(serving.ExportError, match="answers differ from the run's by up to"):
        serving.check(folder, {"text": ["good"]}, {"mean": [[9.0, 9.0]]})
    with pytest.raises(serving.ExportError, match="output 'text' differs"):
        serving.check(folder, {"text": ["good"]}, {"text": ["bad"]})


def test_versions_count_up_and_none_is_replaced(tmp_path, model):
    assert [save(tmp_path, model).name for _ in range(2)] == ["1", "2"]
    assert save(tmp_path, model, version=7).name == "7"
    assert save(tmp_path, model).name == "8"
    assert serving.latest(tmp_path).name == "8"
    with pytest.raises(serving.ExportError, match="7: exists already"):
        save(tmp_path, model, version=7)


def test_a_refused_export_leaves_nothing(tmp_path, model):
    def refuse(folder):
        assert (folder / "saved_model.pb").exists()
        assert not folder.name.isdecimal()
        raise serving.ExportError("refused")

    with pytest.raises(serving.ExportError, match="refused"):
        save(tmp_path, model, approve=refuse)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_named(tmp_path, model):
    (tmp_path / "file").write_text("")
    with pytest.raises(serving.ExportError, match="file: cannot be written"):
        save(tmp_path / "file", model)


def exported(tmp_path, function):
    return serving.save(
        tmp_path,
        [],
        {"serving_default": serving.Endpoint(function, [tf.TensorSpec([None], tf.float32, name="x")])},
    )


def test_python_functions_are_refused(tmp_path):
    folder = exported(tmp_path, lambda x: {"y": tf.numpy_function(np.sin, [x], tf.float32)})
    with pytest.raises(serving.ExportError, match="the graph calls Python"):
        serving.check(folder, {"x": [0.0]}, {"y": [0.0]})


def test_functions_that_must_be_compiled_are_refused(tmp_path):
    sine = tf.function(tf.sin, jit_compile=True)
    folder = exported(tmp_path, lambda x: {"y": sine(x)})
    with pytest.raises(serving.ExportError, match="XLA"):
        serving.check(folder, {"x": [0.0]}, {"y": [0.0]})


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(serving.ExportError, match="no SavedModel here"):
        serving.latest(tmp_path)
    with pytest.raises(serving.ExportError, match="no SavedModel here"):
        serving.latest(tmp_path / "nowhere")


def test_a_missing_signature_is_named(tmp_path, model):
    save(tmp_path, model)
    with pytest.raises(serving.ExportError, match="no signature 'stream'; it has serving_default"):
        serving.load(tmp_path, "stream")
