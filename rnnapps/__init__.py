"""Recurrent neural networks for Keras 3: layers, and applications built on them."""

__version__ = "0.1.0"
