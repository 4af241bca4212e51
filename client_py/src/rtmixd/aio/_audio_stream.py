"""What the streams are made of: a play, a recording or both that outlive their calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Optional

from rtmixd import errors, samples
from rtmixd._arguments import flag
from rtmixd._enums import number_of
from rtmixd.aio._connection import CALL_SECONDS
from rtmixd.aio._play_window import PlayWindow
from rtmixd.aio._record_window import RecordWindow
from rtmixd.aio._stream_call import StreamCall, fields_of
from rtmixd.aio._stream_host import Kind, StreamHost
from rtmixd.v1 import action_pb2, audio_pb2, common_pb2

_log = logging.getLogger("rtmixd")

# Audio that waits here to be read, unless the caller says otherwise.
DEFAULT_UNREAD_FRAMES = 1 << 16
# Audio that waits here to be sent, beyond what the server's own ring has room for.
_AHEAD_FRAMES = 4096
# Far below what a server takes.
_CHUNK_BYTES = 64 << 10
_RETRY_PAUSE_SECONDS = 0.1
# How a call ends that nobody refused: the connection failed, or was cut off in some way.
_BROKEN_CODES = frozenset({"unavailable", "cancelled", "deadline_exceeded", "internal", "unknown"})


class AudioStream:
    """A play, a recording or both.

    When the call that carries them breaks off, or the server is silent for 3 s, another call takes
    over where the first one was, for as long as the session lives.

    Everything is for the event loop that it was made on.

    Parameters
    ----------
    host
        The session.
    config
        Has either or both of play and record; changed here. `granted_position` is how many frames
        may wait to be read, 0 means 65536.
    wire
        How samples are encoded on the wire.
    reattach
        Whether another call takes over; if not, the stream fails with its call.
    eager
        Send audio that is there at once, as far as the ring that is asked for has room, instead of
        a round trip later.
    """

    def __init__(
        self,
        host: StreamHost,
        config: audio_pb2.DuplexConfig,
        wire: samples.Wire = "float32",
        reattach: bool = True,
        eager: bool = False,
    ) -> None:
        self._host = host
        self._config = config
        self.wire = wire
        self._reattach = flag(reattach, "reattach")
        self._eager = eager
        sample_bytes = samples.bytes_per_sample(wire)
        sample_format: Any = number_of("SampleFormat", wire, "wire")
        self.loop = asyncio.get_running_loop()
        self.opened = audio_pb2.DuplexOpened()
        self.play: Optional[PlayWindow] = None
        self.record: Optional[RecordWindow] = None
        self.play_progress = audio_pb2.PlayProgress()
        self.record_progress = audio_pb2.RecordProgress()
        self.play_report: Optional[action_pb2.ActionReport] = None
        self.record_report: Optional[action_pb2.ActionReport] = None
        # Why the stream cannot go on.
        self.failure: Optional[Exception] = None
        self.reattached = 0
        self.attached = False
        self.closing = False
        self._max_chunk_frames = 1
        if config.HasField("play"):
            config.play.sample_format = sample_format
            config.play.reattachable = self._reattach
            frame_bytes = config.play.channels * sample_bytes
            self._max_chunk_frames = max(1, _CHUNK_BYTES // frame_bytes)
            self.play = PlayWindow(frame_bytes)
            if eager:
                self.play.grant(config.play.ring_frames)
        if config.HasField("record"):
            config.record.sample_format = sample_format
            config.record.reattachable = self._reattach
            if config.record.granted_position == 0:
                config.record.granted_position = DEFAULT_UNREAD_FRAMES
            self.record = RecordWindow(config.record.granted_position)

        self._waiters: list[asyncio.Future[None]] = []
        self._stop: Optional[audio_pb2.StopRecording] = None
        self._stop_sent = False
        self._opened_once = False
        self._call: Optional[StreamCall] = None
        self._heard = self.loop.time()
        self._supervisor: Optional[asyncio.Task[None]] = None

    async def open(self) -> None:
        """Return once the server has admitted it.

        Raises
        ------
        RtmixdError
            What the server refused it for; `Disconnected` if it does not answer within 3 s.
        """
        self._supervisor = self.loop.create_task(self._supervise())
        try:
            await self.wait_until(lambda: self._opened_once)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Cancel what has not ended. Takes at most a few seconds."""
        if self._supervisor is None:
            return
        first = not self.closing
        self.closing = True
        unfinished = []
        if first and self._opened_once and not isinstance(self.failure, errors.Disconnected):
            if self._play_active:
                unfinished.append(self.opened.play.action_id)
            if self._record_active:
                unfinished.append(self.opened.record.action_id)
        if unfinished:
            # A broken call alone would leave a reattachable action running until the session ends.
            try:
                await self._host.cancel_actions(unfinished)
            except errors.RtmixdError as error:
                _log.debug("cancelling the actions of a stream failed: %s", error)
        self.break_connection()
        self._wake()
        await asyncio.wait([self._supervisor])

    def break_connection(self) -> None:
        """Break the present call off, as the network may."""
        if self._call is not None:
            self._call.break_off()

    async def wait_until(self, ready: Callable[[], bool], timeout: Optional[float] = None) -> bool:
        """Wait until `ready()`, which is asked whenever something came.

        Returns
        -------
        bool
            False after the timeout.

        Raises
        ------
        Exception
            `failure`, once the stream cannot go on and `ready()` is not true.
        """
        deadline = None if timeout is None else self.loop.time() + timeout
        while not ready():
            if self.failure is not None:
                raise self.failure
            if deadline is not None and self.loop.time() >= deadline:
                return False
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._waiters.append(waiter)
            alarm = None if deadline is None else self.loop.call_at(deadline, _resolve, waiter)
            try:
                await waiter
            finally:
                if alarm is not None:
                    alarm.cancel()
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return True

    @property
    def write_room_frames(self) -> int:
        """Frames that can be appended now."""
        assert self.play is not None
        return max(0, self.play.credit_frames + _AHEAD_FRAMES - self.play.unsent_frames)

    @property
    def play_done(self) -> bool:
        """Whether nothing more will sound."""
        return self.play_report is not None or self.play_progress.done

    @property
    def record_done(self) -> bool:
        """Whether no more audio will come than what can be read now."""
        if self.record_report is not None:
            return True
        assert self.record is not None
        progress = self.record_progress
        return (
            progress.HasField("end_position")
            and self.record.received_position >= progress.end_position
        )

    @property
    def play_channels(self) -> int:
        """Channels of the sound."""
        return self._config.play.channels

    @property
    def record_start_frame(self) -> Optional[int]:
        """Frame of the stream that position 0 of the recording has; None before."""
        for source in (self.record_report, self.record_progress, self.opened.record):
            if source is not None and source.HasField("start_frame"):
                return int(source.start_frame)
        return None

    async def change_play(self, request: action_pb2.ChangeActionsRequest) -> int:
        """Change the play; return from which frame on."""
        request.action_ids.append(self.opened.play.action_id)
        return await self._host.change_actions(request)

    async def cancel_play(
        self, frame: Optional[int] = None, fade: Optional[common_pb2.Fade] = None
    ) -> None:
        """Cancel the play, by default at once."""
        await self._host.cancel_actions([self.opened.play.action_id], frame, fade, CALL_SECONDS)

    def kick(self) -> None:
        """Send what there is to send."""
        if self._call is not None:
            self._call.kick()

    def stop_recording(self, frame: Optional[int]) -> None:
        """End the recording, now or before a frame."""
        self._stop = audio_pb2.StopRecording(frame=frame)
        self._stop_sent = False
        self.kick()

    def fail(self, error: Exception) -> None:
        """Say why the stream cannot go on; the first reason counts."""
        if self.failure is None:
            self.failure = error
        self._wake()

    async def wait_report(
        self,
        action_id: str,
        final: Callable[[], Optional[action_pb2.ActionReport]],
        done: Callable[[], bool],
        timeout: Optional[float],
        until_done: bool,
    ) -> Optional[action_pb2.ActionReport]:
        """Wait for the report of one of its actions, closed or not; None after the timeout."""
        started = self.loop.time()
        try:
            ready = done if until_done else lambda: final() is not None
            if not await self.wait_until(ready, timeout):
                return None
        except errors.Cancelled:
            # Whoever closed it may still want to know.
            if not self.closing:
                raise
        report = final()
        if report is not None:
            return report
        if self.failure is not None and not isinstance(self.failure, errors.Cancelled):
            raise self.failure
        if until_done and done():
            return await self._host.get_report(action_id)
        left = None if timeout is None else max(0.0, timeout - (self.loop.time() - started))
        return await self._host.wait_report(action_id, left, until_done)

    @property
    def _play_active(self) -> bool:
        return self.play is not None and self.play_report is None

    @property
    def _record_active(self) -> bool:
        return self.record is not None and self.record_report is None

    @property
    def _over(self) -> bool:
        return self.failure is not None or not (self._play_active or self._record_active)

    async def _supervise(self) -> None:
        try:
            while not self._over:
                await self._go_on_after(await self._run_call())
        except errors.RtmixdError as error:
            self.fail(error)
        finally:
            if not self._over:
                self.fail(errors.Cancelled("the client was closed"))
            self._wake()

    async def _run_call(self) -> Optional[errors.RtmixdError]:
        kind: Kind = "duplex"
        if not self._record_active:
            kind = "play"
        elif not self._play_active:
            kind = "record"
        config = self._config_of_call()
        self._stop_sent = False
        call = StreamCall(kind, self._host.start_call(kind), self._next_fields, self._on_message)
        self._call = call
        try:
            return await call.run(config, eager=self._eager and not self._opened_once)
        finally:
            self._call = None
            self.attached = False
            # The time to give up counts from the last word of the server.
            if call.heard is not None:
                self._heard = call.heard
            self._wake()

    async def _go_on_after(self, error: Optional[errors.RtmixdError]) -> None:
        if self.closing:
            raise errors.Cancelled("the stream was closed")
        if not self._opened_once:
            # The first call told why it did not come about: that is the answer to open.
            raise error or errors.InternalError("the server ended the call without a word")
        if isinstance(error, errors.Disconnected):
            self._host.renew_connection()
        if error is not None and error.reason:
            # It may be that an action has ended meanwhile.
            await self._collect_reports()
        if self._over:
            return
        if error is not None:
            broken = error.code in _BROKEN_CODES and not error.reason
            # The server has not noticed yet that the old call is dead.
            held = isinstance(error, errors.WrongState)
            if not (self._reattach and (broken or held)):
                raise error
        if self.loop.time() >= self._heard + self._host.ttl:
            raise errors.Disconnected(
                f"the connection broke, and no other could take over: {error}"
            )
        _log.debug("the call of a stream broke off, another takes over: %s", error)
        await self.wait_until(lambda: self.closing, _RETRY_PAUSE_SECONDS)

    def _config_of_call(self) -> audio_pb2.DuplexConfig:
        config = audio_pb2.DuplexConfig()
        if not self._opened_once:
            config.CopyFrom(self._config)
        if self._opened_once and self._play_active:
            config.play.reattach_action_id = self.opened.play.action_id
            config.play.channels = self._config.play.channels
            config.play.sample_format = self._config.play.sample_format
            config.play.reattachable = True
        if self.record is not None and self._record_active:
            if self._opened_once:
                config.record.reattach_action_id = self.opened.record.action_id
                config.record.resume_position = self.record.received_position
                config.record.chunk_frames = self._config.record.chunk_frames
                config.record.sample_format = self._config.record.sample_format
                config.record.reattachable = True
            config.record.granted_position = self.record.tell()
        return config

    def _next_fields(self) -> Optional[tuple[str, Any]]:
        if self.record is not None and self._record_active:
            if self._stop is not None and not self._stop_sent:
                self._stop_sent = True
                return "stop", self._stop
            granted = self.record.next_grant()
            if granted is not None:
                return "grant", audio_pb2.Grant(granted_position=granted)
        if self.play is not None and self._play_active:
            message = self.play.next(self._max_chunk_frames)
            if message is not None:
                return fields_of(message)
        return None

    def _on_message(self, name: str, value: Any) -> bool:
        if name == "opened":
            self._take_opened(value)
        elif name == "audio" and self.record is not None:
            self._take_audio(self.record, value)
        elif name == "gap" and self.record is not None:
            self.record.resume(value.position + value.frames)
        elif name == "play_progress" and self.play is not None:
            self.play_progress = value
            self.play.confirm(value.received_position)
            self.play.grant(value.granted_position)
        elif name == "record_progress":
            self.record_progress = value
        elif name == "play_report":
            self.play_report = value
        elif name == "record_report":
            self.record_report = value
        self._wake()
        return self.failure is None

    def _take_opened(self, opened: audio_pb2.DuplexOpened) -> None:
        self.attached = True
        if not self._opened_once:
            self._opened_once = True
            self.opened = opened
            if self.play is not None:
                self.play.grant(opened.play.granted_position)
            if self.record is not None:
                self.record.set_channels(opened.record.channels)
            return
        self.reattached += 1
        if (
            self.play is not None
            and opened.HasField("play")
            and not self.play.rewind(opened.play.next_position, opened.play.granted_position)
        ):
            self.fail(
                errors.InternalError(
                    f"the server wants audio again from position {opened.play.next_position} on, "
                    "which it had confirmed"
                )
            )
        if self.record is not None and opened.HasField("record"):
            self.record.resume(opened.record.next_position)

    def _take_audio(self, record: RecordWindow, chunk: Any) -> None:
        audio = samples.decode(chunk.data, record.channels, self.wire)
        if not record.receive(chunk.position, audio):
            self.fail(
                errors.CreditExceeded(
                    f"the server sent audio up to position {chunk.position + len(audio)}; "
                    f"{record.granted_position} was granted"
                )
            )

    async def _collect_reports(self) -> None:
        """Fetch the reports of what has ended while there was no call."""
        if self._play_active:
            self.play_report = await self._final_report(self.opened.play.action_id)
        if self.record is not None and self._record_active:
            self.record_report = await self._final_report(self.opened.record.action_id)
            if self.record_report is not None:
                self.record.resume(self.record_report.done_frames)
        self._wake()

    async def _final_report(self, action_id: str) -> Optional[action_pb2.ActionReport]:
        try:
            report = await self._host.get_report(action_id)
        except errors.RtmixdError:
            return None
        return report if report.state == action_pb2.ACTION_STATE_ENDED else None

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            _resolve(waiter)


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
