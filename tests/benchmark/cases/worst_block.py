"""The block that costs most while clients keep the whole server busy."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator

import numpy as np
from bench_context import Bench
from bench_table import Figure, Row
from numpy.typing import NDArray

TARGETS = (
    "//tests/benchmark:block_instructions",
    "//tests/benchmark:load_clients",
    "//tests/benchmark:timed_server",
)

VOICES = 256
CLIENTS = 64
PERIOD_MICROS = 64 / 48000 * 1e6
SECONDS = 60
SHORT_SECONDS = 3
BLOCKS_COUNTED = 40


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args} ended")
    return line.strip()


def _tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _take(server: subprocess.Popen[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the microseconds of the blocks and of the loops since the last time."""
    _tell(server)
    blocks, loops = (np.array(_line(server).split(), float) / 1000 for _ in range(2))
    return blocks, loops


def under_load(bench: Bench) -> Iterator[Row]:
    """A whole server, 256 voices and 64 clients that stream and schedule: CPU time of each block.

    The clients share the machine with it.
    """

    def start(*command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=bench.root,
        )

    programs = bench.built("tests/benchmark")
    with start(str(programs / "timed_server")) as server:
        target = _line(server)
        with start(str(programs / "load_clients"), target, str(CLIENTS), str(VOICES)) as clients:
            _line(clients)
            _take(server)
            begin = time.monotonic()
            time.sleep(SHORT_SECONDS if bench.short else SECONDS)
            blocks, loops = _take(server)
            seconds = time.monotonic() - begin
            clients.communicate("")
        server.communicate()
        if clients.returncode != 0 or server.returncode != 0:
            raise RuntimeError("the server or its clients failed")
    limit = PERIOD_MICROS / 4
    for name, quantile in (
        ("p50", 0.5),
        ("p99", 0.99),
        ("p99.99", 0.9999),
        ("most", 1.0),
    ):
        value = float(np.quantile(blocks, quantile))
        loop = float(np.quantile(loops, quantile))
        judged = name == "p99.99"
        yield Row(
            "CPU time of a block under load",
            f"{name} of {len(blocks)} blocks in {seconds:.0f} s",
            "us",
            Figure.exact(value),
            f"at most {limit:.0f} us, a quarter of the period" if judged else "",
            value <= limit if judged else None,
            "a fixed loop after each",
            Figure.exact(loop),
            value / loop,
        )
    yield from _instructions(bench)


def _instructions(bench: Bench) -> Iterator[Row]:
    """Count what ProcessRt executes, with callgrind."""
    for mode, what in (
        ("quiet", "256 voices and 64 streams"),
        (
            "busy",
            "the same, and 255 batches taken up, started and ended in every block",
        ),
    ):
        done = subprocess.run(
            [
                bench.peer("valgrind"),
                "--tool=callgrind",
                "--callgrind-out-file=/dev/null",
                "--collect-atstart=no",
                "--toggle-collect=rtmixd::Mixer::ProcessRt(rtmixd::AudioBlock const&)",
                str(bench.built("tests/benchmark/block_instructions")),
                mode,
                str(BLOCKS_COUNTED),
            ],
            check=True,
            stderr=subprocess.PIPE,
            text=True,
        )
        found = re.search(r"Collected : (\d+)", done.stderr)
        if found is None:
            raise RuntimeError(done.stderr)
        yield Row(
            "instructions of a block",
            what,
            "",
            Figure.exact(round(int(found[1]) / BLOCKS_COUNTED)),
        )


CASES = {"worst-block": under_load}
