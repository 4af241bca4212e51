"""Streams in real time beside a bare echo and beside PulseAudio, and what the server costs."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench_context import Bench
from bench_processes import RATE, ListeningProcess, Process, bare_server, run_streams, server
from bench_table import Figure, Row, median_ratio

TARGETS = (
    "//server:rtmixd",
    "//tests/benchmark/rpc:bare_server",
    "//tests/benchmark/rpc:stream_load",
)

ROUNDS = 5
STREAMS = 64
SECONDS = 6.0
RING_MS = 200
CHUNK_MS = 20
# PulseAudio 16 takes no more connections (MAX_CONNECTIONS of its protocol-native.c).
PULSE_STREAMS = 64
# How many to try, until something runs dry.
LADDER = (64, 96, 128, 160, 192, 256, 320)


def _load(
    bench: Bench, kind: str, to: ListeningProcess, streams: int, seconds: float
) -> dict[str, Any]:
    return run_streams(bench, kind, to, streams, seconds, CHUNK_MS, RING_MS)


def _seconds(bench: Bench) -> float:
    return 1.5 if bench.short else SECONDS


def _stall_note(found: dict[str, Any]) -> str:
    if not found["underruns"]:
        return ""
    return f"; longest stall of the machine {found['longest_stall_ms']:.0f} ms"


def duplex(bench: Bench) -> Iterator[Row]:
    """64 stereo streams in both directions, chunks of 20 ms: processor time beside a bare echo."""
    seconds = _seconds(bench)
    cost: dict[str, list[float]] = {"ours": [], "bare": []}
    underruns = 0
    note = ""
    with server(bench) as ours, bare_server(bench) as bare:
        for _ in range(bench.rounds(ROUNDS)):
            found = _load(bench, "duplex", ours, STREAMS, seconds)
            cost["ours"].append(found["server_cores"] * 100)
            if found["underruns"] > underruns:
                underruns = found["underruns"]
                note = _stall_note(found)
            found = _load(bench, "bare", bare, STREAMS, seconds)
            cost["bare"].append(found["server_cores"] * 100)
    ratio = median_ratio(cost["bare"], cost["ours"])
    figure = Figure.of(cost["ours"])
    name = f"{STREAMS} stereo streams, both directions"
    yield Row(
        name,
        f"chunks of {CHUNK_MS} ms",
        "% of a core",
        figure,
        goal="at least 0.8 of the streams of a bare echo for the same processor time",
        met=ratio >= 0.8,
        rival_name="bare echo",
        rival=Figure.of(cost["bare"]),
        ratio=ratio,
    )
    yield Row(
        name,
        "processor time",
        "% of a core",
        figure,
        goal="at most 50",
        met=figure.median <= 50,
    )
    yield Row(
        name,
        f"most underruns in {seconds:g} s, rings of {RING_MS} ms{note}",
        "",
        Figure.exact(underruns),
        goal="0, but for stalls of the machine",
        met=underruns == 0,
    )


def _first_underrun(bench: Bench, kind: str, to: ListeningProcess, upto: int) -> int:
    """Return the largest number of streams without an underrun, of those tried in order."""
    best = 0
    for streams in LADDER[:2] if bench.short else LADDER:
        if streams > upto:
            break
        # A stall of the machine is no limit of the server: once more.
        if all(_load(bench, kind, to, streams, _seconds(bench) / 2)["underruns"] for _ in range(2)):
            break
        best = streams
    return best


def most_streams(bench: Bench) -> Iterator[Row]:
    """How many streams run before the first underrun, beside a bare echo on the same machine."""
    with server(bench) as ours, bare_server(bench) as bare:
        most_ours = _first_underrun(bench, "duplex", ours, LADDER[-1])
        most_bare = _first_underrun(bench, "bare", bare, LADDER[-1])
    ratio = most_ours / most_bare if most_bare else float("inf")
    yield Row(
        "streams before the first underrun",
        f"both directions, rings of {RING_MS} ms, load generator on the same machine",
        "",
        Figure.exact(most_ours),
        goal="at least 0.8 of a bare echo",
        met=ratio >= 0.8,
        rival_name="bare echo",
        rival=Figure.exact(most_bare),
        ratio=ratio,
    )


@contextlib.contextmanager
def _pulseaudio(bench: Bench) -> Iterator[tuple[Process, str]]:
    """Run PulseAudio with a null sink behind TCP, in a home of its own; its process and address."""
    with tempfile.TemporaryDirectory() as home:
        runtime = Path(home) / "run"
        runtime.mkdir(mode=0o700)
        environment = {
            "HOME": home,
            "XDG_RUNTIME_DIR": str(runtime),
            "PATH": "/usr/bin:/bin",
        }
        port = _free_port()
        with Process(
            [
                *(
                    bench.peer("pulseaudio"),
                    "-n",
                    "--daemonize=no",
                    "--exit-idle-time=-1",
                ),
                *("--use-pid-file=no", "--high-priority=no", "--realtime=no"),
                "-Lmodule-null-sink rate=48000 channels=2 format=float32le",
                f"-Lmodule-native-protocol-tcp port={port} listen=127.0.0.1 auth-anonymous=1",
            ],
            env=environment,
            stderr=subprocess.DEVNULL,
        ) as pulse:
            _wait_for_port(port)
            yield pulse, f"tcp:127.0.0.1:{port}"


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for_port(port: int) -> None:
    import socket

    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _pacats(
    bench: Bench, pulse: Process, address: str, streams: int, seconds: float
) -> tuple[float, int]:
    """Play silence by so many pacats: the server's share of a core, and underruns."""
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        logs = []
        for i in range(streams):
            log = stack.enter_context(open(Path(folder) / str(i), "w+", encoding="utf-8"))
            logs.append(log)
            stack.enter_context(
                Process(
                    [
                        *(
                            bench.peer("pacat"),
                            "--playback",
                            "--server",
                            address,
                            "--raw",
                        ),
                        *(
                            "--format=float32le",
                            f"--rate={RATE}",
                            "--channels=2",
                            "--verbose",
                        ),
                        *(
                            f"--latency-msec={RING_MS}",
                            f"--process-time-msec={CHUNK_MS}",
                        ),
                        "/dev/zero",
                    ],
                    stderr=log,
                    env={
                        "HOME": folder,
                        "XDG_RUNTIME_DIR": folder,
                        "PATH": "/usr/bin:/bin",
                    },
                )
            )
        time.sleep(1 + RING_MS / 1000 + streams / 100)
        sizes = [log.seek(0, 2) for log in logs]
        cpu = pulse.cpu_seconds()
        begin = time.monotonic()
        time.sleep(seconds)
        cores = (pulse.cpu_seconds() - cpu) / (time.monotonic() - begin)
        underruns = 0
        for log, size in zip(logs, sizes):
            log.seek(size)
            underruns += len(re.findall("underrun", log.read()))
        return cores, underruns


def pulseaudio(bench: Bench) -> Iterator[Row]:
    """Play streams beside `pacat` into PulseAudio over TCP, of the same chunks and rings."""
    seconds = _seconds(bench)
    cost: dict[str, list[float]] = {"ours": [], "pulse": []}
    dry: dict[str, list[int]] = {"ours": [], "pulse": []}
    with server(bench) as ours, _pulseaudio(bench) as (pulse, address):
        for _ in range(min(3, bench.rounds(3)) if not bench.short else 1):
            found = _load(bench, "play", ours, PULSE_STREAMS, seconds)
            cost["ours"].append(found["server_cores"] / PULSE_STREAMS * 100)
            dry["ours"].append(found["underruns"])
            cores, underruns = _pacats(bench, pulse, address, PULSE_STREAMS, seconds)
            cost["pulse"].append(cores / PULSE_STREAMS * 100)
            dry["pulse"].append(underruns)
        most = _first_underrun(bench, "play", ours, LADDER[-1])
    ratio = median_ratio(cost["ours"], cost["pulse"])
    yield Row(
        "play stream",
        f"{PULSE_STREAMS} of them, chunks of {CHUNK_MS} ms",
        "% of a core each",
        Figure.of(cost["ours"]),
        goal="no more than PulseAudio",
        met=ratio <= 1,
        rival_name="PulseAudio",
        rival=Figure.of(cost["pulse"]),
        ratio=ratio,
    )
    pulse_most = PULSE_STREAMS if not any(dry["pulse"]) else 0
    yield Row(
        "play streams before the first underrun",
        f"rings of {RING_MS} ms; underruns of {PULSE_STREAMS} by turn: "
        f"ours {dry['ours']}, PulseAudio {dry['pulse']}, which takes no more",
        "",
        Figure.exact(most),
        goal="more than PulseAudio",
        met=most > pulse_most,
        rival_name="PulseAudio",
        rival=Figure.exact(pulse_most),
    )


CASES = {"duplex": duplex, "most_streams": most_streams, "pulseaudio": pulseaudio}
