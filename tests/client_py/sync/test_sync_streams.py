"""Streams of the blocking client: files, iteration, callbacks and threads."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from stream_rig import Frames, noise, with_gaps

import rtmixd
from rtmixd import samples
from rtmixd.local_server import LocalServer
from rtmixd.specs import at_frame

FAR_FRAME = 1 << 50


@pytest.fixture
def session(server: LocalServer) -> Iterator[rtmixd.Session]:
    with rtmixd.Client(server.target) as client, client.session(label="streams") as session:
        yield session


def sounded(listener: rtmixd.RecordStream, report: rtmixd.Report) -> Frames:
    """What went to the outputs from the first frame of an action to its last."""
    assert report.start_frame is not None
    assert report.end_frame is not None
    listener.stop(report.end_frame + 4800)
    audio = np.concatenate(list(listener))
    assert listener.start_frame is not None
    return audio[report.start_frame - listener.start_frame :][
        : report.end_frame - report.start_frame
    ]


def test_written_audio_sounds_and_is_iterated_over(session: rtmixd.Session) -> None:
    sound = noise(30000)
    with session.open_record([1, 2], source="output") as listener:
        with session.open_play(2, prebuffer_frames=9600) as play:
            for first in range(0, 30000, 999):
                assert play.write(sound[first : first + 999]) == len(sound[first:][:999])
        report = play.wait()
        np.testing.assert_array_equal(sounded(listener, report), with_gaps(sound, report))


def test_bytes_written_to_a_file_are_played(session: rtmixd.Session) -> None:
    sound = noise(20000)
    encoded = samples.encode(sound, "int24")
    with session.open_record([1, 2], source="output") as listener:
        play = session.open_play(2, prebuffer_frames=9600)
        with io.BufferedWriter(play.as_file("int24"), 1000) as file:
            # Frames are 6 bytes long.
            for first in range(0, len(encoded), 997):
                file.write(encoded[first : first + 997])
        report = play.wait()
        expected = samples.decode(encoded, 2, "int24")
        np.testing.assert_array_equal(sounded(listener, report), with_gaps(expected, report))


def test_recording_is_read_from_a_file(session: rtmixd.Session) -> None:
    with session.open_play(2, prebuffer_frames=30000, buffer_frames=60000) as play:
        record = session.open_record([1, 2], source="output", frames=40000)
        direct = session.open_record([1, 2], source="output", frames=60000)
        sound = noise(30000)
        play.write(sound)
        play.end()
        with io.BufferedReader(record.as_file("int16"), 777) as file:
            data = file.read()
        assert len(data) == 40000 * 2 * 2
        reference = direct.read(60000)
        first, second = record.wait().start_frame, direct.wait().start_frame
        assert first is not None
        assert second is not None
        audio = samples.decode(data, 2, "int16")
        shift = second - first
        rounded = samples.decode(samples.encode(reference, "int16"), 2, "int16")
        np.testing.assert_array_equal(audio[shift:], rounded[: 40000 - shift])
        assert np.count_nonzero(audio[shift:]) > 0


def test_closing_the_file_of_a_recording_stops_it(session: rtmixd.Session) -> None:
    record = session.open_record([1])
    file = record.as_file()
    assert len(file.read(8)) == 8
    file.close()
    assert record.wait().end_reason == "cancelled"


def test_callback_runs_in_a_thread_of_its_own_and_may_use_the_client(
    session: rtmixd.Session,
) -> None:
    threads = set()
    left = [noise(2000, 1), noise(3000, 1)]

    def more(frames: int) -> object:
        threads.add(threading.current_thread())
        session.info()
        return left.pop() if left else None

    play = session.open_play(1, callback=more, prebuffer_frames=5000)
    assert play.wait().done_frames == 5000
    assert len(threads) == 1
    assert threading.current_thread() not in threads
    assert all(thread.daemon for thread in threads)


def test_many_streams_run_at_once_from_many_threads(session: rtmixd.Session) -> None:
    done: list[int] = []

    def work(output: int) -> None:
        with session.open_play(outputs=[output], prebuffer_frames=4800) as play:
            for _ in range(20):
                play.write(np.full(480, 0.1))
        done.append(play.played_frames)

    threads = [threading.Thread(target=work, args=(1 + i % 8,), daemon=True) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done == [9600] * 16


def test_duplex_stream_processes(session: rtmixd.Session) -> None:
    with session.open_duplex(1, [1], frames=20000, prebuffer_frames=9600) as duplex:
        duplex.process(lambda chunk: chunk, delay_frames=9600)
        assert duplex.wait_play().done_frames == 29600
        assert duplex.wait().done_frames == 20000


def test_write_and_read_come_back_after_their_time(session: rtmixd.Session) -> None:
    with pytest.raises(KeyError):
        with session.open_play(1, start=at_frame(FAR_FRAME)) as play:
            play.write(noise(1 << 15, 1), timeout=0.05)
            assert play.write(noise(10, 1), timeout=0) == 0
            raise KeyError
    record = session.open_record([1], start=at_frame(FAR_FRAME))
    assert len(record.read(10, timeout=0.05)) == 0
    record.close()
