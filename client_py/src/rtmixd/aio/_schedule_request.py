"""What is to be scheduled, as the bytes of a ScheduleActionsRequest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional, Union

from rtmixd import shaping, specs
from rtmixd._arguments import flag, number, text, whole, whole_or_none
from rtmixd._enums import number_of
from rtmixd.aio import _convert
from rtmixd.aio._nested import opening, tag
from rtmixd.errors import InvalidArgument
from rtmixd.samples import Wire, encode, to_frames
from rtmixd.v1 import action_pb2, common_pb2

__all__ = ["encode_request", "played_frames", "sound_of"]

_ACTIONS_TAG = tag(action_pb2.ScheduleActionsRequest.ACTIONS_FIELD_NUMBER)
_START_TAG = tag(action_pb2.ActionSpec.START_FIELD_NUMBER)
# Plays of buffers, encoded but for key and start, by all that they say.
_Plays = dict[tuple[Any, ...], bytes]


def encode_request(
    request: action_pb2.ScheduleActionsRequest,
    wanted: Iterable[specs.Spec],
    wire: Wire = "float32",
) -> bytes:
    """Encode a request with its actions; a sound that is not a buffer travels inside.

    What plays of a buffer have in common is encoded once: the bytes of two messages, one after the
    other, are those of both merged (https://protobuf.dev/programming-guides/encoding, "Last One
    Wins"). With 1000 of them that takes a quarter of the time of filling 1000 messages, a sixth
    with protobuf 3.21.

    Parameters
    ----------
    request : ScheduleActionsRequest
        All but the actions.
    wanted : iterable of Spec
        The actions.
    wire : {"float32", "int16", "int24", "int32"}, optional
        How sounds travel.

    Returns
    -------
    bytes
        Of the whole request.

    Raises
    ------
    InvalidArgument
        Something cannot be; `field` says what.
    """
    parts = [request.SerializeToString()]
    plays: _Plays = {}
    start = common_pb2.Start()
    for spec in wanted:
        if isinstance(spec, specs.Play):
            body = _play_of_buffer(spec, plays) or _body(spec, wire)
        else:
            body = _body(spec, wire)
        placed = b""
        at = spec.start
        if at is not None:
            if type(at) is specs.Start and at.kind == "after":
                # What most are.
                start.offset_frames = at.value  # type: ignore[assignment]
            else:
                _convert.fill_start(start, at)
            encoded = start.SerializeToString()
            placed = opening(_START_TAG, len(encoded)) + encoded
        if type(spec.key) is not str or spec.key:
            placed += action_pb2.ActionSpec(key=text(spec.key, "key")).SerializeToString()
        parts += (opening(_ACTIONS_TAG, len(body) + len(placed)), body, placed)
    return b"".join(parts)


def _play_of_buffer(spec: specs.Play, plays: _Plays) -> Optional[bytes]:
    """Return a play of a buffer, encoded but for key and start; None if it is no such play."""
    buffer_id = specs.id_of(spec.sound)
    if buffer_id is None:
        return None
    try:
        what = (
            buffer_id,
            None if spec.outputs is None else tuple(spec.outputs),
            spec.gain,
            spec.late,
            spec.xrun,
            spec.fade_in,
            spec.fade_out,
            spec.offset_frames,
            spec.max_frames,
            # True is another loop than 1.
            None if spec.loop is None else _loop(spec.loop),
        )
        body = plays.get(what)
    except TypeError:
        # Nothing of it can be compared, so something is what it must not be.
        return None
    if body is None:
        body = plays[what] = _body(spec, "float32")
    return body


def _body(spec: specs.Spec, wire: Wire) -> bytes:
    """Encode an action but for key and start."""
    message = action_pb2.ActionSpec()
    if isinstance(spec, specs.Play):
        _fill_play(message.play, spec, wire)
    elif isinstance(spec, specs.Record):
        _fill_record(message.record, spec)
    elif isinstance(spec, specs.Cancel):
        _fill_target(message.cancel, spec.target)
        if spec.fade is not None:
            message.cancel.fade.CopyFrom(_convert.fade(spec.fade, "fade"))
    elif isinstance(spec, specs.Change):
        _fill_target(message.change, spec.target)
        _convert.fill_change(message.change, spec.to)
    elif isinstance(spec, specs.Stats):
        message.stats.reset_baseline = flag(spec.reset, "reset")
        message.stats.SetInParent()
    else:
        raise InvalidArgument(
            f"a Play, Record, Cancel, Change or Stats is wanted, not {spec!r}",
            field="specs",
            value=repr(spec),
        )
    message.late_policy = number_of("LatePolicy", spec.late, "late")
    return message.SerializeToString()  # type: ignore[no-any-return]


def _fill_target(message: Any, target: specs.AnyTarget) -> None:
    """Write which action a cancel or a change is about."""
    if isinstance(target, str):
        message.key = text(target, "target")
    else:
        message.action_id = specs.required_action_id(target, "target")


def _fill_play(message: action_pb2.PlaySpec, spec: specs.Play, wire: Wire) -> None:
    buffer_id = specs.id_of(spec.sound)
    if buffer_id is not None:
        message.buffer_id = buffer_id
    else:
        sound = sound_of(spec)
        message.inline_audio.channels = sound.shape[1]
        message.inline_audio.sample_format = _convert.sample_format(wire)
        message.inline_audio.data = encode(sound, wire)
    if spec.gain is not None:
        message.gain = number(spec.gain, "gain")
    if spec.outputs is not None:
        message.channel_map.CopyFrom(_convert.channel_map(spec.outputs, "outputs"))
    message.xrun_policy = number_of("XrunPolicy", spec.xrun, "xrun")
    if spec.fade_in is not None:
        message.fade_in.CopyFrom(_convert.fade(spec.fade_in, "fade_in"))
    if spec.fade_out is not None:
        message.fade_out.CopyFrom(_convert.fade(spec.fade_out, "fade_out"))
    message.offset_frames = whole(spec.offset_frames, "offset_frames")
    if spec.max_frames is not None:
        message.max_frames = whole(spec.max_frames, "max_frames")
    loop = _loop(spec.loop)
    if loop is not None:
        message.loop.CopyFrom(
            action_pb2.Loop(
                begin_frame=loop.begin_frame, end_frame=loop.end_frame, passes=loop.passes
            )
        )


def _fill_record(message: action_pb2.RecordSpec, spec: specs.Record) -> None:
    if spec.buffer is not None:
        buffer_id = specs.id_of(spec.buffer)
        if buffer_id is None:
            raise InvalidArgument(
                f"buffer is {spec.buffer!r}: it has to be a buffer of the server",
                field="buffer",
                value=repr(spec.buffer),
            )
        message.buffer_id = buffer_id
    if spec.frames is not None:
        message.frames = whole(spec.frames, "frames")
    if spec.inputs is not None:
        message.channel_map.CopyFrom(_convert.channel_map(spec.inputs, "inputs"))
    message.source = number_of("RecordSource", spec.source, "source")
    message.label = text(spec.label, "label")
    message.keep = flag(spec.keep, "keep")
    message.leave_open = flag(spec.leave_open, "leave_open")


def sound_of(spec: specs.Play) -> Any:
    """Return the sound of a play as (frames, channels) of float32."""
    channels = _convert.channel_map(spec.outputs, "outputs")
    count = None if channels is None else len(channels.channels)
    return to_frames(spec.sound, count or None)  # type: ignore[arg-type]


def played_frames(spec: specs.Play, sound_frames: int) -> int:
    """Return how many frames of a sound will sound.

    Raises
    ------
    InvalidArgument
        It has no end.
    """
    frames = max(0, sound_frames - whole(spec.offset_frames, "offset_frames"))
    limit = whole_or_none(spec.max_frames, "max_frames")
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


def _loop(how: Union[shaping.Loop, int, None]) -> Optional[shaping.Loop]:
    """Return a loop of what callers say, its numbers checked; None if nothing is repeated."""
    if how is None:
        return None
    if isinstance(how, bool):
        return shaping.Loop() if how else None
    if not isinstance(how, shaping.Loop):
        return shaping.Loop(whole(how, "loop"))
    return shaping.Loop(
        whole_or_none(how.passes, "loop.passes"),
        whole(how.begin_frame, "loop.begin_frame"),
        whole_or_none(how.end_frame, "loop.end_frame"),
    )
