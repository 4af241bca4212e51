"""What a session sees of the recordings on the server's disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from rtmixd import _methods, errors, samples
from rtmixd._arguments import text, whole, whole_or_none
from rtmixd.aio import _convert
from rtmixd.aio._connection import CALL_SECONDS
from rtmixd.recording import Recording
from rtmixd.samples import Wire
from rtmixd.spool import SpooledRecording
from rtmixd.v1 import spool_pb2

__all__ = ["SessionSpool"]


class SessionSpool:
    """The part of `Session` that reads the spool of a server that was started with ``--spool``."""

    async def spooled_recordings(self) -> list[SpooledRecording]:
        """List the session's recordings on the disk, and those of sessions that have ended.

        Among them is what a server recorded before it died.

        Raises
        ------
        NotEnabled
            The server was started without ``--spool``.
        """
        found: list[SpooledRecording] = []
        request = spool_pb2.ListSpooledRecordingsRequest(page_size=1000)
        while True:
            response = await self._call(_methods.LIST_SPOOLED_RECORDINGS, request, retry=True)
            found.extend(SpooledRecording._of(recording) for recording in response.recordings)
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token

    async def fetch_spooled(
        self,
        id: str,  # noqa: A002
        first_frame: int = 0,
        frames: Optional[int] = None,
        *,
        wire: Wire = "float32",
    ) -> Recording:
        """Fetch a recording from the disk, as far as it has been written.

        Parameters
        ----------
        id : str
            Its id.
        first_frame : int, optional
            Where to begin; 0 to what is there.
        frames : int, optional
            How many; by default all.
        wire : {"float32", "int16", "int24", "int32"}, optional
            How the samples travel.

        Returns
        -------
        Recording
            The audio, with the report that is known of it.

        Raises
        ------
        NotFound
            It was deleted, or never was.
        ForeignSession
            The session that recorded it lives.
        """
        request = spool_pb2.DownloadSpooledRecordingRequest(
            recording_id=text(id, "id"),
            first_frame=whole(first_frame, "first_frame"),
            frames=whole_or_none(frames, "frames"),
            sample_format=_convert.sample_format(wire),
        )
        info: Optional[SpooledRecording] = None
        parts: list[NDArray[np.float32]] = []
        async for response in self._stream_from(_methods.DOWNLOAD_SPOOLED_RECORDING, request):
            if response.HasField("recording"):
                info = SpooledRecording._of(response.recording)
            elif info is not None:
                parts.append(samples.decode(response.audio.data, info.channels, wire))
        if info is None:
            raise errors.InternalError("the server did not tell of the recording", code="internal")
        start = info.report.start_frame
        return Recording(
            samples=np.concatenate(parts) if parts else np.empty((0, info.channels), np.float32),
            sample_rate_hz=info.sample_rate_hz,
            start_frame=None if start is None else start + first_frame,
            report=info.report,
        )

    async def delete_spooled(self, id: str) -> None:  # noqa: A002
        """Delete a recording from the disk, for good.

        Raises
        ------
        WrongState
            It is being recorded.
        """
        await self._call(
            _methods.DELETE_SPOOLED_RECORDING,
            spool_pb2.DeleteSpooledRecordingRequest(recording_id=text(id, "id")),
        )

    async def _call(
        self, method: Any, request: Any, *, timeout: float = CALL_SECONDS, retry: bool = False
    ) -> Any:
        raise NotImplementedError

    def _stream_from(self, method: Any, request: Any) -> AsyncIterator[Any]:
        raise NotImplementedError
