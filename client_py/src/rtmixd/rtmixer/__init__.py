"""rtmixer for a sound device on another host.

A program for rtmixer needs no more than another import::

    from rtmixd import rtmixer
    from rtmixd import sounddevice as sd

or none: ``python -m rtmixd.rtmixer program.py``. The server is what the environment variable
``RTMIXD_TARGET`` or ``rtmixer.default.target`` says.
"""

from __future__ import annotations

from rtmixd._rtmixer_settings import default
from rtmixd.rtmixer._action import (
    CANCEL,
    FETCH_AND_RESET_STATS,
    PLAY_BUFFER,
    PLAY_RINGBUFFER,
    RECORD_BUFFER,
    RECORD_RINGBUFFER,
    ULONG_MAX,
)
from rtmixd.rtmixer._ringbuffer import RingBuffer
from rtmixd.rtmixer._stream import Mixer, MixerAndRecorder, Recorder

#: The version of rtmixer whose interface this is like.
__version__ = "0.1.7"

__all__ = [
    "CANCEL",
    "FETCH_AND_RESET_STATS",
    "PLAY_BUFFER",
    "PLAY_RINGBUFFER",
    "RECORD_BUFFER",
    "RECORD_RINGBUFFER",
    "ULONG_MAX",
    "Mixer",
    "MixerAndRecorder",
    "Recorder",
    "RingBuffer",
    "default",
]
