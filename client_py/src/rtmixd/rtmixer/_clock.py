"""What frame it is on the server, told without asking it."""

from __future__ import annotations

import collections
import time
from typing import NamedTuple, Optional

from rtmixd.v1 import clock_pb2

# A sample of the difference between two clocks is worth as much as one that is so much younger and
# took so much longer: what clocks drift, with a wide margin.
_DRIFT_SECONDS_PER_SECOND = 50e-6
_KEPT_SAMPLES = 32


class _Sample(NamedTuple):
    at: float
    round_trip: float
    offset: float


class _Line(NamedTuple):
    """A line through a reading: `frame` at the local time `at`."""

    at: float
    frame: float
    rate_hz: float


class ClockMap:
    """Relates the stream's frames to this process' monotonic clock.

    Each reading was taken by the server at some moment between the question and the answer. The
    quickest of the last answers tell the difference between the server's clock and ours best, to
    half its round trip; the last answer tells the frames.

    Threading: `add` from one thread, everything else from any.
    """

    def __init__(self) -> None:
        self._samples: collections.deque[_Sample] = collections.deque(maxlen=_KEPT_SAMPLES)
        self._line: Optional[_Line] = None
        self._round_trip = 0.0

    @property
    def round_trip(self) -> float:
        """Seconds of the quickest of the last round trips."""
        return self._round_trip

    def add(self, asked: float, answered: float, reading: clock_pb2.ClockReading) -> None:
        """Take a reading.

        Parameters
        ----------
        asked, answered : float
            Local monotonic time in seconds, around the call.
        reading : ClockReading
            What the server said.
        """
        server_time = reading.monotonic_nanos * 1e-9
        offset = server_time - (asked + answered) / 2
        self._samples.append(_Sample(answered, answered - asked, offset))
        best = min(
            self._samples,
            key=lambda one: one.round_trip + (answered - one.at) * _DRIFT_SECONDS_PER_SECOND,
        )
        self._round_trip = best.round_trip
        rate_hz = reading.rate_hz if reading.running else 0.0
        self._line = _Line(server_time - best.offset, reading.frame, rate_hz)

    def frame(self, at: Optional[float] = None) -> float:
        """Say which frame's block is due.

        Parameters
        ----------
        at : float, optional
            Local monotonic time in seconds; now by default.

        Returns
        -------
        float
            The frame, with fraction.
        """
        if at is None:
            at = time.monotonic()
        line = self._line
        if line is None:
            return 0.0
        return line.frame + (at - line.at) * line.rate_hz

    def seconds_until(self, frame: float) -> float:
        """Say how long it takes until a frame's block is due; at least 0."""
        line = self._line
        if line is None or line.rate_hz <= 0:
            return 0.1
        return max(0.0, (frame - self.frame()) / line.rate_hz)
