"""The same programs on the real rtmixer and on ours, near and far."""

from __future__ import annotations

import numpy as np
import programs
from rigs import LOOP_FRAMES, SAMPLE_RATE_HZ, Rig


def frames_between(later: float, earlier: float) -> float:
    """Turn a span of seconds into frames."""
    return (later - earlier) * SAMPLE_RATE_HZ


def expect_at(heard: np.ndarray, at: int, sound: np.ndarray) -> None:
    """Expect a sound in a recording, to the bit."""
    np.testing.assert_array_equal(heard[at : at + len(sound)], sound)


def test_timed_series(rig: Rig) -> None:
    """Each sound starts within half a frame of its time or not at all."""
    result = programs.timed_series(rig)
    rtmixer = rig.rtmixer
    first, rest = result.actions[0], result.actions[1:]
    assert first.type == rtmixer.PLAY_BUFFER
    assert first.actual_time == 0
    assert first.done_frames == 0
    assert first.total_frames == len(result.pulses[0])
    assert result.left == sorted(result.left, reverse=True)
    on_time = [action for action in rest if action.actual_time != 0]
    if rig.exact:
        assert len(on_time) == len(rest)
    for action in on_time:
        assert action.done_frames == action.total_frames
        assert action.stats.blocks >= 1
    off = [abs(frames_between(action.actual_time, action.requested_time)) for action in on_time]
    # The real one follows the clock of a busy machine.
    assert np.max(off) <= 0.51 if rig.exact else np.median(off) <= 512
    assert result.record.done_frames == len(result.recording)
    assert result.stats.blocks > 0
    if not rig.exact:
        assert np.count_nonzero(result.recording) > SAMPLE_RATE_HZ // 20
        return
    expected = np.zeros_like(result.recording)
    for index, (action, pulse) in enumerate(zip(rest, result.pulses[1:]), start=1):
        at = round(frames_between(action.actual_time, result.record.actual_time))
        at += LOOP_FRAMES
        expected[at : at + len(pulse), index % 2] += pulse[:, 0]
    np.testing.assert_allclose(result.recording, np.clip(expected, -1, 1), atol=1e-6)


def test_delay_line(rig: Rig) -> None:
    """What comes in is played again after the delay, on the frame."""
    result = programs.delay_line(rig)
    assert result.recorded
    assert result.played
    if not rig.exact:
        return
    assert result.alive == (True, True)
    start = result.record.actual_time
    assert abs(frames_between(start, result.record.requested_time)) <= 0.51
    echo = round(frames_between(result.play.actual_time, start)) + LOOP_FRAMES
    at = round(frames_between(result.sound.actual_time, start)) + LOOP_FRAMES
    heard = result.recording[:, 0]
    repeats = 0
    while at + 1000 < len(heard):
        expect_at(heard, at, result.probe[:, 0])
        at += echo
        repeats += 1
    assert repeats >= 3
    assert result.record.stats.blocks > 0
    assert result.play.stats.blocks > 0


def test_sampler(rig: Rig) -> None:
    """A recording is cut where it is cancelled, and can be played at once."""
    for one in programs.sampler(rig).rounds:
        assert one.cancel.type == rig.rtmixer.CANCEL
        assert one.cancel.action is one.record or one.cancel.action == one.record
        assert one.record.done_frames == one.record.total_frames == one.frames
        assert one.whole.done_frames == one.whole.total_frames == one.frames
        assert 0 < one.part.total_frames < one.longer_frames
        assert one.part.done_frames == one.part.total_frames
        assert 0 < one.tune.done_frames == one.tune.total_frames < 2 * SAMPLE_RATE_HZ
        assert one.stop.action == one.part
        assert np.count_nonzero(one.sample) > 0


def test_statistics(rig: Rig) -> None:
    """Counters belong to the stream, to actions, and start over when they are fetched."""
    result = programs.statistics(rig)
    assert result.before.blocks == 0
    assert result.first.type == rig.rtmixer.FETCH_AND_RESET_STATS
    stats = result.first.stats
    assert 0 < stats.min_blocksize <= stats.max_blocksize
    assert stats.blocks * stats.max_blocksize > 0.3 * SAMPLE_RATE_HZ
    assert result.record.done_frames == result.record.total_frames == SAMPLE_RATE_HZ // 4
    assert result.record.stats.blocks >= SAMPLE_RATE_HZ / 4 / stats.max_blocksize
    assert result.overflow.done_frames == 128
    assert result.overflow.total_frames == rig.rtmixer.ULONG_MAX
    assert result.ring.read_available == 128
    assert result.second.stats.blocks * stats.max_blocksize > SAMPLE_RATE_HZ // 4
    # No block is counted twice.
    blocks = sum(one.stats.blocks for one in (result.first, result.second, result.third))
    assert blocks * stats.min_blocksize <= result.elapsed * SAMPLE_RATE_HZ + 4096
    assert result.refused == "Accessing .stats on an active stream"
    assert result.endless.stats.blocks > 0
    assert 0 < result.endless.done_frames < result.endless.total_frames
    assert result.after.blocks > 0
    for name in ("input_underflows", "input_overflows", "output_underflows", "output_overflows"):
        assert getattr(result.after, name) >= 0


def test_live_plot(rig: Rig) -> None:
    """Memory of the ring can be looked at in place, and not a frame is lost or doubled."""
    result = programs.live_plot(rig)
    assert not result.plot[:, 0].any()
    assert result.plot[:, 1].any()
    if rig.exact:
        sound = programs.noise(SAMPLE_RATE_HZ, 5)[:, 0]
        heard = result.plot[:, 1]
        at = int(np.flatnonzero(heard)[0])
        length = min(len(heard) - at, len(sound))
        # The first sample may be inaudible.
        offset = int(np.flatnonzero(sound == heard[at])[0])
        expect_at(heard, at, sound[offset : offset + length - 1])


def test_file_from_a_thread(rig: Rig) -> None:
    """A sound longer than its ring is played whole, and ends when nothing more is written."""
    result = programs.file_from_a_thread(rig)
    frames = len(result.sound)
    if rig.exact:
        assert result.action.done_frames == frames
        assert not result.action.underruns
        heard = result.recording
        at = round(frames_between(result.action.actual_time, result.record.actual_time))
        expect_at(heard, at + LOOP_FRAMES, result.sound)
    assert result.action.total_frames == rig.rtmixer.ULONG_MAX
    assert result.ring.read_available == frames - result.action.done_frames
    assert max(result.rooms) <= 8 * 1024 + rig.lead * SAMPLE_RATE_HZ


def test_ring_swap(rig: Rig) -> None:
    """One ring stops and the other starts at the same frame."""
    result = programs.ring_swap(rig)
    assert result.cancel.action == result.first
    assert result.first.total_frames == result.first.done_frames
    assert result.left == len(result.sounds[0]) - result.first.done_frames
    assert result.second.done_frames == len(result.sounds[1])
    np.testing.assert_array_equal(result.rest, result.sounds[0][result.first.done_frames :, 0])
    if not rig.exact:
        return
    assert result.first.done_frames == round(frames_between(result.swap, result.start))
    joined = np.concatenate(
        [result.sounds[0][: result.first.done_frames, 0], result.sounds[1][:, 0]]
    )
    at = round(frames_between(result.first.actual_time, result.record.actual_time))
    at += LOOP_FRAMES
    heard = result.recording[:, 0]
    expect_at(heard, at, joined[: len(heard) - at])


def test_several_threads(rig: Rig) -> None:
    """Every thread gets what it waits for."""
    result = programs.several_threads(rig)
    assert len(result.results) == 4
    assert not result.left
    for actions in result.results.values():
        assert len(actions) == 20
        assert all(action.done_frames == action.total_frames == 480 for action in actions)


def test_signal_processing(rig: Rig) -> None:
    """Blocks go through the program and out again, without a gap."""
    result = programs.signal_processing(rig)
    assert result.calls == 12
    written = result.pre_filling + result.calls * result.size
    assert result.play.done_frames == written
    assert result.record.done_frames == result.record.total_frames >= result.calls * result.size
    if rig.exact:
        assert result.play.underruns == 0
        loop = LOOP_FRAMES
        heard = result.heard[:, 0]
        expect_at(heard, loop, result.probe[:, 0])
        again = 2 * loop + result.pre_filling
        length = min(len(result.probe), result.calls * result.size - loop)
        expect_at(heard, again, result.probe[:length, 0] / 2)
