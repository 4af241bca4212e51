"""The original's mixer on a simulated clock: its own Python and its own compiled callback."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rtmixer
from _rtmixer import ffi, lib
from numpy.typing import NDArray

_CONTINUE = 0  # paContinue


class SeedMixer(rtmixer.Mixer):  # type: ignore[misc]
    """`rtmixer.Mixer` with one output and no device: the test calls its callback.

    Parameters
    ----------
    rate_hz : float
        Nominal sample rate.
    block_frames : int
        Frames of each block.
    latency_frames : int
        Between a callback and the converter: block b is at the converter when the frame
        ``b * block_frames + latency_frames`` is, counted from 0 s.
    stamp_error_seconds : callable, optional
        What is added to that in the stamp of a block, by the block's number.
    qsize : int, optional
        Of the original's queues; a power of two.
    """

    def __init__(
        self,
        rate_hz: float,
        block_frames: int,
        latency_frames: int,
        stamp_error_seconds: Callable[[int], float] = lambda block: 0.0,
        qsize: int = 16,
    ) -> None:
        # What the constructors of rtmixer and sounddevice do, without opening a stream.
        self._channels = 1
        self._samplesize = 4
        self._action_q = rtmixer.RingBuffer(ffi.sizeof("struct action*"), qsize)
        self._result_q = rtmixer.RingBuffer(ffi.sizeof("struct action*"), qsize)
        self._state = ffi.new(
            "struct state*",
            {
                "input_channels": 0,
                "output_channels": 1,
                "samplerate": rate_hz,
                "action_q": self._action_q._ptr,
                "result_q": self._result_q._ptr,
                "actions": ffi.NULL,
            },
        )
        self._actions: dict[Any, Any] = {}
        self._temp_action_ptr = ffi.new("struct action**")

        self._rate_hz = rate_hz
        self._block_frames = block_frames
        self._latency_frames = latency_frames
        self._stamp_error_seconds = stamp_error_seconds
        self._output = np.zeros(block_frames, np.float32)
        self._output_ptr = ffi.from_buffer(self._output)
        # PaStreamCallbackTimeInfo: of the input converter, of the call, of the output converter.
        self._times = ffi.new("double[3]")
        self._time_info = ffi.cast("PaStreamCallbackTimeInfo*", self._times)
        self._blocks_done = 0

    def seconds_at(self, frame: int) -> float:
        """Return the true time at which `frame` is at the converter."""
        return (frame + self._latency_frames) / self._rate_hz

    def frame_at(self, seconds: float) -> float:
        """Return the frame that is at the converter at this true time."""
        return seconds * self._rate_hz - self._latency_frames

    def step(self) -> NDArray[np.float32]:
        """Make one block; return what was played in it."""
        seconds = self.seconds_at(self._blocks_done * self._block_frames)
        seconds += self._stamp_error_seconds(self._blocks_done)
        self._times[1] = seconds - self._latency_frames / self._rate_hz
        self._times[2] = seconds
        self._output[:] = np.nan
        answer = lib.callback(
            ffi.NULL, self._output_ptr, self._block_frames, self._time_info, 0, self._state
        )
        assert answer == _CONTINUE
        self._blocks_done += 1
        return self._output.copy()

    def run(self, blocks: int) -> NDArray[np.float32]:
        """Make blocks; return what was played in them."""
        return np.concatenate([self.step() for _ in range(blocks)])

    def median_block_seconds(self, blocks: int) -> float:
        """Return what a block costs, in the middle of so many."""
        costs = []
        for _ in range(blocks):
            begin = time.perf_counter()
            lib.callback(
                ffi.NULL, self._output_ptr, self._block_frames, self._time_info, 0, self._state
            )
            costs.append(time.perf_counter() - begin)
        return statistics.median(costs)
