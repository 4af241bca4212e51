"""What the blocking twins of asynchronous objects have in common."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, KeysView, ValuesView
from typing import Any

__all__ = ["Twin", "listed", "twin_of", "unwrap", "wrap"]

_kinds: dict[type, type[Twin]] = {}
_twins: weakref.WeakValueDictionary[int, Twin] = weakref.WeakValueDictionary()


class Twin:
    """The blocking side of an asynchronous object, which does the work."""

    _async: Any

    def __repr__(self) -> str:
        return repr(self._async)


def twin_of(kind: type) -> Any:
    """Make a class the twin of `kind`."""

    def decorate(twin: type[Twin]) -> type[Twin]:
        _kinds[kind] = twin
        return twin

    return decorate


def adopt(twin: Twin, thing: Any) -> None:
    """Make `twin` the one of `thing`."""
    twin._async = thing
    _twins[id(thing)] = twin


def wrap(value: Any) -> Any:
    """Replace asynchronous objects, also in lists and tuples, by their twins: always the same."""
    kind = _kinds.get(type(value))
    if kind is not None:
        # While a twin lives, so does its object: the id is nobody else's.
        twin = _twins.get(id(value))
        if twin is None:
            twin = kind.__new__(kind)
            adopt(twin, value)
        return twin
    if type(value) in (list, tuple):
        return type(value)(wrap(entry) for entry in value)
    return value


def unwrap(value: Any) -> Any:
    """Replace twins, also in what can be iterated, by their objects."""
    if isinstance(value, Twin):
        return value._async
    if isinstance(value, (list, tuple, set, frozenset, Iterator, KeysView, ValuesView)):
        return [unwrap(entry) for entry in value]
    return value


def listed(value: Any) -> Any:
    """Run through an iterator on the caller's thread, where what it does may block."""
    return list(value) if isinstance(value, Iterator) else value
