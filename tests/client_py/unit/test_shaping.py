"""What callers say of fades, loops, follow-ons and changes becomes what the API says."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import pytest

import rtmixd
from rtmixd import (
    Cancel,
    Change,
    Fade,
    Gain,
    LeaveLoop,
    Loop,
    Pause,
    Play,
    Resume,
    after,
    at_end_of,
    playlist,
)
from rtmixd.aio import _convert
from rtmixd.aio._schedule_request import encode_request, played_frames
from rtmixd.aio._stream_config import play_config
from rtmixd.v1 import action_pb2, common_pb2

LINEAR = common_pb2.FADE_SHAPE_LINEAR
EQUAL_POWER = common_pb2.FADE_SHAPE_EQUAL_POWER


class Held:
    """A buffer or an action."""

    def __init__(self, id: str) -> None:  # noqa: A002
        self.id = id


class Stream:
    """A stream that plays, or plays and records."""

    def __init__(self, name: str) -> None:
        setattr(self, name, "a-9")


def converted(*wanted: Any) -> list[action_pb2.ActionSpec]:
    encoded = encode_request(action_pb2.ScheduleActionsRequest(request_id="r"), wanted)
    request = action_pb2.ScheduleActionsRequest.FromString(encoded)
    assert request.request_id == "r"
    return list(request.actions)


def play(**options: Any) -> action_pb2.PlaySpec:
    (action,) = converted(Play(Held("b-1"), **options))
    return action.play


def frames_that_sound(sound: int, offset: int, limit: Optional[int], loop: Optional[Loop]) -> int:
    """Walk through the sound frame by frame, as the API describes it."""
    at, count, passes = offset, 0, 0
    while at < sound and (limit is None or count < limit):
        count += 1
        at += 1
        end = sound if loop is None or loop.end_frame is None else loop.end_frame
        if loop is not None and at == end:
            passes += 1
            if loop.passes is None or passes < loop.passes:
                at = loop.begin_frame
    return count


def test_a_plain_play_says_nothing_of_them() -> None:
    message = play()
    assert [field.name for field, _ in message.ListFields()] == ["buffer_id", "xrun_policy"]


def test_a_number_of_frames_is_a_linear_fade() -> None:
    message = play(fade_in=480, fade_out=np.int64(7))
    assert (message.fade_in.frames, message.fade_in.shape) == (480, LINEAR)
    assert (message.fade_out.frames, message.fade_out.shape) == (7, LINEAR)


def test_a_fade_has_a_shape() -> None:
    message = play(fade_in=Fade(480, "equal_power"), fade_out=Fade(0))
    assert (message.fade_in.frames, message.fade_in.shape) == (480, EQUAL_POWER)
    assert message.HasField("fade_out")
    assert message.fade_out.frames == 0


def test_offset_and_length_are_said() -> None:
    message = play(offset_frames=12, max_frames=34)
    assert (message.offset_frames, message.max_frames) == (12, 34)
    assert not play(offset_frames=12).HasField("max_frames")


@pytest.mark.parametrize(
    ("said", "begin", "end", "passes"),
    [
        (True, 0, None, None),
        (1, 0, None, 1),
        (3, 0, None, 3),
        (Loop(), 0, None, None),
        (Loop(2, 10, 20), 10, 20, 2),
        (Loop(begin_frame=5), 5, None, None),
    ],
)
def test_a_loop_is_said(said: Any, begin: int, end: Optional[int], passes: Optional[int]) -> None:
    loop = play(loop=said).loop
    assert loop.begin_frame == begin
    assert (loop.end_frame if loop.HasField("end_frame") else None) == end
    assert (loop.passes if loop.HasField("passes") else None) == passes
    assert play(loop=said).HasField("loop")


def test_no_loop_is_none() -> None:
    assert not play(loop=False).HasField("loop")
    assert not play(loop=None).HasField("loop")


def test_plays_of_one_buffer_that_differ_in_shape_stay_apart() -> None:
    buffer = Held("b-1")
    loops = [
        action.play.loop for action in converted(Play(buffer, loop=1), Play(buffer, loop=True))
    ]
    assert [loop.HasField("passes") for loop in loops] == [True, False]
    several = converted(
        *(
            Play(buffer, **{name: 5})
            for name in ("fade_in", "fade_out", "offset_frames", "max_frames")
        ),
        Play(buffer, fade_in=Fade(5, "equal_power")),
        Play(buffer),
    )
    texts = {action.play.SerializeToString() for action in several}
    assert len(texts) == len(several)


def test_sounds_of_their_own_are_shaped_too() -> None:
    (action,) = converted(Play(np.ones(10), fade_in=3, loop=True, max_frames=25))
    assert len(action.play.inline_audio.data) == 40
    assert action.play.fade_in.frames == 3
    assert action.play.max_frames == 25
    assert action.play.HasField("loop")


def test_a_start_follows_a_key_an_action_or_a_stream() -> None:
    messages = converted(
        Play([0.5], start=at_end_of("first")),
        Play([0.5], start=at_end_of(Held("a-3"))),
        Play([0.5], start=at_end_of(Stream("action_id"))),
        Play([0.5], start=at_end_of(Stream("play_action_id"))),
        Play([0.5], start=at_end_of(rtmixd.Report("a-4"))),
    )
    assert messages[0].start.after.key == "first"
    assert [message.start.after.action_id for message in messages[1:]] == [
        *("a-3", "a-9", "a-9", "a-4"),
    ]


def test_an_origin_follows_nothing() -> None:
    request = action_pb2.ScheduleActionsRequest()
    for start in (at_end_of("first"), after(5)):
        with pytest.raises(rtmixd.InvalidArgument, match="origin is"):
            _convert.fill_origin(request, start)


def test_a_cancel_may_fade_and_is_about_an_action_or_a_stream() -> None:
    plain, fading, stream = converted(
        Cancel("long"),
        Cancel(Held("a-3"), fade=Fade(240, "equal_power")),
        Cancel(Stream("action_id"), fade=1),
    )
    assert plain.cancel.key == "long"
    assert not plain.cancel.HasField("fade")
    assert fading.cancel.action_id == "a-3"
    assert (fading.cancel.fade.frames, fading.cancel.fade.shape) == (240, EQUAL_POWER)
    assert (stream.cancel.action_id, stream.cancel.fade.frames) == ("a-9", 1)


def test_changes_are_about_an_action_and_say_what() -> None:
    gain, fading, pause, resume, leave, cut = (
        action.change
        for action in converted(
            Change("pad", Gain(0.0)),
            Change(Held("a-3"), Gain(0.5, Fade(100, "equal_power")), start=after(7)),
            Change("pad", Pause()),
            Change("pad", Resume()),
            Change("pad", LeaveLoop()),
            Change(Stream("action_id"), LeaveLoop(at_once=True)),
        )
    )
    assert gain.key == "pad"
    assert (gain.WhichOneof("change"), gain.gain.gain) == ("gain", 0.0)
    assert not gain.gain.HasField("fade")
    assert fading.action_id == "a-3"
    assert (fading.gain.gain, fading.gain.fade.frames) == (0.5, 100)
    assert fading.gain.fade.shape == EQUAL_POWER
    assert pause.WhichOneof("change") == "pause"
    assert resume.WhichOneof("change") == "resume"
    assert (leave.WhichOneof("change"), leave.leave_loop.at_once) == ("leave_loop", False)
    assert (cut.action_id, cut.leave_loop.at_once) == ("a-9", True)


def test_streams_take_fades_and_a_length() -> None:
    config = play_config(
        *(2, None, None, at_end_of(Held("a-3")), "play", "silence", "continue", 0, 0),
        fade_in=5,
        fade_out=Fade(6, "equal_power"),
        max_frames=100,
    )
    assert config.start.after.action_id == "a-3"
    assert (config.fade_in.frames, config.fade_in.shape) == (5, LINEAR)
    assert (config.fade_out.frames, config.fade_out.shape) == (6, EQUAL_POWER)
    assert config.max_frames == 100


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Play([0.5], fade_in=0.5), "fade_in"),  # type: ignore[arg-type]
        (Play([0.5], fade_out=Fade(0.5)), "fade_out.frames"),  # type: ignore[arg-type]
        (Play([0.5], fade_in=Fade(5, "cubic")), "fade_in.shape"),  # type: ignore[arg-type]
        (Play([0.5], offset_frames=0.1), "offset_frames"),  # type: ignore[arg-type]
        (Play([0.5], max_frames="long"), "max_frames"),  # type: ignore[arg-type]
        (Play([0.5], loop=1.5), "loop"),  # type: ignore[arg-type]
        (Play([0.5], loop=Loop(1.5)), "loop.passes"),  # type: ignore[arg-type]
        (Play([0.5], loop=Loop(1, 0.5)), "loop.begin_frame"),  # type: ignore[arg-type]
        (Play([0.5], loop=Loop(1, 0, 0.5)), "loop.end_frame"),  # type: ignore[arg-type]
        (Cancel("long", fade=0.5), "fade"),  # type: ignore[arg-type]
        (Cancel(7), "target"),  # type: ignore[arg-type]
        (Change(7, Pause()), "target"),  # type: ignore[arg-type]
        (Change("pad", "pause"), "change"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_said_is_refused_by_its_name(wanted: Any, field: str) -> None:
    with pytest.raises(rtmixd.InvalidArgument) as caught:
        converted(wanted)
    assert caught.value.field == field
    assert caught.value.value


def test_nothing_follows_a_number() -> None:
    with pytest.raises(rtmixd.InvalidArgument, match="start is 480: .* a key, an action"):
        at_end_of(480)  # type: ignore[arg-type]


def test_frames_that_will_sound_are_counted() -> None:
    loops = [None, Loop(1), Loop(3), Loop(2, 1, 4), Loop(1, 3, 5), Loop(4, 2), Loop(5, 0, 6)]
    checked = 0
    for loop in [*loops, Loop(), Loop(None, 2, 5)]:
        for offset in range(7):
            if loop is not None and offset >= (loop.end_frame or 6):
                continue
            for limit in (None, 1, 5, 6, 7, 11, 100):
                if limit is None and loop is not None and loop.passes is None:
                    continue
                spec = Play([0.5], offset_frames=offset, max_frames=limit, loop=loop)
                expected = frames_that_sound(6, offset, limit, loop)
                assert played_frames(spec, 6) == expected, spec
                checked += 1
    assert checked > 300


def test_what_has_no_end_has_no_length() -> None:
    with pytest.raises(rtmixd.InvalidArgument) as caught:
        played_frames(Play([0.5], loop=True), 6)
    assert caught.value.field == "loop.passes"


def test_a_playlist_is_a_chain() -> None:
    ready = Play(Held("b-2"), outputs=[5], key="own", start=after(99), fade_in=7)
    plays = playlist([Held("b-1"), ready, np.ones(3)], after(10), outputs=[1, 2], gain=0.5)
    assert [one.key for one in plays] == ["playlist-0", "own", "playlist-2"]
    assert [one.start for one in plays] == [
        after(10),
        at_end_of("playlist-0"),
        at_end_of("own"),
    ]
    assert [one.outputs for one in plays] == [[1, 2], [5], [1, 2]]
    assert [one.gain for one in plays] == [0.5, None, 0.5]
    assert plays[1].fade_in == 7
    assert ready.start == after(99)


def test_a_playlist_may_be_empty_and_begins_at_the_origin() -> None:
    assert playlist([]) == []
    (only,) = playlist([[0.5]], key="intro")
    assert only.start is None
    assert only.key == "intro-0"
