"""Pictures of recordings, reports and levels.

Needs matplotlib (``pip install rtmixd[plot]``), which is imported when something is drawn.
Everything returns a `matplotlib.figure.Figure`; without one of your own to draw into, pyplot makes
it, so that ``matplotlib.pyplot.show()`` shows it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

import numpy as np
import numpy.typing as npt

from rtmixd._arguments import instance, number, several, whole
from rtmixd.latency import LatencyMeasurement
from rtmixd.recording import Recording
from rtmixd.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from rtmixd._sync import Client
    from rtmixd.info import Level, Levels
    from rtmixd.report import Gap, Xrun

__all__ = [
    "Envelope",
    "LevelMeter",
    "envelope",
    "plot_impulse_response",
    "plot_recording",
    "plot_reports",
    "plot_waveform",
    "show_levels",
]

Canvas = Union["Figure", "SubFigure"]

# Columns in which a waveform is drawn; about twice what a screen can show of it.
_COLUMNS = 4000

# Xruns and gaps that get a line of their own in the legend.
_LEGEND_LINES = 4

# One after the other for marks.
_MARK_STYLES = ("-", "-.", ":")

_WAVE, _START, _XRUN, _GAP, _LATE = "tab:blue", "tab:green", "tab:red", "tab:orange", "tab:purple"


class Envelope(NamedTuple):
    """A waveform in few columns: what lies between the lowest and the highest sample of each."""

    first: npt.NDArray[np.int64]
    """First frame of each column, shape (columns,)."""
    lowest: npt.NDArray[np.float32]
    """Lowest sample of each column, shape (columns, channels)."""
    highest: npt.NDArray[np.float32]
    """Highest sample of each column, shape (columns, channels)."""


def envelope(samples: npt.ArrayLike, columns: int) -> Envelope:
    """Sum a waveform up in few columns, losing no peak.

    Parameters
    ----------
    samples : array_like of float, shape (frames, channels) or (frames,)
    columns : int
        How many columns at most, at least 1. Fewer frames than that keep a column each.

    Returns
    -------
    Envelope
    """
    waveform = _waveform(samples)
    frames = len(waveform)
    columns = whole(columns, "columns")
    if columns < 1:
        raise ValueError(f"columns is {columns}, at least 1 is needed")
    count = min(columns, frames)
    first = np.arange(count, dtype=np.int64) * frames // max(count, 1)
    if count == 0:
        nothing = np.empty((0, waveform.shape[1]), dtype=np.float32)
        return Envelope(first, nothing, nothing)
    return Envelope(
        first, np.minimum.reduceat(waveform, first), np.maximum.reduceat(waveform, first)
    )


def plot_waveform(
    samples: npt.ArrayLike,
    sample_rate_hz: float,
    *,
    start_frame: int = 0,
    marks: Optional[Mapping[str, int]] = None,
    xruns: Iterable[Xrun] = (),
    gaps: Iterable[Gap] = (),
    labels: Optional[Sequence[str]] = None,
    title: Optional[str] = None,
    figure: Optional[Canvas] = None,
) -> Canvas:
    """Draw a waveform, channel below channel, over seconds and over frames of the stream.

    Parameters
    ----------
    samples : array_like of float, shape (frames, channels) or (frames,)
    sample_rate_hz : float
        Frames per second.
    start_frame : int
        Frame of the stream that the first of `samples` was.
    marks : mapping of str to int, optional
        Frames of the stream to mark, by what to call them.
    xruns : iterable of Xrun
        Frames that the device lost, marked where they did.
    gaps : iterable of Gap
        Stretches of `samples` without audio, shaded.
    labels : sequence of str, optional
        A name for each channel; "channel 1" and so on otherwise.
    title : str, optional
    figure : Figure or SubFigure, optional
        What to draw into.

    Returns
    -------
    Figure or SubFigure
        `figure`, or a new one.
    """
    waveform = _waveform(samples)
    if not 0 < number(sample_rate_hz, "sample_rate_hz") < math.inf:
        raise ValueError(f"sample_rate_hz is {sample_rate_hz}, more than 0 is needed")
    frames, channels = waveform.shape
    names = [f"channel {i + 1}" for i in range(channels)] if labels is None else list(labels)
    if len(names) != channels:
        raise ValueError(f"{len(names)} labels for {channels} channels")
    canvas: Any = _canvas(figure, height=1.4 + 1.3 * max(channels, 1))
    grid = canvas.subplots(max(channels, 1), 1, sharex=True, sharey=True, squeeze=False)
    axes: list[Axes] = list(grid[:, 0])

    drawn = envelope(waveform, _COLUMNS)
    seconds = drawn.first / sample_rate_hz
    for channel, axis in enumerate(axes[:channels]):
        low, high = drawn.lowest[:, channel], drawn.highest[:, channel]
        axis.fill_between(seconds, low, high, color=_WAVE, linewidth=0.6)
        axis.set_ylabel(names[channel])
    # What is not finite is a hole in the picture.
    peak = float(np.max(np.abs(waveform), initial=0.0, where=np.isfinite(waveform)))
    limit = 1.1 * peak if peak > 0 else 1.0
    axes[0].set_ylim(-limit, limit)

    marking = _Marking(axes, lambda frame: (frame - start_frame) / sample_rate_hz)
    for (name, frame), style in zip((marks or {}).items(), itertools.cycle(_MARK_STYLES)):
        marking.line(frame, f"{name}: frame {frame}", _START, style)
    marking.xruns(xruns)
    marking.gaps((start_frame + gap.position, gap.frames) for gap in gaps)
    axes[-1].set_xlim(*_with_margin(min(marking.leftmost, 0.0), max(frames / sample_rate_hz, 0.0)))
    axes[-1].set_xlabel(f"seconds since frame {start_frame}")
    over = axes[0].secondary_xaxis(
        "top",
        functions=(
            lambda seconds: start_frame + np.asarray(seconds) * sample_rate_hz,
            lambda frame: (np.asarray(frame) - start_frame) / sample_rate_hz,
        ),
    )
    over.set_xlabel("frame of the stream")
    _plain_numbers(over)
    _finish(canvas, marking, title)
    drawn_into: Canvas = canvas
    return drawn_into


def plot_recording(
    recording: Recording,
    *,
    title: Optional[str] = None,
    figure: Optional[Canvas] = None,
) -> Canvas:
    """Draw a recording with its start, its xruns and its gaps.

    The start of what was played with it is marked, too.

    Parameters
    ----------
    recording : Recording
    title : str, optional
    figure : Figure or SubFigure, optional
        What to draw into.

    Returns
    -------
    Figure or SubFigure
        `figure`, or a new one.
    """
    instance(recording, Recording, "recording")
    report, play_report = recording.report, recording.play_report
    start_frame = recording.start_frame or 0
    marks = {} if recording.start_frame is None else {"recording starts": start_frame}
    if report.late_frames > 0 and report.requested_start_frame is not None:
        marks["asked for"] = report.requested_start_frame
    if play_report is not None and play_report.start_frame is not None:
        marks["play starts"] = play_report.start_frame
    return plot_waveform(
        recording.samples,
        recording.sample_rate_hz,
        start_frame=start_frame,
        marks=marks,
        xruns=report.xruns,
        gaps=report.gaps,
        title=title,
        figure=figure,
    )


def plot_reports(
    reports: Union[Report, Sequence[Report]],
    *,
    title: Optional[str] = None,
    figure: Optional[Canvas] = None,
) -> Canvas:
    """Draw actions over the frames of the stream, one in a row: asked for, started, lost, ended.

    Parameters
    ----------
    reports : Report or sequence of Report
        Of one stream, since frames of different streams cannot be compared.
    title : str, optional
    figure : Figure or SubFigure, optional
        What to draw into.

    Returns
    -------
    Figure or SubFigure
        `figure`, or a new one.

    Raises
    ------
    ValueError
        If the reports are of different streams.
    """
    rows: list[Report] = (
        [reports] if isinstance(reports, Report) else several(reports, "reports", "Report")
    )
    for report in rows:
        instance(report, Report, "reports", "a Report or a sequence of them")
    if len({report.stream_id for report in rows if report.stream_id}) > 1:
        raise ValueError("the reports are of different streams, whose frames cannot be compared")
    canvas: Any = _canvas(figure, height=1.8 + 0.45 * len(rows))
    axis: Axes = canvas.subplots()
    marking = _Marking([axis], float)
    for row, report in enumerate(rows):
        start, end = report.start_frame, _end_frame(report)
        if start is None or end is None:
            _draw_unstarted(axis, row, report)
            continue
        height = 0.6
        bottom = row - height / 2
        axis.broken_barh([(start, end - start)], (bottom, height), facecolors=_WAVE, alpha=0.6)
        if start == end:
            axis.plot([start], [row], marker="|", markersize=16, color=_WAVE)
        asked_for = report.requested_start_frame
        if asked_for is not None and asked_for < start:
            late = axis.broken_barh(
                [(asked_for, start - asked_for)],
                (bottom, height),
                facecolors="none",
                edgecolors=_LATE,
                hatch="////",
            )
            marking.keep(late, f"late by {report.late_frames} frames")
        marking.xruns(report.xruns, row)
        marking.gaps(((gap.frame, gap.frames) for gap in report.gaps), row)
        axis.annotate(f" {_ending(report)}", (end, row), va="center", fontsize="small")
    axis.set_yticks(range(len(rows)), [_name(report) for report in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.margins(x=0.15)
    axis.set_xlabel("frame of the stream")
    _plain_numbers(axis)
    _finish(canvas, marking, title)
    drawn_into: Canvas = canvas
    return drawn_into


def plot_impulse_response(
    measurement: LatencyMeasurement,
    *,
    reach_frames: int = 64,
    title: Optional[str] = None,
    figure: Optional[Canvas] = None,
) -> Canvas:
    """Draw what one pulse becomes on the way from the output to the input, around its peak.

    Parameters
    ----------
    measurement : LatencyMeasurement
        With an impulse response.
    reach_frames : int
        How many frames to each side of the peak.
    title : str, optional
        By default what was measured.
    figure : Figure or SubFigure, optional
        What to draw into.

    Returns
    -------
    Figure or SubFigure
        `figure`, or a new one.

    Raises
    ------
    ValueError
        If nothing was heard, so that there is no impulse response.
    """
    instance(measurement, LatencyMeasurement, "measurement")
    response = measurement.impulse_response
    size = len(response)
    if size <= 2 * reach_frames:
        raise ValueError(
            f"an impulse response of {size} frames has no {reach_frames} around a peak"
        )
    peak = int(np.argmax(np.abs(response)))
    # The end of the circle is before its beginning.
    peak -= size if peak >= size - reach_frames else 0
    frames = np.arange(peak - reach_frames, peak + reach_frames + 1)
    canvas: Any = _canvas(figure, height=4.0)
    axis: Axes = canvas.subplots()
    axis.vlines(frames, 0, response[frames % size], color=_WAVE)
    axis.axhline(0, color="0.5", linewidth=0.6)
    marking = _Marking([axis], float)
    if measurement.round_trip_frames is not None:
        line = axis.axvline(measurement.round_trip_frames, color=_START)
        marking.keep(line, f"round trip: {measurement.round_trip_frames:.3f} frames")
    axis.set_xlabel("frames after it was played")
    axis.set_ylabel(f"input {measurement.input} over output {measurement.output}")
    _finish(canvas, marking, title if title is not None else repr(measurement).strip("<>"))
    drawn_into: Canvas = canvas
    return drawn_into


class LevelMeter:
    """Bars for the levels of all inputs and outputs: RMS filled, peak and held peak as lines.

    A channel whose samples were clipped is marked red for as long as the peak is held.

    Parameters
    ----------
    floor_db : float
        The lowest level shown, in dB below full scale; less than 0.
    hold_updates : int
        For how many updates a peak is held.
    figure : Figure or SubFigure, optional
        What to draw into.
    """

    figure: Canvas
    """What is drawn into."""

    def __init__(
        self, *, floor_db: float = -60.0, hold_updates: int = 15, figure: Optional[Canvas] = None
    ) -> None:
        if not number(floor_db, "floor_db") < 0:
            raise ValueError(f"floor_db is {floor_db}, less than 0 is needed")
        self.figure = _canvas(figure, height=3.2)
        self._floor_db = floor_db
        self._hold_updates = hold_updates
        self._panels: list[_MeterPanel] = []

    def update(self, levels: Levels) -> None:
        """Show new levels; the first ones tell how many channels there are."""
        sides = [("input", levels.inputs), ("output", levels.outputs)]
        if [len(side) for _, side in sides if side] != [panel.channels for panel in self._panels]:
            self._lay_out(sides)
        for panel, side in zip(self._panels, (side for _, side in sides if side)):
            panel.update(side)

    def held_db(self, side: str) -> tuple[float, ...]:
        """Return the held peaks in dB.

        Parameters
        ----------
        side : {"input", "output"}
        """
        for panel in self._panels:
            if panel.side == side:
                return tuple(panel.held_db)
        return ()

    def _lay_out(self, sides: Sequence[tuple[str, Sequence[Level]]]) -> None:
        self.figure.clear()
        self._panels = []
        shown = [(name, side) for name, side in sides if side]
        if not shown:
            return
        grid = self.figure.subplots(
            1, len(shown), sharey=True, squeeze=False, width_ratios=[len(s) + 1 for _, s in shown]
        )
        for axis, (name, side) in zip(grid[0], shown):
            self._panels.append(
                _MeterPanel(axis, name, len(side), self._floor_db, self._hold_updates)
            )
        grid[0][0].set_ylabel("level (dB, full scale is 0)")


class _MeterPanel:
    """The bars of one side."""

    def __init__(
        self, axis: Axes, side: str, channels: int, floor_db: float, hold_updates: int
    ) -> None:
        self.side = side
        self.channels = channels
        self.held_db = [floor_db] * channels
        self._held_for = [0] * channels
        self._clipped_for = [hold_updates] * channels
        self._floor_db = floor_db
        self._hold_updates = hold_updates
        places = np.arange(1, channels + 1)
        silence = np.full(channels, floor_db)
        self._rms = axis.bar(places, np.zeros(channels), bottom=floor_db, width=0.7, color=_WAVE)
        self._peaks = axis.hlines(silence, places - 0.35, places + 0.35, colors="0.3")
        self._held = axis.hlines(silence, places - 0.35, places + 0.35, colors=_GAP, linewidths=2)
        axis.set_xticks(places)
        axis.set_xlim(0.3, channels + 0.7)
        axis.set_ylim(floor_db, 3)
        axis.set_xlabel(side)
        axis.grid(axis="y", linewidth=0.4)
        axis.set_axisbelow(True)

    def update(self, levels: Sequence[Level]) -> None:
        peaks = [_decibels(level.peak, self._floor_db) for level in levels]
        for i, (level, peak) in enumerate(zip(levels, peaks)):
            self._held_for[i] += 1
            if peak >= self.held_db[i] or self._held_for[i] > self._hold_updates:
                self.held_db[i], self._held_for[i] = peak, 0
            self._clipped_for[i] = 0 if level.clipped_samples > 0 else self._clipped_for[i] + 1
            clipped = self._clipped_for[i] < self._hold_updates
            bar = self._rms.patches[i]
            bar.set_height(_decibels(level.rms, self._floor_db) - self._floor_db)
            bar.set_facecolor(_XRUN if clipped else _WAVE)
        self._peaks.set_segments(_segments(peaks))
        self._held.set_segments(_segments(self.held_db))


def show_levels(
    client: Client, *, interval: float = 0.1, seconds: Optional[float] = None
) -> LevelMeter:
    """Open a window with the levels of the stream, and follow them until it is closed.

    Parameters
    ----------
    client : Client
    interval : float
        Seconds between updates, 0.02 to 10.
    seconds : float, optional
        Stop after so long; otherwise when the window is closed.

    Returns
    -------
    LevelMeter
        As it was last drawn.
    """
    levels_of = getattr(client, "meters", None)
    if levels_of is None:
        raise ValueError(f"client is {client!r}: it has to be a Client")
    plt = _pyplot()
    meter = LevelMeter()
    figure: Any = meter.figure
    left = math.inf if seconds is None else max(1, round(seconds / interval))
    plt.show(block=False)
    for levels in levels_of(interval=interval):
        meter.update(levels)
        figure.canvas.draw_idle()
        figure.canvas.flush_events()
        left -= 1
        if left <= 0 or not plt.fignum_exists(figure.number):
            break
    return meter


class _Marking:
    """Marks places on several axes at once, and keeps what the legend says of them."""

    def __init__(self, axes: Sequence[Axes], place: Any) -> None:
        self.axes = axes
        self._place = place
        self.handles: list[Any] = []
        self.names: list[str] = []
        self.leftmost = math.inf

    def line(
        self, frame: int, name: str, color: str, style: str, row: Optional[int] = None
    ) -> None:
        """Draw a line at a frame; only through a row of a timeline if there is one."""
        at = self._place(frame)
        self.leftmost = min(self.leftmost, at)
        for axis in self.axes:
            if row is None:
                artist: Any = axis.axvline(at, color=color, linestyle=style, linewidth=1.2)
            else:
                artist = axis.vlines(at, row - 0.4, row + 0.4, colors=color, linestyles=style)
        self.keep(artist, name)

    def xruns(self, xruns: Iterable[Xrun], row: Optional[int] = None) -> None:
        """Mark xruns; many share a line of the legend."""
        for i, xrun in enumerate(xruns):
            name = _xrun_text(xrun) if i < _LEGEND_LINES else "further xruns"
            self.line(xrun.frame, name, _XRUN, "--", row)

    def gaps(self, gaps: Iterable[tuple[int, int]], row: Optional[int] = None) -> None:
        """Shade gaps, each given by its first frame of the stream and its frames."""
        for i, (frame, frames) in enumerate(gaps):
            left, right = self._place(frame), self._place(frame + frames)
            for axis in self.axes:
                if row is None:
                    artist: Any = axis.axvspan(left, right, color=_GAP, alpha=0.35, linewidth=0)
                else:
                    artist = axis.broken_barh(
                        [(left, right - left)], (row - 0.3, 0.6), facecolors=_GAP
                    )
            name = f"gap: {frames} frames from frame {frame}"
            self.keep(artist, name if i < _LEGEND_LINES else "further gaps")

    def keep(self, artist: Any, name: str) -> None:
        """Give an artist a line of the legend, unless one says the same."""
        if name not in self.names:
            self.handles.append(artist)
            self.names.append(name)


def _canvas(figure: Optional[Canvas], *, height: float) -> Any:
    """Return what to draw into; Any, since the two kinds share no typed base."""
    if figure is not None:
        from matplotlib.figure import FigureBase

        return instance(figure, FigureBase, "figure", "a Figure or SubFigure")
    return _pyplot().figure(figsize=(10, height), layout="constrained")


def _waveform(samples: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return samples as (frames, channels)."""
    try:
        waveform = np.asarray(samples, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"samples is no array of numbers: {error}") from None
    if waveform.ndim == 1:
        waveform = waveform[:, np.newaxis]
    if waveform.ndim != 2:
        raise ValueError(f"samples has {waveform.ndim} dimensions, (frames, channels) is needed")
    return waveform


def _pyplot() -> Any:
    """Return the module, which has no types that every supported version shares."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install rtmixd[plot]") from error
    return plt


def _finish(canvas: Any, marking: _Marking, title: Optional[str]) -> None:
    if title is not None:
        canvas.suptitle(title)
    if marking.handles:
        from matplotlib.transforms import offset_copy

        # Below the label of the lowest axis, which takes the same height whatever the figure's.
        lowest = marking.axes[-1]
        lowest.legend(
            marking.handles,
            marking.names,
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            bbox_transform=offset_copy(lowest.transAxes, fig=canvas, y=-0.45, units="inches"),
            ncols=2,
            fontsize="small",
        )


def _plain_numbers(axis: Any) -> None:
    """Frames are read digit by digit: no offset, no powers of ten."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))


def _with_margin(left: float, right: float) -> tuple[float, float]:
    width = right - left if right > left else 1.0
    return left - 0.02 * width, right + 0.02 * width


def _segments(levels: Sequence[float]) -> list[Any]:
    return [[(i + 0.65, level), (i + 1.35, level)] for i, level in enumerate(levels)]


def _decibels(level: float, floor_db: float) -> float:
    return max(20 * math.log10(level), floor_db) if level > 0 else floor_db


def _end_frame(report: Report) -> Optional[int]:
    """Where the bar of an action ends; for one that runs, as far as it has come."""
    if report.end_frame is not None or report.start_frame is None:
        return report.end_frame
    return report.start_frame + report.done_frames


def _draw_unstarted(axis: Axes, row: int, report: Report) -> None:
    if report.requested_start_frame is None:
        return
    axis.plot([report.requested_start_frame], [row], marker="x", color=_LATE)
    text = f"  {_ending(report)}, {report.late_frames} frames late"
    axis.annotate(text, (report.requested_start_frame, row), va="center", fontsize="small")


def _name(report: Report) -> str:
    return f"{report.kind} {report.key}" if report.key else report.kind


def _ending(report: Report) -> str:
    return report.state if report.end_reason == "unspecified" else report.end_reason


def _xrun_text(xrun: Xrun) -> str:
    side = "unknown side" if xrun.side == "unspecified" else xrun.side
    lost = f"about {xrun.lost_frames} frames lost" if xrun.lost_frames > 0 else "loss unknown"
    return f"xrun before frame {xrun.frame} ({side}): {lost}"
