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
        raise InvalidArgument(
            f"{field} is {channels!r}: it has to be a sequence of channel numbers from 1",
            field=field,
            value=repr(channels),
        ) from None


def start(at: Optional[specs.Start]) -> Optional[common_pb2.Start]:
    """Return a Start, None for None."""
    if at is None:
        return None
    if not isinstance(at, specs.Start):
        raise InvalidArgument(
            f"start is {at!r}: it is made by after(), at_frame() or at_time()",
            field="start",
            value=repr(at),
        )
    if at.kind == "after":
        return common_pb2.Start(offset_frames=int(at.value))
    if at.kind == "frame":
        return common_pb2.Start(frame=int(at.value))
    return common_pb2.Start(stream_time_seconds=float(at.value))


def action(spec: specs.Spec, wire: Wire = "float32") -> action_pb2.ActionSpec:
    """Return an ActionSpec; a sound that is not a buffer travels inside."""
    common: dict[str, Any] = {
        "key": spec.key,
        "start": start(spec.start),
        "late_policy": number_of("LatePolicy", spec.late, "late"),
    }
    if isinstance(spec, specs.Play):
        return action_pb2.ActionSpec(play=_play(spec, wire), **common)
    if isinstance(spec, specs.Record):
        return action_pb2.ActionSpec(record=_record(spec), **common)
    if isinstance(spec, specs.Cancel):
        target = (
            action_pb2.CancelSpec(key=spec.target)
            if isinstance(spec.target, str)
            else action_pb2.CancelSpec(action_id=spec.target.id)
        )
        return action_pb2.ActionSpec(cancel=target, **common)
    return action_pb2.ActionSpec(stats=action_pb2.StatsSpec(reset_baseline=spec.reset), **common)


def sound_of(spec: specs.Play) -> Any:
    """Return the sound of a play as (frames, channels) of float32."""
    outputs = None if spec.outputs is None else len(list(spec.outputs))
    return to_frames(spec.sound, outputs or None)  # type: ignore[arg-type]


def _play(spec: specs.Play, wire: Wire) -> action_pb2.PlaySpec:
    message = action_pb2.PlaySpec(
        gain=spec.gain,
        channel_map=channel_map(spec.outputs, "outputs"),
        xrun_policy=number_of("XrunPolicy", spec.xrun, "xrun"),
    )
    buffer_id = specs.id_of(spec.sound)
    if buffer_id is not None:
        message.buffer_id = buffer_id
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
