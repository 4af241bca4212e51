"""Views of other objects' memory, as bytes."""

from __future__ import annotations

from typing import Any

# What a float32 may call itself in the buffer protocol, and what plain memory does.
_FLOAT32_FORMATS = ("f", "@f", "=f", "<f")
_RAW_FORMATS = ("B", "b", "c", "@B", "@b", "@c")


def view_bytes(obj: Any) -> memoryview:
    """Return the memory of `obj`, flat and in bytes.

    Parameters
    ----------
    obj : buffer
        Any object with the buffer protocol.

    Returns
    -------
    memoryview
        To be released soon: as long as it lives, `obj` cannot be resized.

    Raises
    ------
    TypeError
        If `obj` has no buffer protocol.
    ValueError
        If its memory is not C-contiguous.
    """
    view = memoryview(obj)
    if view.nbytes == 0:
        # Views with a zero in their shape cannot be cast.
        view.release()
        return memoryview(b"")
    if not view.c_contiguous:
        view.release()
        raise ValueError("ndarray is not C-contiguous")
    if view.ndim == 1 and view.format == "B":
        return view
    return view.cast("B")


def view_float32(obj: Any, writable: bool) -> memoryview:
    """Return the memory of `obj` in bytes, if it may hold float32.

    Parameters
    ----------
    obj : buffer
        Plain bytes, or float32.
    writable : bool
        Whether it has to be writable.

    Returns
    -------
    memoryview
        See `view_bytes`.

    Raises
    ------
    TypeError
        If `obj` has no buffer protocol, or holds numbers that are not float32.
    ValueError
        If its memory is not C-contiguous, or is read-only and must not be.
    """
    with memoryview(obj) as view:
        if view.format not in _FLOAT32_FORMATS + _RAW_FORMATS:
            raise TypeError(f"the buffer must hold float32 or bytes, not format {view.format!r}")
        if writable and view.readonly and view.nbytes:
            raise ValueError("the buffer is read-only")
    return view_bytes(obj)
