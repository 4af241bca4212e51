"""Plain values that callers give, checked before they travel."""

from __future__ import annotations

import math
import operator
import os
from typing import Any, Optional, Union

from rtmixd.errors import InvalidArgument

__all__ = [
    "flag",
    "function",
    "instance",
    "number",
    "number_or_none",
    "path",
    "seconds",
    "seconds_or_none",
    "several",
    "text",
    "waiting",
    "whole",
    "whole_or_none",
]


def whole(value: object, field: str, bits: int = 63) -> int:
    """Return a number of frames, of passes or of a channel; seconds are none.

    Raises
    ------
    InvalidArgument
        It is no whole number of at most so many bits; says `field`.
    """
    try:
        # The index of True is True, which protobuf takes for no number.
        found = int(operator.index(value))  # type: ignore[arg-type]
    except TypeError:
        found = 1 << bits
    if not -(1 << bits) <= found < 1 << bits:
        raise _refused(value, field, f"a whole number of at most {bits} bits")
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
        raise _refused(value, field, "a number") from None


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
        raise _refused(value, field, f"a string, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refused(value, field, "a string that UTF-8 can encode") from None
    return value


def flag(value: object, field: str) -> bool:
    """Return whether something is wanted: whatever is true or false.

    Raises
    ------
    InvalidArgument
        It is neither, as an array; says `field`.
    """
    try:
        return bool(value)
    except ValueError:
        raise _refused(value, field, "True or False") from None


def several(values: object, field: str, what: str) -> list[Any]:
    """Return what was given one after the other.

    Raises
    ------
    InvalidArgument
        It cannot be iterated, or is a string; says `field`, and by `what` of which it has to be.
    """
    try:
        if isinstance(values, (str, bytes)):
            raise TypeError
        return list(values)  # type: ignore[call-overload,no-any-return]
    except TypeError:
        raise _refused(values, field, f"a sequence of {what}") from None


def function(value: object, field: str) -> Any:
    """Return what is to be called, None for None.

    Raises
    ------
    InvalidArgument
        It cannot be called; says `field`.
    """
    if value is not None and not callable(value):
        raise _refused(value, field, "a function")
    return value


def path(value: object, field: str) -> str:
    """Return the name of a file.

    Raises
    ------
    InvalidArgument
        It is neither a string nor a path, or no file can be called so; says `field`.
    """
    name = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(name, str):
        raise _refused(value, field, f"the name of a file, not {type(value).__name__}")
    try:
        if b"\0" in os.fsencode(name):
            raise ValueError
    except ValueError:
        raise _refused(value, field, "the name of a file") from None
    return name


def instance(
    value: object, kinds: Union[type, tuple[type, ...]], field: str, what: str = ""
) -> Any:
    """Return something of a kind.

    Raises
    ------
    InvalidArgument
        It is not; says `field`, and by `what` what it has to be.
    """
    if not isinstance(value, kinds):
        names = (kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
        raise _refused(value, field, what or f"a {' or '.join(names)}")
    return value


def seconds(value: object, field: str) -> float:
    """Return how long to wait; infinity is for ever.

    Raises
    ------
    InvalidArgument
        It is no number, or NaN, with which an event loop gets its timers mixed up; says `field`.
    """
    found = number(value, field)
    if math.isnan(found):
        raise _refused(value, field, "a number of seconds")
    return found


def seconds_or_none(value: object, field: str) -> Optional[float]:
    """Return what `seconds` does, None for None."""
    return None if value is None else seconds(value, field)


def waiting(timeout: object, until: object) -> Optional[float]:
    """Return how many seconds to wait at the most, None for ever.

    Raises
    ------
    InvalidArgument
        `timeout` is no number, or `until` is not what can be waited for.
    """
    if not isinstance(until, str) or until not in ("ended", "done"):
        raise _refused(until, "until", '"ended" or "done"', limit="ended, done")
    return seconds_or_none(timeout, "timeout")


def _refused(value: object, field: str, wanted: str, limit: str = "") -> InvalidArgument:
    return InvalidArgument(
        f"{field} is {value!r}: it has to be {wanted}",
        field=field,
        value=repr(value),
        limit=limit,
    )
