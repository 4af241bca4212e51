"""Streams as files of bytes, for threads other than the event loop's."""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from rtmixd import samples
from rtmixd.errors import Cancelled
from rtmixd.samples import Wire

if TYPE_CHECKING:
    from rtmixd.aio.streams import PlayStream, RecordStream

_Result = TypeVar("_Result")
# How often whoever waits looks whether the event loop is still there.
_LOOK_SECONDS = 0.5


class PlayFile(io.RawIOBase):
    """A file whose bytes are played. Closing it is the end of the sound."""

    def __init__(self, stream: PlayStream, loop: asyncio.AbstractEventLoop, encoding: Wire) -> None:
        super().__init__()
        self._stream = stream
        self._loop = loop
        self._encoding: Wire = encoding
        self._frame_bytes = stream.channels * samples.bytes_per_sample(encoding)
        # The beginning of a frame whose rest has not been written.
        self._rest = b""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes to be played; wait for room. Frames may be split among calls."""
        given = memoryview(data).cast("B")
        joined = self._rest + given.tobytes() if self._rest else given.tobytes()
        whole = len(joined) - len(joined) % self._frame_bytes
        frames = samples.decode(joined[:whole], self._stream.channels, self._encoding)
        _wait(self._loop, self._stream.write(frames))
        self._rest = joined[whole:]
        return len(given)

    def close(self) -> None:
        """End the sound: what was written plays out."""
        if not self.closed:
            super().close()
            _wait(self._loop, self._stream.end())


class RecordFile(io.RawIOBase):
    """A file that yields what is recorded. Closing it stops the recording."""

    def __init__(
        self, stream: RecordStream, loop: asyncio.AbstractEventLoop, encoding: Wire
    ) -> None:
        super().__init__()
        self._stream = stream
        self._loop = loop
        self._encoding: Wire = encoding
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what is there; wait for one frame. 0 at the end of the recording."""
        if not self._rest:
            audio = _wait(self._loop, self._stream.read())
            self._rest = memoryview(samples.encode(audio, self._encoding))
        wanted = memoryview(buffer).cast("B")
        count = min(len(wanted), len(self._rest))
        wanted[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Stop the recording."""
        if not self.closed:
            super().close()
            _wait(self._loop, self._stream.stop())


def _wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, _Result]) -> _Result:
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if running is loop:
        work.close()
        raise RuntimeError("the file of a stream blocks: use it in another thread than its loop's")
    if not loop.is_running():
        # So it is when the interpreter exits, which closes what is left open.
        work.close()
        raise Cancelled("the event loop of the stream has ended", code="cancelled")
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        while not future.done() and loop.is_running():
            concurrent.futures.wait([future], _LOOK_SECONDS)
        if not future.done():
            raise Cancelled("the event loop of the stream has ended", code="cancelled")
        return future.result()
    finally:
        future.cancel()
