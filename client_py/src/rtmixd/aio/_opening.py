"""Something that is opened by awaiting it, or by entering it."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Optional, Protocol, TypeVar

__all__ = ["Opening"]


class _Closable(Protocol):
    async def __aenter__(self: _Self) -> _Self: ...

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None: ...


_Self = TypeVar("_Self", bound=_Closable)
_Thing = TypeVar("_Thing", bound=_Closable)


class Opening(Generic[_Thing]):
    """Opens a thing: ``thing = await opening``, or ``async with opening as thing``."""

    def __init__(self, coroutine: Coroutine[Any, Any, _Thing]) -> None:
        self._coroutine = coroutine
        self._thing: Optional[_Thing] = None

    def __await__(self) -> Generator[Any, Any, _Thing]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> _Thing:
        self._thing = await self._coroutine
        return await self._thing.__aenter__()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(
                f"{name!r} is not there yet: open it first, by `await` or `async with`"
            )

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        assert self._thing is not None
        await self._thing.__aexit__(kind, error, trace)
