"""Streams through a proxy that cuts or silences their connections.

Every frame has to arrive, once and in its place, as on a connection that holds: what is played is
compared to a recording of the outputs, what is recorded to another recording, both made directly.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import numpy as np
import pytest
from cutting_proxy import CuttingProxy
from stream_rig import Frames, Rig, heard, noise, run, started, with_gaps

from rtmixd import errors
from rtmixd.aio import streams
from rtmixd.local_server import LocalServer
from rtmixd.specs import at_frame

FAR_FRAME = 1 << 50
# Longer than a break takes on a busy machine.
RING_FRAMES = 96000


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with LocalServer() as server:
        yield server.target


def test_play_sounds_as_if_its_connection_had_never_been_cut(target: str) -> None:
    async def test() -> None:
        chance = random.Random(5)
        async with CuttingProxy(target) as proxy, Rig(target, proxy.target) as rig:
            listener = await rig.listen()
            sound = noise(150000)
            play = await streams.open_play(
                rig.host, 2, buffer_frames=RING_FRAMES, prebuffer_frames=RING_FRAMES // 2
            )
            start = None
            cuts = 0
            for first in range(0, len(sound), 1000):
                await play.write(sound[first : first + 1000])
                start = start if start is not None else play.start_frame
                if first % 15000 == 0:
                    # In the middle of a message, more often than not.
                    proxy.cut_after(chance.randrange(1, 60000))
                    cuts += 1
            await play.end()
            report = await play.wait()
            assert 3 <= play.reattached <= cuts
            assert report.start_frame == start == play.start_frame
            assert report.done_frames == len(sound)
            np.testing.assert_array_equal(await heard(listener, report), with_gaps(sound, report))

    run(test())


def test_recording_is_whole_however_often_its_connection_was_cut(target: str) -> None:
    async def test() -> None:
        chance = random.Random(7)
        async with CuttingProxy(target) as proxy, Rig(target, proxy.target) as rig:
            seed = iter(range(1000))
            play = await streams.open_play(
                rig.direct, 2, callback=lambda frames: noise(frames, seed=next(seed) % 50)
            )
            frame = await started(await rig.listen())
            whole = await streams.open_record(
                rig.direct, [1, 2], frames=120000, start=at_frame(frame), unread_frames=1 << 18
            )
            record = await streams.open_record(
                rig.host, [1, 2], frames=120000, start=at_frame(frame), unread_frames=9600
            )
            pieces: list[Frames] = []
            while not record.record_done:
                pieces.append(await record.read(1000))
                if len(pieces) % 12 == 1:
                    proxy.cut_after(chance.randrange(1, 60000))
            audio = np.concatenate(pieces)
            assert record.reattached >= 3
            assert record.lost == []
            assert record.start_frame == whole.start_frame == frame
            reference = await whole.read(120000)
            assert len(np.unique(reference)) > 10000
            np.testing.assert_array_equal(audio, reference)
            assert (await record.wait()).done_frames == 120000
            await play.close()

    run(test())


def test_duplex_loses_nothing_in_either_direction(target: str) -> None:
    async def test() -> None:
        chance = random.Random(9)
        async with CuttingProxy(target) as proxy, Rig(target, proxy.target) as rig:
            listener = await rig.listen()
            sound = noise(100000)
            duplex = await streams.open_duplex(
                rig.host,
                2,
                [1, 2],
                frames=110000,
                buffer_frames=RING_FRAMES,
                prebuffer_frames=RING_FRAMES // 2,
                unread_frames=9600,
            )

            async def write() -> None:
                for first in range(0, len(sound), 1000):
                    await duplex.write(sound[first : first + 1000])
                await duplex.end()

            writing = asyncio.ensure_future(write())
            pieces: list[Frames] = []
            while not duplex.record_done:
                pieces.append(await duplex.read(1000))
                if len(pieces) % 20 == 1:
                    proxy.cut_after(chance.randrange(1, 60000))
            await writing
            play = await duplex.wait_play()
            record = await duplex.wait_record()
            assert duplex.reattached >= 3
            assert duplex.lost == []
            assert record.done_frames == 110000
            assert play.done_frames == len(sound)
            expected = with_gaps(sound, play)
            np.testing.assert_array_equal(await heard(listener, play), expected)
            audio = np.concatenate(pieces)
            assert len(audio) == 110000
            assert play.start_frame is not None
            assert record.start_frame is not None
            first = play.start_frame - record.start_frame
            at = next(i for i in range(first, len(audio)) if audio[i, 0] != 0)
            common = min(len(expected), len(audio) - at)
            assert common > 90000
            np.testing.assert_array_equal(audio[at : at + common], expected[:common])

    run(test())


def test_stop_and_end_that_were_cut_off_are_sent_again(target: str) -> None:
    async def test() -> None:
        async with CuttingProxy(target) as proxy, Rig(target, proxy.target) as rig:
            duplex = await streams.open_duplex(rig.host, 1, [1], prebuffer_frames=1000)
            await duplex.write(noise(5000, 1))
            await duplex.read(2000)
            proxy.silence()
            await duplex.stop()
            await duplex.end()
            assert len(await duplex.read(1 << 20)) < 1 << 20
            assert (await duplex.wait_play()).done_frames == 5000
            assert (await duplex.wait_record()).end_reason == "cancelled"
            assert duplex.reattached == 1

    run(test())


def test_lost_server_is_told_within_3_s(target: str) -> None:
    async def test() -> None:
        async with CuttingProxy(target) as proxy, Rig(target, proxy.target) as rig:
            play = await streams.open_play(rig.host, 1, start=at_frame(FAR_FRAME))
            loop = asyncio.get_running_loop()
            await proxy.refuse()
            proxy.silence()
            silent_since = loop.time()
            await play._core.wait_until(lambda: not play.attached)
            assert loop.time() - silent_since <= 3.5
            await play.close()

    run(test())


def test_stream_that_does_not_reattach_fails_with_its_call(target: str) -> None:
    async def test() -> None:
        async with CuttingProxy(target) as proxy, Rig(target, proxy.target) as rig:
            record = await streams.open_record(rig.host, start=at_frame(FAR_FRAME), reattach=False)
            proxy.cut()
            with pytest.raises(errors.Disconnected):
                await record.read()
            assert record.reattached == 0

    run(test())


def test_stream_gives_up_when_its_session_must_have_expired(target: str) -> None:
    async def test() -> None:
        async with CuttingProxy(target) as proxy, Rig(target, proxy.target, ttl=2.0) as rig:
            play = await streams.open_play(rig.host, 1, start=at_frame(FAR_FRAME))
            record = await streams.open_record(rig.host, start=at_frame(FAR_FRAME))
            await proxy.refuse()
            proxy.cut()
            with pytest.raises(errors.Disconnected):
                await record.read()
            with pytest.raises(errors.Disconnected):
                await play.wait()
            with pytest.raises(errors.Disconnected):
                await play.write(noise(1 << 16, 1))

    run(test())


def test_stream_learns_that_its_session_ended_while_it_was_cut_off(target: str) -> None:
    async def test() -> None:
        async with CuttingProxy(target) as proxy, Rig(target, proxy.target) as rig:
            record = await streams.open_record(rig.host, start=at_frame(FAR_FRAME))
            proxy.silence()
            await rig.end()
            with pytest.raises(errors.SessionExpired):
                await record.read()

    run(test())


def test_silent_server_is_not_waited_for_when_opening(target: str) -> None:
    async def test() -> None:
        async with CuttingProxy(target) as proxy, Rig(target, proxy.target) as rig:
            first = await streams.open_play(rig.host, 1, start=at_frame(FAR_FRAME))
            proxy.silence()
            with pytest.raises(errors.Disconnected):
                await streams.open_play(rig.host, 1)
            await first.close()

    run(test())
