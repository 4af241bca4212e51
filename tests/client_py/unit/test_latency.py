"""The numbers of measured latencies.

Against tests/latency/cases.txt, which the implementation in C++ is held to as well, and against
what many recordings that are none have to get: no answer.
"""

from __future__ import annotations

import json
import math
import pathlib
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from rtmixd import LatencyMeasurement, NoAnswer
from rtmixd.latency import DelayCriteria, DelayEstimate, Excitation, estimate_delay

CASES = pathlib.Path(__file__).resolve().parents[2] / "latency" / "cases.txt"
AMPLITUDE = 0.25
REACH_FRAMES = 64


class Case(NamedTuple):
    name: str
    seed: int
    period_frames: int
    delay_frames: float
    gain: float
    echo: float
    noise: float
    limit: float
    missing: int
    verdict: str
    estimated_delay_frames: float
    estimated_gain: float
    confidence: float


def read_cases() -> list[Case]:
    cases = []
    for line in CASES.read_text().splitlines():
        if line and not line.startswith("#"):
            words = line.split()
            cases.append(
                Case(
                    words[0],
                    int(words[1]),
                    int(words[2]),
                    *map(float, words[3:8]),
                    int(words[8]),
                    words[9],
                    *map(float, words[10:]),
                )
            )
    return cases


def noise(seed: int, count: int) -> NDArray[np.float64]:
    """Evenly distributed numbers of RMS 1, by a linear congruence (Knuth's MMIX)."""
    numbers = np.empty(count)
    for i in range(count):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        numbers[i] = math.ldexp(float(seed >> 11), -52) - 1
    return numbers * math.sqrt(3)


def delayed(period: NDArray[np.float64], delay_frames: float) -> NDArray[np.float64]:
    """A delay made in time, with a sinc under a Hann window."""
    whole = math.floor(delay_frames)
    total = np.zeros_like(period)
    for i in range(-REACH_FRAMES, REACH_FRAMES + 1):
        x = i - (delay_frames - whole)
        if abs(x) < REACH_FRAMES:
            tap = np.sinc(x) * (0.5 + 0.5 * math.cos(math.pi * x / REACH_FRAMES))
            total += tap * np.roll(period, whole + i)
    return total


def record(case: Case, excitation: Excitation) -> NDArray[np.float32]:
    signal = AMPLITUDE * case.gain * delayed(excitation.wave, case.delay_frames)
    signal += AMPLITUDE * case.gain * case.echo * delayed(excitation.wave, case.delay_frames + 100)
    signal += case.noise * noise(case.seed, case.period_frames)
    if case.limit:
        signal = np.clip(signal, -case.limit, case.limit)
    signal[: case.missing] = 0
    return signal.astype(np.float32)


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_truth_is_found_and_both_implementations_agree(case: Case) -> None:
    excitation = Excitation(case.seed, case.period_frames)
    estimate = estimate_delay(
        excitation,
        AMPLITUDE,
        record(case, excitation),
        DelayCriteria(case.period_frames * 3 // 4),
    )
    assert estimate.verdict == case.verdict
    if estimate.verdict == "found":
        assert estimate.delay_frames == pytest.approx(case.delay_frames, abs=0.1)
        assert estimate.inverted == (case.gain < 0)
        assert estimate.gain == pytest.approx(abs(case.gain), rel=0.02)
    assert estimate.delay_frames == pytest.approx(case.estimated_delay_frames, abs=1e-5)
    assert estimate.gain == pytest.approx(case.estimated_gain, abs=1e-6)
    assert estimate.confidence == pytest.approx(case.confidence, abs=1e-6)


def test_noise_is_no_answer() -> None:
    random = np.random.default_rng(1)
    for seed in range(200):
        recorded = random.normal(0, 10 ** random.uniform(-6, -1.5), 4096)
        estimate = estimate_delay(Excitation(seed, 4096), 0.25, recorded, DelayCriteria(3000))
        assert estimate.verdict == "uncertain"


def test_another_excitation_is_no_answer() -> None:
    for seed in range(100):
        recorded = Excitation(seed + 1000, 4096).play(seed, 4096, 0.25)
        estimate = estimate_delay(Excitation(seed, 4096), 0.25, recorded, DelayCriteria(3000))
        assert estimate.verdict == "uncertain"


def test_what_is_not_finite_is_no_answer() -> None:
    excitation = Excitation(1, 4096)
    recorded = excitation.play(0, 4096, 0.25)
    recorded[7] = np.nan
    assert estimate_delay(excitation, 0.25, recorded, DelayCriteria(3000)).verdict == "clipped"


FOUND = DelayEstimate("found", 512.25, 0.5, True, 0.99, np.arange(512.0))


def test_repeats_are_combined() -> None:
    measurement = LatencyMeasurement._combine(
        [
            replace(FOUND, delay_frames=100.4, gain=3.0),
            replace(FOUND, delay_frames=100.0, gain=1.0, confidence=0.95),
            replace(FOUND, delay_frames=100.1, gain=2.0),
        ],
        output=3,
    )
    assert measurement.verdict == "found"
    assert measurement.round_trip_frames == 100.1
    assert measurement.spread_frames == pytest.approx(0.4)
    assert measurement.gain == 2
    assert measurement.inverted
    assert measurement.confidence == 0.95
    assert measurement.repeats == 3
    assert measurement.output == 3
    assert measurement.check() is measurement


@pytest.mark.parametrize(
    ("repeats", "verdict"),
    [
        ([], "xrun"),
        ([FOUND, replace(FOUND, delay_frames=513)], "unsteady"),
        ([FOUND, replace(FOUND, inverted=False)], "unsteady"),
        ([FOUND, replace(FOUND, verdict="faint"), FOUND], "faint"),
    ],
)
def test_repeats_that_do_not_agree_are_no_answer(
    repeats: list[DelayEstimate], verdict: str
) -> None:
    measurement = LatencyMeasurement._combine(repeats, output=1, input=2)
    assert measurement.verdict == verdict
    assert measurement.round_trip_frames is None
    assert "no answer" in repr(measurement)
    with pytest.raises(NoAnswer, match="output 1 to input 2: no answer") as raised:
        measurement.check()
    assert raised.value.measurement is measurement


def test_measurement_is_readable_and_json() -> None:
    measurement = LatencyMeasurement._combine(
        [FOUND], output=1, input=2, sample_rate_hz=48000.0, claimed_frames=512
    )
    assert repr(measurement) == (
        "<LatencyMeasurement output 1 to input 2, 512.250 frames (10.672 ms), spread 0.0000,"
        " gain 0.5, inverted, confidence 0.9900>"
    )
    values = json.loads(measurement.to_json())
    assert values["round_trip_frames"] == 512.25
    assert values["measure_time"] == "1970-01-01T00:00:00+00:00"
    assert "impulse_response" not in values


def test_measurement_survives_the_wire() -> None:
    measurement = LatencyMeasurement._combine([FOUND], output=1, input=2, stream_id="s")
    again = LatencyMeasurement._of(measurement._to_proto())
    assert again.to_dict() == measurement.to_dict()


def test_impulse_response_is_drawn() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    response = np.zeros(512)
    response[3] = -0.5
    measurement = LatencyMeasurement._combine(
        [replace(FOUND, delay_frames=3.2, impulse_response=response)], output=1, input=2
    )
    figure = measurement.plot(reach_frames=10)
    stems = figure.axes[0].collections[0].get_segments()
    assert len(stems) == 21
    assert [list(map(float, stem[1])) for stem in stems][10] == [3.0, -0.5]
    with pytest.raises(ValueError, match="no 64 around a peak"):
        LatencyMeasurement("silent").plot()
