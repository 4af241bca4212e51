"""The rows of scheduling_rows.h for the original: the same frames, the same disturbances."""

from __future__ import annotations

import array
import ctypes
import mmap
import multiprocessing
import threading
from typing import Any

import numpy as np
import rtmixer
from _rtmixer import ffi
from numpy.typing import NDArray
from seed_mixer import SeedMixer

#: A row of what scheduling_rows_json printed.
Row = dict[str, Any]


def _floats(*samples: float) -> array.array[float]:
    return array.array("f", samples)


class SeedRows:
    """Runs the rows, one method each.

    Parameters
    ----------
    rows : dict
        What scheduling_rows_json printed.
    """

    def __init__(self, rows: dict[str, Row]) -> None:
        self._rows = rows
        self._given = rows["given"]

    def _mixer(self, errors: list[float] | None = None, qsize: int = 16) -> SeedMixer:
        return SeedMixer(
            self._given["rate_hz"],
            int(self._given["block_frames"]),
            int(self._given["output_latency_frames"]),
            (lambda block: errors[block]) if errors else (lambda block: 0.0),
            qsize,
        )

    def starts(self, name: str) -> Row:
        """Play sounds of one frame, each a sample that tells its number."""
        row = self._rows[name]
        asked = np.array(row["asked_frames"], int)
        errors = row["stamp_errors_seconds"]
        mixer = self._mixer(errors, 512)
        marks = np.arange(1, len(asked) + 1, dtype=np.float32) / 1024
        actions = [
            mixer.play_buffer(_floats(mark), 1, start=mixer.seconds_at(frame))
            for mark, frame in zip(marks, asked)
        ]
        output = mixer.run(len(errors))
        heard = np.array([next(iter(np.flatnonzero(output == mark)), -1) for mark in marks])
        reported = np.array([mixer.frame_at(action.actual_time) for action in actions])
        off = np.abs(heard - asked)
        return {
            "not_on_their_frame": int(np.count_nonzero(off)),
            "most_frames_off": int(off[heard >= 0].max()),
            "wrongly_reported": int(np.count_nonzero(np.abs(reported - heard) >= 0.5)),
        }

    def joins(self) -> Row:
        """Play sounds of the same samples, each where the one before it ends."""
        row = self._rows["joins"]
        asked = [int(frame) for frame in row["asked_frames"]]
        frames = int(row["sound_frames"])
        errors = row["stamp_errors_seconds"]
        mixer = self._mixer(errors, 1024)
        for frame in asked:
            mixer.play_buffer(_floats(0.25) * frames, 1, start=mixer.seconds_at(frame))
        output = mixer.run(len(errors))
        # Between the first and the last sound as they should be, and a frame less at either end,
        # which is no join.
        joined = output[asked[0] + 1 : asked[-1] + frames - 1]
        return {
            "silent_samples": int(np.count_nonzero(joined == 0)),
            "doubled_samples": int(np.count_nonzero(joined == 0.5)),
        }

    def cost(self) -> Row:
        """Measure a block in which nothing sounds while actions wait."""
        costs = []
        for pending in self._rows["cost"]["pending_actions"]:
            mixer = self._mixer(qsize=131072)
            for number in range(int(pending)):
                mixer.play_buffer(_floats(0.5), 1, start=1e6 + number)
            mixer.step()
            costs.append(mixer.median_block_seconds(501))
        return {"block_seconds": costs}

    def full(self) -> Row:
        """Play more sounds than there is room for results, and look for results afterwards."""
        row = self._rows["full"]
        mixer = self._mixer(qsize=int(row["room"]))
        for number in range(int(row["asked"])):
            if number % int(row["room"]) == 0:
                mixer.step()
            mixer.play_buffer(_floats(0.5), 1, start=mixer.seconds_at(6400))
        played = mixer.run(1000)
        # What wait() waits for.
        waited_for = len(mixer.actions)
        return {
            "played": round(float(played.sum()) / 0.5),
            "lost": waited_for,
        }

    def dry(self) -> Row:
        """Let a ring run dry and write on."""
        mixer = self._mixer()
        ring = rtmixer.RingBuffer(4, 512)
        ring.write(_floats(0.5) * 100)
        action = mixer.play_ringbuffer(ring)
        mixer.run(3)
        ring.write(_floats(0.25) * 200)
        later = mixer.run(10)
        return {
            "done_frames": int(action.done_frames),
            "ended": action not in mixer.actions,
            "heard_later": int(np.count_nonzero(later)),
            "left_in_ring": int(ring.read_available),
        }

    def cancel_ended(self) -> Row:
        """Cancel an action that has ended and whose memory is gone; in a process of its own."""
        child = multiprocessing.get_context("spawn").Process(target=_cancel_freed, args=(self,))
        child.start()
        child.join()
        return {"exit_code": child.exitcode}

    def cancel_unknown(self) -> Row:
        """Cancel an action that was never given to this mixer, and one that plays."""
        mixer = self._mixer()
        foreign = ffi.new(
            "struct action*", {"type": rtmixer.PLAY_BUFFER, "total_frames": 10, "mapping": (1,)}
        )
        cancels = [mixer.cancel(foreign)]
        playing = mixer.play_buffer(_floats(0.5) * 1000, 1)
        mixer.step()
        cancels.append(mixer.cancel(playing))
        mixer.run(3)
        # What there is to be told apart by.
        answers = [
            (cancel in mixer.actions, cancel.done_frames, cancel.actual_time >= 0)
            for cancel in cancels
        ]
        return {"looks_the_same": answers[0] == answers[1]}

    def stopped(self) -> Row:
        """Wait for an action after the last block."""
        mixer = self._mixer()
        mixer.play_buffer(_floats(0.5), 1, start=1000)
        mixer.run(5)
        sleeps = 0

        class StillWaitingError(Exception):
            pass

        def sleep(milliseconds: int) -> None:
            nonlocal sleeps
            sleeps += 1
            if sleeps == 1000:
                raise StillWaitingError

        real, rtmixer._sd.sleep = rtmixer._sd.sleep, sleep
        try:
            mixer.wait()
        except StillWaitingError:
            return {"returned": False, "sleeps": sleeps}
        finally:
            rtmixer._sd.sleep = real
        return {"returned": True, "sleeps": sleeps}

    def producers(self) -> Row:
        """Let two threads schedule so that both are about to write to the queue at once."""
        mixer = self._mixer()
        both = threading.Barrier(2)
        queue = mixer._action_q

        class MeetingQueue:
            def write(self, pointer: Any) -> int:
                both.wait()
                return int(queue.write(pointer))

        mixer._action_q = MeetingQueue()
        threads = [
            threading.Thread(target=mixer.play_buffer, args=(_floats(0.5), 1)) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        queued = ffi.new("struct action*[2]")
        queue.readinto(ffi.buffer(queued))
        return {
            "asked": len(threads),
            "believed": len(mixer._actions),
            "queued": len({queued[0], queued[1]}),
        }

    def checks(self) -> Row:
        """Play what makes no sense."""

        def played(samples: Any, start: float = 0) -> NDArray[np.float32]:
            mixer = self._mixer()
            mixer.play_buffer(samples, 1, start=start)
            return mixer.step()

        doubles = np.array([0.5, 0.25])
        return {
            "doubles_as_floats": bool(
                np.array_equal(played(doubles)[:4], doubles.view(np.float32))
            ),
            "half_a_frame_taken": bool(np.count_nonzero(played(_floats(0.5).tobytes() + b"\0\0"))),
            "nan_start_plays_at_once": played(_floats(0.5), float("nan"))[0] == 0.5,
            "nan_sample_played": bool(np.isnan(played(_floats(float("nan")))[0])),
        }

    def became_late(self) -> Row:
        """Let the clock pass a start that has been seen, and that must not be late."""
        mixer = self._mixer([0.0] * 5 + [1.0] * 50)
        action = mixer.play_buffer(
            _floats(0.5) * 100, 1, start=mixer.seconds_at(20000), allow_belated=False
        )
        output = mixer.run(50)
        return {
            "heard_frames": int(np.count_nonzero(output)),
            "late_frames": round(mixer.frame_at(action.actual_time)) - 20000,
        }


def _cancel_freed(rows: SeedRows) -> None:
    """Do it where the action's memory can be taken away for sure."""
    mixer = rows._mixer()
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    ]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    page = libc.mmap(
        None,
        mmap.PAGESIZE,
        mmap.PROT_READ | mmap.PROT_WRITE,
        mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
        -1,
        0,
    )
    action = ffi.cast("struct action*", page)
    samples = ffi.new("float[]", [0.5] * 10)
    action.type = rtmixer.PLAY_BUFFER
    action.actual_time = -1
    action.buffer = samples
    action.total_frames = len(samples)
    action.channels = 1
    action.mapping[0] = 1
    mixer._enqueue(action)
    played = mixer.run(3)
    if np.count_nonzero(played) != len(samples) or mixer.actions:
        raise SystemExit("it has not ended")
    libc.munmap(page, mmap.PAGESIZE)
    mixer.cancel(action)
    mixer.run(3)
