"""A server of one's own, for tests and for trying things out."""

from __future__ import annotations

import collections
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Optional

from rtmixd._arguments import path, several, text

__all__ = ["LocalServer"]

# Listing the devices of a host may take a while.
_START_SECONDS = 30.0

# More than the server gives its calls to end.
_STOP_SECONDS = 20.0

# What comes before the address.
_LISTENING = "listening on "

# Lines that are kept of what the server says.
_LOG_LINES = 1000


class LocalServer:
    """Run ``rtmixd`` on this host, on its virtual device, on a free port of the loopback interface.

    It is started by the constructor and ends with `close` or at the end of a ``with``; at the
    latest, on Linux, with the thread that started it, even if that is killed.

    Parameters
    ----------
    flags : sequence of str
        Further flags, ``["--loopback", "1>1:delay=480"]``; ``rtmixd --help`` tells them all.
    program : str, optional
        The program; otherwise what the environment variable RTMIXD_SERVER names, otherwise
        ``rtmixd`` on the PATH.

    Raises
    ------
    InvalidArgument
        A flag is no string, or `program` no name of a file.
    FileNotFoundError
        If there is no such program.
    RuntimeError
        If it ends at once, with what it said.
    TimeoutError
        If it does not say within 30 s where it listens.

    Examples
    --------
    >>> with LocalServer() as server, Client(server.target) as client:  # doctest: +SKIP
    ...     print(client.info())
    """

    target: str
    """Where it listens, "127.0.0.1:40123"."""

    def __init__(self, flags: Sequence[str] = (), *, program: Optional[str] = None) -> None:
        flags = [text(flag, "flags") for flag in several(flags, "flags", "str")]
        named = None if program is None else path(program, "program")
        wanted = named or os.environ.get("RTMIXD_SERVER") or "rtmixd"
        found = shutil.which(wanted)
        if found is None:
            raise FileNotFoundError(
                f"no program {wanted!r}: build //server:rtmixd, and name it in RTMIXD_SERVER or "
                "put it on the PATH"
            )
        command = [found, "--device", "virtual", "--listen", "127.0.0.1:0", *flags]
        # So that no server is left behind by a process that was killed.
        with_parent = shutil.which("setpriv")
        if with_parent is not None:
            command = [with_parent, "--pdeathsig", "TERM", "--", *command]
        self._log: collections.deque[str] = collections.deque(maxlen=_LOG_LINES)
        self._target: queue.Queue[Optional[str]] = queue.Queue()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C is for the program that asks the server to stop.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="rtmixd output", daemon=True)
        self._reader.start()
        try:
            self.target = self._wait_until_it_listens()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has said so far, the last lines of it."""
        return "".join(list(self._log))

    def close(self) -> None:
        """Ask it to stop, and wait until it has; nothing if it has ended already."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_STOP_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> LocalServer:
        return self

    def __exit__(
        self,
        exception_type: Optional[type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        code = self._process.poll()
        state = "running" if code is None else f"ended with {code}"
        return f"LocalServer({self.target!r}, {state}, pid {self.pid})"

    def _read(self) -> None:
        """Keep what the server says, until it has ended."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._log.append(line)
            if line.startswith(_LISTENING):
                self._target.put(line[len(_LISTENING) :].strip())
        self._target.put(None)

    def _wait_until_it_listens(self) -> str:
        try:
            target = self._target.get(timeout=_START_SECONDS)
        except queue.Empty:
            raise TimeoutError(f"rtmixd does not say where it listens:\n{self.log}") from None
        if target is None:
            raise RuntimeError(f"rtmixd ended at once:\n{self.log}")
        return target
