"""The blocking client shapes sounds as the asynchronous one does."""

from __future__ import annotations

import numpy as np
from shape_reference import Walk, assert_walked, probe

import rtmixd
from rtmixd import Fade, Gain, Loop, Pause, Play, Record, Resume, at_end_of, at_frame, playlist
from rtmixd.local_server import LocalServer

OUTPUTS = (1, 2)


def heard(ear: rtmixd.Action, *reports: rtmixd.Report) -> list[np.ndarray]:
    """End a recording; return what each action made of it, from its start to its end."""
    ear.cancel(max(report.end_frame for report in reports) + 480)
    recording = ear.recording()
    first = recording.start_frame
    return [
        recording.samples[report.start_frame - first : report.end_frame - first]
        for report in reports
    ]


def test_twins_can_be_changed_and_followed(server: LocalServer) -> None:
    with rtmixd.Client(server.target) as client, client.session() as session:
        (ear,) = session.schedule(Record(inputs=OUTPUTS, source="output"))
        sounds = [probe(9000, seed) for seed in range(3)]
        start = client.clock().next_frame + 24000
        loop = Loop(None, 1000, 4000)
        (first,) = session.schedule(Play(sounds[0], OUTPUTS, loop=loop, start=at_frame(start)))
        rest = session.schedule(playlist(sounds[1:], at_end_of(first), outputs=OUTPUTS))
        fade = Fade(2000, "equal_power")
        assert first.set_gain(0.5, fade, start + 1000) == start + 1000
        assert first.pause(start + 2000) == start + 2000
        assert first.resume(start + 2500) == start + 2500
        assert first.leave_loop(start + 9000) == start + 9000
        reports = [first.wait(until="done"), *rest.wait(until="done")]
        parts = heard(ear, *reports)
        changes = [
            (1000, Gain(0.5, fade)),
            (2000, Pause()),
            (2500, Resume()),
            (9000, rtmixd.LeaveLoop()),
        ]
        assert_walked(parts[0], Walk(9000, loop=loop, changes=changes), sounds[0])
        np.testing.assert_array_equal(np.concatenate(parts[1:]), np.concatenate(sounds[1:]))
        for before, report in zip(reports, reports[1:]):
            assert report.start_frame == before.end_frame
        assert first.refresh().position_frames == 9000


def test_sessions_and_streams_change_together(server: LocalServer) -> None:
    with rtmixd.Client(server.target) as client, client.session() as session:
        (ear,) = session.schedule(Record(inputs=OUTPUTS, source="output"))
        sound = probe(12000)
        start = client.clock().next_frame + 24000
        stream = session.open_play(
            2, outputs=OUTPUTS, start=at_frame(start), buffer_frames=48000, fade_in=500
        )
        stream.write(sound)
        stream.end()
        assert session.set_gain(0.5, 1000, start + 2000) == start + 2000
        assert session.pause(frame=start + 4000) == start + 4000
        assert session.resume(session.actions(active_only=True)[1:], start + 5000) == start + 5000
        stream.cancel(start + 10000, Fade(300))
        report = stream.wait(until="done")
        (part,) = heard(ear, report)
        walk = Walk(
            12000,
            fade_in=Fade(500),
            changes=[(2000, Gain(0.5, 1000)), (4000, Pause()), (5000, Resume())],
            stop=(10000, None),
        )
        # The gains of play and session move one after the other, until the fade that ends it.
        assert_walked(part[:10000], walk, sound)
        assert len(part) == 10300
