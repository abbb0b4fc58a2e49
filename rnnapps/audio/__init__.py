"""Audio: from files or WAV bytes to log-mel frames, and augmentation that makes a model robust.

Names are imported when they are first used: a command line must not wait for TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnapps.audio.audio_files import AudioError, read_audio
    from rnnapps.audio.background_noise import BackgroundNoise
    from rnnapps.audio.front_end import FrontEnd
    from rnnapps.audio.log_mel import LogMel
    from rnnapps.audio.pauses import cut_at_pauses
    from rnnapps.audio.resampling import resample
    from rnnapps.audio.spec_augment import SpecAugment
    from rnnapps.audio.suffixes import SUFFIXES
    from rnnapps.audio.time_convolution import TimeConvolution
    from rnnapps.audio.to_wav import wav_bytes
    from rnnapps.audio.voice_augmentation import VoiceAugmentation
    from rnnapps.audio.wav import decode_wav
    from rnnapps.audio.waveform_augmentation import WaveformAugmentation

__all__ = [
    "SUFFIXES",
    "AudioError",
    "BackgroundNoise",
    "FrontEnd",
    "LogMel",
    "SpecAugment",
    "TimeConvolution",
    "VoiceAugmentation",
    "WaveformAugmentation",
    "cut_at_pauses",
    "decode_wav",
    "read_audio",
    "resample",
    "wav_bytes",
]

_HOMES = {
    "SUFFIXES": "suffixes",
    "AudioError": "audio_files",
    "BackgroundNoise": "background_noise",
    "FrontEnd": "front_end",
    "LogMel": "log_mel",
    "SpecAugment": "spec_augment",
    "TimeConvolution": "time_convolution",
    "VoiceAugmentation": "voice_augmentation",
    "WaveformAugmentation": "waveform_augmentation",
    "cut_at_pauses": "pauses",
    "decode_wav": "wav",
    "read_audio": "audio_files",
    "resample": "resampling",
    "wav_bytes": "to_wav",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
