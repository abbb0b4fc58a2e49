"""Recurrent layers for Keras 3: drop-in replacements for those of `keras.layers`, and more."""

from rnnapps.layers.attention import AdditiveAttention, MultiplicativeAttention
from rnnapps.layers.attention_cell import AttentionCell
from rnnapps.layers.attention_pooling import AttentionPooling
from rnnapps.layers.bidirectional import Bidirectional
from rnnapps.layers.by_name import CELLS, recurrent_layer, recurrent_layers
from rnnapps.layers.conversion import from_keras, to_keras
from rnnapps.layers.from_pytorch import from_torch
from rnnapps.layers.gru import GRU
from rnnapps.layers.gru_cell import GRUCell
from rnnapps.layers.lstm import LSTM
from rnnapps.layers.lstm_cell import LSTMCell
from rnnapps.layers.masked_pooling import MaskedPooling
from rnnapps.layers.recurrent import Recurrent
from rnnapps.layers.simple_rnn import SimpleRNN
from rnnapps.layers.simple_rnn_cell import SimpleRNNCell
from rnnapps.layers.stacked import Stacked
from rnnapps.layers.streaming import stream_recurrent, stream_states

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "AdditiveAttention",
    "AttentionCell",
    "AttentionPooling",
    "Bidirectional",
    "GRUCell",
    "LSTMCell",
    "MaskedPooling",
    "MultiplicativeAttention",
    "Recurrent",
    "SimpleRNN",
    "SimpleRNNCell",
    "Stacked",
    "from_keras",
    "from_torch",
    "recurrent_layer",
    "recurrent_layers",
    "stream_recurrent",
    "stream_states",
    "to_keras",
]
