"""Streams that play fade, have a length, stand still and change, to the sample."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import pytest
from shape_reference import Walk, assert_walked, probe
from stream_rig import run
from test_aio_shaping import OUTPUTS, heard, listen, soon

import rtmixd
from rtmixd import Fade, Gain, Pause, Play, Resume, aio, at_end_of, at_frame
from rtmixd.local_server import LocalServer

# More than any test plays: all is there before the first frame sounds, so that no network and no
# machine can make it late.
RING_FRAMES = 48000


async def opened(
    client: aio.Client, session: aio.Session, start: Optional[int] = None, **options: Any
) -> tuple[aio.PlayStream, int]:
    """A stream that starts at a frame, which is returned."""
    frame = await soon(client) if start is None else start
    stream = await session.open_play(
        2, outputs=OUTPUTS, start=at_frame(frame), buffer_frames=RING_FRAMES, **options
    )
    return stream, frame


@pytest.mark.parametrize(
    "options",
    [
        {"fade_in": 1000},
        {"fade_in": Fade(1000, "equal_power"), "gain": 0.3},
        {"max_frames": 4000},
        {"max_frames": 4000, "fade_in": Fade(3000), "fade_out": Fade(3000, "equal_power")},
    ],
)
def test_stream_fades_and_has_a_length(server: LocalServer, options: dict[str, Any]) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(9000)
            ear = await listen(session)
            stream, _ = await opened(client, session, **options)
            await stream.write(sound)
            await stream.end()
            report = await stream.wait(until="done")
            assert (report.end_reason, report.gap_count) == ("completed", 0)
            (part,) = await heard(ear, report)
            fade = options.get("fade_in")
            shapes = {**options, "fade_in": Fade(fade) if isinstance(fade, int) else fade}
            assert_walked(part, Walk(9000, **shapes), sound)

    run(test())


def test_stream_stands_still_and_changes_its_gain(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(12000)
            ear = await listen(session)
            stream, start = await opened(client, session)
            await stream.write(sound)
            await stream.end()
            fade = Fade(2000, "equal_power")
            assert await stream.set_gain(0.2, fade, start + 1000) == start + 1000
            assert await stream.pause(start + 2000) == start + 2000
            assert await stream.resume(start + 4000) == start + 4000
            # As one of all of the session.
            assert await session.change(Gain(0.9), frame=start + 9000) == start + 9000
            report = await stream.wait(until="done")
            assert (report.end_reason, report.gap_count) == ("completed", 0)
            (part,) = await heard(ear, report)
            walk = Walk(
                12000,
                changes=[
                    (1000, Gain(0.2, fade)),
                    (2000, Pause()),
                    (4000, Resume()),
                    (9000, Gain(0.9)),
                ],
            )
            assert_walked(part, walk, sound)

    run(test())


def test_stream_is_stopped_with_a_fade(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(12000)
            ear = await listen(session)
            stream, start = await opened(client, session)
            await stream.write(sound)
            await stream.cancel(start + 5000, Fade(1000, "equal_power"))
            report = await stream.wait(until="done")
            assert report.end_reason == "cancelled"
            (part,) = await heard(ear, report)
            assert_walked(part, Walk(12000, stop=(5000, Fade(1000, "equal_power"))), sound)

    run(test())


def test_buffers_and_streams_follow_each_other(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            ear = await listen(session)
            sounds = [probe(6000, seed) for seed in range(3)]
            first = await session.schedule(
                Play(sounds[0], OUTPUTS, start=at_frame(await soon(client)))
            )
            stream = await session.open_play(
                2, outputs=OUTPUTS, start=at_end_of(first[0]), buffer_frames=RING_FRAMES
            )
            await stream.write(sounds[1])
            await stream.end()
            last = await session.schedule(Play(sounds[2], OUTPUTS, start=at_end_of(stream)))
            reports = [
                *await first.wait(until="done"),
                await stream.wait(until="done"),
                *await last.wait(until="done"),
            ]
            assert [report.kind for report in reports] == ["play", "play_stream", "play"]
            assert reports[1].after_action_id == first[0].id
            assert reports[2].after_action_id == stream.action_id
            parts = await heard(ear, *reports)
            np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(sounds))
            for before, report in zip(reports, reports[1:]):
                assert report.start_frame == before.end_frame

    run(test())


def test_fade_out_of_a_stream_needs_its_length(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            with pytest.raises(rtmixd.InvalidArgument) as caught:
                await session.open_play(1, outputs=[1], fade_out=100)
            assert "fade_out" in caught.value.field

    run(test())


def test_play_of_a_duplex_stream_is_shaped(server: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(server.target) as client, client.session() as session:
            sound = probe(5000)
            frame = await soon(client)
            async with session.open_duplex(
                2,
                OUTPUTS,
                outputs=OUTPUTS,
                frames=4000,
                source="output",
                start=at_frame(frame),
                fade_in=Fade(500),
                fade_out=Fade(900, "equal_power"),
                max_frames=3000,
                buffer_frames=RING_FRAMES,
            ) as stream:
                await stream.write(sound)
                audio = await stream.read(4000)
            walk = Walk(5000, 1.0, Fade(500), Fade(900, "equal_power"), max_frames=3000)
            assert_walked(audio[:3000], walk, sound)
            assert not audio[3000:].any()

    run(test())
