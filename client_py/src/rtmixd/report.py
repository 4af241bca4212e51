"""What became of an action."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, Optional

from rtmixd._arguments import whole_or_none
from rtmixd._enums import short_name
from rtmixd.errors import Belated, Incomplete, TouchedByXrun

if TYPE_CHECKING:
    from rtmixd.v1 import action_pb2

__all__ = [
    "ActionKind",
    "ActionState",
    "BlockStats",
    "EndReason",
    "Gap",
    "Report",
    "StreamStats",
    "Touched",
    "Xrun",
    "XrunSide",
]

#: What an action does.
ActionKind = Literal[
    "play", "play_stream", "record", "record_stream", "cancel", "stats", "change", "unspecified"
]
#: How far it is, in order of life; "done": all its audio is, the verdict on xruns follows.
ActionState = Literal["pending", "active", "done", "ended", "unspecified"]
#: Why it ended; "unspecified" before it is done.
EndReason = Literal[
    "unspecified",
    "completed",
    "cancelled",
    "skipped",
    "underrun",
    "session_ended",
    "stream_closed",
    "limit_exceeded",
    "disconnected",
    "shutdown",
    "target_ended",
    "not_committed",
]
#: Whether an xrun touched it: surely not, surely, or it cannot be told (yet).
Touched = Literal["no", "yes", "cannot_tell", "unspecified"]
#: Which side of the device lost frames; "unspecified": cannot be told.
XrunSide = Literal["input", "output", "both", "unspecified"]


@dataclass(frozen=True)
class Xrun:
    """Frames that the device lost, between two frames of the stream.

    Attributes
    ----------
    frame : int
        It happened before this frame of the stream, which does not move with it, as far as can
        be told.
    side : {"input", "output", "both", "unspecified"}
        Where.
    lost_frames : int
        How many in the range, estimated from time; 0 if unknown.
    lost_frames_error : float
        Bound of the error of `lost_frames`: 0 means exact, infinity unknown.
    flagged : bool
        The host told; otherwise it was found from time that does not match the frames.
    earliest_frame, latest_frame : int
        All of it happened before one of the frames from the first to the second of these; they are
        equal where the place is known.
    """

    frame: int
    side: XrunSide
    lost_frames: int
    lost_frames_error: float
    flagged: bool
    earliest_frame: int
    latest_frame: int

    @classmethod
    def _of(cls, xrun: action_pb2.Xrun) -> Xrun:
        return cls(
            frame=xrun.frame,
            side=short_name("XrunSide", xrun.side),  # type: ignore[arg-type]
            lost_frames=xrun.lost_frames,
            lost_frames_error=xrun.lost_frames_error,
            flagged=xrun.flagged,
            earliest_frame=xrun.earliest_frame,
            latest_frame=xrun.latest_frame,
        )


@dataclass(frozen=True)
class Gap:
    """A stretch without audio.

    Attributes
    ----------
    position : int
        In frames of the action: where in the recording, or after how many frames of the sound.
    frame : int
        Frame of the stream where it began.
    frames : int
        Its length in frames.
    """

    position: int
    frame: int
    frames: int

    @classmethod
    def _of(cls, gap: action_pb2.Gap) -> Gap:
        return cls(position=gap.position, frame=gap.frame, frames=gap.frames)


@dataclass(frozen=True)
class BlockStats:
    """Blocks of the stream, and what the host said of them.

    Attributes
    ----------
    blocks : int
        Callbacks.
    min_frames, max_frames : int
        Frames in the smallest and the largest; 0 if there was none.
    input_underflows, input_overflows, output_underflows, output_overflows : int
        Callbacks that the host flagged so.
    """

    blocks: int = 0
    min_frames: int = 0
    max_frames: int = 0
    input_underflows: int = 0
    input_overflows: int = 0
    output_underflows: int = 0
    output_overflows: int = 0

    @classmethod
    def _of(cls, stats: action_pb2.BlockStats) -> BlockStats:
        return cls(
            blocks=stats.blocks,
            min_frames=stats.min_frames,
            max_frames=stats.max_frames,
            input_underflows=stats.input_underflows,
            input_overflows=stats.input_overflows,
            output_underflows=stats.output_underflows,
            output_overflows=stats.output_overflows,
        )


@dataclass(frozen=True)
class StreamStats:
    """Counters of the stream.

    Attributes
    ----------
    stream_id : str
        The stream; empty if none is open.
    since_frame, until_frame : int
        What was counted, in frames of the stream.
    blocks : BlockStats
        Blocks and what the host said of them.
    xruns : int
        Xruns, by flag or from time.
    lost_frames : int
        Frames lost by them, as far as known.
    clipped_samples : tuple of int
        For each output channel.
    cpu_load : float
        Part of the block period that the audio thread needs, 0 to 1.
    active_actions, pending_actions : int
        Actions that run, and that wait for their start, of all sessions.
    nonfinite_input_samples : int
        Samples of the input that were not finite and were taken for 0.
    """

    stream_id: str
    since_frame: int
    until_frame: int
    blocks: BlockStats
    xruns: int
    lost_frames: int
    clipped_samples: tuple[int, ...]
    cpu_load: float
    active_actions: int
    pending_actions: int
    nonfinite_input_samples: int = 0

    @classmethod
    def _of(cls, stats: action_pb2.StreamStats) -> StreamStats:
        return cls(
            stream_id=stats.stream_id,
            since_frame=stats.since_frame,
            until_frame=stats.until_frame,
            blocks=BlockStats._of(stats.blocks),
            xruns=stats.xruns,
            lost_frames=stats.lost_frames,
            clipped_samples=tuple(stats.clipped_samples),
            cpu_load=stats.cpu_load,
            active_actions=stats.active_actions,
            pending_actions=stats.pending_actions,
            nonfinite_input_samples=stats.nonfinite_input_samples,
        )


@dataclass(frozen=True)
class Report:
    """What an action was to do, and did: a snapshot, final once `ended`.

    Attributes
    ----------
    action_id, key, batch_id : str
        Its id, the key that the client chose, the batch it came in (empty for streams).
    kind : str
        ``"play"``, ``"play_stream"``, ``"record"``, ``"record_stream"``, ``"cancel"``,
        ``"change"`` or ``"stats"``.
    state : {"pending", "active", "done", "ended"}
        How far it is. When it is done only `xruns`, `xrun_count`, `touched` and
        `shortest_detectable_loss_frames` may still change; all is final when it has ended.
    stream_id : str
        The stream whose frames these are.
    requested_start_frame : int or None
        The start asked for; None while the origin is not known.
    start_frame : int or None
        The frame that its first sound or recorded frame really had; None before.
    end_frame : int or None
        The frame after its last; None before it is done.
    total_frames : int or None
        Length to be done; None if it runs until it is stopped.
    done_frames : int
        Frames done: of the sound played, or recorded, gaps included.
    late_frames : int
        How late it was when its block came; 0 if in time.
    dropped_frames : int
        Frames of the sound that were dropped, to be in place again or by a flush.
    end_reason : str
        ``"completed"``, ``"cancelled"``, ``"skipped"``, ``"underrun"``, ``"session_ended"``,
        ``"stream_closed"``, ``"limit_exceeded"``, ``"disconnected"``, ``"shutdown"``,
        ``"target_ended"`` (for a change: what it was to change had ended), ``"not_committed"``;
        ``"unspecified"`` before it is done.
    gaps : tuple of Gap
        Where it had no audio; the last holds all further ones if there are more than 8.
    gap_count, gap_frames : int
        Gaps in all, and their frames.
    xruns : tuple of Xrun
        Xruns of the device between its start and its end; the first 64 of them.
    xrun_count : int
        Xruns in all.
    touched : {"no", "yes", "cannot_tell"}
        Whether an xrun touched it.
    shortest_detectable_loss_frames : int
        The shortest loss that would have been found where the host does not tell of xruns; 0 if
        every loss is told.
    clipped_samples : int
        Samples that the whole mix clipped in the blocks in which it sounded.
    blocks : BlockStats
        The blocks in which it ran.
    buffer_id : str
        The buffer that it plays or records into; empty for streams.
    target_action_id : str
        For a cancel or a change: the action that it ends or changes.
    stats : StreamStats or None
        For stats: the counters; None before.
    underruns : int
        For streams: how often it ran dry.
    nonfinite_input_samples : int
        Samples of the input that were not finite and were taken for 0, in the blocks in which it
        ran.
    position_frames : int or None
        For plays from memory: the frame of the sound that comes next, or came next when it ended;
        as fresh as the report, see `Action.refresh`.
    paused : bool
        For plays: it stands still now, or stood still when it ended.
    after_action_id : str
        The action at whose end it starts; empty if none.
    origin_wall_time : datetime or None
        For a batch by the wall clock: the origin asked for, UTC. None for others, as the next five.
    origin_frame : int or None
        The frame of the origin; None before it is fixed.
    origin_uncertainty_frames : float or None
        How far the moment of `origin_frame` may be from the one asked for on the clock of the host,
        true in 99 of 100 cases.
    start_wall_time : datetime or None
        When `start_frame` really was at the converter, UTC, by the clock of the host.
    start_wall_time_uncertainty_frames : float or None
        Error of that, true in 99 of 100 cases.
    wall_clock_max_error_seconds : float or None
        How far the host said its clock may be off when the origin was fixed; None if nothing keeps
        it.
    calibrated : bool
        Its start was aligned at the converters with a calibration of the stream.
    sample_rate_hz : float
        Nominal rate of the stream, to turn frames into seconds; 0 if unknown.
    """

    action_id: str
    key: str = ""
    batch_id: str = ""
    kind: ActionKind = "unspecified"
    state: ActionState = "pending"
    stream_id: str = ""
    requested_start_frame: Optional[int] = None
    start_frame: Optional[int] = None
    end_frame: Optional[int] = None
    total_frames: Optional[int] = None
    done_frames: int = 0
    late_frames: int = 0
    dropped_frames: int = 0
    end_reason: EndReason = "unspecified"
    gaps: tuple[Gap, ...] = ()
    gap_count: int = 0
    gap_frames: int = 0
    xruns: tuple[Xrun, ...] = ()
    xrun_count: int = 0
    touched: Touched = "unspecified"
    shortest_detectable_loss_frames: int = 0
    clipped_samples: int = 0
    blocks: BlockStats = field(default_factory=BlockStats)
    buffer_id: str = ""
    target_action_id: str = ""
    stats: Optional[StreamStats] = None
    underruns: int = 0
    nonfinite_input_samples: int = 0
    position_frames: Optional[int] = None
    paused: bool = False
    after_action_id: str = ""
    origin_wall_time: Optional[datetime] = None
    origin_frame: Optional[int] = None
    origin_uncertainty_frames: Optional[float] = None
    start_wall_time: Optional[datetime] = None
    start_wall_time_uncertainty_frames: Optional[float] = None
    wall_clock_max_error_seconds: Optional[float] = None
    calibrated: bool = False
    sample_rate_hz: float = 0.0

    @classmethod
    def from_proto(cls, report: action_pb2.ActionReport, sample_rate_hz: float = 0.0) -> Report:
        """Read a report of the API.

        Parameters
        ----------
        report : rtmixd.v1.ActionReport
            As the server sent it.
        sample_rate_hz : float, optional
            Nominal rate of its stream.
        """

        def optional(name: str) -> Any:
            return getattr(report, name) if report.HasField(name) else None

        def time(name: str) -> Optional[datetime]:
            stamp = optional(name)
            if stamp is None:
                return None
            return datetime.fromtimestamp(stamp.seconds + stamp.nanos * 1e-9, timezone.utc)

        return cls(
            action_id=report.action_id,
            key=report.key,
            batch_id=report.batch_id,
            kind=short_name("ActionKind", report.kind),  # type: ignore[arg-type]
            state=short_name("ActionState", report.state),  # type: ignore[arg-type]
            stream_id=report.stream_id,
            requested_start_frame=optional("requested_start_frame"),
            start_frame=optional("start_frame"),
            end_frame=optional("end_frame"),
            total_frames=optional("total_frames"),
            done_frames=report.done_frames,
            late_frames=report.late_frames,
            dropped_frames=report.dropped_frames,
            end_reason=short_name("EndReason", report.end_reason),  # type: ignore[arg-type]
            gaps=tuple(Gap._of(gap) for gap in report.gaps),
            gap_count=report.gap_count,
            gap_frames=report.gap_frames,
            xruns=tuple(Xrun._of(xrun) for xrun in report.xruns),
            xrun_count=report.xrun_count,
            touched=short_name("Touched", report.touched),  # type: ignore[arg-type]
            shortest_detectable_loss_frames=report.shortest_detectable_loss_frames,
            clipped_samples=report.clipped_samples,
            blocks=BlockStats._of(report.blocks),
            buffer_id=report.buffer_id,
            target_action_id=report.target_action_id,
            stats=StreamStats._of(report.stats) if report.HasField("stats") else None,
            underruns=report.underruns,
            nonfinite_input_samples=report.nonfinite_input_samples,
            position_frames=optional("position_frames"),
            paused=report.paused,
            after_action_id=report.after_action_id,
            origin_wall_time=time("origin_wall_time"),
            origin_frame=optional("origin_frame"),
            origin_uncertainty_frames=optional("origin_uncertainty_frames"),
            start_wall_time=time("start_wall_time"),
            start_wall_time_uncertainty_frames=optional("start_wall_time_uncertainty_frames"),
            wall_clock_max_error_seconds=optional("wall_clock_max_error_seconds"),
            calibrated=report.calibrated,
            sample_rate_hz=sample_rate_hz,
        )

    @property
    def done(self) -> bool:
        """Whether all its audio has been played or recorded, or it was ended."""
        return self.state in ("done", "ended")

    @property
    def ended(self) -> bool:
        """Whether the report is final."""
        return self.state == "ended"

    @property
    def ok(self) -> bool:
        """Whether it did all it was to do, in time, and no xrun is known to have touched it."""
        return self._fault(strict=False) is None

    def check(self, strict: bool = False) -> Report:
        """Raise unless it did all it was to do.

        Parameters
        ----------
        strict : bool, optional
            Raise, too, if it cannot be told whether an xrun touched it.

        Returns
        -------
        Report
            Itself.

        Raises
        ------
        TouchedByXrun
            An xrun touched it: whatever else is wrong may come from that.
        Belated
            It started late, or was skipped for that.
        Incomplete
            It ended before its time, lacked audio on the way, or is not done.
        """
        fault = self._fault(strict)
        if fault is not None:
            raise fault
        return self

    def _fault(self, strict: bool) -> Optional[Exception]:
        name = f"{self.kind} {self.key or self.action_id}"
        if self.touched == "yes":
            lost = sum(xrun.lost_frames for xrun in self.xruns)
            return TouchedByXrun(
                f"{name} was touched by {_count(self.xrun_count, 'xrun')}; about {lost} frames"
                " were lost",
                self,
            )
        if self.end_reason == "skipped" or self.late_frames > 0:
            fate = "and was skipped" if self.end_reason == "skipped" else "when it started"
            return Belated(f"{name} was {self.late_frames} frames late {fate}", self)
        if not self.done:
            return Incomplete(f"{name} is not done: it is {self.state}", self)
        if self.end_reason not in ("completed", "cancelled"):
            return Incomplete(
                f"{name} ended after {self.done_frames} frames: {self.end_reason}", self
            )
        if self.gap_count:
            return Incomplete(
                f"{name} lacks {self.gap_frames} frames in {_count(self.gap_count, 'gap')}", self
            )
        if strict and self.touched != "no":
            return TouchedByXrun(f"{name} may have been touched by an xrun", self)
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain dicts, lists, numbers and ISO 8601 times."""
        return plain(self)

    def to_json(self, indent: Optional[int] = 2) -> str:
        """Return it as JSON.

        Parameters
        ----------
        indent : int, optional
            Spaces per level; None for one line.
        """
        return json.dumps(self.to_dict(), indent=whole_or_none(indent, "indent"))

    def plot(self, **options: Any) -> Any:
        """Draw when it ran, and where it had gaps and xruns. Needs matplotlib.

        Parameters
        ----------
        **options
            Go to `rtmixd.plot.plot_reports`.

        Returns
        -------
        matplotlib.figure.Figure
            What was drawn into.
        """
        from rtmixd.plot import plot_reports

        return plot_reports(self, **options)

    def __repr__(self) -> str:
        parts = [f"{self.kind} {self.key or self.action_id}", self.state]
        if self.start_frame is not None:
            end = "" if self.end_frame is None else str(self.end_frame)
            parts.append(f"frames {self.start_frame}..{end}")
        elif self.requested_start_frame is not None:
            parts.append(f"to start at frame {self.requested_start_frame}")
        if self.kind not in ("cancel", "change", "stats"):
            total = "" if self.total_frames is None else f" of {self.total_frames}"
            parts.append(f"{self.done_frames}{total} frames")
        if self.end_reason not in ("unspecified", "completed"):
            parts.append(self.end_reason)
        if self.paused:
            parts.append("paused")
        if self.late_frames:
            parts.append(f"{self.late_frames} frames late")
        if self.dropped_frames:
            parts.append(f"{self.dropped_frames} frames dropped")
        if self.gap_count:
            parts.append(f"{_count(self.gap_count, 'gap')} of {self.gap_frames} frames")
        if self.underruns:
            parts.append(_count(self.underruns, "underrun"))
        if self.xrun_count:
            parts.append(_count(self.xrun_count, "xrun"))
        if self.ended and self.touched == "cannot_tell":
            parts.append("xruns cannot be told")
        if self.clipped_samples:
            parts.append(f"{_count(self.clipped_samples, 'sample')} clipped")
        return f"<Report {', '.join(parts)}>"


def plain(report: Any) -> dict[str, Any]:
    """Return a report as plain dicts, lists, numbers and ISO 8601 times."""
    return _plain(asdict(report))  # type: ignore[no-any-return]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value
