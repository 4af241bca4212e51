"""Sound files and what stands beside them."""

from __future__ import annotations

import json
import pathlib
import sys

import numpy as np
import pytest
import soundfile

from rtmixd.files import read_sound, write_recording
from rtmixd.recording import Recording
from rtmixd.report import Report, Xrun

XRUN = Xrun(
    frame=60,
    side="output",
    lost_frames=3,
    lost_frames_error=0.5,
    flagged=False,
    earliest_frame=60,
    latest_frame=60,
)


def recording(rate_hz: float = 48000.0) -> Recording:
    samples = np.random.default_rng(2).uniform(-1, 1, (480, 3)).astype(np.float32)
    report = Report("r1", kind="record", state="ended", start_frame=50, xruns=(XRUN,))
    return Recording(samples, rate_hz, 50, report, Report("p1", kind="play", start_frame=49))


class TestReadSound:
    def test_one_channel_has_two_dimensions_too(self, tmp_path: pathlib.Path) -> None:
        soundfile.write(str(tmp_path / "a.wav"), np.array([0.5, -1.0]), 22050, subtype="PCM_16")
        samples, rate = read_sound(tmp_path / "a.wav")
        assert rate == 22050.0
        assert samples.tolist() == [[0.5], [-1.0]]


class TestToFile:
    def test_wav_keeps_every_bit(self, tmp_path: pathlib.Path) -> None:
        kept = recording()
        kept.samples[7, 1] = 1.5
        kept.to_file(tmp_path / "a.wav")
        samples, rate = read_sound(tmp_path / "a.wav")
        assert rate == 48000
        assert samples.dtype == np.float32
        np.testing.assert_array_equal(samples, kept.samples)

    def test_flac_keeps_24_bits(self, tmp_path: pathlib.Path) -> None:
        kept = recording()
        kept.to_file(str(tmp_path / "a.flac"))
        assert soundfile.info(str(tmp_path / "a.flac")).subtype == "PCM_24"
        samples, _ = read_sound(tmp_path / "a.flac")
        np.testing.assert_allclose(samples, kept.samples, rtol=0, atol=2.0**-23)

    def test_subtype_is_as_asked_for(self, tmp_path: pathlib.Path) -> None:
        recording().to_file(tmp_path / "a.wav", subtype="PCM_16")
        assert soundfile.info(str(tmp_path / "a.wav")).subtype == "PCM_16"

    def test_report_stands_beside_it(self, tmp_path: pathlib.Path) -> None:
        kept = recording()
        kept.to_file(tmp_path / "a.wav")
        told = json.loads((tmp_path / "a.wav.json").read_text())
        assert told["report"] == json.loads(kept.report.to_json())
        assert told["report"]["xruns"][0]["lost_frames"] == 3
        assert told["play_report"]["start_frame"] == 49
        assert (told["start_frame"], told["frames"], told["channels"]) == (50, 480, 3)
        assert told["sample_rate_hz"] == 48000

    def test_unknown_kinds_are_refused_and_leave_nothing(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(ValueError, match=r"unknown kind of sound file '\.xyz'"):
            recording().to_file(tmp_path / "a.xyz")
        assert list(tmp_path.iterdir()) == []

    def test_broken_rates_are_refused(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(ValueError, match=r"not 44100\.5 Hz"):
            write_recording(tmp_path / "a.wav", recording(44100.5))

    def test_without_soundfile_the_extra_is_named(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "soundfile", None)
        with pytest.raises(ImportError, match=r"pip install rtmixd\[files\]"):
            recording().to_file(tmp_path / "a.wav")
