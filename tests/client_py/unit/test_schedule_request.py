"""A batch is encoded piece by piece: the bytes are those of the whole message."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rtmixd
from rtmixd import (
    Cancel,
    Change,
    Gain,
    Play,
    Record,
    Stats,
    after,
    at_end_of,
    at_frame,
    at_time,
    at_wall_time,
)
from rtmixd.aio._schedule_request import encode_request
from rtmixd.v1 import action_pb2, common_pb2

LATE = common_pb2.LATE_POLICY_PLAY
CONTINUE = common_pb2.XRUN_POLICY_CONTINUE


class Held:
    """A buffer."""

    def __init__(self, id: str = "b-1") -> None:  # noqa: A002
        self.id = id


def decoded(*wanted: Any) -> action_pb2.ScheduleActionsRequest:
    request = action_pb2.ScheduleActionsRequest(request_id="r", origin_frame=480)
    return action_pb2.ScheduleActionsRequest.FromString(encode_request(request, wanted))


def play(buffer_id: str = "b-1", **fields: Any) -> action_pb2.PlaySpec:
    return action_pb2.PlaySpec(
        buffer_id=buffer_id,
        xrun_policy=CONTINUE,
        channel_map=common_pb2.ChannelMap(channels=[1, 2]),
        **fields,
    )


def test_request_is_that_of_the_whole_message() -> None:
    buffer = Held()
    found = decoded(
        Play(buffer, [1, 2], key="first"),
        Play(buffer, (1, 2), start=after(300)),
        Play(buffer, np.array([1, 2]), start=at_frame(1 << 50), late="skip"),
        Play(Held("b-2"), [1, 2], start=at_time(2.5)),
        Play(buffer, [1, 2], start=at_end_of("first"), key="second"),
        Record(10, [3], start=after(0)),
        Cancel("first", start=after(7)),
        Change("second", Gain(0.5)),
        Stats(reset=True),
        Stats(),
    )
    start = common_pb2.Start
    spec = action_pb2.ActionSpec
    expected = action_pb2.ScheduleActionsRequest(
        request_id="r",
        origin_frame=480,
        actions=[
            spec(key="first", play=play()),
            spec(start=start(offset_frames=300), play=play()),
            spec(start=start(frame=1 << 50), late_policy=common_pb2.LATE_POLICY_SKIP, play=play()),
            spec(start=start(stream_time_seconds=2.5), play=play("b-2")),
            spec(
                key="second",
                start=start(after=common_pb2.ActionRef(key="first")),
                play=play(),
            ),
            spec(
                start=start(offset_frames=0),
                record=action_pb2.RecordSpec(
                    frames=10,
                    channel_map=common_pb2.ChannelMap(channels=[3]),
                    source=common_pb2.RECORD_SOURCE_INPUT,
                ),
            ),
            spec(start=start(offset_frames=7), cancel=action_pb2.CancelSpec(key="first")),
            spec(
                change=action_pb2.ChangeSpec(key="second", gain=common_pb2.GainChange(gain=0.5)),
            ),
            spec(stats=action_pb2.StatsSpec(reset_baseline=True)),
            spec(stats=action_pb2.StatsSpec()),
        ],
    )
    for action in expected.actions:
        action.late_policy = action.late_policy or LATE
    assert found == expected


@pytest.mark.parametrize("length", [0, 1, 31, 127, 128, 16383, 16384, 1 << 21])
def test_actions_of_every_length_are_told_apart(length: int) -> None:
    """The length goes before: one byte more for every seven bits."""
    silence = np.zeros(length // 4, np.float32)
    labels = ["x" * (length % 200), "second"]
    found = decoded(Play(silence), Record(label=labels[0]), Record(label=labels[1]))
    assert len(found.actions[0].play.inline_audio.data) == 4 * (length // 4)
    assert [action.record.label for action in found.actions[1:]] == labels


def test_each_of_many_has_its_start_and_no_other() -> None:
    starts = [0, 1, 127, 128, 1 << 20, (1 << 53) - 1]
    found = decoded(
        *(Play(Held(), start=after(frames)) for frames in starts), Play(Held()), Play(Held(), [1])
    )
    assert [action.start.offset_frames for action in found.actions[:-2]] == starts
    assert not any(action.HasField("start") for action in found.actions[-2:])
    assert not found.actions[-2].play.HasField("channel_map")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("outputs", [1.5]),
        ("outputs", 1),
        ("outputs", ["one"]),
        ("outputs", [[1]]),
        ("outputs", [1 << 40]),
        ("gain", "loud"),
        ("gain", [1.0]),
        ("late", "later"),
        ("late", ["play"]),
        ("xrun", "stop"),
        ("fade_in", 0.5),
        ("fade_out", [480]),
        ("offset_frames", 0.5),
        ("max_frames", "all"),
        ("loop", 1.5),
        ("max_frames", 1 << 63),
    ],
)
@pytest.mark.parametrize("sound", [Held(), np.ones(8)])
def test_what_cannot_be_is_refused_by_name(sound: Any, field: str, value: Any) -> None:
    with pytest.raises(rtmixd.InvalidArgument, match=f"^{field} is ") as caught:
        decoded(Play(sound, **{field: value}))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("make", "value"), [(after, 1.5), (after, "1"), (at_frame, 1.0), (at_time, "soon")]
)
def test_a_start_that_cannot_be_is_refused(make: Any, value: Any) -> None:
    with pytest.raises(rtmixd.InvalidArgument, match="^start is "):
        make(value)


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("key", lambda value: Play(Held(), key=value)),
        ("key", lambda value: Record(key=value)),
        ("label", lambda value: Record(label=value)),
    ],
)
@pytest.mark.parametrize(("value", "kind"), [(5, "int"), (2.5, "float"), ([1], "list")])
def test_a_name_that_is_no_string_is_refused(field: str, make: Any, value: Any, kind: str) -> None:
    with pytest.raises(rtmixd.InvalidArgument) as caught:
        decoded(make(value))
    assert str(caught.value) == f"{field} is {value!r}: it has to be a string, not {kind}"
    assert (caught.value.field, caught.value.value) == (field, repr(value))


@pytest.mark.parametrize("moment", ["noon", float("nan"), float("inf"), 1e30, None])
def test_a_moment_that_is_none_is_refused(moment: Any) -> None:
    with pytest.raises(rtmixd.InvalidArgument, match="^moment is "):
        at_wall_time(moment)


def test_a_name_that_cannot_be_sent_is_refused() -> None:
    lone = "half \ud800"
    for spec in (Record(label=lone), Stats(key=lone), Cancel(lone)):
        with pytest.raises(rtmixd.InvalidArgument, match="a string that UTF-8 can encode"):
            decoded(spec)
    with pytest.raises(rtmixd.InvalidArgument, match="^start is .* UTF-8"):
        at_end_of(lone)


def test_a_buffer_to_append_to_is_one() -> None:
    with pytest.raises(rtmixd.InvalidArgument, match="^buffer is 'b-1': .*a buffer of the server"):
        decoded(Record(buffer="b-1"))  # type: ignore[arg-type]


def test_a_record_of_half_a_frame_is_refused() -> None:
    with pytest.raises(rtmixd.InvalidArgument, match=r"^frames is 1\.5: .*whole number"):
        decoded(Record(1.5))  # type: ignore[arg-type]
    with pytest.raises(rtmixd.InvalidArgument, match=r"^inputs is \[0\.5\]"):
        decoded(Record(1, [0.5]))  # type: ignore[list-item]
