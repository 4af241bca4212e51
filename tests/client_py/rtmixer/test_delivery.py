"""How a recording gets into a ring, with a server that is made up."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rtmixd.rtmixer import ULONG_MAX, RingBuffer
from rtmixd.rtmixer._action import RECORD_RINGBUFFER, Action
from rtmixd.rtmixer._recorder import Recorder

RATE_HZ = 48000.0


def recorder_into(ring: RingBuffer) -> tuple[Recorder, Action]:
    """Make one that records one channel."""
    action = Action(
        RECORD_RINGBUFFER, 0, True, total_frames=ULONG_MAX, mapping=(1,), ringbuffer=ring
    )
    return Recorder(SimpleNamespace(rate_hz=RATE_HZ), action, 0), action  # type: ignore[arg-type]


class SlowClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, on_sleep: Any) -> None:
        self.now = 100.0
        monkeypatch.setattr(asyncio, "sleep", self._sleep)
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: self)
        self._on_sleep = on_sleep

    def time(self) -> float:
        """Stand in for the event loop's."""
        return self.now

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self._on_sleep(self.now)


def test_burst_is_delivered_at_twice_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that keeps up with twice real time loses nothing of what was held up."""
    ring = RingBuffer(4, 128)
    heard = bytearray()
    clock = SlowClock(monkeypatch, lambda now: heard.extend(ring.read()))
    recorder, action = recorder_into(ring)
    sound = np.arange(4800, dtype="float32").reshape(-1, 1)

    async def deliver() -> None:
        for at in range(0, len(sound), 32):
            assert await recorder._write(sound[at : at + 32])

    asyncio.run(deliver())
    heard.extend(ring.read())
    np.testing.assert_array_equal(np.frombuffer(heard, "float32"), sound[:, 0])
    assert action.done_frames == 4800
    assert (4800 - 256) / RATE_HZ / 2 <= clock.now - 100 <= 4800 / RATE_HZ / 2


def test_ring_that_nobody_reads_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the frame that finds no room, within the time that the frames before it take."""
    ring = RingBuffer(4, 128)
    clock = SlowClock(monkeypatch, lambda now: None)
    recorder, action = recorder_into(ring)
    sound = np.ones((48, 1), "float32")

    async def deliver() -> list[bool]:
        return [await recorder._write(sound) for _ in range(3)]

    assert asyncio.run(deliver()) == [True, True, False]
    assert action.done_frames == 128
    assert ring.read_available == 128
    assert clock.now - 100 <= 128 / RATE_HZ
