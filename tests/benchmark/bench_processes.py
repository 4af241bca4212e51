"""Processes that are measured, and what they use."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
from bench_context import Bench

from rtmixd.v1 import session_pb2, session_pb2_grpc

#: Frames per second of every stream.
RATE = 48000
# A stop is not what is measured; what does not come is killed.
_STOP_SECONDS = 10.0


class Process:
    """A program that runs until the end of a ``with``.

    Parameters
    ----------
    command : sequence of str or Path
    **options
        As of subprocess.Popen.
    """

    def __init__(self, command: Sequence[str | Path], **options: Any) -> None:
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=options.pop("stdin", subprocess.DEVNULL),
            text=True,
            **options,
        )

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it; nothing if it has ended."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def running(self) -> bool:
        """Return whether it has not ended."""
        return self._process.poll() is None

    def cpu_seconds(self) -> float:
        """Return the processor time of all its threads so far, exactly."""
        # The clock of another process's processor time, as clock_getcpuclockid(3) makes it.
        return time.clock_gettime((~self.pid << 3) | 2)

    def resident_bytes(self) -> int:
        """Return the memory that it holds now."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) << 10
        raise RuntimeError("no VmRSS")


class ListeningProcess(Process):
    """A server that says on its first line where it listens."""

    def __init__(self, command: Sequence[str | Path], **options: Any) -> None:
        super().__init__(command, stdout=subprocess.PIPE, **options)
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        if words[:2] != ["listening", "on"]:
            self.stop()
            raise RuntimeError(f"{command[0]} does not listen")
        #: HOST:PORT
        self.target: str = words[2]


def server(bench: Bench, *flags: str, channels: int = 2) -> ListeningProcess:
    """Start our server on its virtual device, with limits that no case meets."""
    return ListeningProcess(
        [
            *(bench.built("server/rtmixd"), "--listen", "127.0.0.1:0", "--device", "virtual"),
            *("--virtual-inputs", str(channels), "--virtual-outputs", str(channels)),
            *("--max-audio-streams", "4096", "--max-sessions", "4096"),
            *("--max-watch-streams", "4096", "--max-actions", "1000000"),
            *("--max-actions-per-session", "1000000", "--max-buffer-mib", "8192"),
            *("--max-buffer-mib-per-session", "8192", *flags),
        ]
    )


def bare_server(bench: Bench, pool_mib: int = 1) -> ListeningProcess:
    """Start the server that is only gRPC."""
    return ListeningProcess([bench.built("tests/benchmark/rpc/bare_server"), str(pool_mib)])


class Load(Process):
    """A load generator that does a line's work and answers with a line of numbers."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        super().__init__(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, line: str) -> list[float]:
        """Have a line done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().split()
        if not answer:
            raise RuntimeError("the load generator has ended")
        return [float(word) for word in answer]


def run_json(command: Sequence[str | Path]) -> dict[str, Any]:
    """Run a program to its end and return the JSON that it prints."""
    done = subprocess.run(
        [str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run_streams(
    bench: Bench,
    kind: str,
    to: ListeningProcess,
    streams: int,
    seconds: float,
    chunk_ms: int,
    ring_ms: int,
) -> dict[str, Any]:
    """Run stereo streams in real time, each on a connection of its own.

    Parameters
    ----------
    bench : Bench
    kind : str
        "play", "duplex", or "bare" for the bare server, which sends the chunks back.
    to : ListeningProcess
    streams : int
    seconds : float
        How long to measure, after a while that does not count.
    chunk_ms, ring_ms : int

    Returns
    -------
    dict
        What the load generator found, such as "server_cores", the processor time of the server's
        process as a part of a core, and "underruns".
    """
    return run_json(
        [
            *(bench.built("tests/benchmark/rpc/stream_load"), "--target", to.target),
            *("--kind", kind, "--streams", str(streams), "--seconds", str(seconds)),
            *("--chunk-frames", str(RATE * chunk_ms // 1000)),
            *("--ring-frames", str(RATE * ring_ms // 1000)),
            *("--server-pid", str(to.pid)),
        ]
    )


class Connection:
    """A channel to our server, and a session on it.

    Parameters
    ----------
    target : str
    """

    def __init__(self, target: str) -> None:
        self.channel = grpc.insecure_channel(
            target, [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        )
        sessions = session_pb2_grpc.SessionServiceStub(self.channel)
        request = session_pb2.CreateSessionRequest(label="benchmark")
        request.ttl.seconds = 600
        created = sessions.CreateSession(request, wait_for_ready=True)
        #: What calls of the session carry.
        self.metadata = (("rtmixd-session-token", created.token),)

    def close(self) -> None:
        """Close the channel; the session ends with the server."""
        self.channel.close()
