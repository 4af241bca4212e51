"""Audio that lives on the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtmixd import _methods, errors, samples
from rtmixd._arguments import flag, function, whole, whole_or_none
from rtmixd.aio import _convert
from rtmixd.aio._connection import SILENCE_SECONDS
from rtmixd.aio._nested import encode_upload
from rtmixd.info import BufferInfo
from rtmixd.samples import Wire
from rtmixd.v1 import buffer_pb2

if TYPE_CHECKING:
    from rtmixd.aio.session import Session

__all__ = ["Buffer", "Progress"]

#: Is told how many frames of how many have moved.
Progress = Callable[[int, int], Any]

_UPLOAD_CHUNK_BYTES = 512 << 10
_PAUSE_SECONDS = 0.1
# Within which a server that lives has ended a call whose connection broke.
_BROKEN_CALL_SECONDS = 10.0


class Buffer:
    """A buffer of the server: uploaded or recorded, played any number of times, downloaded.

    Made by `Session.buffer`, `Session.upload` and `Session.open_buffer`. As a context manager it
    deletes itself, unless it was made to be kept or was only opened.
    """

    def __init__(self, session: Session, info: buffer_pb2.AudioBuffer, owned: bool) -> None:
        self._session = session
        self._id = str(info.buffer_id)
        self._channels = int(info.channels)
        self._rate = float(info.sample_rate_hz)
        self._owned = owned

    @property
    def id(self) -> str:
        """Its id."""
        return self._id

    @property
    def channels(self) -> int:
        """Its channels."""
        return self._channels

    @property
    def sample_rate_hz(self) -> float:
        """What its audio is meant for; 0 if unknown."""
        return self._rate

    async def info(self) -> BufferInfo:
        """Ask how it is now.

        Raises
        ------
        NotFound
            It was deleted.
        """
        return BufferInfo._of(await self._info())

    async def append(
        self,
        sound: ArrayLike,
        *,
        complete: bool = False,
        wire: Wire = "float32",
        progress: Optional[Progress] = None,
    ) -> None:
        """Append a sound. Goes on by itself after the connection broke.

        Parameters
        ----------
        sound : array_like
            Shape (frames,) or (frames, channels); see `rtmixd.samples.to_frames`.
        complete : bool, optional
            Nothing will follow: the buffer can be played.
        wire : {"float32", "int16", "int24", "int32"}, optional
            How the samples travel.
        progress : callable, optional
            Is called with the frames that were sent so far, and all of them.

        Raises
        ------
        InvalidArgument
            The sound cannot be converted, or has other channels.
        WrongState
            The buffer is complete, or somebody else writes to it.
        LimitExceeded
            It would exceed a limit of bytes. What came before stays.
        Disconnected
            The server cannot be reached any more.
        """
        complete = flag(complete, "complete")
        samples.bytes_per_sample(wire)
        function(progress, "progress")
        frames = samples.to_frames(sound, self._channels)
        info = await self._info()
        begin = int(info.frames)
        end = begin + len(frames)
        loop = asyncio.get_running_loop()
        busy_until = 0.0
        while True:
            try:
                await self._upload(frames, begin, int(info.frames), complete, wire, progress)
                return
            except errors.Disconnected:
                # What fell silent was waited for already: whoever waits here is to be told.
                if self._session._connection.lost and self._session._patience <= SILENCE_SECONDS:
                    raise
                busy_until = loop.time() + _BROKEN_CALL_SECONDS
            except (errors.WrongState, errors.BadPosition):
                # The server may hear of the broken call only now, after all that was asked since.
                if loop.time() >= busy_until:
                    raise
            info = await self._info_after_break()
            if info.frames == end and (
                not complete or info.state == buffer_pb2.BUFFER_STATE_COMPLETE
            ):
                return
            if not begin <= info.frames <= end:
                raise errors.WrongState(
                    f"buffer {self.id} holds {info.frames} frames; {begin} to {end} were expected:"
                    " somebody else writes to it",
                    field="frames",
                    value=str(info.frames),
                    limit=f"{begin} to {end}",
                )

    async def complete(self) -> None:
        """Say that nothing will follow: it can be played then."""
        await self.append(np.zeros((0, self._channels), np.float32), complete=True)

    async def download(
        self,
        first_frame: int = 0,
        frames: Optional[int] = None,
        *,
        wire: Wire = "float32",
        follow: bool = False,
        progress: Optional[Progress] = None,
    ) -> NDArray[np.float32]:
        """Fetch audio. Goes on by itself after the connection broke.

        Parameters
        ----------
        first_frame : int, optional
            Where to begin; 0 to what the buffer holds.
        frames : int, optional
            How many; by default all that it holds.
        wire : {"float32", "int16", "int24", "int32"}, optional
            How the samples travel.
        follow : bool, optional
            While the buffer grows, wait for what will come, until it is complete.
        progress : callable, optional
            Is called with the frames that came so far, and all that are known of.

        Returns
        -------
        numpy.ndarray
            float32, shape (frames, channels).

        Raises
        ------
        InvalidArgument
            `first_frame` or `frames` is out of range.
        NotFound
            The buffer was deleted.
        Disconnected
            The server cannot be reached any more.
        """
        _, out = await fetch(
            self._session, self.id, first_frame, frames, wire, follow=follow, progress=progress
        )
        return out

    async def chunks(
        self,
        first_frame: int = 0,
        frames: Optional[int] = None,
        *,
        wire: Wire = "float32",
        follow: bool = False,
    ) -> AsyncIterator[NDArray[np.float32]]:
        """Fetch audio piece by piece, without keeping it. The parameters are those of `download`.

        Yields
        ------
        numpy.ndarray
            The next frames: float32, shape (frames, channels), not to be written.
        """
        async for piece in _pieces(self._session, self.id, first_frame, frames, wire, follow):
            if isinstance(piece, bytes):
                yield samples.decode(piece, self._channels, wire)

    async def delete(self) -> None:
        """Delete it. What plays it plays on."""
        self._owned = False
        await self._session._call(
            _methods.DELETE_BUFFER, buffer_pb2.DeleteBufferRequest(buffer_id=self.id)
        )

    async def __aenter__(self) -> Buffer:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if not self._owned:
            return
        # If not, it is gone already, or goes with its session.
        with contextlib.suppress(
            errors.Disconnected, errors.NotFound, errors.SessionExpired, errors.Cancelled
        ):
            await self.delete()

    async def _info(self) -> buffer_pb2.AudioBuffer:
        request = buffer_pb2.GetBufferRequest(buffer_id=self.id)
        response = await self._session._call(_methods.GET_BUFFER, request, retry=True)
        return response.buffer

    async def _info_after_break(self) -> buffer_pb2.AudioBuffer:
        """Ask how it is when an upload broke off, as long as the client is patient.

        The server may still be busy with what came before the break. It takes one upload at a time:
        when it takes an empty one, that has ended.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._session._patience
        busy_until = loop.time() + _BROKEN_CALL_SECONDS
        while True:
            try:
                info = await self._info()
                if info.state == buffer_pb2.BUFFER_STATE_COMPLETE:
                    return info
                return await self._upload(
                    np.zeros((0, self._channels), np.float32), 0, 0, False, "float32", None
                )
            except errors.Disconnected:
                if loop.time() >= give_up:
                    raise
            except errors.WrongState:
                if loop.time() >= busy_until:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _upload(
        self,
        frames: NDArray[np.float32],
        begin: int,
        position: int,
        complete: bool,
        wire: Wire,
        progress: Optional[Progress],
    ) -> buffer_pb2.AudioBuffer:
        frame_bytes = samples.bytes_per_sample(wire) * self._channels
        step = max(1, min(_UPLOAD_CHUNK_BYTES, self._session._max_chunk_bytes) // frame_bytes)
        end = begin + len(frames)

        async def requests() -> AsyncIterator[Union[buffer_pb2.UploadBufferRequest, bytes]]:
            yield buffer_pb2.UploadBufferRequest(
                config=buffer_pb2.UploadConfig(
                    buffer_id=self.id, sample_format=_convert.sample_format(wire)
                )
            )
            at = position
            while at < end:
                part = frames[at - begin : at - begin + step]
                yield encode_upload(at, samples.encode(part, wire))
                at += len(part)
                if progress is not None:
                    progress(at - begin, len(frames))
            if complete:
                yield buffer_pb2.UploadBufferRequest(complete=buffer_pb2.UploadComplete())

        response = await self._session._connection.send(
            _methods.UPLOAD_BUFFER, requests(), token=self._session.token
        )
        return response.buffer

    def __repr__(self) -> str:
        return f"<Buffer {self.id}: {self.channels} channels, {self.sample_rate_hz:g} Hz>"


async def fetch(
    session: Session,
    buffer_id: str,
    first_frame: int = 0,
    frames: Optional[int] = None,
    wire: Wire = "float32",
    *,
    follow: bool = False,
    progress: Optional[Progress] = None,
) -> tuple[buffer_pb2.AudioBuffer, NDArray[np.float32]]:
    """Download from a buffer, in one round trip; see `Buffer.download`.

    Returns
    -------
    info : rtmixd.v1.AudioBuffer
        As it was when the download began.
    audio : numpy.ndarray
        float32, shape (frames, channels).
    """
    function(progress, "progress")
    first_frame, frames = whole(first_frame, "first_frame"), whole_or_none(frames, "frames")
    info: Optional[buffer_pb2.AudioBuffer] = None
    out = np.empty((0, 1), np.float32)
    done = 0
    async for piece in _pieces(session, buffer_id, first_frame, frames, wire, follow):
        if not isinstance(piece, bytes):
            # Again after a break, when everything is prepared already.
            if info is None:
                info = piece
                held = max(0, int(info.frames) - first_frame)
                size = held if frames is None else min(frames, held)
                out = np.empty((size, info.channels), np.float32)
            continue
        channels = out.shape[1]
        count = len(piece) // (samples.bytes_per_sample(wire) * channels)
        if done + count > len(out):
            grown = np.empty((max(done + count, 2 * len(out)), channels), np.float32)
            grown[:done] = out[:done]
            out = grown
        samples.decode(piece, channels, wire, out=out[done : done + count])
        done += count
        if progress is not None:
            progress(done, len(out))
    if info is None:
        raise errors.InternalError("the server did not tell of the buffer", code="internal")
    return info, out if done == len(out) else out[:done].copy()


async def _pieces(
    session: Session,
    buffer_id: str,
    first_frame: int,
    frames: Optional[int],
    wire: Wire,
    follow: bool,
) -> AsyncIterator[Union[buffer_pb2.AudioBuffer, bytes]]:
    """Yield the buffer, at the beginning and after each break, and its encoded frames."""
    loop = asyncio.get_running_loop()
    patience = max(SILENCE_SECONDS, session._patience)
    frame_bytes = 1
    position = whole(first_frame, "first_frame")
    count = whole_or_none(frames, "frames")
    end = None if count is None else position + count
    give_up = loop.time() + patience
    while True:
        request = buffer_pb2.DownloadBufferRequest(
            buffer_id=buffer_id,
            first_frame=position,
            frames=None if end is None else end - position,
            sample_format=_convert.sample_format(wire),
            follow=flag(follow, "follow"),
        )
        try:
            async for response in session._stream_from(_methods.DOWNLOAD_BUFFER, request):
                give_up = loop.time() + patience
                if not response.HasField("audio"):
                    frame_bytes = samples.bytes_per_sample(wire) * response.buffer.channels
                    yield response.buffer
                    continue
                if response.audio.position != position:
                    raise errors.InternalError(
                        f"frame {response.audio.position} came instead of {position}",
                        code="internal",
                    )
                data = response.audio.data
                position += len(data) // frame_bytes
                yield data
            return
        except errors.Disconnected:
            if loop.time() + _PAUSE_SECONDS >= give_up:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
