"""Our mixer, the original's and plain reading, each timed by a loop in C++ (mix_probe.cc)."""

from __future__ import annotations

import ctypes
import itertools
import math
import mmap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from _rtmixer import ffi, lib
from numpy.typing import NDArray

RATE_HZ = 48000.0
#: Starts at different places, so that not all voices do the same in the same block.
_MAX_STAGGER_FRAMES = 1024


def stagger(voice: int) -> int:
    """Return the frame of its sound at which a voice begins."""
    return voice * 977 % _MAX_STAGGER_FRAMES


def load(folder: Path) -> ctypes.CDLL:
    """Load the library."""
    library = ctypes.CDLL(str(folder / "tests/benchmark/libmix_probe.so"))
    pointer, integer, long = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
    real = ctypes.c_double
    for name, result, arguments in (
        ("probe_new", pointer, [integer, integer, integer]),
        ("probe_delete", None, [pointer]),
        ("probe_add_sound", integer, [pointer, integer, long]),
        (
            "probe_add_voice",
            None,
            [pointer, integer, pointer, long, ctypes.c_float, long, integer],
        ),
        ("probe_submit_voices", None, [pointer, long]),
        ("probe_add_shot", None, [pointer, integer, pointer, long]),
        ("probe_add_pending", None, [pointer, integer, pointer, integer]),
        ("probe_cancel_last", None, [pointer]),
        ("probe_poll", None, [pointer]),
        ("probe_time_blocks", None, [pointer, integer, pointer]),
        ("probe_run", real, [pointer, integer]),
        (
            "callback_run",
            real,
            [*[pointer] * 3, integer, pointer, real, pointer, integer, integer, integer],
        ),
        ("read_add_run", real, [pointer, long, pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def floats(count: int) -> NDArray[np.float32]:
    """Return samples in memory of ordinary pages, as the sounds of our side are."""
    memory = mmap.mmap(-1, 4 * count)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    samples = np.frombuffer(memory, np.float32)
    samples[:] = 1e-4
    return samples


def blocks_lasting(run: Callable[[int], float], nanos: float) -> int:
    """Return how many blocks take about so long."""
    return max(1, math.ceil(nanos / min(run(1) for _ in range(5))))


def _from_zero(channel_map: Sequence[int]) -> ctypes.Array[ctypes.c_int]:
    return (ctypes.c_int * len(channel_map))(*[channel - 1 for channel in channel_map])


class OurMixer:
    """The mixer of the server.

    Parameters
    ----------
    library : ctypes.CDLL
    outputs, block_frames, max_voices : int
        `max_voices` is how many can be added, pending ones included.
    """

    def __init__(
        self, library: ctypes.CDLL, outputs: int, block_frames: int, max_voices: int
    ) -> None:
        self._library = library
        self._probe = library.probe_new(outputs, block_frames, max_voices)

    def close(self) -> None:
        """Free it."""
        self._library.probe_delete(self._probe)

    def add_sound(self, channels: int, frames: int) -> int:
        """Make a sound in memory; return its number."""
        return int(self._library.probe_add_sound(self._probe, channels, frames))

    def add_voice(
        self,
        sound: int,
        channel_map: Sequence[int],
        first_frame: int,
        gain: float = 1.0,
        fade_frames: int = 0,
        shape: int = 0,
    ) -> None:
        """Add one that loops over a sound, to what submit() will submit.

        `channel_map` counts from 1; `shape` of the fade in: 0 is linear, 1 equal power.
        """
        self._library.probe_add_voice(
            self._probe, sound, _from_zero(channel_map), first_frame, gain, fade_frames, shape
        )

    def add_shot(self, sound: int, channel_map: Sequence[int], offset_frames: int = 0) -> None:
        """Add one that plays a sound once, from so long after the origin on."""
        self._library.probe_add_shot(self._probe, sound, _from_zero(channel_map), offset_frames)

    def submit(self, origin_frame: int = -1) -> None:
        """Submit them as one batch; by default it is late and so starts at once."""
        self._library.probe_submit_voices(self._probe, origin_frame)

    def submit_now(self) -> None:
        """Submit them as one batch, whose origin is the block that takes it up."""
        self._library.probe_submit_voices(self._probe, -(1 << 63))

    def add_pending(self, sound: int, channel_map: Sequence[int], count: int) -> None:
        """Have voices wait for starts far ahead, each a batch of its own."""
        self._library.probe_add_pending(self._probe, sound, _from_zero(channel_map), count)

    def cancel_last(self) -> None:
        """Cancel every voice of the last batch, one by one."""
        self._library.probe_cancel_last(self._probe)

    def poll(self) -> None:
        """Free what has ended."""
        self._library.probe_poll(self._probe)

    def time_blocks(self, blocks: int) -> NDArray[np.float64]:
        """Return what each of the next blocks costs, in nanoseconds."""
        nanos = np.zeros(blocks)
        self._library.probe_time_blocks(self._probe, blocks, nanos.ctypes.data)
        return nanos

    def run(self, blocks: int) -> float:
        """Return what a block costs, in nanoseconds."""
        return float(self._library.probe_run(self._probe, blocks))


class RivalMixer:
    """The original's compiled callback, with actions that begin anew when they are over.

    Parameters
    ----------
    library : ctypes.CDLL
    outputs, block_frames : int
    """

    def __init__(self, library: ctypes.CDLL, outputs: int, block_frames: int) -> None:
        self._library = library
        self._block_frames = block_frames
        self._callback = int(ffi.cast("uintptr_t", ffi.addressof(lib, "callback")))
        self._keep: list[object] = []
        self._actions: list[object] = []
        self._state = ffi.new(
            "struct state*",
            {
                "output_channels": outputs,
                "samplerate": RATE_HZ,
                "action_q": self._queue(16),
                "result_q": self._queue(16),
            },
        )
        self._output = np.zeros(outputs * block_frames, np.float32)
        self._times = (ctypes.c_double * 3)(1.0, 1.0, 1.0)
        self._done = (ctypes.c_void_p * 0)()
        self._pass_blocks = 1 << 30
        self._blocks_left = 0

    def _queue(self, size: int) -> object:
        queue = ffi.new("PaUtilRingBuffer*")
        memory = ffi.new("char[]", size * ffi.sizeof("void*"))
        lib.PaUtil_InitializeRingBuffer(queue, ffi.sizeof("void*"), size, memory)
        self._keep += [queue, memory]
        return queue

    def add_actions(
        self,
        sounds: Sequence[tuple[NDArray[np.float32], int]],
        channel_maps: Sequence[Sequence[int]],
    ) -> None:
        """Add actions, each with interleaved samples and its first of them.

        They join the list of the callback as if it had taken them up.
        """
        added = []
        for (samples, first), channel_map in zip(sounds, channel_maps):
            left = len(samples) - first
            action = ffi.new(
                "struct action*",
                {
                    "type": lib.PLAY_BUFFER,
                    "actual_time": -1.0,
                    "buffer": ffi.cast("float*", samples.ctypes.data + 4 * first),
                    "total_frames": left // len(channel_map),
                    "channels": len(channel_map),
                    "mapping": list(channel_map),
                },
            )
            added.append(action)
            self._pass_blocks = min(
                self._pass_blocks, action.total_frames // self._block_frames - 1
            )
        for action, following in itertools.pairwise([*added, self._state.actions]):
            action.next = following
        self._state.actions = added[0]
        self._actions += added
        self._keep += [samples for samples, _ in sounds]
        done = [int(ffi.cast("uintptr_t", ffi.addressof(a, "done_frames"))) for a in self._actions]
        self._done = (ctypes.c_void_p * len(done))(*done)

    def add_pending(self, samples: NDArray[np.float32], count: int) -> None:
        """Have actions wait for a start far ahead."""
        if count == 0:
            return
        fields = dict(ffi.typeof("struct action").fields)
        names = ["type", "actual_time", "requested_time", "next", "buffer", "total_frames"]
        kinds = ["i4", "f8", "f8", "u8", "u8", "u8"]
        layout = np.dtype(
            {
                "names": [*names, "channels", "mapping"],
                "formats": [*kinds, "u8", "u8"],
                "offsets": [fields[name].offset for name in [*names, "channels", "mapping"]],
                "itemsize": ffi.sizeof("struct action") + ffi.sizeof("unsigned long"),
            }
        )
        actions = np.zeros(count, layout)
        actions["type"] = lib.PLAY_BUFFER
        actions["actual_time"] = -1.0
        actions["requested_time"] = 1e9
        first = actions.ctypes.data
        actions["next"] = first + layout.itemsize * np.arange(1, count + 1, dtype=np.uint64)
        actions["next"][-1] = int(ffi.cast("uintptr_t", self._state.actions))
        actions["buffer"] = samples.ctypes.data
        actions["total_frames"] = len(samples)
        actions["channels"] = actions["mapping"] = 1
        self._state.actions = ffi.cast("struct action*", first)
        self._keep += [samples, actions]

    def run(self, blocks: int) -> float:
        """Return what a block costs, in nanoseconds; at least so many are run.

        The sounds go on where they were, and begin anew before they end.
        """
        resets = self._blocks_left < min(blocks, self._pass_blocks)
        if resets:
            self._blocks_left = self._pass_blocks
        passes = math.ceil(blocks / self._pass_blocks)
        pass_blocks = min(blocks, self._pass_blocks)
        self._blocks_left -= pass_blocks
        return float(
            self._library.callback_run(
                self._callback,
                int(ffi.cast("uintptr_t", self._state)),
                self._output.ctypes.data,
                self._block_frames,
                self._times,
                self._block_frames / RATE_HZ,
                self._done,
                len(self._done) if resets or passes > 1 else 0,
                pass_blocks,
                passes,
            )
        )


class ReadAdd:
    """Adds up what lies in memory, in order: what no mixer can be faster than.

    Parameters
    ----------
    library : ctypes.CDLL
    count : int
        Samples in the memory that is gone through, round and round.
    """

    def __init__(self, library: ctypes.CDLL, count: int) -> None:
        self._library = library
        self._samples = floats(count)
        self._sums = np.zeros(64, np.float32)
        self._next = 0

    def run(self, count: int) -> float:
        """Return what the next `count` samples take, in nanoseconds for each."""
        if self._next + count > len(self._samples):
            self._next = 0
        first = self._samples.ctypes.data + 4 * self._next
        self._next += count
        return float(self._library.read_add_run(first, count, self._sums.ctypes.data)) / count
