"""The sending side of a play stream: positions and credit, no I/O."""

from __future__ import annotations

from collections import deque
from typing import Literal, NamedTuple, Optional, Union

OutgoingKind = Literal["audio", "flush", "idle", "end_of_sound"]


class Outgoing(NamedTuple):
    """A message to be sent; `position` and `data` count for audio only."""

    kind: OutgoingKind
    position: int = 0
    data: bytes = b""


class _Chunk(NamedTuple):
    position: int
    data: bytes


class _Mark:
    def __init__(self, position: int, kind: OutgoingKind) -> None:
        self.position = position
        self.kind: OutgoingKind = kind
        self.sent = False


class PlayWindow:
    """Audio that waits for credit, and audio that was sent but is not confirmed.

    What is not confirmed must be sent again if the connection breaks. Worked example, two frames
    per chunk::

        append 5 frames           unsent 0..5
        grant(4)                  next -> 0..2, next -> 2..4, next -> None (no credit)
        confirm(2)                0..2 is forgotten
        rewind(2, 6)              after a break: next -> 2..4 again, then 4..5

    Marks (idle, flush, end of the sound) keep their place among the audio.

    Parameters
    ----------
    frame_bytes
        Size of one frame in the wire's format.
    """

    def __init__(self, frame_bytes: int) -> None:
        self._frame_bytes = frame_bytes
        # Sent and not confirmed, in order; the first may be confirmed in part.
        self._sent: deque[_Chunk] = deque()
        # Not sent, in order.
        self._unsent: deque[Union[bytes, memoryview]] = deque()
        self._first_position = 0
        self._sent_position = 0
        self._end_position = 0
        self._granted_position = 0
        self._marks: deque[_Mark] = deque()
        self._ended = False

    @property
    def unsent_frames(self) -> int:
        """Frames that wait to be sent."""
        return self._end_position - self._sent_position

    @property
    def end_position(self) -> int:
        """Position after the last frame that was appended and not flushed."""
        return self._end_position

    @property
    def sent_position(self) -> int:
        """Position after the last frame that was sent."""
        return self._sent_position

    @property
    def credit_frames(self) -> int:
        """Frames that may be sent now, whether they are there or not."""
        return max(0, self._granted_position - self._sent_position)

    @property
    def ended(self) -> bool:
        """Whether the end was appended."""
        return self._ended

    def append(self, data: bytes) -> None:
        """Add audio at the end: whole frames, not to be changed any more."""
        if data:
            self._unsent.append(data)
            self._end_position += len(data) // self._frame_bytes

    def append_idle(self) -> None:
        """Add the mark that nothing follows for a while."""
        self._marks.append(_Mark(self._end_position, "idle"))

    def append_end(self) -> None:
        """Add the mark that nothing follows any more."""
        self._marks.append(_Mark(self._end_position, "end_of_sound"))
        self._ended = True

    def flush(self) -> None:
        """Forget what was not sent yet, and ask the server to drop the rest."""
        self._unsent.clear()
        self._end_position = self._sent_position
        while self._marks and not self._marks[-1].sent:
            self._marks.pop()
        self._marks.append(_Mark(self._sent_position, "flush"))
        self._ended = any(mark.kind == "end_of_sound" for mark in self._marks)

    def grant(self, granted_position: int) -> None:
        """Take credit: audio may be sent up to here. Never takes back what was granted."""
        self._granted_position = max(self._granted_position, granted_position)

    def confirm(self, received_position: int) -> None:
        """Forget audio that the server has."""
        confirmed = min(max(received_position, self._first_position), self._sent_position)
        self._first_position = confirmed
        while self._sent and self._end_of(self._sent[0]) <= confirmed:
            self._sent.popleft()
        # A mark is known to have arrived once audio behind it has.
        while self._marks and self._marks[0].sent and self._marks[0].position < confirmed:
            self._marks.popleft()

    def rewind(self, next_position: int, granted_position: int) -> bool:
        """Begin another call at `next_position`, with credit of its own.

        Returns
        -------
        bool
            False if audio from there on was confirmed before, and so is lost: the server forgot it.
        """
        if not self._first_position <= next_position <= self._sent_position:
            return False
        again: list[Union[bytes, memoryview]] = []
        while self._sent and self._end_of(self._sent[-1]) > next_position:
            chunk = self._sent.pop()
            known = max(0, next_position - chunk.position)
            again.append(memoryview(chunk.data)[known * self._frame_bytes :])
            if known:
                self._sent.append(_Chunk(chunk.position, chunk.data[: known * self._frame_bytes]))
                break
        self._unsent.extendleft(again)
        self._sent_position = next_position
        self._granted_position = granted_position
        for mark in self._marks:
            if mark.position >= next_position:
                mark.sent = False
        self.confirm(next_position)
        return True

    def next(self, max_frames: int) -> Optional[Outgoing]:
        """Take the next message, with at most `max_frames` of audio.

        Returns
        -------
        Outgoing or None
            None if there is nothing to send, or no credit for it.
        """
        end = min(self._end_position, self._granted_position, self._sent_position + max_frames)
        for mark in self._marks:
            if mark.sent:
                continue
            if mark.position > self._sent_position:
                end = min(end, mark.position)
                break
            mark.sent = True
            return Outgoing(mark.kind)
        if end <= self._sent_position:
            return None
        data = self._take((end - self._sent_position) * self._frame_bytes)
        message = Outgoing("audio", self._sent_position, data)
        self._sent.append(_Chunk(self._sent_position, data))
        self._sent_position = end
        return message

    def _take(self, size: int) -> bytes:
        pieces: list[Union[bytes, memoryview]] = []
        while size > 0:
            piece = self._unsent.popleft()
            if len(piece) > size:
                self._unsent.appendleft(memoryview(piece)[size:])
                piece = memoryview(piece)[:size]
            pieces.append(piece)
            size -= len(piece)
        if len(pieces) == 1 and isinstance(pieces[0], bytes):
            return pieces[0]
        return b"".join(pieces)

    def _end_of(self, chunk: _Chunk) -> int:
        return chunk.position + len(chunk.data) // self._frame_bytes
