"""Streams against a server on its virtual device, whose output n comes back at input n."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Optional

import numpy as np
import pytest
from stream_rig import Frames, Rig, heard, noise, run, started, with_gaps

from rtmixd import aio, errors, samples
from rtmixd.aio import streams
from rtmixd.local_server import LocalServer
from rtmixd.specs import at_frame

FAR_FRAME = 1 << 50


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with LocalServer() as server:
        yield server.target


def test_a_closed_stream_buffers_nothing(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            play = await session.open_play(1, prebuffer_frames=4800)
            await play.write(noise(480, 1))
            assert "480 frames buffered" in repr(play)
            await play.close()
            assert play.buffered_frames == 0
            assert repr(play) == f"<PlayStream {play.action_id}, 1 channels, closed, 0 underruns>"

    run(test())


def test_play_sounds_bit_exactly_as_written(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            listener = await rig.listen()
            sound = noise(30000)
            play = await streams.open_play(rig.host, 2, prebuffer_frames=4800)
            for first in range(0, 30000, 700):
                assert await play.write(sound[first : first + 700]) == len(sound[first:][:700])
            await play.end()
            report = await play.wait()
            assert report.done_frames == 30000
            assert report.start_frame == play.start_frame
            np.testing.assert_array_equal(await heard(listener, report), with_gaps(sound, report))

    run(test())


def test_progress_tells_what_is_buffered_and_what_has_sounded(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            play = await streams.open_play(rig.host, 1, prebuffer_frames=5000)
            assert await play.write(noise(4000, 1)) == 4000
            await play._core.wait_until(lambda: play._core.play_progress.received_position == 4000)
            assert (play.buffered_frames, play.played_frames) == (4000, 0)
            assert repr(play) == (
                f"<PlayStream {play.action_id}, 1 channels, 4000 frames buffered, 0 underruns>"
            )
            assert play.start_frame is None
            await play.write(noise(1000, 1))
            await play.end()
            await play.wait(until="done")
            assert play.play_done
            assert "done" in repr(play)
            assert (play.buffered_frames, play.played_frames) == (0, 5000)
            assert play.start_frame is not None

    run(test())


def test_full_stream_takes_no_more_than_there_is_room_for(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            play = await streams.open_play(
                rig.host, 1, start=at_frame(FAR_FRAME), buffer_frames=2000
            )
            taken = await play.write(noise(20000, 1), timeout=0.05)
            assert 2000 <= taken < 20000
            assert await play.write(noise(10, 1), timeout=0) == 0
            await play.flush()
            assert await play.write(noise(10, 1), timeout=20) == 10
            await play.close()

    run(test())


def test_nothing_can_be_written_after_the_end(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            play = await streams.open_play(rig.host, 1)
            await play.end()
            with pytest.raises(errors.WrongState):
                await play.write(noise(1, 1))
            assert (await play.wait()).done_frames == 0

    run(test())


def test_flush_drops_what_has_not_sounded(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            listener = await rig.listen(1)
            play = await streams.open_play(rig.host, 1, prebuffer_frames=9000)
            await play.write(noise(6000, 1))
            await play.flush()
            sound = noise(9000, 1, seed=2)
            await play.write(sound)
            await play.end()
            report = await play.wait()
            assert report.done_frames == 9000
            np.testing.assert_array_equal(await heard(listener, report), sound)

    run(test())


@pytest.mark.parametrize(("idle", "underruns"), [(True, 0), (False, 1)])
def test_running_dry_while_idle_is_no_underrun(target: str, idle: bool, underruns: int) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            play = await streams.open_play(rig.host, 1, prebuffer_frames=1000)
            await play.write(noise(1000, 1))
            if idle:
                await play.idle()
            await play._core.wait_until(lambda: play.start_frame is not None)
            assert play.start_frame is not None
            # By then it has run dry for long.
            late = play.start_frame + 24000
            await play._core.wait_until(lambda: play._core.play_progress.next_frame >= late)
            assert play.played_frames == 1000
            assert play.underruns == underruns
            await play.close()

    run(test())


@pytest.mark.parametrize("wire", ["int16", "int24", "int32"])
def test_integers_on_the_wire_sound_as_they_are_rounded(target: str, wire: samples.Wire) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            listener = await streams.open_record(
                rig.direct, [1, 2], source="output", unread_frames=1 << 20, wire=wire
            )
            sound = noise(5000)
            play = await streams.open_play(rig.host, 2, prebuffer_frames=5000, wire=wire)
            await play.write(sound)
            await play.end()
            report = await play.wait()
            rounded = samples.decode(samples.encode(sound, wire), 2, wire)
            assert not np.array_equal(rounded, sound) or wire == "int32"
            np.testing.assert_array_equal(await heard(listener, report), rounded)

    run(test())


def test_leaving_the_context_plays_out(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            async with await streams.open_play(rig.host, 1, prebuffer_frames=4000) as play:
                await play.write(noise(20000, 1))
            assert play.play_done
            report = await play.wait()
            assert report.ended
            assert (report.done_frames, report.end_reason) == (20000, "completed")

    run(test())


def test_leaving_the_context_with_an_error_stops(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            with pytest.raises(KeyError):
                async with await streams.open_play(rig.host, 1, start=at_frame(FAR_FRAME)) as play:
                    await play.write(noise(2000, 1))
                    raise KeyError
            assert (await play.wait()).end_reason == "cancelled"

    run(test())


def test_refusal_is_the_answer_to_open(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            with pytest.raises(errors.InvalidArgument) as refused:
                await streams.open_play(rig.host, 1, outputs=[99])
            assert "channel_map" in refused.value.field
            with pytest.raises(errors.InvalidArgument):
                await streams.open_record(rig.host, [99])

    run(test())


def test_arguments_of_the_wrong_type_are_refused_by_name(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            async with await streams.open_play(rig.host, 1) as play:
                for call in (
                    lambda: play.write([0.5], timeout="long"),
                    lambda: play.wait(timeout="long"),
                ):
                    with pytest.raises(errors.InvalidArgument, match="^timeout is 'long': "):
                        await call()
                with pytest.raises(errors.InvalidArgument, match="^frame is 'now': "):
                    await play.cancel("now")  # type: ignore[arg-type]
                await play.end()
            async with await streams.open_record(rig.host, [1]) as record:
                for frames in ("all", 0.5):
                    with pytest.raises(errors.InvalidArgument, match=f"^frames is {frames!r}: "):
                        await record.read(frames)
                with pytest.raises(errors.InvalidArgument, match="^timeout is 'long': "):
                    await record.read(1, timeout="long")
                with pytest.raises(errors.InvalidArgument, match="^frame is 0.5: "):
                    await record.stop(0.5)  # type: ignore[arg-type]

    run(test())


def test_recording_is_read_as_long_as_asked(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            record = await streams.open_record(rig.host, [1, 2], frames=5000)
            lengths = [len(await record.read(count)) for count in (1, 700, 0, 4000, 1000, 1000)]
            assert lengths == [1, 700, 0, 4000, 299, 0]
            assert record.record_done
            assert record.position == 5000
            report = await record.wait()
            assert report.done_frames == 5000
            assert record.start_frame == report.start_frame
            assert record.sample_rate_hz == 48000

    run(test())


def test_reading_past_its_time_gives_what_there_is(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            record = await streams.open_record(rig.host, start=at_frame(FAR_FRAME))
            assert (await record.read(10, timeout=0.05)).shape == (0, record.channels)
            assert (await record.read(timeout=0)).shape == (0, record.channels)
            assert not record.record_done
            await record.close()

    run(test())


def test_read_that_is_cancelled_loses_nothing(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            record = await streams.open_record(rig.host, [1], frames=9600)
            reading = asyncio.ensure_future(record.read(1 << 20))
            while record.recorded_frames < 5000:
                await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert record.position == 0
            assert len(await record.read(1 << 20)) == 9600

    run(test())


def test_iteration_yields_all_audio_until_it_is_stopped(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            record = await streams.open_record(rig.host, [1])
            frames = 0
            async for chunk in record:
                assert chunk.shape == (len(chunk), 1)
                frames += len(chunk)
                if frames > 3000:
                    await record.stop()
            assert (await record.wait()).done_frames == frames

    run(test())


def test_recording_stops_before_the_frame_that_is_named(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            record = await streams.open_record(rig.host, [1])
            start = await started(record)
            await record.stop(start + 96000)
            assert len(await record.read(1 << 20)) == 96000

    run(test())


def test_reader_that_is_too_slow_finds_zeros_and_is_told() -> None:
    async def test(target: str) -> None:
        async with Rig(target) as rig:
            play = await streams.open_play(rig.host, 1, callback=lambda n: np.full((n, 1), 0.5))
            record = await streams.open_record(
                rig.host, [1], source="output", unread_frames=4800, start=at_frame(0)
            )
            listener = await rig.listen(1)
            # The history of 0.5 s does not reach back over so much.
            heard_in_time = await listener.read(96000)
            first = await started(listener)
            audio = await record.read(first + len(heard_in_time))
            assert record.lost
            zero = np.zeros(len(audio), bool)
            for stretch in record.lost:
                zero[stretch.position : stretch.position + stretch.frames] = True
            assert not audio[zero].any()
            # A machine that stalls may leave gaps in the play, and make the listener late, too.
            for stretch in listener.lost:
                zero[first + stretch.position : first + stretch.position + stretch.frames] = True
            kept = ~zero[first:]
            np.testing.assert_array_equal(audio[first:][kept], heard_in_time[kept])
            assert (heard_in_time[kept] == 0.5).any()
            await play.close()

    with LocalServer(["--history", "0.5"]) as server:
        run(test(server.target))


def test_callback_is_asked_for_the_sound_until_its_end(target: str) -> None:
    sound = noise(20000, 1)
    asked = []

    def more(frames: int) -> Optional[Frames]:
        first = sum(asked)
        asked.append(frames)
        return sound[first : first + frames] if first < len(sound) else None

    async def test() -> None:
        async with Rig(target) as rig:
            listener = await rig.listen(1)
            play = await streams.open_play(
                rig.host, 1, callback=more, callback_frames=480, prebuffer_frames=9600
            )
            report = await play.wait()
            assert set(asked) == {480}
            np.testing.assert_array_equal(await heard(listener, report), with_gaps(sound, report))

    run(test())


def test_coroutine_is_awaited_for_the_sound(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            pieces = [noise(3000, 1), noise(2000, 1)]

            async def more(frames: int) -> Optional[Frames]:
                await asyncio.sleep(0)
                return pieces.pop() if pieces else None

            async with await streams.open_play(
                rig.host, 1, callback=more, prebuffer_frames=4000
            ) as play:
                pass
            assert (await rig.direct.get_report(play.action_id)).done_frames == 5000

    run(test())


def test_error_of_a_callback_stops_the_stream_and_is_told(target: str) -> None:
    def fails(frames: int) -> Frames:
        raise KeyError("no sound")

    async def test() -> None:
        async with Rig(target) as rig:
            play = await streams.open_play(rig.host, 1, callback=fails)
            with pytest.raises(KeyError, match="no sound"):
                await play.wait()
            listener = await rig.listen(1)
            while not (await rig.direct.get_report(play.action_id)).end_reason:
                await listener.read(480)

    run(test())


def test_callback_is_given_the_whole_recording(target: str) -> None:
    chunks: list[Frames] = []

    async def test() -> None:
        async with Rig(target) as rig:
            record = await streams.open_record(
                rig.host, [1, 2], frames=10000, callback=chunks.append, callback_frames=700
            )
            async with record:
                await record.wait(until="done")
            assert {len(chunk) for chunk in chunks[:-1]} == {700}
            assert sum(len(chunk) for chunk in chunks) == 10000

    run(test())


def test_duplex_records_what_it_plays(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            sound = noise(20000)
            async with await streams.open_duplex(
                rig.host, 2, [1, 2], frames=30000, prebuffer_frames=20000, buffer_frames=20000
            ) as duplex:
                await duplex.write(sound)
                await duplex.end()
                audio = await duplex.read(30000)
                play = await duplex.wait_play()
                record = await duplex.wait()
            assert play.start_frame is not None
            assert record.start_frame is not None
            first = play.start_frame - record.start_frame
            at = next(i for i in range(first, 30000) if audio[i, 0] != 0)
            np.testing.assert_array_equal(audio[at : at + 20000], sound)

    run(test())


def test_processed_sound_follows_by_the_delay_that_was_asked(target: str) -> None:
    async def test() -> None:
        async with Rig(target) as rig:
            listener = await streams.open_record(rig.direct, [3, 4], source="output")
            source = await streams.open_play(
                rig.direct, 1, outputs=[1], prebuffer_frames=20000, buffer_frames=20000
            )
            duplex = await streams.open_duplex(
                rig.host,
                outputs=[3, 4],
                inputs=[1],
                frames=60000,
                underrun="keep_timeline",
                prebuffer_frames=12000,
            )
            sound = noise(20000, 1)
            await source.write(sound)
            await source.end()
            recorded: list[Frames] = []

            def swap(chunk: Frames) -> Frames:
                recorded.append(chunk)
                return np.hstack([-chunk, 0.5 * chunk])

            await duplex.process(swap, delay_frames=12000)
            play = await duplex.wait_play()
            everything = np.concatenate(recorded)
            assert len(everything) == 60000
            assert sound.tobytes() in everything.tobytes()
            expected = np.zeros((72000, 2), np.float32)
            expected[12000:] = np.hstack([-everything, 0.5 * everything])
            # Where the network was late there is silence; the rest is in its place.
            sounded = await heard(listener, play)
            for gap in play.gaps:
                assert play.gap_count <= 8
                expected[gap.frame - play.start_frame :][: gap.frames] = 0  # type: ignore[operator]
            np.testing.assert_array_equal(sounded, expected[: len(sounded)])

    run(test())
