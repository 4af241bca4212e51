"""How sounds are shaped: fades, loops, and what can be changed while they play. Without any I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional, Union

__all__ = ["AnyChange", "Fade", "FadeShape", "Gain", "LeaveLoop", "Loop", "Pause", "Resume"]

#: How a gain gets to another one: in a straight line, or along a quarter of a sine, so that a fade
#: out from 1 and a fade in to 1 that begin together have the same power all the time.
FadeShape = Literal["linear", "equal_power"]


@dataclass(frozen=True)
class Fade:
    """A way of a gain to another one, sample by sample.

    From the gain where it begins, whatever that is then, to the gain to be reached: frame i of n
    has ``low + (high - low) * S(x)``, where `low` and `high` are the lesser and the greater of
    both, x is i / n on the way up and 1 - i / n on the way down, and S(x) is x (linear) or
    sin(pi x / 2) (equal power). Frame 0 has exactly the gain where it begins, all from frame n on
    exactly the one to be reached.

    Attributes
    ----------
    frames : int
        n; 0 is at once.
    shape : {"linear", "equal_power"}
        S.
    """

    frames: int
    shape: FadeShape = "linear"


@dataclass(frozen=True)
class Loop:
    """A region of a sound that sounds several times, without a gap.

    After its last pass the sound goes on behind it.

    Attributes
    ----------
    passes : int, optional
        How often it sounds, at least 1; by default until it is left or the action is ended.
    begin_frame : int
        First frame of the region; at least 0.
    end_frame : int, optional
        The frame after its last: above `begin_frame` and the offset of the play, at most the length
        of the sound, which it is by default.
    """

    passes: Optional[int] = None
    begin_frame: int = 0
    end_frame: Optional[int] = None


@dataclass(frozen=True)
class Gain:
    """A gain goes to another one.

    A change that comes while an earlier one fades starts from wherever that one is. A sound that
    fades out to end goes on to do so. What has not started by then starts with the new gain; if the
    change comes on the frame of its start, its fade begins there.

    Attributes
    ----------
    gain : float
        Linear factor to be reached; finite.
    fade : Fade or int, optional
        How; by default at once. A number of frames is a linear fade.
    """

    gain: float
    fade: Union[Fade, int, None] = None


@dataclass(frozen=True)
class Pause:
    """It stands still: it is silent, and neither its position nor its fades nor its length move."""


@dataclass(frozen=True)
class Resume:
    """What stood still goes on where it was."""


@dataclass(frozen=True)
class LeaveLoop:
    """It leaves its loop.

    Attributes
    ----------
    at_once : bool
        The sound goes on behind the region from this frame on; if not, after the pass that sounds.
    """

    at_once: bool = False


#: What can change about something that plays.
AnyChange = Union[Gain, Pause, Resume, LeaveLoop]
