"""A model small enough to be exported many times."""

import keras
import pytest
import tensorflow as tf

from rnnapps import serving
from rnnapps.text import word_vectorizer

TEXTS = ["good film", "", "bad", b"\xff"]
REQUESTS = {"serving_default": [{"text": TEXTS}]}


def make():
    words = word_vectorizer(["good", "bad"])
    embedding = keras.layers.Embedding(4, 2)
    embedding.build(None)
    return words, embedding


@pytest.fixture(scope="module")
def model():
    return make()


def mean_of_embeddings(model):
    words, embedding = model

    def answer(text):
        return {"mean": tf.reduce_mean(embedding(words(text).to_tensor(shape=[None, 3])), axis=1), "text": text}

    return serving.Endpoint(answer, [tf.TensorSpec([None], tf.string, name="text")])


def save(output, model, requests=None, **kwargs):
    return serving.save(output, list(model), {"serving_default": mean_of_embeddings(model)}, requests, **kwargs)
