"""The streams: what programs see."""

from __future__ import annotations

import contextlib
import math
import operator
import threading
import time
import weakref
from collections.abc import Callable, KeysView
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import TracebackType
from typing import Any, Optional

from rtmixd import _loop, errors, sounddevice
from rtmixd._rtmixer_settings import default
from rtmixd.rtmixer._action import (
    CANCEL,
    FETCH_AND_RESET_STATS,
    PLAY_BUFFER,
    PLAY_RINGBUFFER,
    RECORD_BUFFER,
    RECORD_RINGBUFFER,
    ULONG_MAX,
    Action,
    Stats,
)
from rtmixd.rtmixer._memory import view_float32
from rtmixd.rtmixer._remote import Remote, UnsuitableError, Wish
from rtmixd.rtmixer._ringbuffer import RingBuffer
from rtmixd.sounddevice import PortAudioError, direction_settings, split
from rtmixd.v1 import device_pb2

_SAMPLE_BYTES = 4
# Looked at while waiting, in case a signal is to be handled.
_WAIT_SECONDS = 0.5
_CLOSE_SECONDS = 10.0
# It says something twice a second.
_SILENCE_SECONDS = 2


class Stream:
    """What all streams have; see `Mixer`, `Recorder` and `MixerAndRecorder`.

    Parameters
    ----------
    kind : {'input', 'output', 'duplex'}
        Which directions it has.
    qsize : int, optional
        How many actions can be ordered before the stream is started; a power of 2.
    samplerate : float, optional
        Frames per second; that of the server's stream by default, or of the device if the server
        has none open.
    blocksize : int, optional
        Frames per block, if a stream is opened; 0, the default, leaves it to the device.
    device : int or str or pair of them, optional
        Index or name of the device; that of the server's stream by default.
    channels : int or pair of int, optional
        How many; by default all that the server's stream or the device has.
    latency : {'low', 'high'} or float or pair of them, optional
        If a stream is opened; in seconds.
    extra_settings : None
        There are none.
    finished_callback : callable, optional
        Called without arguments when the stream has become inactive.
    clip_off, dither_off, never_drop_input, prime_output_buffers_using_stream_callback : bool
        Taken, and without effect.

    Raises
    ------
    PortAudioError
        If the server cannot be reached or is held by somebody else, if its device refuses, or if
        the stream that it runs has another rate, fewer channels or another device.
    ValueError
        If no device matches, or `qsize` is no power of 2.
    """

    # For __del__ of an object whose constructor failed.
    _remote: Optional[Remote] = None
    _active = False
    _closed = True

    def __init__(
        self,
        kind: str,
        qsize: int = 16,
        samplerate: Optional[float] = None,
        blocksize: Optional[int] = None,
        device: Any = None,
        channels: Any = None,
        latency: Any = None,
        extra_settings: Any = None,
        finished_callback: Optional[Callable[[], object]] = None,
        clip_off: Optional[bool] = None,
        dither_off: Optional[bool] = None,
        never_drop_input: Optional[bool] = None,
        prime_output_buffers_using_stream_callback: Optional[bool] = None,
    ) -> None:
        if qsize & (qsize - 1):
            raise ValueError("size must be a power of 2")
        self._kind = kind
        self._qsize = qsize
        self._finished_callback = finished_callback
        # Guards what follows; notified when an action has finished.
        self._finished = threading.Condition()
        self._actions: dict[Action, None] = {}
        self._snapshot: Optional[dict[Action, None]] = None
        # Ordered before the start.
        self._waiting: list[Action] = []
        self._stats = Stats()
        self._lost: Optional[Exception] = None
        self._last_time = 0.0

        wish = self._wish(samplerate, blocksize, device, channels, latency, extra_settings)
        own = weakref.ref(self)

        def on_finished(action: Action) -> None:
            stream = own()
            if stream is not None:
                stream._on_finished(action)

        def on_lost(error: Exception) -> None:
            stream = own()
            if stream is not None:
                stream._on_lost(error)

        remote = Remote(default.target, on_finished, on_lost)
        _loop.close_at_exit(remote)
        try:
            _loop.run(remote.open(wish))
        except BaseException as error:
            _loop.run(remote.close())
            doing = f"Error opening {type(self).__name__}"
            if isinstance(error, UnsuitableError):
                raise PortAudioError(f"{doing}: {error}", error.code) from None
            if isinstance(error, errors.RtmixdError):
                raise sounddevice.translate(error, doing) from error
            raise
        self._remote = remote
        self._closed = False
        self._channels = self._per_side(
            *(
                getattr(wish.settings, side).channels or getattr(remote.stream, f"{side}_channels")
                for side in ("input", "output")
            )
        )

    def _wish(
        self,
        samplerate: Optional[float],
        blocksize: Optional[int],
        device: Any,
        channels: Any,
        latency: Any,
        extra_settings: Any,
    ) -> Wish:
        rate_hz = sounddevice.default.samplerate if samplerate is None else samplerate
        frames = sounddevice.default.blocksize if blocksize is None else blocksize
        try:
            settings = device_pb2.StreamSettings(
                sample_rate_hz=0 if rate_hz is None else rate_hz, block_frames=frames or 0
            )
        except TypeError:
            raise TypeError(f"must be real number, not {type(rate_hz).__name__}") from None
        indices: list[Optional[int]] = [None, None]
        for number, side in enumerate(("input", "output")):
            if self._kind not in (side, "duplex"):
                continue
            try:
                direction, indices[number] = direction_settings(
                    side, device, channels, latency, None, extra_settings
                )
            except PortAudioError as error:
                if len(error.args) < 2:
                    raise
                doing = f"Error opening {type(self).__name__}"
                raise PortAudioError(f"{doing}: {error.args[0]}", *error.args[1:]) from None
            getattr(settings, side).CopyFrom(direction)
        return Wish(settings, indices[0], indices[1], default.exclusive, default.patience)

    def _per_side(self, for_input: Any, for_output: Any) -> Any:
        if self._kind == "duplex":
            return for_input, for_output
        return for_input if self._kind == "input" else for_output

    def __del__(self) -> None:
        # Nobody can ask for what it does any more. This may be any thread, at any time.
        if not self._closed and self._remote is not None and not self._remote.closed:
            with contextlib.suppress(RuntimeError, errors.Cancelled):
                _loop.start(self._remote.close())

    # What sounddevice's streams have.

    @property
    def samplerate(self) -> float:
        """Frames per second."""
        return float(self._info.sample_rate_hz)

    @property
    def blocksize(self) -> int:
        """Frames per block of the server's stream; 0 if they vary."""
        return int(self._info.block_frames)

    @property
    def device(self) -> Any:
        """Index of the device, or a pair of them."""
        info = self._info
        return self._per_side(info.input_device.index, info.output_device.index)

    @property
    def channels(self) -> Any:
        """How many channels it has, or a pair: inputs and outputs."""
        return self._channels

    @property
    def dtype(self) -> Any:
        """``'float32'``, or a pair of it."""
        return self._per_side("float32", "float32")

    @property
    def samplesize(self) -> Any:
        """Bytes of a sample: 4, or a pair of it."""
        return self._per_side(_SAMPLE_BYTES, _SAMPLE_BYTES)

    @property
    def latency(self) -> Any:
        """Seconds between the device's converters and the server's blocks; or a pair.

        The network is not in it: it delays orders, not what they say.
        """
        info = self._info
        return self._per_side(
            info.input_latency_frames / info.sample_rate_hz,
            info.output_latency_frames / info.sample_rate_hz,
        )

    @property
    def active(self) -> bool:
        """Whether it has been started and not stopped, and is still there."""
        return self._active

    @property
    def stopped(self) -> bool:
        """Whether it has not been started, or has been stopped."""
        return not self._active and self._lost is None

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self._closed

    @property
    def time(self) -> float:
        """Seconds of the stream's clock: frames of the server's stream, over its rate.

        Told from the last reading, without asking the server; never goes back. All streams on one
        server have the same time.

        Raises
        ------
        PortAudioError
            If the stream is closed or lost.
        """
        if self._closed or self._lost is not None or self._remote is None:
            raise PortAudioError("Error getting stream time")
        now = self._remote.clock.frame() / self._remote.rate_hz
        self._last_time = max(self._last_time, now, 1 / self._remote.rate_hz)
        return self._last_time

    @property
    def cpu_load(self) -> float:
        """Part of the block period that the server's audio thread needs, 0 to 1; a second old."""
        return 0.0 if self._closed or self._remote is None else self._remote.cpu_load

    def __repr__(self) -> str:
        if self._remote is None:
            return f"<{type(self).__name__}, never opened>"
        state = "closed" if self._closed else "active" if self._active else "stopped"
        state = "lost" if self._lost is not None else state
        inputs, outputs = split(self._channels)
        sides = {"input": f"{inputs} in", "output": f"{outputs} out"}
        channels = sides.get(self._kind) or ", ".join(sides.values())
        count = len(self._actions)
        return (
            f"<{type(self).__name__}: {channels} at {self.samplerate:g} Hz, {state}, {count}"
            f" action{'' if count == 1 else 's'}>"
        )

    def __enter__(self) -> Any:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Stop and close it."""
        self.stop()
        self.close()

    def start(self) -> None:
        """Begin with what has been ordered. Nothing changes if it is active.

        Raises
        ------
        PortAudioError
            If it is closed or lost.
        """
        if self._closed or self._remote is None:
            raise PortAudioError("Error starting stream: Invalid stream pointer", -9988)
        if self._lost is not None:
            raise PortAudioError(f"Error starting stream: {self._lost}", -9985)
        if self._active:
            return
        try:
            _loop.run(self._remote.begin())
        except errors.RtmixdError as error:
            raise sounddevice.translate(error, "Error starting stream") from error
        with self._finished:
            self._active = True
            waiting, self._waiting = self._waiting, []
            for action in waiting:
                _loop.post(self._remote.submit, action, time.monotonic())

    def stop(self, ignore_errors: bool = True) -> None:
        """End all actions, wherever they are. Nothing changes if it is not active."""
        remote = self._remote
        with self._finished:
            if not self._active or remote is None:
                return
            self._active = False
        self._finish_off(remote.end(), ignore_errors)
        if not _loop.is_own_thread():
            self._stats = remote.stats
        if self._finished_callback is not None:
            self._finished_callback()

    def abort(self, ignore_errors: bool = True) -> None:
        """Do the same as `stop`."""
        self.stop(ignore_errors)

    def close(self, ignore_errors: bool = True) -> None:
        """End all actions and let the server go; its stream is closed if it was opened here."""
        if self._closed or self._remote is None:
            return
        self.stop(ignore_errors)
        self._closed = True
        self._finish_off(self._remote.close(), ignore_errors)

    def _finish_off(self, work: Any, ignore_errors: bool) -> None:
        """Run something to the end, but never for long, and on the event loop without waiting."""
        try:
            if self._remote is None or self._remote.closed:
                # The interpreter exits.
                work.close()
                return
            future = _loop.start(work)
            if not _loop.is_own_thread():
                future.result(_CLOSE_SECONDS)
        except (errors.RtmixdError, FutureTimeoutError, RuntimeError) as error:
            if not ignore_errors:
                raise PortAudioError(f"Error stopping stream: {error}") from error

    @property
    def _info(self) -> Any:
        if self._remote is None:
            raise PortAudioError("the stream was never opened")
        return self._remote.stream

    # What rtmixer's streams have.

    @property
    def actions(self) -> KeysView[Action]:
        """The actions that have not finished.

        Told without asking the server. When an action is not in it any more, its fields are final
        and its memory or ring has all it gets.
        """
        with self._finished:
            if self._snapshot is None:
                self._snapshot = dict(self._actions)
            return self._snapshot.keys()

    @property
    def stats(self) -> Stats:
        """Counters of the stream since it was started, or since they were fetched.

        Raises
        ------
        RuntimeError
            If it is active; see `fetch_and_reset_stats`.
        """
        if self.active:
            raise RuntimeError("Accessing .stats on an active stream")
        return self._stats

    def cancel(self, action: Action, time: float = 0, allow_belated: bool = True) -> Action:
        """End an action.

        Parameters
        ----------
        action : Action
            Which. If it has ended, nothing happens.
        time : float, optional
            When, in seconds of the stream's time at the converter that `action` is about; at once
            by default.
        allow_belated : bool, optional
            Whether to do it later if `time` has passed.

        Returns
        -------
        Action
            One of its own; `action` is its attribute.
        """
        if not isinstance(action, Action):
            raise TypeError(f"action must be an action, not {type(action).__name__}")
        return self._enqueue(Action(CANCEL, _finite(time), allow_belated, action=action))

    def fetch_and_reset_stats(self, time: float = 0, allow_belated: bool = True) -> Action:
        """Take the counters of the stream, and let them begin anew.

        Parameters
        ----------
        time : float, optional
            When, in seconds of the stream's time; at once by default.
        allow_belated : bool, optional
            Whether to do it later if `time` has passed.

        Returns
        -------
        Action
            Its attribute `stats` has them in the end; before, what was known a second ago.
        """
        return self._enqueue(Action(FETCH_AND_RESET_STATS, _finite(time), allow_belated))

    def wait(self, action: Optional[Action] = None, sleeptime: float = 10) -> None:
        """Wait until an action, or all, have finished.

        Parameters
        ----------
        action : Action, optional
            Which; all by default.
        sleeptime : float, optional
            Without effect: it comes back at once.

        Raises
        ------
        PortAudioError
            If it could not be done, or the stream was lost. Also if the server cannot be reached
            any more; it may be found again, so that another `wait` succeeds.
        """
        awaited = list(self.actions) if action is None else [action]
        silent = 0
        with self._finished:
            while bool(self._actions) if action is None else action in self._actions:
                self._finished.wait(_WAIT_SECONDS)
                # Twice, as it may be this process that stood still.
                silent = silent + 1 if self._is_server_silent() else 0
                if silent == 2:
                    raise PortAudioError(f"the server said nothing for {_SILENCE_SECONDS} s", -9985)
        if action is None and self._lost is not None:
            raise PortAudioError(f"the stream was lost: {self._lost}", -9985)
        for one in awaited:
            # As the original, this waits for anything, which is over at once.
            if isinstance(one, Action) and one.error is not None:
                raise PortAudioError(f"{one!r} failed: {one.error}", -9999) from one.error

    def _is_server_silent(self) -> bool:
        remote = self._remote
        if not self._active or remote is None:
            return False
        return time.monotonic() - remote.heard > _SILENCE_SECONDS

    def _check_channels(self, channels: Any, kind: str) -> tuple[int, tuple[int, ...]]:
        """Return how many channels there are, and which."""
        try:
            numbers = range(1, operator.index(channels) + 1)
        except TypeError:
            numbers = channels
        try:
            mapping = tuple(operator.index(channel) for channel in numbers)
        except TypeError:
            text = f"channels must be a number or a sequence of numbers, not {channels!r}"
            raise TypeError(text) from None
        if max(mapping) > split(self.channels)[kind == "output"]:
            raise ValueError("Channel number too large")
        if min(mapping) < 1:
            raise ValueError("Channel numbers start with 1")
        return len(mapping), mapping

    def _order_buffer(
        self, action_type: int, buffer: Any, channels: Any, start: float, allow_belated: bool
    ) -> Action:
        playing = action_type == PLAY_BUFFER
        count, mapping = self._check_channels(channels, "output" if playing else "input")
        with view_float32(buffer, writable=not playing) as view:
            frames = view.nbytes // count // _SAMPLE_BYTES
            action = Action(
                action_type,
                _finite(start),
                allow_belated,
                total_frames=frames,
                mapping=mapping,
                memory=buffer,
            )
            if playing:
                action._sound = bytes(view[: frames * count * _SAMPLE_BYTES])
        return self._enqueue(action)

    def _order_ring(
        self, action_type: int, ring: RingBuffer, channels: Any, start: float, allow_belated: bool
    ) -> Action:
        if channels is None:
            channels = ring.elementsize // _SAMPLE_BYTES
        kind = "output" if action_type == PLAY_RINGBUFFER else "input"
        count, mapping = self._check_channels(channels, kind)
        if ring.elementsize != _SAMPLE_BYTES * count:
            raise ValueError("Incompatible elementsize")
        return self._enqueue(
            Action(
                action_type,
                _finite(start),
                allow_belated,
                total_frames=ULONG_MAX,
                mapping=mapping,
                ringbuffer=ring,
            )
        )

    def _enqueue(self, action: Action) -> Action:
        called = time.monotonic()
        with self._finished:
            if self._active and self._remote is not None:
                _loop.post(self._remote.submit, action, called)
            elif len(self._waiting) >= self._qsize:
                raise RuntimeError("Action queue is full")
            else:
                self._waiting.append(action)
            self._actions[action] = None
            self._snapshot = None
        return action

    def _on_finished(self, action: Action) -> None:
        with self._finished:
            self._actions.pop(action, None)
            self._snapshot = None
            self._finished.notify_all()

    def _on_lost(self, error: Exception) -> None:
        with self._finished:
            self._lost = error
            was_active, self._active = self._active, False
            if self._remote is not None:
                self._stats = self._remote.stats
        if was_active and self._finished_callback is not None:
            # It may call what waits for the event loop, on which this runs.
            threading.Thread(target=self._finished_callback, daemon=True).start()


def _finite(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise ValueError(f"the time must be finite, not {seconds!r}")
    return seconds


class Mixer(Stream):
    """Plays on a server. Takes the arguments of `Stream` but `kind`, all by keyword."""

    def __init__(self, **kwargs: Any) -> None:
        Stream.__init__(self, kind="output", **kwargs)

    def play_buffer(
        self, buffer: Any, channels: Any, start: float = 0, allow_belated: bool = True
    ) -> Action:
        """Play a sound.

        Parameters
        ----------
        buffer : buffer
            Interleaved float32 samples, C-contiguous. It is copied. Without a frame it is a timer.
        channels : int or sequence of int
            How many channels it has, or on which of the device's they are played, from 1.
        start : float, optional
            When its first frame is to be at the converter, in seconds of `time`; now by default.
        allow_belated : bool, optional
            Whether to play it later if `start` has passed when the order arrives at the server.

        Returns
        -------
        Action
            What becomes of it.

        Raises
        ------
        ValueError
            If a channel is not there, `start` is not finite, or the memory is not contiguous.
        TypeError
            If `buffer` has no buffer protocol, or holds anything but float32 or bytes.
        RuntimeError
            If the stream has not been started and `qsize` actions wait already.
        """
        return self._order_buffer(PLAY_BUFFER, buffer, channels, start, allow_belated)

    def play_ringbuffer(
        self,
        ringbuffer: RingBuffer,
        channels: Any = None,
        start: float = 0,
        allow_belated: bool = True,
    ) -> Action:
        """Play what is in a ring and what is written into it, until it is found empty.

        Parameters
        ----------
        ringbuffer : RingBuffer
            Its elements are frames of float32. They leave it as they are played.
        channels : int or sequence of int, optional
            As for `play_buffer`; by default as many as an element has room for.
        start, allow_belated
            As for `play_buffer`.

        Returns
        -------
        Action
            What becomes of it.

        Raises
        ------
        ValueError
            If a channel is not there, the size of the elements does not fit, or `start` is not
            finite.
        RuntimeError
            If the stream has not been started and `qsize` actions wait already.
        """
        return self._order_ring(PLAY_RINGBUFFER, ringbuffer, channels, start, allow_belated)


class Recorder(Stream):
    """Records from a server. Takes the arguments of `Stream` but `kind`, all by keyword."""

    def __init__(self, **kwargs: Any) -> None:
        Stream.__init__(self, kind="input", **kwargs)

    def record_buffer(
        self, buffer: Any, channels: Any, start: float = 0, allow_belated: bool = True
    ) -> Action:
        """Record into memory.

        Parameters
        ----------
        buffer : buffer
            Writable and C-contiguous, for interleaved float32 samples. It is filled as they come.
            Without room for a frame it is a timer.
        channels : int or sequence of int
            How many channels it has, or which of the device's are recorded, from 1.
        start : float, optional
            When its first frame is at the converter, in seconds of `time`. Now by default, which is
            the moment of the call: what the server heard meanwhile is not lost.
        allow_belated : bool, optional
            Whether to record later if `start` has passed at the call.

        Returns
        -------
        Action
            What becomes of it.

        Raises
        ------
        ValueError
            If a channel is not there, `start` is not finite, or the memory is read-only or not
            contiguous.
        TypeError
            If `buffer` has no buffer protocol, or holds anything but float32 or bytes.
        RuntimeError
            If the stream has not been started and `qsize` actions wait already.
        """
        return self._order_buffer(RECORD_BUFFER, buffer, channels, start, allow_belated)

    def record_ringbuffer(
        self,
        ringbuffer: RingBuffer,
        channels: Any = None,
        start: float = 0,
        allow_belated: bool = True,
    ) -> Action:
        """Record into a ring, until what comes finds no room.

        Parameters
        ----------
        ringbuffer : RingBuffer
            Its elements are frames of float32.
        channels : int or sequence of int, optional
            As for `record_buffer`; by default as many as an element has room for.
        start, allow_belated
            As for `record_buffer`.

        Returns
        -------
        Action
            What becomes of it.

        Raises
        ------
        ValueError
            If a channel is not there, the size of the elements does not fit, or `start` is not
            finite.
        RuntimeError
            If the stream has not been started and `qsize` actions wait already.
        """
        return self._order_ring(RECORD_RINGBUFFER, ringbuffer, channels, start, allow_belated)


class MixerAndRecorder(Mixer, Recorder):
    """Plays and records. Takes the arguments of `Stream` but `kind`, all by keyword."""

    def __init__(self, **kwargs: Any) -> None:
        Stream.__init__(self, kind="duplex", **kwargs)
