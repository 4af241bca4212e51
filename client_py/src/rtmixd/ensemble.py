"""What became of something that several servers did together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from rtmixd.errors import RtmixdError
from rtmixd.report import Report

__all__ = ["EnsembleError", "EnsemblePart", "EnsembleReport"]


@dataclass(frozen=True)
class EnsemblePart:
    """What one server did.

    Attributes
    ----------
    target : str
        The server.
    reports : tuple of Report
        In the order of what was scheduled; empty if it was refused.
    error : RtmixdError or None
        Why it refused, or how it was lost.
    """

    target: str
    reports: tuple[Report, ...] = ()
    error: Optional[RtmixdError] = None

    @property
    def origin_frame(self) -> Optional[int]:
        """The frame of its stream that is the moment asked for; None if it was not fixed."""
        return self.reports[0].origin_frame if self.reports else None

    @property
    def uncertainty_frames(self) -> Optional[float]:
        """How far that may be off on the clock of its host, true in 99 of 100 cases."""
        return self.reports[0].origin_uncertainty_frames if self.reports else None

    @property
    def wall_clock_max_error_seconds(self) -> Optional[float]:
        """How far the clock of its host may be off, as that says; None if nothing keeps it."""
        return self.reports[0].wall_clock_max_error_seconds if self.reports else None

    @property
    def start_wall_time(self) -> Optional[datetime]:
        """When its first action that started was at the converter, UTC; None if none did."""
        return min(
            (r.start_wall_time for r in self.reports if r.start_wall_time is not None), default=None
        )

    @property
    def silent(self) -> bool:
        """Whether it is certain that nothing of it sounded or will."""
        return all(report.ended and report.start_frame is None for report in self.reports)


@dataclass(frozen=True)
class EnsembleReport:
    """What all did: one report for all.

    Attributes
    ----------
    parts : tuple of EnsemblePart
        In the order of the sessions.
    """

    parts: tuple[EnsemblePart, ...]

    @property
    def ok(self) -> bool:
        """Whether every server did all it was to do."""
        return all(p.error is None and all(r.ok for r in p.reports) for p in self.parts)

    @property
    def silent(self) -> bool:
        """Whether it is certain that nothing sounded anywhere, or will."""
        return all(part.silent for part in self.parts)

    @property
    def in_doubt(self) -> tuple[str, ...]:
        """The servers that were lost, so that it is not known what they did."""
        return tuple(p.target for p in self.parts if p.error is not None and not p.silent)

    @property
    def spread_seconds(self) -> Optional[float]:
        """From the first start to the last, each by the clock of its host; None if not all did."""
        starts = [part.start_wall_time for part in self.parts]
        known = [start for start in starts if start is not None]
        if not known or len(known) < len(starts):
            return None
        return (max(known) - min(known)).total_seconds()


class EnsembleError(RtmixdError):
    """Not all servers of an ensemble could do their part.

    Attributes
    ----------
    report : EnsembleReport
        Which ones, why, and what is certain.
    """

    def __init__(self, message: str, report: EnsembleReport) -> None:
        reasons = [f"{part.target}: {part.error}" for part in report.parts if part.error]
        super().__init__("; ".join([message, *reasons]))
        self.report = report
