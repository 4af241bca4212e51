"""Recordings that a server keeps on its disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

from rtmixd._enums import short_name
from rtmixd.report import Gap, Report
from rtmixd.v1 import server_info_pb2, spool_pb2

__all__ = ["SpoolStatus", "SpooledRecording", "SpooledRecordingState"]

#: How far a recording on the disk is.
SpooledRecordingState = Literal["recording", "complete", "interrupted"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class SpoolStatus:
    """How the spool of a server is, at one moment.

    Attributes
    ----------
    used_bytes, free_bytes : int
        Bytes of audio that it holds, and that its file system has left.
    recordings : int
        How many it holds.
    failure : str
        Why it cannot write now, like a full disk; empty while all is well.
    gap_frames : int
        Frames recorded since the server started that could not be written in time.
    """

    used_bytes: int
    free_bytes: int
    recordings: int
    failure: str
    gap_frames: int

    @classmethod
    def _of(cls, info: server_info_pb2.GetServerInfoResponse) -> SpoolStatus:
        spool = info.spool
        return cls(
            used_bytes=spool.used_bytes,
            free_bytes=spool.free_bytes,
            recordings=spool.recordings,
            failure=spool.failure,
            gap_frames=spool.gap_frames,
        )


@dataclass(frozen=True)
class SpooledRecording:
    """A recording on the disk of the server, at one moment.

    Attributes
    ----------
    id, label : str
        Its id, and what it is for people.
    state : {"recording", "complete", "interrupted"}
        Whether it still grows; "interrupted" if the server died meanwhile.
    channels : int
        Its channels.
    sample_rate_hz : float
        Frames per second.
    frames : int
        Frames that are there, `gaps` included.
    create_time : datetime
        When its first audio came, UTC.
    instance_id, session_id, session_label : str
        The server instance and the session that recorded it.
    report : Report
        What is known of the recording; of an interrupted one, what was known in its last second.
    gaps : tuple of Gap
        What the disk did not take in time: zeros in the file. At most 8.
    gap_frames : int
        Frames in all such gaps.
    """

    id: str
    label: str
    state: SpooledRecordingState
    channels: int
    sample_rate_hz: float
    frames: int
    create_time: datetime
    instance_id: str
    session_id: str
    session_label: str
    report: Report
    gaps: tuple[Gap, ...]
    gap_frames: int

    @classmethod
    def _of(cls, recording: spool_pb2.SpooledRecording) -> SpooledRecording:
        time = recording.create_time
        return cls(
            id=recording.recording_id,
            label=recording.label,
            state=short_name("SpooledRecordingState", recording.state),  # type: ignore[arg-type]
            channels=recording.channels,
            sample_rate_hz=recording.sample_rate_hz,
            frames=recording.frames,
            create_time=_EPOCH + timedelta(seconds=time.seconds, microseconds=time.nanos // 1000),
            instance_id=recording.instance_id,
            session_id=recording.session_id,
            session_label=recording.session_label,
            report=Report.from_proto(recording.report, recording.sample_rate_hz),
            gaps=tuple(Gap._of(gap) for gap in recording.gaps),
            gap_frames=recording.gap_frames,
        )
