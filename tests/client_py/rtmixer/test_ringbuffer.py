"""The ring buffer against that of the original, and by itself."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from rigs import Rig

from rtmixd.rtmixer import RingBuffer


class Operation:
    """Something to be done with two ring buffers alike."""

    def __init__(self, random: np.random.Generator, ring: RingBuffer) -> None:
        size, unit = len(ring), ring.elementsize
        self.kind = int(random.integers(0, 9))
        self.count = int(random.integers(0, size + 3))
        self.data = random.bytes(unit * self.count)
        # Bytes beyond whole elements.
        self.extra = bytes(int(random.integers(0, 2)) * (unit > 1))
        self.room = min(self.count, ring.write_available)
        self.held = min(self.count, ring.read_available)

    def apply(self, ring: Any) -> Any:
        """Do it."""
        if self.kind == 0:
            return ring.write(self.data + self.extra)
        if self.kind == 1:
            return ring.write(self.data, self.count // 2)
        if self.kind == 2:
            return ring.read(self.count)
        if self.kind == 3:
            return ring.read()
        if self.kind == 4:
            target = bytearray(self.data + self.extra)
            return ring.readinto(target), target, b""
        if self.kind == 5:
            size, first, second = ring.get_write_buffers(self.count)
            first[:] = self.data[: len(first)]
            second[:] = self.data[len(first) : len(first) + len(second)]
            return size, b"", bytes([len(first), len(second)])
        if self.kind == 6:
            return ring.advance_write_index(self.room)
        if self.kind == 7:
            return ring.get_read_buffers(self.count)
        return ring.advance_read_index(self.held)

    def outcome(self, ring: Any) -> Any:
        """Do it, and say what it returns or raises in terms that do not depend on the class."""
        try:
            result = self.apply(ring)
        except (TypeError, ValueError) as error:
            return type(error), str(error)
        if isinstance(result, tuple):
            return result[0], bytes(result[1]), bytes(result[2])
        return result if isinstance(result, int) else bytes(result)


@pytest.mark.parametrize("rig", ["original"], indirect=True)
@pytest.mark.parametrize("seed", range(20))
def test_random_operations_as_the_original(rig: Rig, seed: int) -> None:
    """Everything that any method returns is the same, and so is what the memory holds."""
    random = np.random.default_rng(seed)
    unit = int(random.integers(1, 9))
    size = 2 ** int(random.integers(0, 7))
    memories = bytearray(unit * size), bytearray(unit * size)
    theirs = rig.rtmixer.RingBuffer(unit, buffer=memories[0])
    ours = RingBuffer(unit, buffer=memories[1])
    for _ in range(400):
        operation = Operation(random, ours)
        assert operation.outcome(ours) == operation.outcome(theirs), operation.kind
        for name in ("write_available", "read_available", "elementsize"):
            assert getattr(ours, name) == getattr(theirs, name)
        assert len(ours) == len(theirs) == size
        assert memories[0] == memories[1]
    ours.flush()
    assert ours.read_available == 0
    assert ours.write_available == size


def test_wrong_arguments(rig: Rig) -> None:
    """The same types and texts."""
    ring_buffer = rig.rtmixer.RingBuffer
    for arguments, kind, text in (
        ((4,), TypeError, "size is required when buffer parameter is not specified"),
        ((4, 8, bytearray(32)), TypeError, "exactly one of {size, buffer} is required"),
        ((4, None, bytearray(33)), ValueError, "buffer size must be multiple of elementsize"),
        ((4, 3), ValueError, "size must be a power of 2"),
        ((4, None, bytearray(12)), ValueError, "size must be a power of 2"),
        (([4], 8), TypeError, None),
        ((4.0, 8), TypeError, None),
        ((4, 8.0), TypeError, None),
    ):
        with pytest.raises(kind, match=text):
            ring_buffer(*arguments)
    ring = ring_buffer(4, 8)
    for call in (ring.write, ring.readinto):
        with pytest.raises(ValueError, match="data size must be multiple of elementsize"):
            call(bytearray(5))
    calls = (ring.read, ring.get_write_buffers, ring.get_read_buffers)
    for call in (*calls, ring.advance_write_index, ring.advance_read_index):
        for size in (1.5, "1", [1], np.ones(1)):
            with pytest.raises(TypeError):
                call(size)
    with pytest.raises(TypeError):
        ring.write(bytes(4), 1.5)
    assert not ring.read_available


def test_memory_of_the_caller(rig: Rig) -> None:
    """Arrays are taken as they are; what is read and written is in them."""
    memory = np.zeros((8, 2), "float32")
    ring = rig.rtmixer.RingBuffer(8, buffer=memory)
    assert ring.write(np.arange(6, dtype="float32").reshape(3, 2)) == 3
    assert memory[:3].ravel().tolist() == list(range(6))
    target = np.zeros((2, 2), "float32")
    assert ring.readinto(target) == 2
    assert target.ravel().tolist() == [0, 1, 2, 3]
    count, first, second = ring.get_read_buffers(5)
    assert (count, len(first), len(second)) == (1, 8, 0)
    assert not second
    assert np.frombuffer(first, "float32").tolist() == [4, 5]
    count, first, second = ring.get_write_buffers(100)
    assert (count, len(first), len(second)) == (7, 40, 16)
    second[:] = b"x" * 16
    assert memory.tobytes()[:16] == b"x" * 16
    assert np.frombuffer(ring.read(), "float32").size == 2
    assert ring.read(3) == b""


def test_memory_is_not_held() -> None:
    """Between the calls nothing keeps a view of it."""
    memory = bytearray(64)
    ring = RingBuffer(4, buffer=memory)
    ring.write(bytes(20))
    ring.read(2)
    ring.readinto(bytearray(4))
    _, first, second = ring.get_read_buffers(2)
    with pytest.raises(BufferError):
        del memory[:]
    first.release()
    second.release()
    del memory[:]


def test_read_only_memory_is_copied() -> None:
    """The caller's stays as it is."""
    memory = bytes(16)
    ring = RingBuffer(4, buffer=memory)
    assert ring.write(b"abcdefgh") == 2
    assert memory == bytes(16)
    assert ring.read() == b"abcdefgh"


def test_more_than_there_is_cannot_be_written() -> None:
    """A size beyond the data would copy what is behind it."""
    ring = RingBuffer(4, 8)
    with pytest.raises(ValueError, match="shorter"):
        ring.write(bytes(8), 3)
    with pytest.raises(TypeError):
        ring.write([1, 2, 3, 4])
    with pytest.raises(TypeError):
        ring.readinto(bytes(4))
    with pytest.raises(ValueError, match="contiguous"):
        ring.write(np.zeros((4, 2), "float32")[:, 0])
    assert ring.read_available == 0
    assert "0 of 8" in repr(ring)


def test_one_writer_and_one_reader_at_once() -> None:
    """Nothing is lost, doubled or torn between two threads."""
    ring = RingBuffer(8, 64)
    total = 20000
    values = np.arange(total, dtype="int64")

    def write() -> None:
        done = 0
        while done < total:
            done += ring.write(values[done : done + 50])

    writer = threading.Thread(target=write)
    writer.start()
    seen = bytearray()
    while len(seen) < 8 * total:
        assert writer.is_alive() or ring.read_available
        seen += ring.read(40)
    writer.join()
    np.testing.assert_array_equal(np.frombuffer(seen, "int64"), values)
