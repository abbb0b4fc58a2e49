"""The time loops of recurrent layers as pure functions, forward and backward through time."""

from rnnapps.recurrences.cudnn import not_served as not_served_by_cudnn
from rnnapps.recurrences.engines import engine_in_use, use_engine, why_not_cudnn
from rnnapps.recurrences.masked_outputs import masked_last_output, masked_outputs
from rnnapps.recurrences.recur import recur, segment_length
from rnnapps.recurrences.weights import Weights

__all__ = [
    "Weights",
    "engine_in_use",
    "masked_last_output",
    "masked_outputs",
    "not_served_by_cudnn",
    "recur",
    "segment_length",
    "use_engine",
    "why_not_cudnn",
]
