"""The client for asyncio. `rtmixd` is the same for programs that block."""

from __future__ import annotations

from rtmixd.aio.action import Action, Batch
from rtmixd.aio.buffer import Buffer
from rtmixd.aio.client import Client
from rtmixd.aio.ensemble import Ensemble
from rtmixd.aio.session import Session
from rtmixd.aio.streams import DuplexStream, LostAudio, PlayStream, RecordStream

__all__ = [
    "Action",
    "Batch",
    "Buffer",
    "Client",
    "DuplexStream",
    "Ensemble",
    "LostAudio",
    "PlayStream",
    "RecordStream",
    "Session",
]
