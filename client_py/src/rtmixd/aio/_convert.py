"""From what callers say to messages of the API."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from google.protobuf import duration_pb2, timestamp_pb2

from rtmixd import shaping, specs
from rtmixd._arguments import flag, instance, number, text, whole
from rtmixd._enums import number_of
from rtmixd.errors import InvalidArgument
from rtmixd.info import DirectionSettings, StreamSettings
from rtmixd.samples import Wire
from rtmixd.v1 import action_pb2, common_pb2, device_pb2

# A fade as callers say it.
AnyFade = Union[shaping.Fade, int, None]


def duration(seconds: float, field: str) -> duration_pb2.Duration:
    """Return seconds as a Duration.

    Raises
    ------
    InvalidArgument
        If `seconds` is no number or not finite.
    """
    seconds = number(seconds, field)
    if not math.isfinite(seconds) or abs(seconds) > 1e9:
        raise InvalidArgument(
            f"{field} is {seconds}: it has to be a number of seconds",
            field=field,
            value=str(seconds),
            limit="finite",
        )
    nanos = round(seconds * 1e9)
    sign = -1 if nanos < 0 else 1
    full, rest = divmod(abs(nanos), 10**9)
    return duration_pb2.Duration(seconds=sign * full, nanos=sign * rest)


def sample_format(wire: Wire) -> Any:
    """Return the SampleFormat of an encoding."""
    return number_of("SampleFormat", wire, "wire")


def channel_map(channels: Optional[Iterable[int]], field: str) -> Optional[common_pb2.ChannelMap]:
    """Return a ChannelMap, None for None."""
    if channels is None:
        return None
    try:
        return common_pb2.ChannelMap(channels=[operator.index(channel) for channel in channels])
    except (TypeError, ValueError):
        raise InvalidArgument(
            f"{field} is {channels!r}: it has to be a sequence of channel numbers from 1",
            field=field,
            value=repr(channels),
        ) from None


def fill_origin(request: action_pb2.ScheduleActionsRequest, at: specs.Start) -> None:
    """Write where the offsets of a batch count from."""
    if not isinstance(at, specs.Start) or at.kind not in ("frame", "time", "wall_time"):
        raise InvalidArgument(
            f"origin is {at!r}: it is made by at_frame(), at_time() or at_wall_time()",
            field="origin",
            value=repr(at),
        )
    if at.kind == "frame":
        request.origin_frame = whole(at.value, "origin")
    elif at.kind == "wall_time":
        _fill_moment(request.origin_wall_time, int(at.value))
    else:
        request.origin_stream_time_seconds = float(at.value)


def _fill_moment(message: timestamp_pb2.Timestamp, nanos_since_1970: int) -> None:
    message.seconds, message.nanos = divmod(nanos_since_1970, 10**9)


def fill_start(message: common_pb2.Start, at: specs.Start) -> None:
    """Write when an action starts."""
    if not isinstance(at, specs.Start):
        raise InvalidArgument(
            f"start is {at!r}: it is made by after(), at_frame(), at_time(), at_end_of() or,"
            " for a stream, at_wall_time()",
            field="start",
            value=repr(at),
        )
    if at.kind == "after":
        message.offset_frames = whole(at.value, "start")
    elif at.kind == "frame":
        message.frame = whole(at.value, "start")
    elif at.kind == "time":
        message.stream_time_seconds = float(at.value)
    elif at.kind == "wall_time":
        _fill_moment(message.wall_time, int(at.value))
    elif at.kind == "end_of_key":
        message.after.key = str(at.value)
    else:
        message.after.action_id = str(at.value)


def fill_change(message: Any, change: shaping.AnyChange) -> None:
    """Write what changes into a ChangeSpec or a ChangeActionsRequest.

    Raises
    ------
    InvalidArgument
        It is no change.
    """
    if isinstance(change, shaping.Gain):
        message.gain.CopyFrom(gain_change(change.gain, change.fade))
    elif isinstance(change, shaping.Pause):
        message.pause.SetInParent()
    elif isinstance(change, shaping.Resume):
        message.resume.SetInParent()
    elif isinstance(change, shaping.LeaveLoop):
        message.leave_loop.at_once = flag(change.at_once, "at_once")
        message.leave_loop.SetInParent()
    else:
        raise InvalidArgument(
            f"change is {change!r}: it has to be a Gain, Pause, Resume or LeaveLoop",
            field="change",
            value=repr(change),
        )


def gain_change(gain: float, how: AnyFade) -> common_pb2.GainChange:
    """Return a GainChange."""
    return common_pb2.GainChange(gain=number(gain, "gain"), fade=fade(how, "fade"))


def fade(how: AnyFade, field: str) -> Optional[common_pb2.Fade]:
    """Return a Fade, None for None.

    Raises
    ------
    InvalidArgument
        Its length is no whole number, or its shape is none; says `field`.
    """
    if how is None:
        return None
    if not isinstance(how, shaping.Fade):
        return common_pb2.Fade(frames=whole(how, field), shape=common_pb2.FADE_SHAPE_LINEAR)
    return common_pb2.Fade(
        frames=whole(how.frames, f"{field}.frames"),
        shape=number_of("FadeShape", how.shape, f"{field}.shape"),
    )


def stream_settings(settings: StreamSettings) -> device_pb2.StreamSettings:
    """Return StreamSettings of the API."""
    return device_pb2.StreamSettings(
        input=_direction(settings.input, "input"),
        output=_direction(settings.output, "output"),
        sample_rate_hz=number(settings.sample_rate_hz, "sample_rate_hz"),
        block_frames=whole(settings.block_frames, "block_frames", 31),
    )


def _direction(
    settings: Optional[DirectionSettings], field: str
) -> Optional[device_pb2.DirectionSettings]:
    if settings is None:
        return None
    instance(settings, DirectionSettings, field, "DirectionSettings")
    host_settings = {} if settings.host_settings is None else settings.host_settings
    instance(host_settings, Mapping, f"{field}.host_settings", "a mapping of str to str")
    latency: dict[str, Any] = (
        {"latency_class": number_of("LatencyClass", settings.latency, f"{field}.latency")}
        if isinstance(settings.latency, str)
        else {"latency_seconds": number(settings.latency, f"{field}.latency")}
    )
    return device_pb2.DirectionSettings(
        device=text(settings.device, f"{field}.device"),
        channels=whole(settings.channels, f"{field}.channels", 31),
        host_settings={
            text(name, f"{field}.host_settings"): text(value, f"{field}.host_settings")
            for name, value in host_settings.items()
        },
        **latency,
    )
