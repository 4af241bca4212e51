"""Judge a device: its gain, its noise, its distortion. A module for pytest.

The device is what lies between output 1 and input 1; on the virtual device that is a cable.

    RTMIXD_TARGET=rig7 pytest test_device.py
    RTMIXD_SERVER=bazel-bin/server/rtmixd pytest test_device.py
"""

import numpy as np
import pytest

OUTPUT, INPUT = 1, 1
# Samples over which spectra are taken, and the bin of the tone: a whole number of periods.
SPECTRUM_FRAMES, TONE_BIN = 48000, 997


@pytest.fixture
def response(rtmixd_session):
    """Play a tone at half of full scale; return the second half of what comes back."""
    t = np.arange(2 * SPECTRUM_FRAMES)
    tone = 0.5 * np.sin(2 * np.pi * TONE_BIN * t / SPECTRUM_FRAMES)
    recording, _ = rtmixd_session.playrec(tone, outputs=[OUTPUT], inputs=[INPUT])
    return recording.samples[-SPECTRUM_FRAMES:, 0].astype(float)


def test_gain_is_one(response):
    amplitude = 2 * np.abs(np.fft.rfft(response)[TONE_BIN]) / len(response)
    assert 20 * np.log10(amplitude / 0.5) == pytest.approx(0, abs=0.1)


def test_distortion_is_low(response):
    power = np.abs(np.fft.rfft(response)) ** 2
    harmonics = power[2 * TONE_BIN :: TONE_BIN].sum()
    assert 10 * np.log10(harmonics / power[TONE_BIN]) < -80


def test_silence_is_silent(rtmixd_session):
    recording, _ = rtmixd_session.rec(seconds=0.5, inputs=[INPUT])
    rms = np.sqrt(np.mean(np.square(recording.samples, dtype=float)))
    assert 20 * np.log10(max(rms, 1e-9)) < -80


@pytest.mark.parametrize("other", [2, 3])
def test_nothing_leaks_into_other_inputs(rtmixd_session, other):
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 24000)
    recording, report = rtmixd_session.playrec(noise, outputs=[OUTPUT], inputs=[INPUT, other])
    # A pass means something only if nothing was lost.
    report.check()
    heard, leaked = np.sqrt(np.mean(np.square(recording.samples, dtype=float), axis=0))
    assert leaked < heard / 1000
