"""Several servers that start at the same moment: both on this machine, whose wall clock they share.

All has to be prepared and committed before the moment, also on a machine that stalls.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from stream_rig import noise, run

import rtmixd
from rtmixd import Play, Record, after, aio, at_frame, at_wall_time
from rtmixd.local_server import LocalServer

AHEAD_SECONDS = 8.0
RATE_HZ = 48000


@pytest.fixture(scope="module")
def second() -> Iterator[LocalServer]:
    """Another one beside `server`, whose clock runs 100 ppm fast."""
    with LocalServer(["--clock-error-ppm", "100"]) as server:
        yield server


def test_all_start_at_the_moment(server: LocalServer, second: LocalServer) -> None:
    async def test() -> None:
        async with (
            aio.Client(server.target) as one,
            aio.Client(second.target) as two,
            one.session("one") as first,
            two.session("two") as other,
        ):
            moment = datetime.now(timezone.utc) + timedelta(seconds=AHEAD_SECONDS)
            async with aio.Ensemble([first, other]) as ensemble:
                await ensemble.start(
                    [Play(noise(4800, 1), outputs=[1]), [Play(noise(480, 1)), Record(480)]],
                    at_wall_time(moment),
                )
                report = await ensemble.wait(timeout=60)
            assert report.ok
            assert not report.silent
            assert report.in_doubt == ()
            assert [part.target for part in report.parts] == [one.target, two.target]
            for part in report.parts:
                assert part.error is None
                assert part.origin_frame == part.reports[0].start_frame
                assert part.reports[0].origin_wall_time is not None
                assert abs(part.reports[0].origin_wall_time - moment) <= timedelta(microseconds=1)
                assert part.uncertainty_frames is not None
                assert part.start_wall_time is not None
                off_frames = (part.start_wall_time - moment).total_seconds() * RATE_HZ
                assert abs(off_frames) <= part.uncertainty_frames + 0.5
                json.loads(part.reports[0].to_json())
            assert report.spread_seconds is not None
            assert report.spread_seconds < 0.01

    run(test())


def test_one_refusal_and_nothing_sounds_anywhere(server: LocalServer, second: LocalServer) -> None:
    async def test() -> None:
        async with (
            aio.Client(server.target) as one,
            aio.Client(second.target) as two,
            one.session("one") as first,
            two.session("two") as other,
        ):
            ensemble = aio.Ensemble([first, other])
            with pytest.raises(rtmixd.EnsembleError, match=two.target) as caught:
                await ensemble.start(
                    [Play(noise(480, 1)), Play(noise(480, 1), outputs=[99])],
                    at_wall_time(time.time() + AHEAD_SECONDS),
                )
            report = caught.value.report
            assert report.silent
            assert report.in_doubt == ()
            assert isinstance(report.parts[1].error, rtmixd.InvalidArgument)
            assert report.parts[0].reports[0].end_reason == "cancelled"
            assert await other.actions() == []

    run(test())


def test_a_server_that_is_gone_at_the_commit_is_in_doubt_and_the_others_are_silent(
    server: LocalServer, other_server: LocalServer
) -> None:
    async def test() -> None:
        async with (
            aio.Client(server.target) as one,
            aio.Client(other_server.target) as two,
            one.session("one") as first,
            two.session("two") as other,
        ):
            ensemble = aio.Ensemble([first, other])
            sounds = [Play(noise(480, 1)), Play(noise(480, 1))]
            await ensemble.prepare(sounds, at_wall_time(time.time() + 2 * AHEAD_SECONDS))
            # Not in peace, since then it says that nothing of it will sound.
            os.kill(other_server.pid, signal.SIGKILL)
            with pytest.raises(rtmixd.EnsembleError, match="some may sound") as caught:
                await ensemble.commit()
            report = caught.value.report
            assert report.parts[0].silent
            assert report.in_doubt == (two.target,)
            assert not report.silent

    run(test())


def test_what_is_prepared_and_left_is_cancelled(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session("me") as session:
            async with aio.Ensemble([session]) as ensemble:
                await ensemble.prepare([Play(noise(480, 1))], at_wall_time(time.time() + 600))
                (batch,) = ensemble.batches
                assert batch.origin_frame is None
            assert batch[0].report.end_reason == "cancelled"
            with pytest.raises(rtmixd.WrongState):
                await batch.commit()

    run(test())


def test_a_batch_that_is_not_committed_in_time_never_sounds(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session("me") as session:
            frame = (await client.clock()).next_frame + RATE_HZ
            batch = await session.schedule(Play(noise(480, 1)), at_frame(frame), prepare=True)
            (report,) = await batch.wait(timeout=60)
            assert report.end_reason == "not_committed"
            assert report.start_frame is None
            with pytest.raises(rtmixd.WrongState):
                await batch.commit()

    run(test())


def test_a_prepared_batch_without_an_origin_starts_when_it_is_committed(
    server: LocalServer,
) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session("me") as session:
            batch = await session.schedule(Play(noise(480, 1), start=after(7)), prepare=True)
            before = (await client.clock()).next_frame
            await batch.commit()
            (report,) = await batch.wait(timeout=60)
            assert report.check().start_frame is not None
            assert report.start_frame >= before

    run(test())


def test_a_member_has_no_wall_time_of_its_own(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session("me") as session:
            with pytest.raises(rtmixd.InvalidArgument) as refused:
                await session.schedule(Play(noise(480, 1), start=at_wall_time(time.time())))
            assert refused.value.field == "actions[0].start.wall_time"

    run(test())


def test_streams_start_at_a_moment(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session("me") as session:
            moment = datetime.now(timezone.utc) + timedelta(seconds=AHEAD_SECONDS / 2)
            start = at_wall_time(moment)
            async with session.open_play(1, outputs=[1], start=start) as play:
                await play.write(noise(480, 1))
                await play.end()
                async with session.open_record([1], frames=480, start=start) as record:
                    heard = await record.read(480, timeout=60)
                    recorded = await record.wait(timeout=60)
                played = await play.wait(timeout=60)
            assert heard.shape == (480, 1)
            for report in (played, recorded):
                assert report.check().start_frame is not None
                assert report.origin_wall_time is not None
                assert abs(report.origin_wall_time - moment) <= timedelta(microseconds=1)
                assert report.start_wall_time is not None
                assert report.origin_uncertainty_frames is not None
                off_frames = (report.start_wall_time - moment).total_seconds() * RATE_HZ
                assert abs(off_frames) <= report.origin_uncertainty_frames + 0.5
            # Aligned at the converters: what was sent at the moment came in by then.
            assert played.origin_frame == played.start_frame
            assert recorded.start_frame is not None
            assert played.start_frame is not None
            assert recorded.start_frame > played.start_frame

    run(test())


def test_the_blocking_client_does_the_same(server: LocalServer, second: LocalServer) -> None:
    with (
        rtmixd.Client(server.target) as one,
        rtmixd.Client(second.target) as two,
        one.session("one") as first,
        two.session("two") as other,
        rtmixd.Ensemble([first, other]) as ensemble,
    ):
        ensemble.start(
            [Play(noise(480, 1)), Play(noise(480, 1))], at_wall_time(time.time() + AHEAD_SECONDS)
        )
        report = ensemble.wait(timeout=60)
        assert report.ok
        assert report.spread_seconds is not None


def test_the_clock_tells_what_the_host_says_of_its_wall_clock(server: LocalServer) -> None:
    with rtmixd.Client(server.target) as client:
        clock = client.clock()
        assert (clock.wall_clock_max_error_seconds is not None) == clock.wall_clock_synchronized
