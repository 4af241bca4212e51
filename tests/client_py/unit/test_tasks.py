"""Two things at once."""

from __future__ import annotations

import asyncio

import pytest

from rtmixd.aio._tasks import both


async def answer(what: str) -> str:
    await asyncio.sleep(0)
    return what


async def fail() -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


class Endless:
    """Never ends by itself, and takes a moment to be ended."""

    def __init__(self) -> None:
        self.over = False

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.over = True


def test_both_answers_come() -> None:
    async def test() -> None:
        assert await both(answer("a"), answer("b")) == ("a", "b")

    asyncio.run(test())


def test_when_one_fails_the_other_is_over() -> None:
    async def test() -> None:
        for first in (True, False):
            other = Endless()
            pair = (fail(), other.run()) if first else (other.run(), fail())
            with pytest.raises(ValueError, match="no"):
                await both(*pair)
            assert other.over

    asyncio.run(test())


def test_when_it_is_cancelled_both_are_over() -> None:
    async def test() -> None:
        sides = [Endless(), Endless()]
        task = asyncio.ensure_future(both(sides[0].run(), sides[1].run()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [side.over for side in sides] == [True, True]

    asyncio.run(test())
