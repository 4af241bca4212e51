"""A session: what owns everything that a client makes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtmixd import _methods, errors, samples, specs
from rtmixd._arguments import (
    flag,
    function,
    instance,
    number,
    seconds_or_none,
    several,
    text,
    waiting,
    whole,
    whole_or_none,
)
from rtmixd._methods import Method
from rtmixd.aio import _convert, _latency
from rtmixd.aio._connection import (
    CALL_SECONDS,
    DEVICE_SECONDS,
    SILENCE_SECONDS,
    Connection,
    new_request_id,
)
from rtmixd.aio._members import Members
from rtmixd.aio._opening import Opening
from rtmixd.aio._schedule_request import encode_request, played_frames, sound_of
from rtmixd.aio._session_changes import SessionChanges
from rtmixd.aio._session_spool import SessionSpool
from rtmixd.aio._session_streams import SessionStreams
from rtmixd.aio._stream_host import StreamHost
from rtmixd.aio._tasks import both
from rtmixd.aio._watch import Watch
from rtmixd.aio.action import Action, Batch, Until
from rtmixd.aio.buffer import Buffer, Progress, fetch
from rtmixd.info import BufferInfo, DirectionSettings, SessionInfo, StreamInfo, StreamSettings
from rtmixd.latency import Calibration, LatencyMeasurement
from rtmixd.recording import Recording
from rtmixd.report import Report, StreamStats
from rtmixd.samples import Wire
from rtmixd.shaping import Fade, Loop
from rtmixd.specs import Spec
from rtmixd.v1 import (
    action_pb2,
    buffer_pb2,
    calibration_pb2,
    session_pb2,
    stream_pb2,
    virtual_device_pb2,
)

if TYPE_CHECKING:
    from rtmixd.aio.client import Client

__all__ = ["Session"]

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

_SPECS = get_args(Spec)
# What is left of a message for all else than audio.
_OVERHEAD_BYTES = 64 << 10
# Longer sounds are uploaded, so that they can go on after a break: at 4 Mbit/s this takes 8 s.
_INLINE_BYTES = 4 << 20
# Within which a server that lives is told of the end, also on a machine that stalls.
_END_SECONDS = SILENCE_SECONDS
# And one that fell silent, which whoever waits here is to be told within 3 s.
_LAST_TRY_SECONDS = 0.2


class Session(SessionStreams, SessionChanges, SessionSpool):
    """A session of the server. Made by `Client.session`, `Client.lease` and `Client.join`.

    It is kept alive until it is closed, here or by its context manager; then what it left sounding
    or recording stops, and what it held is freed. So it does `ttl` seconds after this process died.
    """

    def __init__(self, client: Client, info: session_pb2.Session, token: str, owned: bool) -> None:
        self._client = client
        self._connection: Connection = client._connection
        self._info = SessionInfo._of(info)
        self._token = token
        self._owned = owned
        self._patience = client.patience
        self._error: Optional[errors.RtmixdError] = None
        self._closed = False
        self._recording_callback: Optional[Callable[[Recording], object]] = None
        self._stream_host = StreamHost(self._connection, token, self._info.ttl)
        self._watch = Watch(self._connection, token, client.patience)
        self._heartbeat = asyncio.get_running_loop().create_task(self._keep())
        self._background: set[asyncio.Task[Any]] = set()

    @property
    def id(self) -> str:
        """Public id, shown in lists and logs."""
        return self._info.id

    @property
    def token(self) -> str:
        """Secret: whoever has it has the session; see `Client.join`."""
        return self._token

    @property
    def label(self) -> str:
        """Who it is, for people."""
        return self._info.label

    @property
    def ttl(self) -> float:
        """How many seconds it lives without a sign of life."""
        return self._info.ttl

    @property
    def error(self) -> Optional[errors.RtmixdError]:
        """Why the session has ended, as far as the heartbeat knows; None while it lives."""
        return self._error

    async def info(self) -> SessionInfo:
        """Ask how it is now.

        Raises
        ------
        SessionExpired
            It has ended.
        """
        response = await self._call(
            _methods.GET_SESSION, session_pb2.GetSessionRequest(), retry=True
        )
        return SessionInfo._of(response.session)

    async def schedule(
        self,
        specs: Union[Spec, Iterable[Spec]],
        origin: Optional[specs.Start] = None,
        *,
        align: bool = False,
        prepare: bool = False,
        wire: Wire = "float32",
        request_id: str = "",
    ) -> Batch:
        """Schedule actions with a common origin, all of them or none. One round trip.

        Sounds travel inside the request, unless they are longer than 4 MiB altogether: those are
        uploaded before.

        Parameters
        ----------
        specs : Play, Record, Cancel, Change, Stats, or several of them
            What.
        origin : Start, optional
            Where starts count from, by `at_frame`, `at_time` or `at_wall_time`; by default now: the
            first frame that can still be played, which is never late.
        align : bool, optional
            Recordings start later by the latency of the stream, so that they line up through a
            cable with plays of the same start.
        prepare : bool, optional
            Only prepare: nothing starts without `Batch.commit`, which has to come 0.1 s before the
            first start.
        wire : {"float32", "int16", "int24", "int32"}, optional
            How sounds travel.
        request_id : str, optional
            A repeated request with the same id, at most 128 bytes, does nothing more; by default a
            new one.

        Returns
        -------
        Batch
            The actions in their order.

        Raises
        ------
        InvalidArgument
            Something cannot be; `field` says what.
        LimitExceeded
            The server has no room; `field` names the limit.
        Busy
            Another session holds the server.
        NoStream
            No stream is open.
        Disconnected
            The server cannot be reached.
        """
        wanted: list[Spec] = (
            [specs]
            if isinstance(specs, _SPECS)
            else several(specs, "specs", "Play, Record, Cancel, Change and Stats")
        )
        request = action_pb2.ScheduleActionsRequest(
            align_at_converters=flag(align, "align"),
            prepare=flag(prepare, "prepare"),
            request_id=text(request_id, "request_id") or new_request_id(),
        )
        if origin is not None:
            _convert.fill_origin(request, origin)
        wanted, uploaded = await self._upload_long(wanted, wire)
        self._watch.start()
        try:
            encoded = encode_request(request, wanted, wire)
            with self._watch.expecting():
                response = await self._call(_methods.SCHEDULE_ACTIONS, encoded, retry=True)
                members = Members(self, response, wanted)
                self._watch.add_batch(members)
        finally:
            # What plays them plays on.
            for buffer in uploaded:
                self._later(buffer.__aexit__(None, None, None))
        self._client._note_stream(response.stream_id)
        return Batch(
            self,
            response.batch_id,
            response.origin_frame if response.HasField("origin_frame") else None,
            response.stream_id,
            members,
        )

    async def play(
        self,
        sound: Union[ArrayLike, specs.HasId],
        outputs: Optional[Sequence[int]] = None,
        *,
        gain: Optional[float] = None,
        late: specs.Late = "play",
        xrun: specs.XrunPolicy = "continue",
        start: Optional[specs.Start] = None,
        fade_in: Union[Fade, int, None] = None,
        fade_out: Union[Fade, int, None] = None,
        offset_frames: int = 0,
        max_frames: Optional[int] = None,
        loop: Union[Loop, int, None] = None,
        timeout: Optional[float] = None,
        until: Until = "ended",
        wire: Wire = "float32",
    ) -> Report:
        """Play a sound, and wait until it is over.

        Parameters
        ----------
        sound, outputs, gain, late, xrun, start, fade_in, fade_out, offset_frames, max_frames, loop
            As in `Play`.
        timeout : float, optional
            Seconds; then it is cancelled. By default without end.
        until : {"ended", "done"}, optional
            Wait for the final report, or, 0.75 to 2.25 s less, until all has sounded.
        wire : {"float32", "int16", "int24", "int32"}, optional
            How the samples travel.

        Returns
        -------
        Report
            What became of it.

        Raises
        ------
        Timeout
            The time is over; it was cancelled.
        RtmixdError
            As for `schedule`.
        """
        timeout = waiting(timeout, until)
        spec = specs.Play(
            sound,
            outputs,
            gain,
            late,
            xrun,
            start,
            fade_in=fade_in,
            fade_out=fade_out,
            offset_frames=offset_frames,
            max_frames=max_frames,
            loop=loop,
        )
        batch = await self._begin(spec, wire=wire)
        return (await self._finish(batch, timeout, until))[0]

    async def rec(
        self,
        frames: Optional[int] = None,
        inputs: Optional[Sequence[int]] = None,
        *,
        seconds: Optional[float] = None,
        source: specs.Source = "input",
        late: specs.Late = "play",
        start: Optional[specs.Start] = None,
        timeout: Optional[float] = None,
        until: Until = "ended",
        wire: Wire = "float32",
    ) -> tuple[Recording, Report]:
        """Record, wait, and fetch: one round trip to schedule and one to fetch.

        Parameters
        ----------
        frames : int, optional
            How many; or say `seconds`.
        inputs, source, late, start
            As in `Record`.
        seconds : float, optional
            How long, at the nominal rate of the stream.
        timeout : float, optional
            Seconds to wait for its end; then it is cancelled. By default without end.
        until : {"ended", "done"}, optional
            Wait for the final report, or, 0.75 to 2.25 s less, until all was recorded.
        wire : {"float32", "int16", "int24", "int32"}, optional
            How the samples travel.

        Returns
        -------
        recording : Recording
            float32 of shape (frames, channels).
        report : Report
            What became of it; ``recording.report``, too.

        Raises
        ------
        InvalidArgument
            Not exactly one of `frames` and `seconds` was given, or something cannot be.
        Timeout
            The time is over; it was cancelled.
        RtmixdError
            As for `schedule`.
        """
        samples.bytes_per_sample(wire)
        timeout = waiting(timeout, until)
        if (frames is None) == (seconds is None):
            raise errors.InvalidArgument(
                "say how long: either frames or seconds", field="frames", value=repr(frames)
            )
        if seconds is not None:
            frames = await self._client._frames_of(seconds, "seconds")
        spec = specs.Record(frames, inputs, source, late, start)
        batch = await self._begin(spec)
        recording = await self._finish_recording(batch, timeout, until, wire)
        return recording, recording.report

    async def playrec(
        self,
        sound: Union[ArrayLike, specs.HasId],
        outputs: Optional[Sequence[int]] = None,
        inputs: Optional[Sequence[int]] = None,
        *,
        tail: float = 0.0,
        gain: Optional[float] = None,
        source: specs.Source = "input",
        late: specs.Late = "play",
        xrun: specs.XrunPolicy = "continue",
        start: Optional[specs.Start] = None,
        fade_in: Union[Fade, int, None] = None,
        fade_out: Union[Fade, int, None] = None,
        offset_frames: int = 0,
        max_frames: Optional[int] = None,
        loop: Union[Loop, int, None] = None,
        timeout: Optional[float] = None,
        until: Until = "ended",
        wire: Wire = "float32",
    ) -> tuple[Recording, Report]:
        """Play a sound and record meanwhile: one round trip to schedule and one to fetch.

        Both line up through a cable: what the i-th frame that sounds became is at frame i of the
        recording, as far as the host tells its latencies.

        Parameters
        ----------
        sound, outputs, gain, late, xrun, start, fade_in, fade_out, offset_frames, max_frames, loop
            As in `Play`. A sound that does not end by itself cannot be recorded so.
        inputs, source
            As in `Record`.
        tail : float, optional
            Seconds to record longer than the sound.
        timeout : float, optional
            Seconds to wait for the end; then both are cancelled. By default without end.
        until : {"ended", "done"}, optional
            Wait for the final reports, or, 0.75 to 2.25 s less, until all was recorded.
        wire : {"float32", "int16", "int24", "int32"}, optional
            How the samples travel.

        Returns
        -------
        recording : Recording
            float32 of shape (frames, channels); ``recording.play_report`` tells of the sound.
        report : Report
            What became of the recording; ``recording.report``, too.

        Raises
        ------
        InvalidArgument
            It would go on for ever, or something else cannot be; `field` says what.
        Timeout
            The time is over; both were cancelled.
        RtmixdError
            As for `schedule`.
        """
        samples.bytes_per_sample(wire)
        timeout = waiting(timeout, until)
        play = specs.Play(
            sound,
            outputs,
            gain,
            late,
            xrun,
            start,
            "play",
            fade_in=fade_in,
            fade_out=fade_out,
            offset_frames=offset_frames,
            max_frames=max_frames,
            loop=loop,
        )
        buffer_id = specs.id_of(sound)
        if buffer_id is not None:
            frames = (await self._buffer_info(buffer_id)).frames
        else:
            play = replace(play, sound=sound_of(play))
            frames = len(play.sound)  # type: ignore[arg-type]
        frames = played_frames(play, frames)
        tail = number(tail, "tail")
        frames += await self._client._frames_of(tail, "tail") if tail else 0
        record = specs.Record(frames, inputs, source, late, start, key="record")
        batch = await self._begin([record, play], align=True, wire=wire)
        recording = await self._finish_recording(batch, timeout, until, wire)
        return recording, recording.report

    async def measure_latency(
        self,
        output: int = 1,
        input: int = 1,  # noqa: A002
        *,
        repeats: int = 3,
        amplitude: float = 0.25,
        max_delay: float = 0.5,
        min_confidence: float = 0.9,
        min_gain: float = 0.01,
        seed: Optional[int] = None,
        timeout: Optional[float] = 120.0,
    ) -> LatencyMeasurement:
        """Measure the delay from an output to an input through a cable. Plays noise, for seconds.

        Repeats that an xrun touched do not count and are done again.

        Parameters
        ----------
        output, input : int, optional
            The channels at the ends of the cable, from 1.
        repeats : int, optional
            How often, 1 to 8.
        amplitude : float, optional
            Highest peak of what is played; 1 is full scale. The RMS is 12 dB less.
        max_delay : float, optional
            The longest delay that is listened for in seconds, 0.001 to 5.
        min_confidence : float, optional
            Least part of the recorded energy that has to be what was played, 0.85 to 1.
        min_gain : float, optional
            Weakest gain that is taken for a cable, and not for a leak from another channel.
        seed : int, optional
            Of the first excitation, 0 to 2**64 - 1; by default another one every time.
        timeout : float, optional
            Seconds; then it is cancelled. None: without end.

        Returns
        -------
        LatencyMeasurement
            What was found, or why there is no answer: see its ``verdict`` and ``check``.

        Raises
        ------
        InvalidArgument
            An option cannot be; `field` says which.
        Timeout
            The time is over; it was cancelled.
        RtmixdError
            As for `schedule`.
        """
        output, input = whole(output, "output"), whole(input, "input")  # noqa: A001
        repeats = whole(repeats, "repeats")
        _latency.check(
            output=output,
            input=input,
            repeats=repeats,
            amplitude=amplitude,
            max_delay=max_delay,
            min_confidence=min_confidence,
            min_gain=min_gain,
        )
        seed = None if seed is None else whole(seed, "seed", 64)
        timeout = seconds_or_none(timeout, "timeout")
        stream = await self._client.stream()
        if not stream.sample_rate_hz:
            raise errors.NoStream("no stream is open", code="failed_precondition")
        meter = _latency.Meter(
            self,
            stream.sample_rate_hz,
            output,
            input,
            amplitude,
            max_delay,
            (min_confidence, min_gain),
        )
        try:
            counted, voided, stream_id = await asyncio.wait_for(
                meter.measure(repeats, seed), timeout
            )
        except asyncio.TimeoutError:
            raise errors.Timeout(
                f"still measuring after {timeout:g} s", value=str(timeout)
            ) from None
        return _latency.combine(
            counted,
            repeats,
            voided,
            stream_id=stream_id,
            output=output,
            input=input,
            sample_rate_hz=stream.sample_rate_hz,
            claimed_frames=stream.input_latency_frames + stream.output_latency_frames,
        )

    async def set_calibration(self, measurement: LatencyMeasurement) -> Calibration:
        """Store a measurement of the open stream, to align with it from now on.

        Parameters
        ----------
        measurement : LatencyMeasurement
            By `measure_latency`.

        Returns
        -------
        Calibration
            As it is stored.

        Raises
        ------
        NoAnswer
            The measurement found nothing.
        InvalidArgument
            It is of another stream.
        Busy
            Another session has unfinished actions, or holds the server.
        """
        instance(measurement, LatencyMeasurement, "measurement", "what measure_latency returned")
        request = calibration_pb2.SetCalibrationRequest(measurement=measurement.check()._to_proto())
        response = await self._call(_methods.SET_CALIBRATION, request, retry=True)
        return Calibration._of(response.calibration)

    async def delete_calibration(self, id: str) -> None:  # noqa: A002
        """Forget a calibration.

        Parameters
        ----------
        id : str
            Its id.

        Raises
        ------
        NotFound
            There is none.
        Busy
            As for `set_calibration`.
        """
        request = calibration_pb2.DeleteCalibrationRequest(calibration_id=text(id, "id"))
        await self._call(_methods.DELETE_CALIBRATION, request)

    def on_recording(self, callback: Optional[Callable[[Recording], object]]) -> None:
        """Call back with each recording of `rec`, `playrec` and `Action.recording`.

        Parameters
        ----------
        callback : callable or None
            Given the Recording. Has to be quick and must not call the session. None: no more.
        """
        self._recording_callback = function(callback, "callback")

    async def actions(self, active_only: bool = False) -> list[Action]:
        """List the session's actions, in order of admission.

        Parameters
        ----------
        active_only : bool, optional
            Leave out those that are done or have ended.
        """
        self._watch.start()
        found: list[Action] = []
        request = action_pb2.ListActionsRequest(
            active_only=flag(active_only, "active_only"), page_size=1000
        )
        with self._watch.expecting():
            while True:
                response = await self._call(_methods.LIST_ACTIONS, request, retry=True)
                found.extend(self._adopt(report) for report in response.reports)
                if not response.next_page_token:
                    return found
                request.page_token = response.next_page_token

    async def wait(
        self,
        actions: Optional[Iterable[Action]] = None,
        *,
        timeout: Optional[float] = None,
        until: Until = "ended",
        first: bool = False,
    ) -> list[Report]:
        """Wait until actions have ended.

        Parameters
        ----------
        actions : iterable of Action, optional
            Which; by default all that have not ended.
        timeout : float, optional
            Seconds; by default without end.
        until : {"ended", "done"}, optional
            See `Action.wait`.
        first : bool, optional
            Come back as soon as one has.

        Returns
        -------
        list of Report
            In the order of `actions`; with `first` of all, as they are then.

        Raises
        ------
        Timeout
            The time is over. The actions go on.
        """
        timeout = waiting(timeout, until)
        first = flag(first, "first")
        waited: list[Action]
        if actions is None:
            waited = await self.actions()
        else:
            waited = several(actions, "actions", "actions")
            for action in waited:
                instance(action, Action, "actions", "a sequence of actions of this client")
        if actions is None:
            waited = [action for action in waited if not action._has_come(until)]
        if not waited:
            return []
        tasks = [asyncio.ensure_future(action.wait(None, until)) for action in waited]
        when = asyncio.FIRST_COMPLETED if first else asyncio.FIRST_EXCEPTION
        try:
            done, pending = await asyncio.wait(tasks, timeout=timeout, return_when=when)
            for task in done:
                task.result()
            if not done or (pending and not first):
                raise errors.Timeout(
                    f"{len(pending)} of {len(waited)} actions go on after {timeout:g} s",
                    value=str(timeout),
                )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        return [action.report for action in waited]

    async def cancel(
        self,
        actions: Optional[Iterable[Action]] = None,
        frame: Optional[int] = None,
        fade: Union[Fade, int, None] = None,
    ) -> list[Report]:
        """End actions.

        Parameters
        ----------
        actions : iterable of Action, optional
            Which; by default all of the session that are not done.
        frame : int, optional
            Before which frame of the stream; by default at once.
        fade : Fade or int, optional
            Plays fade to silence from that frame on, and end then. A number of frames is a linear
            fade.

        Returns
        -------
        list of Report
            As they are now. One that is done or has ended already stays as it is.

        Raises
        ------
        NotFound
            One never was, or was forgotten; nothing is done then.
        """
        chosen = None if actions is None else several(actions, "actions", "actions")
        if chosen is not None and not chosen:
            return []
        response = await self._call(
            _methods.CANCEL_ACTIONS,
            action_pb2.CancelActionsRequest(
                action_ids=specs.required_action_ids(chosen or ()),
                all=chosen is None,
                frame=whole_or_none(frame, "frame"),
                fade=_convert.fade(fade, "fade"),
            ),
            retry=fade is None,
        )
        return [self._adopt(report).report for report in response.reports]

    async def stats(self, reset: bool = False) -> StreamStats:
        """Read the counters of the stream, since it was opened or this session last reset them.

        Parameters
        ----------
        reset : bool, optional
            Count from here on, for this session only.
        """
        reset = flag(reset, "reset")
        request = action_pb2.GetStatsRequest(reset_baseline=reset)
        response = await self._call(_methods.GET_STATS, request, retry=not reset)
        return StreamStats._of(response.stats)

    def buffer(
        self,
        channels: int,
        *,
        sample_rate_hz: float = 0.0,
        label: str = "",
        keep: bool = False,
        expected_frames: int = 0,
    ) -> Opening[Buffer]:
        """Make an empty buffer, to be uploaded or recorded into.

        Parameters
        ----------
        channels : int
            1 to 1024.
        sample_rate_hz : float, optional
            0: unknown; otherwise it cannot be played on a stream of another rate.
        label : str, optional
            For people, at most 200 bytes.
        keep : bool, optional
            It stays when the session ends.
        expected_frames : int, optional
            Frames that will come: their memory is reserved.

        Returns
        -------
        Buffer

        Raises
        ------
        LimitExceeded
            The server has no room.
        """
        return Opening(self._create(channels, sample_rate_hz, label, keep, expected_frames))

    def upload(
        self,
        sound: ArrayLike,
        *,
        sample_rate_hz: float = 0.0,
        label: str = "",
        keep: bool = False,
        wire: Wire = "float32",
        progress: Optional[Progress] = None,
    ) -> Opening[Buffer]:
        """Make a buffer of a sound, to be played any number of times.

        Parameters
        ----------
        sound : array_like
            Shape (frames,) or (frames, channels); see `rtmixd.samples.to_frames`.
        sample_rate_hz, label, keep
            As for `buffer`.
        wire : {"float32", "int16", "int24", "int32"}, optional
            How the samples travel.
        progress : callable, optional
            Is called with the frames that were sent so far, and all of them.

        Returns
        -------
        Buffer
            Complete.

        Raises
        ------
        RtmixdError
            As for `Buffer.append`.
        """

        async def opened() -> Buffer:
            function(progress, "progress")
            samples.bytes_per_sample(wire)
            frames = samples.to_frames(sound)
            buffer = await self._create(frames.shape[1], sample_rate_hz, label, keep, len(frames))
            try:
                await buffer.append(frames, complete=True, wire=wire, progress=progress)
            except BaseException:
                self._later(buffer.delete())
                raise
            return buffer

        return Opening(opened())

    async def buffers(self) -> list[BufferInfo]:
        """List the session's buffers, and those that stayed behind by other sessions."""
        found: list[BufferInfo] = []
        request = buffer_pb2.ListBuffersRequest(page_size=1000)
        while True:
            response = await self._call(_methods.LIST_BUFFERS, request, retry=True)
            found.extend(BufferInfo._of(buffer) for buffer in response.buffers)
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token

    def open_buffer(self, id: str) -> Opening[Buffer]:  # noqa: A002
        """Open a buffer that is there.

        Parameters
        ----------
        id : str
            Its id.

        Returns
        -------
        Buffer
            Its context manager leaves it as it is.

        Raises
        ------
        NotFound
            There is none.
        """

        async def opened() -> Buffer:
            return Buffer(self, await self._buffer_info(text(id, "id")), owned=False)

        return Opening(opened())

    async def open_stream(
        self,
        *,
        input: Optional[DirectionSettings] = None,  # noqa: A002
        output: Optional[DirectionSettings] = None,
        sample_rate_hz: float = 0.0,
        block_frames: int = 0,
    ) -> StreamInfo:
        """Open the stream of the server, stopped. At least one direction has to be there.

        Parameters
        ----------
        input, output : DirectionSettings, optional
            By default the stream does not record, or does not play.
        sample_rate_hz : float, optional
            0: the device's default.
        block_frames : int, optional
            Frames per callback, up to 8192; 0: the host chooses.

        Raises
        ------
        Busy
            Another session has unfinished actions, or holds the server.
        StreamOpen
            A stream is open with other settings.
        NotFound
            No such device.
        DeviceError
            The device refused, in its own words.
        """
        settings = StreamSettings(input, output, sample_rate_hz, block_frames)
        request = stream_pb2.OpenStreamRequest(settings=_convert.stream_settings(settings))
        return await self._stream(_methods.OPEN_STREAM, request)

    async def start_stream(self) -> StreamInfo:
        """Start the stream; nothing changes if it runs.

        Raises
        ------
        NoStream
            None is open.
        Busy, DeviceError
            As for `open_stream`.
        """
        return await self._stream(_methods.START_STREAM, stream_pb2.StartStreamRequest())

    async def stop_stream(self, abort: bool = False) -> StreamInfo:
        """Stop the stream: frames stand still, what is scheduled waits.

        Parameters
        ----------
        abort : bool, optional
            Drop what the host has buffered, and do not wait for it.
        """
        request = stream_pb2.StopStreamRequest(abort=flag(abort, "abort"))
        return await self._stream(_methods.STOP_STREAM, request)

    async def close_stream(self) -> None:
        """Close the stream: every unfinished action ends."""
        await self._call(
            _methods.CLOSE_STREAM, stream_pb2.CloseStreamRequest(), timeout=DEVICE_SECONDS
        )

    async def restore_stream(self) -> StreamInfo:
        """Put the stream back to how the server was started."""
        return await self._stream(_methods.RESTORE_STREAM, stream_pb2.RestoreStreamRequest())

    async def load_script(self, faults: Iterable[virtual_device_pb2.Fault]) -> None:
        """Make the virtual device misbehave, to test how a program reacts.

        Parameters
        ----------
        faults : iterable of rtmixd.v1.virtual_device_pb2.Fault
            1 to 10000.

        Raises
        ------
        NotEnabled
            The server has no virtual device, or was started without ``--enable-device-scripts``.
        """
        try:
            request = virtual_device_pb2.LoadScriptRequest(
                faults=several(faults, "faults", "Fault")
            )
        except TypeError:
            raise errors.InvalidArgument(
                f"faults is {faults!r}: it has to be a sequence of Fault",
                field="faults",
                value=repr(faults),
            ) from None
        await self._call(_methods.LOAD_SCRIPT, request)

    async def end(self) -> None:
        """End the session on the server, and close it here, also if it was joined."""
        self._owned = True
        await self.close()

    async def close(self) -> None:
        """Stop keeping it alive; end it if it was made here. May be repeated."""
        if self._closed:
            return
        self._closed = True
        self._client._sessions.discard(self)
        self._heartbeat.cancel()
        await asyncio.wait([self._heartbeat])
        if self._background:
            _, late = await asyncio.wait(self._background, timeout=self._end_seconds)
            for task in late:
                task.cancel()
        await self._watch.stop()
        if not self._owned or self._error is not None:
            return
        # Nobody is left to be told of an error, and the TTL ends it anyway.
        with contextlib.suppress(errors.RtmixdError):
            await self._connection.call(
                _methods.END_SESSION,
                session_pb2.EndSessionRequest(),
                token=self._token,
                timeout=self._end_seconds,
            )

    @property
    def _end_seconds(self) -> float:
        return _LAST_TRY_SECONDS if self._connection.lost else _END_SECONDS

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def _call(
        self,
        method: Method[_Request, _Response],
        request: Union[_Request, bytes],
        *,
        timeout: float = CALL_SECONDS,
        retry: bool = False,
    ) -> _Response:
        if self._closed:
            raise errors.Cancelled("the session is closed", code="cancelled")
        return await self._connection.call(
            method, request, token=self._token, timeout=timeout, retry=retry
        )

    def _stream_from(
        self, method: Method[_Request, _Response], request: _Request
    ) -> AsyncIterator[_Response]:
        if self._closed:
            raise errors.Cancelled("the session is closed", code="cancelled")
        return self._connection.stream(method, request, token=self._token)

    async def _stream(self, method: Method[Any, Any], request: Any) -> StreamInfo:
        response = await self._call(method, request, timeout=DEVICE_SECONDS)
        info = StreamInfo._of(response.stream)
        self._client._take_stream(info)
        return info

    async def _create(
        self,
        channels: int,
        sample_rate_hz: float,
        label: str,
        keep: bool,
        expected_frames: int,
    ) -> Buffer:
        keep = flag(keep, "keep")
        request = buffer_pb2.CreateBufferRequest(
            channels=whole(channels, "channels", 31),
            sample_rate_hz=number(sample_rate_hz, "sample_rate_hz"),
            label=text(label, "label"),
            keep=keep,
            expected_frames=whole(expected_frames, "expected_frames"),
            request_id=new_request_id(),
        )
        response = await self._call(_methods.CREATE_BUFFER, request, retry=True)
        return Buffer(self, response.buffer, owned=not keep)

    async def _buffer_info(self, buffer_id: str) -> buffer_pb2.AudioBuffer:
        request = buffer_pb2.GetBufferRequest(buffer_id=buffer_id)
        response = await self._call(_methods.GET_BUFFER, request, retry=True)
        return response.buffer

    async def _upload_long(self, wanted: list[Spec], wire: Wire) -> tuple[list[Spec], list[Buffer]]:
        """Return the specs with buffers for what does not fit into a request, and those buffers."""
        prepared: list[Spec] = []
        uploaded: list[Buffer] = []
        room = min(_INLINE_BYTES, self._client._limits.max_message_bytes - _OVERHEAD_BYTES)
        # Plays of the same array share a buffer.
        buffers: dict[int, Buffer] = {}
        for spec in wanted:
            if isinstance(spec, specs.Play) and specs.id_of(spec.sound) is None:
                sound: NDArray[np.float32] = sound_of(spec)
                size = sound.size * samples.bytes_per_sample(wire)
                if size > room:
                    buffer = buffers.get(id(spec.sound))
                    if buffer is None or buffer.channels != sound.shape[1]:
                        buffer = await self.upload(sound, wire=wire, label="play")
                        buffers[id(spec.sound)] = buffer
                        uploaded.append(buffer)
                    prepared.append(replace(spec, sound=buffer))
                    continue
                room -= size
                spec = replace(spec, sound=sound)
            prepared.append(spec)
        return prepared, uploaded

    async def _begin(
        self, specs: Union[Spec, Iterable[Spec]], *, align: bool = False, wire: Wire = "float32"
    ) -> Batch:
        """Schedule what nobody else would cancel, if this task is cancelled meanwhile."""
        scheduling = asyncio.ensure_future(self.schedule(specs, align=align, wire=wire))

        async def undo() -> None:
            await (await scheduling).cancel()

        try:
            return await asyncio.shield(scheduling)
        except asyncio.CancelledError:
            self._later(undo())
            raise

    async def _finish(self, batch: Batch, timeout: Optional[float], until: Until) -> list[Report]:
        """Wait for a batch; cancel it when that is broken off."""
        try:
            return await batch.wait(timeout, until)
        except (errors.Timeout, asyncio.CancelledError):
            self._later(batch.cancel())
            raise

    async def _finish_recording(
        self, batch: Batch, timeout: Optional[float], until: Until, wire: Wire
    ) -> Recording:
        record = next(action for action in batch if action.kind == "record")
        await self._finish(batch, timeout, "done")
        # The verdict on xruns comes while the audio does.
        recording, reports = await both(self._fetch(record, wire), batch.wait(None, until))
        self._later(self._delete(record.buffer_id))
        play = next((report for report in reports if report.kind == "play"), None)
        return self._hand_out(recording, record.report, play)

    async def _fetch(self, record: Action, wire: Wire = "float32") -> Recording:
        info, audio = await fetch(self, record.buffer_id, wire=wire)
        return Recording(audio, info.sample_rate_hz, record.report.start_frame, record.report)

    def _hand_out(
        self, recording: Recording, report: Report, play_report: Optional[Report] = None
    ) -> Recording:
        rate = recording.sample_rate_hz or report.sample_rate_hz
        complete = replace(
            recording,
            sample_rate_hz=rate,
            start_frame=report.start_frame,
            report=replace(report, sample_rate_hz=rate),
            play_report=play_report,
        )
        if self._recording_callback is not None:
            self._recording_callback(complete)
        return complete

    async def _delete(self, buffer_id: str) -> None:
        # If not, it goes with the session.
        with contextlib.suppress(errors.RtmixdError):
            await self._call(
                _methods.DELETE_BUFFER, buffer_pb2.DeleteBufferRequest(buffer_id=buffer_id)
            )

    def _later(self, work: Any) -> None:
        """Do something that nobody waits for."""

        async def run() -> None:
            with contextlib.suppress(errors.RtmixdError):
                await work

        task = asyncio.get_running_loop().create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _adopt(self, report: action_pb2.ActionReport) -> Action:
        action = self._watch.find(report.action_id)
        if action is None:
            action = Action(self, report)
            self._watch.add(action)
        else:
            action._tell(report)
        return action

    async def _refresh(self, action: Action) -> Report:
        request = action_pb2.GetActionRequest(action_id=action.id)
        response = await self._call(_methods.GET_ACTION, request, retry=True)
        action._tell(response.report)
        return action.report

    def _rate_of(self, stream_id: str) -> float:
        return self._client._rates.get(stream_id, 0.0)

    @property
    def _max_chunk_bytes(self) -> int:
        return self._client._limits.max_chunk_bytes

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self.ttl / 3)
            try:
                await self._connection.call(
                    _methods.KEEP_SESSION,
                    session_pb2.KeepSessionRequest(),
                    token=self._token,
                    retry=True,
                )
            except (errors.Disconnected, errors.Timeout):
                # It may be back in time.
                continue
            except errors.RtmixdError as error:
                self._error = error
                self._watch.fail(error)
                return

    def __repr__(self) -> str:
        state = "closed" if self._closed else "ended" if self._error else "open"
        return f"<Session {self.id} {self.label!r} on {self._connection.target}, {state}>"
