"""The time that is told without asking."""

from __future__ import annotations

import numpy as np
import pytest

from rtmixd.rtmixer._clock import ClockMap
from rtmixd.v1 import clock_pb2

RATE_HZ = 48000.0
OFFSET_SECONDS = 1234.5


def reading(local: float, running: bool = True) -> clock_pb2.ClockReading:
    """Read a server's clock at a local time; its frame 0 was at local time 10."""
    return clock_pb2.ClockReading(
        frame=(local - 10) * RATE_HZ,
        monotonic_nanos=round((local + OFFSET_SECONDS) * 1e9),
        rate_hz=RATE_HZ,
        running=running,
    )


@pytest.mark.parametrize("seed", range(5))
def test_error_is_at_most_half_of_the_quickest_round_trip(seed: int) -> None:
    """However unequal the two ways are, and however slow the others."""
    random = np.random.default_rng(seed)
    clock = ClockMap()
    at = 20.0
    quickest = np.inf
    for _ in range(20):
        there, back = random.uniform(0.001, 0.2, 2)
        clock.add(at, at + there + back, reading(at + there))
        quickest = min(quickest, there + back)
        at += 0.5
        error = abs(clock.frame(at) - (at - 10) * RATE_HZ) / RATE_HZ
        assert error <= quickest / 2 + 1e-4
    assert clock.round_trip == pytest.approx(quickest)


def test_frame_stands_still_with_the_stream() -> None:
    """No time passes while no audio moves."""
    clock = ClockMap()
    assert clock.frame() == 0
    clock.add(20.0, 20.0, reading(20.0, running=False))
    assert clock.frame(20.0) == clock.frame(25.0) == pytest.approx(10 * RATE_HZ)
    assert clock.seconds_until(1e9) == pytest.approx(0.1)


def test_old_samples_give_way() -> None:
    """A clock that jumped is followed as soon as no sample from before is left."""
    clock = ClockMap()
    for step in range(40):
        at = 20.0 + step / 2
        one = reading(at)
        one.monotonic_nanos += 5_000_000_000 * (step > 0)
        clock.add(at - 0.01, at + 0.01, one)
    assert clock.frame(at) == pytest.approx((at - 10) * RATE_HZ)
