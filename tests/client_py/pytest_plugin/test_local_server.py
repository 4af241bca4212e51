"""A server of one's own: it starts, says where, and is gone afterwards.

RTMIXD_SERVER names the program.
"""

from __future__ import annotations

import os
import pathlib
import select
import socket
import stat
import subprocess
import sys

import pytest

import rtmixd
from rtmixd.local_server import LocalServer

SOURCE = pathlib.Path(rtmixd.__file__).resolve().parents[1]
DEADLINE_SECONDS = 30


def connect(target: str) -> None:
    host, _, port = target.rpartition(":")
    socket.create_connection((host, int(port)), timeout=DEADLINE_SECONDS).close()


def program(folder: pathlib.Path, text: str) -> str:
    path = folder / "pretender"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


class TestLocalServer:
    def test_listens_until_it_is_closed(self) -> None:
        with LocalServer() as server:
            connect(server.target)
            assert "virtual" in server.log
            assert "running" in repr(server)
        with pytest.raises(ConnectionRefusedError):
            connect(server.target)
        with pytest.raises(ProcessLookupError):
            os.kill(server.pid, 0)
        assert "ended with 0" in repr(server)

    def test_closing_again_is_nothing(self) -> None:
        server = LocalServer()
        server.close()
        server.close()

    def test_refused_flags_are_told_in_its_own_words(self) -> None:
        with pytest.raises(RuntimeError, match="virtual-inputs"):
            LocalServer(["--virtual-inputs", "many"])

    def test_a_missing_program_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RTMIXD_SERVER", "/nowhere/rtmixd")
        with pytest.raises(FileNotFoundError, match=r"/nowhere/rtmixd.*RTMIXD_SERVER"):
            LocalServer()

    def test_one_that_says_nothing_is_ended(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("rtmixd.local_server._START_SECONDS", 0.2)
        note = tmp_path / "pid"
        silent = program(tmp_path, f"echo $$ > {note}; echo hello; exec cat /dev/zero > /dev/null")
        with pytest.raises(TimeoutError, match="does not say where it listens"):
            LocalServer(program=silent)
        if note.exists():
            with pytest.raises(ProcessLookupError):
                os.kill(int(note.read_text()), 0)

    def test_ends_with_a_process_that_was_killed(self) -> None:
        code = (
            "import os, signal\n"
            "from rtmixd.local_server import LocalServer\n"
            "server = LocalServer()\n"
            "print(server.pid, flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdout=subprocess.PIPE,
            timeout=DEADLINE_SECONDS,
        )
        # The server holds the other end of no pipe of ours; its descriptor tells when it is gone.
        try:
            pidfd = os.pidfd_open(int(done.stdout))
        except ProcessLookupError:
            return
        readable, _, _ = select.select([pidfd], [], [], DEADLINE_SECONDS)
        os.close(pidfd)
        assert readable
