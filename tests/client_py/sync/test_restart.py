"""A killed server started again: what is old is refused by name, recordings are still there."""

from __future__ import annotations

import os
import pathlib
import signal
import time
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

import rtmixd
from rtmixd import Play, Record
from rtmixd.local_server import LocalServer

RATE_HZ = 48000


def noise(frames: int) -> np.ndarray:
    """Return a sound that is nowhere silent."""
    values = np.random.default_rng(1).uniform(0.1, 0.5, (frames, 1))
    return values.astype(np.float32)


def kill(server: LocalServer) -> None:
    os.kill(server.pid, signal.SIGKILL)
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nothing_old_is_taken_for_something_new() -> None:
    with LocalServer() as first, rtmixd.Client(first.target) as client:
        session = client.session()
        (action,) = session.schedule(Record())
        instance = client.info().instance_id
        kill(first)
        with pytest.raises(rtmixd.Disconnected):
            action.wait()
        with LocalServer() as second, rtmixd.Client(second.target) as again:
            assert again.info().instance_id != instance
            with pytest.raises(rtmixd.SessionExpired, match="restarted"):
                again.join(session.token)
            with again.session() as other:
                (new,) = other.schedule(Record())
                assert new.id != action.id
                assert new.buffer_id != action.buffer_id
                assert other.id != session.id
                with pytest.raises(rtmixd.NotFound, match="restarted"):
                    other.open_buffer(action.buffer_id)


def test_what_was_recorded_is_still_there(tmp_path: pathlib.Path) -> None:
    sound = noise(30 * RATE_HZ)
    flags = ["--spool", str(tmp_path)]
    with LocalServer(flags) as first, rtmixd.Client(first.target) as client:
        session = client.session(label="CI job 812")
        record, _ = session.schedule(
            [Record(inputs=[1], label="response"), Play(sound, outputs=[1])], align=True
        )
        buffer = session.open_buffer(record.buffer_id)
        wait_until(lambda: buffer.info().frames > 2 * RATE_HZ)
        assert [r.state for r in session.spooled_recordings()] == ["recording"]
        frames = buffer.info().frames
        kill(first)

    with LocalServer(flags) as second, rtmixd.Client(second.target) as client:
        spool = client.info().spool
        assert spool is not None
        assert spool.recordings == 1
        assert spool.failure == ""
        with client.session() as session:
            (kept,) = session.spooled_recordings()
            assert kept.state == "interrupted"
            assert kept.label == "response"
            assert kept.session_label == "CI job 812"
            assert kept.frames >= frames - RATE_HZ
            assert kept.report.touched == "cannot_tell"
            recording = session.fetch_spooled(kept.id)
            assert recording.sample_rate_hz == RATE_HZ
            np.testing.assert_array_equal(recording.samples, sound[: kept.frames])
            part = session.fetch_spooled(kept.id, 1000, 500)
            np.testing.assert_array_equal(part.samples, sound[1000:1500])
            assert recording.start_frame is not None
            assert part.start_frame == recording.start_frame + 1000
            with pytest.raises(rtmixd.InvalidArgument):
                session.fetch_spooled(kept.id, kept.frames + 1)
            on_disk, rate = soundfile.read(tmp_path / f"{kept.id}.wav", dtype="float32")
            assert rate == RATE_HZ
            np.testing.assert_array_equal(on_disk, recording.samples[:, 0])
            session.delete_spooled(kept.id)
            assert session.spooled_recordings() == []
            with pytest.raises(rtmixd.NotFound):
                session.fetch_spooled(kept.id)
        assert not list(tmp_path.glob("r-*"))


def test_a_server_without_a_spool_says_so(other_server: LocalServer) -> None:
    with rtmixd.Client(other_server.target) as client, client.session() as session:
        assert client.info().spool is None
        with pytest.raises(rtmixd.RtmixdError, match="--spool"):
            session.spooled_recordings()
