"""From a client to the device and back, beside JackTrip."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench_context import Bench
from bench_processes import ListeningProcess, Process, run_json, server
from bench_table import Figure, Row

TARGETS = (
    "//server:rtmixd",
    "//tests/benchmark/rpc:jack_round_trip",
    "//tests/benchmark/rpc:round_trip_load",
)

RATE = 48000
PERIOD_FRAMES = 128
SECONDS = 8.0
ROUNDS = 4
#: Periods of audio that our client keeps ahead.
AHEAD = 2
#: JackTrip's queue, in packets of one period: the shortest that it takes, and its default.
QUEUES = (2, 4)
#: What JackTrip's ends are called as clients of JACK.
CLIENT_END = "JackTripClient"
SERVER_END = "JackTripServer"


@contextlib.contextmanager
def _jacktrip(bench: Bench, queue: int) -> Iterator[str]:
    """Run JackTrip between two JACK servers; the name of the one at the client's end.

    The ends have names of their own there too: JACK makes a socket for each client by its name
    alone, and clients of the same name of two servers take each other's.
    """
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        names = [f"rtmixd_bench_{os.getpid()}_{end}" for end in ("client", "server")]
        base = {
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "PATH": "/usr/bin:/bin",
            "JACK_NO_AUDIO_RESERVATION": "1",
            "JACK_NO_START_SERVER": "1",
            "QT_QPA_PLATFORM": "offscreen",
        }
        quiet: dict[str, Any] = {
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
        }
        environments = [{**base, "JACK_DEFAULT_SERVER": name} for name in names]
        for name, environment in zip(names, environments):
            stack.enter_context(
                Process(
                    [
                        *(bench.peer("jackd"), "-r", "-n", name, "-d", "dummy"),
                        *("-r", str(RATE), "-p", str(PERIOD_FRAMES)),
                    ],
                    env=environment,
                    **quiet,
                )
            )
            subprocess.run(
                [bench.peer("jack_wait"), "-s", name, "-w", "-t", "10"],
                env=environment,
                check=True,
                **quiet,
            )
        common = ["-n", "1", "-q", str(queue), "-b", "24", "-D"]
        # Ports of this host that nobody else uses, one after the other.
        port = 40000 + os.getpid() % 10000
        jacktrip = bench.peer("jacktrip")
        stack.enter_context(
            Process(
                [
                    *(jacktrip, "-s", *common, "-J", SERVER_END),
                    *("--bindport", str(port), "--peerport", str(port + 1)),
                ],
                env=environments[1],
                **quiet,
            )
        )
        stack.enter_context(
            Process(
                [
                    *(jacktrip, "-c", "127.0.0.1", *common, "-J", CLIENT_END),
                    *("--peerport", str(port), "--bindport", str(port + 1)),
                ],
                env=environments[0],
                **quiet,
            )
        )
        _wait_for_ports(bench, environments[0], CLIENT_END)
        _wait_for_ports(bench, environments[1], SERVER_END)
        subprocess.run(
            [
                bench.peer("jack_connect"),
                f"{SERVER_END}:receive_1",
                f"{SERVER_END}:send_1",
            ],
            env=environments[1],
            check=True,
        )
        time.sleep(1)
        yield names[0]


def _wait_for_ports(bench: Bench, environment: dict[str, str], end: str) -> None:
    deadline = time.monotonic() + 15
    while True:
        found = subprocess.run(
            [bench.peer("jack_lsp")],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ).stdout
        if f"{end}:receive_1" in found and f"{end}:send_1" in found:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{end} has no ports")
        time.sleep(0.1)


def _ours(bench: Bench, ours: ListeningProcess, seconds: float) -> dict[str, Any]:
    return run_json(
        [
            *(bench.built("tests/benchmark/rpc/round_trip_load"), ours.target),
            *(str(PERIOD_FRAMES), str(AHEAD), str(seconds)),
        ]
    )


def round_trip(bench: Bench) -> Iterator[Row]:
    """Client - server - client, at the same period, beside JackTrip between JACK dummies."""
    seconds = 1.5 if bench.short else SECONDS
    found: dict[str, list[dict[str, Any]]] = {
        "ours": [],
        **{f"q{q}": [] for q in QUEUES},
    }
    counter: list[str | Path] = [bench.built("tests/benchmark/rpc/jack_round_trip")]
    with server(bench, "--block-frames", str(PERIOD_FRAMES)) as ours:
        for _ in range(1 if bench.short else ROUNDS):
            found["ours"].append(_ours(bench, ours, seconds))
            for queue in QUEUES:
                with _jacktrip(bench, queue) as name:
                    ports = [f"{CLIENT_END}:receive_1", f"{CLIENT_END}:send_1"]
                    found[f"q{queue}"].append(run_json([*counter, name, *ports, str(seconds)]))
    for name, runs in found.items():
        if any(run["blocks"] == 0 for run in runs):
            raise RuntimeError(f"nothing came back from {name}")
    trips = {
        name: Figure.of([run["round_trip_frames"] / RATE * 1000 for run in runs])
        for name, runs in found.items()
    }
    glitches = {name: sum(run["glitches"] for run in runs) for name, runs in found.items()}
    for queue in QUEUES:
        rival = f"q{queue}"
        yield Row(
            "round trip",
            f"client, server, client; periods of {PERIOD_FRAMES} frames; glitches: "
            f"ours {glitches['ours']}, JackTrip {glitches[rival]}",
            "ms",
            trips["ours"],
            goal="lower, at equal or fewer glitches",
            met=trips["ours"].median < trips[rival].median and glitches["ours"] <= glitches[rival],
            rival_name=f"JackTrip -q {queue}",
            rival=trips[rival],
            ratio=trips["ours"].median / trips[rival].median,
        )


CASES = {"round_trip": round_trip}
