"""One server, reached over the network."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Coroutine
from typing import Any, Optional, TypeVar, Union

import grpc
import grpc.aio

from rtmixd import _methods, errors
from rtmixd._arguments import text
from rtmixd._methods import Method
from rtmixd._security import Security, explain_handshake
from rtmixd.aio._poller import hush_poller
from rtmixd.v1 import server_info_pb2

__all__ = ["CALL_SECONDS", "DEVICE_SECONDS", "SILENCE_SECONDS", "Connection", "complete_target"]

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

DEFAULT_PORT = 47110
#: A server that said nothing for so long is gone. Leaves room to tell it within 3 s.
SILENCE_SECONDS = 2.4
#: How long a call may take on a server that lives.
CALL_SECONDS = 15.0
#: The same for calls that wait for a device.
DEVICE_SECONDS = 90.0

_TICK_SECONDS = 0.2
# For each step of finding out what is wrong with a handshake.
_HANDSHAKE_SECONDS = 0.5
_PROBE_AFTER_SECONDS = 0.6
_PAUSE_SECONDS = 0.1
# How much later than the silence is over whoever calls may be told of it: 3 s in all, with room.
_OVERTIME_SECONDS = 0.5
# How long the true status of a call may take that cannot be written to any more.
_STATUS_POLLS = 100
_STATUS_POLL_SECONDS = 0.01
# The slowest link on which a large request does not look like a silent server: 4 Mbit/s.
_SLOWEST_BYTES_PER_SECOND = 500_000
# A request that takes longer than that may hold up what asks for a sign of life behind it.
_LARGE_SECONDS = 0.2
_TOKEN_KEY = "rtmixd-session-token"

_CHANNEL_OPTIONS = (
    # A page of 1000 reports with 64 xruns each is far below this.
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", -1),
    # Servers allow a ping every 5 s. It is the second line: calls notice silence sooner. They have
    # to: a connection that gRPC gave up looks like one that broke, after which transfers go on.
    ("grpc.keepalive_time_ms", 6000),
    ("grpc.keepalive_timeout_ms", 4000),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A new channel must not share the old one's dead connection.
    ("grpc.use_local_subchannel_pool", 1),
)


def complete_target(target: Optional[str] = None) -> str:
    """Return a gRPC target.

    Parameters
    ----------
    target : str, optional
        ``"host"``, ``"host:port"`` or any gRPC target; by default the environment variable
        ``RTMIXD_TARGET``, or this host.

    Returns
    -------
    str
        With the port, 47110 where none was given.
    """
    given = "" if target is None else text(target, "target")
    name = given or os.environ.get("RTMIXD_TARGET") or "localhost"
    if "://" in name or name.startswith(("unix:", "dns:", "ipv4:", "ipv6:")):
        return name
    if name.startswith("["):
        return f"{name}:{DEFAULT_PORT}" if name.endswith("]") else name
    colons = name.count(":")
    if colons == 0:
        return f"{name}:{DEFAULT_PORT}"
    # More than one colon without brackets can only be an IPv6 address.
    return name if colons == 1 else f"[{name}]:{DEFAULT_PORT}"


def new_request_id() -> str:
    """Return an id by which the server knows a repeated request."""
    return uuid.uuid4().hex


class _Link:
    """One channel and the calls on it.

    Exists because a peer that vanished is found out here: while calls wait and nothing comes, a
    small call of its own asks for a sign of life; when that, too, is not answered in time, all end.
    While a large request is on its way that call goes by a second connection, since it would queue
    behind it in the first: a server that answers there is given the time that the request takes.
    Before the server was heard at all it is asked on both: the network may have lost what was to
    connect, which TCP sends again only after 1 s, and gRPC gives up then.
    """

    def __init__(self, target: str, security: Security) -> None:
        _refuse_fork()
        # Whether the server was ever heard on it: then what breaks is no handshake.
        self.met = False
        # Whether it was heard on the second connection before that.
        self.met_beside = False
        self._target = target
        self._security = security
        # Of every call.
        self._metadata = security.metadata()
        self._channel = security.channel(target, _CHANNEL_OPTIONS)
        # Beside large requests, and beside a first connection that does not come about.
        self._second: Optional[grpc.aio.Channel] = None
        self._loop = asyncio.get_running_loop()
        hush_poller(self._loop)
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._calls: set[Any] = set()
        self._waiting = 0
        self._heard = False
        self._heard_beside = False
        self._allowed_seconds = 0.0
        self._retired = False
        self._pulse: Optional[asyncio.Task[None]] = None
        self._closing: Optional[asyncio.Task[None]] = None

    @property
    def lost(self) -> bool:
        """Whether the server fell silent."""
        return self._gone.done()

    def start(
        self,
        method: Method[Any, Any],
        request: Any,
        token: str,
        timeout: Optional[float],
        channel: Optional[grpc.aio.Channel] = None,
    ) -> Any:
        """Start a call; `request` is None, or a message, which may be encoded already."""
        kind = ("stream" if method.client_streams else "unary") + (
            "_stream" if method.server_streams else "_unary"
        )
        multicallable = getattr(channel or self._channel, kind)(
            method.path,
            request_serializer=_encoded,
            response_deserializer=method.response.FromString,
        )
        arguments = () if request is None else (request,)
        metadata = (*self._metadata, (_TOKEN_KEY, token)) if token else self._metadata
        call = multicallable(*arguments, metadata=metadata or None, timeout=timeout)
        self._calls.add(call)
        call.add_done_callback(self._forget)
        return call

    def heard(self) -> None:
        """Note a sign of life."""
        self._heard = self.met = True

    def watch(self, request_bytes: int = 0) -> None:
        """Begin to look after a call that waits. Each needs an `unwatch`."""
        self._waiting += 1
        self._allowed_seconds += request_bytes / _SLOWEST_BYTES_PER_SECOND
        if self._pulse is None or self._pulse.done():
            self._pulse = self._loop.create_task(self._beat())

    def unwatch(self, request_bytes: int = 0) -> None:
        """End what `watch` began."""
        self._waiting -= 1
        self._allowed_seconds -= request_bytes / _SLOWEST_BYTES_PER_SECOND

    async def unless_lost(self, work: Coroutine[Any, Any, _Response]) -> _Response:
        """Wait for `work`, but not beyond the loss of the server, which cancels it.

        For what writes: a write that was begun may end 2 s after its call was cancelled.
        """
        task = self._loop.create_task(work)
        # However it ends later, nobody asks.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        ends: list[asyncio.Future[Any]] = [task, self._gone]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise asyncio.CancelledError
            return task.result()
        finally:
            task.cancel()

    def retire(self) -> None:
        """Close it as soon as no call is left on it."""
        self._retired = True
        if not self._calls:
            self._close_soon()

    async def close(self) -> None:
        """Close it now; calls on it are cancelled."""
        self._retired = True
        if self._pulse is not None:
            self._pulse.cancel()
            await asyncio.wait([self._pulse])
        # Older versions of grpc.aio find only those that a task waits for right now.
        for call in list(self._calls):
            call.cancel()
        await self._channel.close()
        if self._closing is not None:
            await asyncio.wait([self._closing])

    def _close_soon(self) -> None:
        if self._closing is None:
            self._closing = self._loop.create_task(self._channel.close())

    def _forget(self, call: Any) -> None:
        self._calls.discard(call)
        if self._retired and not self._calls and not self._loop.is_closed():
            self._close_soon()

    async def _beat(self) -> None:
        silent = 0.0
        # The same, by the second connection, too.
        silent_beside = 0.0
        idle = 0
        probes: list[asyncio.Task[None]] = []
        self._heard = self._heard_beside = False
        try:
            # It goes on for a moment after the last call, so that many short ones share it.
            while idle < 10:
                before = self._loop.time()
                await asyncio.sleep(_TICK_SECONDS)
                # When this process stood still itself, the server was not silent for as long.
                passed = min(self._loop.time() - before, 2 * _TICK_SECONDS)
                silent += passed
                silent_beside += passed
                idle = 0 if self._waiting else idle + 1
                if self._heard or not self._waiting:
                    self._heard = False
                    silent = silent_beside = 0.0
                if self._heard_beside:
                    self._heard_beside = False
                    silent_beside = 0.0
                if (
                    silent_beside >= SILENCE_SECONDS
                    or silent >= SILENCE_SECONDS + self._allowed_seconds
                ):
                    self._lose()
                    return
                if silent_beside >= _PROBE_AFTER_SECONDS and all(probe.done() for probe in probes):
                    large = self._allowed_seconds >= _LARGE_SECONDS
                    sides = [True] if large else [False] if self.met else [False, True]
                    probes = [self._loop.create_task(self._probe(beside)) for beside in sides]
        finally:
            for probe in probes:
                probe.cancel()
            if self._second is not None:
                second, self._second = self._second, None
                await second.close()

    async def _probe(self, beside: bool) -> None:
        if beside and self._second is None:
            self._second = self._security.channel(self._target, _CHANNEL_OPTIONS)
        request = server_info_pb2.GetServerInfoRequest()
        heard = True
        try:
            await self.start(
                _methods.GET_SERVER_INFO,
                request,
                "",
                SILENCE_SECONDS,
                channel=self._second if beside else None,
            )
        except grpc.aio.AioRpcError as error:
            # Whatever it says, something lives there.
            heard = error.code() not in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            )
        if not heard:
            return
        if beside:
            self._heard_beside = True
            self.met_beside |= not self.met
        else:
            self.heard()

    def _lose(self) -> None:
        self._gone.set_result(None)
        for call in list(self._calls):
            call.cancel()


class Connection:
    """A server: every call is bounded in time, and fails with an error of this package.

    A connection that broke or fell silent is replaced at once, instead of when TCP gives up.
    Everything here is for the event loop of its first call.

    Parameters
    ----------
    target : str, optional
        See `complete_target`.
    patience : float, optional
        For how many seconds calls that can be repeated are, if that is longer than
        `SILENCE_SECONDS`.
    security : Security, optional
        By default plain text and no token.
    """

    def __init__(
        self,
        target: Optional[str] = None,
        patience: float = 0.0,
        security: Security = Security(),  # noqa: B008
    ) -> None:
        self.target = complete_target(target)
        self._patience = patience
        self._security = security
        self._link: Optional[_Link] = None
        self._retired: list[_Link] = []
        self._closed = False
        self._lost = False

    @property
    def lost(self) -> bool:
        """Whether the server fell silent, and has not been heard of since."""
        return self._lost

    async def call(
        self,
        method: Method[_Request, _Response],
        request: Union[_Request, bytes],
        *,
        token: str = "",
        timeout: float = CALL_SECONDS,
        retry: bool = False,
    ) -> _Response:
        """Make a unary call.

        Parameters
        ----------
        method : Method
            Which.
        request : message
            What goes in; it may be encoded already.
        token : str, optional
            Of the session.
        timeout : float, optional
            Seconds that it may take on a server that lives.
        retry : bool, optional
            Try again while the server cannot be reached, for up to `SILENCE_SECONDS` or the
            connection's patience, or up to `timeout` while it answers on another connection. Only
            for calls that can be repeated: they change nothing or have a request id.

        Raises
        ------
        Disconnected
            The server cannot be reached or was silent for `SILENCE_SECONDS`.
        Timeout
            The call took too long on a server that lives.
        RtmixdError
            What else the server says.
        """
        loop = asyncio.get_running_loop()
        too_late = loop.time() + timeout
        give_up = loop.time() + max(SILENCE_SECONDS, self._patience)
        encoded = _encoded(request)
        # Not each time: looking takes a while, too.
        look_again = loop.time()
        while True:
            link = self._current()
            begin = loop.time()
            try:
                return await self._unary(link, method, encoded, token, timeout)
            except errors.Disconnected as error:
                took = loop.time() - begin
                if loop.time() >= look_again and self._may_be_handshake(link, error):
                    look_again = loop.time() + SILENCE_SECONDS
                    if failed := await self._handshake_failed():
                        raise failed from None
                if link.met_beside:
                    give_up = max(give_up, min(loop.time() + SILENCE_SECONDS, too_late))
                # What fell silent was waited for already, by whoever called first.
                silent = link.lost and not link.met_beside and self._patience <= SILENCE_SECONDS
                again = loop.time() + _PAUSE_SECONDS
                # A frozen server refuses nothing: trying it once more takes as long as this time.
                late = again + took >= give_up + _OVERTIME_SECONDS
                if not retry or silent or again >= give_up or late:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)

    async def stream(
        self, method: Method[_Request, _Response], request: _Request, *, token: str = ""
    ) -> AsyncIterator[_Response]:
        """Make a call that answers with a stream, and yield the answers.

        Raises
        ------
        Disconnected
            The server cannot be reached or was silent for `SILENCE_SECONDS`.
        RtmixdError
            What else the server says.
        """
        link = self._current()
        call = link.start(method, request, token, None)
        link.watch()
        try:
            while True:
                message = await call.read()
                link.heard()
                self._lost = False
                if message is grpc.aio.EOF:
                    return
                yield message
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            explained = self._explain(link, error)
            if self._may_be_handshake(link, explained):
                explained = await self._handshake_failed() or explained
            raise explained from None
        finally:
            link.unwatch()
            call.cancel()

    async def send(
        self,
        method: Method[_Request, _Response],
        requests: AsyncIterable[Union[_Request, bytes]],
        *,
        token: str = "",
    ) -> _Response:
        """Make a call that takes a stream, of which some may be encoded, and return its answer.

        Raises
        ------
        Disconnected
            The server cannot be reached or nothing moved for `SILENCE_SECONDS`.
        RtmixdError
            What else the server says.
        """
        link = self._current()
        call = link.start(method, None, token, None)

        async def sent() -> _Response:
            # When the call has ended early, its answer says why.
            with contextlib.suppress(asyncio.InvalidStateError):
                async for request in requests:
                    await call.write(request)
                    link.heard()
                await call.done_writing()
            return await call  # type: ignore[no-any-return]

        link.watch()
        try:
            return await link.unless_lost(sent())
        except grpc.aio.AioRpcError as error:
            raise self._explain(link, await _true_error(call, error)) from None
        except asyncio.CancelledError as error:
            raise self._explain(link, error) from None
        finally:
            link.unwatch()
            call.cancel()

    def start(self, method: Method[Any, Any], *, token: str = "") -> Any:
        """Start a call that streams both ways, and leave it to the caller.

        Returns
        -------
        grpc.aio.StreamStreamCall
            The call. Nobody watches over it.
        """
        return self._current().start(method, None, token, None)

    def renew(self) -> None:
        """Connect anew for later calls; those that are under way go on."""
        if self._link is not None:
            self._renew(self._link)

    async def close(self) -> None:
        """Cancel all calls and close."""
        self._closed = True
        links = [*self._retired, *([self._link] if self._link else [])]
        self._link = None
        self._retired = []
        for link in links:
            await link.close()

    def _current(self) -> _Link:
        if self._closed:
            raise errors.Cancelled("the client is closed", code="cancelled")
        if self._link is None:
            self._link = _Link(self.target, self._security)
        return self._link

    def _renew(self, broken: _Link) -> None:
        if self._link is not broken:
            return
        self._link = None
        self._retired = [link for link in self._retired if link._calls]
        self._retired.append(broken)
        broken.retire()

    async def _unary(
        self,
        link: _Link,
        method: Method[_Request, _Response],
        request: bytes,
        token: str,
        timeout: float,
    ) -> _Response:
        size = len(request)
        call = link.start(method, request, token, timeout + size / _SLOWEST_BYTES_PER_SECOND)
        link.watch(size)
        try:
            response: _Response = await call
            link.heard()
            self._lost = False
            return response
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            raise self._explain(link, error) from None
        finally:
            link.unwatch(size)

    def _explain(self, link: _Link, error: BaseException) -> BaseException:
        """Turn an error of grpc into one of this package; a cancelled task stays that.

        Replaces a connection that broke.
        """
        if link.lost:
            # Unless it has been replaced by one on which the server may have been heard.
            self._lost = self._lost or (link is self._link and not link.met_beside)
            self._renew(link)
            return errors.Disconnected(
                f"the server at {self.target} said nothing for {SILENCE_SECONDS:g} s",
                code="unavailable",
            )
        if isinstance(error, asyncio.CancelledError):
            if self._closed:
                return errors.Cancelled("the client was closed", code="cancelled")
            return error
        explained = self._in_words(errors.from_rpc_error(error))
        if isinstance(explained, errors.Disconnected):
            self._renew(link)
        else:
            link.heard()
            self._lost = False
        return explained

    @staticmethod
    def _may_be_handshake(link: _Link, error: BaseException) -> bool:
        """Whether a server may not have been reached because TLS did not come about."""
        # Who refuses connections or cannot be found has nothing to shake hands with.
        return (
            isinstance(error, errors.Disconnected)
            and not (link.lost or link.met or link.met_beside)
            and not any(text in str(error) for text in ("refused", "DNS", "said nothing"))
        )

    async def _handshake_failed(self) -> Optional[errors.HandshakeFailed]:
        """Find out whether that is so."""
        why = await asyncio.get_running_loop().run_in_executor(
            None, explain_handshake, self.target, self._security, _HANDSHAKE_SECONDS
        )
        if not why:
            return None
        text = f"the server at {self.target} cannot be reached: {why}"
        return errors.HandshakeFailed(text, code="unavailable")

    def _in_words(self, error: errors.RtmixdError) -> errors.RtmixdError:
        if error.reason:
            return error
        if isinstance(error, errors.Disconnected):
            text = f"the server at {self.target} cannot be reached: {error}"
            return errors.Disconnected(text, code=error.code)
        if isinstance(error, errors.Timeout):
            text = f"the server at {self.target} did not answer in time"
            return errors.Timeout(text, code=error.code)
        return error


def _encoded(request: Any) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()


# The process in which gRPC was used first.
_home: Optional[int] = None


def _refuse_fork() -> None:
    """Fail in words where gRPC would hang or crash."""
    global _home
    if _home is None:
        _home = os.getpid()
    elif _home != os.getpid():
        raise RuntimeError(
            "gRPC does not work in a process that was forked after it was used: fork before the"
            " first call, or start processes with multiprocessing's method 'spawn'"
        )


async def _true_error(call: Any, error: Any) -> Any:
    """Return why a call has ended whose writing failed.

    grpc.aio overwrites the status with an error of its own when it cannot write any more, and
    again with the true one as soon as that has come.
    """
    if error.code() is not grpc.StatusCode.INTERNAL or error.trailing_metadata():
        return error
    for _ in range(_STATUS_POLLS):
        code, details = await call.code(), await call.details()
        if (code, details) != (error.code(), error.details()):
            trailer = grpc.aio.Metadata(*(await call.trailing_metadata() or ()))
            return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailer, details=details)
        await asyncio.sleep(_STATUS_POLL_SECONDS)
    # The server says nothing of it: what broke is the connection.
    return grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(),
        details=f"the call broke while a message was written: {error.details()}",
    )
