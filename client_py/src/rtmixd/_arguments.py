"""Plain values that callers give, checked before they travel."""

from __future__ import annotations

import operator
from typing import Optional

from rtmixd.errors import InvalidArgument

__all__ = ["number", "number_or_none", "text", "waiting", "whole", "whole_or_none"]


def whole(value: object, field: str, bits: int = 63) -> int:
    """Return a number of frames, of passes or of a channel; seconds are none.

    Raises
    ------
    InvalidArgument
        It is no whole number of at most so many bits; says `field`.
    """
    try:
        found = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        found = 1 << bits
    if not -(1 << bits) <= found < 1 << bits:
        raise InvalidArgument(
            f"{field} is {value!r}: it has to be a whole number of at most {bits} bits",
            field=field,
            value=repr(value),
        )
    return found


def whole_or_none(value: object, field: str) -> Optional[int]:
    """Return what `whole` does, None for None."""
    return None if value is None else whole(value, field)


def number(value: object, field: str) -> float:
    """Return a gain or a time.

    Raises
    ------
    InvalidArgument
        It is no number; says `field`.
    """
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InvalidArgument(
            f"{field} is {value!r}: it has to be a number", field=field, value=repr(value)
        ) from None


def number_or_none(value: object, field: str) -> Optional[float]:
    """Return what `number` does, None for None."""
    return None if value is None else number(value, field)


def text(value: object, field: str) -> str:
    """Return a label, a key or an id.

    Raises
    ------
    InvalidArgument
        It is no string, or one that UTF-8 cannot encode; says `field`.
    """
    if not isinstance(value, str):
        raise InvalidArgument(
            f"{field} is {value!r}: it has to be a string, not {type(value).__name__}",
            field=field,
            value=repr(value),
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(
            f"{field} is {value!r}: it has to be a string that UTF-8 can encode",
            field=field,
            value=repr(value),
        ) from None
    return value


def waiting(timeout: object, until: object) -> Optional[float]:
    """Return how many seconds to wait at the most, None for ever.

    Raises
    ------
    InvalidArgument
        `timeout` is no number, or `until` is not what can be waited for.
    """
    if until not in ("ended", "done"):
        raise InvalidArgument(
            f'until is {until!r}: it has to be "ended" or "done"',
            field="until",
            value=repr(until),
            limit="ended, done",
        )
    return number_or_none(timeout, "timeout")
