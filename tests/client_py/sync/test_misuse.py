"""What cannot be an argument is refused by its name, whatever it is, and changes nothing."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

import rtmixd
from rtmixd import Pause, Play, Record, after, files, playlist, plot
from rtmixd.local_server import LocalServer

# As new users give them.
NO_SEQUENCES: list[object] = [5, 1.5, object(), pathlib.Path("a.wav"), len, np.array(3)]
NO_FUNCTIONS: list[object] = [5, "print", [print], np.zeros(2)]
NO_PATHS: list[object] = [5, None, b"a.wav", ["a.wav"], object(), np.zeros(2), "a\0.wav"]
NO_FLAGS: list[object] = [np.zeros(2), np.zeros((2, 2))]
NO_SOUNDS: list[object] = [None, 5, "a.wav", pathlib.Path("a.wav"), object(), iter([0.5])]
NO_FIGURES: list[object] = [5, "a.png", object(), [Figure()]]
NO_REPORTS: list[object] = [5, None, object(), {}]

Call = Callable[[rtmixd.Client, rtmixd.Session, Any], object]
Refusals = list[tuple[str, list[object], Call]]
REFUSALS: Refusals = [
    ("kinds", NO_SEQUENCES, lambda c, s, x: next(iter(c.events(kinds=x)))),
    ("exclusive", NO_FLAGS, lambda c, s, x: c.session(exclusive=x)),
    ("wait", [float("nan"), "1", None], lambda c, s, x: c.lease(wait=x)),
    ("patience", [float("nan"), "1", None], lambda c, s, x: rtmixd.Client(c.target, patience=x)),
    ("ca", [5, b"a.pem", object(), "\ud800"], lambda c, s, x: rtmixd.Client(c.target, ca=x)),
    (
        "output.host_settings",
        [*NO_SEQUENCES, "a=b", [("a", "b")]],
        lambda c, s, x: c.check_settings(output=rtmixd.DirectionSettings(host_settings=x)),
    ),
    ("specs", [*NO_SEQUENCES, None, "beep"], lambda c, s, x: s.schedule(x)),
    ("align", NO_FLAGS, lambda c, s, x: s.schedule(Play([0.5]), align=x)),
    ("prepare", NO_FLAGS, lambda c, s, x: s.schedule(Play([0.5]), prepare=x)),
    ("key", [*NO_FLAGS, 5, None], lambda c, s, x: s.schedule(Play([0.5], key=x))),
    ("sound", NO_SOUNDS, lambda c, s, x: s.play(x)),
    ("sound", NO_SOUNDS, lambda c, s, x: s.playrec(x)),
    ("sound", NO_SOUNDS, lambda c, s, x: s.upload(x)),
    ("tail", [*NO_FLAGS, "1", None], lambda c, s, x: s.playrec([0.5], tail=x)),
    ("until", [*NO_FLAGS, "over", None], lambda c, s, x: s.rec(1, until=x)),
    ("timeout", [float("nan"), "1"], lambda c, s, x: s.rec(1, timeout=x)),
    ("keep", NO_FLAGS, lambda c, s, x: s.schedule(Record(1, keep=x))),
    ("keep", NO_FLAGS, lambda c, s, x: s.buffer(1, keep=x)),
    ("progress", NO_FUNCTIONS, lambda c, s, x: s.upload([0.5], progress=x)),
    ("sounds", [*NO_SEQUENCES, None, "a.wav"], lambda c, s, x: playlist(x)),
    ("actions", NO_SEQUENCES, lambda c, s, x: s.wait(x)),
    ("actions", [["a-1"], [None]], lambda c, s, x: s.wait(x)),
    ("actions", NO_SEQUENCES, lambda c, s, x: s.cancel(x)),
    ("actions", NO_SEQUENCES, lambda c, s, x: s.change(Pause(), x)),
    ("actions", NO_SEQUENCES, lambda c, s, x: s.resume(x)),
    ("faults", NO_SEQUENCES, lambda c, s, x: s.load_script(x)),
    ("callback", NO_FUNCTIONS, lambda c, s, x: s.on_recording(x)),
    ("measurement", NO_REPORTS, lambda c, s, x: s.set_calibration(x)),
    ("reattach", NO_FLAGS, lambda c, s, x: s.open_play(1, reattach=x)),
    ("callback", NO_FUNCTIONS, lambda c, s, x: s.open_record(callback=x)),
    ("sessions", [*NO_SEQUENCES, [5]], lambda c, s, x: rtmixd.Ensemble(x)),
    (
        "specs",
        NO_SEQUENCES,
        lambda c, s, x: rtmixd.Ensemble([s]).start(x, rtmixd.at_wall_time(2e9)),
    ),
    ("flags", [*NO_SEQUENCES, None, "--help", [5]], lambda c, s, x: LocalServer(x)),
    ("program", [5, b"rtmixd", ["rtmixd"]], lambda c, s, x: LocalServer(program=x)),
    ("path", NO_PATHS, lambda c, s, x: files.read_sound(x)),
    ("path", NO_PATHS, lambda c, s, x: files.write_recording(x, None)),  # type: ignore[arg-type]
    ("recording", NO_REPORTS, lambda c, s, x: files.write_recording("a.wav", x)),
    ("recording", NO_REPORTS, lambda c, s, x: plot.plot_recording(x)),
    ("reports", [5, None, object(), [5]], lambda c, s, x: plot.plot_reports(x)),
    ("measurement", NO_REPORTS, lambda c, s, x: plot.plot_impulse_response(x)),
    ("figure", NO_FIGURES, lambda c, s, x: plot.plot_waveform([0.5], 48000, figure=x)),
    ("sample_rate_hz", [None, "1", [1]], lambda c, s, x: plot.plot_waveform([0.5], x)),
]


@pytest.fixture(scope="module")
def client(server: LocalServer) -> Iterator[rtmixd.Client]:
    with rtmixd.Client(server.target) as client:
        yield client


@pytest.fixture
def session(client: rtmixd.Client) -> Iterator[rtmixd.Session]:
    with client.session("new here") as session:
        yield session


@pytest.mark.parametrize(("field", "values", "call"), REFUSALS)
def test_a_refusal_names_the_argument_and_leaves_nothing(
    client: rtmixd.Client, session: rtmixd.Session, field: str, values: list[object], call: Call
) -> None:
    for value in values:
        with pytest.raises(rtmixd.InvalidArgument) as refused:
            call(client, session, value)
        assert refused.value.field == field, value
        assert str(refused.value).removeprefix("the ").startswith(f"{field} is "), value
    assert session.actions() == []
    assert session.buffers() == []
    assert [one.id for one in client.sessions()] == [session.id]


def test_the_path_of_a_sound_is_no_sound_but_leads_to_one(session: rtmixd.Session) -> None:
    with pytest.raises(rtmixd.InvalidArgument, match=r"'beep\.wav'.*rtmixd\.files\.read_sound"):
        session.play("beep.wav")


def test_a_date_is_no_sequence_of_kinds(client: rtmixd.Client) -> None:
    with pytest.raises(rtmixd.InvalidArgument, match="kinds is datetime"):
        next(iter(client.events(kinds=datetime.datetime.now())))  # type: ignore[arg-type]


def test_true_is_a_number_of_frames(session: rtmixd.Session) -> None:
    # As everywhere in Python; protobuf alone would not take it.
    with session.upload([0.25, 0.5]) as buffer:
        np.testing.assert_array_equal(buffer.download(True, True), np.float32([[0.5]]))


def test_generators_are_as_good_as_lists(session: rtmixd.Session) -> None:
    # They run on the caller's thread, so that they may call the session.
    buffers: list[rtmixd.Buffer] = []

    def click(value: float) -> Play:
        buffers.append(session.upload([value]))
        return Play(buffers[-1], outputs=[1], start=after(len(buffers) - 1), key=f"{value}")

    take = Record(2, inputs=[1], source="output", key="take")
    session.schedule([take]).wait()
    batch = session.schedule(click(value) for value in (0.25, 0.5))
    reports = session.wait(batch[key] for key in ("0.25", "0.5"))
    assert reports[1].start_frame == reports[0].start_frame + 1  # type: ignore[operator]
    by_key = {action.key: action for action in batch}
    assert session.cancel(by_key.values()) == reports
    for buffer in buffers:
        buffer.delete()
