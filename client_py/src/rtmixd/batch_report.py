"""What became of a batch as a whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from rtmixd._arguments import whole_or_none
from rtmixd._enums import short_name
from rtmixd.report import ActionState, Touched, Xrun, plain

if TYPE_CHECKING:
    from rtmixd.v1 import action_pb2

__all__ = ["BatchReport"]


@dataclass(frozen=True)
class BatchReport:
    """What the reports of a batch's actions say together: a snapshot, final once `ended`.

    Attributes
    ----------
    batch_id, stream_id : str
        Its id, and that of the stream whose frames these are.
    state : {"pending", "active", "done", "ended"}
        "pending" before its first action begins or ends, "done" when all are done or have ended,
        "ended" when all have ended, "active" between.
    actions : int
        Actions in it.
    pending_actions, active_actions, done_actions, ended_actions : int
        How many are in each state.
    ends : dict of str to int
        Why they ended, those that are done included, and how many; see `Report.end_reason`.
    start_frame : int or None
        The first frame that one of them sounded or recorded, or on which one took effect; None
        before.
    end_frame : int or None
        The frame after the last of them; None before all are done.
    touched : {"no", "yes", "cannot_tell"}
        "yes" if an xrun touched one of them; else "cannot_tell" if that cannot be told, or not yet,
        for one of them.
    touched_actions : int
        How many of them are "yes".
    shortest_detectable_loss_frames : int
        The largest of theirs.
    xruns : tuple of Xrun
        The xruns in their reports, each once, by their frames; the first 64 of them.
    xrun_count : int
        How many these are in all; there were more if a report has more than it lists.
    gap_count, gap_frames : int
        Gaps of all, which are overruns of recordings or an absence of the device, and their frames.
    late_actions, late_frames : int
        How many were late, skipped ones included, and how late the latest of them was.
    dropped_frames : int
        Frames of sounds that were dropped, in all.
    clipped_actions, clipped_samples : int
        How many ran while the mix was clipped, and the samples clipped in the blocks of the one in
        whose blocks most were.
    """

    batch_id: str
    stream_id: str = ""
    state: ActionState = "pending"
    actions: int = 0
    pending_actions: int = 0
    active_actions: int = 0
    done_actions: int = 0
    ended_actions: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    start_frame: Optional[int] = None
    end_frame: Optional[int] = None
    touched: Touched = "unspecified"
    touched_actions: int = 0
    shortest_detectable_loss_frames: int = 0
    xruns: tuple[Xrun, ...] = ()
    xrun_count: int = 0
    gap_count: int = 0
    gap_frames: int = 0
    late_actions: int = 0
    late_frames: int = 0
    dropped_frames: int = 0
    clipped_actions: int = 0
    clipped_samples: int = 0

    @classmethod
    def from_proto(cls, report: action_pb2.BatchReport) -> BatchReport:
        """Read a report of the API.

        Parameters
        ----------
        report : rtmixd.v1.BatchReport
            As the server sent it.
        """

        def optional(name: str) -> Any:
            return getattr(report, name) if report.HasField(name) else None

        return cls(
            batch_id=report.batch_id,
            stream_id=report.stream_id,
            state=short_name("ActionState", report.state),  # type: ignore[arg-type]
            actions=report.actions,
            pending_actions=report.pending_actions,
            active_actions=report.active_actions,
            done_actions=report.done_actions,
            ended_actions=report.ended_actions,
            ends={short_name("EndReason", end.end_reason): end.actions for end in report.ends},
            start_frame=optional("start_frame"),
            end_frame=optional("end_frame"),
            touched=short_name("Touched", report.touched),  # type: ignore[arg-type]
            touched_actions=report.touched_actions,
            shortest_detectable_loss_frames=report.shortest_detectable_loss_frames,
            xruns=tuple(Xrun._of(xrun) for xrun in report.xruns),
            xrun_count=report.xrun_count,
            gap_count=report.gap_count,
            gap_frames=report.gap_frames,
            late_actions=report.late_actions,
            late_frames=report.late_frames,
            dropped_frames=report.dropped_frames,
            clipped_actions=report.clipped_actions,
            clipped_samples=report.clipped_samples,
        )

    @property
    def done(self) -> bool:
        """Whether all audio of all has been played or recorded, or was ended."""
        return self.state in ("done", "ended")

    @property
    def ended(self) -> bool:
        """Whether the report is final."""
        return self.state == "ended"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain dicts, lists and numbers."""
        return plain(self)

    def to_json(self, indent: Optional[int] = 2) -> str:
        """Return it as JSON.

        Parameters
        ----------
        indent : int, optional
            Spaces per level; None for one line.
        """
        return json.dumps(self.to_dict(), indent=whole_or_none(indent, "indent"))
