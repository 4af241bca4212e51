"""A program that leaves things open ends at once, and leaves nothing behind on the server."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import pytest

import rtmixd
from rtmixd.local_server import LocalServer

SOURCE = pathlib.Path(__file__).resolve().parents[3] / "client_py/src"
PRELUDE = """
import asyncio, os, signal, sys, threading
import numpy as np
import rtmixd, rtmixd.aio
from rtmixd import Play, Record
target = sys.argv[1]
"""
# Within which an interpreter under load starts, imports and ends; what hangs hangs for ever.
DEADLINE_SECONDS = 60

LEFT_OPEN = {
    "client": "client = rtmixd.Client(target); client.info()",
    "session": "session = rtmixd.Client(target).session('left')",
    "nothing used": "client = rtmixd.Client(target)",
    "action": "session = rtmixd.Client(target).session('left'); session.schedule(Record())",
    "buffer": "session = rtmixd.Client(target).session('left'); b = session.upload(np.ones(9))",
    "iteration": "events = rtmixd.Client(target).events(0); next(events)",
    "lease": "session = rtmixd.Client(target).lease('left')",
    "wait in a thread": """
        session = rtmixd.Client(target).session('left')
        (action,) = session.schedule(Record())
        threading.Thread(target=action.wait, daemon=True).start()
        """,
    "file that plays": """
        session = rtmixd.Client(target).session('left')
        file = session.open_play(1).as_file()
        file.write(bytes(400))
        """,
    "file of what was closed": """
        with rtmixd.Client(target) as client, client.session('left') as session:
            with session.open_record([1], frames=100) as stream:
                file = stream.as_file()
                file.read()
        """,
    "last words": """
        class Last:
            def __del__(self):
                try:
                    self.session.play(np.ones(9))
                except rtmixd.Cancelled:
                    pass
        last = Last()
        last.session = rtmixd.Client(target).session('left')
        """,
    "uncaught error": """
        session = rtmixd.Client(target).session('left')
        session.schedule(Record())
        raise SystemExit(0)
        """,
    "asyncio": """
        async def main():
            client = rtmixd.aio.Client(target)
            session = await client.session('left', ttl=1)
            await session.schedule(Record())
        asyncio.run(main())
        """,
    "asyncio wait": """
        async def main():
            client = rtmixd.aio.Client(target)
            session = await client.session('left', ttl=1)
            (action,) = await session.schedule(Record())
            asyncio.ensure_future(action.wait())
            await client.clock()
        asyncio.run(main())
        """,
    "both": """
        session = rtmixd.Client(target).session('left')
        async def main():
            client = rtmixd.aio.Client(target)
            await client.info()
        asyncio.run(main())
        """,
}


# Both loops of one process use gRPC as fast as they can.
SIDE_BY_SIDE = """
    client = rtmixd.Client(target)
    stop = threading.Event()
    def ask():
        while not stop.is_set():
            client.info()
    thread = threading.Thread(target=ask)
    thread.start()
    async def main():
        async with rtmixd.aio.Client(target) as other:
            for _ in range(500):
                await other.info()
    asyncio.run(main())
    stop.set()
    thread.join()
    """


def script(body: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", PRELUDE + textwrap.dedent(body), *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE)}


@pytest.mark.parametrize("what", LEFT_OPEN)
def test_what_is_left_open_does_not_hold_up_the_exit(server: LocalServer, what: str) -> None:
    done = subprocess.run(
        script(LEFT_OPEN[what], server.target),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    with rtmixd.Client(server.target) as client:
        if what.startswith("asyncio"):
            # Its loop was gone before it could say good-bye: the TTL ends the session.
            for _ in client.clocks(0.1):
                if "left" not in [session.label for session in client.sessions()]:
                    break
        assert "left" not in [session.label for session in client.sessions()]


def test_two_event_loops_side_by_side_complain_of_nothing(server: LocalServer) -> None:
    done = subprocess.run(
        script(SIDE_BY_SIDE, server.target),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("what", ["session", "action", "iteration", "wait in a thread"])
def test_a_frozen_server_does_not_hold_up_the_exit(other_server: LocalServer, what: str) -> None:
    freeze = f"\nos.kill({other_server.pid}, signal.SIGSTOP)\n"
    try:
        done = subprocess.run(
            script(textwrap.dedent(LEFT_OPEN[what]) + freeze, other_server.target),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode == 0, done.stderr
    finally:
        os.kill(other_server.pid, signal.SIGKILL)


def test_an_interrupt_ends_a_program_that_waits(server: LocalServer) -> None:
    body = """
        session = rtmixd.Client(target).session('left')
        (action,) = session.schedule(Record())
        print('waiting', flush=True)
        action.wait()
        """
    with subprocess.Popen(
        script(body, server.target),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "waiting\n"
            program.send_signal(signal.SIGINT)
            _, said = program.communicate(timeout=DEADLINE_SECONDS)
            assert program.returncode == -signal.SIGINT
            assert "KeyboardInterrupt" in said
        finally:
            program.kill()
    with rtmixd.Client(server.target) as client:
        assert "left" not in [session.label for session in client.sessions()]


def test_importing_starts_nothing() -> None:
    body = "assert threading.active_count() == 1; assert 'matplotlib' not in sys.modules"
    done = subprocess.run(
        script(body, ""),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr


FORK = """
def fork():
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 9
    try:
        assert rtmixd._loop.run(asyncio.sleep(0, 'a loop of its own')) == 'a loop of its own'
        rtmixd.Client(target).info()
        code = 7
    except RuntimeError as error:
        code = 8 if 'forked' in str(error) else 9
    finally:
        os._exit(code)

"""


def test_a_forked_child_is_told_what_it_cannot_do(server: LocalServer) -> None:
    body = FORK + textwrap.dedent(
        """
        rtmixd._loop.run(asyncio.sleep(0))
        assert fork() == 7
        with rtmixd.Client(target) as client:
            client.info()
        assert fork() == 8
        """
    )
    done = subprocess.run(
        script(body, server.target),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
