"""A GPU that is not there."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tests.recurrences.cudnn_in_python import cudnn_rnn_backprop_v3, cudnn_rnn_v3


@pytest.fixture
def calls(monkeypatch):
    """As if there were a GPU. Gives the arguments of all forward calls of cuDNN, which Python answers."""
    real, made = tf.config.list_logical_devices, []

    def call(**arguments):
        made.append(arguments)
        return cudnn_rnn_v3(**arguments)

    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: ["a GPU"] if kind == "GPU" else real(kind))
    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", call)
    monkeypatch.setattr(tf.raw_ops, "CudnnRNNBackpropV3", cudnn_rnn_backprop_v3)
    return made
