"""Enums of the API as plain words: ACTION_STATE_ENDED is "ended"."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from rtmixd.errors import InvalidArgument


@cache
def _tables(enum: str) -> tuple[dict[int, str], dict[str, int]]:
    from rtmixd.v1 import (
        action_pb2,
        buffer_pb2,
        calibration_pb2,
        common_pb2,
        device_pb2,
        event_pb2,
        session_pb2,
        spool_pb2,
        stream_pb2,
        virtual_device_pb2,
    )

    for module in (
        action_pb2,
        buffer_pb2,
        calibration_pb2,
        common_pb2,
        device_pb2,
        event_pb2,
        session_pb2,
        spool_pb2,
        stream_pb2,
        virtual_device_pb2,
    ):
        kind: Any = module.DESCRIPTOR.enum_types_by_name.get(enum)
        if kind is not None:
            break
    else:
        raise KeyError(enum)
    prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", enum).upper() + "_"
    names = {value.number: value.name[len(prefix) :].lower() for value in kind.values}
    return names, {name: number for number, name in names.items()}


def short_name(enum: str, number: int) -> str:
    """Return the word for a value; "unspecified" for one that this client does not know."""
    return _tables(enum)[0].get(number, "unspecified")


def number_of(enum: str, word: str, field: str) -> Any:
    """Return the value for a word.

    Raises
    ------
    InvalidArgument
        If there is none, naming `field`.
    """
    names, numbers = _tables(enum)
    if not isinstance(word, str) or word not in numbers or word == "unspecified":
        allowed = ", ".join(name for name in names.values() if name != "unspecified")
        raise InvalidArgument(
            f"{field} is {word!r}: it has to be one of {allowed}",
            field=field,
            value=str(word),
            limit=allowed,
        )
    return numbers[word]
