#!/usr/bin/env python3
"""The Python client's speed against the C++ client's, in one run.

    bazel build --config=opt //server:rtmixd //tests/benchmark:client_speed
    RTMIXD_SERVER=bazel-bin/server/rtmixd python tests/benchmark/python_speed.py \
        --cpp bazel-bin/tests/benchmark/client_speed

Transfers and batches alternate between the two clients, and medians are compared; the quickest of
each side are told, too, since on a busy machine the medians are more its than the clients'. Then a
stereo stream plays, and one records, in chunks of 10 ms, each in a process of its own whose CPU
time is taken; meanwhile another process logs how late the machine lets it wake, so that an underrun
can be told apart from a machine that stood still. Exits with 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import rtmixd
from rtmixd.local_server import LocalServer
from rtmixd.specs import Play, after, at_frame

CHANNELS = 2
CHUNK_FRAMES = 480
RATE_HZ = 48000
# Nothing of a batch is to sound while it is measured.
FAR_FRAME = 1 << 50
# What the streams keep ahead.
BUFFER_FRAMES = 24000
# Waking so late counts as a stall.
STALL_SECONDS = 0.02
_PERIOD_SECONDS = 0.005


class Cpp:
    """The C++ client, in a process that does what it is told."""

    def __init__(self, program: Path, target: str, frames: int, actions: int) -> None:
        self._process = subprocess.Popen(
            [str(program), target, str(frames), str(actions)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, what: str) -> float:
        """Do it, and return how many seconds it took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the C++ client failed at {what}")
        return float(line)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


class Python:
    """The Python client, the blocking one."""

    def __init__(self, session: rtmixd.Session, frames: int, actions: int) -> None:
        self._session = session
        self._actions = actions
        ramp = (np.arange(frames * CHANNELS) % 1000 / 1000).astype(np.float32)
        self._sound = ramp.reshape(-1, CHANNELS)
        self._buffer: Any = None

    def run(self, what: str) -> float:
        """Do it, and return how many seconds it took."""
        return getattr(self, f"_{what}")()  # type: ignore[no-any-return]

    def _upload(self) -> float:
        begin = time.perf_counter()
        self._buffer = self._session.upload(self._sound)
        return time.perf_counter() - begin

    def _download(self) -> float:
        begin = time.perf_counter()
        sound = self._buffer.download()
        taken = time.perf_counter() - begin
        if not np.array_equal(sound, self._sound):
            raise RuntimeError("other audio came back")
        self._buffer.delete()
        return taken

    def _schedule(self) -> float:
        buffer = self._session.upload(np.full((1, 1), 0.5, np.float32))
        begin = time.perf_counter()
        self._session.schedule(
            [Play(buffer, outputs=[1], start=after(480 * i)) for i in range(self._actions)],
            origin=at_frame(FAR_FRAME),
        )
        taken = time.perf_counter() - begin
        self._session.cancel()
        return taken


def stream(kind: str, target: str, seconds: float) -> dict[str, Any]:
    """Play or record for so long, and tell what it cost this process."""
    with rtmixd.Client(target) as client, client.session(label="python_speed") as session:
        clock = client.clock()
        begin = time.monotonic()
        used = resource.getrusage(resource.RUSAGE_SELF)
        if kind == "play":
            chunk = np.full((CHUNK_FRAMES, CHANNELS), 0.1, np.float32)
            with session.open_play(
                CHANNELS, buffer_frames=BUFFER_FRAMES, prebuffer_frames=BUFFER_FRAMES // 2
            ) as play:
                ahead = BUFFER_FRAMES // 2 // CHUNK_FRAMES
                for i in range(int(seconds * RATE_HZ) // CHUNK_FRAMES):
                    # As a program does that makes sound in real time.
                    due = begin + max(0, i - ahead) * CHUNK_FRAMES / RATE_HZ
                    time.sleep(max(0.0, due - time.monotonic()))
                    play.write(chunk)
            taken = time.monotonic() - begin
            after_all = resource.getrusage(resource.RUSAGE_SELF)
            report = play.wait()
        else:
            with session.open_record(
                list(range(1, CHANNELS + 1)), frames=int(seconds * RATE_HZ)
            ) as record:
                while len(record.read(CHUNK_FRAMES)):
                    pass
                taken = time.monotonic() - begin
                after_all = resource.getrusage(resource.RUSAGE_SELF)
                report = record.wait()
        cpu = after_all.ru_utime - used.ru_utime + after_all.ru_stime - used.ru_stime
        # Where there was no audio, on this host's monotonic clock.
        gaps = [
            clock.monotonic_nanos / 1e9 + (gap.frame - clock.frame) / RATE_HZ for gap in report.gaps
        ]
        return {
            "seconds": taken,
            "cpu_seconds": cpu,
            "done_frames": report.done_frames,
            "underruns": report.underruns,
            "gap_count": report.gap_count,
            "gap_times": gaps,
        }


def log_stalls() -> None:
    """Print the time and length of each stall, until the standard input ends."""
    import select

    while True:
        before = time.monotonic()
        if select.select([sys.stdin], [], [], _PERIOD_SECONDS)[0]:
            return
        late = time.monotonic() - before - _PERIOD_SECONDS
        if late > STALL_SECONDS:
            print(before, late, flush=True)


def own_process(*arguments: str) -> subprocess.Popen[str]:
    """Run this file for a part of the work."""
    return subprocess.Popen(
        [sys.executable, __file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def compare(arguments: argparse.Namespace, target: str) -> bool:
    """Alternate between the clients, print medians; True if all goals are met."""
    frames = arguments.megabytes * 1_000_000 // (4 * CHANNELS)
    goals = {"upload": 2.0, "download": 2.0, "schedule": 2.0}
    cpp = Cpp(arguments.cpp, target, frames, arguments.actions)
    met = True
    with rtmixd.Client(target) as client, client.session(label="python_speed") as session:
        python = Python(session, frames, arguments.actions)
        sides: list[Any] = [cpp, python]
        seconds: dict[str, list[list[float]]] = {what: [[], []] for what in goals}
        for _ in range(arguments.rounds):
            for side, client_side in enumerate(sides):
                for what in goals:
                    seconds[what][side].append(client_side.run(what))
            sides_note = {w: [f"{s[-1] * 1e3:.1f}" for s in both] for w, both in seconds.items()}
            print(f"  ms, C++ and Python: {sides_note}", flush=True)
        cpp.close()
    for what, limit in goals.items():
        medians = [statistics.median(side) for side in seconds[what]]
        ratio = medians[1] / medians[0]
        quickest = [min(side) for side in seconds[what]]
        good = ratio <= limit
        met &= good
        print(
            f"{what:9} C++ {medians[0] * 1e3:8.1f} ms  Python {medians[1] * 1e3:8.1f} ms  "
            f"ratio {ratio:.2f} (goal {limit:.1f}) {'met' if good else 'MISSED'}; the quickest "
            f"{quickest[0] * 1e3:.1f} and {quickest[1] * 1e3:.1f} ms, "
            f"{quickest[1] / quickest[0]:.2f}",
            flush=True,
        )
    return met


def measure_stream(kind: str, target: str, seconds: float) -> bool:
    """Stream in a process of its own, print what it cost; True if the goal is met."""
    logger = own_process("--log-stalls")
    worker = own_process("--stream", kind, "--target", target, "--seconds", str(seconds))
    answer, _ = worker.communicate(timeout=seconds + 60)
    found = json.loads(answer)
    log, _ = logger.communicate(timeout=30)
    stalls = [tuple(map(float, line.split())) for line in log.splitlines()]
    share = found["cpu_seconds"] / found["seconds"]
    # A stall explains what ran dry while it lasted or until what was kept ahead was there again.
    unexplained = [
        gap
        for gap in found["gap_times"]
        if not any(at - 0.1 <= gap <= at + late + BUFFER_FRAMES / RATE_HZ for at, late in stalls)
    ]
    good = share <= 0.1 and not unexplained
    longest = max((late for _, late in stalls), default=0.0)
    print(
        f"{kind:9} {found['seconds']:.1f} s, {found['cpu_seconds']:.2f} s of CPU: "
        f"{share:.3f} of a core (goal 0.100); {found['underruns']} underruns, "
        f"{found['gap_count']} gaps, {len(unexplained)} of them unexplained; {len(stalls)} stalls "
        f"of the machine over {STALL_SECONDS * 1e3:.0f} ms, the longest {longest * 1e3:.0f} ms: "
        f"{'met' if good else 'MISSED'}",
        flush=True,
    )
    return good


def main() -> int:
    """Run it all, or a part for another process of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpp", type=Path, help="the program client_speed")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--actions", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the streams")
    parser.add_argument("--only", choices=["compare", "play", "record"])
    parser.add_argument("--stream", choices=["play", "record"], help=argparse.SUPPRESS)
    parser.add_argument("--target", help=argparse.SUPPRESS)
    parser.add_argument("--log-stalls", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.log_stalls:
        log_stalls()
        return 0
    if arguments.stream:
        print(json.dumps(stream(arguments.stream, arguments.target, arguments.seconds)))
        return 0
    met = True
    with LocalServer() as server:
        if arguments.only in (None, "compare"):
            if arguments.cpp is None:
                parser.error("--cpp is missing")
            met &= compare(arguments, server.target)
        for kind in ("play", "record"):
            if arguments.only in (None, kind):
                met &= measure_stream(kind, server.target, arguments.seconds)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
