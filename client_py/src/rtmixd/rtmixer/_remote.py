"""A stream's side towards the server: everything that happens on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import getpass
import heapq
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Optional, Union

import numpy as np

from rtmixd import _methods, errors
from rtmixd._security import Security
from rtmixd.aio._connection import CALL_SECONDS, DEVICE_SECONDS, Connection, new_request_id
from rtmixd.aio._stream_host import StreamHost
from rtmixd.aio.buffer import Buffer
from rtmixd.report import Report
from rtmixd.rtmixer._action import (
    CANCEL,
    FETCH_AND_RESET_STATS,
    PLAY_BUFFER,
    PLAY_RINGBUFFER,
    RECORD_BUFFER,
    RECORD_RINGBUFFER,
    Action,
    Stats,
)
from rtmixd.rtmixer._clock import ClockMap
from rtmixd.rtmixer._recorder import Recorder
from rtmixd.rtmixer._ring_player import RingPlayer, playable
from rtmixd.v1 import (
    action_pb2,
    buffer_pb2,
    clock_pb2,
    common_pb2,
    server_info_pb2,
    session_pb2,
    stream_pb2,
)

_log = logging.getLogger("rtmixd")

_TTL_SECONDS = 15.0
_CLOCK_SECONDS = 0.5
_STATS_SECONDS = 1.0
_RETRY_SECONDS = 0.2
# So that what is due soon is not held up by what is due later. Orders with little audio never wait.
_BATCH_BYTES = 256 << 10
_BYTES_ON_THE_WAY = 1 << 20
# What a request has besides audio.
_REQUEST_BYTES = 64 << 10
_PLAYS = (PLAY_BUFFER, PLAY_RINGBUFFER)
_RECORDS = (RECORD_BUFFER, RECORD_RINGBUFFER)
# How long before its time the server gets a cancel, and ten round trips.
_HELD_SECONDS = 1.0
# How long the end of a stream may take.
_END_SECONDS = 3.0

_DONE_STATES = (action_pb2.ACTION_STATE_DONE, action_pb2.ACTION_STATE_ENDED)
# Ends that no program asked for.
_FAULTS = {
    action_pb2.END_REASON_SESSION_ENDED: "the session ended",
    action_pb2.END_REASON_STREAM_CLOSED: "the stream was closed",
    action_pb2.END_REASON_LIMIT_EXCEEDED: "a limit of the server was reached",
    action_pb2.END_REASON_DISCONNECTED: "the connection broke",
    action_pb2.END_REASON_SHUTDOWN: "the server stopped",
}


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a program asks of the stream; None or 0 where it does not care.

    Attributes
    ----------
    settings : StreamSettings
        To open a stream with.
    input_device, output_device : int or None
        Index of the device that was named.
    exclusive : bool
        Take the server, and open the stream anew.
    patience : float
        Seconds to wait for the server.
    """

    settings: Any
    input_device: Optional[int]
    output_device: Optional[int]
    exclusive: bool
    patience: float


class UnsuitableError(Exception):
    """The stream that the server runs does not do.

    Attributes
    ----------
    code : int
        PortAudio's code for it.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Remote:
    """One stream object's session, clock, and unfinished actions.

    Everything is for the event loop, except where it says otherwise.

    Parameters
    ----------
    target : str or None
        The server.
    on_finished : callable
        Is given each action when its fields are final and its memory is filled.
    on_lost : callable
        Is given the reason when the stream cannot go on.
    """

    def __init__(
        self,
        target: Optional[str],
        on_finished: Callable[[Action], None],
        on_lost: Callable[[Exception], None],
    ) -> None:
        # Read by any thread, once open has returned.
        self.stream = stream_pb2.AudioStream()
        self.limits = server_info_pb2.ServerLimits()
        self.clock = ClockMap()
        self.cpu_load = 0.0
        self.stats = Stats()
        # The stream is on its way to be stopped: what ends now has not been cut by the program.
        self.ending = False
        self.closed = False
        # When the server was heard last, local monotonic time.
        self.heard = time.monotonic()

        self._target = target
        self._on_finished = on_finished
        self._on_lost = on_lost
        self._connection: Any = None
        self._token = ""
        self._owns = False
        self._starts = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._unfinished: dict[Action, Union[RingPlayer, Recorder, None]] = {}
        self._by_key: dict[str, Action] = {}
        self._by_id: dict[str, Action] = {}
        # Reports of actions whose id is not known yet.
        self._early: dict[str, action_pb2.ActionReport] = {}
        # Orders that wait to be sent, a heap: what is due first goes first.
        self._outbox: list[tuple[int, int, Action, action_pb2.ActionSpec]] = []
        self._bytes_on_the_way = 0
        # Cancels that the server does not have yet.
        self._held: dict[Action, asyncio.TimerHandle] = {}
        self._flush_posted = False
        self._last_key = 0
        self._lost = False
        self._changed = asyncio.Event()
        # Ring plays that are about to be admitted, and whether strays of them are looked for.
        self._admissions = 0
        self._searching = False
        self._settled = asyncio.Condition()

    # What any thread may ask.

    @property
    def rate_hz(self) -> float:
        """Frames per second, nominal."""
        return self.stream.sample_rate_hz

    @property
    def block_frames(self) -> int:
        """Frames in a block; 0 if that is not known."""
        return self.stream.block_frames or self.stats.max_blocksize

    def play_time(self, frame: int) -> float:
        """When a frame that is played is at the converter, in seconds."""
        return (frame + self.stream.output_latency_frames) / self.rate_hz

    def record_time(self, frame: int) -> float:
        """When a frame that is recorded was at the converter, in seconds."""
        return (frame - self.stream.input_latency_frames) / self.rate_hz

    # Opening and closing.

    async def open(self, wish: Wish) -> None:
        """Connect, and open the stream or join the one that runs."""
        connection = self._connection = Connection(self._target, security=Security.of())
        info = await connection.call(
            _methods.GET_SERVER_INFO, server_info_pb2.GetServerInfoRequest(), retry=True
        )
        self.limits.CopyFrom(info.limits)
        request = session_pb2.CreateSessionRequest(
            label=_label(), exclusive=wish.exclusive, request_id=new_request_id()
        )
        request.ttl.seconds = int(_TTL_SECONDS)
        created = await connection.call(_methods.CREATE_SESSION, request, retry=True)
        self._token = created.token
        self.stream_host = StreamHost(connection, self._token, _TTL_SECONDS)
        if wish.exclusive:
            await self._await_turn(wish.patience)
        await self._join(wish)
        for _ in range(4):
            await self._read_clock()
        for work in (self._watch, self._follow_clock, self._follow_stats):
            self._spawn(work())

    async def begin(self) -> None:
        """Count from here on."""
        self.ending = False
        self._take_stats(await self._call(_methods.GET_STATS, _STATS_RESET))
        self.stats = Stats()

    async def end(self) -> Stats:
        """End all actions now, and return the counters since `begin`."""
        self.ending = True
        try:
            await asyncio.wait_for(self._end_actions(), _END_SECONDS)
        except (errors.RtmixdError, asyncio.TimeoutError) as error:
            _log.debug("the actions did not end in time: %s", error)
        for action in list(self._unfinished):
            self.finish(action)
        if not self._lost:
            try:
                self._take_stats(await self._call(_methods.GET_STATS, _STATS))
            except errors.RtmixdError as error:
                _log.debug("no counters at the end: %s", error)
        return self.stats

    async def close(self) -> None:
        """End the session; close the stream if it was opened here."""
        if self.closed:
            return
        self.closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        if self._connection is None:
            return
        try:
            if self._token and not self._lost:
                if self._owns:
                    await self._call(_methods.CLOSE_STREAM, stream_pb2.CloseStreamRequest())
                elif self._starts:
                    await self._call(_methods.STOP_STREAM, stream_pb2.StopStreamRequest())
        except errors.RtmixdError as error:
            # Somebody else uses it by now.
            _log.debug("the stream stays as it is: %s", error)
        try:
            if self._token and not self._lost:
                await self._call(_methods.END_SESSION, session_pb2.EndSessionRequest())
        except errors.RtmixdError as error:
            _log.debug("the session ends by itself: %s", error)
        finally:
            await self._connection.close()

    async def _await_turn(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while True:
            left = max(0.0, deadline - time.monotonic())
            request = session_pb2.AwaitExclusiveRequest()
            request.timeout.FromNanoseconds(int(min(left, 1.0) * 1e9))
            answer = await self._call(_methods.AWAIT_EXCLUSIVE, request)
            if answer.session.state == session_pb2.SESSION_STATE_EXCLUSIVE:
                return
            if left <= 0:
                holders = ", ".join(answer.holder_labels)
                raise UnsuitableError(f"Device unavailable: the server is held by {holders}", -9985)

    async def _join(self, wish: Wish) -> None:
        """Open a stream, or take the one that is there."""
        stream = (await self._call(_methods.GET_STREAM, stream_pb2.GetStreamRequest())).stream
        if stream.state == stream_pb2.STREAM_STATE_LOST:
            raise UnsuitableError("Device unavailable: the server has lost it", -9985)
        if stream.state != stream_pb2.STREAM_STATE_CLOSED:
            try:
                check_stream(stream, wish)
            except UnsuitableError:
                if not wish.exclusive:
                    raise
                await self._call(
                    _methods.CLOSE_STREAM, stream_pb2.CloseStreamRequest(), DEVICE_SECONDS
                )
                stream.state = stream_pb2.STREAM_STATE_CLOSED
        if stream.state == stream_pb2.STREAM_STATE_CLOSED:
            request = stream_pb2.OpenStreamRequest(settings=wish.settings)
            opened = await self._call(_methods.OPEN_STREAM, request, DEVICE_SECONDS)
            self._owns = True
            stream = opened.stream
        if stream.state != stream_pb2.STREAM_STATE_RUNNING:
            self._starts = True
            stream = (
                await self._call(
                    _methods.START_STREAM, stream_pb2.StartStreamRequest(), DEVICE_SECONDS
                )
            ).stream
        self.stream = stream

    # Actions.

    def submit(self, action: Action, called: float) -> None:
        """Begin an action that a program ordered at the local time `called`."""
        self._unfinished[action] = None
        if self._lost:
            self.fail(action, errors.Disconnected("the stream is gone"))
            return
        now = self.clock.frame(called)
        if action.type == CANCEL:
            self._cancel(action, now)
        elif action.type in _RECORDS:
            self._record(action, now)
        elif action.type in _PLAYS:
            self._play(action, now)
        else:
            spec = action_pb2.ActionSpec(stats=action_pb2.StatsSpec(reset_baseline=True))
            action.stats = self.stats.copy()
            self._order_at(action, spec, self._frame_of(action.requested_time, None), now)

    def admitted(self, action: Action, action_id: str) -> None:
        """Learn the id of an action."""
        action._id = action_id
        self._by_id[action_id] = action
        for call in action._when_admitted:
            call()
        action._when_admitted.clear()
        early = self._early.pop(action_id, None)
        if early is not None:
            self._take_report(early)

    @contextlib.asynccontextmanager
    async def admission(self) -> AsyncIterator[None]:
        """Within this a ring play opens its stream and is `admitted`."""
        async with self._settled:
            await self._settled.wait_for(lambda: not self._searching)
            self._admissions += 1
        try:
            yield
        finally:
            async with self._settled:
                self._admissions -= 1
                self._settled.notify_all()

    async def cancel_strays(self) -> None:
        """Cancel ring plays that were admitted, but whose answer was lost: nobody knows them.

        Raises
        ------
        RtmixdError
            The server cannot be asked.
        """
        async with self._settled:
            await self._settled.wait_for(lambda: not (self._admissions or self._searching))
            self._searching = True
        try:
            request = action_pb2.ListActionsRequest(active_only=True, page_size=1000)
            strays = []
            while True:
                answer = await self._call(_methods.LIST_ACTIONS, request)
                strays += [
                    report.action_id
                    for report in answer.reports
                    if report.kind == action_pb2.ACTION_KIND_PLAY_STREAM
                    and report.action_id not in self._by_id
                ]
                if not answer.next_page_token:
                    break
                request.page_token = answer.next_page_token
            if strays:
                await self._call(
                    _methods.CANCEL_ACTIONS, action_pb2.CancelActionsRequest(action_ids=strays)
                )
        finally:
            async with self._settled:
                self._searching = False
                self._settled.notify_all()

    def finish(self, action: Action, report: Optional[action_pb2.ActionReport] = None) -> None:
        """Hand a finished action over to the program."""
        if action not in self._unfinished:
            return
        del self._unfinished[action]
        if report is not None:
            self._describe(action, report)
            if not self.ending and report.end_reason in _FAULTS:
                action.error = errors.RtmixdError(_FAULTS[report.end_reason])
        action._progress = None
        action._finished = True
        self._changed.set()
        self._on_finished(action)
        for call in action._when_admitted + action._when_finished:
            call()
        action._when_admitted.clear()
        action._when_finished.clear()

    def fail(self, action: Action, error: Exception) -> None:
        """Finish an action that could not be done."""
        if action in self._unfinished:
            # A program for rtmixer does not look for this.
            _log.warning("%r failed: %s", action, error)
            action.error = error
            self.finish(action)

    def _frame_of(self, seconds: float, action_type: Optional[int]) -> int:
        """Return the frame at a time of the clock that belongs to a type of action."""
        frame = round(seconds * self.rate_hz)
        if action_type in _PLAYS:
            return frame - self.stream.output_latency_frames
        if action_type in _RECORDS:
            return frame + self.stream.input_latency_frames
        return frame

    def _play(self, action: Action, now: float) -> None:
        frame = self._frame_of(action.requested_time, action.type)
        if action.type == PLAY_RINGBUFFER:
            belated = frame < now
            if belated and not action._allow_belated:
                self.finish(action)
                return
            player = RingPlayer(self, action)
            self._unfinished[action] = player
            self._spawn(player.play(None if belated else frame, _late_policy(action)))
            return
        spec = action_pb2.ActionSpec()
        assert action._sound is not None
        data = playable(action._sound)
        action._sound = None
        spec.play.channel_map.channels.extend(action.mapping)
        inline = spec.play.inline_audio
        inline.channels = action.channels
        inline.sample_format = common_pb2.SAMPLE_FORMAT_FLOAT32
        if len(data) > self.limits.max_message_bytes - _REQUEST_BYTES:
            self._spawn(self._upload(action, spec, data, frame))
            return
        inline.data = data
        self._order_at(action, spec, frame, now)

    def _record(self, action: Action, now: float) -> None:
        frame = self._frame_of(action.requested_time, action.type)
        if frame < now:
            if not action._allow_belated:
                self.finish(action)
                return
            # Now is when the program says so, not when the server hears of it.
            frame = max(int(now) + 1, self.stream.input_latency_frames + 1)
        else:
            action.actual_time = -1.0
        if action.total_frames == 0:
            # A timer.
            self._order_at(action, action_pb2.ActionSpec(stats=action_pb2.StatsSpec()), frame, 0)
            return
        recorder = Recorder(self, action, frame)
        self._unfinished[action] = recorder
        self._spawn(recorder.record(_late_policy(action)))

    def _cancel(self, action: Action, now: float) -> None:
        target = action.action
        assert target is not None
        frame = self._frame_of(action.requested_time, target.type)
        worker = self._unfinished.get(target)
        if isinstance(worker, Recorder):
            if frame < now and not action._allow_belated:
                self.finish(action)
                return
            frame = max(frame, int(now) + 1)
            action.actual_time = self.record_time(frame)
            worker.cut(frame)
            self._finish_after(action, target, frame)
            return
        if frame < 0 and not action._allow_belated:
            self.finish(action)
            return
        if target.type == CANCEL:
            self._spawn(self._take_back(action, target, frame))
            return

        def order() -> None:
            if target not in self._unfinished or not target._id:
                # It has ended: there is nothing to do, at that time.
                action.actual_time = self._time_of(target.type, max(frame, int(now) + 1))
                self._finish_after(action, target, frame)
                return
            spec = action_pb2.ActionSpec(cancel=action_pb2.CancelSpec(action_id=target._id))
            self._order_at(action, spec, frame, now)

        def order_when_admitted() -> None:
            self._held.pop(action, None)
            if target._id or target not in self._unfinished:
                order()
            else:
                target._when_admitted.append(order)

        # What the server has of a cancel cannot be taken back, so it gets it in time, not sooner.
        early = (frame - now) / self.rate_hz - _HELD_SECONDS - 10 * self.clock.round_trip
        if early <= 0:
            order_when_admitted()
            return
        hold = asyncio.get_running_loop().call_later(early, order_when_admitted)
        self._held[action] = hold
        # Where that ends first, this does at its time.
        target._when_finished.append(lambda: self._release(action, order_when_admitted))

    def _release(self, action: Action, order: Callable[[], None]) -> None:
        """Go on with a cancel that was held back."""
        hold = self._held.get(action)
        if hold is not None:
            hold.cancel()
            order()

    async def _take_back(self, action: Action, target: Action, frame: int) -> None:
        """Cancel a cancel, as long as the server does not have it."""
        await self._sleep_until(frame)
        action.actual_time = max(frame, int(self.clock.frame())) / self.rate_hz
        hold = self._held.pop(target, None)
        if hold is not None:
            hold.cancel()
            self.finish(target)
        self.finish(action)

    async def _sleep_until(self, frame: int) -> None:
        while self.clock.frame() < frame and not self.ending:
            await asyncio.sleep(min(self.clock.seconds_until(frame), 0.1))

    def _finish_after(self, action: Action, target: Action, frame: int) -> None:
        """Finish a cancel at its time, and not before what it ends."""

        async def finish() -> None:
            await self._sleep_until(frame)
            if target in self._unfinished:
                target._when_finished.append(lambda: self.finish(action))
            else:
                self.finish(action)

        self._spawn(finish())

    def _time_of(self, action_type: int, frame: int) -> float:
        if action_type in _PLAYS:
            return self.play_time(frame)
        if action_type in _RECORDS:
            return self.record_time(frame)
        return frame / self.rate_hz

    def _order_at(
        self, action: Action, spec: action_pb2.ActionSpec, frame: int, now: float
    ) -> None:
        """Put an action into the next batch, for a frame or, if that has passed, now."""
        if frame < now and action._allow_belated:
            spec.start.offset_frames = 0
        elif frame < 0:
            self.finish(action)
            return
        else:
            spec.start.frame = frame
        spec.late_policy = _late_policy(action)
        self._last_key += 1
        spec.key = str(self._last_key)
        self._by_key[spec.key] = action
        urgency = spec.start.frame if spec.start.HasField("frame") else 0
        heapq.heappush(self._outbox, (urgency, self._last_key, action, spec))
        if not self._flush_posted:
            self._flush_posted = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Send what has gathered, as much as should be on the way at once."""
        self._flush_posted = False
        while self._outbox and self._bytes_on_the_way < _BYTES_ON_THE_WAY:
            batch: list[tuple[Action, action_pb2.ActionSpec]] = []
            size = 0
            while self._outbox and len(batch) < self.limits.max_batch_actions:
                spec = self._outbox[0][3]
                bytes_more = spec.ByteSize()
                if batch and size + bytes_more > _BATCH_BYTES:
                    break
                _, _, action, _ = heapq.heappop(self._outbox)
                batch.append((action, spec))
                size += bytes_more
            self._bytes_on_the_way += size
            self._spawn(self._send(batch, size), is_call=True)

    async def _send(self, batch: list[tuple[Action, action_pb2.ActionSpec]], size: int) -> None:
        try:
            await self._schedule(batch)
        finally:
            self._bytes_on_the_way -= size
            self._flush()

    async def _schedule(self, batch: list[tuple[Action, action_pb2.ActionSpec]]) -> None:
        request = action_pb2.ScheduleActionsRequest(
            actions=[spec for _, spec in batch], request_id=new_request_id()
        )
        try:
            answer = await self._call(_methods.SCHEDULE_ACTIONS, request)
        except errors.RtmixdError as error:
            if len(batch) == 1 or isinstance(error, errors.Disconnected):
                for action, spec in batch:
                    self._by_key.pop(spec.key, None)
                    self._refused(action, spec, error)
                return
            # One of them is to blame; the others are not.
            for order in batch:
                await self._schedule([order])
            return
        next_frame = self.clock.frame()
        for (action, _), scheduled in zip(batch, answer.actions):
            if action not in self._unfinished:
                continue
            if scheduled.start_frame > next_frame:
                action.actual_time = -1.0
            self.admitted(action, scheduled.action_id)

    def _refused(
        self, action: Action, spec: action_pb2.ActionSpec, error: errors.RtmixdError
    ) -> None:
        if spec.HasField("cancel") and isinstance(error, errors.NotFound):
            # What it was to end is over and forgotten.
            self.finish(action)
        else:
            self.fail(action, error)

    async def _upload(
        self, action: Action, spec: action_pb2.ActionSpec, data: bytes, frame: int
    ) -> None:
        """Play what is too long for a request. Goes on by itself after the connection broke."""
        try:
            request = buffer_pb2.CreateBufferRequest(
                channels=action.channels,
                expected_frames=len(data) // (4 * action.channels),
                request_id=new_request_id(),
            )
            created = await self._call(_methods.CREATE_BUFFER, request)
            host: Any = _BufferHost(self)
            sound = np.frombuffer(data, np.float32).reshape(-1, action.channels)
            await Buffer(host, created.buffer, owned=False).append(sound, complete=True)
        except errors.RtmixdError as error:
            self.fail(action, error)
            return
        buffer_id = created.buffer.buffer_id
        spec.play.buffer_id = buffer_id
        drop = buffer_pb2.DeleteBufferRequest(buffer_id=buffer_id)

        async def delete() -> None:
            try:
                await self._call(_methods.DELETE_BUFFER, drop)
            except errors.RtmixdError as error:
                _log.debug("a buffer stays until the session ends: %s", error)

        # What plays it keeps it.
        action._when_admitted.append(lambda: self._spawn(delete()))
        self._order_at(action, spec, frame, self.clock.frame())

    async def _end_actions(self) -> None:
        orders, self._outbox = self._outbox, []
        for hold in self._held.values():
            hold.cancel()
        for action in [*self._held, *(order[2] for order in orders)]:
            self.finish(action)
        self._held.clear()
        for worker in list(self._unfinished.values()):
            if isinstance(worker, Recorder):
                worker.abandon()
        if self._lost or not self._unfinished:
            return
        if self._calls:
            await asyncio.wait(self._calls)
        await self._call(_methods.CANCEL_ACTIONS, action_pb2.CancelActionsRequest(all=True))
        while self._unfinished:
            self._changed.clear()
            await self._changed.wait()

    # What the server tells.

    async def _watch(self) -> None:
        """Take reports as the server pushes them; this also keeps the session alive."""
        again = False
        while True:
            request = action_pb2.WatchActionsRequest(include_present=again)
            try:
                if again:
                    self._spawn(self._catch_up())
                async for answer in self._connection.stream(
                    _methods.WATCH_ACTIONS, request, token=self._token
                ):
                    self.heard = time.monotonic()
                    for report in answer.reports:
                        self._take_report(report)
                error: errors.RtmixdError = errors.Disconnected("the server ended the stream")
            except errors.RtmixdError as caught:
                error = caught
            gone = time.monotonic() > self.heard + _TTL_SECONDS
            if gone or not isinstance(error, errors.Disconnected):
                self._lose(error)
                return
            again = True
            await asyncio.sleep(_RETRY_SECONDS)

    async def _catch_up(self) -> None:
        """Ask for what was not pushed while there was no connection."""
        ids = [action._id for action in self._unfinished if action._id]
        if not ids:
            return
        request = action_pb2.WaitActionsRequest(action_ids=ids, until_done=True)
        request.timeout.FromNanoseconds(0)
        try:
            answer = await self._call(_methods.WAIT_ACTIONS, request)
        except errors.RtmixdError as error:
            _log.debug("cannot catch up: %s", error)
            return
        for report in answer.ended:
            self._take_report(report)

    def _take_report(self, report: action_pb2.ActionReport) -> None:
        action = self._by_key.get(report.key) if report.key else None
        if action is None:
            action = self._by_id.get(report.action_id)
        if action is None:
            self._early[report.action_id] = report
            return
        ended = report.state == action_pb2.ACTION_STATE_ENDED
        if ended:
            self._by_key.pop(report.key, None)
            self._by_id.pop(report.action_id, None)
        if action not in self._unfinished:
            self._describe(action, report)
        elif report.state in _DONE_STATES:
            if not action._id:
                self.admitted(action, report.action_id)
            self._conclude(action, report)
        elif report.HasField("start_frame") and action.type not in _RECORDS:
            start = report.start_frame
            action.actual_time = self._time_of(action.type, start)
            if action.type == PLAY_BUFFER:
                total = action.total_frames
                action._progress = lambda: max(0, min(total, int(self.clock.frame()) - start))

    def _describe(self, action: Action, report: action_pb2.ActionReport) -> None:
        action.report = Report.from_proto(report, self.rate_hz)

    def _conclude(self, action: Action, report: action_pb2.ActionReport) -> None:
        """Set the final fields of an action that is done."""
        worker = self._unfinished[action]
        skipped = report.end_reason == action_pb2.END_REASON_SKIPPED
        if action.type == FETCH_AND_RESET_STATS:
            action.stats = Stats(report.stats.blocks)
        else:
            action.stats = Stats(report.blocks)
        if isinstance(worker, Recorder):
            worker.settle(report)
            return
        start = None
        if report.HasField("start_frame"):
            start = report.start_frame
        elif report.HasField("requested_start_frame"):
            start = report.requested_start_frame + report.late_frames
        if skipped:
            action.actual_time = 0.0
        elif start is not None and report.end_reason == action_pb2.END_REASON_COMPLETED:
            clock_of = action.action.type if action.action is not None else action.type
            action.actual_time = self._time_of(clock_of, start)
        if action.type in _PLAYS:
            action._done_frames = report.done_frames
            if report.HasField("start_frame"):
                action.actual_time = self.play_time(report.start_frame)
            if report.end_reason == action_pb2.END_REASON_CANCELLED and not self.ending:
                action.total_frames = report.done_frames
        if isinstance(worker, RingPlayer):
            worker.settle(report)
        if action.type == CANCEL and not skipped and action.action in self._unfinished:
            # It has cut its target, which is about to be told.
            action.action._when_finished.append(lambda: self.finish(action, report))
            return
        self.finish(action, report)

    async def _follow_clock(self) -> None:
        while True:
            await asyncio.sleep(_CLOCK_SECONDS)
            try:
                reading = await self._read_clock()
            except errors.RtmixdError as error:
                _log.debug("no time: %s", error)
                continue
            if reading.stream_id != self.stream.stream_id:
                self._lose(errors.NoStream("the server's stream was closed"))
                return

    async def _read_clock(self) -> clock_pb2.ClockReading:
        asked = time.monotonic()
        request = clock_pb2.GetClockRequest()
        answer = await self._connection.call(_methods.GET_CLOCK, request)
        reading: clock_pb2.ClockReading = answer.reading
        self.heard = time.monotonic()
        if reading.stream_id == self.stream.stream_id:
            self.clock.add(asked, time.monotonic(), reading)
        return reading

    async def _follow_stats(self) -> None:
        while True:
            await asyncio.sleep(_STATS_SECONDS)
            try:
                self._take_stats(await self._call(_methods.GET_STATS, _STATS))
            except errors.RtmixdError as error:
                _log.debug("no counters: %s", error)

    def _take_stats(self, answer: action_pb2.GetStatsResponse) -> None:
        self.stats = Stats(answer.stats.blocks)
        self.cpu_load = answer.stats.cpu_load

    def _lose(self, error: errors.RtmixdError) -> None:
        if self._lost:
            return
        self._lost = True
        self._on_lost(error)
        for action in list(self._unfinished):
            self.fail(action, error)

    # Helpers.

    async def _call(self, method: Any, request: Any, timeout: float = CALL_SECONDS) -> Any:
        return await self._connection.call(
            method, request, token=self._token, timeout=timeout, retry=True
        )

    def _spawn(self, work: Coroutine[Any, Any, None], *, is_call: bool = False) -> None:
        task = asyncio.get_running_loop().create_task(work)
        for group in (self._tasks, self._calls) if is_call else (self._tasks,):
            group.add(task)
            task.add_done_callback(group.discard)


class _BufferHost:
    """The session, as its buffers see it."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._connection = remote._connection
        self._patience = _TTL_SECONDS
        self._max_chunk_bytes = remote.limits.max_chunk_bytes
        self.token = remote._token

    async def _call(self, method: Any, request: Any, *, retry: bool = True) -> Any:
        return await self._remote._call(method, request)


_STATS = action_pb2.GetStatsRequest()
_STATS_RESET = action_pb2.GetStatsRequest(reset_baseline=True)


def check_stream(stream: stream_pb2.AudioStream, wish: Wish) -> None:
    """Raise `UnsuitableError` if the server's stream is not what a program wishes."""
    rate_hz = wish.settings.sample_rate_hz
    if rate_hz and rate_hz != stream.sample_rate_hz:
        raise UnsuitableError(
            f"Invalid sample rate: {rate_hz:g} Hz were asked for, and the server's stream runs at "
            f"{stream.sample_rate_hz:g} Hz",
            -9997,
        )
    for side in ("input", "output"):
        if not wish.settings.HasField(side):
            continue
        there = getattr(stream, f"{side}_channels")
        wanted = getattr(wish.settings, side).channels
        if wanted > there or there == 0:
            raise UnsuitableError(
                f"Invalid number of channels: {wanted or 'all'} {side} channels were asked for, "
                f"and the server's stream has {there}",
                -9998,
            )
        device = getattr(wish, f"{side}_device")
        index = getattr(stream, f"{side}_device").index
        if device is not None and device != index:
            raise UnsuitableError(
                f"Device unavailable: {side} device {device} was asked for, and the server's "
                f"stream runs on {index}, {getattr(stream, f'{side}_device').name}",
                -9985,
            )


def _late_policy(action: Action) -> Any:
    if action._allow_belated:
        return common_pb2.LATE_POLICY_PLAY
    return common_pb2.LATE_POLICY_SKIP


def _label() -> str:
    """Say who this is, for people who find the server busy."""
    program = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "?"
    return f"rtmixer {program} ({user}@{socket.gethostname()})"[:190]
