"""Programs as people write them for rtmixer, with `rtmixer` and `sd` given instead of imported.

Each runs some seconds, and returns what it saw.
"""

from __future__ import annotations

import contextlib
import math
import threading
from types import SimpleNamespace

import numpy as np
from rigs import SAMPLE_RATE_HZ, Rig

FRAME_BYTES = 4


def noise(frames: int, seed: int = 1, channels: int = 1) -> np.ndarray:
    """Make a sound that looks like nothing else, shape (frames, channels)."""
    random = np.random.default_rng(seed)
    return random.uniform(-0.4, 0.4, (frames, channels)).astype("float32")


def power_of_two(at_least: float) -> int:
    """Round up."""
    return 2 ** math.ceil(math.log2(at_least))


def timed_series(rig: Rig, sounds: int = 60) -> SimpleNamespace:
    """Schedule sounds over a second, all at once, the first of them due already."""
    random = np.random.default_rng(7)
    starts = [0.0, *sorted(random.uniform(0, 1, sounds - 1))]
    pulses = [noise(int(n), seed) for seed, n in enumerate(random.integers(50, 3000, sounds))]
    recording = np.zeros((int((2 + 3 * rig.lead) * SAMPLE_RATE_HZ), 2), "float32")
    with rig.open("MixerAndRecorder", qsize=128) as stream:
        first = stream.time
        record = stream.record_buffer(recording, 2, start=first + rig.lead / 2)
        actions = []
        for index, (start, pulse) in enumerate(zip(starts, pulses)):
            due = first + (start + rig.lead if index else 0)
            channels = [index % 2 + 1]
            actions.append(stream.play_buffer(pulse, channels, start=due, allow_belated=False))
        left = []
        while stream.actions:
            left.append(len(stream.actions))
            rig.sd.sleep(20)
    return SimpleNamespace(
        actions=actions,
        pulses=pulses,
        record=record,
        recording=recording,
        left=left,
        stats=stream.stats,
    )


def delay_line(rig: Rig, delay: float = 0.5, safety: float = 0.001) -> SimpleNamespace:
    """Play whatever comes in, with a delay; one ring is recorded into and played from at once."""
    delay += 4 * rig.round_trip
    probe = noise(1000, 3)
    recording = np.zeros((int((3 * delay + 0.3 + rig.lead) * SAMPLE_RATE_HZ), 1), "float32")
    stream = rig.open("MixerAndRecorder", channels=1, latency="low")
    with stream:
        ring = rig.rtmixer.RingBuffer(FRAME_BYTES, power_of_two(2 * delay * SAMPLE_RATE_HZ))
        start = stream.time + max(safety, 0.02 * (not rig.exact))
        record = stream.record_ringbuffer(ring, start=start, allow_belated=False)
        play = stream.play_ringbuffer(ring, start=start + delay, allow_belated=False)
        witness = stream.record_buffer(recording, 1, start=start)
        sound = stream.play_buffer(probe, 1, start=start + rig.lead)
        # Buffers without a frame, to wait for a time.
        stream.wait(stream.record_buffer(b"", channels=1, start=start))
        recorded = record in stream.actions
        stream.wait(stream.play_buffer(b"", channels=1, start=start + delay))
        played = play in stream.actions
        stream.wait(witness)
        alive = record in stream.actions, play in stream.actions
    return SimpleNamespace(
        delay=delay,
        probe=probe,
        sound=sound,
        recording=recording,
        record=record,
        play=play,
        recorded=recorded,
        played=played,
        alive=alive,
        stats=stream.stats,
    )


def sampler(rig: Rig) -> SimpleNamespace:
    """Record while a key is down, play while another is, twice into the same memory."""
    results = []
    with rig.open("MixerAndRecorder", channels=1) as stream:
        ring = rig.rtmixer.RingBuffer(FRAME_BYTES, power_of_two(SAMPLE_RATE_HZ / 2))
        sample = bytearray()
        for round_number in range(2):
            assert not ring.read_available
            del sample[:]
            tune = stream.play_buffer(noise(2 * SAMPLE_RATE_HZ, 10 + round_number), channels=1)
            record = stream.record_ringbuffer(ring)
            while len(sample) < 9600 * FRAME_BYTES:
                assert record in stream.actions
                sample.extend(ring.read())
                rig.sd.sleep(5)
            cancel = stream.cancel(record)
            while cancel in stream.actions or record in stream.actions:
                sample.extend(ring.read())
                rig.sd.sleep(1)
            sample.extend(ring.read())
            stream.wait(stream.cancel(tune))
            whole = stream.play_buffer(sample, channels=1)
            stream.wait(whole)
            # So long that a cancel which is lost on the way and sent again comes before its end.
            longer = sample * 4
            part = stream.play_buffer(longer, channels=1)
            rig.sd.sleep(50 + int(2000 * rig.round_trip))
            stop = stream.cancel(part)
            stream.wait()
            results.append(
                SimpleNamespace(
                    record=record,
                    cancel=cancel,
                    frames=len(sample) // FRAME_BYTES,
                    sample=np.frombuffer(bytes(sample), "float32"),
                    tune=tune,
                    whole=whole,
                    part=part,
                    longer_frames=len(longer) // FRAME_BYTES,
                    stop=stop,
                )
            )
    del sample[:]
    return SimpleNamespace(rounds=results)


def statistics(rig: Rig) -> SimpleNamespace:
    """Ask a running stream for its counters."""
    stream = rig.open("Recorder", channels=1)
    before = stream.stats
    buffer = bytearray(int(0.25 * stream.samplerate) * stream.samplesize)
    ring = rig.rtmixer.RingBuffer(stream.samplesize, 128)
    begin = stream.time
    with stream:
        rig.sd.sleep(500)
        first = stream.fetch_and_reset_stats()
        stream.wait(first)
        record = stream.record_buffer(buffer, channels=1)
        stream.wait(record)
        overflow = stream.record_ringbuffer(ring, channels=1)
        stream.wait(overflow)
        endless = stream.record_ringbuffer(rig.rtmixer.RingBuffer(stream.samplesize, 1 << 16))
        second = stream.fetch_and_reset_stats()
        stream.wait(second)
        third = stream.fetch_and_reset_stats()
        stream.wait(third)
        elapsed = rig.elapsed(begin, stream.time)
        rig.sd.sleep(200)
        refused = None
        try:
            stream.stats  # noqa: B018
        except RuntimeError as error:
            refused = str(error)
    return SimpleNamespace(
        before=before,
        first=first,
        record=record,
        overflow=overflow,
        ring=ring,
        endless=endless,
        second=second,
        third=third,
        elapsed=elapsed,
        refused=refused,
        after=stream.stats,
    )


def live_plot(rig: Rig, window: int = 200) -> SimpleNamespace:
    """Look at the input piece by piece, in the memory of the ring."""
    step = 1024
    plot = np.zeros((0, 2), "float32")
    stream = rig.open("MixerAndRecorder", latency="low")
    with stream:
        ring = rig.rtmixer.RingBuffer(2 * FRAME_BYTES, step * 16)
        tone = stream.play_buffer(noise(SAMPLE_RATE_HZ, 5), [2])
        action = stream.record_ringbuffer(ring)
        while len(plot) < 40 * step:
            assert action in stream.actions
            while ring.read_available >= step:
                read, first, second = ring.get_read_buffers(step)
                assert read == step
                assert not second
                piece = np.frombuffer(first, dtype="float32")
                piece.shape = -1, 2
                assert piece.base is not None
                plot = np.concatenate([plot, piece])
                ring.advance_read_index(step)
            rig.sd.sleep(10)
    return SimpleNamespace(plot=plot, tone=tone, action=action)


def file_from_a_thread(rig: Rig, frames: int = 60000) -> SimpleNamespace:
    """Stream a long sound from a thread through a small ring, and record what sounds."""
    sound = noise(frames, 20, 2)
    block = 1024
    recording = np.zeros((frames + int((0.5 + rig.lead) * SAMPLE_RATE_HZ), 2), "float32")
    rooms = []
    with rig.open("MixerAndRecorder") as stream:
        ring = rig.rtmixer.RingBuffer(2 * FRAME_BYTES, 16 * block)
        done = 0

        def fill(size: int) -> int:
            nonlocal done
            count, first, second = ring.get_write_buffers(size)
            assert not second
            piece = sound[done : done + count].tobytes()
            first[: len(piece)] = piece
            done += len(piece) // (2 * FRAME_BYTES)
            ring.advance_write_index(len(piece) // (2 * FRAME_BYTES))
            return count

        fill(16 * block)
        record = stream.record_buffer(recording, 2)
        action = stream.play_ringbuffer(ring)

        def stream_file() -> None:
            while done < frames:
                while ring.write_available < block and action in stream.actions:
                    rig.sd.sleep(5)
                rooms.append(ring.write_available)
                if action not in stream.actions:
                    return
                fill(block)

        thread = threading.Thread(target=stream_file)
        thread.start()
        thread.join()
        stream.wait(action)
        stream.wait(record)
    return SimpleNamespace(
        sound=sound,
        recording=recording,
        action=action,
        record=record,
        rooms=rooms,
        ring=ring,
    )


def ring_swap(rig: Rig) -> SimpleNamespace:
    """Cancel what plays from one ring and start another at the same moment."""
    sounds = [noise(1 << 15, seed) for seed in (30, 31)]
    recording = np.zeros((int((1.2 + 2 * rig.lead) * SAMPLE_RATE_HZ), 1), "float32")
    with rig.open("MixerAndRecorder", channels=1) as stream:
        rings = []
        for sound in sounds:
            ring = rig.rtmixer.RingBuffer(FRAME_BYTES, 1 << 15)
            ring.write(sound)
            rings.append(ring)
        start = stream.time + rig.lead
        swap = start + 0.3 + rig.lead / 4
        record = stream.record_buffer(recording, 1, start=start)
        first = stream.play_ringbuffer(rings[0], start=start, allow_belated=False)
        cancel = stream.cancel(first, time=swap, allow_belated=False)
        second = stream.play_ringbuffer(rings[1], start=swap, allow_belated=False)
        stream.wait(first)
        left = rings[0].read_available
        rest = rings[0].read()
        stream.wait()
    return SimpleNamespace(
        sounds=sounds,
        recording=recording,
        record=record,
        first=first,
        cancel=cancel,
        second=second,
        left=left,
        rest=np.frombuffer(bytes(rest), "float32"),
        start=start,
        swap=swap,
    )


def several_threads(rig: Rig, threads: int = 4, each: int = 10) -> SimpleNamespace:
    """Use one mixer from several threads at once."""
    results: dict[int, list[object]] = {}
    # The real one takes one thread at a time.
    lock = contextlib.nullcontext() if rig.exact else threading.Lock()

    with rig.open("MixerAndRecorder", qsize=64) as stream:

        def done(action: object) -> bool:
            with lock:
                return action not in stream.actions

        def work(number: int) -> None:
            actions: list[object] = []
            for index in range(each):
                memory = bytearray(480 * FRAME_BYTES)
                with lock:
                    play = stream.play_buffer(noise(480, index), [number % 2 + 1])
                    record = stream.record_buffer(memory, [number % 2 + 1])
                actions += [play, record]
                while not (done(play) and done(record)):
                    rig.sd.sleep(1)
            results[number] = actions

        workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        left = set(stream.actions)
    return SimpleNamespace(results=results, left=left)


def signal_processing(rig: Rig, blocks: int = 12) -> SimpleNamespace:
    """Take blocks from one ring, change them, and put them into another."""
    size = 2048
    pre_filling = 4 * size + int(4 * rig.round_trip * SAMPLE_RATE_HZ) + 2 * size * (rig.lead > 0.5)
    block = np.zeros((size, 1), "float32")
    probe = noise(8000, 40)
    heard = np.zeros((size * (blocks + 8) + 3 * pre_filling, 1), "float32")
    calls = 0
    with rig.open("MixerAndRecorder", channels=1, latency="low") as stream:
        ring_in = rig.rtmixer.RingBuffer(FRAME_BYTES, power_of_two(SAMPLE_RATE_HZ))
        ring_out = rig.rtmixer.RingBuffer(FRAME_BYTES, power_of_two(SAMPLE_RATE_HZ))
        ring_out.write(np.zeros((pre_filling, 1), "float32"))
        start = stream.time + rig.lead
        record = stream.record_ringbuffer(ring_in, start=start)
        witness = stream.record_buffer(heard, 1, start=start)
        play = stream.play_ringbuffer(ring_out, start=start)
        source = stream.play_buffer(probe, 1, start=start)
        while calls < blocks:
            while ring_in.read_available < size and record in stream.actions:
                rig.sd.sleep(1)
            assert record in stream.actions, "input ring overflow"
            assert ring_in.readinto(block) == size
            block *= 0.5
            calls += 1
            while ring_out.write_available < size and play in stream.actions:
                rig.sd.sleep(1)
            assert play in stream.actions, "output ring underflow"
            assert ring_out.write(block) == size
        stream.wait(play)
        stream.wait(stream.cancel(record))
        stream.wait(witness)
    return SimpleNamespace(
        calls=calls,
        size=size,
        pre_filling=pre_filling,
        probe=probe,
        record=record,
        play=play,
        source=source,
        heard=heard,
        stats=stream.stats,
    )
