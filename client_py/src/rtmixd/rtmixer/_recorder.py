"""Records into memory or a ring of the program."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Optional

import numpy as np
import numpy.typing as npt

from rtmixd import errors
from rtmixd.aio._audio_stream import AudioStream
from rtmixd.rtmixer._action import RECORD_BUFFER, ULONG_MAX, Action
from rtmixd.rtmixer._memory import view_bytes
from rtmixd.v1 import action_pb2, audio_pb2, common_pb2

if TYPE_CHECKING:
    from rtmixd.rtmixer._remote import Remote

Frames = npt.NDArray[np.float32]

_CHUNK_SECONDS = 0.005
# Frames that may be on the way; several seconds.
_WINDOW_FRAMES = 1 << 18
# Audio that was held up comes in a burst. A ring gets it no faster than this times real time, as
# otherwise its reader could not keep up with what would have been no problem beside the device.
_BURST_SPEED = 2.0
_REPORT_SECONDS = 2.0
# How long before its start, besides ten round trips, a recording takes one of the server's streams,
# and how long it waits for one.
_AHEAD_SECONDS = 0.5
_PATIENCE_SECONDS = 5.0
_RETRY_SECONDS = 0.05


class Recorder:
    """Records from an exact frame on, and delivers as it comes.

    Everything is for the event loop.
    """

    def __init__(self, remote: Remote, action: Action, frame: int) -> None:
        self._remote = remote
        self._action = action
        self._frame_bytes = 4 * action.channels
        self._start = frame
        self._stream: Optional[AudioStream] = None
        # Where it is cut, in frames of the recording.
        self._cut: Optional[int] = None
        self._report: Optional[action_pb2.ActionReport] = None
        self._changed = asyncio.Event()
        self._view: Optional[memoryview] = None
        self._next_delivery = 0.0

    async def record(self, late_policy: Any) -> None:
        """Record it all, and settle its action."""
        remote, action = self._remote, self._action
        chunk = max(1, int(_CHUNK_SECONDS * remote.rate_hz))
        if action.ringbuffer is not None:
            chunk = max(1, min(chunk, len(action.ringbuffer) // 4))
        config = audio_pb2.RecordConfig(
            start=common_pb2.Start(frame=self._start),
            late_policy=late_policy,
            channel_map=common_pb2.ChannelMap(channels=action.mapping),
            chunk_frames=chunk,
            granted_position=_WINDOW_FRAMES,
        )
        if action.total_frames != ULONG_MAX:
            config.frames = action.total_frames
        if action.type == RECORD_BUFFER:
            self._view = view_bytes(action._memory)
        try:
            stream = await self._open(config)
            if stream is None:
                self._release()
                remote.finish(action)
                return
            remote.admitted(action, stream.opened.record.action_id)
            await self._deliver_all(stream)
            if self._report is None:
                await self._await_report(stream)
            self._settle()
        except errors.RtmixdError as error:
            self._release()
            remote.fail(action, error)
        finally:
            self._release()
            if self._stream is not None:
                await self._stream.close()

    async def _come_near(self) -> None:
        """Wait until shortly before the start: the server has room for so many streams only."""
        while not (self._changed.is_set() or self._remote.ending):
            clock = self._remote.clock
            seconds = clock.seconds_until(self._start) - _AHEAD_SECONDS - 10 * clock.round_trip
            if seconds <= 0:
                return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(seconds, 1.0))

    async def _open(self, config: audio_pb2.RecordConfig) -> Optional[AudioStream]:
        """Open the stream in time; None if it is cancelled before."""
        await self._come_near()
        begin = time.monotonic()
        while True:
            if self._cut == 0 or self._remote.ending:
                return None
            self._stream = AudioStream(
                self._remote.stream_host, audio_pb2.DuplexConfig(record=config)
            )
            if self._cut is not None:
                self._stream.stop_recording(self._start + self._cut)
            try:
                await self._stream.open()
                return self._stream
            except (errors.LimitExceeded, errors.Disconnected) as error:
                # What comes too late is still in the server's history.
                patience = _PATIENCE_SECONDS
                if isinstance(error, errors.Disconnected):
                    patience = self._remote.stream_host.ttl
                if time.monotonic() > begin + patience:
                    raise
            await asyncio.sleep(_RETRY_SECONDS)

    def abandon(self) -> None:
        """Notice that the stream is about to end."""
        self._wake()

    def cut(self, frame: int) -> None:
        """End it before a frame of the stream."""
        length = max(0, frame - self._start)
        if self._cut is None or length < self._cut:
            self._cut = length
            if length == 0:
                self._action.total_frames = 0
            if self._stream is not None:
                self._stream.stop_recording(max(0, frame))
            if self._stream is not None or length == 0:
                self._wake()

    def settle(self, report: action_pb2.ActionReport) -> None:
        """Take the final state of its action from the server."""
        self._report = report
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        if self._stream is not None:
            self._stream._wake()

    async def _deliver_all(self, stream: AudioStream) -> None:
        record = stream.record
        assert record is not None
        action = self._action
        while True:
            self._changed.clear()
            limit = action.total_frames if self._cut is None else self._cut
            if self._cut is None and self._report is not None:
                limit = min(limit, self._report.done_frames)
            if stream.record_done:
                limit = min(limit, record.received_position)
            if action._done_frames >= limit:
                return
            if not record.readable_frames:
                await stream.wait_until(
                    lambda: (
                        self._changed.is_set() or record.readable_frames > 0 or stream.record_done
                    )
                )
                continue
            if action._done_frames == 0:
                start = stream.record_start_frame
                self._start = self._start if start is None else start
                action.actual_time = self._remote.record_time(self._start)
            frames = record.take(min(limit - action._done_frames, self._most_at_once()))
            stream.kick()
            if self._view is not None:
                self._fill(frames)
            elif not await self._write(frames):
                stream.stop_recording(None)
                return

    def _most_at_once(self) -> int:
        if self._action.ringbuffer is None:
            return _WINDOW_FRAMES
        return max(1, len(self._action.ringbuffer) // 4)

    def _fill(self, frames: Frames) -> None:
        assert self._view is not None
        data = frames.tobytes()
        at = self._action._done_frames * self._frame_bytes
        self._view[at : at + len(data)] = data
        self._action._done_frames += len(frames)

    async def _write(self, frames: Frames) -> bool:
        """Write to the ring; False if not all of it found room."""
        ring = self._action.ringbuffer
        loop = asyncio.get_running_loop()
        if ring.write_available < len(frames) and self._next_delivery > loop.time():
            await asyncio.sleep(self._next_delivery - loop.time())
        span = len(frames) / self._remote.rate_hz / _BURST_SPEED
        self._next_delivery = max(self._next_delivery, loop.time() - span) + span
        written = ring.write(frames.tobytes())
        self._action._done_frames += written
        return bool(written == len(frames))

    async def _await_report(self, stream: AudioStream) -> None:
        """Wait a moment for the server's counters, which are all that is missing."""
        await stream.wait_until(
            lambda: self._report is not None or stream.record_report is not None, _REPORT_SECONDS
        )
        if self._report is None:
            self._report = stream.record_report

    def _settle(self) -> None:
        action, report = self._action, self._report
        self._release()
        if self._cut is not None and not self._remote.ending:
            action.total_frames = min(action.total_frames, action._done_frames)
        if report is not None:
            skipped = report.end_reason == action_pb2.END_REASON_SKIPPED
            if skipped:
                action.actual_time = 0.0
            elif action._done_frames == 0 and self._cut is None:
                action.actual_time = self._remote.record_time(self._start)
        self._remote.finish(action, report)

    def _release(self) -> None:
        """Let go of the program's memory."""
        if self._view is not None:
            self._view.release()
            self._view = None
