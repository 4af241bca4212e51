"""One Play, Record or Duplex call on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Optional

import grpc

from rtmixd import errors
from rtmixd.aio._connection import _true_error
from rtmixd.aio._play_window import Outgoing
from rtmixd.aio._stream_host import Kind
from rtmixd.v1 import audio_pb2, common_pb2

# The server sends at least once a second.
SILENCE_LIMIT_SECONDS = 3.0
# A silence found so late was this process's own.
_STALL_SECONDS = 0.5

_REQUESTS: dict[Kind, Any] = {
    "play": audio_pb2.PlayRequest,
    "record": audio_pb2.RecordRequest,
    "duplex": audio_pb2.DuplexRequest,
}
_PLAY_NAMES = {"progress": "play_progress", "report": "play_report"}
_RECORD_NAMES = {"progress": "record_progress", "report": "record_report"}


class StreamCall:
    """A call that speaks in the messages of Duplex, of which those of Play and Record are parts.

    Exists so that what streams do (credit, resending, taking over) is written once.

    Parameters
    ----------
    kind
        Which call it is.
    call
        The call as grpc.aio started it.
    next_fields
        Tells the next message to be sent as a field of its request and the value, or None.
    on_message
        Is given the name of each field that comes, as in DuplexResponse, and its value. Returns
        False to end the call.
    """

    def __init__(
        self,
        kind: Kind,
        call: Any,
        next_fields: Callable[[], Optional[tuple[str, Any]]],
        on_message: Callable[[str, Any], bool],
    ) -> None:
        self._kind = kind
        self._call = call
        self._next_fields = next_fields
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._to_send = asyncio.Event()
        self._attached = asyncio.Event()
        self.heard: Optional[float] = None

    def kick(self) -> None:
        """Send what there is to send."""
        self._to_send.set()

    def break_off(self) -> None:
        """End it as a broken connection would."""
        self._call.cancel()

    async def run(
        self, config: audio_pb2.DuplexConfig, eager: bool = False
    ) -> Optional[errors.RtmixdError]:
        """Carry the call from its configuration to its end, and return how it ended.

        If it is eager, more is sent before the answer to the configuration came.
        """
        if eager:
            self._attached.set()
        # A task of its own, since a cancelled call looks like a cancelled task to who reads.
        receiver = self._loop.create_task(self._receive())
        sender = self._loop.create_task(self._send(config))
        watchdog = _Watchdog(self._loop, self._call, lambda: self.heard)
        try:
            await asyncio.wait([receiver])
        finally:
            watchdog.stop()
            self._call.cancel()
            receiver.cancel()
            sender.cancel()
            await asyncio.wait([receiver, sender])
        if not receiver.cancelled():
            return receiver.result()
        if watchdog.silent:
            return errors.Disconnected("the server said nothing for 3 s", code="unavailable")
        return errors.Disconnected("the connection was lost", code="cancelled")

    async def _send(self, config: audio_pb2.DuplexConfig) -> None:
        request = _REQUESTS[self._kind]
        first = config if self._kind == "duplex" else getattr(config, self._kind)
        try:
            await self._call.write(request(config=first))
            await self._attached.wait()
            while True:
                self._to_send.clear()
                while True:
                    fields = self._next_fields()
                    if fields is None:
                        break
                    name, value = fields
                    await self._call.write(request(**{name: value}))
                await self._to_send.wait()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            # The call has ended: whoever reads is told how.
            return

    async def _receive(self) -> Optional[errors.RtmixdError]:
        try:
            await self._receive_all()
        except grpc.aio.AioRpcError as failure:
            return errors.from_rpc_error(await _true_error(self._call, failure))
        return None

    async def _receive_all(self) -> None:
        names: dict[str, str] = {}
        if self._kind == "play":
            names = _PLAY_NAMES
        elif self._kind == "record":
            names = _RECORD_NAMES
        while True:
            message = await self._call.read()
            if message is grpc.aio.EOF:
                return
            self.heard = self._loop.time()
            field = message.WhichOneof("message")
            if field is None:
                # Something that a newer server knows.
                continue
            value = getattr(message, field)
            if field == "opened":
                if self._kind != "duplex":
                    value = audio_pb2.DuplexOpened(**{self._kind: value})
                self._attached.set()
            if not self._on_message(names.get(field, field), value):
                self._call.cancel()
                return
            self._to_send.set()


class _Watchdog:
    """Cancels a call on which nothing was heard for `SILENCE_LIMIT_SECONDS`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        call: Any,
        heard: Callable[[], Optional[float]],
    ) -> None:
        self.silent = False
        self._loop = loop
        self._call = call
        self._heard = heard
        self._started = loop.time()
        self._due = self._started + SILENCE_LIMIT_SECONDS
        self._alarm = loop.call_at(self._due, self._look)

    def stop(self) -> None:
        self._alarm.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        due = (self._heard() or self._started) + SILENCE_LIMIT_SECONDS
        if now >= due and now - self._due > _STALL_SECONDS:
            # This process stood still: what came meanwhile has yet to be read.
            due = now + _STALL_SECONDS
        if now >= due:
            self.silent = True
            self._call.cancel()
            return
        self._due = due
        self._alarm = self._loop.call_at(due, self._look)


def fields_of(message: Outgoing) -> tuple[str, Any]:
    """Turn what a play window sends into a field of a request and its value."""
    if message.kind == "audio":
        return "audio", common_pb2.AudioChunk(position=message.position, data=message.data)
    if message.kind == "flush":
        return "flush", audio_pb2.Flush()
    if message.kind == "idle":
        return "idle", audio_pb2.Idle()
    return "end_of_sound", audio_pb2.EndOfSound()
