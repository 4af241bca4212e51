"""A server."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Any, Optional

from rtmixd import _methods, errors
from rtmixd._arguments import flag, number, seconds, several, text, whole_or_none
from rtmixd._enums import number_of
from rtmixd._security import Security
from rtmixd.aio import _convert
from rtmixd.aio._connection import (
    CALL_SECONDS,
    DEVICE_SECONDS,
    SILENCE_SECONDS,
    Connection,
    new_request_id,
)
from rtmixd.aio._opening import Opening
from rtmixd.aio._tasks import both
from rtmixd.aio.session import Session
from rtmixd.info import (
    ClockReading,
    Device,
    DirectionSettings,
    HostApi,
    Levels,
    LogEntry,
    ServerInfo,
    ServerLimits,
    SessionInfo,
    StreamInfo,
    StreamSettings,
)
from rtmixd.latency import Calibration
from rtmixd.v1 import (
    calibration_pb2,
    clock_pb2,
    device_pb2,
    event_pb2,
    server_info_pb2,
    session_pb2,
    stream_pb2,
)

__all__ = ["Client"]

_PAUSE_SECONDS = 0.1
# How long one call waits for being exclusive.
_SLICE_SECONDS = 30.0


class Client:
    """A server, reached over the network.

    Parameters
    ----------
    target : str, optional
        ``"host"``, ``"host:port"`` or any gRPC target; by default the environment variable
        ``RTMIXD_TARGET``, or this host. The default port is 47110.
    patience : float, optional
        For how many seconds uploads, downloads and waits try to reach a server again that was lost.
        By default it is told at once, which is within 3 s. A connection that broke is replaced in
        any case.
    ca : str, optional
        A file with certificates in PEM, of the CAs of which the server must have a certificate: the
        connection is by TLS then. By default the environment variable ``RTMIXD_CA``; without it,
        and for ``""``, plain text. The same for what follows.
    cert, key : str, optional
        Files with the client's own certificate and its key in PEM, for servers that want one;
        ``RTMIXD_CERT``, ``RTMIXD_KEY``.
    token_file : str, optional
        A file, the first line of which is the token that tells the server who the client is;
        ``RTMIXD_TOKEN_FILE``.

    Raises
    ------
    InvalidArgument
        A certificate without its key or without a CA. A file that cannot be read is told by the
        first call.
    """

    def __init__(
        self,
        target: Optional[str] = None,
        *,
        patience: float = 0.0,
        ca: Optional[str] = None,
        cert: Optional[str] = None,
        key: Optional[str] = None,
        token_file: Optional[str] = None,
    ) -> None:
        security = Security.of(ca, cert, key, token_file)
        self._patience = seconds(patience, "patience")
        self._connection = Connection(target, self._patience, security)
        self._sessions: set[Session] = set()
        self._info: Optional[ServerInfo] = None
        self._stream_info: Optional[StreamInfo] = None
        # By stream id, to turn the frames of reports into seconds.
        self._rates: dict[str, float] = {}
        self._closed = False

    @property
    def target(self) -> str:
        """The completed target."""
        return self._connection.target

    @property
    def patience(self) -> float:
        """Seconds for which a lost server is tried to be reached again."""
        return self._patience

    async def info(self) -> ServerInfo:
        """Ask for the server's identity and limits.

        Raises
        ------
        Disconnected
            The server cannot be reached, as for all other calls; `HandshakeFailed` if TLS is why.
        TokenRefused, RoleTooLow
            The server wants another bearer token, as for all other calls.
        """
        response = await self._call(
            _methods.GET_SERVER_INFO, server_info_pb2.GetServerInfoRequest()
        )
        self._info = ServerInfo._of(response)
        return self._info

    async def host_apis(self) -> list[HostApi]:
        """List the host APIs, with their default devices."""
        request = device_pb2.ListHostApisRequest()
        response = await self._call(_methods.LIST_HOST_APIS, request, DEVICE_SECONDS)
        return [HostApi._of(api) for api in response.host_apis]

    async def devices(self) -> list[Device]:
        """List the devices of all host APIs."""
        found: list[Device] = []
        request = device_pb2.ListDevicesRequest(page_size=1000)
        while True:
            response = await self._call(_methods.LIST_DEVICES, request, DEVICE_SECONDS)
            found.extend(Device._of(device) for device in response.devices)
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token

    async def check_settings(
        self,
        *,
        input: Optional[DirectionSettings] = None,  # noqa: A002
        output: Optional[DirectionSettings] = None,
        sample_rate_hz: float = 0.0,
        block_frames: int = 0,
    ) -> None:
        """Check whether a stream could be opened. The parameters are `Session.open_stream`'s.

        Raises
        ------
        NotFound, InvalidArgument, DeviceError
            It could not.
        """
        settings = StreamSettings(input, output, sample_rate_hz, block_frames)
        request = device_pb2.CheckSettingsRequest(settings=_convert.stream_settings(settings))
        await self._call(_methods.CHECK_SETTINGS, request, DEVICE_SECONDS)

    async def stream(self) -> StreamInfo:
        """Ask for the stream as it is."""
        response = await self._call(_methods.GET_STREAM, stream_pb2.GetStreamRequest())
        info = StreamInfo._of(response.stream)
        self._take_stream(info)
        return info

    async def calibrations(self) -> list[Calibration]:
        """List the measured latencies that the server keeps; see `Session.measure_latency`."""
        found: list[Calibration] = []
        request = calibration_pb2.ListCalibrationsRequest(page_size=1000)
        while True:
            response = await self._call(_methods.LIST_CALIBRATIONS, request)
            found.extend(Calibration._of(calibration) for calibration in response.calibrations)
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token

    async def clock(self) -> ClockReading:
        """Ask what time it is on the stream."""
        response = await self._call(_methods.GET_CLOCK, clock_pb2.GetClockRequest())
        return ClockReading._of(response.reading)

    async def sessions(self) -> list[SessionInfo]:
        """List all sessions, oldest first."""
        found: list[SessionInfo] = []
        request = session_pb2.ListSessionsRequest(page_size=1000)
        while True:
            response = await self._call(_methods.LIST_SESSIONS, request)
            found.extend(SessionInfo._of(session) for session in response.sessions)
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token

    async def break_session(self, session_id: str, reason: str = "") -> SessionInfo:
        """End a session of anybody's. Needs the role administer where servers ask for tokens.

        Parameters
        ----------
        session_id : str
            Its public id.
        reason : str, optional
            Told to its owner, whose calls raise `SessionBroken` from then on. At most 200 bytes.

        Returns
        -------
        SessionInfo
            As it was at its end.

        Raises
        ------
        NotFound
            There is no such session.
        """
        request = session_pb2.BreakSessionRequest(
            session_id=text(session_id, "session_id"), reason=text(reason, "reason")
        )
        # Not repeated: the second time there would be none.
        response = await self._connection.call(_methods.BREAK_SESSION, request)
        return SessionInfo._of(response.session)

    def session(
        self,
        label: str = "",
        *,
        ttl: float = 15.0,
        max_lifetime: Optional[float] = None,
        exclusive: bool = False,
    ) -> Opening[Session]:
        """Make a session, and keep it alive until it is closed.

        Parameters
        ----------
        label : str, optional
            Who it is, for people: shown in lists and to whoever finds the server busy. At most 200
            bytes.
        ttl : float, optional
            How many seconds it lives without a sign of life: 1 to the server's limit.
        max_lifetime : float, optional
            The longest it may live, in seconds.
        exclusive : bool, optional
            It wants the server for itself, and is queued for that; see `lease`, which waits.

        Returns
        -------
        Session

        Raises
        ------
        LimitExceeded
            There are too many.
        """
        return Opening(self._open_session(label, ttl, max_lifetime, exclusive))

    def lease(
        self,
        label: str = "",
        *,
        wait: float = 60.0,
        ttl: float = 15.0,
        max_lifetime: Optional[float] = None,
    ) -> Opening[Session]:
        """Make a session that has the server for itself: wait until no other has unfinished work.

        The stream may be changed then, and is put back when the session ends.

        Parameters
        ----------
        label, ttl, max_lifetime
            As for `session`.
        wait : float, optional
            Seconds to wait at the most.

        Returns
        -------
        Session
            Exclusive.

        Raises
        ------
        Busy
            It was not granted in time; `holder_label` says who holds the server.
        """
        return Opening(self._lease(label, wait, ttl, max_lifetime))

    def join(self, token: str) -> Opening[Session]:
        """Join a session that somebody else made and will end.

        Parameters
        ----------
        token : str
            `Session.token` of the other.

        Returns
        -------
        Session
            Kept alive from here, too; closing it here does not end it.

        Raises
        ------
        SessionExpired
            It has ended, or never was.
        """

        async def opened() -> Session:
            text(token, "token")
            if not token.isascii() or not token.isprintable():
                # Not shown: it is a secret all the same.
                raise errors.InvalidArgument(
                    "token is not that of a session: it has to be printable ASCII", field="token"
                )
            request = session_pb2.KeepSessionRequest()
            response, _ = await both(
                self._connection.call(_methods.KEEP_SESSION, request, token=token, retry=True),
                self._look(),
            )
            return self._made(response.session, token, owned=False)

        return Opening(opened())

    async def events(
        self, from_sequence: Optional[int] = None, kinds: Optional[Iterable[str]] = None
    ) -> AsyncIterator[LogEntry]:
        """Follow what happens on the server. Goes on by itself after the connection broke.

        Parameters
        ----------
        from_sequence : int, optional
            The first event; 0: the oldest that is retained. By default only new ones.
        kinds : iterable of str, optional
            Only these: ``"xrun"``, ``"action_started"`` and so on.

        Yields
        ------
        LogEntry
            In order.
        """
        named = () if kinds is None else several(kinds, "kinds", "names of events")
        numbers = [number_of("EventKind", kind, "kinds") for kind in named]
        from_sequence = whole_or_none(from_sequence, "from_sequence")
        loop = asyncio.get_running_loop()
        patience = max(SILENCE_SECONDS, self._patience)
        give_up = loop.time() + patience
        while True:
            request = event_pb2.StreamEventsRequest(from_sequence=from_sequence, kinds=numbers)
            try:
                async for response in self._connection.stream(_methods.STREAM_EVENTS, request):
                    give_up = loop.time() + patience
                    from_sequence = response.next_sequence
                    missed = int(response.missed)
                    for entry in response.entries:
                        yield LogEntry._of(entry, missed)
                        missed = 0
                return
            except errors.Disconnected:
                if loop.time() + _PAUSE_SECONDS >= give_up:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)

    async def meters(self, interval: float = 0.1) -> AsyncIterator[Levels]:
        """Follow the levels of all channels.

        Parameters
        ----------
        interval : float, optional
            Seconds between answers, 0.02 to 10.

        Yields
        ------
        Levels
            Since the answer before.
        """
        request = event_pb2.StreamMetersRequest(interval=_convert.duration(interval, "interval"))
        async for response in self._connection.stream(_methods.STREAM_METERS, request):
            yield Levels._of(response)

    async def clocks(self, interval: float = 1.0) -> AsyncIterator[ClockReading]:
        """Follow the time of the stream.

        Parameters
        ----------
        interval : float, optional
            Seconds between readings, 0.01 to 10.

        Yields
        ------
        ClockReading
            One at once, then one per interval.
        """
        request = clock_pb2.StreamClockRequest(interval=_convert.duration(interval, "interval"))
        async for response in self._connection.stream(_methods.STREAM_CLOCK, request):
            yield ClockReading._of(response.reading)

    async def close(self) -> None:
        """End the sessions that were made here, and disconnect. May be repeated."""
        if self._closed:
            return
        self._closed = True
        if self._sessions:
            await asyncio.gather(*(session.close() for session in list(self._sessions)))
        await self._connection.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def _call(self, method: Any, request: Any, timeout: float = CALL_SECONDS) -> Any:
        return await self._connection.call(method, request, timeout=timeout, retry=True)

    async def _open_session(
        self, label: str, ttl: float, max_lifetime: Optional[float], exclusive: bool
    ) -> Session:
        request = session_pb2.CreateSessionRequest(
            label=text(label, "label"),
            ttl=_convert.duration(ttl, "ttl"),
            max_lifetime=None
            if max_lifetime is None
            else _convert.duration(max_lifetime, "max_lifetime"),
            exclusive=flag(exclusive, "exclusive"),
            request_id=new_request_id(),
        )
        response, _ = await both(self._call(_methods.CREATE_SESSION, request), self._look())
        return self._made(response.session, response.token, owned=True)

    async def _lease(
        self, label: str, wait: float, ttl: float, max_lifetime: Optional[float]
    ) -> Session:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds(wait, "wait")
        session = await self._open_session(label, ttl, max_lifetime, True)
        try:
            while True:
                slice_seconds = min(max(deadline - loop.time(), 0.0), _SLICE_SECONDS)
                request = session_pb2.AwaitExclusiveRequest(
                    timeout=_convert.duration(slice_seconds, "wait")
                )
                response = await session._call(
                    _methods.AWAIT_EXCLUSIVE,
                    request,
                    timeout=slice_seconds + CALL_SECONDS,
                    retry=True,
                )
                if response.session.state == session_pb2.SESSION_STATE_EXCLUSIVE:
                    return session
                if loop.time() >= deadline:
                    holders = ", ".join(response.holder_labels) or "another session"
                    raise errors.Busy(
                        f"the server at {self.target} is still held by {holders} after {wait:g} s",
                        reason="busy",
                        holder_label=", ".join(response.holder_labels),
                    )
        except BaseException:
            await session.close()
            raise

    async def _look(self) -> None:
        """Learn what sessions need to know of the server."""
        if self._info is None or self._stream_info is None:
            await both(self.info(), self.stream())

    def _made(self, info: session_pb2.Session, token: str, owned: bool) -> Session:
        session = Session(self, info, token, owned)
        self._sessions.add(session)
        return session

    @property
    def _limits(self) -> ServerLimits:
        assert self._info is not None
        return self._info.limits

    def _take_stream(self, info: StreamInfo) -> None:
        self._stream_info = info
        if info.id:
            self._rates[info.id] = info.sample_rate_hz

    def _note_stream(self, stream_id: str) -> None:
        if self._stream_info is not None and self._stream_info.id != stream_id:
            # Another one: look again when its rate is needed.
            self._stream_info = None

    async def _frames_of(self, seconds: float, field: str) -> int:
        """Return a length in frames of the stream."""
        if not math.isfinite(number(seconds, field)):
            raise errors.InvalidArgument(
                f"{field} is {seconds}: it has to be finite", field=field, value=str(seconds)
            )
        info = self._stream_info
        if info is None or not info.id:
            info = await self.stream()
        if not info.id:
            raise errors.NoStream("no stream is open: its rate is not known", reason="no_stream")
        return round(float(seconds) * info.sample_rate_hz)

    def __repr__(self) -> str:
        return f"<Client of {self.target}{', closed' if self._closed else ''}>"
