"""Two things at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["both"]

_First = TypeVar("_First")
_Second = TypeVar("_Second")


async def both(first: Awaitable[_First], second: Awaitable[_Second]) -> tuple[_First, _Second]:
    """Return what both return; if one fails, the other is over before that is told.

    asyncio.gather leaves the other running, with nobody to hold it or hear of it.
    """
    tasks = (asyncio.ensure_future(first), asyncio.ensure_future(second))
    try:
        await asyncio.gather(*tasks)
        return tasks[0].result(), tasks[1].result()
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        # What else went wrong is not news any more.
        for task in tasks:
            if not task.cancelled():
                task.exception()
        raise
