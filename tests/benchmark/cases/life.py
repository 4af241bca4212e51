"""What a server costs that does nothing, how soon it answers, and what clients cost it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
from bench_context import Bench
from bench_processes import ListeningProcess, run_streams, server
from bench_table import Figure, Row

from rtmixd.v1 import server_info_pb2, server_info_pb2_grpc

TARGETS = ("//server:rtmixd", "//tests/benchmark/rpc:stream_load")

IDLE_SECONDS = 10.0
STARTS = 15
BLOCK_FRAMES = 480  # 10 ms
# A thousand, and those who make the load, nearly fill two cores.
CLIENT_CHUNK_MS = 200
CLIENT_RING_MS = 1000
CLIENT_BLOCK_FRAMES = 960  # 20 ms
CLIENTS = (1, 3, 10, 30, 100, 300, 1000)


def idle(bench: Bench) -> Iterator[Row]:
    """Processor time of an idle server whose stream runs, blocks of 10 ms."""
    seconds = 2.0 if bench.short else IDLE_SECONDS
    shares = []
    with server(bench, "--block-frames", str(BLOCK_FRAMES)) as ours:
        time.sleep(1)
        for _ in range(bench.rounds(3)):
            cpu = ours.cpu_seconds()
            begin = time.monotonic()
            time.sleep(seconds)
            shares.append((ours.cpu_seconds() - cpu) / (time.monotonic() - begin) * 100)
    figure = Figure.of(shares)
    yield Row(
        "idle server",
        "a stream runs, blocks of 10 ms",
        "% of a core",
        figure,
        goal="at most 1",
        met=figure.median <= 1,
    )


def start(bench: Bench) -> Iterator[Row]:
    """From the start of the process to the first answer, virtual device."""
    taken = []
    # With the limits that users get: memory for what they admit is taken at the start.
    command = [
        *(
            bench.built("server/rtmixd"),
            "--listen",
            "127.0.0.1:0",
            "--device",
            "virtual",
        )
    ]
    for _ in range(bench.rounds(STARTS)):
        begin = time.monotonic()
        with ListeningProcess(command) as ours:
            with grpc.insecure_channel(
                ours.target, [("grpc.use_local_subchannel_pool", 1)]
            ) as channel:
                info = server_info_pb2_grpc.ServerInfoServiceStub(channel)
                info.GetServerInfo(server_info_pb2.GetServerInfoRequest(), wait_for_ready=True)
                taken.append((time.monotonic() - begin) * 1000)
    figure = Figure.of(taken)
    yield Row(
        "start",
        "to the first answer, virtual device",
        "ms",
        figure,
        goal="at most 200",
        met=figure.median <= 200,
    )


def clients(bench: Bench) -> Iterator[Row]:
    """What clients cost the server, 1 to 1000: each plays a stream in chunks of 200 ms."""
    seconds = 2.0 if bench.short else 5.0
    for count in CLIENTS[:4] if bench.short else CLIENTS:
        # A process for each: sessions outlive their clients.
        with server(bench, "--block-frames", str(CLIENT_BLOCK_FRAMES)) as ours:
            found = run_streams(
                bench, "play", ours, count, seconds, CLIENT_CHUNK_MS, CLIENT_RING_MS
            )
        yield Row(
            "clients",
            f"{count}, each a connection and a play stream in chunks of {CLIENT_CHUNK_MS} ms, "
            f"blocks of {CLIENT_BLOCK_FRAMES}; {found['underruns']} underruns",
            "% of a core",
            Figure.exact(found["server_cores"] * 100),
        )


CASES = {"idle": idle, "start": start, "clients": clients}
