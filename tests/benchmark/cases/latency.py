"""From a client to the device, and back, beside JackTrip."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from bench_context import Bench
from bench_processes import ListeningProcess, Process, run_json, server
from bench_table import Figure, Row

TARGETS = (
    "//server:rtmixd",
    "//tests/benchmark/rpc:jack_one_way",
    "//tests/benchmark/rpc:jack_round_trip",
    "//tests/benchmark/rpc:round_trip_load",
)

RATE = 48000
PERIOD_FRAMES = 128
SECONDS = 8.0
ROUNDS = 4
#: Periods of audio that our client keeps ahead, and what it is compared with: JackTrip's queue, in
#: packets of one period. The shortest of both, and JackTrip's default.
AHEAD_OF_QUEUES = {2: 1, 4: 2}
#: What JackTrip's ends are called as clients of JACK.
CLIENT_END = "JackTripClient"
SERVER_END = "JackTripServer"


# Of what says more than anybody wants to know.
_QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextlib.contextmanager
def _jack(bench: Bench, end: str) -> Iterator[dict[str, str]]:
    """Run a JACK server with a dummy for a device; the environment in which it is the default."""
    with tempfile.TemporaryDirectory() as home:
        name = f"rtmixd_bench_{os.getpid()}_{end}"
        environment = {
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "PATH": "/usr/bin:/bin",
            "JACK_DEFAULT_SERVER": name,
            "JACK_NO_AUDIO_RESERVATION": "1",
            "JACK_NO_START_SERVER": "1",
            "QT_QPA_PLATFORM": "offscreen",
        }
        command = [bench.peer("jackd"), "-r", "-n", name, "-d", "dummy"]
        command += ["-r", str(RATE), "-p", str(PERIOD_FRAMES)]
        with Process(command, env=environment, **_QUIET):
            wait = [bench.peer("jack_wait"), "-s", name, "-w", "-t", "10"]
            subprocess.run(wait, env=environment, check=True, **_QUIET)
            yield environment


@contextlib.contextmanager
def _jacktrip(
    bench: Bench, queue: int, near: dict[str, str], far: dict[str, str]
) -> Iterator[None]:
    """Run JackTrip from the `near` JACK server to the `far` one.

    The ends have names of their own there too: JACK makes a socket for each client by its name
    alone, and clients of the same name of two servers take each other's.
    """
    common = [bench.peer("jacktrip"), "-n", "1", "-q", str(queue), "-b", "24", "-D"]
    # Ports of this host that nobody else uses, one after the other.
    port = 40000 + os.getpid() % 10000
    serves = [*common, "-s", "-J", SERVER_END]
    serves += ["--bindport", str(port), "--peerport", str(port + 1)]
    calls = [*common, "-c", "127.0.0.1", "-J", CLIENT_END]
    calls += ["--peerport", str(port), "--bindport", str(port + 1)]
    with Process(serves, env=far, **_QUIET), Process(calls, env=near, **_QUIET):
        _wait_for_ports(bench, near, f"{CLIENT_END}:receive_1", f"{CLIENT_END}:send_1")
        _wait_for_ports(bench, far, f"{SERVER_END}:receive_1", f"{SERVER_END}:send_1")
        yield


def _wait_for_ports(bench: Bench, environment: dict[str, str], *ports: str) -> None:
    deadline = time.monotonic() + 15
    while True:
        found = subprocess.run(
            [bench.peer("jack_lsp")],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ).stdout.split()
        if set(ports) <= set(found):
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"no port {ports} among {found}")
        time.sleep(0.1)


@dataclasses.dataclass
class _Pair:
    """What is compared, and what each run of either found."""

    ahead: int
    queue: int
    ours: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    rival: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def _rows(
    case: str,
    what: str,
    to_ms: Callable[[dict[str, Any]], float],
    pairs: Iterable[_Pair],
) -> Iterator[Row]:
    for pair in pairs:
        if any(run["blocks"] == 0 for run in (*pair.ours, *pair.rival)):
            raise RuntimeError("nothing came")
        ours, rival = (Figure.of([to_ms(run) for run in runs]) for runs in (pair.ours, pair.rival))
        glitches, rival_glitches = (
            sum(run["glitches"] for run in runs) for runs in (pair.ours, pair.rival)
        )
        yield Row(
            case,
            f"{what}, {pair.ahead} ahead; periods of {PERIOD_FRAMES} frames; glitches: ours "
            f"{glitches}, JackTrip {rival_glitches}",
            "ms",
            ours,
            goal="lower, at equal or fewer glitches",
            met=ours.median < rival.median and glitches <= rival_glitches,
            rival_name=f"JackTrip -q {pair.queue}",
            rival=rival,
            ratio=ours.median / rival.median,
        )


def _pairs() -> list[_Pair]:
    return [_Pair(ahead, queue) for queue, ahead in AHEAD_OF_QUEUES.items()]


def _duplex(bench: Bench, target: str, ahead: int, seconds: float, *more: str) -> list[str | Path]:
    program = bench.built("tests/benchmark/rpc/round_trip_load")
    return [program, target, str(PERIOD_FRAMES), str(ahead), str(seconds), *more]


def round_trip(bench: Bench) -> Iterator[Row]:
    """Client - server - client, at the same period, beside JackTrip between JACK dummies."""
    seconds = 1.5 if bench.short else SECONDS
    pairs = _pairs()
    counter = bench.built("tests/benchmark/rpc/jack_round_trip")
    ports = [f"{CLIENT_END}:receive_1", f"{CLIENT_END}:send_1"]
    with server(bench, "--block-frames", str(PERIOD_FRAMES)) as ours:
        for pair in pairs * (1 if bench.short else ROUNDS):
            pair.ours.append(run_json(_duplex(bench, ours.target, pair.ahead, seconds)))
            with (
                _jack(bench, "client") as near,
                _jack(bench, "server") as far,
                _jacktrip(bench, pair.queue, near, far),
            ):
                loop = [f"{SERVER_END}:receive_1", f"{SERVER_END}:send_1"]
                subprocess.run([bench.peer("jack_connect"), *loop], env=far, check=True)
                time.sleep(1)
                name = near["JACK_DEFAULT_SERVER"]
                pair.rival.append(run_json([counter, name, *ports, str(seconds)]))
    yield from _rows(
        "round trip",
        "client, server, client",
        lambda run: run["round_trip_frames"] / RATE * 1000,
        pairs,
    )


def one_way(bench: Bench) -> Iterator[Row]:
    """From a client's write to the block of a JACK dummy at the other end, beside JackTrip."""
    seconds = 1.5 if bench.short else SECONDS
    pairs = _pairs()
    stamps = bench.built("tests/benchmark/rpc/jack_one_way")

    def received(far: dict[str, str], port: str) -> dict[str, Any]:
        name = far["JACK_DEFAULT_SERVER"]
        return run_json([stamps, "receive", name, port, str(seconds)])

    for pair in pairs * (1 if bench.short else ROUNDS):
        with _jack(bench, "server") as far:
            command = [bench.built("server/rtmixd"), "--listen", "127.0.0.1:0"]
            command += ["--device", "portaudio", "--output-device", "jack/system"]
            command += ["--input-channels", "0", "--block-frames", str(PERIOD_FRAMES)]
            with ListeningProcess(command, env=far) as ours:
                _wait_for_ports(bench, far, "rtmixd:out_0")
                # Longer than who receives takes to start, wait and listen.
                sends = _duplex(bench, ours.target, pair.ahead, seconds + 10, "stamps")
                with Process(sends, **_QUIET):
                    pair.ours.append(received(far, "rtmixd:out_0"))
        with (
            _jack(bench, "client") as near,
            _jack(bench, "server") as far,
            _jacktrip(bench, pair.queue, near, far),
            Process(
                [stamps, "send", near["JACK_DEFAULT_SERVER"], f"{CLIENT_END}:send_1"],
                **_QUIET,
            ),
        ):
            pair.rival.append(received(far, f"{SERVER_END}:receive_1"))
    yield from _rows(
        "one way", "client's write to the device's block", lambda run: run["age_us"] / 1000, pairs
    )


CASES = {"one_way": one_way, "round_trip": round_trip}
