"""Keeps an event loop quiet about a harmless race inside of grpc.aio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Optional

__all__ = ["hush_poller"]

_Handler = Callable[[asyncio.AbstractEventLoop, "dict[str, Any]"], object]


class _Hush:
    """Hands on to the handler that was there before what is not the race."""

    def __init__(self, before: Optional[_Handler]) -> None:
        self._before = before

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(
            context.get("exception"), BlockingIOError
        ) and "PollerCompletionQueue._handle_events" in str(context.get("message")):
            return
        if self._before is None:
            loop.default_exception_handler(context)
        else:
            self._before(loop, context)


def hush_poller(loop: asyncio.AbstractEventLoop) -> None:
    """Let a loop not report that another one was faster at reading what woke both.

    grpc.aio wakes all event loops of a process by one byte in one socket. In older versions, 1.51
    among them, those that find it read by another fail with BlockingIOError. Nothing is lost by
    that, since the one that read it serves all; but asyncio logs a traceback.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        In which gRPC is used; what else goes wrong in it is handled as before.
    """
    before = loop.get_exception_handler()
    if not isinstance(before, _Hush):
        loop.set_exception_handler(_Hush(before))
