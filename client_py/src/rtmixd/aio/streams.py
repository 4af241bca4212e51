"""Streams: audio that flows while it sounds.

Flow control is hidden: a writer waits for room, a reader for audio. A stream outlives its call:
when the connection breaks, or the server is silent for 3 s, another call takes over where the first
one was, until the session has expired; `attached` and `reattached` tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Callable, Optional

import numpy as np
from numpy.typing import NDArray

from rtmixd._arguments import flag
from rtmixd.aio._audio_stream import AudioStream
from rtmixd.aio._callbacks import Invoker, check_callback
from rtmixd.aio._convert import AnyFade
from rtmixd.aio._record_window import LostAudio
from rtmixd.aio._stream_config import play_config, record_config
from rtmixd.aio._stream_file import PlayFile, RecordFile
from rtmixd.aio._stream_host import StreamHost
from rtmixd.aio._stream_sides import PlaySide, RecordSide, Until
from rtmixd.report import Report
from rtmixd.samples import Wire
from rtmixd.specs import Late, Source, Start, Underrun, XrunPolicy
from rtmixd.v1 import audio_pb2

__all__ = ["DuplexStream", "LostAudio", "PlayStream", "RecordStream"]

# Frames that a callback is asked for, unless the caller says otherwise.
_CALLBACK_FRAMES = 480


class PlayStream(PlaySide):
    """Plays audio as it is written. Made by `Session.open_play`.

    Leaving its context ends the sound and waits until it has sounded; leaving it with an error
    stops it at once.
    """

    @property
    def action_id(self) -> str:
        """Id of its action."""
        return self._core.opened.play.action_id

    def __repr__(self) -> str:
        return f"<PlayStream {self.action_id}, {self.channels} channels, {self._play_in_words()}>"

    async def wait(self, timeout: Optional[float] = None, until: Until = "ended") -> Report:
        """Wait for the play: `wait_play`."""
        return await self.wait_play(timeout, until)

    def as_file(self, encoding: Wire = "float32") -> PlayFile:
        """Make it a file that is written to: whole frames and parts of them, interleaved.

        Parameters
        ----------
        encoding : {"float32", "int16", "int24", "int32"}
            Of the bytes that are written, little endian.

        Returns
        -------
        io.RawIOBase
            A raw file that blocks, for threads other than the event loop's. Closing it is the end
            of the sound.
        """
        return PlayFile(self, self._core.loop, encoding)

    async def _finish(self) -> None:
        if self._callback is not None:
            await asyncio.wait([self._callback])
        await self.end()
        await self.wait_play(until="done")


class RecordStream(RecordSide):
    """Records while it is read. Made by `Session.open_record`.

    Iterating yields the audio as it comes, until the recording ends. Leaving its context stops it.
    """

    @property
    def action_id(self) -> str:
        """Id of its action."""
        return self._core.opened.record.action_id

    def __repr__(self) -> str:
        said = self._record_in_words()
        return f"<RecordStream {self.action_id}, {self.channels} channels, {said}>"

    @property
    def channels(self) -> int:
        """Channels of the recording."""
        return self._core.opened.record.channels

    @property
    def start_frame(self) -> Optional[int]:
        """Frame of the stream that the first recorded frame has; None before."""
        return self._core.record_start_frame

    async def wait(self, timeout: Optional[float] = None, until: Until = "ended") -> Report:
        """Wait for the recording: `wait_record`."""
        return await self.wait_record(timeout, until)

    def as_file(self, encoding: Wire = "float32") -> RecordFile:
        """Make it a file that is read from: interleaved samples, as they come.

        Parameters
        ----------
        encoding : {"float32", "int16", "int24", "int32"}
            Of the bytes that are read, little endian.

        Returns
        -------
        io.RawIOBase
            A raw file that blocks, for threads other than the event loop's. Closing it stops the
            recording.
        """
        return RecordFile(self, self._core.loop, encoding)

    async def _finish(self) -> None:
        await self.stop()
        if self._callback is not None:
            await asyncio.wait([self._callback])


class DuplexStream(PlaySide, RecordSide):
    """Plays and records at once, with a common start. Made by `Session.open_duplex`.

    What concerns the play is as in `PlayStream` and what concerns the recording as in
    `RecordStream`. Leaving its context stops the recording, ends the sound and waits until it has
    sounded.
    """

    @property
    def play_action_id(self) -> str:
        """Id of the play."""
        return self._core.opened.play.action_id

    @property
    def record_action_id(self) -> str:
        """Id of the recording."""
        return self._core.opened.record.action_id

    @property
    def record_channels(self) -> int:
        """Channels of the recording."""
        return self._core.opened.record.channels

    def __repr__(self) -> str:
        return (
            f"<DuplexStream {self.play_action_id}, {self.channels} channels,"
            f" {self._play_in_words()}; {self.record_action_id}, {self.record_channels} channels,"
            f" {self._record_in_words()}>"
        )

    @property
    def record_start_frame(self) -> Optional[int]:
        """Frame of the stream that the first recorded frame has; None before."""
        return self._core.record_start_frame

    async def wait(self, timeout: Optional[float] = None, until: Until = "ended") -> Report:
        """Wait for both; return the report of the recording. `wait_play` has the other."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        await self.wait_play(timeout, until)
        return await self.wait_record(
            None if deadline is None else max(0.0, deadline - loop.time()), until
        )

    async def process(
        self, callback: Callable[[NDArray[np.float32]], Any], delay_frames: int, frames: int = 480
    ) -> None:
        """Play what a callback makes of what is recorded, until the recording ends.

        Frame n of the sound is made from frame n - `delay_frames` of the recording: if both started
        together, the delay from input to output is exactly `delay_frames` plus the latency of the
        device. With ``underrun="keep_timeline"`` it stays so when the network is late.

        Parameters
        ----------
        callback : callable
            Is given float32 of shape (frames, record_channels), returns an array of as many frames
            for the channels of the play, or None for the end. Runs in a thread of its own, unless
            it is a coroutine function.
        delay_frames : int
            Silence played first: at least what a round trip, `frames` and the callback take.
        frames : int
            Frames per call; fewer at the end.
        """
        invoker = Invoker(callback, "rtmixd process")
        try:
            await self._process(invoker, delay_frames, frames)
        finally:
            invoker.close()

    async def _process(self, callback: Invoker, delay_frames: int, frames: int) -> None:
        await self.write(np.zeros((delay_frames, self.channels), np.float32))
        while True:
            chunk = await self.read(frames)
            sound = await callback(chunk) if len(chunk) else None
            if sound is None:
                break
            await self.write(sound)
        await self.stop()
        await self.end()

    async def _finish(self) -> None:
        await self.stop()
        if self._callback is not None:
            await asyncio.wait([self._callback])
        await self.end()
        await self.wait_play(until="done")


async def open_play(
    host: StreamHost,
    channels: Optional[int] = None,
    *,
    outputs: Optional[Sequence[int]] = None,
    gain: Optional[float] = None,
    start: Optional[Start] = None,
    late: Late = "play",
    underrun: Underrun = "silence",
    xrun: XrunPolicy = "continue",
    buffer_frames: int = 0,
    prebuffer_frames: int = 0,
    fade_in: AnyFade = None,
    fade_out: AnyFade = None,
    max_frames: Optional[int] = None,
    wire: Wire = "float32",
    reattach: bool = True,
    callback: Optional[Callable[[int], Any]] = None,
    callback_frames: int = _CALLBACK_FRAMES,
) -> PlayStream:
    """Open a play; see `Session.open_play`."""
    check_callback(callback, callback_frames)
    config = audio_pb2.DuplexConfig(
        play=play_config(
            channels,
            outputs,
            gain,
            start,
            late,
            underrun,
            xrun,
            buffer_frames,
            prebuffer_frames,
            fade_in,
            fade_out,
            max_frames,
        )
    )
    stream = PlayStream(AudioStream(host, config, wire, reattach))
    await stream._core.open()
    if callback is not None:
        invoker = Invoker(callback, "rtmixd play")
        frames = min(callback_frames, max(1, stream._play.credit_frames))
        stream._run_callback(invoker, stream._feed(invoker, frames))
    return stream


async def open_record(
    host: StreamHost,
    inputs: Optional[Sequence[int]] = None,
    *,
    frames: Optional[int] = None,
    source: Source = "input",
    start: Optional[Start] = None,
    late: Late = "play",
    chunk_frames: int = 0,
    unread_frames: int = 0,
    wire: Wire = "float32",
    reattach: bool = True,
    callback: Optional[Callable[[NDArray[np.float32]], Any]] = None,
    callback_frames: Optional[int] = None,
) -> RecordStream:
    """Open a recording; see `Session.open_record`."""
    check_callback(callback, callback_frames)
    config = audio_pb2.DuplexConfig(
        record=record_config(inputs, frames, source, start, late, chunk_frames, unread_frames)
    )
    stream = RecordStream(AudioStream(host, config, wire, reattach))
    await stream._core.open()
    if callback is not None:
        invoker = Invoker(callback, "rtmixd record")
        stream._run_callback(invoker, stream._drain(invoker, callback_frames))
    return stream


async def open_duplex(
    host: StreamHost,
    channels: Optional[int] = None,
    inputs: Optional[Sequence[int]] = None,
    *,
    outputs: Optional[Sequence[int]] = None,
    frames: Optional[int] = None,
    gain: Optional[float] = None,
    source: Source = "input",
    start: Optional[Start] = None,
    align: bool = False,
    late: Late = "play",
    underrun: Underrun = "silence",
    xrun: XrunPolicy = "continue",
    buffer_frames: int = 0,
    prebuffer_frames: int = 0,
    fade_in: AnyFade = None,
    fade_out: AnyFade = None,
    max_frames: Optional[int] = None,
    chunk_frames: int = 0,
    unread_frames: int = 0,
    wire: Wire = "float32",
    reattach: bool = True,
) -> DuplexStream:
    """Open both; see `Session.open_duplex`."""
    config = audio_pb2.DuplexConfig(
        play=play_config(
            channels,
            outputs,
            gain,
            start,
            late,
            underrun,
            xrun,
            buffer_frames,
            prebuffer_frames,
            fade_in,
            fade_out,
            max_frames,
        ),
        record=record_config(inputs, frames, source, start, late, chunk_frames, unread_frames),
        align_at_converters=flag(align, "align"),
    )
    stream = DuplexStream(AudioStream(host, config, wire, reattach))
    await stream._core.open()
    return stream
