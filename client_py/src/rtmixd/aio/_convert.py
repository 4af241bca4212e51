"""From what callers say to messages of the API."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Optional

from google.protobuf import duration_pb2

from rtmixd import specs
from rtmixd._enums import number_of
from rtmixd.errors import InvalidArgument
from rtmixd.info import DirectionSettings, StreamSettings
from rtmixd.samples import Wire, encode, to_frames
from rtmixd.v1 import action_pb2, common_pb2, device_pb2

# Plays of buffers, by all that they say.
_Plays = dict[tuple[Any, ...], action_pb2.PlaySpec]


def duration(seconds: float, field: str) -> duration_pb2.Duration:
    """Return seconds as a Duration.

    Raises
    ------
    InvalidArgument
        If `seconds` is not finite.
    """
    if not math.isfinite(seconds) or abs(seconds) > 1e9:
        raise InvalidArgument(
            f"{field} is {seconds}: it has to be a number of seconds",
            field=field,
            value=str(seconds),
            limit="finite",
        )
    nanos = round(seconds * 1e9)
    sign = -1 if nanos < 0 else 1
    whole, rest = divmod(abs(nanos), 10**9)
    return duration_pb2.Duration(seconds=sign * whole, nanos=sign * rest)


def sample_format(wire: Wire) -> Any:
    """Return the SampleFormat of an encoding."""
    return number_of("SampleFormat", wire, "wire")


def channel_map(channels: Optional[Iterable[int]], field: str) -> Optional[common_pb2.ChannelMap]:
    """Return a ChannelMap, None for None."""
    if channels is None:
        return None
    try:
        return common_pb2.ChannelMap(channels=[int(channel) for channel in channels])
    except (TypeError, ValueError):
        raise _no_channels(channels, field) from None


def _no_channels(channels: object, field: str) -> InvalidArgument:
    return InvalidArgument(
        f"{field} is {channels!r}: it has to be a sequence of channel numbers from 1",
        field=field,
        value=repr(channels),
    )


def fill_actions(
    request: action_pb2.ScheduleActionsRequest,
    wanted: Iterable[specs.Spec],
    wire: Wire = "float32",
) -> None:
    """Describe actions; a sound that is not a buffer travels inside.

    Filling fields one by one, and copying what repeats, takes a quarter of the time of constructing
    messages from their fields, which counts in batches of thousands.
    """
    plays: _Plays = {}
    for spec in wanted:
        message = request.actions.add()
        if spec.key:
            message.key = spec.key
        if spec.start is not None:
            _fill_start(message.start, spec.start)
        message.late_policy = number_of("LatePolicy", spec.late, "late")
        if isinstance(spec, specs.Play):
            message.play.CopyFrom(_play(spec, wire, plays))
        elif isinstance(spec, specs.Record):
            message.record.CopyFrom(_record(spec))
        elif isinstance(spec, specs.Cancel):
            if isinstance(spec.target, str):
                message.cancel.key = spec.target
            else:
                message.cancel.action_id = spec.target.id
        else:
            message.stats.CopyFrom(action_pb2.StatsSpec(reset_baseline=spec.reset))


def fill_origin(request: action_pb2.ScheduleActionsRequest, at: specs.Start) -> None:
    """Write where the offsets of a batch count from."""
    if not isinstance(at, specs.Start) or at.kind == "after":
        raise InvalidArgument(
            f"origin is {at!r}: it is made by at_frame() or at_time()",
            field="origin",
            value=repr(at),
        )
    if at.kind == "frame":
        request.origin_frame = int(at.value)
    else:
        request.origin_stream_time_seconds = float(at.value)


def _fill_start(message: common_pb2.Start, at: specs.Start) -> None:
    if not isinstance(at, specs.Start):
        raise InvalidArgument(
            f"start is {at!r}: it is made by after(), at_frame() or at_time()",
            field="start",
            value=repr(at),
        )
    if at.kind == "after":
        message.offset_frames = int(at.value)
    elif at.kind == "frame":
        message.frame = int(at.value)
    else:
        message.stream_time_seconds = float(at.value)


def sound_of(spec: specs.Play) -> Any:
    """Return the sound of a play as (frames, channels) of float32."""
    outputs = None if spec.outputs is None else len(list(spec.outputs))
    return to_frames(spec.sound, outputs or None)  # type: ignore[arg-type]


def _play(spec: specs.Play, wire: Wire, plays: _Plays) -> action_pb2.PlaySpec:
    try:
        outputs = None if spec.outputs is None else tuple(map(int, spec.outputs))
    except (TypeError, ValueError):
        raise _no_channels(spec.outputs, "outputs") from None
    buffer_id = specs.id_of(spec.sound)
    what = (buffer_id, outputs, spec.gain, spec.xrun)
    message = plays.get(what)
    if message is not None:
        return message
    message = action_pb2.PlaySpec(
        gain=spec.gain,
        channel_map=channel_map(outputs, "outputs"),
        xrun_policy=number_of("XrunPolicy", spec.xrun, "xrun"),
    )
    if buffer_id is not None:
        message.buffer_id = buffer_id
        plays[what] = message
        return message
    sound = sound_of(spec)
    message.inline_audio.channels = sound.shape[1]
    message.inline_audio.sample_format = sample_format(wire)
    message.inline_audio.data = encode(sound, wire)
    return message


def _record(spec: specs.Record) -> action_pb2.RecordSpec:
    return action_pb2.RecordSpec(
        buffer_id="" if spec.buffer is None else spec.buffer.id,
        frames=None if spec.frames is None else int(spec.frames),
        channel_map=channel_map(spec.inputs, "inputs"),
        source=number_of("RecordSource", spec.source, "source"),
        label=spec.label,
        keep=spec.keep,
        leave_open=spec.leave_open,
    )


def stream_settings(settings: StreamSettings) -> device_pb2.StreamSettings:
    """Return StreamSettings of the API."""
    return device_pb2.StreamSettings(
        input=_direction(settings.input),
        output=_direction(settings.output),
        sample_rate_hz=settings.sample_rate_hz,
        block_frames=settings.block_frames,
    )


def _direction(settings: Optional[DirectionSettings]) -> Optional[device_pb2.DirectionSettings]:
    if settings is None:
        return None
    latency: dict[str, Any] = (
        {"latency_class": number_of("LatencyClass", settings.latency, "latency")}
        if isinstance(settings.latency, str)
        else {"latency_seconds": float(settings.latency)}
    )
    return device_pb2.DirectionSettings(
        device=settings.device,
        channels=settings.channels,
        host_settings=settings.host_settings or {},
        **latency,
    )
