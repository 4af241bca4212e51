"""Where a client connects to."""

from __future__ import annotations

import pytest

from rtmixd.aio._connection import complete_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("rig7", "rig7:47110"),
        ("rig7:1234", "rig7:1234"),
        ("10.0.0.7", "10.0.0.7:47110"),
        ("::1", "[::1]:47110"),
        ("[::1]", "[::1]:47110"),
        ("[::1]:1234", "[::1]:1234"),
        ("dns:///rig7:1", "dns:///rig7:1"),
        ("unix:/run/rtmixd", "unix:/run/rtmixd"),
    ],
)
def test_a_target_is_completed(text: str, target: str) -> None:
    assert complete_target(text) == target


def test_without_a_target_it_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTMIXD_TARGET", "rig7")
    assert complete_target() == "rig7:47110"
    assert complete_target("rig8") == "rig8:47110"


def test_without_any_it_is_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RTMIXD_TARGET", raising=False)
    assert complete_target() == "localhost:47110"
