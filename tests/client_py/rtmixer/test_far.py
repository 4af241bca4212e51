"""What is ours alone: how programs fare whose device is far away."""

from __future__ import annotations

import asyncio
import gc
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import programs
import pytest
import rigs
from cutting_proxy import CuttingProxy
from rigs import LOOP_FRAMES, SAMPLE_RATE_HZ, Rig

import rtmixd
from rtmixd import _loop, _methods, rtmixer
from rtmixd import sounddevice as sd
from rtmixd.aio._connection import Connection
from rtmixd.rtmixer import _remote

DEADLINE_SECONDS = 30.0


def wait_until(condition: Callable[[], Any], what: str) -> None:
    """Look again and again."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def test_recording_started_one_millisecond_ahead_is_exact(our_rig: Rig) -> None:
    """The order comes too late at the server, whose history still has the frames."""
    with our_rig.open("MixerAndRecorder", channels=1) as stream:
        witness = np.zeros((2 * SAMPLE_RATE_HZ, 1), "float32")
        sound = programs.noise(3 * SAMPLE_RATE_HZ)
        stream.play_buffer(sound, 1)
        whole = stream.record_buffer(witness, 1)
        wait_until(lambda: whole.done_frames > SAMPLE_RATE_HZ, "nothing is recorded")
        memory = np.zeros((4800, 1), "float32")
        start = stream.time + 0.001
        action = stream.record_buffer(memory, 1, start, allow_belated=False)
        ring = our_rig.rtmixer.RingBuffer(4, 1 << 15)
        before = stream.time
        now = stream.record_ringbuffer(ring)
        after = stream.time
        stream.wait(action)
        stream.wait(stream.cancel(now))
        stream.wait(whole)
        assert action.done_frames == 4800
        assert abs(action.actual_time - start) * SAMPLE_RATE_HZ <= 0.51
        at = round((action.actual_time - whole.actual_time) * SAMPLE_RATE_HZ)
        np.testing.assert_array_equal(memory, witness[at : at + 4800])
        assert memory.any()
        # "Now" is the moment of the call.
        called = now.actual_time + stream.latency[0]
        assert before - 0.01 <= called <= after + 0.01
        at = round((now.actual_time - whole.actual_time) * SAMPLE_RATE_HZ)
        heard = np.frombuffer(ring.read(), "float32")
        length = min(len(heard), len(witness) - at)
        np.testing.assert_array_equal(heard[:length], witness[at : at + length, 0])
        wait_until(lambda: action.report.ended, "the verdict on xruns does not come")
        assert action.report.done_frames == 4800


def test_more_recordings_than_the_server_has_streams(our_rig: Rig) -> None:
    """Those that cannot begin in time are taken from the history."""
    with our_rig.open("MixerAndRecorder", channels=1) as stream:
        stream.play_buffer(programs.noise(10 * SAMPLE_RATE_HZ), 1)
        memories = [np.zeros((480, 1), "float32") for _ in range(300)]
        # All are ordered before it, however long that takes on a machine that stalls.
        start = stream.time + 5
        actions = [stream.record_buffer(memory, 1, start=start) for memory in memories]
        later = stream.record_buffer(bytearray(400), 1, stream.time + 100, allow_belated=False)
        assert later.actual_time <= 0
        for action in actions:
            stream.wait(action)
        assert {action.actual_time for action in actions} == {actions[0].actual_time}
        assert memories[0].any()
        for memory in memories:
            np.testing.assert_array_equal(memory, memories[0])
        assert later.actual_time == -1
        assert later in stream.actions
    assert later.done_frames == 0
    assert later not in stream.actions


def test_play_too_close_to_its_start_is_dropped_as_belated(our_rig: Rig) -> None:
    """What is not yet there cannot sound in time, and says so."""
    with our_rig.open("Mixer") as stream:
        close = stream.play_buffer(bytes(8), 1, stream.time + 0.0001, allow_belated=False)
        late = stream.play_buffer(bytes(8), 1, stream.time + 0.0001)
        stream.wait()
        assert (close.actual_time, close.done_frames) == (0, 0)
        assert late.done_frames == 2
        assert late.actual_time > late.requested_time


def test_polling_asks_nobody(our_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time, actions and progress are told from what is known here."""
    with our_rig.open("MixerAndRecorder", channels=1) as stream:
        ring = our_rig.rtmixer.RingBuffer(4, 1 << 14)
        ring.write(bytes(4 << 14))
        action = stream.play_ringbuffer(ring)

        def refuse(awaitable: Any) -> None:
            awaitable.close()
            raise AssertionError("asked the server")

        with monkeypatch.context() as patch:
            patch.setattr(_loop, "run", refuse)
            times = []
            while action in stream.actions:
                times.append(stream.time)
                assert 0 <= action.done_frames <= 1 << 14
                assert 0 <= ring.write_available <= 1 << 14
                assert stream.active
                assert stream.cpu_load >= 0
        assert len(times) > 100
        assert times == sorted(times)


def test_orders_are_pipelined(our_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 sounds in a loop, the first due now: no call waits for another."""
    outstanding = 0
    most = 0
    ordered = 0
    call = Connection.call

    async def counted(self: Connection, method: Any, request: Any, **options: Any) -> Any:
        nonlocal outstanding, most, ordered
        if method is not _methods.SCHEDULE_ACTIONS:
            return await call(self, method, request, **options)
        outstanding += 1
        most = max(most, outstanding)
        ordered += len(request.actions)
        try:
            return await call(self, method, request, **options)
        finally:
            outstanding -= 1

    monkeypatch.setattr(Connection, "call", counted)
    with our_rig.open("Mixer") as stream:
        first = stream.time
        # All but the first are ordered well before, also on a machine that stalls.
        lead = our_rig.lead + 4
        sound = programs.noise(9600)
        actions = [
            stream.play_buffer(sound, 1, first + (index > 0) * lead + index * 0.004)
            for index in range(300)
        ]
        stream.wait()
    assert ordered == 300
    assert most > 1
    assert all(action.done_frames == 9600 for action in actions)
    in_time = [a for a in actions if abs(a.actual_time - a.requested_time) * SAMPLE_RATE_HZ <= 0.51]
    assert len(in_time) > 200


def test_ring_says_what_has_been_played(our_rig: Rig) -> None:
    """The read index follows the device: room is neither claimed early nor late."""
    size = 1 << 14
    with our_rig.open("Mixer", channels=1) as stream:
        ring = our_rig.rtmixer.RingBuffer(4, size)
        written = ring.write(bytes(4 * size))
        action = stream.play_ringbuffer(ring, start=stream.time + our_rig.lead)
        wait_until(lambda: action.done_frames > 0, "it does not play")
        looks = 0
        while written < 8 * size:
            before = stream.time
            room = ring.write_available
            after = stream.time
            played = written - (size - room)
            # The block that sounds has gone, and the next not yet.
            latency = stream.latency
            least = (before - action.actual_time + latency) * SAMPLE_RATE_HZ - 2 * 256
            most = (after - action.actual_time + latency) * SAMPLE_RATE_HZ + 2 * 256
            assert least <= played <= most
            looks += 1
            if room >= 2048:
                written += ring.write(bytes(4 * room))
            time.sleep(0.002)
        stream.wait(action)
    assert looks > 50
    assert action.done_frames == written
    assert ring.read_available == 0


def test_starvation_by_the_network_is_no_end() -> None:
    """Silence is played, counted, and the sound goes on."""
    with rigs.open_rig("20ms") as rig, rtmixd.Client(rig.near_target) as watcher:
        sound = programs.noise(SAMPLE_RATE_HZ)
        dry = threading.Event()

        def watch() -> None:
            next(watcher.events(from_sequence=0, kinds=["underrun"]))
            dry.set()

        threading.Thread(target=watch, daemon=True).start()
        with rig.open("Mixer", channels=1) as stream:
            ring = rig.rtmixer.RingBuffer(4, 1 << 13)
            action = stream.play_buffer(b"", 1)
            stream.wait(action)
            written = ring.write(sound[: 1 << 13])
            action = stream.play_ringbuffer(ring)

            def write() -> None:
                nonlocal written
                assert action in stream.actions
                written += ring.write(sound[written:][: ring.write_available])

            wait_until(lambda: write() or written > len(sound) // 2, "it does not play")
            assert not dry.is_set()
            with rig.cut_off():
                # The program goes on writing, until its ring is full.
                wait_until(lambda: write() or dry.is_set(), "the server does not run dry")
            # Told while it goes on, by what comes from the server after the cut.
            wait_until(lambda: action.underruns >= 1 or write(), "it is not counted")
            wait_until(lambda: written == len(sound) or write(), "it does not go on")
            stream.wait(action)
        assert action.done_frames == len(sound)
        assert action.underruns >= 1
        assert action.stats.output_underflows >= 1


def test_silent_server_is_told_to_who_waits() -> None:
    """Soon, not when the session is over; and what was waited for goes on."""
    with rigs.open_rig("20ms") as rig, rig.open("MixerAndRecorder", channels=1) as stream:
        memory = np.zeros((SAMPLE_RATE_HZ, 1), "float32")
        sound = programs.noise(20 * SAMPLE_RATE_HZ)
        play = stream.play_buffer(sound, 1)
        wait_until(lambda: play.done_frames > 9600, "it does not play")
        record = stream.record_buffer(memory, 1)
        with rig.cut_off():
            with pytest.raises(sd.PortAudioError, match="said nothing"):
                stream.wait(record)
            assert record in stream.actions
            assert stream.active
        stream.wait(record)
        assert record.done_frames == SAMPLE_RATE_HZ
        at = int(np.flatnonzero((sound[:-1] == memory[0]) & (sound[1:] == memory[1]))[0])
        np.testing.assert_array_equal(memory, sound[at : at + SAMPLE_RATE_HZ])


def test_full_ring_starts_as_exactly_as_a_buffer() -> None:
    """Its audio travels with the order, not a round trip later."""
    with rigs.open_rig("400ms") as rig, rig.open("MixerAndRecorder", channels=1) as stream:
        sound = programs.noise(1 << 14)
        ring = rig.rtmixer.RingBuffer(4, 1 << 14)
        ring.write(sound)
        heard = np.zeros((1 << 15, 1), "float32")
        start = stream.time + 0.5
        record = stream.record_buffer(heard, 1, start=start)
        action = stream.play_ringbuffer(ring, start=start, allow_belated=False)
        stream.wait()
        assert abs(action.actual_time - start) * SAMPLE_RATE_HZ <= 0.51
        assert record.done_frames == 1 << 15
        np.testing.assert_array_equal(heard[LOOP_FRAMES : LOOP_FRAMES + (1 << 14)], sound)
        assert action.done_frames == 1 << 14
        assert action.underruns == 0


@pytest.mark.parametrize("rings", [1, 2])
def test_ring_plays_although_the_connection_broke_when_it_was_admitted(rings: int) -> None:
    """The server has taken it, and the answer is lost: it is ordered anew, and sounds once."""
    with rigs.rtmixd_server() as target:
        proxy = CuttingProxy(target)
        _loop.run(proxy.__aenter__())
        rtmixer.default.target = proxy.target
        try:
            with rtmixer.MixerAndRecorder(samplerate=SAMPLE_RATE_HZ, channels=2) as stream:
                sounds = [programs.noise(1 << 12, 50 + i) for i in range(rings)]
                _loop.run(_now(proxy.silence_answers))
                start = stream.time + 5
                heard = np.zeros((1 << 13, 2), "float32")
                actions = []
                for channel, sound in enumerate(sounds, 1):
                    ring = rtmixer.RingBuffer(4, 1 << 12)
                    ring.write(sound)
                    actions.append(stream.play_ringbuffer(ring, [channel], start))
                with rtmixd.Client(target) as client:
                    with client.join(stream._remote._token) as session:
                        wait_until(lambda: len(session.actions()) == rings, "it is not admitted")
                        _loop.run(_now(proxy.cut))
                        record = stream.record_buffer(heard, 2, start=start)
                        for action in actions:
                            stream.wait(action)
                        stream.wait(record)
                        plays = [a for a in session.actions() if a.kind == "play_stream"]
                        reports = [action.wait() for action in plays]
            told = [(report.end_reason, report.done_frames) for report in reports]
            assert told == [("cancelled", 0)] * rings + [("completed", 1 << 12)] * rings
            for channel, (action, sound) in enumerate(zip(actions, sounds)):
                assert action.done_frames == 1 << 12
                assert abs(action.actual_time - start) * SAMPLE_RATE_HZ <= 0.51
                expected = np.zeros(1 << 13, "float32")
                expected[LOOP_FRAMES : LOOP_FRAMES + (1 << 12)] = sound[:, 0]
                np.testing.assert_array_equal(heard[:, channel], expected)
        finally:
            rtmixer.default.target = None
            _loop.run(proxy.__aexit__(None, None, None))


def test_long_sound_plays_although_its_upload_was_cut() -> None:
    """What is longer than a request is sent before, and goes on where it was."""
    with rigs.rtmixd_server() as target, rtmixd.Client(target) as client:
        proxy = CuttingProxy(target)
        _loop.run(proxy.__aenter__())
        rtmixer.default.target = proxy.target
        try:
            with rtmixer.MixerAndRecorder(samplerate=SAMPLE_RATE_HZ, channels=2) as stream:
                sound = np.zeros((client.info().limits.max_message_bytes // 8 + 1, 2), "float32")
                sound[: 1 << 12] = programs.noise(1 << 12, 60, 2)
                heard = np.zeros((1 << 12, 2), "float32")
                start = stream.time + 10
                before = proxy.connections
                _loop.run(_now(lambda: proxy.cut_after(sound.nbytes // 2)))
                action = stream.play_buffer(sound, 2, start=start, allow_belated=False)
                loop = LOOP_FRAMES / SAMPLE_RATE_HZ
                stream.wait(stream.record_buffer(heard, 2, start=start + loop))
                assert proxy.connections == before + 1
                assert action in stream.actions
                np.testing.assert_array_equal(heard, sound[: 1 << 12])
                stream.wait(stream.cancel(action))
            assert action.error is None
        finally:
            rtmixer.default.target = None
            _loop.run(proxy.__aexit__(None, None, None))


async def _now(act: Callable[[], object]) -> None:
    act()


def test_recording_is_cut_where_its_cancel_was_called() -> None:
    """Not where the server hears of it."""
    with rigs.open_rig("400ms") as rig, rig.open("Recorder", channels=1) as stream:
        memory = bytearray(4 * 10 * SAMPLE_RATE_HZ)
        action = stream.record_buffer(memory, 1)
        wait_until(lambda: action.done_frames > 0, "no recording")
        before = stream.time
        cancel = stream.cancel(action)
        after = stream.time
        stream.wait(cancel)
        assert action not in stream.actions
        end = action.actual_time + action.done_frames / SAMPLE_RATE_HZ + stream.latency
        assert before - 0.01 <= end <= after + 0.01
        assert action.total_frames == action.done_frames


def test_what_is_due_first_goes_first(our_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sounds that are needed soon do not wait behind those that are not, whatever the order."""
    sent: list[int] = []
    all_ordered = threading.Event()
    call = Connection.call

    async def noted(self: Connection, method: Any, request: Any, **options: Any) -> Any:
        if method is _methods.SCHEDULE_ACTIONS:
            sent.extend(action.start.frame for action in request.actions)
            # However quick the server is, and slow this program.
            while not all_ordered.is_set():
                await asyncio.sleep(0.005)
        return await call(self, method, request, **options)

    monkeypatch.setattr(Connection, "call", noted)
    stream = our_rig.open("Mixer", qsize=256)
    base = stream.time + 50
    sound = bytes(4 * 9600)
    for index in reversed(range(200)):
        stream.play_buffer(sound, 1, base + index)
    with stream:
        # After all orders, which are on their way to the loop.
        _loop.run(asyncio.sleep(0))
        all_ordered.set()
        wait_until(lambda: len(sent) == 200, "not all is sent")
    # The first have gone before the others came.
    assert sent[60:] == sorted(sent[60:])


@pytest.mark.parametrize("size", [512, 1024])
def test_ring_shorter_than_the_round_trip(our_rig: Rig, size: int) -> None:
    """It overflows when its reader is late, not because the server is far away."""
    with our_rig.open("MixerAndRecorder", channels=1) as stream:
        sound = programs.noise(SAMPLE_RATE_HZ)
        overflowed = True
        while overflowed:
            play = stream.play_buffer(sound, 1, start=stream.time + our_rig.lead)
            ring = our_rig.rtmixer.RingBuffer(4, size)
            heard = bytearray()
            action = stream.record_ringbuffer(ring)
            stop = stream.cancel(action, time=stream.time + our_rig.lead + 0.5)
            longest_pause = 0.0
            read = time.monotonic()
            while action in stream.actions:
                heard += ring.read()
                before, read = read, time.monotonic()
                longest_pause = max(longest_pause, read - before)
            heard += ring.read()
            overflowed = action.total_frames == our_rig.rtmixer.ULONG_MAX
            stream.wait(stop)
            stream.wait(stream.cancel(play))
            assert len(heard) == 4 * action.done_frames
            if overflowed:
                # What was held up comes at twice real time, a quarter of the ring at once.
                assert longest_pause > 0.75 * size / (2 * SAMPLE_RATE_HZ)


def test_samples_that_are_not_finite(our_rig: Rig) -> None:
    """NaN is silent, infinity as loud as anything can be."""
    with our_rig.open("MixerAndRecorder", channels=1) as stream:
        sound = np.array([0.5, np.nan, np.inf, -np.inf, 0.25], "float32")
        expected = np.array([0.5, 0, 1, -1, 0.25], "float32")
        ring = our_rig.rtmixer.RingBuffer(4, 8)
        ring.write(sound)
        heard = np.zeros((SAMPLE_RATE_HZ, 1), "float32")
        start = stream.time + our_rig.lead
        record = stream.record_buffer(heard, 1, start=start)
        stream.play_buffer(sound, 1, start=start)
        stream.play_ringbuffer(ring, start=start + 0.1)
        stream.wait(record)
        for at in (0, 4800):
            at += LOOP_FRAMES
            np.testing.assert_array_equal(heard[at : at + 5, 0], expected)


def test_memory_is_let_go(our_rig: Rig) -> None:
    """It can be resized after the end; and not while it is recorded into."""
    with our_rig.open("MixerAndRecorder", channels=1) as stream:
        sound, record, under_ring = (bytearray(4096) for _ in range(3))
        ring = our_rig.rtmixer.RingBuffer(4, buffer=under_ring)
        ring.write(bytes(2048))
        play = stream.play_buffer(sound, 1)
        del sound[:]
        action = stream.record_buffer(record, 1)
        wait_until(lambda: action.done_frames or action not in stream.actions, "no recording")
        if action in stream.actions:
            with pytest.raises(BufferError):
                del record[:]
        played = stream.play_ringbuffer(ring)
        stream.wait()
        del record[:], under_ring[:]
        assert play.done_frames == 1024
        assert played.done_frames == 512


def test_sound_that_is_longer_than_a_message(our_rig: Rig) -> None:
    """It goes up in pieces, and starts when it is there."""
    with our_rig.open("MixerAndRecorder", channels=1) as stream:
        sound = np.zeros((5 << 20, 1), "float32")
        sound[:4800] = programs.noise(4800)
        ring = our_rig.rtmixer.RingBuffer(4, 1 << 20)
        record = stream.record_ringbuffer(ring)
        action = stream.play_buffer(sound, 1)
        wait_until(lambda: action.done_frames > 9600 or action.error, "it does not start")
        stream.wait(stream.cancel(record, stream.time + 0.1))
        heard = np.frombuffer(ring.read(), "float32")
        at = round((action.actual_time - record.actual_time) * SAMPLE_RATE_HZ) + LOOP_FRAMES
        np.testing.assert_array_equal(heard[at : at + 4800], sound[:4800, 0])
        stream.wait(stream.cancel(action))
        assert 0 < action.done_frames == action.total_frames < 5 << 20


def test_two_streams_have_the_same_time(our_rig: Rig) -> None:
    """One server, one clock: what one plays another records where it should be."""
    with our_rig.open("Mixer") as mixer, our_rig.open("Recorder") as recorder:
        start = mixer.time + our_rig.lead
        assert abs(recorder.time - mixer.time) < 0.1
        heard = np.zeros((9600, 2), "float32")
        sound = programs.noise(4800, channels=2)
        record = recorder.record_buffer(heard, 2, start=start)
        mixer.play_buffer(sound, 2, start=start)
        recorder.wait(record)
        np.testing.assert_array_equal(heard[LOOP_FRAMES : LOOP_FRAMES + 4800], sound)


def test_restart_after_stop(our_rig: Rig) -> None:
    """What was under way has ended; new actions can be ordered."""
    stream = our_rig.open("Mixer", channels=1)
    stream.start()
    long = stream.play_buffer(bytes(4 * 10 * SAMPLE_RATE_HZ), 1)
    wait_until(lambda: long.done_frames > 0, "it does not play")
    stream.stop()
    assert not stream.actions
    assert 0 < long.done_frames < long.total_frames == 10 * SAMPLE_RATE_HZ
    again = stream.play_buffer(bytes(400), 1)
    assert again in stream.actions
    stream.start()
    stream.wait(again)
    assert again.done_frames == 100
    stream.close()


def test_close_from_the_event_loop(our_rig: Rig) -> None:
    """A program's `__del__` may run on any thread, ours included."""
    with rtmixd.Client(our_rig.near_target) as watcher:
        stream = our_rig.open("Mixer")
        stream.start()
        stream.play_buffer(bytes(4 * 10 * SAMPLE_RATE_HZ), 1)
        _loop.post(stream.close)
        wait_until(lambda: stream.closed and not watcher.sessions(), "the session does not end")

        class Owner:
            def __init__(self) -> None:
                self.stream = our_rig.open("Mixer")
                self.stream.start()

            def __del__(self) -> None:
                self.stream.stop()
                self.stream.close()

        owner: list[Any] = [Owner()]
        del owner[:]
        gc.collect()
        wait_until(lambda: not watcher.sessions(), "the session does not end")


PROGRAM = """
import sys
import rtmixer
import sounddevice as sd

class Owner:
    def __init__(self):
        self.stream = rtmixer.MixerAndRecorder(channels=1)
        self.stream.start()

    def __del__(self):
        self.stream.close()

assert __name__ == "__main__"
device = sd.query_devices(kind="output")
owner = Owner()
memory = bytearray(4 * 4800)
action = owner.stream.record_buffer(memory, 1)
owner.stream.wait(action)
print(sys.argv[1:], device["name"], action.done_frames)
lasting = owner.stream.record_buffer(bytearray(4 * 48000 * 100), 1)
sounding = owner.stream.play_buffer(bytes(4 * 48000 * 20), 1)
sd.sleep(100)
keeper = [owner]
keeper.append(keeper)
"""


def test_unchanged_program(our_rig: Rig, tmp_path: pathlib.Path) -> None:
    """It runs by `python -m rtmixd.rtmixer`, and ends although it left everything open."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    command = [sys.executable, "-m", "rtmixd.rtmixer", "--target", our_rig.target, str(path), "-x"]
    source = str(pathlib.Path(rtmixd.__file__).parents[1])
    done = subprocess.run(
        command, env={"PYTHONPATH": source}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['-x'] loopback 4800\n"
    with rtmixd.Client(our_rig.near_target) as watcher:
        wait_until(lambda: not watcher.sessions(), "the session does not end")


def test_program_that_is_not_there(tmp_path: pathlib.Path) -> None:
    """Told in a line, as Python does."""
    path = str(tmp_path / "program.py")
    source = str(pathlib.Path(rtmixd.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "rtmixd.rtmixer", path],
        env={"PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.endswith(f"can't open file {path!r}\n")


def test_streams_tell_what_they_are(our_rig: Rig) -> None:
    """In a line."""
    stream = our_rig.open("MixerAndRecorder")
    assert repr(stream) == "<MixerAndRecorder: 2 in, 2 out at 48000 Hz, stopped, 0 actions>"
    with stream:
        stream.record_buffer(bytearray(4 << 20), 1)
        assert repr(stream) == "<MixerAndRecorder: 2 in, 2 out at 48000 Hz, active, 1 action>"
    assert repr(stream) == "<MixerAndRecorder: 2 in, 2 out at 48000 Hz, closed, 0 actions>"


def test_lost_server_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is told, nothing hangs, and the program hears of it."""
    # The program hears of it when the session cannot be alive any more.
    monkeypatch.setattr(_remote, "_TTL_SECONDS", 4.0)
    finished = threading.Event()
    with rigs.rtmixd_process() as (target, process):
        rtmixer.default.target = target
        try:
            stream = rtmixer.MixerAndRecorder(channels=1, finished_callback=finished.set)
        finally:
            rtmixer.default.target = None
        stream.start()
        ring = rtmixer.RingBuffer(4, 1 << 12)
        ring.write(bytes(4 << 12))
        actions = [
            stream.record_buffer(bytearray(4 * 100 * SAMPLE_RATE_HZ), 1),
            stream.play_buffer(bytes(4 * 20 * SAMPLE_RATE_HZ), 1),
            stream.record_ringbuffer(rtmixer.RingBuffer(4, 1 << 16)),
        ]
        wait_until(lambda: all(a.done_frames for a in actions), "nothing begins")
        process.kill()
        with pytest.raises(sd.PortAudioError):
            stream.wait(actions[1])
        with pytest.raises(sd.PortAudioError):
            stream.wait()
        assert finished.wait(DEADLINE_SECONDS)
        wait_until(lambda: not stream.actions, "they do not end")
        with pytest.raises(sd.PortAudioError, match="lost"):
            stream.wait()
        assert not stream.active
        assert all(action.error for action in actions)
        with pytest.raises(sd.PortAudioError):
            stream.time  # noqa: B018
        after = stream.play_buffer(b"", 1)
        assert after in stream.actions
        stream.close()


def test_whose_stream_it_is() -> None:
    """A stream that runs is shared, or is an error; one that was opened here is closed here."""
    with rigs.rtmixd_server("--closed") as target, rtmixd.Client(target) as client:
        rtmixer.default.target = target
        try:
            assert client.stream().state == "closed"
            owner = rtmixer.Mixer(samplerate=44100, blocksize=128, channels=1)
            assert client.stream().state == "running"
            assert (owner.samplerate, owner.blocksize, owner.channels) == (44100, 128, 1)
            guest = rtmixer.Mixer()
            assert (guest.samplerate, guest.channels) == (44100, 1)
            guest.close()
            assert client.stream().state == "running"
            for settings, values in (
                ({"samplerate": 48000}, ("48000 Hz", "44100 Hz")),
                ({"channels": 2}, ("2 output channels", "has 1")),
            ):
                with pytest.raises(sd.PortAudioError) as caught:
                    rtmixer.Mixer(**settings)
                assert all(value in str(caught.value) for value in values)
            with pytest.raises(sd.PortAudioError, match="input channels"):
                rtmixer.Recorder()
            owner.close()
            assert client.stream().state == "closed"

            rtmixer.default.exclusive = True
            taken = rtmixer.MixerAndRecorder(samplerate=32000)
            rtmixer.default.patience = 0.2
            with pytest.raises(sd.PortAudioError, match="is held by rtmixer"):
                rtmixer.MixerAndRecorder()
            assert taken.samplerate == 32000
            taken.close()
            assert client.stream().state == "closed"
        finally:
            rtmixer.default.reset()


def test_exclusive_stream_is_put_back() -> None:
    """A running stream with another rate is closed for the program, and opened again after it."""
    with rigs.rtmixd_server() as target, rtmixd.Client(target) as client:
        rtmixer.default.target = target
        rtmixer.default.exclusive = True
        try:
            with rtmixer.Mixer(samplerate=44100, channels=1) as stream:
                assert client.stream().sample_rate_hz == 44100
                action = stream.play_buffer(bytes(400), 1)
                stream.wait(action)
                assert action.done_frames == 100
            wait_until(lambda: client.stream().state == "running", "it is not put back")
            assert client.stream().sample_rate_hz == SAMPLE_RATE_HZ
        finally:
            rtmixer.default.reset()


def test_refused_action_is_told_to_who_waits(our_rig: Rig) -> None:
    """While somebody else has the server, nothing new sounds."""
    with our_rig.open("Mixer") as stream, rtmixd.Client(our_rig.near_target) as other:
        with other.lease("somebody else"):
            action = stream.play_buffer(bytes(400), 1)
            with pytest.raises(sd.PortAudioError, match="somebody else"):
                stream.wait(action)
            assert action.done_frames == 0
            assert not stream.actions
        action = stream.play_buffer(bytes(400), 1)
        stream.wait(action)
        assert action.done_frames == 100


def test_forgotten_stream_is_closed(our_rig: Rig) -> None:
    """A program that drops its stream leaves nothing behind on the server."""
    with rtmixd.Client(our_rig.near_target) as watcher:
        stream = our_rig.open("Mixer")
        stream.start()
        stream.play_buffer(bytes(4 * 10 * SAMPLE_RATE_HZ), 1)
        assert len(watcher.sessions()) == 1
        del stream
        gc.collect()
        wait_until(lambda: not watcher.sessions(), "the session does not end")


def test_nobody_there() -> None:
    """Opening and asking say so."""
    rtmixer.default.target = "127.0.0.1:1"
    try:
        with pytest.raises(sd.PortAudioError, match="cannot be reached"):
            rtmixer.Mixer()
        with pytest.raises(sd.PortAudioError, match="cannot be reached"):
            sd.query_devices()
    finally:
        rtmixer.default.target = None


def test_times_that_are_no_times(our_rig: Rig) -> None:
    """Refused at the call."""
    with our_rig.open("MixerAndRecorder") as stream:
        for wrong in (float("nan"), float("inf")):
            with pytest.raises(ValueError, match="finite"):
                stream.play_buffer(b"", 1, start=wrong)
            with pytest.raises(ValueError, match="finite"):
                stream.fetch_and_reset_stats(wrong)
        with pytest.raises(TypeError, match="float32"):
            stream.play_buffer(np.zeros(8), 1)
        with pytest.raises(ValueError, match="read-only"):
            stream.record_buffer(bytes(8), 1)
        assert not stream.actions
    with pytest.raises(AttributeError, match="Session"):
        our_rig.sd.playrec  # noqa: B018
