"""What a stream is to do, as its call's configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from rtmixd._arguments import number_or_none, whole, whole_or_none
from rtmixd._enums import number_of
from rtmixd.aio._convert import AnyFade, channel_map, fade, fill_start
from rtmixd.errors import InvalidArgument
from rtmixd.specs import Late, Source, Start, Underrun, XrunPolicy
from rtmixd.v1 import audio_pb2, common_pb2


def play_config(
    channels: Optional[int],
    outputs: Optional[Sequence[int]],
    gain: Optional[float],
    start: Optional[Start],
    late: Late,
    underrun: Underrun,
    xrun: XrunPolicy,
    buffer_frames: int,
    prebuffer_frames: int,
    fade_in: AnyFade = None,
    fade_out: AnyFade = None,
    max_frames: Optional[int] = None,
) -> audio_pb2.PlayConfig:
    """Describe a play; see `rtmixd.aio.PlayStream`."""
    if channels is None:
        if outputs is None:
            raise InvalidArgument(
                "channels is missing: give it, or the outputs", field="channels", limit="1 to 1024"
            )
        named = channel_map(outputs, "outputs")
        channels = 0 if named is None else len(named.channels)
    channels = whole(channels, "channels")
    if not 1 <= channels <= 1024:
        raise InvalidArgument(
            f"channels is {channels}; 1 to 1024 are possible",
            field="channels",
            value=str(channels),
            limit="1 to 1024",
        )
    config = audio_pb2.PlayConfig(
        channels=channels,
        start=_start_of(start),
        late_policy=number_of("LatePolicy", late, "late"),
        underrun_policy=number_of("UnderrunPolicy", underrun, "underrun"),
        xrun_policy=number_of("XrunPolicy", xrun, "xrun"),
        gain=number_or_none(gain, "gain"),
        ring_frames=whole(buffer_frames, "buffer_frames"),
        prebuffer_frames=whole(prebuffer_frames, "prebuffer_frames"),
        fade_in=fade(fade_in, "fade_in"),
        fade_out=fade(fade_out, "fade_out"),
        max_frames=whole_or_none(max_frames, "max_frames"),
    )
    if outputs is not None:
        config.channel_map.CopyFrom(channel_map(outputs, "outputs"))
    return config


def record_config(
    inputs: Optional[Sequence[int]],
    frames: Optional[int],
    source: Source,
    start: Optional[Start],
    late: Late,
    chunk_frames: int,
    unread_frames: int,
) -> audio_pb2.RecordConfig:
    """Describe a recording; see `rtmixd.aio.RecordStream`."""
    config = audio_pb2.RecordConfig(
        frames=whole_or_none(frames, "frames"),
        source=number_of("RecordSource", source, "source"),
        start=_start_of(start),
        late_policy=number_of("LatePolicy", late, "late"),
        chunk_frames=whole(chunk_frames, "chunk_frames", 31),
        granted_position=whole(unread_frames, "unread_frames"),
    )
    if inputs is not None:
        config.channel_map.CopyFrom(channel_map(inputs, "inputs"))
    return config


def _start_of(start: Optional[Start]) -> Optional[common_pb2.Start]:
    if start is None:
        return None
    message = common_pb2.Start()
    fill_start(message, start)
    return message
