"""The examples, run as users run them, against a server on its virtual device.

Its outputs come back at the inputs of their number, so what each example measures is known.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import rtmixd
from rtmixd.local_server import LocalServer

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "client_py" / "examples"
SOURCE = pathlib.Path(rtmixd.__file__).resolve().parents[1]
DEADLINE_SECONDS = 100


def environment(server: LocalServer) -> dict[str, str]:
    return {
        **os.environ,
        "RTMIXD_TARGET": server.target,
        "PYTHONPATH": str(SOURCE),
        "PYTHONUNBUFFERED": "1",
        "MPLBACKEND": "Agg",
    }


def run(server: LocalServer, name: str, *arguments: object, code: int = 0) -> str:
    """Run an example; return what it said."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / name), *map(str, arguments)],
        env=environment(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def write_sound(path: pathlib.Path, rate_hz: int = 48000) -> np.ndarray:
    sound = np.random.default_rng(4).uniform(-0.5, 0.5, (4800, 1)).astype(np.float32)
    soundfile.write(str(path), sound, rate_hz, subtype="FLOAT")
    return sound


class TestPlayFile:
    def test_what_it_plays_comes_back(self, server: LocalServer, tmp_path: pathlib.Path) -> None:
        sound = write_sound(tmp_path / "a.wav")
        with rtmixd.Client(server.target) as client, client.session("listener") as session:
            listener = session.schedule(rtmixd.Record(inputs=[3]))[0]
            said = run(server, "play_file.py", tmp_path / "a.wav", "--outputs", 3, "--gain", 0.5)
            listener.cancel()
            heard = listener.recording().samples[:, 0]
        first = np.flatnonzero(heard)[0]
        np.testing.assert_array_equal(heard[first : first + 4800], sound[:, 0] / 2)
        assert "ended" in said
        assert "4800 of 4800 frames" in said

    def test_another_rate_is_refused(self, server: LocalServer, tmp_path: pathlib.Path) -> None:
        write_sound(tmp_path / "a.wav", 44100)
        said = run(server, "play_file.py", tmp_path / "a.wav", "--outputs", 3, code=1)
        assert "44100 Hz, the stream 48000 Hz" in said


class TestRecordAndPlot:
    def test_picture_and_recording_are_written(
        self, server: LocalServer, tmp_path: pathlib.Path
    ) -> None:
        files = [tmp_path / "a.png", tmp_path / "a.wav"]
        run(server, "record_and_plot.py", "--picture", files[0], "--file", files[1])
        assert files[0].read_bytes()[:4] == b"\x89PNG"
        samples, _ = soundfile.read(str(files[1]))
        assert samples.shape == (52800, 2)
        # A chirp of growing frequency: each tenth crosses zero more often than the one before.
        crossings = [
            np.count_nonzero(np.diff(np.sign(s))) for s in np.split(samples[:48000, 0], 10)
        ]
        assert crossings == sorted(crossings)
        assert crossings[9] == pytest.approx(2 * 4752 * 0.1, rel=0.02)
        assert not np.any(samples[:, 1])
        told = json.loads((tmp_path / "a.wav.json").read_text())
        assert told["report"]["done_frames"] == 52800


class TestTimedBeeps:
    def test_there_is_no_jitter(self, server: LocalServer) -> None:
        said = run(server, "timed_beeps.py", "--count", 5, "--interval", 0.1)
        frames = [int(n) for n in re.findall(r"asked for frame (\d+), heard \+0 frames", said)]
        assert np.diff(frames).tolist() == [4800] * 4
        assert "jitter: 0 frames from the earliest to the latest, rms 0.000" in said


class TestDelayLine:
    def test_delay_is_exact(self, server: LocalServer) -> None:
        said = run(server, "delay_line.py", "--delay", 0.6, "--seconds", 2.5)
        assert "29312 frames later" in said  # 0.6 s and 512 frames of latency.


class TestRemoteEffect:
    def test_tones_are_sum_and_difference(self, server: LocalServer) -> None:
        said = run(server, "remote_effect.py", "--modulate", 150, "--delay", 0.6, "--seconds", 3)
        assert "what came out: 290 Hz, 590 Hz" in said


class TestLiveMeter:
    @pytest.mark.parametrize("options", [[], ["--window"]])
    def test_ends_after_its_time(self, server: LocalServer, options: list[str]) -> None:
        with rtmixd.Client(server.target) as client, client.session("noise") as session:
            tone = 0.5 * np.sin(np.arange(48000) / 10)
            loop = session.schedule(
                [rtmixd.Play(tone, [2], start=rtmixd.after(48000 * i)) for i in range(60)]
            )
            said = run(server, "live_meter.py", "--seconds", 0.5, *options)
            loop.cancel()
        if not options:
            # RMS of a sine is 3 dB below its peak.
            assert re.search(r"input 2  #{34}\.{6}  peak   -6\.0 dB\n", said)
            assert re.search(r"input 1  \.{40}  peak -120\.0 dB\n", said)
            assert len(said.splitlines()) == 5 * 16


class TestMeasureLatency:
    def test_finds_what_the_cable_adds(self, tmp_path: pathlib.Path) -> None:
        picture = tmp_path / "response.png"
        with LocalServer(["--loopback", "1>2:delay=100"]) as server:
            said = run(
                server,
                "measure_latency.py",
                *("--input", 2, "--repeats", 1, "--store", "--picture", picture),
            )
            assert "output 1 to input 2, 612.000 frames (12.750 ms)" in said
            assert "the host claims 512 frames of it" in said
            assert "recordings are aligned 100 frames later" in said
            assert picture.read_bytes()[:4] == b"\x89PNG"
            said = run(server, "measure_latency.py", "--repeats", 1, code=1)
            assert "output 1 to input 1: no answer: the input is silent" in said


class TestStats:
    def test_counts_exactly_what_it_was_asked_for(self, server: LocalServer) -> None:
        said = run(server, "stats.py", "--seconds", 0.5)
        counted = re.search(r": (\d+) frames\n(\d+) blocks of (\d+) to (\d+) frames", said)
        assert counted is not None
        frames, blocks, smallest, largest = map(int, counted.groups())
        assert smallest == largest
        assert frames == blocks * largest
        # Blocks that hold the ends are counted whole.
        assert abs(frames - 24000) <= largest


class TestAsyncRecorder:
    def test_records_as_long_as_asked(self, server: LocalServer, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "a.wav"
        run(server, "async_recorder.py", path, "--inputs", 1, 2, "--seconds", 0.5)
        assert soundfile.info(str(path)).frames == 24000
        assert soundfile.info(str(path)).channels == 2

    def test_interrupt_ends_it_and_keeps_all(
        self, server: LocalServer, tmp_path: pathlib.Path
    ) -> None:
        path = tmp_path / "a.wav"
        recorder = subprocess.Popen(
            [sys.executable, str(FOLDER / "async_recorder.py"), str(path)],
            env=environment(server),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert recorder.stdout is not None
        with recorder.stdout:
            # The first level shows that it runs.
            said = recorder.stdout.read(6)
            recorder.send_signal(signal.SIGINT)
            said += recorder.stdout.read()
        assert recorder.wait(DEADLINE_SECONDS) == 0, said
        reported = re.search(rb"(\d+) frames", said)
        assert reported is not None, said
        assert soundfile.info(str(path)).frames == int(reported.group(1)) > 0


class TestTwoClients:
    def test_both_are_heard_on_the_same_frame(self, server: LocalServer) -> None:
        said = run(server, "two_clients.py", "--outputs", 4, 7, "--lead", 3)
        assert "heard from frames 0 and 0 of the recording on" in said


class TestPlaylist:
    def test_parts_join_without_a_gap_and_the_last_one_fades(self, server: LocalServer) -> None:
        with rtmixd.Client(server.target) as client, client.session("listener") as session:
            listener = session.schedule(rtmixd.Record(inputs=[6], source="output"))[0]
            said = run(server, "playlist.py", "--outputs", 6, "--hold", 0.5)
            listener.cancel()
            heard = listener.recording().samples[:, 0]
        assert "frames between them: 0, 0, 0" in said
        spans = [tuple(map(int, span)) for span in re.findall(r"frames (\d+)\.\.(\d+)", said)]
        # 60 periods each of 48000 / 262, 48000 / 330 and 48000 / 392 frames, rounded, half a second
        # of the last note, and the fifth of a second in which all stood still.
        notes = 60 * (183 + 145 + 122)
        assert spans[3][1] - spans[0][0] == notes + 24000 + 9600
        assert (
            f"from frame {spans[0][0] + 14400} to frame {spans[0][0] + 24000}" in said
        )  # 0.3 and 0.5 s.
        # A sine begins with a zero.
        heard = heard[np.flatnonzero(heard)[0] - 1 :]
        assert not heard[14400:24000].any()
        heard = np.delete(heard, np.arange(14400, 24000))
        # No step is larger than the last note's steepest: joined and looped, it is a smooth line.
        assert np.abs(np.diff(heard)).max() < 0.3 * 2 * np.pi / 92
        # The end is a fade of 12000 frames along a quarter of a cosine.
        level = [np.abs(heard[notes + at :][:92]).max() for at in (6000, 18000, 23000)]
        assert level == pytest.approx(
            [0.3, 0.3 * np.cos(np.pi / 4), 0.3 * np.cos(np.pi * 11 / 24)], rel=0.05
        )
        assert not heard[notes + 24000 :].any()

    def test_files_are_played(self, server: LocalServer, tmp_path: pathlib.Path) -> None:
        sound = write_sound(tmp_path / "a.wav")
        with rtmixd.Client(server.target) as client, client.session("listener") as session:
            listener = session.schedule(rtmixd.Record(inputs=[7], source="output"))[0]
            files = [tmp_path / "a.wav"] * 3
            said = run(server, "playlist.py", "--outputs", 7, "--hold", 0.5, "--", *files)
            listener.cancel()
            heard = listener.recording().samples[:, 0]
        assert "frames between them: 0, 0\n" in said
        first = np.flatnonzero(heard)[0]
        # Until all stand still, which is before the last one fades.
        np.testing.assert_array_equal(heard[first:][:14400], np.tile(sound[:, 0], 3))


class TestDevice:
    def pytest(self, server: LocalServer, folder: pathlib.Path) -> str:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", str(FOLDER / "test_device.py")),
                *("-p", "no:rtmixd", "-p", "rtmixd.pytest_plugin", "-p", "no:cacheprovider"),
                *("--rootdir", str(folder), "--rtmixd-artifacts", "kept"),
            ],
            env=environment(server),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        return done.stdout

    def test_a_good_one_passes(self, server: LocalServer, tmp_path: pathlib.Path) -> None:
        assert "5 passed" in self.pytest(server, tmp_path)

    def test_a_bad_one_fails(self, tmp_path: pathlib.Path) -> None:
        # Too quiet, and leaking into input 3.
        cables = ["1>1:gain=0.9", "1>3:gain=0.01"]
        with LocalServer([a for cable in cables for a in ("--loopback", cable)]) as server:
            said = self.pytest(server, tmp_path)
        assert "2 failed, 3 passed" in said
        assert "test_gain_is_one" in said
        assert "test_nothing_leaks_into_other_inputs[3]" in said
        assert len(list((tmp_path / "kept").glob("*/recording-1.wav"))) == 2


class TestAll:
    def test_each_has_a_test(self) -> None:
        names = {path.name for path in FOLDER.glob("*.py")}
        tested = pathlib.Path(__file__).read_text()
        assert {name for name in names if f'"{name}"' not in tested} == set()

    @pytest.mark.parametrize(
        "name", sorted(path.name for path in FOLDER.glob("*.py") if path.name != "test_device.py")
    )
    def test_each_explains_itself(self, server: LocalServer, name: str) -> None:
        assert "--target" in run(server, name, "--help")
