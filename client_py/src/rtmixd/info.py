"""What a server tells about itself, its devices, its stream and its time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, Optional

from rtmixd._enums import short_name
from rtmixd.latency import Calibration
from rtmixd.report import EndReason, Xrun
from rtmixd.spool import SpoolStatus

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from rtmixd.v1 import (
        buffer_pb2,
        clock_pb2,
        device_pb2,
        event_pb2,
        server_info_pb2,
        session_pb2,
        stream_pb2,
    )

__all__ = [
    "BufferInfo",
    "BufferState",
    "ClockReading",
    "ClockRelock",
    "Device",
    "DirectionSettings",
    "HostApi",
    "Level",
    "Levels",
    "LogEntry",
    "ServerInfo",
    "ServerLimits",
    "SessionInfo",
    "SessionState",
    "StreamInfo",
    "StreamSettings",
    "StreamState",
]

#: What the stream does.
StreamState = Literal["closed", "stopped", "running", "lost", "unspecified"]
#: Where a session stands with being exclusive.
SessionState = Literal["shared", "queued", "exclusive", "ended", "unspecified"]
#: Whether a buffer can still grow.
BufferState = Literal["open", "recording", "complete", "unspecified"]


def _time(stamp: Timestamp) -> datetime:
    return datetime.fromtimestamp(stamp.seconds + stamp.nanos * 1e-9, timezone.utc)


def _time_or_none(message: Any, name: str) -> Optional[datetime]:
    return _time(getattr(message, name)) if message.HasField(name) else None


def _seconds(duration: Any) -> float:
    return float(duration.seconds + duration.nanos * 1e-9)


@dataclass(frozen=True)
class ServerLimits:
    """What a server allows; beyond that it refuses with `LimitExceeded` and the name from here.

    Attributes
    ----------
    max_sessions : int
        Sessions at once.
    max_actions, max_actions_per_session : int
        Actions that are admitted and not done.
    max_batch_actions : int
        Actions in one call.
    max_buffer_bytes, max_buffer_bytes_per_session : int
        Bytes of audio in buffers; 4 per sample.
    max_buffers_per_session : int
        Buffers of one session.
    max_audio_streams, max_watch_streams : int
        Streams of audio, and of events, meters, clock and reports, at once.
    max_ring_frames : int
        Frames of the ring buffer of one play stream.
    max_message_bytes, max_chunk_bytes : int
        Bytes of one message, and of audio in one chunk.
    max_session_ttl : float
        The longest time to live of a session in seconds.
    history : float
        How far back a recording may start, in seconds.
    request_id_retention : float
        For how many seconds a request id is remembered.
    max_kept_reports_per_session : int
        Finished actions whose reports are kept.
    max_waits : int
        Actions and streams that wait for something at once.
    max_exclusive : float
        For how many seconds a session may be exclusive.
    max_calls_per_second : int
        Calls of one bearer token, or of all clients together where none are asked for.
    """

    max_sessions: int
    max_actions: int
    max_actions_per_session: int
    max_batch_actions: int
    max_buffer_bytes: int
    max_buffer_bytes_per_session: int
    max_buffers_per_session: int
    max_audio_streams: int
    max_watch_streams: int
    max_ring_frames: int
    max_message_bytes: int
    max_chunk_bytes: int
    max_session_ttl: float
    history: float
    request_id_retention: float
    max_kept_reports_per_session: int
    max_waits: int
    max_exclusive: float
    max_calls_per_second: int

    @classmethod
    def _of(cls, limits: server_info_pb2.ServerLimits) -> ServerLimits:
        durations = ("max_session_ttl", "history", "request_id_retention", "max_exclusive")
        values = {
            name: _seconds(getattr(limits, name)) if name in durations else getattr(limits, name)
            for name in cls.__dataclass_fields__
        }
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ServerInfo:
    """A server's identity and limits.

    Attributes
    ----------
    instance_id : str
        New at every start of the server.
    server_version, api_version, host_name : str
        As they say.
    start_time : datetime
        When it started, UTC.
    features : tuple of str
        Optional parts that are enabled: ``"virtual-device-script"``, ``"portaudio"``.
    limits : ServerLimits
        What it allows.
    spool : SpoolStatus or None
        How its spool of recordings is; None without one.
    """

    instance_id: str
    server_version: str
    api_version: str
    host_name: str
    start_time: datetime
    features: tuple[str, ...]
    limits: ServerLimits
    spool: Optional[SpoolStatus] = None

    @classmethod
    def _of(cls, info: server_info_pb2.GetServerInfoResponse) -> ServerInfo:
        return cls(
            instance_id=info.instance_id,
            server_version=info.server_version,
            api_version=info.api_version,
            host_name=info.host_name,
            start_time=_time(info.start_time),
            features=tuple(info.features),
            limits=ServerLimits._of(info.limits),
            spool=SpoolStatus._of(info) if info.HasField("spool") else None,
        )

    def __repr__(self) -> str:
        return (
            f"<ServerInfo rtmixd {self.server_version} on {self.host_name}, since"
            f" {self.start_time:%Y-%m-%d %H:%M:%S} UTC, features:"
            f" {', '.join(self.features) or 'none'}>"
        )


@dataclass(frozen=True)
class HostApi:
    """A way of the operating system to reach sound devices.

    Attributes
    ----------
    id : str
        Stable and short: ``"alsa"``, ``"jack"``, ``"virtual"``.
    name : str
        Its own name.
    device_count : int
        How many devices it has.
    default_input_device_id, default_output_device_id : str
        Empty if there is none.
    """

    id: str
    name: str
    device_count: int
    default_input_device_id: str
    default_output_device_id: str

    @classmethod
    def _of(cls, api: device_pb2.HostApi) -> HostApi:
        return cls(**{name: getattr(api, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Device:
    """A sound device.

    Attributes
    ----------
    id : str
        Stable across restarts, as far as the host can tell: ``"jack/system"``.
    index : int
        Its place in the list; changes as devices come and go.
    name : str
        Its own name.
    host_api_id : str
        Its host API.
    max_input_channels, max_output_channels : int
        Channels it has; 0 if it cannot record or play.
    default_sample_rate_hz : float
        Its preferred rate.
    default_low_input_latency_seconds, default_low_output_latency_seconds : float
        For interactive use, as the host claims.
    default_high_input_latency_seconds, default_high_output_latency_seconds : float
        For safe operation.
    """

    id: str
    index: int
    name: str
    host_api_id: str
    max_input_channels: int
    max_output_channels: int
    default_sample_rate_hz: float
    default_low_input_latency_seconds: float
    default_low_output_latency_seconds: float
    default_high_input_latency_seconds: float
    default_high_output_latency_seconds: float

    @classmethod
    def _of(cls, device: device_pb2.Device) -> Device:
        return cls(**{name: getattr(device, name) for name in cls.__dataclass_fields__})

    def __repr__(self) -> str:
        return (
            f"<Device {self.index} {self.id!r}: {self.max_input_channels} in,"
            f" {self.max_output_channels} out, {self.default_sample_rate_hz:g} Hz>"
        )


@dataclass(frozen=True)
class DirectionSettings:
    """One direction of a stream.

    Attributes
    ----------
    device : str
        A device's id, its index in decimal, or a part of "host API name: device name" that only one
        device matches. Empty: the default.
    channels : int
        Channels to open; 0: all.
    latency : {"low", "high"} or float
        One of the device's own defaults, or seconds.
    host_settings : dict of str to str, optional
        Settings that only one host API knows.
    """

    device: str = ""
    channels: int = 0
    latency: Any = "low"
    host_settings: Optional[dict[str, str]] = None

    @classmethod
    def _of(cls, settings: device_pb2.DirectionSettings) -> DirectionSettings:
        latency: Any = "high" if settings.latency_class == 2 else "low"
        if settings.WhichOneof("latency") == "latency_seconds":
            latency = settings.latency_seconds
        return cls(
            device=settings.device,
            channels=settings.channels,
            latency=latency,
            host_settings=dict(settings.host_settings) or None,
        )


@dataclass(frozen=True)
class StreamSettings:
    """How to open a stream.

    Attributes
    ----------
    input, output : DirectionSettings or None
        None: the stream does not record, or does not play.
    sample_rate_hz : float
        0: the device's default.
    block_frames : int
        Frames per callback, up to 8192; 0: the host chooses.
    """

    input: Optional[DirectionSettings] = None
    output: Optional[DirectionSettings] = None
    sample_rate_hz: float = 0.0
    block_frames: int = 0

    @classmethod
    def _of(cls, settings: device_pb2.StreamSettings) -> StreamSettings:
        directions = {
            name: DirectionSettings._of(getattr(settings, name))
            if settings.HasField(name)
            else None
            for name in ("input", "output")
        }
        return cls(
            **directions,
            sample_rate_hz=settings.sample_rate_hz,
            block_frames=settings.block_frames,
        )


@dataclass(frozen=True)
class StreamInfo:
    """The stream of the server, at one moment.

    Attributes
    ----------
    id : str
        New at every opening; empty if none is open.
    state : {"closed", "stopped", "running", "lost"}
        What it does.
    sample_rate_hz : float
        Nominal frames per second.
    block_frames : int
        Frames per callback; 0: varies.
    input_device, output_device : Device or None
        None where it does not record, or play.
    input_channels, output_channels : int
        Its channels.
    input_latency_frames, output_latency_frames : int
        Between converter and callback, as the host claims.
    clocks_related : bool
        False if input and output are different devices, whose clocks may drift apart.
    next_frame : int
        First frame of the next block.
    cpu_load : float
        Part of the block period that the audio thread needs, 0 to 1.
    settings : StreamSettings
        How it was opened.
    reports_xruns : bool
        False where xruns are found from time alone.
    master_gain : float
        What everything that sounds is multiplied with, or what that is on its way to.
    calibration : Calibration or None
        What a measurement found beyond the latencies that the host claims; None if none is stored
        for these settings.
    """

    id: str
    state: StreamState
    sample_rate_hz: float
    block_frames: int
    input_device: Optional[Device]
    output_device: Optional[Device]
    input_channels: int
    output_channels: int
    input_latency_frames: int
    output_latency_frames: int
    clocks_related: bool
    next_frame: int
    cpu_load: float
    settings: StreamSettings
    reports_xruns: bool
    master_gain: float
    calibration: Optional[Calibration] = None

    @classmethod
    def _of(cls, stream: stream_pb2.AudioStream) -> StreamInfo:
        return cls(
            id=stream.stream_id,
            state=short_name("StreamState", stream.state),  # type: ignore[arg-type]
            sample_rate_hz=stream.sample_rate_hz,
            block_frames=stream.block_frames,
            input_device=Device._of(stream.input_device)
            if stream.HasField("input_device")
            else None,
            output_device=Device._of(stream.output_device)
            if stream.HasField("output_device")
            else None,
            input_channels=stream.input_channels,
            output_channels=stream.output_channels,
            input_latency_frames=stream.input_latency_frames,
            output_latency_frames=stream.output_latency_frames,
            clocks_related=stream.clocks_related,
            next_frame=stream.next_frame,
            cpu_load=stream.cpu_load,
            settings=StreamSettings._of(stream.settings),
            reports_xruns=stream.reports_xruns,
            master_gain=stream.master_gain,
            calibration=Calibration._of(stream.calibration)
            if stream.HasField("calibration")
            else None,
        )

    def __repr__(self) -> str:
        if self.state == "closed":
            return "<StreamInfo closed>"
        directions = []
        if self.input_device is not None:
            directions.append(f"{self.input_channels} in from {self.input_device.id!r}")
        if self.output_device is not None:
            directions.append(f"{self.output_channels} out to {self.output_device.id!r}")
        return (
            f"<StreamInfo {self.state}, {', '.join(directions)}, {self.sample_rate_hz:g} Hz,"
            f" latency {self.input_latency_frames}+{self.output_latency_frames} frames, next frame"
            f" {self.next_frame}>"
        )


@dataclass(frozen=True)
class ClockReading:
    """Relates frames to clocks, at one moment.

    Attributes
    ----------
    stream_id : str
        The stream it is about; empty if none is open.
    frame : float
        The frame, with fraction, whose callback is due at the moment of reading.
    stream_time_seconds : float
        `frame` divided by the nominal rate.
    wall_time : datetime
        The moment of reading on the wall clock of the server's host, UTC.
    monotonic_nanos : int
        The same on its monotonic clock.
    rate_hz : float
        Measured frames per second; the nominal rate until enough was seen.
    rate_uncertainty_ppm, uncertainty_frames : float
        Errors of `rate_hz` and `frame`, true in 99 of 100 cases.
    locked : bool
        Enough was seen to trust the above.
    running : bool
        Audio moves; if not, `frame` stands still.
    next_frame : int
        Nothing before it can be played any more.
    wall_clock_synchronized : bool
        The host says that something (NTP, PTP) keeps its wall clock.
    wall_clock_max_error_seconds, wall_clock_estimated_error_seconds : float or None
        How far the host says that it may be off at the most, and estimates that it is; None if
        nothing keeps it.
    """

    stream_id: str
    frame: float
    stream_time_seconds: float
    wall_time: datetime
    monotonic_nanos: int
    rate_hz: float
    rate_uncertainty_ppm: float
    uncertainty_frames: float
    locked: bool
    running: bool
    next_frame: int
    wall_clock_synchronized: bool = False
    wall_clock_max_error_seconds: Optional[float] = None
    wall_clock_estimated_error_seconds: Optional[float] = None

    @classmethod
    def _of(cls, reading: clock_pb2.ClockReading) -> ClockReading:
        values = {name: getattr(reading, name) for name in cls.__dataclass_fields__}
        values["wall_time"] = _time(reading.wall_time)
        for name in ("wall_clock_max_error_seconds", "wall_clock_estimated_error_seconds"):
            if not reading.HasField(name):
                values[name] = None
        return cls(**values)


@dataclass(frozen=True)
class SessionInfo:
    """What everyone may know of a session.

    Attributes
    ----------
    id : str
        Public.
    label : str
        Who it is, for people.
    state : {"shared", "queued", "exclusive", "ended"}
        Where it stands.
    ttl : float
        How many seconds it lives without a sign of life.
    create_time, expire_time : datetime
        When it was made, and when it ends unless it is kept alive, UTC.
    end_time : datetime or None
        When it ends in any case; None if never.
    active_actions : int
        Unfinished actions.
    buffers, buffer_bytes : int
        Buffers it holds, and bytes of audio in them.
    queue_position : int
        Sessions before it in the queue for being exclusive.
    gain : float
        What all its plays are multiplied with, or what that is on its way to.
    """

    id: str
    label: str
    state: SessionState
    ttl: float
    create_time: datetime
    expire_time: datetime
    end_time: Optional[datetime]
    active_actions: int
    buffers: int
    buffer_bytes: int
    queue_position: int
    gain: float

    @classmethod
    def _of(cls, session: session_pb2.Session) -> SessionInfo:
        return cls(
            id=session.session_id,
            label=session.label,
            state=short_name("SessionState", session.state),  # type: ignore[arg-type]
            ttl=_seconds(session.ttl),
            create_time=_time(session.create_time),
            expire_time=_time(session.expire_time),
            end_time=_time_or_none(session, "end_time"),
            active_actions=session.active_actions,
            buffers=session.buffers,
            buffer_bytes=session.buffer_bytes,
            queue_position=session.queue_position,
            gain=session.gain,
        )


@dataclass(frozen=True)
class BufferInfo:
    """A buffer of the server, at one moment.

    Attributes
    ----------
    id, label : str
        Its id, and what it is for people.
    channels : int
        Its channels.
    sample_rate_hz : float
        What its audio is meant for; 0 if unknown.
    frames : int
        Frames it holds.
    state : {"open", "recording", "complete"}
        Whether it can grow.
    keep : bool
        It stays when its session ends.
    create_time : datetime
        When it was made, UTC.
    record_action_id : str
        The action that records or recorded into it last; empty if none.
    session_id : str
        The session that owns it; empty after that has ended.
    bytes : int
        Memory that its audio takes.
    """

    id: str
    label: str
    channels: int
    sample_rate_hz: float
    frames: int
    state: BufferState
    keep: bool
    create_time: datetime
    record_action_id: str
    session_id: str
    bytes: int

    @classmethod
    def _of(cls, buffer: buffer_pb2.AudioBuffer) -> BufferInfo:
        return cls(
            id=buffer.buffer_id,
            label=buffer.label,
            channels=buffer.channels,
            sample_rate_hz=buffer.sample_rate_hz,
            frames=buffer.frames,
            state=short_name("BufferState", buffer.state),  # type: ignore[arg-type]
            keep=buffer.keep,
            create_time=_time(buffer.create_time),
            record_action_id=buffer.record_action_id,
            session_id=buffer.session_id,
            bytes=buffer.bytes,
        )


@dataclass(frozen=True)
class ClockRelock:
    """Where the clock of the device did not go on as before.

    Attributes
    ----------
    earliest_frame, latest_frame : int
        The first frame after it is one from the first to the second of these.
    moved_frames : float
        By how many frames callbacks come later from there on; earlier, if negative.
    moved_frames_error : float
        Bound of the error of `moved_frames`.
    """

    earliest_frame: int
    latest_frame: int
    moved_frames: float
    moved_frames_error: float

    @classmethod
    def _of(cls, relock: event_pb2.ClockRelock) -> ClockRelock:
        return cls(
            earliest_frame=relock.earliest_frame,
            latest_frame=relock.latest_frame,
            moved_frames=relock.moved_frames,
            moved_frames_error=relock.moved_frames_error,
        )


@dataclass(frozen=True)
class LogEntry:
    """One thing that happened on the server.

    Attributes
    ----------
    sequence : int
        Counts all events of a server instance from 1.
    time : datetime
        When it was noticed, UTC.
    kind : str
        What, in lower case: ``"action_started"``, ``"xrun"``; see ``rtmixd.v1.EventKind``.
    frame : int or None
        The frame it happened on.
    stream_id, session_id, session_label, action_id : str
        Whom it concerns; empty where nobody.
    xrun : Xrun or None
        For ``"xrun"``.
    end_reason : str
        For ``"action_done"`` and ``"action_ended"``.
    frames : int
        A number of frames or samples, as the kind says.
    text : str
        One line for people.
    missed : int
        How many events just before this one are not known, because they are not retained any more
        or their follower was too slow.
    touched_action_ids : tuple of str
        For ``"xrun"`` and ``"clock_relocked"``: the actions that ran where it happened or may have;
        their reports tell whether it touched them. The first 64 of them.
    touched_action_count : int
        How many there are in all.
    clock_relock : ClockRelock or None
        For ``"clock_relocked"``.
    """

    sequence: int
    time: datetime
    kind: str
    frame: Optional[int]
    stream_id: str
    session_id: str
    session_label: str
    action_id: str
    xrun: Optional[Xrun]
    end_reason: EndReason
    frames: int
    text: str
    missed: int = 0
    touched_action_ids: tuple[str, ...] = ()
    touched_action_count: int = 0
    clock_relock: Optional[ClockRelock] = None

    @classmethod
    def _of(cls, entry: event_pb2.LogEntry, missed: int = 0) -> LogEntry:
        return cls(
            sequence=entry.sequence,
            time=_time(entry.time),
            kind=short_name("EventKind", entry.kind),
            frame=entry.frame if entry.HasField("frame") else None,
            stream_id=entry.stream_id,
            session_id=entry.session_id,
            session_label=entry.session_label,
            action_id=entry.action_id,
            xrun=Xrun._of(entry.xrun) if entry.HasField("xrun") else None,
            end_reason=short_name("EndReason", entry.end_reason),  # type: ignore[arg-type]
            frames=entry.frames,
            text=entry.text,
            missed=missed,
            touched_action_ids=tuple(entry.touched_action_ids),
            touched_action_count=entry.touched_action_count,
            clock_relock=(
                ClockRelock._of(entry.clock_relock) if entry.HasField("clock_relock") else None
            ),
        )

    def __repr__(self) -> str:
        parts = [str(self.sequence), f"{self.time:%H:%M:%S.%f}"[:-3], self.kind]
        if self.frame is not None:
            parts.append(f"frame {self.frame}")
        if self.session_label:
            parts.append(f"[{self.session_label}]")
        if self.text:
            parts.append(self.text)
        return f"<LogEntry {' '.join(parts)}>"


@dataclass(frozen=True)
class Level:
    """Level of one channel; full scale is 1.

    Attributes
    ----------
    peak : float
        Largest absolute value.
    rms : float
        Root of the mean square.
    clipped_samples : int
        Outputs only.
    """

    peak: float
    rms: float
    clipped_samples: int


@dataclass(frozen=True)
class Levels:
    """Levels of all channels over a stretch of the stream.

    Attributes
    ----------
    first_frame, frames : int
        What was measured.
    inputs, outputs : tuple of Level
        One for each channel; outputs after clipping.
    """

    first_frame: int
    frames: int
    inputs: tuple[Level, ...]
    outputs: tuple[Level, ...]

    @classmethod
    def _of(cls, response: event_pb2.StreamMetersResponse) -> Levels:
        def levels(entries: Any) -> tuple[Level, ...]:
            return tuple(Level(entry.peak, entry.rms, entry.clipped_samples) for entry in entries)

        return cls(
            first_frame=response.first_frame,
            frames=response.frames,
            inputs=levels(response.inputs),
            outputs=levels(response.outputs),
        )
