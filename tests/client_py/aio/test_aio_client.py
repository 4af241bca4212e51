"""What a server tells everybody, who may change it, and how sessions end."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import pytest
from stream_rig import run

import rtmixd
from rtmixd import DirectionSettings, Play, Record, aio
from rtmixd.local_server import LocalServer
from rtmixd.v1 import virtual_device_pb2


def test_a_server_introduces_itself(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client:
            assert client.target == server.target
            info = await client.info()
            assert info.api_version == "v1"
            assert info.server_version in repr(info)
            assert "virtual-device-script" in info.features
            assert info.limits.history == 10.0
            (api,) = await client.host_apis()
            assert api.id == "virtual"
            (device,) = await client.devices()
            assert device.id == api.default_input_device_id == "virtual/loopback"
            stream = await client.stream()
            assert stream.state == "running"
            assert stream.input_device == device
            assert (stream.input_channels, stream.output_channels) == (8, 8)
            assert stream.settings.input is not None
            reading = await client.clock()
            assert reading.stream_id == stream.id
            assert reading.next_frame >= stream.next_frame
            assert reading.wall_time.tzinfo is not None
            await client.check_settings(output=DirectionSettings(channels=2))
            with pytest.raises(rtmixd.NotFound):
                await client.check_settings(output=DirectionSettings(device="none such"))

    run(test())


def test_what_was_not_opened_says_how_to(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client:
            forgotten = client.session()
            with pytest.raises(AttributeError, match="'play' is not there yet: open it first, by"):
                forgotten.play([0.5])  # type: ignore[attr-defined]
            async with forgotten as session:
                await session.info()

    run(test())


def test_time_levels_and_events_are_followed(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session("follower") as session:
            frames = []
            async for reading in client.clocks(0.02):
                frames.append(reading.frame)
                if len(frames) == 3:
                    break
            assert frames == sorted(frames)
            (play,) = await session.schedule(Play(np.full(96000, 0.5), outputs=[2]))
            async for levels in client.meters(0.05):
                assert (len(levels.inputs), len(levels.outputs)) == (8, 8)
                if levels.outputs[1].peak == 0.5 and levels.outputs[1].rms > 0.49:
                    break
            assert levels.outputs[0].peak == 0
            await play.cancel()
            kinds = []
            async for entry in client.events(0, ["action_scheduled", "action_started"]):
                if entry.action_id != play.id:
                    continue
                assert entry.session_label == "follower"
                kinds.append(entry.kind)
                if entry.kind == "action_started":
                    assert entry.frame == play.report.start_frame
                    break
            assert kinds == ["action_scheduled", "action_started"]

    run(test())


def test_a_lease_has_the_server_for_itself(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, aio.Client(server.target) as other:
            async with other.session("the other") as session:
                (endless,) = await session.schedule(Record())
                with pytest.raises(rtmixd.Busy, match="held by the other") as caught:
                    await client.lease("me", wait=0.1)
                assert caught.value.holder_label == "the other"
                waiting = asyncio.ensure_future(client.lease("me")._coroutine)
                await endless.cancel()
                async with await waiting as lease:
                    assert (await lease.info()).state == "exclusive"
                    with pytest.raises(rtmixd.Busy) as refused:
                        await session.play([0.5])
                    assert refused.value.holder_label == "me"
                    assert refused.value.reason == "busy"

    run(test())


def test_a_lease_changes_the_stream_which_is_put_back(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client:
            async with client.lease() as lease:
                with pytest.raises(rtmixd.StreamOpen):
                    await lease.open_stream(output=DirectionSettings(), sample_rate_hz=22050)
                await lease.close_stream()
                with pytest.raises(rtmixd.NoStream):
                    await lease.play([0.5])
                opened = await lease.open_stream(
                    input=DirectionSettings(channels=2, latency=0.02),
                    output=DirectionSettings(channels=2, latency="high"),
                    sample_rate_hz=22050,
                )
                assert (opened.state, opened.sample_rate_hz) == ("stopped", 22050)
                assert (await lease.start_stream()).state == "running"
                recording, _ = await lease.rec(seconds=0.1, until="done")
                assert recording.samples.shape == (2205, 2)
                assert recording.sample_rate_hz == 22050
                assert (await lease.stop_stream(abort=True)).state == "stopped"
                await lease.start_stream()
            # The server does so after it has answered.
            async for entry in client.events(0, ["stream_started"]):
                stream = await client.stream()
                if entry.stream_id == stream.id and stream.id != opened.id:
                    break
            assert (stream.sample_rate_hz, stream.input_channels) == (48000, 8)

    run(test())


def test_a_session_is_joined_by_its_token(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session("shared") as session:
            async with aio.Client(server.target) as other:
                async with other.join(session.token) as joined:
                    assert joined.id == session.id
                    (action,) = await joined.schedule(Record())
                # It was only joined: it goes on.
                assert (await session.info()).label == "shared"
                assert [found.id for found in await session.actions()] == [action.id]
                with pytest.raises(rtmixd.SessionExpired):
                    await other.join("not a token")

    run(test())


def test_a_heartbeat_keeps_the_session_alive(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session(ttl=1.0) as session:
            first = await client.clock()
            async for reading in client.clocks(0.2):
                if reading.stream_time_seconds > first.stream_time_seconds + 2.5:
                    break
            assert session.id in [other.id for other in await client.sessions()]
            assert session.error is None

    run(test())


def test_whoever_waits_is_told_that_the_session_ended(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session(ttl=1.5) as session:
            (action,) = await session.schedule(Record())
            waiting = asyncio.ensure_future(action.wait())
            await client.clock()
            async with aio.Client(server.target) as other:
                await (await other.join(session.token)).end()
            # Whichever is told first: the end of the action, or that of the session.
            with contextlib.suppress(rtmixd.SessionExpired):
                assert (await waiting).end_reason == "session_ended"
            with pytest.raises(rtmixd.SessionExpired):
                await session.play([0.5])

    run(test())


def test_closing_ends_sessions_and_calls(server: LocalServer) -> None:
    async def test() -> None:
        client = aio.Client(server.target)
        session = await client.session("to be closed")
        (action,) = await session.schedule(Record())
        waiting = asyncio.ensure_future(action.wait())
        following = asyncio.ensure_future(client.events(kinds=["xrun"]).__anext__())
        await client.clock()
        await client.close()
        with pytest.raises(rtmixd.Cancelled):
            await waiting
        with pytest.raises(rtmixd.Cancelled):
            await following
        with pytest.raises(rtmixd.Cancelled, match="the client is closed"):
            await client.info()
        with pytest.raises(rtmixd.Cancelled, match="the session is closed"):
            await session.stats()
        await client.close()
        await session.close()
        async with aio.Client(server.target) as other:
            assert session.id not in [found.id for found in await other.sessions()]

    run(test())


def test_closing_ends_what_nobody_waits_for_at_that_moment(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client:
            events = client.events(0)
            assert (await events.__anext__()).sequence >= 0
            clocks = client.clocks(10)
            await clocks.__anext__()
            await client.close()
            with pytest.raises(rtmixd.Cancelled):
                await clocks.__anext__()
            with pytest.raises(rtmixd.Cancelled):
                async for _ in events:
                    pass

    run(test())


def test_an_injected_xrun_touches_what_ran(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            frame = (await client.clock()).next_frame + 24000
            await session.load_script(
                [
                    virtual_device_pb2.Fault(
                        kind=virtual_device_pb2.FAULT_KIND_LOSE_BOTH, frame=frame, frames=480
                    )
                ]
            )
            recording, report = await session.rec(48000, [1])
            assert report.touched == "yes"
            assert report.xruns[0].lost_frames == pytest.approx(480, abs=64)
            assert recording.report is report
            with pytest.raises(rtmixd.TouchedByXrun) as caught:
                report.check()
            assert caught.value.report is report

    run(test())


def test_where_nobody_listens_it_is_disconnected() -> None:
    async def test() -> None:
        async with aio.Client("127.0.0.1:9") as client:
            with pytest.raises(rtmixd.Disconnected, match="9 cannot be reached") as caught:
                await client.info()
            assert caught.value.code == "unavailable"

    run(test())
