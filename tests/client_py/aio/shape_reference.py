"""How a shaped sound has to sound, walked through frame by frame as the API describes it.

Independent of the server and of what the client sends: gains come from the formula of common.proto
in double precision, positions from counting.

What sounds is a `probe`: one channel is a constant, so that it shows the gain of every frame, and
the other one is noise, so that it shows the position. The gain has to be the formula's to 1 unit in
the last place, exact at both ends of a fade; given that gain the noise has to be the same bit by
bit.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Optional

import numpy as np
import numpy.typing as npt

from rtmixd import Fade, Gain, LeaveLoop, Loop, Pause, Resume
from rtmixd.shaping import AnyChange

Frames = npt.NDArray[np.float32]

# What the gain is measured with; a power of 2, so that it is multiplied without rounding.
CONSTANT = np.float32(0.5)
FOR_EVER = 1 << 60


def probe(frames: int, seed: int = 1) -> Frames:
    """A sound that shows gain (channel 0) and position (channel 1)."""
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, frames).astype(np.float32)
    return np.stack([np.full(frames, CONSTANT), noise], axis=1)


class Ramp:
    """A gain that stands or is on its way."""

    def __init__(self, gain: float) -> None:
        self._from = self._to = float(np.float32(gain))
        self._frame = self._frames = 0
        self._shape = "linear"

    def begin(self, to: float, fade: Optional[Fade]) -> None:
        """Go to another gain, from where it is."""
        self._from, self._to = self.now(), float(np.float32(to))
        self._frame = 0
        self._frames = 0 if fade is None else fade.frames
        self._shape = "linear" if fade is None else fade.shape

    def now(self) -> float:
        """The gain of the next frame, rounded to float."""
        if self._frame >= self._frames:
            return self._to
        x = self._frame / self._frames
        if self._to < self._from:
            x = 1 - x
        rise = x if self._shape == "linear" else math.sin(math.pi * x / 2)
        low, high = min(self._from, self._to), max(self._from, self._to)
        gain = low + (high - low) * rise
        return float(np.float32(self._from if self._frame == 0 else gain))

    def moves(self) -> bool:
        """Whether the gain of the next frame is neither end of a fade."""
        return 0 < self._frame < self._frames

    def step(self) -> None:
        """Pass a frame."""
        self._frame += 1


@dataclasses.dataclass
class Walk:
    """A sound on its way.

    `changes` are at frames counted from its start. `stop` is a frame, and how it fades from there.
    """

    frames: int
    gain: float = 1.0
    fade_in: Optional[Fade] = None
    fade_out: Optional[Fade] = None
    offset_frames: int = 0
    max_frames: Optional[int] = None
    loop: Optional[Loop] = None
    changes: Sequence[tuple[int, AnyChange]] = ()
    stop: Optional[tuple[int, Optional[Fade]]] = None

    def run(
        self, limit: int = 1 << 20
    ) -> tuple[npt.NDArray[np.int64], Frames, npt.NDArray[np.bool_]]:
        """Walk to its end, or for so many frames.

        Returns
        -------
        positions
            For each frame the one of the sound that sounds, -1 where none does.
        gains
            For each frame its gain.
        exact
            For each frame whether its gain is the end of a fade, or no fade at all.
        """
        self._at = self.offset_frames
        self._passes = 1 if self.loop is None else (self.loop.passes or FOR_EVER)
        begin = 0 if self.loop is None else self.loop.begin_frame
        end = self.frames
        if self.loop is not None and self.loop.end_frame is not None:
            end = self.loop.end_frame
        ramp = Ramp(0.0 if self._fades_in() else self.gain)
        ramp.begin(self.gain, self.fade_in)
        paused = fading_out = False
        sounded = 0
        ends = FOR_EVER
        walked: list[tuple[int, float, bool]] = []
        for now in range(limit):
            for frame, change in self.changes:
                if frame != now:
                    continue
                if isinstance(change, Gain):
                    fade = Fade(change.fade) if isinstance(change.fade, int) else change.fade
                    if now == 0 and (fade is None or fade.frames == 0):
                        # What it is faded in to.
                        ramp = Ramp(0.0 if self._fades_in() else change.gain)
                        ramp.begin(change.gain, self.fade_in)
                    elif not fading_out:
                        ramp.begin(change.gain, fade)
                elif isinstance(change, LeaveLoop):
                    looped = self.loop is not None and self.loop.passes != 1
                    if change.at_once and looped and self._at >= begin:
                        self._at = max(self._at, end)
                    self._passes = 1
                else:
                    assert isinstance(change, (Pause, Resume))
                    paused = isinstance(change, Pause)
            if self.stop is not None and self.stop[0] == now:
                fading_out = True
                ramp.begin(0.0, self.stop[1])
                ends = now + (0 if self.stop[1] is None else self.stop[1].frames)
            if now == ends:
                break
            if paused:
                walked.append((-1, 0.0, True))
                continue
            left = self._left(begin, end, sounded)
            if left == 0:
                break
            if self.fade_out is not None and not fading_out and left <= self.fade_out.frames:
                fading_out = True
                ramp.begin(0.0, Fade(left, self.fade_out.shape))
            walked.append((self._at, ramp.now(), not ramp.moves()))
            ramp.step()
            sounded += 1
            self._at += 1
            if self._at == end and self._passes > 1:
                self._passes -= 1
                self._at = begin
        positions, gains, exact = zip(*walked) if walked else ((), (), ())
        return np.array(positions, np.int64), np.array(gains, np.float32), np.array(exact, bool)

    def _fades_in(self) -> bool:
        return self.fade_in is not None and self.fade_in.frames > 0

    def _left(self, begin: int, end: int, sounded: int) -> int:
        """Frames that will still sound if nothing changes."""
        left = self.frames - self._at + (self._passes - 1) * (end - begin)
        return left if self.max_frames is None else min(left, self.max_frames - sounded)


def ulps(actual: Frames, expected: Frames) -> npt.NDArray[np.float64]:
    """How many units in the last place two arrays are apart.

    A gain that changes its sign is a difference of doubles where it is nearly 0: it can be no more
    exact there than those are.
    """
    unit = np.maximum(np.spacing(np.abs(expected)).astype(np.float64), 2.0**-52)
    return np.abs(actual.astype(np.float64) - expected.astype(np.float64)) / unit


def assert_walked(heard: Frames, walk: Walk, sound: Frames) -> None:
    """Check all that was heard of a probe, from its start to its end."""
    positions, gains, exact = walk.run()
    assert len(heard) == len(positions)
    measured = heard[:, 0] / CONSTANT
    np.testing.assert_array_equal(measured[exact], gains[exact])
    off = ulps(measured, gains)
    assert off.size == 0 or off.max() <= 1, (np.flatnonzero(off > 1)[:10], off.max())
    # Silence while it stands still, otherwise the noise of its position: one rounding.
    expected = np.where(positions >= 0, sound[positions, 1] * measured, np.float32(0))
    np.testing.assert_array_equal(heard[:, 1], expected)
