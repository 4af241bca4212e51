"""What can be scheduled: plain descriptions without any I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal, Optional, Protocol, Union

from numpy.typing import ArrayLike

from rtmixd._arguments import number, text, whole
from rtmixd.errors import InvalidArgument
from rtmixd.shaping import AnyChange, Fade, Loop

__all__ = [
    "AnyTarget",
    "Cancel",
    "Change",
    "HasActionId",
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
    "at_end_of",
    "at_frame",
    "at_time",
    "at_wall_time",
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


# Of a moment from 1970 on: some 300 years, what 63 bits of nanoseconds hold.
_MOST_SECONDS = 9e9


class HasId(Protocol):
    """A `Buffer` or an `Action` of either client."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


class HasActionId(Protocol):
    """A `PlayStream`, a `RecordStream` or a `Report`."""

    @property
    def action_id(self) -> str:
        """Id of its action."""
        ...


#: An action: the key of a member of the same batch, or what knows its id.
AnyTarget = Union[str, HasId, HasActionId]


def id_of(thing: object) -> Optional[str]:
    """Return the id of what `HasId`, None for all else: in a fiftieth of the time of isinstance."""
    found = getattr(thing, "id", None)
    return found if isinstance(found, str) else None


def action_id_of(thing: object) -> Optional[str]:
    """Return the id of an action, of a stream's action or of what a report is about, else None."""
    for name in ("id", "action_id", "play_action_id"):
        found = getattr(thing, name, None)
        if isinstance(found, str):
            return found
    return None


@dataclass(frozen=True)
class Start:
    """When an action starts.

    Made by `after`, `at_frame`, `at_time`, `at_end_of` and `at_wall_time`.
    """

    kind: Literal["after", "frame", "time", "end_of_key", "end_of_action", "wall_time"]
    value: Union[int, float, str]


def after(frames: int) -> Start:
    """Start `frames` frames, at least 0, after the origin of the batch."""
    return Start("after", whole(frames, "start"))


def at_frame(frame: int) -> Start:
    """Start at a frame of the stream, 0 to 2^53. A frame that has passed is late."""
    return Start("frame", whole(frame, "start"))


def at_time(seconds: float) -> Start:
    """Start at a stream time, in seconds at the converter, at least 0.

    A play is moved ahead by the output latency and a recording back by the input latency, in whole
    frames, so that both line up through a cable.
    """
    return Start("time", number(seconds, "start"))


def at_end_of(target: AnyTarget) -> Start:
    """Start on the frame on which a play ends, whatever ends it: no gap and no overlap.

    If it never started, on the frame on which it should have. If it ended before this one was
    admitted, this one is late. At most 64 actions follow one; a cancel, a change or stats do not.

    Parameters
    ----------
    target : str, Action, PlayStream or DuplexStream
        The key of an earlier member of the same batch, or a play or a play stream of the session.

    Raises
    ------
    InvalidArgument
        It is something else.
    """
    if isinstance(target, str):
        return Start("end_of_key", text(target, "start"))
    return Start("end_of_action", required_action_id(target, "start"))


def required_action_id(target: object, field: str) -> str:
    """Return the id of what names an action.

    Raises
    ------
    InvalidArgument
        It names none; says `field`.
    """
    action_id = action_id_of(target)
    if action_id is None:
        raise InvalidArgument(
            f"{field} is {target!r}: it has to be a key, an action or a stream that plays",
            field=field,
            value=repr(target),
        )
    return action_id


def required_action_ids(targets: Iterable[object]) -> list[str]:
    """Return the ids of several actions; raises as `required_action_id` does."""
    return [required_action_id(target, "actions") for target in targets]


def at_wall_time(moment: Union[datetime, float]) -> Start:
    """Start at a moment of the wall clock of the server's host, at the converter.

    For the origin of a batch, whose members then all start by `after`, and for streams. The server
    fixes the frame 2 s before; see docs/timing.md.

    Parameters
    ----------
    moment : datetime or float
        With a time zone, or local time without one; or seconds since 1970, UTC.

    Raises
    ------
    InvalidArgument
        It is no moment.
    """
    if isinstance(moment, datetime):
        since = moment.astimezone(timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
        microseconds = (since.days * 86400 + since.seconds) * 10**6 + since.microseconds
        return Start("wall_time", microseconds * 1000)
    seconds = number(moment, "moment")
    if not abs(seconds) <= _MOST_SECONDS:
        raise InvalidArgument(
            f"moment is {moment!r}: it has to be a date and time, or seconds since 1970",
            field="moment",
            value=repr(moment),
        )
    return Start("wall_time", round(seconds * 1e9))


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
    fade_in : Fade or int, optional
        From silence to its gain, from its first frame on. A number of frames is a linear fade. With
        ``late="trim"`` the part that should have sounded already is dropped of the fade, too.
    fade_out : Fade or int, optional
        From its gain to silence, so that it is over on its last frame, wherever `max_frames`,
        `loop` or the end of the sound put that.
    offset_frames : int
        First frame of the sound to be played: 0 to its length.
    max_frames : int, optional
        It ends after so many frames, at least 1, loops included; by default at the end of the
        sound.
    loop : Loop, int or bool, optional
        What of it sounds several times, without a gap. A number: all of it, so often; True: all of
        it, until it leaves the loop or is ended.
    """

    sound: Union[ArrayLike, HasId]
    outputs: Optional[Sequence[int]] = None
    gain: Optional[float] = None
    late: Late = "play"
    xrun: XrunPolicy = "continue"
    start: Optional[Start] = None
    key: str = ""
    fade_in: Union[Fade, int, None] = None
    fade_out: Union[Fade, int, None] = None
    offset_frames: int = 0
    max_frames: Optional[int] = None
    loop: Union[Loop, int, None] = None

    def __init__(
        self,
        sound: Union[ArrayLike, HasId],
        outputs: Optional[Sequence[int]] = None,
        gain: Optional[float] = None,
        late: Late = "play",
        xrun: XrunPolicy = "continue",
        start: Optional[Start] = None,
        key: str = "",
        fade_in: Union[Fade, int, None] = None,
        fade_out: Union[Fade, int, None] = None,
        offset_frames: int = 0,
        max_frames: Optional[int] = None,
        loop: Union[Loop, int, None] = None,
    ) -> None:
        # The constructor of a frozen dataclass sets fields one by one, in three times the time,
        # which counts in batches of thousands.
        self.__dict__.update(
            sound=sound,
            outputs=outputs,
            gain=gain,
            late=late,
            xrun=xrun,
            start=start,
            key=key,
            fade_in=fade_in,
            fade_out=fade_out,
            offset_frames=offset_frames,
            max_frames=max_frames,
            loop=loop,
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
    target : str, Action or stream
        The key of a member of the same batch, or an action of the session.
    start : Start, optional
        When; by default at the origin of the batch.
    late : {"play", "skip", "trim"}
        What if that has passed.
    key : str
        Unique in the batch or empty.
    fade : Fade or int, optional
        A play fades to silence from that frame on, and ends then; what is no play ends at once. A
        number of frames is a linear fade.
    """

    target: AnyTarget
    start: Optional[Start] = None
    late: Late = "play"
    key: str = ""
    fade: Union[Fade, int, None] = None


@dataclass(frozen=True, eq=False)
class Change:
    """Change another action at this one's start, to the sample.

    At most 32 changes of one action come in its own batch. Of changes at one frame the one that was
    scheduled first comes first. If the other has ended by then, this ends as ``"target_ended"``.

    Attributes
    ----------
    target : str, Action or stream
        The key of a member of the same batch, or an action of the session: a play or a play stream.
    to : Gain, Pause, Resume or LeaveLoop
        What changes.
    start : Start, optional
        When; by default at the origin of the batch.
    late : {"play", "skip", "trim"}
        What if that has passed.
    key : str
        Unique in the batch or empty.
    """

    target: AnyTarget
    to: AnyChange
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
Spec = Union[Play, Record, Cancel, Stats, Change]
