"""A session on a server, and the sound it makes, for the tests of streams."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Optional

import numpy as np
import numpy.typing as npt
from google.protobuf import duration_pb2

from rtmixd import _methods, errors
from rtmixd.aio import streams
from rtmixd.aio._connection import Connection
from rtmixd.aio._stream_host import StreamHost
from rtmixd.report import Report
from rtmixd.v1 import session_pb2

Frames = npt.NDArray[np.float32]

PATIENCE_SECONDS = 60.0


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test to its end, or not for ever."""

    async def bounded() -> None:
        task = asyncio.ensure_future(work)
        await asyncio.wait([task], timeout=PATIENCE_SECONDS)
        late = not task.done()
        task.cancel()
        await task
        # A test may well take its cancellation for the error that it expects.
        assert not late, f"not over after {PATIENCE_SECONDS:g} s"

    asyncio.run(bounded())


def noise(frames: int, channels: int = 2, seed: int = 1) -> Frames:
    """Frames that differ from each other and from silence."""
    sound = np.random.default_rng(seed).uniform(0.1, 0.4, (frames, channels))
    return sound.astype(np.float32)


class Rig:
    """A session, and streams on it, directly and by another way."""

    def __init__(self, target: str, by: Optional[str] = None, ttl: float = 15.0) -> None:
        self._connection = Connection(target)
        self._other = Connection(by or target)
        self._ttl = ttl

    async def __aenter__(self) -> Rig:
        request = session_pb2.CreateSessionRequest(label="streams")
        request.ttl.CopyFrom(duration_pb2.Duration(seconds=int(self._ttl)))
        made = await self._connection.call(_methods.CREATE_SESSION, request)
        self.token = made.token
        # Directly, and by the other way.
        self.direct = StreamHost(self._connection, made.token, self._ttl)
        self.host = StreamHost(self._other, made.token, self._ttl)
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.end()
        await self._connection.close()
        await self._other.close()

    async def end(self) -> None:
        """End the session; once is enough."""
        token, self.token = self.token, ""
        if token:
            # It may have expired.
            with contextlib.suppress(errors.SessionExpired):
                await self._connection.call(
                    _methods.END_SESSION, session_pb2.EndSessionRequest(), token=token
                )

    async def listen(self, channels: int = 2) -> streams.RecordStream:
        """Record what goes to the first outputs, all that will sound from now on."""
        return await streams.open_record(
            self.direct, list(range(1, channels + 1)), source="output", unread_frames=1 << 20
        )


def with_gaps(sound: Frames, report: Report) -> Frames:
    """What sounds of a sound, with silence where its report says that it had none."""
    assert report.gap_count <= 8
    pieces = []
    done = 0
    for gap in report.gaps:
        pieces += [sound[done : gap.position], np.zeros((gap.frames, sound.shape[1]), np.float32)]
        done = gap.position
    return np.concatenate([*pieces, sound[done:]])


async def started(record: streams.RecordStream) -> int:
    """Wait until it is told where a recording started."""
    await record._core.wait_until(lambda: record.start_frame is not None)
    assert record.start_frame is not None
    return record.start_frame


async def heard(listener: streams.RecordStream, report: Report) -> Frames:
    """What went to the outputs from the first frame of an action to its last."""
    assert report.start_frame is not None
    assert report.end_frame is not None
    first = await started(listener)
    assert first + listener.position <= report.start_frame
    await listener.read(report.start_frame - first - listener.position)
    return await listener.read(report.end_frame - report.start_frame)
