"""A server that is gone is told within 3 s, whatever is waited for.

Servers are frozen (SIGSTOP: their host still answers TCP) and killed (SIGKILL). One that only some
connections do not reach is not gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from typing import Any

import grpc.aio
import numpy as np
import pytest
from cutting_proxy import CuttingProxy
from stream_rig import noise, run

import rtmixd
from rtmixd import Record, aio
from rtmixd.aio._connection import SILENCE_SECONDS
from rtmixd.local_server import LocalServer

LIMIT_SECONDS = 3.0
# It takes 2.5 s. Whoever else keeps the machine busy delays the threads of gRPC amid so much audio
# more than the loop, by whose ticks time is counted.
TRANSFER_LIMIT_SECONDS = 4.0
TICK_SECONDS = 0.05


@pytest.fixture(params=[signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "killed"])
def lose(request: pytest.FixtureRequest, other_server: LocalServer) -> Iterator[Any]:
    """Make the server disappear."""

    def now() -> None:
        os.kill(other_server.pid, request.param)
        # All of its threads.
        os.waitid(os.P_PID, other_server.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    yield now
    # A frozen one would first end its calls in peace, which takes it seconds.
    if request.param == signal.SIGSTOP:
        os.kill(other_server.pid, signal.SIGKILL)


async def assert_told(waiting: asyncio.Future[Any], limit_seconds: float = LIMIT_SECONDS) -> None:
    """Count time in ticks of the loop itself, so that what a machine stalls does not count."""

    async def count() -> None:
        for _ in range(round(limit_seconds / TICK_SECONDS)):
            await asyncio.sleep(TICK_SECONDS)

    clock = asyncio.ensure_future(count())
    await asyncio.wait([waiting, clock], return_when=asyncio.FIRST_COMPLETED)
    assert waiting.done(), f"not told within {limit_seconds} s"
    clock.cancel()
    with pytest.raises(rtmixd.Disconnected):
        waiting.result()


def test_all_that_waits_is_told_within_3_s(other_server: LocalServer, lose: Any) -> None:
    async def test() -> None:
        async with aio.Client(other_server.target) as client, client.session() as session:
            (action,) = await session.schedule(Record())
            buffer = await session.open_buffer(action.buffer_id)
            works: list[Coroutine[Any, Any, Any]] = [
                action.wait(),
                session.wait(),
                buffer.download(follow=True),
                client.events(kinds=["xrun"]).__anext__(),
            ]
            waiting = [asyncio.ensure_future(work) for work in works]
            for _ in range(3):
                await client.clock()
            assert not any(one.done() for one in waiting)
            lose()
            await asyncio.gather(*(assert_told(one) for one in waiting))

    run(test())


def test_later_calls_are_told_as_soon(other_server: LocalServer, lose: Any) -> None:
    """By then a connection is to be made, which a frozen server neither takes nor refuses."""

    async def test() -> None:
        async with aio.Client(other_server.target) as client:
            await client.clock()
            lose()
            for _ in range(3):
                await assert_told(asyncio.ensure_future(client.clock()))

    run(test())


@pytest.mark.parametrize("what", ["clock", "schedule", "schedule 4 MiB", "upload", "lease"])
def test_a_call_to_a_lost_server_is_told_within_3_s(
    other_server: LocalServer, lose: Any, what: str
) -> None:
    async def test() -> None:
        async with aio.Client(other_server.target) as client, client.session() as session:
            await session.schedule(Record())
            lose()
            work: Any = {
                "clock": lambda: client.clock(),
                "schedule": lambda: session.play(noise(4800, 1)),
                "schedule 4 MiB": lambda: session.play(noise(1 << 20, 1)),
                "upload": lambda: session.upload(noise(480000, 1))._coroutine,
                "lease": lambda: client.lease()._coroutine,
            }[what]()
            await assert_told(asyncio.ensure_future(work))

    run(test())


@pytest.mark.parametrize("what", ["upload", "download"])
def test_a_server_lost_amid_a_transfer_is_told(
    other_server: LocalServer, lose: Any, what: str
) -> None:
    async def test() -> None:
        async with aio.Client(other_server.target) as client, client.session() as session:
            # Many times what can be on its way.
            sound = np.zeros((1 << 24, 1), np.float32)
            buffer = await session.upload(sound)
            lost = asyncio.Event()

            def amid(done_frames: int, all_frames: int) -> None:
                if 0 < done_frames < all_frames and not lost.is_set():
                    lose()
                    lost.set()

            work: Any = {
                "upload": lambda: session.upload(sound, progress=amid)._coroutine,
                "download": lambda: buffer.download(progress=amid),
            }[what]()
            working = asyncio.ensure_future(work)
            await lost.wait()
            await assert_told(working, TRANSFER_LIMIT_SECONDS)

    run(test())


def test_a_write_that_its_cancelled_call_does_not_end_holds_up_nothing(
    other_server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine gRPC ends a write up to 2 s after its call was cancelled."""

    async def test() -> None:
        async with aio.Client(other_server.target) as client, client.session() as session:
            sound = np.zeros((1 << 24, 1), np.float32)
            with monkeypatch.context() as patch:
                patch.setattr(grpc.aio._call.StreamUnaryCall, "cancel", lambda call: True)
                frozen = asyncio.Event()

                def amid(done_frames: int, all_frames: int) -> None:
                    if not frozen.is_set():
                        os.kill(other_server.pid, signal.SIGSTOP)
                        frozen.set()

                working = asyncio.ensure_future(session.upload(sound, progress=amid)._coroutine)
                await frozen.wait()
                await assert_told(working, TRANSFER_LIMIT_SECONDS)
            os.kill(other_server.pid, signal.SIGKILL)

    run(test())


def test_a_large_request_on_a_slow_link_is_no_lost_server(server: LocalServer) -> None:
    """What asks for a sign of life does not queue behind it."""

    async def test() -> None:
        async with CuttingProxy(server.target) as proxy:
            async with aio.Client(proxy.target) as client, client.session() as session:
                await client.clock()
                proxy.throttle(1_000_000)
                before = asyncio.get_running_loop().time()
                (action,) = await session.schedule(rtmixd.Play(noise(1 << 20, 1)))
                # It was under way for longer than a server may be silent.
                assert asyncio.get_running_loop().time() - before > LIMIT_SECONDS
                await action.cancel()
                assert proxy.connections == 2

    run(test())


def test_leaving_a_session_of_a_lost_server_does_not_delay_that_it_is_told(
    other_server: LocalServer, lose: Any
) -> None:
    async def test() -> None:
        lost = asyncio.Event()

        async def work() -> None:
            async with aio.Client(other_server.target) as client, client.session() as session:
                (action,) = await session.schedule(Record())
                lose()
                lost.set()
                await action.wait()

        working = asyncio.ensure_future(work())
        await lost.wait()
        await assert_told(working)

    run(test())


def test_a_new_server_in_its_place_is_found(other_server: LocalServer) -> None:
    async def test() -> None:
        async with CuttingProxy(other_server.target) as proxy, aio.Client(proxy.target) as client:
            before = await client.info()
            session = await client.session()
            with LocalServer() as again:
                proxy.redirect(again.target)
                os.kill(other_server.pid, signal.SIGKILL)
                after = await client.info()
                assert after.instance_id != before.instance_id
                with pytest.raises(rtmixd.SessionExpired):
                    await session.stats()

    run(test())


@pytest.mark.parametrize("lost", [(1, 3), (1, 2, 3)])
def test_a_server_is_reached_although_the_network_loses_connections(
    server: LocalServer, lost: tuple[int, ...]
) -> None:
    async def test() -> None:
        async with CuttingProxy(server.target) as proxy:
            proxy.lose(*lost)
            async with aio.Client(proxy.target) as client:
                assert (await client.info()).api_version == "v1"

    run(test())


def test_a_server_that_no_connection_reaches_is_told_within_3_s(server: LocalServer) -> None:
    async def test() -> None:
        async with CuttingProxy(server.target) as proxy:
            proxy.lose(*range(1, 20))
            client = aio.Client(proxy.target)
            await assert_told(asyncio.ensure_future(client.info()))
            await client.close()

    run(test())


def test_a_first_answer_that_takes_longer_than_a_server_may_be_silent_is_waited_for(
    server: LocalServer,
) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client:
            async for levels in client.meters(SILENCE_SECONDS + 0.6):
                assert levels
                break

    run(test())
