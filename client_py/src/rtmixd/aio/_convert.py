"""From what callers say to messages of the API."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any, Optional, Union

from google.protobuf import duration_pb2

from rtmixd import shaping, specs
from rtmixd._enums import number_of
from rtmixd.errors import InvalidArgument
from rtmixd.info import DirectionSettings, StreamSettings
from rtmixd.samples import Wire, encode, to_frames
from rtmixd.v1 import action_pb2, common_pb2, device_pb2

# A fade as callers say it.
AnyFade = Union[shaping.Fade, int, None]
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
            fill_start(message.start, spec.start)
        message.late_policy = number_of("LatePolicy", spec.late, "late")
        if isinstance(spec, specs.Play):
            message.play.CopyFrom(_play(spec, wire, plays))
        elif isinstance(spec, specs.Record):
            message.record.CopyFrom(_record(spec))
        elif isinstance(spec, specs.Cancel):
            _fill_target(message.cancel, spec.target)
            if spec.fade is not None:
                message.cancel.fade.CopyFrom(fade(spec.fade, "fade"))
        elif isinstance(spec, specs.Change):
            _fill_target(message.change, spec.target)
            fill_change(message.change, spec.to)
        else:
            message.stats.CopyFrom(action_pb2.StatsSpec(reset_baseline=spec.reset))


def fill_origin(request: action_pb2.ScheduleActionsRequest, at: specs.Start) -> None:
    """Write where the offsets of a batch count from."""
    if not isinstance(at, specs.Start) or at.kind not in ("frame", "time", "wall_time"):
        raise InvalidArgument(
            f"origin is {at!r}: it is made by at_frame(), at_time() or at_wall_time()",
            field="origin",
            value=repr(at),
        )
    if at.kind == "frame":
        request.origin_frame = int(at.value)
    elif at.kind == "wall_time":
        seconds, nanos = divmod(int(at.value), 10**9)
        request.origin_wall_time.seconds = seconds
        request.origin_wall_time.nanos = nanos
    else:
        request.origin_stream_time_seconds = float(at.value)


def fill_start(message: common_pb2.Start, at: specs.Start) -> None:
    """Write when an action starts."""
    if not isinstance(at, specs.Start) or at.kind == "wall_time":
        raise InvalidArgument(
            f"start is {at!r}: it is made by after(), at_frame(), at_time() or at_end_of()",
            field="start",
            value=repr(at),
        )
    if at.kind == "after":
        message.offset_frames = int(at.value)
    elif at.kind == "frame":
        message.frame = int(at.value)
    elif at.kind == "time":
        message.stream_time_seconds = float(at.value)
    elif at.kind == "end_of_key":
        message.after.key = str(at.value)
    else:
        message.after.action_id = str(at.value)


def _fill_target(message: Any, target: specs.AnyTarget) -> None:
    """Write which action a cancel or a change is about."""
    if isinstance(target, str):
        message.key = target
    else:
        message.action_id = specs.required_action_id(target, "target")


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
        message.leave_loop.at_once = bool(change.at_once)
        message.leave_loop.SetInParent()
    else:
        raise InvalidArgument(
            f"change is {change!r}: it has to be a Gain, Pause, Resume or LeaveLoop",
            field="change",
            value=repr(change),
        )


def gain_change(gain: float, how: AnyFade) -> common_pb2.GainChange:
    """Return a GainChange."""
    return common_pb2.GainChange(gain=float(gain), fade=fade(how, "fade"))


def fade(how: AnyFade, field: str) -> Optional[common_pb2.Fade]:
    """Return a Fade, None for None.

    Raises
    ------
    InvalidArgument
        Its length is no whole number, or its shape is none; says `field`.
    """
    whole = _fade(how, field)
    if whole is None:
        return None
    return common_pb2.Fade(
        frames=whole.frames, shape=number_of("FadeShape", whole.shape, f"{field}.shape")
    )


def _fade(how: AnyFade, field: str) -> Optional[shaping.Fade]:
    """Return a fade of what callers say, its length checked."""
    if how is None:
        return None
    if isinstance(how, shaping.Fade):
        return shaping.Fade(_whole(how.frames, f"{field}.frames"), how.shape)
    return shaping.Fade(_whole(how, field))


def _loop(how: Union[shaping.Loop, int, None]) -> Optional[shaping.Loop]:
    """Return a loop of what callers say, its numbers checked; None if nothing is repeated."""
    if how is None:
        return None
    if isinstance(how, bool):
        return shaping.Loop() if how else None
    if not isinstance(how, shaping.Loop):
        return shaping.Loop(_whole(how, "loop"))
    return shaping.Loop(
        None if how.passes is None else _whole(how.passes, "loop.passes"),
        _whole(how.begin_frame, "loop.begin_frame"),
        None if how.end_frame is None else _whole(how.end_frame, "loop.end_frame"),
    )


def played_frames(spec: specs.Play, sound_frames: int) -> int:
    """Return how many frames of a sound will sound.

    Raises
    ------
    InvalidArgument
        It has no end.
    """
    frames = max(0, sound_frames - _whole(spec.offset_frames, "offset_frames"))
    limit = None if spec.max_frames is None else _whole(spec.max_frames, "max_frames")
    loop = _loop(spec.loop)
    if loop is not None:
        if loop.passes is None and limit is None:
            raise InvalidArgument(
                "loop has no end: give it a number of passes, or max_frames",
                field="loop.passes",
                limit="at least 1",
            )
        if loop.passes is None:
            return limit or 0
        end = sound_frames if loop.end_frame is None else loop.end_frame
        frames += (end - loop.begin_frame) * (loop.passes - 1)
    return frames if limit is None else min(frames, limit)


def _whole(value: object, field: str) -> int:
    """Return a number of frames, or of passes; seconds are none."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InvalidArgument(
            f"{field} is {value!r}: it has to be a whole number", field=field, value=repr(value)
        ) from None


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
    fade_in = _fade(spec.fade_in, "fade_in")
    fade_out = _fade(spec.fade_out, "fade_out")
    offset_frames = _whole(spec.offset_frames, "offset_frames")
    max_frames = None if spec.max_frames is None else _whole(spec.max_frames, "max_frames")
    loop = _loop(spec.loop)
    shape = (fade_in, fade_out, offset_frames, max_frames, loop)
    what = (buffer_id, outputs, spec.gain, spec.xrun, shape)
    message = plays.get(what)
    if message is not None:
        return message
    message = action_pb2.PlaySpec(
        gain=spec.gain,
        channel_map=channel_map(outputs, "outputs"),
        xrun_policy=number_of("XrunPolicy", spec.xrun, "xrun"),
        fade_in=fade(fade_in, "fade_in"),
        fade_out=fade(fade_out, "fade_out"),
        offset_frames=offset_frames,
        max_frames=max_frames,
    )
    if loop is not None:
        message.loop.CopyFrom(
            action_pb2.Loop(
                begin_frame=loop.begin_frame, end_frame=loop.end_frame, passes=loop.passes
            )
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
