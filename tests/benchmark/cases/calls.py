"""Calls beside those of a server that is only gRPC: transfers and schedules."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from bench_context import Bench
from bench_processes import Load, bare_server, server
from bench_table import Figure, Row, interleave, median_ratio

TARGETS = (
    "//server:rtmixd",
    "//tests/benchmark/rpc:bare_server",
    "//tests/benchmark/rpc:transfer_load",
    "//tests/benchmark/rpc:unary_load",
)

GIGABYTE = 10**9
FRAME_BYTES = 8
TRANSFER_ROUNDS = 7
UNARY_ROUNDS = 30
UNARY_CALLS = 300


def transfers(bench: Bench) -> Iterator[Row]:
    """Upload and download of 1 GB, in messages of 256 KiB, beside copies in and out of a pool."""
    # A bare pool is touched once, and so are our buffers: before the upload.
    size = GIGABYTE // 10 if bench.short else GIGABYTE
    load = bench.built("tests/benchmark/rpc/transfer_load")
    frames = str(size // FRAME_BYTES)
    with (
        server(bench) as ours,
        bare_server(bench, (size >> 20) + 1) as bare,
        Load([load, ours.target, "ours", frames]) as to_ours,
        Load([load, bare.target, "bare", frames]) as to_bare,
    ):
        # A download needs what was uploaded before it, so both turn by turn.
        values = interleave(
            {
                f"{what} {name}": lambda what=what, to=to: size / 1e6 / to.ask(what)[0]
                for what in ("upload", "download")
                for name, to in (("ours", to_ours), ("bare", to_bare))
            },
            bench.rounds(TRANSFER_ROUNDS),
        )
    for what in ("upload", "download"):
        ratio = median_ratio(values[f"{what} ours"], values[f"{what} bare"])
        yield Row(
            f"{what} of {size / GIGABYTE:.3g} GB",
            "stereo float32",
            "MB/s",
            Figure.of(values[f"{what} ours"]),
            goal="at least 0.9 of bare gRPC",
            met=ratio >= 0.9,
            rival_name="bare gRPC",
            rival=Figure.of(values[f"{what} bare"]),
            ratio=ratio,
        )


def schedule(bench: Bench) -> Iterator[Row]:
    """Schedule of one action, one call after the other, beside a unary echo of the same bytes."""
    load = bench.built("tests/benchmark/rpc/unary_load")
    calls = str(UNARY_CALLS)
    with (
        server(bench) as ours,
        bare_server(bench) as bare,
        Load([load, ours.target, "ours"]) as to_ours,
        Load([load, bare.target, "bare"]) as to_bare,
    ):
        values = interleave(
            {
                "ours": lambda: statistics.median(to_ours.ask(calls)),
                "bare": lambda: statistics.median(to_bare.ask(calls)),
            },
            bench.rounds(UNARY_ROUNDS),
        )
    ratio = median_ratio(values["ours"], values["bare"])
    yield Row(
        "schedule one action",
        "unary, p50",
        "us",
        Figure.of(values["ours"]),
        goal="at most 1.3 of a bare unary echo",
        met=ratio <= 1.3,
        rival_name="bare gRPC",
        rival=Figure.of(values["bare"]),
        ratio=ratio,
    )


CASES = {"transfers": transfers, "schedule": schedule}
