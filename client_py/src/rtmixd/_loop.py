"""The event loop behind the blocking client: one daemon thread per process serves all of it."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import gc
import os
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, Generic, Optional, Protocol, TypeVar

from rtmixd.errors import Cancelled

__all__ = ["close_at_exit", "is_own_thread", "iterate", "post", "run", "start"]

_Result = TypeVar("_Result")

# How long the interpreter's exit may take for what was left open, and then for the loop itself. A
# lost server is given up earlier than that, so it is a server that lives which has this time.
_CLOSE_SECONDS = 3.0
_STOP_SECONDS = 0.5


class _Closable(Protocol):
    async def close(self) -> None: ...


class _Loop:
    """A thread that runs an event loop.

    Threading: `run` and `stop` from any thread but its own.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ending = False
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._thread = threading.Thread(target=self._serve, name="rtmixd", daemon=True)
        self._thread.start()

    def run(self, awaitable: Awaitable[_Result]) -> _Result:
        """Run it in the loop, and return what it returns."""
        if threading.current_thread() is self._thread:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            raise RuntimeError(
                "rtmixd's own thread cannot wait for itself: a callback that runs there must not"
                " call the blocking client; use rtmixd.aio in it, or another thread"
            )
        future = asyncio.run_coroutine_threadsafe(_result_of(awaitable), self._loop)
        try:
            return future.result()
        except BaseException as error:
            if self._ending and threading.current_thread().daemon:
                # The interpreter exits and takes this thread along: there is nobody to be told.
                threading.Event().wait()
            if isinstance(error, concurrent.futures.CancelledError):
                raise Cancelled("the client was closed", code="cancelled") from None
            # KeyboardInterrupt and the like hit this thread and not what it waits for.
            future.cancel()
            raise

    def keep(self, thing: _Closable) -> None:
        """Close this when the interpreter exits, if it is still there then."""
        self._open.add(thing)

    def stop(self) -> None:
        """Close what is open, within limits, and end the thread."""
        self._ending = True
        with contextlib.suppress(BaseException):
            asyncio.run_coroutine_threadsafe(self._close_all(), self._loop).result(
                _CLOSE_SECONDS + _STOP_SECONDS
            )
        with contextlib.suppress(BaseException):
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_STOP_SECONDS)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _close_all(self) -> None:
        closing = [asyncio.ensure_future(thing.close()) for thing in list(self._open)]
        if closing:
            await asyncio.wait(closing, timeout=_CLOSE_SECONDS)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=_STOP_SECONDS / 2)


async def _result_of(awaitable: Awaitable[_Result]) -> _Result:
    return await awaitable


_lock = threading.Lock()
_current: Optional[_Loop] = None
# The interpreter exits: a thread that was started now would never run.
_ended = False
# Of the process that this one was forked from: freeing what is gRPC's would crash here.
_abandoned: list[_Loop] = []


def _get() -> _Loop:
    global _current
    with _lock:
        if _ended:
            raise Cancelled("the interpreter exits", code="cancelled")
        if _current is None:
            _current = _Loop()
            atexit.register(_stop)
        return _current


def _stop() -> None:
    global _current, _ended
    with _lock:
        loop, _current = _current, None
        _ended = True
    if loop is not None:
        loop.stop()


def _forget() -> None:
    # The thread is not there in the child, and the lock may be held by one that is not.
    global _current, _lock
    _lock = threading.Lock()
    if _current is not None:
        # The garbage among it, too.
        gc.freeze()
        _abandoned.append(_current)
        _current = None
        atexit.unregister(_stop)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def run(awaitable: Awaitable[_Result]) -> _Result:
    """Run something in the loop, and wait for it.

    Parameters
    ----------
    awaitable : awaitable
        What.

    Returns
    -------
    object
        What it returns.

    Raises
    ------
    RuntimeError
        This is the loop's own thread, which cannot wait for itself.
    Cancelled
        The interpreter exits.
    """
    return _or_close(awaitable).run(awaitable)


def start(coroutine: Coroutine[Any, Any, _Result]) -> concurrent.futures.Future[_Result]:
    """Run something in the loop, without waiting for it; for any thread."""
    return asyncio.run_coroutine_threadsafe(coroutine, _or_close(coroutine)._loop)


def _or_close(awaitable: Awaitable[Any]) -> _Loop:
    """Return the loop in which it is to run; if there will be none, nobody awaits it either."""
    try:
        return _get()
    except Cancelled:
        if asyncio.iscoroutine(awaitable):
            awaitable.close()
        raise


def post(function: Callable[..., object], *arguments: Any) -> None:
    """Call a function in the loop, after what was posted before; for any thread."""
    _get()._loop.call_soon_threadsafe(function, *arguments)


def is_own_thread() -> bool:
    """Say whether this is the loop's own thread, which must not wait."""
    return _current is not None and threading.current_thread() is _current._thread


def close_at_exit(thing: _Closable) -> None:
    """Close this when the interpreter exits, if it is still there then."""
    _get().keep(thing)


class _Iteration(Generic[_Result]):
    def __init__(self, source: AsyncIterator[_Result]) -> None:
        self._source = source

    def __iter__(self) -> Iterator[_Result]:
        return self

    def __next__(self) -> _Result:
        try:
            return run(self._source.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """End it early."""
        close = getattr(self._source, "aclose", None)
        if close is not None:
            run(close())

    def __del__(self) -> None:
        # Whoever breaks off a loop leaves the call behind: end it, without waiting.
        close = getattr(self._source, "aclose", None)
        if close is not None and _current is not None:
            with contextlib.suppress(RuntimeError):
                asyncio.run_coroutine_threadsafe(close(), _current._loop)


def iterate(source: AsyncIterator[_Result]) -> Iterator[_Result]:
    """Iterate over something of the loop."""
    return _Iteration(source)
