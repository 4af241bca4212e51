"""Callbacks that may block, called from an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import queue
import threading
from collections.abc import Callable
from typing import Any, Optional

from rtmixd._arguments import whole
from rtmixd.errors import InvalidArgument


def check_callback(callback: object, frames: Optional[int]) -> None:
    """Look at a callback of a stream, and for how many frames it is to be called.

    Raises
    ------
    InvalidArgument
        It cannot be called, or not for so many.
    """
    if callback is not None and not callable(callback):
        raise InvalidArgument(
            f"callback is {callback!r}: it cannot be called",
            field="callback",
            value=repr(callback),
        )
    if frames is not None and whole(frames, "callback_frames") < 1:
        raise InvalidArgument(
            f"callback_frames is {frames}: it has to be at least 1",
            field="callback_frames",
            value=str(frames),
            limit="at least 1",
        )


class Invoker:
    """Calls a callback: awaits it if it is a coroutine function, else in a thread of its own.

    The thread is a daemon, so that a callback that never returns does not hold up the interpreter's
    exit. Calls are to follow each other.
    """

    def __init__(self, callback: Callable[..., Any], name: str) -> None:
        self._callback = callback
        self._name = name
        self._work: Optional[queue.SimpleQueue[Any]] = None
        self._waits = inspect.iscoroutinefunction(callback)

    async def __call__(self, *arguments: Any) -> Any:
        """Call it and return what it returns."""
        if self._waits:
            return await self._callback(*arguments)
        if self._work is None:
            self._work = queue.SimpleQueue()
            threading.Thread(
                target=_serve, args=(self._work, self._callback), name=self._name, daemon=True
            ).start()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._work.put((loop, answer, arguments))
        return await answer

    def close(self) -> None:
        """End the thread after the present call."""
        if self._work is not None:
            self._work.put(None)


def _serve(work: queue.SimpleQueue[Any], callback: Callable[..., Any]) -> None:
    while True:
        item = work.get()
        if item is None:
            return
        loop, answer, arguments = item
        result: Any = None
        error: Optional[BaseException] = None
        try:
            result = callback(*arguments)
        except BaseException as raised:
            error = raised
        # The loop may be closed already.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_answer, answer, result, error)
        del item, answer, arguments, result, error


def _answer(answer: asyncio.Future[Any], result: Any, error: Optional[BaseException]) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    elif isinstance(error, StopIteration):
        # A future cannot raise it.
        answer.set_exception(RuntimeError("the callback raised StopIteration"))
    else:
        answer.set_exception(error)
