"""Measuring a latency: what is scheduled for it, and what counts."""

from __future__ import annotations

import asyncio
import math
import random
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from rtmixd import errors, specs
from rtmixd._arguments import number
from rtmixd.latency import (
    DelayCriteria,
    DelayEstimate,
    Excitation,
    LatencyMeasurement,
    estimate_delay,
)

if TYPE_CHECKING:
    from rtmixd.aio.action import Batch
    from rtmixd.aio.session import Session
    from rtmixd.report import Report

# Repeats thrown away for each one that is wanted.
_MAX_VOIDED_PER_REPEAT = 3
# Between repeats, so that one has died away before the next is listened to.
_PAUSE_FRAMES = 2048
# The period over the longest delay, at least. A delay beyond the period looks like one that is
# shorter by a period, but the beginning of the recording misses what has not come yet: a fifth of
# it, which leaves a confidence of 0.8.
_PERIOD_PER_DELAY = 1.25
_LEAST_CONFIDENCE = 0.85
_MIN_PERIOD_FRAMES = 4096
# Server and client agree on how seeds end.
_SEEDS = 1 << 64

_LIMITS = {
    "output": (1, 1024),
    "input": (1, 1024),
    "repeats": (1, 8),
    "amplitude": (1e-4, 1),
    "max_delay": (0.001, 5),
    "min_confidence": (_LEAST_CONFIDENCE, 1),
    "min_gain": (0, 1),
}


def check(**options: float) -> None:
    """Raise InvalidArgument for an option that cannot be, by its name."""
    for name, value in options.items():
        low, high = _LIMITS[name]
        if not low <= number(value, name) <= high:
            raise errors.InvalidArgument(
                f"{name} is {value!r}, but must be {low:g} to {high:g}",
                field=name,
                value=repr(value),
                limit=f"{low:g} to {high:g}",
            )


def _is_sound(report: Report) -> bool:
    """Tell whether nothing disturbed it."""
    return (
        report.end_reason == "completed"
        and report.touched != "yes"
        and report.late_frames == 0
        and report.gap_frames == 0
        and report.nonfinite_input_samples == 0
    )


class Meter:
    """Measures one way, by ordinary plays and recordings placed by frames."""

    def __init__(
        self,
        session: Session,
        sample_rate_hz: float,
        output: int,
        input: int,  # noqa: A002
        amplitude: float,
        max_delay: float,
        criteria: tuple[float, float],
    ) -> None:
        self._session = session
        self._output, self._input = output, input
        self._amplitude = amplitude
        self._delay = math.ceil(max_delay * sample_rate_hz)
        least = max(_MIN_PERIOD_FRAMES, math.ceil(_PERIOD_PER_DELAY * self._delay))
        self._period = 1 << (least - 1).bit_length()
        self._criteria = DelayCriteria(self._delay, *criteria)

    async def measure(self, repeats: int, seed: int | None) -> tuple[list[DelayEstimate], int, str]:
        """Return the repeats that count, how many did not, and the id of the stream."""
        seed = random.randrange(_SEEDS) if seed is None else seed
        counted: list[DelayEstimate] = []
        voided = 0
        stream_id = ""
        while len(counted) < repeats and voided <= _MAX_VOIDED_PER_REPEAT * repeats:
            missing = repeats - len(counted)
            excitations = [Excitation((seed + i) % _SEEDS, self._period) for i in range(missing)]
            seed += missing
            batch = await self._session._begin(self._specs(excitations))
            if stream_id not in ("", batch.stream_id):
                raise errors.NoStream("the stream was closed while the latency was measured")
            stream_id = batch.stream_id
            for estimate in await self._collect(batch, excitations):
                if estimate is None:
                    voided += 1
                else:
                    counted.append(estimate)
        return counted, voided, stream_id

    def _specs(self, excitations: list[Excitation]) -> list[specs.Spec]:
        # The excitation begins so that the recording is one period from its first frame on,
        # delayed: it has been in steady state for the longest delay then.
        wanted: list[specs.Spec] = []
        length = self._delay + self._period
        for i, excitation in enumerate(excitations):
            offset = i * (length + self._delay + _PAUSE_FRAMES)
            sound = excitation.play(self._period - self._delay, length, self._amplitude)
            wanted.append(
                specs.Record(self._period, [self._input], start=specs.after(offset + self._delay))
            )
            wanted.append(specs.Play(sound, [self._output], start=specs.after(offset)))
        return wanted

    async def _collect(
        self, batch: Batch, excitations: list[Excitation]
    ) -> list[DelayEstimate | None]:
        reports = await self._session._finish(batch, None, "ended")
        estimates: list[DelayEstimate | None] = []
        for i, excitation in enumerate(excitations):
            record = batch[2 * i]
            recording = await self._session._fetch(record)
            self._session._later(self._session._delete(record.buffer_id))
            if (
                not all(map(_is_sound, reports[2 * i : 2 * i + 2]))
                or len(recording) != self._period
            ):
                estimates.append(None)
                continue
            # Numbers for a tenth of a second: not on the loop that keeps sessions alive.
            estimates.append(
                await asyncio.get_running_loop().run_in_executor(
                    None,
                    estimate_delay,
                    excitation,
                    self._amplitude,
                    recording.samples[:, 0],
                    self._criteria,
                )
            )
        return estimates


def combine(
    counted: list[DelayEstimate], wanted: int, voided: int, **known: Any
) -> LatencyMeasurement:
    """Make the measurement; one that lacks repeats is no answer."""
    known.update(voided_repeats=voided, measure_time=datetime.now(timezone.utc))
    if len(counted) < wanted:
        return LatencyMeasurement("xrun", repeats=len(counted), **known)
    return LatencyMeasurement._combine(counted, **known)
