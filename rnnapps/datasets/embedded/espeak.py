"""Speech from eSpeak NG's shared library, called through ctypes: a word in, samples out, in about a millisecond.

The library comes with the PyPI package `espeakng-loader`; nothing is played and no program is started.
"""

import ctypes
import functools
from typing import Any, NamedTuple

import numpy as np

from rnnapps.datasets.rejected import DataError
from rnnapps.extras import from_extra

# From espeak-ng/speak_lib.h.
_SYNCHRONOUS_RETRIEVAL = 2
_DONT_EXIT = 0x8000  # or a missing data folder would end the process
_POSITION_CHARACTER, _UTF8 = 1, 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Manner(NamedTuple):
    """How something is said.

    Attributes:
        voice: An accent and a voice variant of eSpeak NG, such as "en-us+f2".
        words_per_minute: 80 to 450; 175 is eSpeak's default.
        pitch: 0 to 99; 50 is the natural pitch of the voice.
        pitch_range: 0 to 99, from monotone to lively.
    """

    voice: str
    words_per_minute: int = 175
    pitch: int = 50
    pitch_range: int = 50


def say(text: str, manner: Manner) -> tuple[np.ndarray, int]:
    """Synthesises a text.

    The voice flutters a little, and the flutter continues from one utterance to the next: the same calls from the start
    of a process give the same samples; the same call twice gives nearly the same.

    Args:
        text: What to say.
        manner: How to say it.

    Returns:
        int16 (samples,), and their rate in Hz.

    Raises:
        UserError: eSpeak NG is not installed, or it lacks the voice.

    Example:
        >>> samples, rate = say("yes", Manner("en-us+f2"))
        >>> rate, bool(0.2 < len(samples) / rate < 0.8)
        (22050, True)
    """
    library, rate, chunks, _ = _library()
    if library.espeak_SetVoiceByName(manner.voice.encode()):
        raise DataError(f"eSpeak NG has no voice {manner.voice!r}")
    for parameter, value in ((_RATE, manner.words_per_minute), (_PITCH, manner.pitch), (_RANGE, manner.pitch_range)):
        library.espeak_SetParameter(parameter, int(value), 0)
    chunks.clear()
    content = text.encode() + b"\0"
    failed = library.espeak_Synth(content, ctypes.c_size_t(len(content)), 0, _POSITION_CHARACTER, 0, _UTF8, None, None)
    if failed or not chunks:
        raise DataError(f"eSpeak NG could not say {text!r} (error {failed})")
    return np.concatenate(chunks), rate


@functools.cache
def _library() -> tuple[ctypes.CDLL, int, list[np.ndarray], object]:
    """The library, its sample rate, the list to which it appends samples, and the callback, which must stay alive."""
    espeakng_loader = from_extra("espeakng_loader", extra="demo", purpose="synthetic speech")
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), _DONT_EXIT)
    if rate <= 0:
        raise DataError(f"eSpeak NG does not start with its data in {espeakng_loader.get_data_path()}")
    chunks: list[np.ndarray] = []

    @_CALLBACK
    def receive(samples: Any, count: int, events: int | None) -> int:
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    library.espeak_SetSynthCallback(receive)
    return library, rate, chunks, receive
