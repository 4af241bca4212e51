"""What a loop tells of grpc.aio, and what not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtmixd.aio._poller import hush_poller

RACE = {
    "message": "Exception in callback PollerCompletionQueue._handle_events(<a loop>)()",
    "exception": BlockingIOError(11, "Resource temporarily unavailable"),
}
OTHERS: list[dict[str, Any]] = [
    {"message": RACE["message"], "exception": OSError(9, "Bad file descriptor")},
    {"message": "Exception in callback f()", "exception": RACE["exception"]},
    {"message": "Task was destroyed but it is pending!"},
]


def test_the_race_alone_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        hush_poller(loop)
        loop.call_exception_handler(RACE)
        assert not caplog.records
        for other in OTHERS:
            loop.call_exception_handler(other)
        assert [record.message.split("\n")[0] for record in caplog.records] == [
            other["message"] for other in OTHERS
        ]

    asyncio.run(test())


def test_the_handler_of_the_program_is_told_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        told: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: told.append(context))
        for _ in range(2):
            hush_poller(loop)
        for context in [RACE, *OTHERS]:
            loop.call_exception_handler(context)
        assert told == OTHERS
        assert not caplog.records

    asyncio.run(test())
