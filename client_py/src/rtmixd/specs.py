"""What can be scheduled: plain descriptions without any I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Optional, Protocol, Union

from numpy.typing import ArrayLike

__all__ = [
    "Cancel",
    "HasId",
    "Late",
    "Play",
    "Record",
    "Source",
    "Spec",
    "Start",
    "Stats",
    "Underrun",
    "XrunPolicy",
    "after",
    "at_frame",
    "at_time",
]

#: What happens to an action whose start has passed when its block comes: it starts at once from its
#: first sample, is dropped, or loses what should have sounded already.
Late = Literal["play", "skip", "trim"]
#: What happens when a stream has no audio in time: it ends, or silence is inserted, without or with
#: dropping as much of what comes later.
Underrun = Literal["silence", "end", "keep_timeline"]
#: What a sound does after the device lost frames: it goes on with its next frame, or skips as many
#: as were lost.
XrunPolicy = Literal["continue", "keep_timeline"]
#: Where a recording takes its audio from: the device's inputs, or what the server sends to its
#: outputs, after mixing and clipping.
Source = Literal["input", "output"]


class HasId(Protocol):
    """A `Buffer` or an `Action` of either client."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


def id_of(thing: object) -> Optional[str]:
    """Return the id of what `HasId`, None for all else: in a fiftieth of the time of isinstance."""
    found = getattr(thing, "id", None)
    return found if isinstance(found, str) else None


@dataclass(frozen=True)
class Start:
    """When an action starts. Made by `after`, `at_frame` and `at_time`."""

    kind: Literal["after", "frame", "time"]
    value: Union[int, float]


def after(frames: int) -> Start:
    """Start `frames` frames, at least 0, after the origin of the batch."""
    return Start("after", int(frames))


def at_frame(frame: int) -> Start:
    """Start at a frame of the stream, 0 to 2^53. A frame that has passed is late."""
    return Start("frame", int(frame))


def at_time(seconds: float) -> Start:
    """Start at a stream time, in seconds at the converter, at least 0.

    A play is moved ahead by the output latency and a recording back by the input latency, in whole
    frames, so that both line up through a cable.
    """
    return Start("time", float(seconds))


@dataclass(frozen=True, eq=False)
class Play:
    """Play a sound.

    Attributes
    ----------
    sound : array_like or Buffer
        Shape (frames,) or (frames, channels); see `rtmixd.samples.to_frames`. No frames are legal:
        a timer. Or a buffer of the server that is complete.
    outputs : sequence of int, optional
        Output channels, from 1: one for each channel of the sound, which is put on all of them if
        it has one. By default channel i goes to output i.
    gain : float, optional
        Linear factor; by default 1.
    late : {"play", "skip", "trim"}
        What if its start has passed.
    xrun : {"continue", "keep_timeline"}
        What after the device lost frames.
    start : Start, optional
        When; by default at the origin of the batch.
    key : str
        By which other members of the batch refer to it; unique in the batch or empty.
    """

    sound: Union[ArrayLike, HasId]
    outputs: Optional[Sequence[int]] = None
    gain: Optional[float] = None
    late: Late = "play"
    xrun: XrunPolicy = "continue"
    start: Optional[Start] = None
    key: str = ""

    def __init__(
        self,
        sound: Union[ArrayLike, HasId],
        outputs: Optional[Sequence[int]] = None,
        gain: Optional[float] = None,
        late: Late = "play",
        xrun: XrunPolicy = "continue",
        start: Optional[Start] = None,
        key: str = "",
    ) -> None:
        # The constructor of a frozen dataclass sets fields one by one, in three times the time,
        # which counts in batches of thousands.
        self.__dict__.update(
            sound=sound, outputs=outputs, gain=gain, late=late, xrun=xrun, start=start, key=key
        )


@dataclass(frozen=True, eq=False)
class Record:
    """Record into a buffer of the server.

    Attributes
    ----------
    frames : int, optional
        How many, at least 0; by default until it is cancelled.
    inputs : sequence of int, optional
        Channels of the source, from 1; by default all.
    source : {"input", "output"}
        The device's inputs, or what goes to its outputs.
    late : {"play", "skip", "trim"}
        What if its start has passed and the server's history does not reach there: it starts with
        the oldest frame there is, is dropped, or begins with zeros that are listed as a gap.
    start : Start, optional
        When; by default at the origin of the batch. May be in the past.
    key : str
        By which other members of the batch refer to it; unique in the batch or empty.
    buffer : Buffer, optional
        An open buffer to append to; by default a new one.
    label : str
        Of a new buffer.
    keep : bool
        A new buffer stays when the session ends.
    leave_open : bool
        The buffer stays open at the end, so that more can be appended.
    """

    frames: Optional[int] = None
    inputs: Optional[Sequence[int]] = None
    source: Source = "input"
    late: Late = "play"
    start: Optional[Start] = None
    key: str = ""
    buffer: Optional[HasId] = None
    label: str = ""
    keep: bool = False
    leave_open: bool = False


@dataclass(frozen=True, eq=False)
class Cancel:
    """End another action at this one's start, to the sample.

    Attributes
    ----------
    target : str or Action
        The key of a member of the same batch, or an action of the session.
    start : Start, optional
        When; by default at the origin of the batch.
    late : {"play", "skip", "trim"}
        What if that has passed.
    key : str
        Unique in the batch or empty.
    """

    target: Union[str, HasId]
    start: Optional[Start] = None
    late: Late = "play"
    key: str = ""


@dataclass(frozen=True, eq=False)
class Stats:
    """Take the counters of the stream: of the block that holds the start and all before.

    Attributes
    ----------
    reset : bool
        The session's counters begin anew there.
    start : Start, optional
        When; by default at the origin of the batch.
    late : {"play", "skip", "trim"}
        What if that has passed.
    key : str
        Unique in the batch or empty.
    """

    reset: bool = False
    start: Optional[Start] = None
    late: Late = "play"
    key: str = ""


#: Anything that can be scheduled.
Spec = Union[Play, Record, Cancel, Stats]
