"""A report says in every form what the server told, and judges it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest

import rtmixd
from rtmixd import Recording, Report, report
from rtmixd._enums import number_of, short_name
from rtmixd.v1 import action_pb2, common_pb2

GOOD = Report("a-1", kind="play", state="ended", end_reason="completed", touched="no")
XRUN = rtmixd.Xrun(60, "output", 3, 0.5, True, 60, 60)


def full_message() -> action_pb2.ActionReport:
    """A report in which every field has a value of its own."""
    message = action_pb2.ActionReport()
    fill(message, 1)
    return message


def fill(message: object, seed: int) -> None:
    for number, field in enumerate(message.DESCRIPTOR.fields, seed):  # type: ignore[attr-defined]
        if field.message_type is not None:
            child = getattr(message, field.name)
            is_list = hasattr(child, "add")
            fill(child.add() if is_list else child, number)
        elif field.enum_type is not None:
            setattr(message, field.name, 1 + number % (len(field.enum_type.values) - 1))
        elif hasattr(getattr(message, field.name), "extend"):
            getattr(message, field.name).extend([number, number + 1])
        elif isinstance(getattr(message, field.name), str):
            setattr(message, field.name, f"{field.name}-{number}")
        elif isinstance(getattr(message, field.name), bool):
            setattr(message, field.name, True)
        else:
            setattr(message, field.name, number)


def assert_same(told: object, read: object) -> None:
    for field in told.DESCRIPTOR.fields:  # type: ignore[attr-defined]
        expected, actual = getattr(told, field.name), getattr(read, field.name)
        if field.message_type is not None and hasattr(expected, "add"):
            assert len(expected) == len(actual)
            for one, other in zip(expected, actual):
                assert_same(one, other)
        elif isinstance(actual, datetime):
            assert expected.ToDatetime(timezone.utc) == actual, field.name
        elif field.message_type is not None:
            assert_same(expected, actual)
        elif field.enum_type is not None:
            name = field.enum_type.values_by_number[expected].name
            assert name.lower().endswith(actual), field.name
        elif isinstance(actual, tuple):
            assert list(expected) == list(actual), field.name
        else:
            assert expected == actual, field.name


def test_every_field_that_the_server_tells_is_there() -> None:
    message = full_message()
    assert_same(message, Report.from_proto(message))


def test_every_field_of_a_batch_is_there() -> None:
    message = action_pb2.BatchReport()
    fill(message, 1)
    read = rtmixd.BatchReport.from_proto(message)
    word = short_name("EndReason", message.ends[0].end_reason)
    assert read.ends == {word: message.ends[0].actions}
    assert read.to_dict()["xruns"][0]["frame"] == message.xruns[0].frame
    del message.ends[:]
    assert_same(message, rtmixd.BatchReport.from_proto(message))
    empty = rtmixd.BatchReport.from_proto(action_pb2.BatchReport(batch_id="t-1"))
    assert (empty.start_frame, empty.end_frame) == (None, None)


def test_what_is_absent_is_none() -> None:
    empty = Report.from_proto(action_pb2.ActionReport(action_id="a-1"))
    assert empty.start_frame is None
    assert empty.requested_start_frame is None
    assert empty.end_frame is None
    assert empty.total_frames is None
    assert empty.stats is None
    assert empty.origin_wall_time is None
    assert empty.origin_frame is None
    assert empty.start_wall_time is None
    assert empty.wall_clock_max_error_seconds is None
    assert empty.position_frames is None
    zero = Report.from_proto(
        action_pb2.ActionReport(start_frame=0, total_frames=0, position_frames=0)
    )
    assert (zero.start_frame, zero.total_frames, zero.position_frames) == (0, 0, 0)


@pytest.mark.parametrize(
    ("enum", "words"),
    [
        ("ActionKind", report.ActionKind),
        ("ActionState", report.ActionState),
        ("EndReason", report.EndReason),
        ("Touched", report.Touched),
        ("XrunSide", report.XrunSide),
        ("FadeShape", rtmixd.shaping.FadeShape),
        ("LatePolicy", rtmixd.specs.Late),
        ("UnderrunPolicy", rtmixd.specs.Underrun),
        ("XrunPolicy", rtmixd.specs.XrunPolicy),
        ("RecordSource", rtmixd.specs.Source),
        ("SampleFormat", rtmixd.samples.Wire),
        ("StreamState", rtmixd.info.StreamState),
        ("SessionState", rtmixd.info.SessionState),
        ("BufferState", rtmixd.info.BufferState),
    ],
)
def test_every_value_of_an_enum_has_its_word(enum: str, words: object) -> None:
    for module in (
        action_pb2,
        common_pb2,
        rtmixd.v1.stream_pb2,
        rtmixd.v1.session_pb2,
        rtmixd.v1.buffer_pb2,
    ):
        values = module.DESCRIPTOR.enum_types_by_name.get(enum)
        if values is not None:
            break
    numbers = [value.number for value in values.values if value.number]
    known = set(words.__args__) - {"unspecified"}  # type: ignore[attr-defined]
    assert {short_name(enum, number) for number in numbers} == known
    assert [number_of(enum, short_name(enum, number), "x") for number in numbers] == numbers


def test_a_value_of_a_newer_server_is_unspecified() -> None:
    assert short_name("EndReason", 99) == "unspecified"


def test_a_word_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(rtmixd.InvalidArgument, match="late is 'never'.*play, skip, trim") as caught:
        number_of("LatePolicy", "never", "late")
    assert caught.value.field == "late"
    with pytest.raises(rtmixd.InvalidArgument):
        number_of("LatePolicy", "unspecified", "late")


def test_what_went_well_passes() -> None:
    assert GOOD.ok
    assert GOOD.check() is GOOD
    assert replace(GOOD, end_reason="cancelled").ok
    assert replace(GOOD, state="done", touched="cannot_tell").ok


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        (
            {"touched": "yes", "xrun_count": 1, "xruns": (XRUN,)},
            rtmixd.TouchedByXrun,
            "1 xrun; .*3 f",
        ),
        ({"late_frames": 7}, rtmixd.Belated, "7 frames late when it started"),
        ({"end_reason": "skipped", "late_frames": 7}, rtmixd.Belated, "7.*skipped"),
        ({"end_reason": "underrun", "done_frames": 5}, rtmixd.Incomplete, "after 5.*underrun"),
        ({"kind": "change", "end_reason": "target_ended"}, rtmixd.Incomplete, "target_ended"),
        ({"end_reason": "stream_closed"}, rtmixd.Incomplete, "stream_closed"),
        ({"gap_count": 2, "gap_frames": 9}, rtmixd.Incomplete, "9 frames in 2 gaps"),
        ({"state": "active", "end_reason": "unspecified"}, rtmixd.Incomplete, "not done"),
        # The flaky rig before what may come from it.
        ({"touched": "yes", "xrun_count": 2, "late_frames": 7}, rtmixd.TouchedByXrun, "2 xruns"),
    ],
)
def test_what_went_wrong_is_named(change: dict, kind: type, says: str) -> None:
    bad = replace(GOOD, **change)
    assert not bad.ok
    with pytest.raises(kind, match=says) as caught:
        bad.check()
    assert caught.value.report is bad


def test_strictly_what_cannot_be_told_is_wrong_too() -> None:
    unknown = replace(GOOD, touched="cannot_tell")
    assert unknown.check() is unknown
    with pytest.raises(rtmixd.TouchedByXrun, match="may have been"):
        unknown.check(strict=True)


def test_json_holds_all_of_it() -> None:
    told = Report.from_proto(full_message(), 48000.0)
    parsed = json.loads(told.to_json())
    assert parsed == told.to_dict()
    assert set(parsed) == set(Report.__dataclass_fields__)
    assert parsed["xruns"][0]["frame"] == told.xruns[0].frame
    assert parsed["stats"]["blocks"]["blocks"] == told.stats.blocks.blocks  # type: ignore[union-attr]
    assert "\n" not in told.to_json(indent=None)


def test_repr_says_what_is_worth_knowing() -> None:
    text = repr(
        replace(
            GOOD,
            key="sweep",
            start_frame=100,
            end_frame=148,
            done_frames=48,
            total_frames=50,
            late_frames=2,
            xrun_count=1,
            gap_count=1,
            gap_frames=4,
            end_reason="cancelled",
            paused=True,
        )
    )
    assert text == (
        "<Report play sweep, ended, frames 100..148, 48 of 50 frames, cancelled, paused, 2 frames"
        " late, 1 gap of 4 frames, 1 xrun>"
    )
    change = replace(GOOD, kind="change", start_frame=100, end_reason="target_ended")
    assert repr(change) == "<Report change a-1, ended, frames 100.., target_ended>"


def test_a_recording_goes_wherever_an_array_goes() -> None:
    samples = np.array([[0.5, -1.0], [0.25, 0.0]], np.float32)
    recording = Recording(samples, 4.0, 100, replace(GOOD, kind="record"))
    assert np.asarray(recording) is samples
    assert np.asarray(recording, np.float64).dtype == np.float64
    assert np.array(recording) is not samples
    np.testing.assert_array_equal(np.abs(recording), np.abs(samples))
    assert len(recording) == 2
    assert recording.channels == 2
    assert recording.seconds == 0.5
    np.testing.assert_array_equal(recording[1:, 0], [0.25])
    assert repr(recording).startswith(
        "<Recording 2 frames (0.500 s) of 2 channels at 4 Hz, from frame 100, peak 1, <Report rec"
    )
