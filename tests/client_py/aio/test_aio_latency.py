"""Latency measured on a server whose loopback takes longer than its device claims."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
from stream_rig import noise, run

import rtmixd
from rtmixd import aio
from rtmixd.local_server import LocalServer

# The virtual device claims 256 frames for each direction.
CLAIMED_FRAMES = 512
HIDDEN_FRAMES = 480


@pytest.fixture(scope="module")
def cabled() -> Iterator[LocalServer]:
    """Output 1 to input 1 by a long cable, 2 to 2 inverted; nothing else."""
    cables = [f"1>1:delay={HIDDEN_FRAMES}", "2>2:gain=-0.5", "3>3:gain=0.001"]
    with LocalServer([a for cable in cables for a in ("--loopback", cable)]) as server:
        yield server


def test_it_is_measured_stored_used_and_forgotten(cabled: LocalServer) -> None:
    async def test() -> None:
        async with aio.Client(cabled.target) as client, client.session("me") as session:
            measurement = await session.measure_latency()
            assert measurement.verdict == "found"
            assert measurement.round_trip_frames == pytest.approx(
                CLAIMED_FRAMES + HIDDEN_FRAMES, abs=0.001
            )
            assert measurement.gain == pytest.approx(1, abs=1e-4)
            assert not measurement.inverted
            assert measurement.confidence > 0.998
            assert measurement.repeats == 3
            assert measurement.claimed_frames == CLAIMED_FRAMES
            assert measurement.sample_rate_hz == 48000
            assert int(np.argmax(measurement.impulse_response)) == CLAIMED_FRAMES + HIDDEN_FRAMES

            sound = noise(4800, 1)
            before, report = await session.playrec(sound, outputs=[1], inputs=[1], tail=0.1)
            np.testing.assert_array_equal(
                before.samples[HIDDEN_FRAMES : HIDDEN_FRAMES + 4800], sound
            )
            assert not report.calibrated

            calibration = await session.set_calibration(measurement)
            assert calibration.excess_frames == pytest.approx(HIDDEN_FRAMES, abs=0.001)
            assert calibration.used_frames == HIDDEN_FRAMES
            assert calibration.input_device_id == "virtual/loopback"
            assert calibration.measurement.to_dict() == {
                **measurement.to_dict(),
                "sample_rate_hz": 0.0,
                "claimed_frames": 0,
            }
            shown = (await client.stream()).calibration
            assert shown is not None
            assert shown.id == calibration.id
            assert timedelta(0) <= shown.age < timedelta(hours=1)
            assert [c.id for c in await client.calibrations()] == [calibration.id]

            after, report = await session.playrec(sound, outputs=[1], inputs=[1], tail=0.1)
            np.testing.assert_array_equal(after.samples[:4800], sound)
            assert report.calibrated
            assert after.play_report is not None
            assert after.play_report.calibrated

            await session.delete_calibration(calibration.id)
            assert await client.calibrations() == []
            assert (await client.stream()).calibration is None
            with pytest.raises(rtmixd.NotFound):
                await session.delete_calibration(calibration.id)

    run(test())


def test_polarity_and_gain_are_told(cabled: LocalServer) -> None:
    with rtmixd.Client(cabled.target) as client, client.session("me") as session:
        measurement = session.measure_latency(2, 2, repeats=1, max_delay=0.05)
    assert measurement.round_trip_frames == pytest.approx(CLAIMED_FRAMES, abs=0.001)
    assert measurement.inverted
    assert measurement.gain == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(
    ("channel", "options", "verdict"),
    [(3, {}, "faint"), (4, {}, "silent"), (1, {"max_delay": 0.02}, "late")],
)
def test_what_is_no_cable_gets_no_answer(
    cabled: LocalServer, channel: int, options: dict[str, float], verdict: str
) -> None:
    with rtmixd.Client(cabled.target) as client, client.session("me") as session:
        measurement = session.measure_latency(
            channel, channel, **{"repeats": 1, "max_delay": 0.05, **options}
        )
        assert measurement.verdict == verdict
        assert measurement.round_trip_frames is None
        with pytest.raises(rtmixd.NoAnswer):
            session.set_calibration(measurement)
        assert client.calibrations() == []


def test_what_cannot_be_is_refused_by_name(cabled: LocalServer) -> None:
    with rtmixd.Client(cabled.target) as client, client.session("me") as session:
        for name, value in {
            "output": 0,
            "input": 1025,
            "repeats": 9,
            "amplitude": 0,
            "max_delay": float("nan"),
            "min_confidence": 0.5,
            "min_gain": -1,
        }.items():
            with pytest.raises(rtmixd.InvalidArgument, match=f"{name} is") as raised:
                session.measure_latency(**{name: value})
            assert raised.value.field == name
