"""Audio: from files or WAV bytes to log-mel frames, and augmentation that makes a model robust."""

from rnnapps.audio.attention_pooling import AttentionPooling
from rnnapps.audio.audio_files import SUFFIXES, AudioError, read_audio
from rnnapps.audio.log_mel import LogMel
from rnnapps.audio.resampling import resample
from rnnapps.audio.spec_augment import SpecAugment
from rnnapps.audio.time_convolution import TimeConvolution
from rnnapps.audio.voice_augmentation import VoiceAugmentation
from rnnapps.audio.wav import decode_wav
from rnnapps.audio.waveform_augmentation import WaveformAugmentation

__all__ = [
    "SUFFIXES",
    "AttentionPooling",
    "AudioError",
    "LogMel",
    "SpecAugment",
    "TimeConvolution",
    "VoiceAugmentation",
    "WaveformAugmentation",
    "decode_wav",
    "read_audio",
    "resample",
]
