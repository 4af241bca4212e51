"""Pictures: what is drawn, where."""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from rtmixd import plot
from rtmixd.recording import Recording
from rtmixd.report import Gap, Report, Xrun

RATE_HZ = 1000.0
XRUN = Xrun(
    frame=5250,
    side="input",
    lost_frames=64,
    lost_frames_error=1.0,
    flagged=True,
    earliest_frame=5250,
    latest_frame=5250,
)


def noise(frames: int, channels: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.5, 0.5, (frames, channels)).astype(np.float32)


def report(**values: Any) -> Report:
    known = {
        "action_id": "a1",
        "kind": "play",
        "state": "ended",
        "end_reason": "completed",
        "stream_id": "s1",
        "requested_start_frame": 5000,
        "start_frame": 5000,
        "end_frame": 6000,
    }
    return Report(**{**known, **values})


def legend(figure: Figure) -> list[str]:
    return [
        t.get_text() for axis in figure.axes if axis.get_legend() for t in axis.get_legend().texts
    ]


def vertical_lines(axis: Any) -> list[float]:
    return [line.get_xdata()[0] for line in axis.lines if len(set(line.get_xdata())) == 1]


class TestEnvelope:
    @pytest.mark.parametrize("frames", [1, 9, 10, 11, 1009])
    def test_each_column_holds_the_extremes_of_its_frames(self, frames: int) -> None:
        samples = noise(frames, 2)
        drawn = plot.envelope(samples, 10)
        assert len(drawn.first) == min(frames, 10)
        ends = [*drawn.first[1:], frames]
        for column, (begin, end) in enumerate(zip(drawn.first, ends)):
            for channel in range(2):
                part = [float(sample) for sample in samples[begin:end, channel]]
                assert drawn.lowest[column, channel] == min(part)
                assert drawn.highest[column, channel] == max(part)

    def test_nothing_gives_no_columns(self) -> None:
        drawn = plot.envelope(np.empty((0, 3)), 10)
        assert len(drawn.first) == 0
        assert drawn.lowest.shape == drawn.highest.shape == (0, 3)

    def test_no_columns_are_refused(self) -> None:
        with pytest.raises(ValueError, match="columns is 0"):
            plot.envelope(noise(4, 1), 0)


class TestPlotWaveform:
    def test_channels_stand_below_each_other_with_their_peaks(self) -> None:
        samples = np.zeros((20000, 2), np.float32)
        samples[12345, 0] = 0.75
        samples[6789, 1] = -0.25
        figure = plot.plot_waveform(samples, RATE_HZ, labels=["left", "right"], figure=Figure())
        left, right = figure.axes[:2]
        assert [left.get_ylabel(), right.get_ylabel()] == ["left", "right"]
        for axis, place, peak in [(left, 12.345, 0.75), (right, 6.789, -0.25)]:
            points = axis.collections[0].get_paths()[0].vertices
            highest = points[np.argmax(np.abs(points[:, 1]))]
            assert highest[1] == peak
            assert highest[0] == pytest.approx(place, abs=20000 / 4000 / RATE_HZ)

    def test_marks_xruns_and_gaps_are_where_they_happened(self) -> None:
        figure = plot.plot_waveform(
            noise(1000, 1),
            RATE_HZ,
            start_frame=5000,
            marks={"play": 4900},
            xruns=[XRUN],
            gaps=[Gap(position=100, frame=5100, frames=50)],
            figure=Figure(),
        )
        axis = figure.axes[0]
        assert vertical_lines(axis) == pytest.approx([-0.1, 0.25])
        box = axis.patches[0].get_extents().transformed(axis.transData.inverted())
        assert [box.x0, box.x1] == pytest.approx([0.1, 0.15])
        assert legend(figure) == [
            "play: frame 4900",
            "xrun before frame 5250 (input): about 64 frames lost",
            "gap: 50 frames from frame 5100",
        ]
        assert axis.get_xlim()[0] < -0.1

    def test_many_xruns_share_a_line_of_the_legend(self) -> None:
        xruns = [Xrun(5000 + i, "unspecified", 0, 0.0, True, 5000 + i, 5000 + i) for i in range(9)]
        figure = plot.plot_waveform(
            noise(1000, 1), RATE_HZ, start_frame=5000, xruns=xruns, figure=Figure()
        )
        assert len(vertical_lines(figure.axes[0])) == 9
        assert len(legend(figure)) == 5
        assert legend(figure)[0] == "xrun before frame 5000 (unknown side): loss unknown"

    def test_frames_stand_above_seconds(self) -> None:
        figure = plot.plot_waveform(noise(1000, 1), RATE_HZ, start_frame=5000, figure=Figure())
        figure.draw_without_rendering()
        axis = figure.axes[0]
        over = axis.child_axes[0]
        assert over.get_xlim() == pytest.approx([5000 + RATE_HZ * x for x in axis.get_xlim()])

    @pytest.mark.parametrize(("peak", "limit"), [(0.0, 1.0), (0.5, 0.55)])
    def test_loudest_channel_fills_the_height(self, peak: float, limit: float) -> None:
        samples = np.zeros((10, 2), np.float32)
        samples[3, 1] = -peak
        figure = plot.plot_waveform(samples, RATE_HZ, figure=Figure())
        for axis in figure.axes[:2]:
            assert axis.get_ylim() == pytest.approx((-limit, limit))

    def test_one_dimension_is_one_channel(self) -> None:
        figure = plot.plot_waveform(np.zeros(10), RATE_HZ, figure=Figure())
        assert figure.axes[0].get_ylabel() == "channel 1"

    def test_nothing_can_be_drawn(self) -> None:
        plot.plot_waveform(np.zeros((0, 2)), RATE_HZ, figure=Figure()).draw_without_rendering()

    def test_three_dimensions_are_refused(self) -> None:
        with pytest.raises(ValueError, match="3 dimensions"):
            plot.plot_waveform(np.zeros((2, 2, 2)), RATE_HZ)

    def test_labels_must_match_the_channels(self) -> None:
        with pytest.raises(ValueError, match="1 labels for 2 channels"):
            plot.plot_waveform(np.zeros((4, 2)), RATE_HZ, labels=["one"], figure=Figure())


class TestRecordingPlot:
    def test_start_lateness_and_play_are_marked(self) -> None:
        late = report(
            kind="record", requested_start_frame=4990, late_frames=10, touched="yes", xruns=(XRUN,)
        )
        recording = Recording(noise(1000, 1), RATE_HZ, 5000, late, report(start_frame=4950))
        figure = recording.plot(figure=Figure(), title="a test")
        assert legend(figure)[:3] == [
            "recording starts: frame 5000",
            "asked for: frame 4990",
            "play starts: frame 4950",
        ]
        assert vertical_lines(figure.axes[0]) == pytest.approx([0, -0.01, -0.05, 0.25])

    def test_one_that_never_started_is_drawn_empty(self) -> None:
        never = report(kind="record", start_frame=None, end_frame=None, end_reason="skipped")
        recording = Recording(np.empty((0, 2), np.float32), RATE_HZ, None, never)
        figure = recording.plot(figure=Figure())
        assert legend(figure) == []
        figure.draw_without_rendering()

    def test_pyplot_makes_the_figure_if_none_is_given(self) -> None:
        import matplotlib.pyplot as plt

        recording = Recording(noise(10, 1), RATE_HZ, 5000, report(kind="record"))
        figure = recording.plot()
        assert plt.fignum_exists(figure.number)
        plt.close(figure)


class TestReportPlot:
    def test_bars_reach_from_start_to_end(self) -> None:
        figure = report(key="sweep").plot(figure=Figure())
        axis = figure.axes[0]
        points = axis.collections[0].get_paths()[0].vertices
        assert (points[:, 0].min(), points[:, 0].max()) == (5000, 6000)
        assert [label.get_text() for label in axis.get_yticklabels()] == ["play sweep"]
        assert axis.texts[0].get_text() == " completed"

    def test_lateness_xruns_and_gaps_are_in_the_legend(self) -> None:
        shown = [
            report(requested_start_frame=4900, late_frames=100),
            report(xruns=(XRUN,), gaps=(Gap(0, 5000, 7),)),
        ]
        assert legend(plot.plot_reports(shown, figure=Figure())) == [
            "late by 100 frames",
            "xrun before frame 5250 (input): about 64 frames lost",
            "gap: 7 frames from frame 5000",
        ]

    def test_one_that_never_started_is_a_cross_where_it_was_to_start(self) -> None:
        skipped = report(start_frame=None, end_frame=None, end_reason="skipped", late_frames=3)
        axis = plot.plot_reports([skipped], figure=Figure()).axes[0]
        assert list(axis.lines[0].get_xdata()) == [5000]
        assert axis.texts[0].get_text() == "  skipped, 3 frames late"

    def test_one_that_runs_ends_where_it_has_come_to(self) -> None:
        active = report(end_frame=None, state="active", end_reason="unspecified", done_frames=70)
        axis = plot.plot_reports(active, figure=Figure()).axes[0]
        assert axis.collections[0].get_paths()[0].vertices[:, 0].max() == 5070
        assert axis.texts[0].get_text() == " active"

    def test_one_without_length_is_a_line_where_it_was(self) -> None:
        cancel = report(kind="cancel", end_frame=5000)
        axis = plot.plot_reports([report(), cancel], figure=Figure()).axes[0]
        assert [(*line.get_xdata(), *line.get_ydata()) for line in axis.lines] == [(5000, 1)]

    def test_different_streams_are_refused(self) -> None:
        with pytest.raises(ValueError, match="different streams"):
            plot.plot_reports([report(), report(stream_id="s2")])


def levels(inputs: list[tuple[float, float, int]]) -> Any:
    made = tuple(SimpleNamespace(peak=p, rms=r, clipped_samples=c) for p, r, c in inputs)
    return SimpleNamespace(inputs=made, outputs=())


class TestLevelMeter:
    def test_bars_are_decibels(self) -> None:
        meter = plot.LevelMeter(figure=Figure(), floor_db=-60)
        meter.update(levels([(1.0, 0.1, 0), (0.0, 0.0, 0)]))
        tops = [bar.get_y() + bar.get_height() for bar in meter.figure.axes[0].patches]
        assert tops == pytest.approx([-20, -60])
        assert meter.held_db("input") == pytest.approx((0, -60))
        assert meter.held_db("output") == ()

    def test_peaks_are_held_and_let_go(self) -> None:
        meter = plot.LevelMeter(figure=Figure(), hold_updates=3)
        meter.update(levels([(0.5, 0.1, 0)]))
        for _ in range(3):
            meter.update(levels([(0.01, 0.01, 0)]))
            assert meter.held_db("input")[0] == pytest.approx(20 * math.log10(0.5))
        meter.update(levels([(0.01, 0.01, 0)]))
        assert meter.held_db("input")[0] == pytest.approx(-40)

    def test_clipping_shows_as_long_as_a_peak_is_held(self) -> None:
        meter = plot.LevelMeter(figure=Figure(), hold_updates=2)
        colors = []
        for clipped in [0, 1, 0, 0]:
            meter.update(levels([(1.0, 0.5, clipped)]))
            colors.append(meter.figure.axes[0].patches[0].get_facecolor())
        assert colors[1] == colors[2] != colors[0] == colors[3]

    def test_another_number_of_channels_lays_it_out_anew(self) -> None:
        meter = plot.LevelMeter(figure=Figure())
        meter.update(levels([(1.0, 1.0, 0)]))
        meter.update(levels([(1.0, 1.0, 0)] * 3))
        assert len(meter.figure.axes[0].patches) == 3
        meter.figure.draw_without_rendering()

    def test_the_floor_is_below_full_scale(self) -> None:
        with pytest.raises(ValueError, match="floor_db is 0"):
            plot.LevelMeter(floor_db=0)


def test_missing_matplotlib_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install rtmixd\[plot\]"):
        plot.plot_reports([report()])


def test_what_is_not_finite_is_a_hole_in_the_waveform() -> None:
    figure: Any = plot.plot_waveform([0.5, np.nan, -0.25, np.inf], RATE_HZ, figure=Figure())
    assert figure.axes[0].get_ylim() == pytest.approx((-0.55, 0.55))
