"""The receiving side of a record stream: positions and credit, no I/O."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, Optional

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]


class LostAudio(NamedTuple):
    """A stretch of a recording that never came; zeros stand in for it.

    Parameters
    ----------
    position
        Its first frame in the recording.
    frames
        Its length.
    """

    position: int
    frames: int


class _Stretch:
    """Audio, or with no samples the place of what was lost."""

    def __init__(self, frames: int, samples: Optional[Frames]) -> None:
        self.frames = frames
        self.samples = samples


class RecordWindow:
    """Audio that waits to be read, and the credit that the sender gets for the room that is left.

    What was granted always fits, so a slow reader loses nothing here. What was lost elsewhere is
    read as zeros and listed; it takes no room, or else a loss longer than the room would be the end
    of all credit.

    Parameters
    ----------
    capacity_frames
        The room, at least 1.
    """

    def __init__(self, capacity_frames: int) -> None:
        self._capacity_frames = capacity_frames
        self._channels = 1
        self._stretches: deque[_Stretch] = deque()
        self._received_position = 0
        self._readable_frames = 0
        self._unread_audio_frames = 0
        self._told_position = 0
        self._lost: list[LostAudio] = []

    def set_channels(self, channels: int) -> None:
        """Say how many channels the recording has."""
        self._channels = channels

    @property
    def channels(self) -> int:
        """Channels of the recording."""
        return self._channels

    @property
    def readable_frames(self) -> int:
        """Frames that can be taken now, lost ones included."""
        return self._readable_frames

    @property
    def received_position(self) -> int:
        """First frame that has not come."""
        return self._received_position

    @property
    def read_position(self) -> int:
        """First frame that was not taken."""
        return self._received_position - self._readable_frames

    @property
    def granted_position(self) -> int:
        """Position up to which there is room."""
        return self._received_position + self._capacity_frames - self._unread_audio_frames

    @property
    def lost(self) -> list[LostAudio]:
        """What was lost so far, in order."""
        return self._lost

    def receive(self, position: int, samples: Frames) -> bool:
        """Take audio in: (frames, channels). Jumps forward are losses; what is there is ignored.

        Returns
        -------
        bool
            False, and nothing is taken in, if it goes beyond the grant that was told.
        """
        end = position + len(samples)
        if end > self._told_position:
            return False
        if end <= self._received_position:
            return True
        self.resume(position)
        new = samples[self._received_position - position :]
        self._stretches.append(_Stretch(len(new), new))
        self._received_position = end
        self._readable_frames += len(new)
        self._unread_audio_frames += len(new)
        return True

    def resume(self, next_position: int) -> None:
        """Count what lies before this position and has not come as lost."""
        frames = next_position - self._received_position
        if frames <= 0:
            return
        last = self._lost[-1] if self._lost else None
        if last is not None and last.position + last.frames == self._received_position:
            self._lost[-1] = LostAudio(last.position, last.frames + frames)
        else:
            self._lost.append(LostAudio(self._received_position, frames))
        self._stretches.append(_Stretch(frames, None))
        self._received_position = next_position
        self._readable_frames += frames

    def take(self, max_frames: int) -> Frames:
        """Take the next audio: as many frames as are there, at most `max_frames`.

        Returns
        -------
        numpy.ndarray
            float32 (frames, channels), the caller's own. Lost frames are zero.
        """
        frames = min(max_frames, self._readable_frames)
        taken = np.empty((frames, self._channels), np.float32)
        done = 0
        while done < frames:
            first = self._stretches[0]
            count = min(first.frames, frames - done)
            if first.samples is None:
                taken[done : done + count] = 0
            else:
                taken[done : done + count] = first.samples[:count]
                first.samples = first.samples[count:]
                self._unread_audio_frames -= count
            first.frames -= count
            if first.frames == 0:
                self._stretches.popleft()
            done += count
        self._readable_frames -= frames
        return taken

    def put_back(self, samples: Frames) -> None:
        """Undo the last take: its frames are the next again."""
        if len(samples):
            self._stretches.appendleft(_Stretch(len(samples), samples))
            self._readable_frames += len(samples)
            self._unread_audio_frames += len(samples)

    def next_grant(self) -> Optional[int]:
        """Tell a grant worth sending: at least a quarter of the room is new. Counts as told."""
        if self.granted_position - self._told_position < max(1, self._capacity_frames // 4):
            return None
        return self.tell()

    def tell(self) -> int:
        """Tell the present grant, as the configuration of a call does. Counts as told."""
        self._told_position = max(self._told_position, self.granted_position)
        return self._told_position
