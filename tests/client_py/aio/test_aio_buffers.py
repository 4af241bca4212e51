"""Buffers of the server: uploaded, appended to, downloaded, through a network that breaks, too."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from cutting_proxy import CuttingProxy
from stream_rig import noise, run

import rtmixd
from rtmixd import Record, aio
from rtmixd.aio.buffer import Buffer
from rtmixd.local_server import LocalServer


def test_what_is_uploaded_is_downloaded(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = noise(30000, 3)
            told: list[tuple[int, int]] = []
            async with session.upload(
                sound, sample_rate_hz=48000, label="noise", progress=lambda *at: told.append(at)
            ) as buffer:
                info = await buffer.info()
                assert (info.frames, info.channels, info.state) == (30000, 3, "complete")
                assert (info.sample_rate_hz, info.label) == (48000, "noise")
                assert buffer.id in [other.id for other in await session.buffers()]
                assert told[-1] == (30000, 30000)
                assert told == sorted(told)
                np.testing.assert_array_equal(await buffer.download(), sound)
                np.testing.assert_array_equal(await buffer.download(100, 50), sound[100:150])
                np.testing.assert_array_equal(await buffer.download(29990), sound[29990:])
                assert (await buffer.download(30000)).shape == (0, 3)
                pieces = [piece async for piece in buffer.chunks(5)]
                np.testing.assert_array_equal(np.concatenate(pieces), sound[5:])
                other = await session.open_buffer(buffer.id)
                np.testing.assert_array_equal(await other.download(0, 10), sound[:10])
                assert (await session.play(buffer, until="done")).done_frames == 30000
            assert await session.buffers() == []

    run(test())


@pytest.mark.parametrize("wire", ["int16", "int24", "int32"])
def test_integers_travel_up_and_down(server: LocalServer, wire: rtmixd.samples.Wire) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = noise(5000, 2)
            buffer = await session.upload(sound, wire=wire)
            rounded = rtmixd.samples.decode(rtmixd.samples.encode(sound, wire), 2, wire)
            np.testing.assert_array_equal(await buffer.download(), rounded)
            np.testing.assert_array_equal(await buffer.download(wire=wire), rounded)

    run(test())


def test_a_buffer_grows_until_it_is_complete(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = noise(3000, 2)
            async with session.buffer(2, expected_frames=3000) as buffer:
                following = asyncio.ensure_future(buffer.download(follow=True))
                for begin in range(0, 3000, 1000):
                    await buffer.append(sound[begin : begin + 1000])
                assert (await buffer.info()).state == "open"
                with pytest.raises(rtmixd.WrongState):
                    await session.play(buffer)
                await buffer.complete()
                np.testing.assert_array_equal(await following, sound)
                with pytest.raises(rtmixd.WrongState):
                    await buffer.append(sound)
            with pytest.raises(rtmixd.NotFound):
                await buffer.info()

    run(test())


def test_a_recording_is_followed_while_it_grows(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            (record,) = await session.schedule(Record(24000, inputs=[1]))
            buffer = await session.open_buffer(record.buffer_id)
            frames = await buffer.download(follow=True)
            assert len(frames) == 24000
            assert (await buffer.info()).record_action_id == record.id

    run(test())


def test_what_a_buffer_cannot_take_is_refused(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            async with session.buffer(2) as buffer:
                with pytest.raises(rtmixd.InvalidArgument, match="3 channels for 2"):
                    await buffer.append(np.zeros((10, 3)))
                with pytest.raises(rtmixd.InvalidArgument):
                    await buffer.download(1)
            with pytest.raises(rtmixd.InvalidArgument) as caught:
                await session.buffer(1025)
            assert caught.value.field == "channels"
            with pytest.raises(rtmixd.LimitExceeded) as limited:
                await session.buffer(1, expected_frames=1 << 40)
            assert limited.value.field in ("max_buffer_bytes", "max_buffer_bytes_per_session")

    run(test())


def test_a_kept_buffer_outlives_its_session(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client:
            sound = noise(100, 1)
            async with client.session() as session:
                async with session.upload(sound, keep=True) as buffer:
                    pass
            async with client.session() as session:
                other = await session.open_buffer(buffer.id)
                np.testing.assert_array_equal(await other.download(), sound)
                await other.delete()

    run(test())


def test_an_upload_goes_on_where_the_connection_broke(server: LocalServer) -> None:
    async def test() -> None:
        async with CuttingProxy(server.target) as proxy:
            async with aio.Client(proxy.target) as client, client.session() as session:
                sound = noise(1 << 19, 2)
                # 4 MB: broken off twice, in the middle of whatever message that is.
                proxy.cut_after(1_234_567, 1_000_000)
                buffer = await session.upload(sound)
                assert proxy.cuts == 2
                assert (await buffer.info()).state == "complete"
                np.testing.assert_array_equal(await buffer.download(), sound)

    run(test())


def test_an_upload_and_a_download_that_are_cut_a_hundred_times_each_are_exact(
    server: LocalServer,
) -> None:
    """Wherever the cuts fall: in the greeting of a connection, in a header, in audio."""

    async def test() -> None:
        async with CuttingProxy(server.target) as proxy:
            async with aio.Client(proxy.target, patience=60) as client:
                async with client.session(ttl=60) as session:
                    sound = noise(1 << 19, 2)
                    chance = np.random.default_rng(100)
                    most = 2 * sound.nbytes // 100
                    proxy.cut_after(*(int(size) for size in chance.integers(1, most, 100)))
                    buffers = []
                    while proxy.cuts < 100:
                        buffers.append(await session.upload(sound))
                    for buffer in buffers:
                        np.testing.assert_array_equal(await buffer.download(), sound)
                    proxy.cut_after(*(int(size) for size in chance.integers(1, most, 100)))
                    while proxy.cuts < 200:
                        np.testing.assert_array_equal(await buffers[0].download(), sound)

    run(test())


def test_an_upload_waits_for_the_end_of_its_broken_call(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server still waits for the rest of it, and takes no other for this buffer."""

    async def test() -> None:
        async with CuttingProxy(server.target) as proxy:
            async with aio.Client(proxy.target) as client, client.session() as session:
                sound = noise(1 << 18, 2)
                refused = 0
                upload = Buffer._upload

                async def upload_once(self: Buffer, *arguments: Any) -> Any:
                    nonlocal refused
                    try:
                        return await upload(self, *arguments)
                    except rtmixd.WrongState:
                        refused += 1
                        if refused == 2:
                            proxy.tell_server(True)
                        raise

                buffer = await session.buffer(2)
                monkeypatch.setattr(Buffer, "_upload", upload_once)
                proxy.tell_server(False)
                proxy.cut_after(1_000_000)
                await buffer.append(sound, complete=True)
                assert refused >= 2
                np.testing.assert_array_equal(await buffer.download(), sound)
                with pytest.raises(rtmixd.WrongState):
                    await buffer.append(sound)

    run(test())


def test_a_download_goes_on_where_the_connection_broke(server: LocalServer) -> None:
    async def test() -> None:
        async with CuttingProxy(server.target) as proxy:
            async with aio.Client(proxy.target) as client, client.session() as session:
                sound = noise(1 << 19, 2)
                buffer = await session.upload(sound)
                before = proxy.connections
                proxy.cut_after(1_234_567)
                np.testing.assert_array_equal(await buffer.download(3), sound[3:])
                assert proxy.connections == before + 1
                proxy.cut_after(777_777)
                pieces = [piece async for piece in buffer.chunks()]
                np.testing.assert_array_equal(np.concatenate(pieces), sound)
                assert proxy.connections == before + 2

    run(test())


def test_a_download_goes_on_from_a_connection_that_fell_silent(server: LocalServer) -> None:
    async def test() -> None:
        async with CuttingProxy(server.target) as proxy:
            async with aio.Client(proxy.target, patience=30) as client:
                async with client.session() as session:
                    sound = noise(1 << 19, 2)
                    buffer = await session.upload(sound)
                    before = proxy.connections
                    # By bytes: after some pieces all the others may be here already, unread.
                    proxy.silence_after(1_234_567)
                    pieces = [piece async for piece in buffer.chunks()]
                    np.testing.assert_array_equal(np.concatenate(pieces), sound)
                    assert proxy.connections > before

    run(test())


def test_a_wait_is_told_what_ended_while_nobody_listened(server: LocalServer) -> None:
    async def test() -> None:
        async with CuttingProxy(server.target) as proxy, aio.Client(server.target) as direct:
            async with aio.Client(proxy.target, patience=60) as client:
                async with client.session(ttl=60) as session:
                    (record,) = await session.schedule(Record())
                    waiting = asyncio.ensure_future(record.wait())
                    await client.clock()
                    # Nobody listens there.
                    proxy.redirect("127.0.0.1:9")
                    proxy.cut()
                    async with direct.join(session.token) as joined:
                        (same,) = await joined.actions()
                        await same.cancel()
                        await same.wait()
                    assert not waiting.done()
                    proxy.redirect(server.target)
                    assert (await waiting).end_reason == "cancelled"

    run(test())
