"""What all suites share: RTMIXD_SERVER names the server that they start."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from rtmixd.local_server import LocalServer


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """A server on its virtual device, whose output n comes back at input n, for one module."""
    with LocalServer(["--enable-device-scripts"]) as server:
        yield server


@pytest.fixture
def other_server() -> Iterator[LocalServer]:
    """One to be stopped and killed."""
    with LocalServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken from whoever runs the tests, above all no rig."""
    for name in ("TARGET", "CA", "CERT", "KEY", "TOKEN_FILE"):
        monkeypatch.delenv(f"RTMIXD_{name}", raising=False)


def pytest_configure(config: pytest.Config) -> None:
    """Say early what is missing, and let interrupts in.

    Shells have what they start in the background ignore them, and programs inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not os.environ.get("RTMIXD_SERVER"):
        os.environ["RTMIXD_SERVER"] = "rtmixd"
