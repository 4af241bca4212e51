"""A ring buffer in plain memory, for one writer and one reader."""

from __future__ import annotations

import operator
from typing import Any, Callable, Optional

from rtmixd.rtmixer._memory import view_bytes


class RingBuffer:
    """A ring buffer for one writer and one reader, which may be different threads.

    Parameters
    ----------
    elementsize : int
        Size of an element in bytes; for audio, 4 bytes times the number of channels.
    size : int, optional
        How many elements it holds; a power of 2. Left out if `buffer` is given.
    buffer : buffer, optional
        Memory to be used instead of new one; its size in elements has to be a power of 2. It is not
        locked: to resize it while the ring buffer is in use is an error that shows later. Of
        read-only memory a copy is used.

    Raises
    ------
    TypeError
        If neither or both of `size` and `buffer` are given, or a size is no whole number.
    ValueError
        If the size is not a power of 2, or `buffer` does not hold whole elements.
    """

    def __init__(self, elementsize: int, size: Optional[int] = None, buffer: Any = None) -> None:
        elementsize = operator.index(elementsize)
        if buffer is None:
            if size is None:
                raise TypeError("size is required when buffer parameter is not specified")
            size = operator.index(size)
            self._data: Any = bytearray(size * elementsize)
        elif size is not None:
            raise TypeError("exactly one of {size, buffer} is required")
        else:
            with view_bytes(buffer) as view:
                size, rest = divmod(view.nbytes, elementsize)
                if rest:
                    raise ValueError("buffer size must be multiple of elementsize")
                self._data = bytearray(view) if view.readonly else buffer
        if size & (size - 1):
            raise ValueError("size must be a power of 2")
        self._elementsize = elementsize
        self._size = size
        # Both count modulo twice the size, so that full and empty differ. Each is changed by one
        # side only, after the memory it speaks of.
        self._write_index = 0
        self._read_index = 0
        # Called, on the writer's thread, whenever there is more to read.
        self._on_write: list[Callable[[], None]] = []
        # Called, on any thread, before anybody looks how much there is: by then, what plays it has
        # advanced the read index to what has been played.
        self._before_look: list[Callable[[], None]] = []

    @property
    def elementsize(self) -> int:
        """Size of an element in bytes."""
        return self._elementsize

    def __len__(self) -> int:
        """Return how many elements it holds at the most."""
        return self._size

    def __repr__(self) -> str:
        return (
            f"<RingBuffer: {self.read_available} of {self._size} elements of "
            f"{self._elementsize} bytes>"
        )

    def flush(self) -> None:
        """Drop what it holds. Only while nobody else reads or writes."""
        self._write_index = 0
        self._read_index = 0

    @property
    def write_available(self) -> int:
        """How many elements can be written now."""
        return self._size - self.read_available

    @property
    def read_available(self) -> int:
        """How many elements can be read now."""
        for look in self._before_look:
            look()
        return self._held()

    def write(self, data: Any, size: int = -1) -> int:
        """Copy elements in.

        Parameters
        ----------
        data : buffer
            Whole elements.
        size : int, optional
            How many of them; all by default.

        Returns
        -------
        int
            How many there was room for.

        Raises
        ------
        TypeError
            If `data` has no buffer protocol.
        ValueError
            If `data` does not hold whole elements, or fewer than `size`.
        """
        with view_bytes(data) as source:
            if operator.index(size) < 0:
                size, rest = divmod(source.nbytes, self._elementsize)
                if rest:
                    raise ValueError("data size must be multiple of elementsize")
            elif size * self._elementsize > source.nbytes:
                raise ValueError("data is shorter than size")
            count, first, second = self.get_write_buffers(size)
            split = first.nbytes
            with first, second:
                first[:] = source[:split]
                second[:] = source[split : count * self._elementsize]
        self.advance_write_index(count)
        return count

    def read(self, size: int = -1) -> bytearray:
        """Take elements out.

        Parameters
        ----------
        size : int, optional
            How many at the most; all by default.

        Returns
        -------
        bytearray
            The elements, as many as there were.
        """
        if operator.index(size) < 0:
            size = self.read_available
        count, first, second = self.get_read_buffers(size)
        with first, second:
            data = bytearray(first)
            data += second
        self.advance_read_index(count)
        return data

    def readinto(self, data: Any) -> int:
        """Take elements out, into memory of the caller.

        Parameters
        ----------
        data : buffer
            Writable; room for whole elements.

        Returns
        -------
        int
            How many elements there were, at most what `data` has room for.

        Raises
        ------
        TypeError
            If `data` has no buffer protocol, or is read-only.
        ValueError
            If `data` has no room for whole elements.
        """
        with view_bytes(data) as target:
            if target.readonly and target.nbytes:
                raise TypeError("data is read-only")
            size, rest = divmod(target.nbytes, self._elementsize)
            if rest:
                raise ValueError("data size must be multiple of elementsize")
            count, first, second = self.get_read_buffers(size)
            split = first.nbytes
            with first, second:
                if count:
                    target[:split] = first
                    target[split : count * self._elementsize] = second
        self.advance_read_index(count)
        return count

    def get_write_buffers(self, size: int) -> tuple[int, memoryview, memoryview]:
        """Return memory to write into, before `advance_write_index`.

        Parameters
        ----------
        size : int
            How many elements are wanted.

        Returns
        -------
        int
            How many elements there is room for, at most `size`.
        memoryview
            Room for the first of them, in bytes.
        memoryview
            Room for the rest; empty unless the room goes over the end of the memory.
        """
        return self._regions(self._write_index, min(operator.index(size), self.write_available))

    def advance_write_index(self, size: int) -> int:
        """Make elements readable that were written into `get_write_buffers`.

        Parameters
        ----------
        size : int
            How many.

        Returns
        -------
        int
            The new index, from 0 to twice the size less 1.
        """
        self._write_index = (self._write_index + operator.index(size)) & (2 * self._size - 1)
        for notify in self._on_write:
            notify()
        return self._write_index

    def get_read_buffers(self, size: int) -> tuple[int, memoryview, memoryview]:
        """Return the memory of the elements to be read next, before `advance_read_index`.

        Parameters
        ----------
        size : int
            How many elements are wanted.

        Returns
        -------
        int
            How many elements there are, at most `size`.
        memoryview
            The first of them, in bytes.
        memoryview
            The rest; empty unless they go over the end of the memory.
        """
        return self._regions(self._read_index, min(operator.index(size), self.read_available))

    def advance_read_index(self, size: int) -> int:
        """Make room of elements that were read from `get_read_buffers`.

        Parameters
        ----------
        size : int
            How many.

        Returns
        -------
        int
            The new index, from 0 to twice the size less 1.
        """
        self._read_index = (self._read_index + operator.index(size)) & (2 * self._size - 1)
        return self._read_index

    def _held(self) -> int:
        """Say how many elements there are between the indices as they are."""
        return (self._write_index - self._read_index) & (2 * self._size - 1)

    def _peek(self, first: int, count: int) -> bytes:
        """Copy `count` elements, from `first` elements after the next to be read on."""
        _, head, tail = self._regions(self._read_index + first, count)
        with head, tail:
            return b"".join((head, tail))

    def _regions(self, index: int, count: int) -> tuple[int, memoryview, memoryview]:
        """Return `count` and the memory of so many elements from `index` on."""
        start = index & (self._size - 1) if self._size else 0
        head = min(count, self._size - start)
        view = view_bytes(self._data)
        unit = self._elementsize
        return (
            count,
            view[start * unit : (start + head) * unit],
            view[: (count - head) * unit],
        )
