"""The receiving side of a record stream: credit, losses, breaks."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt

from rtmixd.aio._record_window import LostAudio, RecordWindow


def ramp(first: int, frames: int, channels: int = 1) -> npt.NDArray[np.float32]:
    """Frames that hold their position plus one, so that none is zero."""
    column = np.arange(first + 1, first + frames + 1, dtype=np.float32)
    return np.repeat(column[:, np.newaxis], channels, axis=1)


def window(capacity: int, channels: int = 1) -> RecordWindow:
    made = RecordWindow(capacity)
    made.set_channels(channels)
    made.tell()
    return made


def listed(audio: npt.NDArray[np.float32]) -> list[Any]:
    return audio[:, 0].tolist()


def test_what_comes_is_read_in_order() -> None:
    record = window(100, channels=2)
    assert record.receive(0, ramp(0, 4, 2))
    assert record.receive(4, ramp(4, 2, 2))
    assert record.readable_frames == 6
    np.testing.assert_array_equal(record.take(5), ramp(0, 5, 2))
    np.testing.assert_array_equal(record.take(5), ramp(5, 1, 2))
    assert record.take(5).shape == (0, 2)


def test_taken_audio_is_the_callers_own() -> None:
    record = window(100)
    source = ramp(0, 4)
    source.setflags(write=False)
    record.receive(0, source)
    taken = record.take(4)
    taken += 1
    assert listed(source) == [1, 2, 3, 4]


def test_loss_is_read_as_zeros_and_listed() -> None:
    record = window(100)
    record.receive(0, ramp(0, 2))
    record.receive(5, ramp(5, 2))
    assert record.lost == [LostAudio(2, 3)]
    assert listed(record.take(4)) == [1, 2, 0, 0]
    assert listed(record.take(4)) == [0, 6, 7]


def test_loss_that_is_told_first_is_counted_once() -> None:
    record = window(100)
    record.receive(0, ramp(0, 2))
    record.resume(4)
    record.resume(5)
    record.receive(5, ramp(5, 1))
    assert record.lost == [LostAudio(2, 3)]


def test_losses_with_audio_between_are_apart() -> None:
    record = window(100)
    record.resume(2)
    record.receive(2, ramp(2, 1))
    record.resume(5)
    assert record.lost == [LostAudio(0, 2), LostAudio(3, 2)]


def test_what_is_there_already_is_ignored() -> None:
    record = window(100)
    record.receive(0, ramp(0, 4))
    record.receive(0, ramp(0, 3))
    record.receive(2, ramp(2, 4))
    assert listed(record.take(100)) == [1, 2, 3, 4, 5, 6]
    assert record.lost == []


def test_audio_beyond_the_credit_is_refused() -> None:
    record = window(4)
    assert not record.receive(0, ramp(0, 5))
    assert record.readable_frames == 0
    assert record.receive(0, ramp(0, 4))


def test_reading_gives_credit() -> None:
    record = window(8)
    record.receive(0, ramp(0, 8))
    assert record.next_grant() is None
    record.take(1)
    assert record.next_grant() is None
    record.take(1)
    assert record.next_grant() == 10
    assert record.next_grant() is None


def test_loss_longer_than_the_room_leaves_credit() -> None:
    record = window(4)
    record.resume(100)
    assert record.next_grant() == 104
    assert record.receive(100, ramp(100, 4))
    assert not record.receive(104, ramp(104, 1))


def test_what_is_put_back_is_read_again() -> None:
    record = window(8)
    record.receive(0, ramp(0, 5))
    record.put_back(record.take(3))
    assert record.read_position == 0
    assert listed(record.take(8)) == [1, 2, 3, 4, 5]


def test_credit_that_was_told_holds_after_a_put_back() -> None:
    record = window(4)
    record.receive(0, ramp(0, 4))
    taken = record.take(4)
    assert record.next_grant() == 8
    record.put_back(taken)
    assert record.receive(4, ramp(4, 4))
    assert record.tell() == 8


def test_every_frame_is_read_once_within_the_credit() -> None:
    for seed in range(200):
        chance = random.Random(seed)
        capacity = chance.randrange(1, 50)
        record = window(capacity)
        granted = record.tell()
        sent = 0
        expected: list[float] = []
        read: list[float] = []
        for _ in range(300):
            if chance.random() < 0.1:
                skipped = chance.randrange(1, 100)
                sent += skipped
                expected += [0.0] * skipped
                record.resume(sent)
            frames = min(granted - sent, chance.randrange(1, 20))
            if frames > 0:
                assert record.receive(sent, ramp(sent, frames))
                expected += listed(ramp(sent, frames))
                sent += frames
            read += listed(record.take(chance.randrange(0, 30)))
            grant = record.next_grant()
            if grant is not None:
                assert grant > granted
                granted = grant
        while record.readable_frames:
            read += listed(record.take(7))
        assert read == expected
        assert record.read_position == sent
        assert sum(stretch.frames for stretch in record.lost) == expected.count(0.0)
