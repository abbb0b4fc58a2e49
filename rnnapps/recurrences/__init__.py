"""The time loops of recurrent layers as pure functions, forward and backward through time."""

from rnnapps.recurrences.engines import engine_in_use, use_engine
from rnnapps.recurrences.masked_outputs import masked_last_output, masked_outputs
from rnnapps.recurrences.recur import recur, segment_length
from rnnapps.recurrences.weights import Weights

__all__ = ["Weights", "engine_in_use", "masked_last_output", "masked_outputs", "recur", "segment_length", "use_engine"]
