"""What is generated is current, and the blocking client is all of the asynchronous one."""

from __future__ import annotations

import inspect
import pathlib
import subprocess

import pytest

import rtmixd
from rtmixd import aio

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
TWINS = [name for name in aio.__all__ if name in rtmixd._sync.__all__]
RENAMED = {"__aenter__": "__enter__", "__aexit__": "__exit__", "__aiter__": "__iter__"}


@pytest.mark.parametrize("tool", ["python_stubs", "python_sync"])
def test_generated_files_are_current(tool: str) -> None:
    done = subprocess.run(
        [CHECKOUT / "tools" / tool, "--check"], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_has_the_same_methods_with_the_same_parameters(name: str) -> None:
    original, twin = getattr(aio, name), getattr(rtmixd, name)
    assert inspect.getdoc(twin)
    for method, thing in inspect.getmembers(original):
        if method.startswith("_") and method not in RENAMED:
            continue
        other = getattr(twin, RENAMED.get(method, method))
        if isinstance(thing, property):
            assert isinstance(other, property), method
        else:
            assert not inspect.iscoroutinefunction(other)
            ours, theirs = inspect.signature(thing), inspect.signature(other)
            assert [
                (parameter.name, parameter.kind, parameter.default)
                for parameter in ours.parameters.values()
            ] == [
                (parameter.name, parameter.kind, parameter.default)
                for parameter in theirs.parameters.values()
            ], method


def test_there_are_twins() -> None:
    assert {"Action", "Batch", "Buffer", "Client", "Session"} <= set(TWINS)
