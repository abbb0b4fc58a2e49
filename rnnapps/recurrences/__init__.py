"""The time loops of recurrent layers as pure functions, forward and backward through time."""

from rnnapps.recurrences.recur import recur
from rnnapps.recurrences.weights import Weights

__all__ = ["Weights", "recur"]
