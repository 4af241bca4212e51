"""A session on a server with a virtual device, whose output n comes back at input n.

The device's input and output latencies are 256 frames each: what is played at frame f is recorded
at frame f + 512, bit by bit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stream_rig import noise, run

import rtmixd
from rtmixd import Cancel, Play, Record, Stats, _methods, after, aio, at_frame, at_time
from rtmixd.aio._connection import Connection
from rtmixd.local_server import LocalServer

LATENCY_FRAMES = 512
RATE_HZ = 48000


async def soon(client: aio.Client, frames: int = 24000) -> int:
    """A frame that is not long ahead, but enough for a machine that stalls."""
    return (await client.clock()).next_frame + frames


def test_playrec_is_aligned_and_the_same_bit_by_bit(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session("me") as session:
            sound = noise(9600, 2)
            recording, report = await session.playrec(
                sound, outputs=[3, 5], inputs=[5, 3, 1], tail=0.01
            )
            assert recording.samples.shape == (9600 + 480, 3)
            np.testing.assert_array_equal(recording.samples[:9600, 1], sound[:, 0])
            np.testing.assert_array_equal(recording.samples[:9600, 0], sound[:, 1])
            np.testing.assert_array_equal(recording.samples[9600:], 0)
            np.testing.assert_array_equal(recording.samples[:, 2], 0)
            assert recording.sample_rate_hz == RATE_HZ
            assert report is recording.report
            assert report.check(strict=True).ended
            played = recording.play_report
            assert played is not None
            assert played.check(strict=True).done_frames == 9600
            assert report.start_frame == recording.start_frame
            assert report.start_frame == played.start_frame + LATENCY_FRAMES
            assert report.sample_rate_hz == RATE_HZ

    run(test())


def test_playrec_is_one_round_trip_to_schedule_and_one_to_fetch(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: list[str] = []

    def note(name: str) -> None:
        original = getattr(Connection, name)

        def noted(self: Connection, method: Any, *arguments: Any, **options: Any) -> Any:
            paths.append(method.path.rsplit("/")[-1])
            return original(self, method, *arguments, **options)

        monkeypatch.setattr(Connection, name, noted)

    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            # The stream of reports is there from the first action on.
            await session.play(np.zeros(0), until="done")
            for name in ("call", "stream", "send"):
                note(name)
            await session.playrec(noise(4800, 1), [1], [1], tail=0.1)
            waited_for = [path for path in paths if path != "DeleteBuffer"]
            assert waited_for == ["ScheduleActions", "DownloadBuffer"]

    run(test())


@pytest.mark.parametrize("wire", ["int16", "int24", "int32"])
def test_integers_travel_both_ways(server: LocalServer, wire: rtmixd.samples.Wire) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = noise(1000, 1)
            recording, _ = await session.playrec(sound, [1], [1], wire=wire, until="done")
            sent = rtmixd.samples.decode(rtmixd.samples.encode(sound, wire), 1, wire)
            np.testing.assert_array_equal(recording.samples, sent)

    run(test())


def test_a_mono_sound_is_put_on_all_outputs(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = np.array([1000, -2000, 3000] * 100, np.int16)
            recording, _ = await session.playrec(sound, [2, 4], [2, 3, 4], until="done")
            np.testing.assert_array_equal(recording.samples[:, 0], sound / np.float32(32768))
            np.testing.assert_array_equal(recording.samples[:, 2], recording.samples[:, 0])
            np.testing.assert_array_equal(recording.samples[:, 1], 0)

    run(test())


def test_a_long_sound_is_uploaded_and_leaves_nothing_behind(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            # 4.2 MB, which a request does not carry.
            sound = noise(RATE_HZ * 11 // 5, 10)
            batch = await session.schedule(
                [
                    Record(4800, inputs=[1], source="output", key="record"),
                    Play(sound[:, 0:1].repeat(10, 1), outputs=[1] * 10, gain=0.1, key="play"),
                ]
            )
            assert batch["play"].buffer_id
            recording = await batch["record"].recording()
            np.testing.assert_allclose(recording.samples, sound[:4800, :1], atol=1e-6)
            await batch.cancel()
            report = await batch["play"].wait()
            assert report.end_reason == "cancelled"
            ids = [buffer.id for buffer in await session.buffers()]
            assert batch["play"].buffer_id not in ids

    run(test())


def test_a_batch_keeps_its_distances(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            origin = await soon(client)
            click = np.ones(1, np.float32)
            batch = await session.schedule(
                [
                    Record(1000, inputs=[1], source="output", key="record"),
                    Play(click, key="first"),
                    Play(click, gain=0.5, start=after(100), key="second"),
                    Play(click, gain=0.25, start=at_frame(origin + 300)),
                    Stats(start=after(500), key="stats"),
                ],
                at_frame(origin),
            )
            assert batch.origin_frame == origin
            assert len(batch) == 5
            assert [action.key for action in batch] == ["record", "first", "second", "", "stats"]
            assert batch["second"] is batch[2]
            assert batch[2].report.requested_start_frame == origin + 100
            with pytest.raises(KeyError):
                batch["third"]
            reports = await batch.wait(until="done")
            assert [report.start_frame for report in reports[:4]] == [
                origin,
                origin,
                origin + 100,
                origin + 300,
            ]
            stats = (await batch["stats"].wait()).stats
            assert stats is not None
            assert stats.until_frame >= origin + 500
            samples = (await batch["record"].recording()).samples[:, 0]
            expected = np.zeros(1000, np.float32)
            expected[[0, 100, 300]] = [1, 0.5, 0.25]
            np.testing.assert_array_equal(samples, expected)

    run(test())


def test_a_stream_time_is_the_moment_at_the_converter(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            frame = await soon(client)
            batch = await session.schedule(
                [Play(np.ones(10), start=at_time(frame / RATE_HZ)), Record(10)],
                at_time(frame / RATE_HZ),
            )
            reports = await batch.wait(until="done")
            assert reports[0].start_frame == frame - LATENCY_FRAMES // 2
            assert reports[1].start_frame == frame + LATENCY_FRAMES // 2

    run(test())


def test_a_cancel_ends_another_to_the_sample(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            batch = await session.schedule(
                [
                    Play(np.ones(48000), key="long"),
                    Cancel("long", start=after(777)),
                ]
            )
            report = await batch["long"].wait(until="done")
            assert (report.end_reason, report.done_frames) == ("cancelled", 777)
            later = await session.schedule(Play(np.ones(480000)))
            end = await soon(client)
            ending = await session.schedule(Cancel(later[0], start=at_frame(end)))
            assert (await later[0].wait(until="done")).end_frame == end
            assert (await ending[0].wait()).target_action_id == later[0].id

    run(test())


def test_what_was_heard_already_can_be_recorded(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = noise(2400, 1)
            played = await session.play(sound, [1], until="done")
            recording, report = await session.rec(
                2400, [1], source="output", start=at_frame(played.start_frame), until="done"
            )
            np.testing.assert_array_equal(recording.samples, sound)
            assert report.start_frame == played.start_frame
            assert report.late_frames == 0
            other, _ = await session.rec(seconds=0.05, inputs=[1], until="done")
            assert len(other) == 2400

    run(test())


def test_what_is_too_late_is_belated(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            late = at_frame((await client.clock()).next_frame - 4800)
            report = await session.play(np.ones(100), late="skip", start=late)
            assert report.end_reason == "skipped"
            with pytest.raises(rtmixd.Belated) as caught:
                report.check()
            assert caught.value.report is report
            assert report.late_frames >= 4800

    run(test())


def test_reports_are_pushed(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            frame = await soon(client)
            (action,) = await session.schedule(Play(np.ones(4800), start=at_frame(frame)))
            assert action.report.state == "pending"
            assert not action.done
            report = await action.wait(until="done")
            assert action.done
            assert report.done_frames == 4800
            final = await action.wait()
            assert final.ended
            assert action.report is final
            # There is nothing to wait for any more.
            assert await action.wait(timeout=0) is final

    run(test())


def test_a_wait_that_takes_too_long_leaves_the_action_alone(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            (action,) = await session.schedule(Record(key="endless"))
            with pytest.raises(rtmixd.Timeout, match="record endless goes on after 0.05 s"):
                await action.wait(0.05)
            with pytest.raises(rtmixd.Timeout, match="1 of 1 actions go on"):
                await session.wait([action], timeout=0.05)
            report = await action.cancel()
            assert report.state in ("active", "done", "ended", "pending")
            assert (await action.wait(until="done")).end_reason == "cancelled"
            again = await action.cancel()
            assert again.end_reason == "cancelled"

    run(test())


def test_play_that_takes_too_long_is_cancelled(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            with pytest.raises(rtmixd.Timeout):
                await session.play(np.ones(RATE_HZ * 60, np.float32), timeout=0.05)
            (action,) = await session.actions()
            assert (await action.wait(until="done")).end_reason == "cancelled"

    run(test())


def test_a_task_that_is_cancelled_cancels_its_play(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            playing = asyncio.ensure_future(session.play(np.ones(RATE_HZ * 60, np.float32)))
            async for entry in client.events(0, ["action_started"]):
                if entry.session_id == session.id:
                    break
            playing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await playing
            (action,) = await session.actions()
            assert (await action.wait(until="done")).end_reason == "cancelled"

    run(test())


def test_an_action_that_is_listed_before_its_batch_was_answered_is_told_of_its_end(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            listed = asyncio.Event()
            call = Connection.call

            async def late(self: Connection, method: Any, *arguments: Any, **options: Any) -> Any:
                response = await call(self, method, *arguments, **options)
                if method is _methods.SCHEDULE_ACTIONS:
                    await listed.wait()
                return response

            monkeypatch.setattr(Connection, "call", late)
            playing = asyncio.ensure_future(session.play(np.ones(RATE_HZ * 60, np.float32)))
            async for entry in client.events(0, ["action_started"]):
                if entry.session_id == session.id:
                    break
            (action,) = await session.actions()
            playing.cancel()
            listed.set()
            # Its traceback keeps the batch alive.
            with pytest.raises(asyncio.CancelledError):
                await playing
            assert (await action.wait(until="done")).end_reason == "cancelled"
            assert await session.actions() == [action]

    run(test())


def test_the_first_of_several_is_waited_for(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            batch = await session.schedule([Record(key="endless"), Play(np.ones(10), key="short")])
            reports = await session.wait(batch, first=True, until="done")
            assert [report.done for report in reports] == [False, True]
            ended = await session.cancel()
            assert [report.key for report in ended] == ["endless"]
            assert {report.key for report in await session.wait(until="done")} <= {"endless"}

    run(test())


def test_actions_are_the_same_objects(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            batch = await session.schedule([Record(), Play([0.5])])
            assert await session.actions() == batch.actions
            assert all(a is b for a, b in zip(await session.actions(), batch))
            await batch.cancel()
            await batch.wait(until="done")
            assert await session.actions(active_only=True) == []

    run(test())


def test_a_repeated_request_does_nothing_more(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            first = await session.schedule(Play([0.5]), request_id="once")
            second = await session.schedule(Play([0.5]), request_id="once")
            assert first[0].id == second[0].id
            assert len(await session.actions()) == 1
            with pytest.raises(rtmixd.RequestIdReused):
                await session.schedule(Play([0.25]), request_id="once")

    run(test())


# What is called with what, and the argument that is refused.
WRONG: list[tuple[str, Callable[[aio.Client, aio.Session], Any]]] = [
    ("label", lambda client, _: client.session(5)),  # type: ignore[arg-type]
    ("label", lambda client, _: client.lease(b"ci")),  # type: ignore[arg-type]
    ("wait", lambda client, _: client.lease(wait="long")),  # type: ignore[arg-type]
    ("token", lambda client, _: client.join(None)),  # type: ignore[arg-type]
    ("token", lambda client, _: client.join("t-1\n")),
    ("session_id", lambda client, _: client.break_session(7)),  # type: ignore[arg-type]
    ("reason", lambda client, _: client.break_session("s", 7)),  # type: ignore[arg-type]
    ("sample_rate_hz", lambda client, _: client.check_settings(sample_rate_hz="cd")),  # type: ignore[arg-type]
    ("input", lambda client, _: client.check_settings(input="mic")),  # type: ignore[arg-type]
    (
        "output.device",
        lambda client, _: client.check_settings(
            output=rtmixd.DirectionSettings(device=3)  # type: ignore[arg-type]
        ),
    ),
    (
        "output.latency",
        lambda client, _: client.check_settings(output=rtmixd.DirectionSettings(latency=[])),
    ),
    ("block_frames", lambda _, session: session.open_stream(block_frames=1 << 40)),
    ("key", lambda _, session: session.schedule(Play([0.5], key=5))),  # type: ignore[arg-type]
    ("request_id", lambda _, session: session.schedule([], request_id=5)),  # type: ignore[arg-type]
    ("label", lambda _, session: session.buffer(1, label=5)),  # type: ignore[arg-type]
    ("label", lambda _, session: session.upload([0.5], label=5)),  # type: ignore[arg-type]
    ("channels", lambda _, session: session.buffer("two")),  # type: ignore[arg-type]
    ("channels", lambda _, session: session.buffer(1 << 31)),
    ("expected_frames", lambda _, session: session.buffer(1, expected_frames=0.5)),  # type: ignore[arg-type]
    ("id", lambda _, session: session.open_buffer(5)),  # type: ignore[arg-type]
    ("id", lambda _, session: session.delete_calibration(5)),  # type: ignore[arg-type]
    ("id", lambda _, session: session.fetch_spooled(5)),  # type: ignore[arg-type]
    ("id", lambda _, session: session.delete_spooled(5)),  # type: ignore[arg-type]
    ("frame", lambda _, session: session.cancel(frame="now")),  # type: ignore[arg-type]
    ("frame", lambda _, session: session.set_gain(0.5, frame=0.5)),  # type: ignore[arg-type]
    ("frame", lambda _, session: session.pause(frame="now")),  # type: ignore[arg-type]
    ("actions", lambda _, session: session.cancel(["a-1"])),  # type: ignore[list-item]
    ("timeout", lambda _, session: session.wait(timeout="long")),  # type: ignore[arg-type]
    ("seed", lambda _, session: session.measure_latency(seed="one")),  # type: ignore[arg-type]
    ("repeats", lambda _, session: session.measure_latency(repeats="two")),  # type: ignore[arg-type]
    ("unread_frames", lambda _, session: session.open_record(unread_frames="x")),  # type: ignore[arg-type]
    ("until", lambda _, session: session.play([0.5], until="soon")),  # type: ignore[arg-type]
    ("until", lambda _, session: session.rec(10, until="soon")),  # type: ignore[arg-type]
    ("until", lambda _, session: session.playrec([0.5], until="soon")),  # type: ignore[arg-type]
    ("timeout", lambda _, session: session.play([0.5], timeout="1")),  # type: ignore[arg-type]
    ("gain", lambda _, session: session.play([0.5], gain="1")),  # type: ignore[arg-type]
    ("actions", lambda _, session: session.wait(["a-1"])),  # type: ignore[list-item]
    ("measurement", lambda _, session: session.set_calibration(5)),  # type: ignore[arg-type]
    ("outputs", lambda _, session: session.open_play(outputs=5)),  # type: ignore[arg-type]
    ("callback", lambda _, session: session.open_play(1, callback=5)),  # type: ignore[arg-type]
    ("callback", lambda _, session: session.open_record(callback=5)),  # type: ignore[arg-type]
    ("callback_frames", lambda _, session: session.open_play(1, callback_frames=0)),
    ("faults", lambda _, session: session.load_script([5])),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("field", "call"), WRONG)
def test_arguments_of_the_wrong_type_are_refused_by_name(
    server: LocalServer, field: str, call: Callable[[aio.Client, aio.Session], Any]
) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            with pytest.raises(rtmixd.InvalidArgument, match=f"^{field} is ") as caught:
                await call(client, session)
            assert caught.value.field == field
            assert await session.actions() == []

    run(test())


def test_refusals_name_the_field(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            with pytest.raises(rtmixd.InvalidArgument) as caught:
                await session.schedule([Play([0.5]), Play([0.5], outputs=[9])])
            assert caught.value.field == "actions[1].play.channel_map.channels[0]"
            assert caught.value.value == "9"
            assert caught.value.reason == "bad_field"
            with pytest.raises(rtmixd.InvalidArgument, match="late is 'soon'"):
                await session.play([0.5], late="soon")  # type: ignore[arg-type]
            with pytest.raises(rtmixd.InvalidArgument, match="either frames or seconds"):
                await session.rec()
            with pytest.raises(rtmixd.InvalidArgument, match="start is 7"):
                await session.play([0.5], start=7)  # type: ignore[arg-type]
            with pytest.raises(rtmixd.InvalidArgument, match="origin is 7"):
                await session.schedule(rtmixd.Play([0.5]), origin=7)  # type: ignore[arg-type]
            with pytest.raises(rtmixd.InvalidArgument, match="it is made by at_frame"):
                await session.schedule(rtmixd.Play([0.5]), origin=rtmixd.after(7))
            with pytest.raises(rtmixd.InvalidArgument, match="outputs is 'ab'"):
                await session.play([0.5], "ab")  # type: ignore[arg-type]
            with pytest.raises(rtmixd.InvalidArgument, match="ttl"):
                await client.session(ttl=float("nan"))
            with pytest.raises(rtmixd.InvalidArgument, match="seconds is 'long'"):
                await session.rec(seconds="long")  # type: ignore[arg-type]
            with pytest.raises(rtmixd.InvalidArgument, match="tail is inf"):
                await session.playrec([0.5], tail=float("inf"))
            with pytest.raises(rtmixd.InvalidArgument, match="wire is 'int8'"):
                await session.rec(10, wire="int8")  # type: ignore[arg-type]
            with pytest.raises(rtmixd.InvalidArgument, match="wire is 'int8'"):
                await session.playrec([0.5], wire="int8")  # type: ignore[arg-type]
            with pytest.raises(rtmixd.InvalidArgument, match="channels is 'two'"):
                await session.open_play("two")  # type: ignore[arg-type]
            with pytest.raises(rtmixd.InvalidArgument, match=r"inputs is \[1\.5\]"):
                await session.open_record([1.5])  # type: ignore[list-item]
            for nothing in ("x", 5, [5]):
                with pytest.raises(rtmixd.InvalidArgument, match="Play, Record, Cancel, Change"):
                    await session.schedule(nothing)  # type: ignore[arg-type]
            most = (await client.info()).limits.max_batch_actions
            with pytest.raises(rtmixd.LimitExceeded) as limited:
                await session.schedule([Play(np.zeros(0))] * (most + 1))
            assert limited.value.field == "max_batch_actions"
            assert await session.actions() == []

    run(test())


def test_stats_count_from_the_reset(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            first = await session.stats(reset=True)
            second = await session.stats()
            assert first.since_frame < first.until_frame <= second.since_frame + 8192
            assert second.since_frame >= first.until_frame
            assert len(second.clipped_samples) == 8

    run(test())


def test_five_hundred_waits_are_no_threads(server: LocalServer) -> None:
    import pathlib

    def threads() -> int:
        return len(list(pathlib.Path("/proc/self/task").iterdir()))

    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            # The first wait, so that all is there that waiting needs.
            await session.play(np.ones(480), until="done")
            batch = await session.schedule([Record(key=str(i)) for i in range(500)])
            before = threads()
            waits = [asyncio.ensure_future(action.wait(until="done")) for action in batch]
            # Each of them is under way when a call has gone there and back.
            await client.clock()
            assert not any(wait.done() for wait in waits)
            assert threads() <= before
            await batch.cancel()
            reports = await asyncio.gather(*waits)
            assert {report.end_reason for report in reports} == {"cancelled"}
            assert threads() <= before

    run(test())
