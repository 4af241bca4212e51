"""The blocking client does what the asynchronous one does, from any thread."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import threading
import time

import numpy as np
import pytest
from stream_rig import noise

import rtmixd
from rtmixd import Play, Record, _loop, at_frame
from rtmixd.local_server import LocalServer


def test_three_lines_play_record_and_fetch(server: LocalServer) -> None:
    with rtmixd.Client(server.target) as client, client.session("me") as session:
        sweep = noise(4800, 1)
        recording, report = session.playrec(sweep, outputs=[1, 2], inputs=[1, 2, 3], tail=0.5)
        assert recording.samples.shape == (4800 + 24000, 3)
        np.testing.assert_array_equal(recording[:4800, :2], sweep.repeat(2, axis=1))
        assert report.check(strict=True) is recording.report


def test_a_target_is_found_in_the_environment(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTMIXD_TARGET", server.target)
    with rtmixd.Client() as client:
        assert client.target == server.target
        assert client.info().api_version == "v1"
        assert repr(client) == f"<Client of {server.target}>"


def test_twins_are_always_the_same(server: LocalServer) -> None:
    with rtmixd.Client(server.target) as client, client.session() as session:
        batch = session.schedule([Record(key="record"), Play(np.ones(48000), key="play")])
        assert not batch.report().done
        assert isinstance(batch, rtmixd.Batch)
        assert batch[0] is batch["record"] is batch.actions[0] is next(iter(batch))
        assert session.actions()[1] is batch["play"]
        # As arguments and inside of specs, too.
        (ending,) = session.schedule(rtmixd.Cancel(batch["play"]))
        assert batch["play"].wait(until="done").end_reason == "cancelled"
        assert ending.wait().target_action_id == batch["play"].id
        session.cancel([batch["record"]])
        (report,) = session.wait([batch["record"]], until="done")
        assert report.end_reason == "cancelled"
        batch.wait()
        whole = batch.report()
        assert whole.ended
        assert (whole.batch_id, whole.actions, whole.ended_actions) == (batch.id, 2, 2)
        assert whole.ends == {"cancelled": 2}
        assert whole.end_frame == max(action.report.end_frame for action in batch)


def test_buffers_are_closed_by_their_block(server: LocalServer) -> None:
    with rtmixd.Client(server.target) as client, client.session() as session:
        sound = noise(1000, 2)
        with session.upload(sound, label="noise") as buffer:
            np.testing.assert_array_equal(buffer.download(), sound)
            np.testing.assert_array_equal(np.concatenate(list(buffer.chunks(10))), sound[10:])
            assert session.play(buffer, until="done").buffer_id == buffer.id
        assert session.buffers() == []


def test_iterations_can_be_broken_off(server: LocalServer) -> None:
    with rtmixd.Client(server.target) as client:
        for levels in client.meters(0.02):
            assert len(levels.outputs) == 8
            break
        (first, second) = (reading for reading, _ in zip(client.clocks(0.02), range(2)))
        assert second.frame > first.frame


def test_names_that_are_no_strings_are_refused(server: LocalServer) -> None:
    for name in ("target", "ca", "token_file"):
        with pytest.raises(rtmixd.InvalidArgument, match=f"^{name} is 5: .*not int$"):
            rtmixd.Client(**{name: 5})
    with rtmixd.Client(server.target) as client:
        with pytest.raises(rtmixd.InvalidArgument, match=r"^label is 812: .*a string, not int$"):
            client.session(label=812)  # type: ignore[arg-type]
        with client.session() as session:
            with pytest.raises(rtmixd.InvalidArgument, match="^key is b'a': .*not bytes$"):
                session.schedule(rtmixd.Play([0.5], key=b"a"))  # type: ignore[arg-type]
            with pytest.raises(rtmixd.InvalidArgument, match="^label is None: .*not NoneType$"):
                session.upload([0.5], label=None)  # type: ignore[arg-type]
            assert session.actions() == []
            assert session.buffers() == []


def test_errors_come_as_they_are(server: LocalServer) -> None:
    with rtmixd.Client(server.target) as client, client.session() as session:
        with pytest.raises(rtmixd.InvalidArgument) as caught:
            session.play([0.5], outputs=[99])
        assert caught.value.limit
        with pytest.raises(rtmixd.NotFound):
            session.open_buffer("none such")


def test_several_threads_share_a_session(server: LocalServer) -> None:
    with rtmixd.Client(server.target) as client, client.session() as session:
        frame = client.clock().next_frame + 24000

        def play(number: int) -> rtmixd.Report:
            start = at_frame(frame + number)
            return session.play(np.ones(10), start=start, until="done")

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            reports = list(pool.map(play, range(8)))
        assert [report.start_frame for report in reports] == [frame + i for i in range(8)]


def test_all_clients_share_one_thread(server: LocalServer) -> None:
    with rtmixd.Client(server.target) as first, rtmixd.Client(server.target) as second:
        first.info()
        second.info()
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("rtmixd") == 1


def test_the_thread_of_the_loop_does_not_wait_for_itself(server: LocalServer) -> None:
    refused: list[str] = []
    with rtmixd.Client(server.target) as client, client.session() as session:

        def blocks(done: int, total: int) -> None:
            try:
                client.info()
            except RuntimeError as error:
                refused.append(str(error))

        with session.upload(noise(10, 1), progress=blocks):
            pass
    assert "cannot wait for itself" in refused[0]


def test_an_interrupt_cancels_what_was_waited_for(server: LocalServer) -> None:
    with rtmixd.Client(server.target) as client, client.session() as session:

        def interrupt() -> None:
            for entry in client.events(0, ["action_started"]):
                if entry.session_id == session.id:
                    os.kill(os.getpid(), signal.SIGINT)
                    return

        helper = threading.Thread(target=interrupt)
        helper.start()
        with pytest.raises(KeyboardInterrupt):
            session.play(np.ones(48000 * 60, np.float32))
        helper.join(30)
        (action,) = session.actions()
        assert action.wait(30, "done").end_reason == "cancelled"


def test_a_lost_server_is_told_within_3_s(other_server: LocalServer) -> None:
    with rtmixd.Client(other_server.target) as client, client.session() as session:
        (action,) = session.schedule(Record())
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(action.wait)
            client.clock()
            # Measured by a thread that stalls when the machine does.
            clock = threading.Event()
            alarm = threading.Thread(target=lambda: (time.sleep(3.0), clock.set()))
            os.kill(other_server.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, other_server.pid, os.WSTOPPED | os.WNOWAIT)
            alarm.start()
            try:
                with pytest.raises(rtmixd.Disconnected):
                    waiting.result(30)
                assert not clock.is_set()
            finally:
                os.kill(other_server.pid, signal.SIGKILL)
                alarm.join()


def test_the_loop_returns_what_it_runs_and_raises_what_it_raises() -> None:
    async def fails() -> None:
        raise LookupError("told")

    async def works() -> int:
        return 7

    assert _loop.run(works()) == 7
    with pytest.raises(LookupError, match="told"):
        _loop.run(fails())
