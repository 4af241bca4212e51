"""Actions and counters, with the fields of rtmixer's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from rtmixd.report import Report
    from rtmixd.v1 import action_pb2

PLAY_BUFFER = 0
PLAY_RINGBUFFER = 1
RECORD_BUFFER = 2
RECORD_RINGBUFFER = 3
CANCEL = 4
FETCH_AND_RESET_STATS = 5
# What `total_frames` is as long as there is no end.
ULONG_MAX = 2**64 - 1

_NAMES = (
    "PLAY_BUFFER",
    "PLAY_RINGBUFFER",
    "RECORD_BUFFER",
    "RECORD_RINGBUFFER",
    "CANCEL",
    "FETCH_AND_RESET_STATS",
)


class Stats:
    """Counters of a stream or an action.

    Attributes
    ----------
    blocks : int
        Blocks of the device.
    min_blocksize, max_blocksize : int
        Frames in the smallest and the largest of them; 0 if there was none.
    input_underflows, input_overflows, output_underflows, output_overflows : int
        Blocks that the device flagged so. What a ring that is played lacked because the network
        was late counts as output underflow of its action, too.
    """

    __slots__ = (
        "blocks",
        "input_overflows",
        "input_underflows",
        "max_blocksize",
        "min_blocksize",
        "output_overflows",
        "output_underflows",
    )

    def __init__(self, blocks: Optional[action_pb2.BlockStats] = None) -> None:
        self.blocks = blocks.blocks if blocks else 0
        self.min_blocksize = blocks.min_frames if blocks else 0
        self.max_blocksize = blocks.max_frames if blocks else 0
        self.input_underflows = blocks.input_underflows if blocks else 0
        self.input_overflows = blocks.input_overflows if blocks else 0
        self.output_underflows = blocks.output_underflows if blocks else 0
        self.output_overflows = blocks.output_overflows if blocks else 0

    def copy(self) -> Stats:
        """Return a copy."""
        copy = Stats()
        for name in self.__slots__:
            setattr(copy, name, getattr(self, name))
        return copy

    def __repr__(self) -> str:
        fields = (f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"<Stats: {', '.join(fields)}>"


class Action:
    """Something that a stream does, or did.

    Attributes
    ----------
    type : int
        One of the constants, `PLAY_BUFFER` and so on.
    requested_time : float
        The start asked for, in seconds of the stream's time.
    actual_time : float
        The start that it had. Before it is known: 0 if it may not be belated, otherwise -1. It
        stays 0 if it was belated.
    total_frames : int
        How many frames it is to do; `ULONG_MAX` if there is no end.
    stats : Stats
        Counters of the blocks in which it ran, or those that were fetched.
    channels : int
        How many channels it has.
    mapping : tuple of int
        The device's channels, from 1.
    buffer : memoryview of float or None
        The memory that is played or recorded into.
    ringbuffer : RingBuffer or None
        The ring that is played or recorded into.
    action : Action or None
        What a cancel ends.
    underruns : int
        How often a ring that is played lacked audio because the network was late. Not in rtmixer.
    error : Exception or None
        Why it could not be done. Not in rtmixer.
    report : Report or None
        The server's report: present when it has ended, complete within 4 s after. Not in rtmixer.
    """

    def __init__(
        self,
        action_type: int,
        requested_time: float,
        allow_belated: bool,
        *,
        total_frames: int = 0,
        mapping: tuple[int, ...] = (),
        memory: Any = None,
        ringbuffer: Any = None,
        action: Optional[Action] = None,
    ) -> None:
        self.type = action_type
        self.requested_time = float(requested_time)
        self.actual_time = -1.0 if allow_belated else 0.0
        self.total_frames = total_frames
        self.stats = Stats()
        self.channels = len(mapping)
        self.mapping = mapping
        self.ringbuffer = ringbuffer
        self.action = action
        self.underruns = 0
        self.error: Optional[Exception] = None
        self.report: Optional[Report] = None
        # The program's memory, and a copy of what is to be played.
        self._memory = memory
        self._sound: Optional[bytes] = None
        self._allow_belated = allow_belated
        self._done_frames = 0
        # While it plays: tells how far it is.
        self._progress: Optional[Callable[[], int]] = None
        # Of the server; empty before it is known.
        self._id = ""
        self._finished = False
        # To be called, on the event loop, once the id is known, and once it has finished.
        self._when_admitted: list[Callable[[], None]] = []
        self._when_finished: list[Callable[[], None]] = []

    @property
    def done_frames(self) -> int:
        """How many frames it has done."""
        progress = self._progress
        return self._done_frames if progress is None else progress()

    @property
    def buffer(self) -> Any:
        """The memory that is played or recorded into, as float32."""
        if self._memory is None:
            return None
        from rtmixd.rtmixer._memory import view_bytes

        view = view_bytes(self._memory)
        return view[: view.nbytes // 4 * 4].cast("f")

    def __repr__(self) -> str:
        total = "no end" if self.total_frames == ULONG_MAX else str(self.total_frames)
        return (
            f"<{_NAMES[self.type]}: requested_time={self.requested_time:.6f}, "
            f"actual_time={self.actual_time:.6f}, {self.done_frames} of {total} frames"
            f"{', finished' if self._finished else ''}>"
        )
