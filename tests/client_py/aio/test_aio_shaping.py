"""Sounds are shaped on a server as the API says: fades, loops, chains, pauses, gains.

What goes to the outputs is recorded and compared, sample by sample, with a walk through the sound
frame by frame (`shape_reference`). Everything is scheduled well ahead, or says on which frame it
took effect, so that no test depends on how quick a machine is.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import pytest
from shape_reference import CONSTANT, Frames, Ramp, Walk, assert_walked, probe, ulps
from stream_rig import run

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
    Record,
    Report,
    Resume,
    after,
    aio,
    at_end_of,
    at_frame,
    playlist,
)
from rtmixd.local_server import LocalServer

OUTPUTS = (1, 2)
# Far enough ahead for a machine that stalls.
LEAD_FRAMES = 24000


async def soon(client: aio.Client) -> int:
    return (await client.clock()).next_frame + LEAD_FRAMES


async def listen(session: aio.Session) -> aio.Action:
    """Record what goes to the outputs from now on."""
    return (await session.schedule(Record(inputs=OUTPUTS, source="output", key="ear")))[0]


async def heard(ear: aio.Action, *reports: Report) -> list[Frames]:
    """End a recording; return what each action made of it, from its start to its end."""
    end = max(report.end_frame or 0 for report in reports)
    await ear.cancel(end + 480)
    recording = await ear.recording()
    first = recording.start_frame
    assert first is not None
    parts = []
    for report in reports:
        assert report.start_frame is not None
        assert report.end_frame is not None
        assert first <= report.start_frame
        parts.append(recording.samples[report.start_frame - first : report.end_frame - first])
    return parts


async def scheduled(
    client: aio.Client, session: aio.Session, *specs: Any
) -> tuple[aio.Batch, list[Frames]]:
    """Schedule ahead of time, wait, and return what each of the plays sounded like."""
    ear = await listen(session)
    batch = await session.schedule(specs, at_frame(await soon(client)))
    reports = await batch.wait(until="done")
    plays = [
        report for report in reports if report.kind == "play" and report.start_frame is not None
    ]
    assert all(report.late_frames == 0 for report in plays)
    return batch, await heard(ear, *plays)


async def changes_of(client: aio.Client, action: aio.Action, count: int) -> list[int]:
    """The frames on which the first changes of an action took effect, as the log tells."""
    frames: list[int] = []
    async for entry in client.events(0, ["action_changed"]):
        if entry.action_id == action.id:
            assert entry.frame is not None
            frames.append(entry.frame)
        if len(frames) == count:
            return frames
    raise AssertionError("the log has ended")


SHAPES = [
    {"fade_in": Fade(1000)},
    {"fade_in": Fade(1000, "equal_power"), "gain": 1.5},
    {"fade_out": Fade(1000), "gain": -0.7},
    {"fade_out": Fade(1000, "equal_power")},
    {"fade_in": Fade(700, "equal_power"), "fade_out": Fade(333)},
    # They meet: the fade out takes over where the fade in is.
    {"fade_in": Fade(4000), "fade_out": Fade(4000, "equal_power")},
    # Longer than the sound.
    {"fade_in": Fade(9000, "equal_power")},
    {"fade_out": Fade(9000)},
    {"offset_frames": 1234},
    {"offset_frames": 5000},
    {"max_frames": 777},
    {"offset_frames": 4999, "max_frames": 777},
    {"max_frames": 777, "fade_in": Fade(100), "fade_out": Fade(100, "equal_power")},
    {"loop": Loop(3)},
    {"loop": Loop(1)},
    {"loop": Loop(4, 1000, 1500)},
    {"loop": Loop(400, 1000, 1001)},
    {"loop": Loop(2, 3000), "offset_frames": 4000},
    {"loop": Loop(3, 1000, 2000), "fade_out": Fade(6000, "equal_power")},
    {"loop": Loop(None, 100, 900), "max_frames": 5000, "fade_out": Fade(200)},
    {"loop": Loop(None, 100, 900), "offset_frames": 899, "max_frames": 2000},
]


def test_every_shape_sounds_like_its_formula(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(5000)
            walks = [Walk(5000, **shape) for shape in SHAPES]
            ear = await listen(session)
            offsets = np.cumsum([0, *(len(walk.run()[0]) + 100 for walk in walks[:-1])])
            async with session.upload(sound) as buffer:
                begin = await soon(client)
                batch = await session.schedule(
                    [
                        Play(buffer, OUTPUTS, start=after(offset), **shape)
                        for offset, shape in zip(offsets, SHAPES)
                    ],
                    at_frame(begin),
                )
                reports = await batch.wait(until="done")
            for report, offset, walk, part in zip(
                reports, offsets, walks, await heard(ear, *reports)
            ):
                assert (report.start_frame, report.end_reason) == (begin + offset, "completed")
                assert report.done_frames == len(part)
                assert_walked(part, walk, sound)

    run(test())


def random_fade(draw: np.random.Generator) -> Optional[Fade]:
    if draw.random() < 0.3:
        return None
    frames = int(draw.choice([0, 1, 2, 64, 500, 3000]))
    return Fade(frames, "linear" if draw.random() < 0.5 else "equal_power")


def random_walk(draw: np.random.Generator, frames: int) -> Walk:
    """A sound of which anything may happen, but which ends."""
    loop = None
    if draw.random() < 0.7:
        begin, end = sorted(map(int, draw.choice(frames + 1, 2, replace=False)))
        passes = None if draw.random() < 0.3 else int(draw.integers(1, 5))
        loop = Loop(passes, begin, end)
    offset = int(draw.integers(0, frames if loop is None else loop.end_frame or frames))
    endless = loop is not None and loop.passes is None
    limit = int(draw.integers(1, 8000)) if endless or draw.random() < 0.5 else None
    changes: list[tuple[int, Any]] = []
    paused = False
    at = 0
    for _ in range(int(draw.integers(0, 9))):
        at += int(draw.choice([0, 1, 200, 700]))
        what = draw.random()
        if what < 0.5:
            gain = float(np.float32(draw.uniform(-1.5, 1.5)))
            changes.append((at, Gain(gain, random_fade(draw))))
        elif what < 0.8:
            changes.append((at, Resume() if paused else Pause()))
            paused = not paused
        else:
            changes.append((at, LeaveLoop(bool(draw.random() < 0.5))))
    if paused:
        changes.append((at + 100, Resume()))
    stop = None
    if draw.random() < 0.3:
        stop = (int(draw.integers(1, 6000)), random_fade(draw))
    return Walk(
        frames,
        float(np.float32(draw.uniform(-1.5, 1.5))),
        random_fade(draw),
        random_fade(draw),
        offset,
        limit,
        loop,
        changes,
        stop,
    )


@pytest.mark.parametrize("seed", range(3))
def test_random_sounds_are_shaped_as_they_are_walked_through(
    server: LocalServer, seed: int
) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            draw = np.random.default_rng(seed)
            sounds = [probe(int(draw.integers(2, 4000)), i) for i in range(30)]
            walks = [random_walk(draw, len(sound)) for sound in sounds]
            offsets = np.cumsum([0, *(len(walk.run()[0]) + 50 for walk in walks[:-1])])
            specs: list[Any] = []
            for number, (sound, walk, offset) in enumerate(zip(sounds, walks, offsets)):
                key = str(number)
                specs.append(
                    Play(
                        *(sound, OUTPUTS, walk.gain),
                        start=after(offset),
                        key=key,
                        fade_in=walk.fade_in,
                        fade_out=walk.fade_out,
                        offset_frames=walk.offset_frames,
                        max_frames=walk.max_frames,
                        loop=walk.loop,
                    )
                )
                specs += [Change(key, what, after(offset + at)) for at, what in walk.changes]
                if walk.stop is not None:
                    specs.append(Cancel(key, after(offset + walk.stop[0]), fade=walk.stop[1]))
            batch, parts = await scheduled(client, session, *specs)
            for number, (sound, walk, part) in enumerate(zip(sounds, walks, parts)):
                report = batch[str(number)].report
                assert report.start_frame == (batch.origin_frame or 0) + offsets[number]
                assert_walked(part, walk, sound)
                positions, _, _ = walk.run()
                assert report.done_frames == np.count_nonzero(positions >= 0)

    run(test())


def test_numbers_are_linear_fades_and_passes(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(1000)
            _, (part,) = await scheduled(
                client, session, Play(sound, OUTPUTS, fade_in=300, fade_out=400, loop=2)
            )
            walk = Walk(1000, fade_in=Fade(300), fade_out=Fade(400), loop=Loop(2))
            assert_walked(part, walk, sound)

    run(test())


@pytest.mark.parametrize("at_once", [False, True])
def test_endless_loop_is_left_at_a_frame(server: LocalServer, at_once: bool) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(3000)
            leave = LeaveLoop(at_once)
            loop = Loop(None, 500, 1500)
            batch, (part,) = await scheduled(
                client,
                session,
                Play(sound, OUTPUTS, loop=loop, key="pad"),
                Change("pad", leave, start=after(4321), key="leave"),
            )
            assert_walked(part, Walk(3000, loop=loop, changes=[(4321, leave)]), sound)
            change = await batch["leave"].wait()
            assert (change.kind, change.end_reason) == ("change", "completed")
            assert change.target_action_id == batch["pad"].id
            assert change.start_frame == (batch["pad"].report.start_frame or 0) + 4321

    run(test())


@pytest.mark.parametrize("at_once", [False, True])
def test_endless_loop_is_left_by_a_call(server: LocalServer, at_once: bool) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(3000)
            ear = await listen(session)
            (pad,) = await session.schedule(
                Play(sound, OUTPUTS, loop=True, start=at_frame(await soon(client)))
            )
            start = pad.report.requested_start_frame
            assert start is not None
            frame = await pad.leave_loop(start + 10_000, at_once=at_once)
            assert frame == start + 10_000
            report = await pad.wait(until="done")
            (part,) = await heard(ear, report)
            walk = Walk(3000, loop=Loop(), changes=[(10_000, LeaveLoop(at_once))])
            assert_walked(part, walk, sound)

    run(test())


def test_a_playlist_has_no_gap_and_no_overlap(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sounds = [probe(frames, seed) for seed, frames in enumerate((1000, 1, 0, 777, 4096))]
            batch, parts = await scheduled(
                client,
                session,
                *playlist([*sounds[:-1], Play(sounds[-1], OUTPUTS, fade_out=50)], outputs=OUTPUTS),
            )
            reports = [action.report for action in batch]
            for before, one, report in zip(batch, batch[1:], reports[1:]):
                assert report.start_frame == before.report.end_frame
                assert report.after_action_id == before.id
                assert one.key == f"playlist-{reports.index(report)}"
            for part, sound in zip(parts[:-1], sounds):
                np.testing.assert_array_equal(part, sound)
            assert_walked(parts[-1], Walk(4096, fade_out=Fade(50)), sounds[-1])

    run(test())


def test_a_chain_of_hundreds_within_a_few_blocks_has_no_gap(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            lengths = np.random.default_rng(1).integers(0, 10, 400)
            sounds = [probe(int(length), seed) for seed, length in enumerate(lengths)]
            take = Record(int(lengths.sum()), OUTPUTS, "output", key="take")
            batch = await session.schedule(
                [take, *playlist(sounds, outputs=OUTPUTS)], at_frame(await soon(client))
            )
            reports = (await batch.wait(until="done"))[1:]
            ends = np.cumsum(lengths) + batch.origin_frame
            assert [report.end_frame for report in reports] == ends.tolist()
            recording = await batch["take"].recording()
            np.testing.assert_array_equal(recording.samples, np.concatenate(sounds))

    run(test())


def test_what_follows_a_cancelled_play_starts_where_that_ended(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sounds = [probe(3000, seed) for seed in range(3)]
            batch, parts = await scheduled(
                client,
                session,
                *playlist(sounds, outputs=OUTPUTS, key="p"),
                Cancel("p-0", start=after(1111)),
                # One that has not started then: what follows it is where it should have started.
                Cancel("p-1", start=after(500)),
            )
            first, second, third = (batch[f"p-{i}"].report for i in range(3))
            assert (first.end_reason, first.done_frames) == ("cancelled", 1111)
            assert (second.end_reason, second.done_frames) == ("cancelled", 0)
            assert third.start_frame == first.end_frame
            assert third.end_reason == "completed"
            assert second.start_frame is None
            np.testing.assert_array_equal(parts[0], sounds[0][:1111])
            np.testing.assert_array_equal(parts[1], sounds[2])

    run(test())


def test_a_chain_goes_on_behind_what_was_scheduled_before(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            ear = await listen(session)
            sounds = [probe(4000, seed) for seed in range(3)]
            first = await session.schedule(
                Play(sounds[0], OUTPUTS, start=at_frame(await soon(client)))
            )
            rest = await session.schedule(
                [
                    *playlist(sounds[1:], at_end_of(first[0]), outputs=OUTPUTS),
                    Record(100, OUTPUTS, "output", start=at_end_of("playlist-1"), key="behind"),
                ]
            )
            reports = [*await first.wait(until="done"), *await rest.wait(until="done")]
            for before, one in zip(reports, reports[1:]):
                assert one.start_frame == before.end_frame
                assert one.late_frames == 0
            parts = await heard(ear, *reports[:3])
            np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(sounds))
            assert not (await rest["behind"].recording()).samples.any()

    run(test())


def test_pause_and_resume_at_frames(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(5000)
            _, (part,) = await scheduled(
                client,
                session,
                Play(sound, OUTPUTS, fade_in=Fade(2000), fade_out=Fade(2000), key="a"),
                Change("a", Pause(), start=after(1000)),
                Change("a", Resume(), start=after(1777)),
                Change("a", Pause(), start=after(4000)),
                Change("a", Resume(), start=after(4001)),
            )
            walk = Walk(
                5000,
                fade_in=Fade(2000),
                fade_out=Fade(2000),
                changes=[(1000, Pause()), (1777, Resume()), (4000, Pause()), (4001, Resume())],
            )
            assert_walked(part, walk, sound)
            assert len(part) == 5000 + 777 + 1

    run(test())


def test_a_set_and_all_stand_still_at_one_frame(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            ears = [
                (await session.schedule(Record(inputs=[n, n + 1], source="output")))[0]
                for n in (1, 3, 5)
            ]
            sounds = [probe(20000, seed) for seed in range(3)]
            start = await soon(client)
            batch = await session.schedule(
                [
                    Play(sound, [n, n + 1], start=after(10 * n))
                    for n, sound in zip((1, 3, 5), sounds)
                ],
                at_frame(start),
            )
            assert await session.pause(batch.actions[:2], start + 5000) == start + 5000
            assert await session.resume(batch.actions[:2], start + 6000) == start + 6000
            assert await session.pause(frame=start + 8000) == start + 8000
            assert await session.resume(frame=start + 8500) == start + 8500
            reports = await batch.wait(until="done")
            for i, (n, ear) in enumerate(zip((1, 3, 5), ears)):
                changes: list[tuple[int, Any]] = [
                    (8000 - 10 * n, Pause()),
                    (8500 - 10 * n, Resume()),
                ]
                if i < 2:
                    changes = [(5000 - 10 * n, Pause()), (6000 - 10 * n, Resume()), *changes]
                (part,) = await heard(ear, reports[i])
                assert_walked(part, Walk(20000, changes=changes), sounds[i])

    run(test())


def test_a_sound_stands_still_at_once_and_tells_its_position(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(24000)
            ear = await listen(session)
            (action,) = await session.schedule(Play(sound, OUTPUTS, loop=100, offset_frames=50))
            await action.pause()
            (paused,) = await changes_of(client, action, 1)
            report = await action.refresh()
            assert report.paused
            assert "paused" in repr(report)
            start = report.start_frame
            assert start is not None
            # As many frames as it sounded, in the sound: it is no further than that.
            sounded = max(0, paused - start)
            assert report.position_frames == (50 + sounded) % 24000
            assert report.done_frames == sounded
            await action.resume()
            await action.leave_loop(at_once=True)
            final = await action.wait(until="done")
            frames = await changes_of(client, action, 3)
            assert not (await action.refresh()).paused
            changes = [Pause(), Resume(), LeaveLoop(at_once=True)]
            (part,) = await heard(ear, final)
            walk = Walk(
                24000,
                offset_frames=50,
                loop=Loop(100),
                changes=[(max(0, frame - start), change) for frame, change in zip(frames, changes)],
            )
            assert_walked(part, walk, sound)
            assert final.position_frames == 24000

    run(test())


def test_gains_change_from_wherever_they_are(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(12000)
            changes: list[tuple[int, Any]] = [
                (500, Gain(0.25)),
                (1000, Gain(1.5, Fade(2000, "equal_power"))),
                # In the middle of the one before.
                (2001, Gain(-0.5, Fade(1000))),
                (4000, Gain(1.0, 300)),
                # Two on one frame: the one scheduled last is last.
                (5000, Gain(0.125)),
                (5000, Gain(0.75, Fade(100))),
                (6000, Gain(0.0, Fade(500, "equal_power"))),
                (7000, Gain(1.0, Fade(10000, "equal_power"))),
            ]
            _, (part,) = await scheduled(
                client,
                session,
                Play(sound, OUTPUTS, gain=0.5, fade_in=Fade(200), fade_out=Fade(1000), key="a"),
                *(Change("a", change, start=after(frame)) for frame, change in changes),
            )
            walk = Walk(12000, 0.5, Fade(200), Fade(1000), changes=changes)
            assert_walked(part, walk, sound)

    run(test())


def test_gain_changes_by_a_call(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(12000)
            ear = await listen(session)
            start = await soon(client)
            (action,) = await session.schedule(Play(sound, OUTPUTS, start=at_frame(start)))
            fade = Fade(3000, "equal_power")
            assert await action.set_gain(0.3, fade, start + 2000) == start + 2000
            assert await session.change(Gain(0.9), [action], start + 8000) == start + 8000
            report = await action.wait(until="done")
            (part,) = await heard(ear, report)
            changes = [(2000, Gain(0.3, fade)), (8000, Gain(0.9))]
            assert_walked(part, Walk(12000, changes=changes), sound)
            assert await changes_of(client, action, 2) == [start + 2000, start + 8000]

    run(test())


@pytest.mark.parametrize("fade", [Fade(1000), Fade(1000, "equal_power"), 1000, Fade(0)])
def test_stop_with_a_fade(server: LocalServer, fade: Any) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(10000)
            shape = Fade(fade) if isinstance(fade, int) else fade
            batch, (part,) = await scheduled(
                client,
                session,
                Play(sound, OUTPUTS, gain=0.8, fade_in=Fade(3000), key="a"),
                Cancel("a", start=after(2000), fade=fade),
            )
            report = batch["a"].report
            assert (report.end_reason, report.done_frames) == ("cancelled", 2000 + shape.frames)
            assert_walked(part, Walk(10000, 0.8, Fade(3000), stop=(2000, shape)), sound)

    run(test())


def test_calls_stop_with_a_fade(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(12000)
            ear = await listen(session)
            start = await soon(client)
            batch = await session.schedule(
                [Play(sound, OUTPUTS, start=after(20000 * i)) for i in range(3)], at_frame(start)
            )
            fade = Fade(700, "equal_power")
            await batch[0].cancel(start + 3000, fade)
            await session.cancel([batch[1]], start + 23000, fade)
            await batch.cancel(start + 43000, fade)
            reports = await batch.wait(until="done")
            parts = await heard(ear, *reports)
            for report, part in zip(reports, parts):
                assert (report.end_reason, len(part)) == ("cancelled", 3700)
                assert_walked(part, Walk(12000, stop=(3000, fade)), sound)

    run(test())


def test_the_gain_of_a_session_is_that_of_all_its_plays(server: LocalServer) -> None:
    async def test() -> None:
        async with (
            aio.Client(server.target) as client,
            client.session() as session,
            client.session() as other,
        ):
            assert (await session.info()).gain == 1
            ear = await listen(session)
            other_ear = (await other.schedule(Record(inputs=[3, 4], source="output")))[0]
            sound = probe(10000)
            start = await soon(client)
            batch = await session.schedule(
                [
                    Play(sound, OUTPUTS, start=at_frame(start)),
                    Play(sound, OUTPUTS, start=at_frame(start + 11000)),
                ]
            )
            loud = await other.schedule(Play(sound, [3, 4], start=at_frame(start)))
            fade = Fade(4000, "equal_power")
            assert await session.set_gain(0.25, fade, start + 2000) == start + 2000
            assert (await session.info()).gain == 0.25
            reports = await batch.wait(until="done")
            (whole,) = await heard(other_ear, *await loud.wait(until="done"))
            np.testing.assert_array_equal(whole, sound)
            first, second = await heard(ear, *reports)
            # Of one play the session's gain is as good as its own.
            assert_walked(first, Walk(10000, changes=[(2000, Gain(0.25, fade))]), sound)
            assert_walked(second, Walk(10000, 0.25), sound)
            assert (await other.info()).gain == 1
            # Those that come later have it, too.
            later, (part,) = await scheduled(client, session, Play(sound, OUTPUTS, gain=0.5))
            assert later[0].report.end_reason == "completed"
            np.testing.assert_array_equal(part, sound * np.float32(0.125))

    run(test())


def test_the_gain_of_a_session_is_multiplied_with_that_of_a_play(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(8000)
            ear = await listen(session)
            start = await soon(client)
            own = Fade(5000)
            common = Fade(6000, "equal_power")
            (action,) = await session.schedule(
                Play(sound, OUTPUTS, 0.7, fade_in=own, start=at_frame(start))
            )
            await session.set_gain(0.1, common, start + 1000)
            (part,) = await heard(ear, await action.wait(until="done"))
            _, expected, _ = Walk(8000, 0.7, own).run()
            ramp = Ramp(1.0)
            for frame in range(8000):
                if frame == 1000:
                    ramp.begin(0.1, common)
                expected[frame] = np.float32(expected[frame]) * np.float32(ramp.now())
                ramp.step()
            measured = part[:, 0] / CONSTANT
            # 1 for each factor, and the rounding of the product.
            assert ulps(measured, expected).max() <= 3
            np.testing.assert_array_equal(part[:, 1], sound[:, 1] * measured)

    run(test())


def test_master_gain_is_that_of_everything(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            assert (await client.stream()).master_gain == 1
            sound = probe(10000)
            ear = await listen(session)
            start = await soon(client)
            (action,) = await session.schedule(Play(sound, OUTPUTS, start=at_frame(start)))
            fade = Fade(4000, "equal_power")
            try:
                assert await session.set_master_gain(0.25, fade, start + 2000) == start + 2000
                assert (await client.stream()).master_gain == 0.25
                (part,) = await heard(ear, await action.wait(until="done"))
                assert_walked(part, Walk(10000, changes=[(2000, Gain(0.25, fade))]), sound)
                async for entry in client.events(0, ["gain_changed"]):
                    if entry.frame == start + 2000:
                        assert entry.session_id == ""
                        break
            finally:
                await session.set_master_gain(1.0)
            assert (await client.stream()).master_gain == 1

    run(test())


def test_master_gain_is_put_back_behind_a_lease(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client:
            async with client.lease("quiet") as session:
                await session.set_master_gain(0.5)
                assert (await client.stream()).master_gain == 0.5
                async with client.session() as other:
                    with pytest.raises(rtmixd.Busy):
                        await other.set_master_gain(0.25)
            assert (await client.stream()).master_gain == 1

    run(test())


def test_a_change_of_what_has_ended_says_so(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            batch, _ = await scheduled(
                client,
                session,
                Play(probe(100), OUTPUTS, key="short"),
                Change("short", Pause(), start=after(5000), key="late"),
            )
            report = await batch["late"].wait(until="done")
            assert report.end_reason == "target_ended"
            with pytest.raises(rtmixd.Incomplete, match="target_ended"):
                report.check()
            # By a call it is no error.
            await batch["short"].pause()
            assert not batch["short"].report.paused

    run(test())


def test_playrec_counts_what_will_sound(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(3000)
            loop = Loop(3, 1000, 2000)
            recording, report = await session.playrec(
                *(sound, OUTPUTS, OUTPUTS),
                tail=0.01,
                fade_in=Fade(500),
                fade_out=Fade(800, "equal_power"),
                offset_frames=250,
                loop=loop,
                until="done",
            )
            walk = Walk(3000, 1.0, Fade(500), Fade(800, "equal_power"), 250, None, loop)
            assert report.done_frames == 2750 + 2000 + 480
            assert_walked(recording.samples[:4750], walk, sound)
            assert not recording.samples[4750:].any()
            async with session.upload(sound) as buffer:
                short, _ = await session.playrec(
                    buffer, OUTPUTS, OUTPUTS, loop=True, max_frames=4000, until="done"
                )
            assert_walked(short.samples, Walk(3000, max_frames=4000, loop=Loop()), sound)
            with pytest.raises(rtmixd.InvalidArgument, match="loop has no end"):
                await session.playrec(sound, OUTPUTS, OUTPUTS, loop=True)

    run(test())


def test_play_shapes_and_waits(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(2000)
            ear = await listen(session)
            report = await session.play(
                sound,
                OUTPUTS,
                start=at_frame(await soon(client)),
                fade_in=100,
                fade_out=Fade(300, "equal_power"),
                offset_frames=500,
                max_frames=2500,
                loop=Loop(None, 600),
                until="done",
            )
            (part,) = await heard(ear, report)
            walk = Walk(2000, 1.0, Fade(100), Fade(300, "equal_power"), 500, 2500, Loop(None, 600))
            assert_walked(part, walk, sound)

    run(test())


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"fade_in": -1}, "fade_in.frames"),
        ({"fade_out": Fade(-1)}, "fade_out.frames"),
        ({"offset_frames": -1}, "offset_frames"),
        ({"offset_frames": 101}, "offset_frames"),
        ({"max_frames": 0}, "max_frames"),
        ({"loop": 0}, "loop.passes"),
        ({"loop": Loop(1, -1)}, "loop.begin_frame"),
        ({"loop": Loop(1, 0, 101)}, "loop.end_frame"),
        ({"loop": Loop(1, 50, 50)}, "loop.end_frame"),
    ],
)
def test_refusals_name_the_field(server: LocalServer, options: dict[str, Any], field: str) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            with pytest.raises(rtmixd.InvalidArgument) as caught:
                await session.schedule(Play(np.zeros(100), [1], **options))
            assert caught.value.field == f"actions[0].play.{field}"
            assert await session.actions() == []

    run(test())


def test_refusals_of_changes_and_chains(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            batch = await session.schedule([Record(key="take"), Play(np.zeros(48000), [1])])
            with pytest.raises(rtmixd.InvalidArgument, match="must be an action that plays"):
                await session.pause([batch[1], batch["take"]])
            assert not (await batch[1].refresh()).paused
            with pytest.raises(rtmixd.InvalidArgument, match="must be"):
                await session.schedule(Play([0.5], [1], start=at_end_of(batch["take"])))
            with pytest.raises(rtmixd.InvalidArgument, match="nobody"):
                await session.schedule(Play([0.5], [1], start=at_end_of("nobody")))
            with pytest.raises(rtmixd.InvalidArgument):
                await batch[1].set_gain(float("nan"))
            with pytest.raises(rtmixd.InvalidArgument):
                await session.set_gain(float("inf"))

    run(test())
