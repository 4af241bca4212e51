"""Latency measured through a cable: the numbers behind `Session.measure_latency`.

The excitation is noise that holds every frequency of its band equally strong, each with a phase
that a seed decides, played over and over. One period of it, recorded in steady state, over what was
played is the impulse response of the way from the output to the input, and its peak is the delay.
What is nothing to go by gets a verdict in place of an answer.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtmixd._arguments import whole_or_none
from rtmixd._enums import number_of, short_name
from rtmixd.errors import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtmixd.v1 import calibration_pb2

__all__ = [
    "Calibration",
    "DelayCriteria",
    "DelayEstimate",
    "Excitation",
    "LatencyMeasurement",
    "Verdict",
    "estimate_delay",
]

#: What came of measuring: ``"found"``, or why there is no answer.
Verdict = Literal[
    "found",
    "silent",
    "clipped",
    "faint",
    "uncertain",
    "ambiguous",
    "late",
    "unsteady",
    "xrun",
    "unspecified",
]

_WHY = {
    "silent": "the input is silent",
    "clipped": "the input clips, or something on the way does",
    "faint": "what came back is weaker than min_gain, as when it leaks from another channel",
    "uncertain": "too little of what the input heard is what was played",
    "ambiguous": "it came back more than once, about equally strong",
    "late": "it came back later than max_delay",
    "unsteady": "the repeats differ",
    "xrun": "xruns or late starts spoiled too many repeats",
}

# The part of the rate at which the band begins and ends: it leaves out hum and drift below, and
# above what converters filter.
_LOWEST, _HIGHEST = 0.005, 0.42
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
# What converters of 16 bits have for full scale.
_FULL_SCALE = 1 - 2.0**-15
# -120 dB in energy.
_SILENT_ENERGY = 1e-12
# Converters' filters and couplings ring for less.
_REACH_FRAMES = 256
# A second peak this strong is a second path; band limits alone make 0.33 beyond _PEAK_FRAMES.
_SECOND_PEAK = 0.6
_PEAK_FRAMES = 2
# Clipping is judged on the loudest samples, as many as this and four times that, up to a sixteenth
# of all; in standard errors, and as a part of the amplitude.
_FEWEST_LOUD = 16
_CLIPPED_ERRORS = -7.0
_CLIPPED_PART = -0.005
# Below, nothing more is made of it.
_HOPELESS = 0.5
_MAX_SPREAD_FRAMES = 0.5
_EPOCH = datetime.fromtimestamp(0, timezone.utc)


class Excitation:
    """What is played to measure a delay: a period of noise with a known autocorrelation.

    Parameters
    ----------
    seed : int
        Decides the phases, 0 to 2**64 - 1. The same seed gives the same noise in every client.
    period_frames : int
        Length of the period; even, at least 1024.
    """

    wave: NDArray[np.float64]
    """One period, shape (period_frames,); its highest peak is 1 or -1."""
    bins: NDArray[np.complex128]
    """Its transform, as of `numpy.fft.rfft`; 0 outside of the band."""
    lowest_bin: int
    """First bin of the band."""
    highest_bin: int
    """Last bin of the band."""

    def __init__(self, seed: int, period_frames: int) -> None:
        self.lowest_bin = math.ceil(_LOWEST * period_frames)
        self.highest_bin = math.floor(_HIGHEST * period_frames)
        count = self.highest_bin - self.lowest_bin + 1
        turns = (_split_mix(seed, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        bins = np.zeros(period_frames // 2 + 1, dtype=np.complex128)
        bins[self.lowest_bin : self.highest_bin + 1] = np.exp(2j * np.pi * turns)
        wave = np.fft.irfft(bins, period_frames)
        peak = np.max(np.abs(wave))
        self.wave = wave / peak
        self.bins = bins / peak

    @property
    def period_frames(self) -> int:
        """Length of the period."""
        return len(self.wave)

    def play(self, first: int, frames: int, amplitude: float) -> NDArray[np.float32]:
        """Return a stretch of it.

        Parameters
        ----------
        first : int
            Frame of the period that it begins with.
        frames : int
            Its length.
        amplitude : float
            Of the highest peak.

        Returns
        -------
        numpy.ndarray
            float32, shape (frames,).
        """
        places = (first + np.arange(frames)) % self.period_frames
        return (amplitude * self.wave[places]).astype(np.float32)


@dataclass(frozen=True)
class DelayCriteria:
    """When an answer is one.

    Attributes
    ----------
    max_delay_frames : int
        The longest delay that can be.
    min_confidence : float
        Least part of the recorded energy that has to be what was played: 0.9 is a signal 10 dB
        above all else.
    min_gain : float
        Weakest gain that is taken for a cable, and not for a leak from another channel.
    """

    max_delay_frames: int
    min_confidence: float = 0.9
    min_gain: float = 0.01


@dataclass(frozen=True, eq=False)
class DelayEstimate:
    """What one period tells. With another verdict than ``"found"`` the rest is no answer.

    Attributes
    ----------
    verdict : str
        ``"found"``, or why not.
    delay_frames : float
        From the output to the input.
    gain : float
        Linear, at least 0.
    inverted : bool
        The polarity is another.
    confidence : float
        Part of the recorded energy that is what was played, 0 to 1.
    impulse_response : numpy.ndarray
        float64, shape (period_frames,): sample n at delay n; empty if nothing was heard.
    """

    verdict: Verdict
    delay_frames: float = 0.0
    gain: float = 0.0
    inverted: bool = False
    confidence: float = 0.0
    impulse_response: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def estimate_delay(
    excitation: Excitation, amplitude: float, recorded: ArrayLike, criteria: DelayCriteria
) -> DelayEstimate:
    """Estimate the delay, gain and polarity with which an excitation was recorded.

    Parameters
    ----------
    excitation : Excitation
        What was played.
    amplitude : float
        With which highest peak.
    recorded : array_like of float, shape (period_frames,)
        One period in steady state, recorded from a whole number of periods after the excitation
        began.
    criteria : DelayCriteria
        When an answer is one.

    Returns
    -------
    DelayEstimate
    """
    signal = np.asarray(recorded, dtype=np.float64)
    size = excitation.period_frames
    # Not finite included.
    if not np.all(np.abs(signal) < _FULL_SCALE):
        return DelayEstimate("clipped")
    band = slice(excitation.lowest_bin, excitation.highest_bin + 1)
    response = np.zeros(size // 2 + 1, dtype=np.complex128)
    response[band] = np.fft.rfft(signal)[band] / (amplitude * excitation.bins[band])
    # What a path that does nothing has at 0.
    unit = 2.0 * (excitation.highest_bin - excitation.lowest_bin + 1) / size
    impulse = np.fft.irfft(response, size)
    energy = float(impulse @ impulse)
    if energy < _SILENT_ENERGY * unit:
        return DelayEstimate("silent")
    peak = int(np.argmax(np.abs(impulse)))

    offsets = np.arange(-_REACH_FRAMES, _REACH_FRAMES + 1)
    places = (peak + offsets) % size
    near = impulse[places]
    inside = float(near @ near)
    noise = (energy - inside) / (size - len(near)) * len(near)
    confidence = min(max((inside - noise) / energy, 0.0), 1.0)
    if confidence < _HOPELESS:
        return DelayEstimate("uncertain", confidence=confidence, impulse_response=impulse / unit)

    delay, value = _peak_between_samples(excitation, response[band], peak)
    near_peak = np.zeros(size)
    near_peak[places] = near
    second = float(np.max(np.abs(near[np.abs(offsets) > _PEAK_FRAMES])))
    # A period is a circle: just before its beginning is at its end.
    delay = delay - size if delay > size - _PEAK_FRAMES else delay
    gain = abs(value) / unit
    verdict: Verdict = "found"
    # What is late misses its beginning, which looks like anything.
    if delay > criteria.max_delay_frames:
        verdict = "late"
    elif _is_compressed(excitation, response, near_peak):
        verdict = "clipped"
    elif confidence < criteria.min_confidence:
        verdict = "uncertain"
    elif gain < criteria.min_gain:
        verdict = "faint"
    elif second > _SECOND_PEAK * abs(impulse[peak]):
        verdict = "ambiguous"
    return DelayEstimate(verdict, delay, gain, value < 0, confidence, impulse / unit)


def _split_mix(seed: int, count: int) -> NDArray[np.uint64]:
    """Return the first numbers of SplitMix64 (Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        mixed = np.uint64(seed) + _GAMMA * np.arange(1, count + 1, dtype=np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def _peak_between_samples(
    excitation: Excitation, band: NDArray[np.complex128], peak: int
) -> tuple[float, float]:
    """Return where the band-limited response is highest near a sample, and how high."""
    size = excitation.period_frames
    turns = 2 * np.pi * np.arange(excitation.lowest_bin, excitation.highest_bin + 1) / size

    def interpolate(delay: float) -> tuple[float, float, float]:
        parts = band * (2 / size * np.exp(1j * turns * delay))
        return (
            float(parts.real.sum()),
            -float(turns @ parts.imag),
            -float((turns * turns) @ parts.real),
        )

    delay = float(peak)
    value, slope, curvature = interpolate(delay)
    for _ in range(8):
        if curvature * value >= 0:
            break
        change = min(max(-slope / curvature, -0.5), 0.5)
        delay += change
        value, slope, curvature = interpolate(delay)
        if abs(change) < 1e-7:
            break
    return delay, value


def _is_compressed(
    excitation: Excitation, response: NDArray[np.complex128], near_peak: NDArray[np.float64]
) -> bool:
    """Tell whether the loudest samples of a sign came back weaker than the linear path has them."""
    size = excitation.period_frames
    linear_bins = np.fft.rfft(near_peak)
    rest = np.fft.irfft((response - linear_bins) * excitation.bins, size)
    linear = np.fft.irfft(linear_bins * excitation.bins, size)
    deviation = math.sqrt(float(rest @ rest) / size)
    most = max(_FEWEST_LOUD, size // 16)
    for sign in (1.0, -1.0):
        order = np.argsort(-sign * linear)[:most]
        excess = np.cumsum(sign * rest[order])
        loudness = np.cumsum(sign * linear[order])
        count = _FEWEST_LOUD
        while count <= most:
            errors = deviation * math.sqrt(count)
            if (
                excess[count - 1] < _CLIPPED_ERRORS * errors
                and excess[count - 1] < _CLIPPED_PART * loudness[count - 1]
            ):
                return True
            count *= 4
    return False


@dataclass(frozen=True, eq=False)
class LatencyMeasurement:
    """The delay from an output to an input, in frames of the stream, or why it is not known.

    Attributes
    ----------
    verdict : str
        ``"found"``; all others mean that there is no answer: ``"silent"``, ``"clipped"``,
        ``"faint"``, ``"uncertain"``, ``"ambiguous"``, ``"late"``, ``"unsteady"``, ``"xrun"``.
    stream_id : str
        The stream that it was measured on.
    output, input : int
        The channels, from 1.
    round_trip_frames : float or None
        What the output plays on frame f is at the input on frame f + round_trip_frames; the median
        of the repeats. None if it was not found.
    spread_frames : float
        Between the smallest and the largest of the repeats.
    repeats : int
        Repeats that count.
    voided_repeats : int
        Repeats that were thrown away since an xrun touched them or they were late.
    gain : float
        Linear factor from the output to the input, at least 0.
    inverted : bool
        The input has the other polarity.
    confidence : float
        Part of the recorded energy that is what was played, 0 to 1; the smallest of the repeats.
    measure_time : datetime
        When, UTC.
    sample_rate_hz : float
        Nominal rate of the stream; 0 if unknown.
    claimed_frames : int
        Of the round trip, what the host claims.
    impulse_response : numpy.ndarray
        float64, shape (frames,): what one pulse becomes, sample n at delay n, limited to the band
        that was measured; of the first repeat. Empty if nothing was heard.
    """

    verdict: Verdict
    stream_id: str = ""
    output: int = 0
    input: int = 0
    round_trip_frames: Optional[float] = None
    spread_frames: float = 0.0
    repeats: int = 0
    voided_repeats: int = 0
    gain: float = 0.0
    inverted: bool = False
    confidence: float = 0.0
    measure_time: datetime = _EPOCH
    sample_rate_hz: float = 0.0
    claimed_frames: int = 0
    impulse_response: NDArray[np.float64] = field(default_factory=lambda: np.empty(0), repr=False)

    @classmethod
    def _combine(cls, repeats: Sequence[DelayEstimate], **known: Any) -> LatencyMeasurement:
        """Make one measurement of several repeats."""
        if not repeats:
            return cls("xrun", **known)
        delays = [repeat.delay_frames for repeat in repeats]
        spread = max(delays) - min(delays)
        wrong = (repeat.verdict for repeat in repeats if repeat.verdict != "found")
        verdict: Verdict = next(wrong, "found")
        polarities = {repeat.inverted for repeat in repeats}
        if verdict == "found" and (spread > _MAX_SPREAD_FRAMES or len(polarities) > 1):
            verdict = "unsteady"
        return cls(
            verdict=verdict,
            round_trip_frames=float(np.median(delays)) if verdict == "found" else None,
            spread_frames=spread,
            repeats=len(repeats),
            gain=float(np.median([repeat.gain for repeat in repeats])),
            inverted=repeats[0].inverted,
            confidence=min(repeat.confidence for repeat in repeats),
            impulse_response=repeats[0].impulse_response,
            **known,
        )

    @classmethod
    def _of(cls, measurement: calibration_pb2.LatencyMeasurement) -> LatencyMeasurement:
        verdict: Any = short_name("LatencyVerdict", measurement.verdict)
        time = measurement.measure_time
        return cls(
            verdict=verdict,
            stream_id=measurement.stream_id,
            output=measurement.output_channel,
            input=measurement.input_channel,
            round_trip_frames=measurement.round_trip_frames if verdict == "found" else None,
            spread_frames=measurement.spread_frames,
            repeats=measurement.repeats,
            voided_repeats=measurement.voided_repeats,
            gain=measurement.gain,
            inverted=measurement.inverted,
            confidence=measurement.confidence,
            measure_time=datetime.fromtimestamp(time.seconds + time.nanos * 1e-9, timezone.utc),
        )

    def _to_proto(self) -> calibration_pb2.LatencyMeasurement:
        from google.protobuf.timestamp_pb2 import Timestamp

        from rtmixd.v1 import calibration_pb2

        stamp = Timestamp()
        stamp.FromDatetime(self.measure_time.astimezone(timezone.utc).replace(tzinfo=None))
        return calibration_pb2.LatencyMeasurement(
            verdict=number_of("LatencyVerdict", self.verdict, "verdict"),
            stream_id=self.stream_id,
            output_channel=self.output,
            input_channel=self.input,
            round_trip_frames=self.round_trip_frames or 0.0,
            spread_frames=self.spread_frames,
            repeats=self.repeats,
            voided_repeats=self.voided_repeats,
            gain=self.gain,
            inverted=self.inverted,
            confidence=self.confidence,
            measure_time=stamp,
        )

    @property
    def found(self) -> bool:
        """Whether there is an answer."""
        return self.verdict == "found"

    @property
    def round_trip_seconds(self) -> Optional[float]:
        """The round trip at the nominal rate; None if it was not found, or the rate is unknown."""
        if self.round_trip_frames is None or not self.sample_rate_hz:
            return None
        return self.round_trip_frames / self.sample_rate_hz

    def check(self) -> LatencyMeasurement:
        """Raise unless it was found.

        Returns
        -------
        LatencyMeasurement
            Itself.

        Raises
        ------
        NoAnswer
            It was not; the text says why.
        """
        if not self.found:
            why = _WHY.get(self.verdict, "for an unknown reason")
            raise NoAnswer(f"output {self.output} to input {self.input}: no answer: {why}", self)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain numbers and texts, the impulse response left out."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        del values["impulse_response"]
        values["measure_time"] = self.measure_time.isoformat()
        return values

    def to_json(self, indent: Optional[int] = 2) -> str:
        """Return it as JSON, the impulse response left out.

        Parameters
        ----------
        indent : int, optional
            Spaces per level; None for one line.
        """
        return json.dumps(self.to_dict(), indent=whole_or_none(indent, "indent"))

    def plot(self, **options: Any) -> Any:
        """Draw the impulse response around its peak. Needs matplotlib.

        Parameters
        ----------
        **options
            Go to `rtmixd.plot.plot_impulse_response`.

        Returns
        -------
        matplotlib.figure.Figure
            What was drawn into.
        """
        from rtmixd.plot import plot_impulse_response

        return plot_impulse_response(self, **options)

    def __repr__(self) -> str:
        parts = [f"output {self.output} to input {self.input}"]
        if self.round_trip_frames is None:
            parts.append(f"no answer: {_WHY.get(self.verdict, self.verdict)}")
        else:
            seconds = self.round_trip_seconds
            told = "" if seconds is None else f" ({1000 * seconds:.3f} ms)"
            parts.append(f"{self.round_trip_frames:.3f} frames{told}")
            parts.append(f"spread {self.spread_frames:.4f}")
        parts.append(f"gain {self.gain:.4g}{', inverted' if self.inverted else ''}")
        parts.append(f"confidence {self.confidence:.4f}")
        return f"<LatencyMeasurement {', '.join(parts)}>"


@dataclass(frozen=True)
class Calibration:
    """A measurement that the server keeps, and what it makes of it.

    Attributes
    ----------
    id : str
        Its id.
    measurement : LatencyMeasurement
        What was measured.
    excess_frames : float
        Round trip beyond both latencies that the host claims; may be negative.
    used_frames : int
        By so many frames later is recorded what is aligned at the converters.
    store_time : datetime
        When it was stored, UTC.
    age : timedelta
        How long ago that was when the server told.
    input_device_id, output_device_id : str
        The devices it belongs to.
    sample_rate_hz : float
        The settings it belongs to, as all below.
    block_frames : int
        0: varies.
    input_channels, output_channels : int
        Channels of the stream.
    input_latency_frames, output_latency_frames : int
        As the host claims them.
    """

    id: str
    measurement: LatencyMeasurement
    excess_frames: float
    used_frames: int
    store_time: datetime
    age: timedelta
    input_device_id: str
    output_device_id: str
    sample_rate_hz: float
    block_frames: int
    input_channels: int
    output_channels: int
    input_latency_frames: int
    output_latency_frames: int

    @classmethod
    def _of(cls, calibration: calibration_pb2.Calibration) -> Calibration:
        settings = calibration.settings
        stored, age = calibration.store_time, calibration.age
        return cls(
            id=calibration.calibration_id,
            measurement=LatencyMeasurement._of(calibration.measurement),
            excess_frames=calibration.excess_frames,
            used_frames=calibration.used_frames,
            store_time=datetime.fromtimestamp(stored.seconds + stored.nanos * 1e-9, timezone.utc),
            age=timedelta(seconds=age.seconds + age.nanos * 1e-9),
            input_device_id=settings.input_device_id,
            output_device_id=settings.output_device_id,
            sample_rate_hz=settings.sample_rate_hz,
            block_frames=settings.block_frames,
            input_channels=settings.input_channels,
            output_channels=settings.output_channels,
            input_latency_frames=settings.input_latency_frames,
            output_latency_frames=settings.output_latency_frames,
        )
