"""What a session does with streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, Optional, Union

import numpy as np
from numpy.typing import NDArray

from rtmixd.aio import streams
from rtmixd.aio._opening import Opening
from rtmixd.aio._stream_host import StreamHost
from rtmixd.aio.streams import DuplexStream, PlayStream, RecordStream
from rtmixd.samples import Wire
from rtmixd.shaping import Fade
from rtmixd.specs import Late, Source, Start, Underrun, XrunPolicy

__all__ = ["SessionStreams"]


class SessionStreams:
    """The part of `Session` that opens streams."""

    _stream_host: StreamHost

    def open_play(
        self,
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
        fade_in: Union[Fade, int, None] = None,
        fade_out: Union[Fade, int, None] = None,
        max_frames: Optional[int] = None,
        wire: Wire = "float32",
        reattach: bool = True,
        callback: Optional[Callable[[int], Any]] = None,
        callback_frames: int = 480,
    ) -> Opening[PlayStream]:
        """Open a stream that plays what is written to it.

        Parameters
        ----------
        channels : int, optional
            Channels of the sound, 1 to 1024; by default as many as there are `outputs`.
        outputs : sequence of int, optional
            Output channels, from 1, one for each channel of the sound; by default the first.
        gain : float, optional
            Linear factor; by default 1.
        start : Start, optional
            When, by `at_frame`, `at_time`, `at_end_of` or `at_wall_time`; by default as soon as
            `prebuffer_frames` are there.
        late : {"play", "skip", "trim"}, optional
            What if its start has passed.
        underrun : {"silence", "end", "keep_timeline"}, optional
            What if the audio does not come in time: silence, the end of the sound, or silence in
            the place of what comes too late.
        xrun : {"continue", "keep_timeline"}, optional
            What after the device lost frames.
        buffer_frames : int, optional
            What the server holds, which bounds what can be written ahead; 0: half a second.
        prebuffer_frames : int, optional
            Frames that have to be there before it starts, and goes on after `PlayStream.idle`.
        fade_in : Fade or int, optional
            From silence to its gain, from its first frame on. A number of frames is a linear fade.
        fade_out : Fade or int, optional
            From its gain to silence, so that it is over on its last frame; only with `max_frames`,
            since the end must be known.
        max_frames : int, optional
            It ends after so many frames of sound, at least 1; by default when it is ended.
        wire : {"float32", "int16", "int24", "int32"}, optional
            How the samples travel.
        reattach : bool, optional
            Go on by itself after the connection broke, as long as the session lives; if not, the
            stream fails then, and the sound stops.
        callback : callable, optional
            Is called with a number of frames as there is room for them, in a thread of its own or
            awaited if it is a coroutine function. Returns the sound, shape (frames,) or (frames,
            channels), any length but 0, or None for its end. Its error is what `PlayStream.wait`
            raises.
        callback_frames : int, optional
            How many frames it is asked for.

        Returns
        -------
        PlayStream
            To be awaited or entered: its context manager plays it to its end.

        Raises
        ------
        InvalidArgument
            Something cannot be; `field` says what.
        NoStream
            No stream of the device is open.
        LimitExceeded
            The server has no room; `field` names the limit.
        Disconnected
            The server cannot be reached, or does not answer within 3 s.
        """
        return Opening(
            streams.open_play(
                self._stream_host,
                channels,
                outputs=outputs,
                gain=gain,
                start=start,
                late=late,
                underrun=underrun,
                xrun=xrun,
                buffer_frames=buffer_frames,
                prebuffer_frames=prebuffer_frames,
                fade_in=fade_in,
                fade_out=fade_out,
                max_frames=max_frames,
                wire=wire,
                reattach=reattach,
                callback=callback,
                callback_frames=callback_frames,
            )
        )

    def open_record(
        self,
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
    ) -> Opening[RecordStream]:
        """Open a stream that records while it is read.

        Parameters
        ----------
        inputs : sequence of int, optional
            Channels of the source, from 1; by default all.
        frames : int, optional
            How many, at least 0; by default until it is stopped.
        source : {"input", "output"}, optional
            The device's inputs, or what goes to its outputs.
        start : Start, optional
            When, by `at_frame`, `at_time`, `at_end_of` or `at_wall_time`; by default now. May be in
            the past, as far as the server's history reaches.
        late : {"play", "skip", "trim"}, optional
            What if the history does not reach there.
        chunk_frames : int, optional
            Frames that travel together; 0: 10 ms.
        unread_frames : int, optional
            Frames that may wait here to be read; 0: 65536. More wait on the server as far as its
            history reaches; what is older then is lost.
        wire : {"float32", "int16", "int24", "int32"}, optional
            How the samples travel.
        reattach : bool, optional
            Go on by itself after the connection broke, as long as the session lives; if not, the
            stream fails then, and the recording ends.
        callback : callable, optional
            Is called with each piece of audio, float32 of shape (frames, channels), in a thread of
            its own or awaited if it is a coroutine function. Its error is what `RecordStream.wait`
            raises.
        callback_frames : int, optional
            How many frames it is given, the last time fewer; by default as they come.

        Returns
        -------
        RecordStream
            To be awaited or entered: its context manager stops it.

        Raises
        ------
        InvalidArgument
            Something cannot be; `field` says what.
        NoStream
            No stream of the device is open.
        LimitExceeded
            The server has no room; `field` names the limit.
        Disconnected
            The server cannot be reached, or does not answer within 3 s.
        """
        return Opening(
            streams.open_record(
                self._stream_host,
                inputs,
                frames=frames,
                source=source,
                start=start,
                late=late,
                chunk_frames=chunk_frames,
                unread_frames=unread_frames,
                wire=wire,
                reattach=reattach,
                callback=callback,
                callback_frames=callback_frames,
            )
        )

    def open_duplex(
        self,
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
        fade_in: Union[Fade, int, None] = None,
        fade_out: Union[Fade, int, None] = None,
        max_frames: Optional[int] = None,
        chunk_frames: int = 0,
        unread_frames: int = 0,
        wire: Wire = "float32",
        reattach: bool = True,
    ) -> Opening[DuplexStream]:
        """Open a stream that plays and records, with a common start.

        Parameters
        ----------
        channels, outputs, gain, underrun, xrun, buffer_frames, prebuffer_frames
            Of the play, as in `open_play`.
        fade_in, fade_out, max_frames
            Of the play, as in `open_play`.
        inputs, frames, source, chunk_frames, unread_frames
            Of the recording, as in `open_record`.
        start, late, wire, reattach
            Of both.
        align : bool, optional
            The recording starts later by the latency of the device, so that it lines up with the
            play through a cable.

        Returns
        -------
        DuplexStream
            To be awaited or entered: its context manager stops the recording and plays the sound to
            its end.

        Raises
        ------
        InvalidArgument
            Something cannot be; `field` says what.
        NoStream
            No stream of the device is open.
        LimitExceeded
            The server has no room; `field` names the limit.
        Disconnected
            The server cannot be reached, or does not answer within 3 s.
        """
        return Opening(
            streams.open_duplex(
                self._stream_host,
                channels,
                inputs,
                outputs=outputs,
                frames=frames,
                gain=gain,
                source=source,
                start=start,
                align=align,
                late=late,
                underrun=underrun,
                xrun=xrun,
                buffer_frames=buffer_frames,
                prebuffer_frames=prebuffer_frames,
                fade_in=fade_in,
                fade_out=fade_out,
                max_frames=max_frames,
                chunk_frames=chunk_frames,
                unread_frames=unread_frames,
                wire=wire,
                reattach=reattach,
            )
        )
