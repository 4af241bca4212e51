"""What the streams have in common: the side that plays and the side that records."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Callable, Literal, Optional, TypeVar, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtmixd import errors, samples
from rtmixd._arguments import seconds_or_none, waiting, whole_or_none
from rtmixd.aio import _convert
from rtmixd.aio._audio_stream import AudioStream
from rtmixd.aio._callbacks import Invoker
from rtmixd.aio._play_window import PlayWindow
from rtmixd.aio._record_window import LostAudio, RecordWindow
from rtmixd.report import Report
from rtmixd.shaping import AnyChange, Fade, Gain, Pause, Resume
from rtmixd.v1 import action_pb2

Until = Literal["ended", "done"]
Frames = NDArray[np.float32]

# Frames that one read takes at the most when it is not told how many.
_MAX_READ_FRAMES = 1 << 16

_Self = TypeVar("_Self", bound="_Stream")
_Reader = TypeVar("_Reader", bound="RecordSide")


class _Stream:
    """What all streams can do."""

    def __init__(self, core: AudioStream) -> None:
        self._core = core
        self._callback: Optional[asyncio.Task[None]] = None

    @property
    def attached(self) -> bool:
        """Whether a call carries it now: False at most 3 s after the server was lost."""
        return self._core.attached

    @property
    def reattached(self) -> int:
        """How often another call has taken over."""
        return self._core.reattached

    async def close(self) -> None:
        """Stop at once what has not ended. Takes at most a few seconds; closing again is nothing.

        What was written and has not sounded is dropped, what was not read is lost.
        """
        if self._callback is not None and self._callback is not asyncio.current_task():
            self._callback.cancel()
        await self._core.close()

    async def __aenter__(self: _Self) -> _Self:
        """Return the stream itself."""
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Let it play out, unless there is an error; then close it."""
        try:
            if kind is None:
                await self._finish()
        finally:
            await self.close()

    async def _finish(self) -> None:
        raise NotImplementedError

    def _run_callback(self, invoker: Invoker, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            try:
                await work
            except Exception as error:
                self._core.fail(error)
                await self._core.close()
            finally:
                invoker.close()

        self._callback = asyncio.get_running_loop().create_task(run())

    async def _wait_report(
        self,
        action_id: str,
        final: Callable[[], Optional[action_pb2.ActionReport]],
        done: Callable[[], bool],
        timeout: Optional[float],
        until: Until,
    ) -> Report:
        timeout = waiting(timeout, until)
        report = await self._core.wait_report(action_id, final, done, timeout, until == "done")
        if report is None:
            raise errors.Timeout(f"the stream was not {until} within {timeout} s")
        return Report.from_proto(report, self._core.opened.record.sample_rate_hz)


class PlaySide(_Stream):
    """The play of a stream."""

    @property
    def _play(self) -> PlayWindow:
        assert self._core.play is not None
        return self._core.play

    def _play_in_words(self) -> str:
        state = f"{self.buffered_frames} frames buffered"
        if self._core.closing:
            state = "closed"
        elif self.play_done:
            state = "done"
        return f"{state}, {self.underruns} underruns"

    @property
    def channels(self) -> int:
        """Channels of the sound."""
        return self._core.play_channels

    @property
    def buffered_frames(self) -> int:
        """Frames written that have not sounded yet, by the server's latest word."""
        if self._core.play_done or self._core.closing:
            return 0
        return max(0, self._play.end_position - self._core.play_progress.played_position)

    @property
    def underruns(self) -> int:
        """How often it ran dry, by the server's latest word."""
        report = self._core.play_report
        return (report or self._core.play_progress).underruns

    @property
    def played_frames(self) -> int:
        """Frames that have gone to the device or were dropped, by the server's latest word."""
        played: int = self._core.play_progress.played_position
        report = self._core.play_report
        return played if report is None else max(played, report.done_frames + report.dropped_frames)

    @property
    def start_frame(self) -> Optional[int]:
        """Frame of the stream with which it started; None before."""
        for source in (self._core.play_report, self._core.play_progress):
            if source is not None and source.HasField("start_frame"):
                return source.start_frame
        return None

    @property
    def play_done(self) -> bool:
        """Whether all of it has sounded, or it was ended."""
        return self._core.play_done

    async def write(self, sound: ArrayLike, timeout: Optional[float] = None) -> int:
        """Take frames to be played; wait for room.

        Parameters
        ----------
        sound : array_like
            Shape (frames,) or (frames, channels); see `rtmixd.samples.to_frames`. It is copied.
        timeout : float, optional
            Seconds to wait for room; by default as long as it takes.

        Returns
        -------
        int
            Frames taken: fewer than given only after the timeout.

        Raises
        ------
        WrongState
            After `end`, or once the play has ended.
        InvalidArgument
            If the sound cannot be converted.
        Disconnected
            If the server was lost and the session has expired.
        """
        frames = samples.to_frames(sound, self._core.play_channels)
        timeout = seconds_or_none(timeout, "timeout")
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        taken = 0
        while taken < len(frames):
            room = self._core.write_room_frames
            if room == 0 or self._core.play_done or self._play.ended:
                if self._core.play_done or self._play.ended:
                    raise errors.WrongState("the sound has ended: no more can be written")
                left = None if deadline is None else deadline - asyncio.get_running_loop().time()
                if not await self._core.wait_until(self._may_write, left):
                    break
                continue
            if self._core.failure is not None:
                raise self._core.failure
            piece = frames[taken : taken + room]
            self._play.append(samples.encode(piece, self._core.wire))
            self._core.kick()
            taken += len(piece)
        return taken

    def _may_write(self) -> bool:
        return self._core.write_room_frames > 0 or self._core.play_done or self._play.ended

    async def flush(self) -> None:
        """Drop everything that has not sounded yet, at once."""
        self._play.flush()
        self._core.kick()

    async def idle(self) -> None:
        """Say that nothing will come for a while: running dry is no underrun then.

        What is written next sounds as soon as `prebuffer_frames` of it are there.
        """
        if not self._play.ended:
            self._play.append_idle()
            self._core.kick()

    async def end(self) -> None:
        """Say that nothing will come any more: what was written plays out."""
        if not self._play.ended:
            self._play.append_end()
            self._core.kick()

    async def set_gain(
        self, gain: float, fade: Union[Fade, int, None] = None, frame: Optional[int] = None
    ) -> int:
        """Change its gain, from wherever that is then.

        Parameters
        ----------
        gain : float
            Linear factor to be reached; finite.
        fade : Fade or int, optional
            How; by default at once. A number of frames is a linear fade.
        frame : int, optional
            From which frame of the stream on; by default one of the next few blocks.

        Returns
        -------
        int
            From which frame on.

        Raises
        ------
        RtmixdError
            As for `Session.change`.
        """
        return await self._change(Gain(gain, fade), frame)

    async def pause(self, frame: Optional[int] = None) -> int:
        """Let it stand still: it is silent, and what was written waits.

        Parameters
        ----------
        frame : int, optional
            From which frame of the stream on; by default one of the next few blocks.

        Returns
        -------
        int
            From which frame on.

        Raises
        ------
        RtmixdError
            As for `Session.change`.
        """
        return await self._change(Pause(), frame)

    async def resume(self, frame: Optional[int] = None) -> int:
        """Let it go on where it stood still.

        Parameters
        ----------
        frame : int, optional
            From which frame of the stream on; by default one of the next few blocks.

        Returns
        -------
        int
            From which frame on.

        Raises
        ------
        RtmixdError
            As for `Session.change`.
        """
        return await self._change(Resume(), frame)

    async def cancel(
        self, frame: Optional[int] = None, fade: Union[Fade, int, None] = None
    ) -> None:
        """End the sound; what was written and has not sounded by then is dropped.

        Parameters
        ----------
        frame : int, optional
            Before which frame of the stream; by default at once.
        fade : Fade or int, optional
            It fades to silence from that frame on, and ends then. A number of frames is a linear
            fade.
        """
        await self._core.cancel_play(whole_or_none(frame, "frame"), _convert.fade(fade, "fade"))

    async def _change(self, change: AnyChange, frame: Optional[int]) -> int:
        request = action_pb2.ChangeActionsRequest(frame=whole_or_none(frame, "frame"))
        _convert.fill_change(request, change)
        return await self._core.change_play(request)

    async def wait_play(self, timeout: Optional[float] = None, until: Until = "ended") -> Report:
        """Wait for the play.

        Parameters
        ----------
        timeout : float, optional
            Seconds; by default as long as it takes.
        until : {"ended", "done"}
            For the final report, or only until all has sounded: that is 0.75 to 2.25 s earlier,
            when it is not certain yet whether an xrun touched it.

        Returns
        -------
        Report
            What became of it.

        Raises
        ------
        Timeout
            If it takes longer.
        Disconnected
            If the server was lost and the session has expired.
        """
        return await self._wait_report(
            self._core.opened.play.action_id,
            lambda: self._core.play_report,
            lambda: self._core.play_done,
            timeout,
            until,
        )

    async def _feed(self, callback: Invoker, frames: int) -> None:
        """Pull audio from a callback as there is room on the server, to the end."""
        while True:
            await self._core.wait_until(
                lambda: (
                    self._play.credit_frames - self._play.unsent_frames >= frames
                    or self._core.play_done
                    or self._play.ended
                )
            )
            if self._core.play_done or self._play.ended:
                return
            sound = await callback(frames)
            if sound is None:
                await self.end()
                return
            if await self.write(sound) == 0:
                raise errors.InvalidArgument("the callback returned no frames; None is the end")


class RecordSide(_Stream):
    """The recording of a stream."""

    @property
    def _record(self) -> RecordWindow:
        assert self._core.record is not None
        return self._core.record

    def _record_in_words(self) -> str:
        state = "done" if self.record_done else f"{self.readable_frames} to be read"
        return f"{self.recorded_frames} frames recorded, {state}"

    @property
    def sample_rate_hz(self) -> float:
        """Frames per second, nominal."""
        return self._core.opened.record.sample_rate_hz

    @property
    def readable_frames(self) -> int:
        """Frames that can be read without waiting."""
        return self._record.readable_frames

    @property
    def recorded_frames(self) -> int:
        """Frames recorded so far, by the server's latest word; some may be on their way."""
        return max(self._core.record_progress.recorded_position, self._record.received_position)

    @property
    def position(self) -> int:
        """Index of the next frame to be read."""
        return self._record.read_position

    @property
    def lost(self) -> list[LostAudio]:
        """Stretches that never came, in order: they are read as zeros."""
        return list(self._record.lost)

    @property
    def record_done(self) -> bool:
        """Whether nothing will come any more and all was read."""
        return self._core.record_done and self._record.readable_frames == 0

    async def read(
        self, frames: Optional[int] = None, timeout: Optional[float] = None
    ) -> NDArray[np.float32]:
        """Take recorded audio; wait for it.

        Parameters
        ----------
        frames : int, optional
            How many; by default what is there, at least one.
        timeout : float, optional
            Seconds to wait; by default as long as it takes.

        Returns
        -------
        numpy.ndarray
            float32, shape (frames, channels). Fewer frames after the timeout, or at the end of the
            recording: `record_done` tells. Lost frames are zero, and in `lost`.

        Raises
        ------
        Disconnected
            If the server was lost and the session has expired; what came before is read first.
        """
        frames = whole_or_none(frames, "frames")
        timeout = seconds_or_none(timeout, "timeout")
        if frames is not None and frames < 0:
            raise errors.InvalidArgument(f"frames is {frames}", field="frames", value=str(frames))
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        wanted = 1 if frames is None else frames
        pieces: list[Frames] = []
        taken = 0
        try:
            while taken < wanted:
                if self._record.readable_frames == 0:
                    left = None
                    if deadline is not None:
                        left = deadline - asyncio.get_running_loop().time()
                    if not await self._core.wait_until(self._may_read, left):
                        break
                    if self._record.readable_frames == 0:
                        break
                pieces.append(
                    self._record.take(_MAX_READ_FRAMES if frames is None else frames - taken)
                )
                taken += len(pieces[-1])
                self._core.kick()
        except asyncio.CancelledError:
            for piece in reversed(pieces):
                self._record.put_back(piece)
            raise
        except errors.RtmixdError:
            # The next read will tell.
            if not pieces:
                raise
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate(pieces) if pieces else self._record.take(0)

    def _may_read(self) -> bool:
        return self._record.readable_frames > 0 or self._core.record_done

    async def stop(self, frame: Optional[int] = None) -> None:
        """End the recording; what was recorded can still be read.

        Parameters
        ----------
        frame : int, optional
            Before this frame of the stream; by default at once.
        """
        self._core.stop_recording(whole_or_none(frame, "frame"))

    async def wait_record(self, timeout: Optional[float] = None, until: Until = "ended") -> Report:
        """Wait for the recording. It ends only when all of it was read or there is room for it.

        Parameters
        ----------
        timeout : float, optional
            Seconds; by default as long as it takes.
        until : {"ended", "done"}
            For the final report, or only until all its audio has come: that is 0.75 to 2.25 s
            earlier, when it is not certain yet whether an xrun touched it.

        Returns
        -------
        Report
            What became of it.

        Raises
        ------
        Timeout
            If it takes longer.
        Disconnected
            If the server was lost and the session has expired.
        """
        return await self._wait_report(
            self._core.opened.record.action_id,
            lambda: self._core.record_report,
            lambda: self._core.record_done,
            timeout,
            until,
        )

    def __aiter__(self: _Reader) -> _Reader:
        """Iterate over the audio as it comes."""
        return self

    async def __anext__(self) -> NDArray[np.float32]:
        """Return the next audio: float32, shape (frames, channels), at least one frame."""
        chunk = await self.read()
        if not len(chunk):
            raise StopAsyncIteration
        return chunk

    async def _drain(self, callback: Invoker, frames: Optional[int]) -> None:
        """Give all audio to a callback, to the end."""
        while True:
            chunk = await self.read(frames)
            if not len(chunk):
                return
            await callback(chunk)
