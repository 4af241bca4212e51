"""Plays what a program writes into its ring."""

from __future__ import annotations

import asyncio
import collections
import math
import threading
import time
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from rtmixd import _loop, errors
from rtmixd.aio._audio_stream import AudioStream
from rtmixd.rtmixer._action import Action
from rtmixd.v1 import action_pb2, audio_pb2, common_pb2

if TYPE_CHECKING:
    from rtmixd.rtmixer._remote import Remote

# The server holds at least so much more than the program's ring, so that its credit, which is a
# round trip old, is never what holds the audio up. How much is ahead is bounded by the program's
# ring all the same.
_CREDIT_SECONDS = 0.5
_RETRY_SECONDS = 0.2
# What is infinite plays as loud as anything can.
_LOUDEST = 4.0


def playable(data: bytes) -> bytes:
    """Return float32 samples without those that are not finite."""
    samples = np.frombuffer(data, np.float32)
    if np.isfinite(samples).all():
        return data
    return np.nan_to_num(samples, nan=0.0, posinf=_LOUDEST, neginf=-_LOUDEST).tobytes()


class RingPlayer:
    """Plays a ring: its frames are sent as they are written, and leave it as they are played.

    Positions count the frames of the sound from 0::

        0 ........ read ........ sent ........ written
          played         in the ring
                                  not on the way yet

    When the server has run dry after all that was ever written, the sound is over. When it has run
    dry and there is more, the network was late: the sound goes on after a silence.

    Threading: everything on the event loop but `look`, which the ring calls on any thread.
    """

    def __init__(self, remote: Remote, action: Action) -> None:
        self._remote = remote
        self._action = action
        self._ring = action.ringbuffer
        self._frame_bytes = 4 * action.channels
        self._stream: Optional[AudioStream] = None
        # Guards what follows, and the ring's read index.
        self._lock = threading.Lock()
        self._read = 0
        self._sent = 0
        # When what was sent by then arrives: (local time, position).
        self._arrivals: collections.deque[tuple[float, int]] = collections.deque()
        self._arrived = 0
        self._progress: Optional[audio_pb2.PlayProgress] = None
        self._over = False
        self._ending = False
        self._pull_posted = False

    async def play(self, frame: Optional[int], late_policy: Any) -> None:
        """Play it all; returns once the server needs nothing more.

        Parameters
        ----------
        frame : int or None
            When; None means now.
        late_policy : LatePolicy
            What if that has passed.
        """
        ring, remote = self._ring, self._remote
        prebuffer = min(ring._held(), remote.limits.max_ring_frames)
        credit = len(ring) + max(len(ring), int(_CREDIT_SECONDS * remote.rate_hz))
        config = audio_pb2.PlayConfig(
            channels=self._action.channels,
            late_policy=late_policy,
            underrun_policy=common_pb2.UNDERRUN_POLICY_SILENCE,
            channel_map=common_pb2.ChannelMap(channels=self._action.mapping),
            ring_frames=min(credit, remote.limits.max_ring_frames),
            prebuffer_frames=prebuffer,
        )
        if frame is not None:
            config.start.frame = frame
        self._action._progress = self._played
        ring._before_look.append(self.look)
        ring._on_write.append(self._written)
        try:
            stream = await self._open(config)
            if frame is not None and frame > remote.clock.frame():
                self._action.actual_time = -1.0
            if frame is None and prebuffer == 0 and ring._held() == 0:
                self._end()
            while not self._over and stream.play_report is None:
                last = stream.play_progress
                await stream.wait_until(
                    lambda last=last: (
                        self._over  # type: ignore[misc]
                        or stream.play_report is not None
                        or stream.play_progress is not last
                    )
                )
                self._take_progress(stream.play_progress)
        except errors.RtmixdError as error:
            self._leave()
            remote.fail(self._action, error)
        finally:
            self._leave()
            if self._stream is not None:
                await self._stream.close()

    async def _open(self, config: audio_pb2.PlayConfig) -> AudioStream:
        """Open the stream; once more if the connection breaks before it is known to be admitted."""
        remote = self._remote
        give_up = time.monotonic() + remote.stream_host.ttl
        while True:
            try:
                async with remote.admission():
                    stream = AudioStream(
                        remote.stream_host, audio_pb2.DuplexConfig(play=config), eager=True
                    )
                    with self._lock:
                        self._sent = 0
                        self._arrivals.clear()
                    self._stream = stream
                    self._pull()
                    await stream.open()
                    remote.admitted(self._action, stream.opened.play.action_id)
                    return stream
            except errors.Disconnected:
                if self._over or remote.ending or time.monotonic() >= give_up:
                    raise
            # It may have been admitted all the same, and would sound beside the next.
            while True:
                try:
                    await remote.cancel_strays()
                    break
                except errors.Disconnected:
                    if self._over or remote.ending or time.monotonic() >= give_up:
                        raise
                await asyncio.sleep(_RETRY_SECONDS)

    def settle(self, report: action_pb2.ActionReport) -> None:
        """Take the final state of its action."""
        with self._lock:
            if not self._over:
                # To the frame, whatever was guessed before.
                self._move_read(report.done_frames)
        self._action.underruns = max(0, report.underruns - self._ending)
        self._action.stats.output_underflows += self._action.underruns
        self._leave()
        if self._stream is not None:
            self._stream._wake()

    def look(self) -> None:
        """Advance the ring's read index to what has been played by now."""
        with self._lock:
            if not self._over:
                played = self._guess()
                if played > self._read:
                    self._move_read(played)

    def _played(self) -> int:
        self.look()
        return self._read

    def _leave(self) -> None:
        """Let go of the ring."""
        with self._lock:
            if self._over:
                return
            self._over = True
        self._action._progress = None
        self._ring._before_look.remove(self.look)
        self._ring._on_write.remove(self._written)

    def _written(self) -> None:
        """Be told, on the writer's thread, that there is more."""
        if not self._pull_posted:
            self._pull_posted = True
            _loop.post(self._pull)

    def _pull(self) -> None:
        """Send what is new in the ring."""
        self._pull_posted = False
        if self._over or self._ending or self._stream is None:
            return
        with self._lock:
            new = self._read + self._ring._held() - self._sent
            if new <= 0:
                return
            data = self._ring._peek(self._sent - self._read, new)
            self._sent += new
            self._arrivals.append(
                (time.monotonic() + self._remote.clock.round_trip / 2, self._sent)
            )
        assert self._stream.play is not None
        self._stream.play.append(playable(data))
        self._stream.kick()

    def _take_progress(self, progress: audio_pb2.PlayProgress) -> None:
        action = self._action
        if progress.HasField("start_frame") and action.actual_time <= 0:
            action.actual_time = self._remote.play_time(progress.start_frame)
        with self._lock:
            if self._over or self._ending:
                return
            self._progress = progress
            dry = progress.underruns > action.underruns
            over = dry and progress.played_position >= self._read + self._ring._held()
        if over and not progress.done:
            self._end()
        elif dry:
            action.underruns = progress.underruns
        self.look()

    def _end(self) -> None:
        """Say that the sound is over: it has all been played."""
        if self._ending or self._stream is None:
            return
        self._ending = True
        assert self._stream.play is not None
        self._stream.play.append_end()
        self._stream.kick()

    def _guess(self) -> int:
        """Say how far it has been played, by the last progress and the time that went by since."""
        progress = self._progress
        if progress is None or not progress.HasField("start_frame"):
            return 0
        now = time.monotonic()
        while self._arrivals and self._arrivals[0][0] <= now:
            self._arrived = self._arrivals.popleft()[1]
        block = self._remote.block_frames
        # A block that is due at a frame has been played as soon as that frame is due.
        frames = self._remote.clock.frame(now) - progress.next_frame
        if block:
            frames = (math.floor(frames / block) + 1) * block
        limit = max(self._arrived, progress.played_position)
        return min(progress.played_position + max(0, math.floor(frames)), limit)

    def _move_read(self, position: int) -> None:
        frames = position - self._read
        # Back only as far as nothing was written over.
        frames = max(frames, self._ring._held() - len(self._ring))
        self._ring.advance_read_index(frames)
        self._read += frames
