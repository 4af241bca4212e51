"""The sending side of a play stream: credit, confirmation, breaks and marks."""

from __future__ import annotations

import random
from typing import Optional

from rtmixd.aio._play_window import Outgoing, PlayWindow

FRAME_BYTES = 4
MANY = 1000


def ramp(first: int, frames: int) -> bytes:
    return b"".join((first + i).to_bytes(FRAME_BYTES, "little") for i in range(frames))


def window(frames: int = 0, granted: int = 0) -> PlayWindow:
    made = PlayWindow(FRAME_BYTES)
    made.append(ramp(0, frames))
    made.grant(granted)
    return made


def audio(first: int, frames: int) -> Outgoing:
    return Outgoing("audio", first, ramp(first, frames))


def test_nothing_is_sent_without_credit() -> None:
    play = window(frames=4)
    assert play.next(MANY) is None
    assert play.unsent_frames == 4


def test_sends_up_to_its_credit_and_no_further() -> None:
    play = window(frames=10, granted=4)
    assert play.next(3) == audio(0, 3)
    assert play.next(3) == audio(3, 1)
    assert play.next(3) is None
    play.grant(6)
    assert play.credit_frames == 2
    assert play.next(3) == audio(4, 2)
    assert play.next(3) is None


def test_credit_is_never_taken_back() -> None:
    play = window(frames=10, granted=8)
    play.grant(2)
    assert play.next(MANY) == audio(0, 8)


def test_small_pieces_travel_together() -> None:
    play = window(granted=MANY)
    for first in range(0, 12, 3):
        play.append(ramp(first, 3))
    assert play.next(7) == audio(0, 7)
    assert play.next(7) == audio(7, 5)
    assert play.next(7) is None


def test_unconfirmed_audio_is_sent_again_after_a_break() -> None:
    play = window(frames=5, granted=4)
    play.next(2)
    play.next(2)
    play.confirm(2)
    assert play.rewind(2, 6)
    assert play.next(2) == audio(2, 2)
    assert play.next(2) == audio(4, 1)
    assert play.next(2) is None


def test_break_in_the_middle_of_a_chunk_repeats_its_rest() -> None:
    play = window(frames=6, granted=6)
    play.next(4)
    play.next(2)
    play.confirm(1)
    assert play.rewind(3, 6)
    assert play.next(MANY) == audio(3, 3)
    assert play.rewind(4, 6)
    assert play.next(MANY) == audio(4, 2)


def test_credit_of_the_new_call_counts() -> None:
    play = window(frames=10, granted=8)
    play.next(8)
    assert play.rewind(3, 5)
    assert play.next(8) == audio(3, 2)
    assert play.next(8) is None


def test_confirmed_audio_cannot_be_had_again() -> None:
    play = window(frames=10, granted=10)
    play.next(10)
    play.confirm(6)
    assert not play.rewind(5, 20)
    assert not play.rewind(11, 20)
    assert play.rewind(6, 20)


def test_marks_keep_their_place() -> None:
    play = window(frames=2, granted=MANY)
    play.append_idle()
    play.append(ramp(2, 2))
    play.append_end()
    sent = [play.next(MANY) for _ in range(5)]
    assert sent == [audio(0, 2), Outgoing("idle"), audio(2, 2), Outgoing("end_of_sound"), None]


def test_marks_that_may_be_lost_are_sent_again() -> None:
    play = window(frames=2, granted=MANY)
    play.append_idle()
    play.append(ramp(2, 2))
    play.append_end()
    while play.next(MANY):
        pass
    play.confirm(3)
    assert play.rewind(3, MANY)
    assert play.next(MANY) == audio(3, 1)
    assert play.next(MANY) == Outgoing("end_of_sound")


def test_mark_without_audio_behind_it_is_sent_again() -> None:
    play = window(frames=2, granted=MANY)
    play.append_idle()
    while play.next(MANY):
        pass
    play.confirm(2)
    assert play.rewind(2, MANY)
    assert play.next(MANY) == Outgoing("idle")


def test_flush_drops_what_was_not_sent() -> None:
    play = window(frames=10, granted=4)
    play.next(MANY)
    play.append_end()
    play.flush()
    assert play.unsent_frames == 0
    assert play.end_position == 4
    assert not play.ended
    play.append(ramp(70, 2))
    play.grant(MANY)
    assert play.next(MANY) == Outgoing("flush")
    assert play.next(MANY) == Outgoing("audio", 4, ramp(70, 2))


def test_flush_cannot_take_back_an_end_that_was_sent() -> None:
    play = window(frames=2, granted=MANY)
    play.append_end()
    while play.next(MANY):
        pass
    play.flush()
    assert play.ended


def test_every_frame_arrives_whatever_breaks() -> None:
    """A receiver that breaks off anywhere gets each frame once, in order, within its credit."""
    for seed in range(200):
        chance = random.Random(seed)
        total = chance.randrange(1, 200)
        play = PlayWindow(FRAME_BYTES)
        arrived: list[bytes] = []
        granted = chance.randrange(1, 40)
        play.grant(granted)
        appended = 0
        ended: Optional[int] = None
        for _ in range(10000):
            if ended is not None:
                break
            if appended < total and chance.random() < 0.5:
                count = min(total - appended, chance.randrange(1, 30))
                play.append(ramp(appended, count))
                appended += count
                if appended == total:
                    play.append_end()
            message = play.next(chance.randrange(1, 20))
            lost = chance.random() < 0.1
            if message is not None and not lost:
                if message.kind == "end_of_sound":
                    ended = len(arrived)
                else:
                    assert message.position == len(arrived)
                    arrived += [
                        message.data[i : i + FRAME_BYTES]
                        for i in range(0, len(message.data), FRAME_BYTES)
                    ]
                    assert len(arrived) <= granted
            if lost:
                granted = len(arrived) + chance.randrange(1, 40)
                assert play.rewind(len(arrived), granted)
            elif chance.random() < 0.5:
                play.confirm(chance.randrange(0, len(arrived) + 1))
                granted = max(granted, len(arrived) + chance.randrange(0, 40))
                play.grant(granted)
        assert ended == total
        assert b"".join(arrived) == ramp(0, total)
