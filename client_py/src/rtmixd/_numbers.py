"""Numbers that callers give, checked before they travel."""

from __future__ import annotations

import operator

from rtmixd.errors import InvalidArgument

__all__ = ["number", "whole"]


def whole(value: object, field: str) -> int:
    """Return a number of frames, of passes or of a channel; seconds are none.

    Raises
    ------
    InvalidArgument
        It is no whole number of at most 63 bits; says `field`.
    """
    try:
        found = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        found = 1 << 63
    if not -(1 << 63) <= found < 1 << 63:
        raise InvalidArgument(
            f"{field} is {value!r}: it has to be a whole number", field=field, value=repr(value)
        )
    return found


def number(value: object, field: str) -> float:
    """Return a gain or a time.

    Raises
    ------
    InvalidArgument
        It is no number; says `field`.
    """
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InvalidArgument(
            f"{field} is {value!r}: it has to be a number", field=field, value=repr(value)
        ) from None
