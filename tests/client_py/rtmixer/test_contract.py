"""What a program can see of streams and actions, on the real rtmixer and on ours."""

from __future__ import annotations

import array
import contextlib
import threading
from typing import Any

import numpy as np
import programs
import pytest
from rigs import LOOP_FRAMES, SAMPLE_RATE_HZ, Rig


def test_constants_have_the_values_of_the_original(rig: Rig) -> None:
    """A program may look for the name of a type in the module."""
    names = ("PLAY_BUFFER", "PLAY_RINGBUFFER", "RECORD_BUFFER", "RECORD_RINGBUFFER")
    names += ("CANCEL", "FETCH_AND_RESET_STATS")
    for value, name in enumerate(names):
        assert getattr(rig.rtmixer, name) == value
        assert next(k for k, v in vars(rig.rtmixer).items() if v == value) == name
    assert rig.rtmixer.ULONG_MAX == 2**64 - 1
    assert rig.rtmixer.__version__ == "0.1.7"
    assert rig.sd.__version__.split(".")[0] == "0"


@pytest.mark.parametrize(
    ("kind", "pair"), [("Mixer", False), ("Recorder", False), ("MixerAndRecorder", True)]
)
def test_stream_attributes(rig: Rig, kind: str, pair: bool) -> None:
    """One value for one direction, a pair for two."""
    stream = rig.open(kind)

    def one_or_pair(value: Any) -> Any:
        return (value, value) if pair else value

    try:
        assert stream.samplerate == SAMPLE_RATE_HZ
        assert stream.channels == one_or_pair(2)
        assert stream.dtype == one_or_pair("float32")
        assert stream.samplesize == one_or_pair(4)
        assert stream.device == one_or_pair(rig.sd.query_devices("loopback", "input")["index"])
        latencies = stream.latency if pair else [stream.latency]
        assert all(0 <= latency < 1 for latency in latencies)
        assert isinstance(stream.blocksize, int)
        assert (stream.active, stream.stopped, stream.closed) == (False, True, False)
        assert stream.time > 0
        with stream as entered:
            assert entered is stream
            assert (stream.active, stream.stopped, stream.closed) == (True, False, False)
            assert 0 <= stream.cpu_load <= 1
            earlier = stream.time
            rig.sd.sleep(50)
            assert 0.04 < rig.elapsed(earlier, stream.time) < 2
    finally:
        stream.close()
    assert (stream.active, stream.stopped, stream.closed) == (False, True, True)
    assert hasattr(stream, "play_buffer") == (kind != "Recorder")
    assert hasattr(stream, "record_ringbuffer") == (kind != "Mixer")


def test_closed_stream(rig: Rig) -> None:
    """It can be stopped and closed again, and asked for its counters, but not started."""
    stream = rig.open("Mixer")
    stream.start()
    stream.start()
    stream.abort()
    stream.stop()
    stream.close()
    stream.close()
    stream.stop()
    assert stream.cpu_load == 0.0
    assert stream.stats.blocks >= 0
    with pytest.raises(rig.sd.PortAudioError, match="Error getting stream time"):
        stream.time  # noqa: B018
    with pytest.raises(rig.sd.PortAudioError, match="Error starting stream") as caught:
        stream.start()
    assert caught.value.args[1] == -9988


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"samplerate": 12345}, "PortAudioError", "Error opening Mixer: Invalid sample rate"),
        ({"channels": 77}, "PortAudioError", "Error opening Mixer: Invalid number of channels"),
        ({"channels": 0}, "PortAudioError", "Error opening Mixer: Invalid number of channels"),
        ({"device": "nope"}, ValueError, "No output device matching 'nope'"),
        ({"device": 77}, "PortAudioError", "Error querying device 77"),
        ({"qsize": 3}, ValueError, "size must be a power of 2"),
        ({"samplerate": "fast"}, TypeError, "must be real number, not str"),
        ({"latency": "x"}, TypeError, "must be real number, not str"),
        ({"nonsense": 1}, TypeError, "unexpected keyword argument 'nonsense'"),
        ({"kind": "output"}, TypeError, "multiple values for (keyword )?argument 'kind'"),
    ],
)
def test_opening_with_wrong_settings(
    rig: Rig, settings: dict[str, Any], error: Any, text: str
) -> None:
    """The same types and texts; where the server knows more, it says it behind."""
    kind = getattr(rig.sd, error) if isinstance(error, str) else error
    with pytest.raises(kind, match=text):
        rig.open("Mixer", **settings)


def test_constructors_take_keywords_only(rig: Rig) -> None:
    """As those of the original do."""
    with pytest.raises(TypeError):
        rig.rtmixer.Mixer(16)


def test_wrong_arguments(rig: Rig) -> None:
    """Refused at the call."""
    stream = rig.open("MixerAndRecorder", qsize=2)
    try:
        for order, memory in ((stream.play_buffer, b""), (stream.record_buffer, bytearray(8))):
            with pytest.raises(ValueError, match="Channel number too large"):
                order(memory, 3)
            with pytest.raises(ValueError, match="Channel number too large"):
                order(memory, [1, 3])
            with pytest.raises(ValueError, match="Channel numbers start with 1"):
                order(memory, [0, 1])
            with pytest.raises(ValueError, match="empty"):
                order(memory, 0)
            for channels in ("x", None, 1.0, [1.0], [None], object()):
                with pytest.raises(TypeError):
                    order(memory, channels)
            with pytest.raises(TypeError):
                order([0.5], 1)
            with pytest.raises((ValueError, BufferError)):
                order(np.zeros((8, 2), "float32")[:, 0], 1)
        for order in (stream.play_ringbuffer, stream.record_ringbuffer):
            with pytest.raises(ValueError, match="Incompatible elementsize"):
                order(rig.rtmixer.RingBuffer(4, 16), 2)
            with pytest.raises(ValueError, match="Incompatible elementsize"):
                order(rig.rtmixer.RingBuffer(9, 16))
            with pytest.raises(ValueError, match="Channel number too large"):
                order(rig.rtmixer.RingBuffer(12, 16))
        for nothing in (None, 5, "action", b"", object()):
            with pytest.raises(TypeError):
                stream.cancel(nothing)
        # Whatever is not under way is over.
        stream.wait("action")
        assert not stream.actions
        first = stream.play_buffer(b"", 1)
        second = stream.record_buffer(bytearray(8), 1)
        with pytest.raises(RuntimeError, match="Action queue is full"):
            stream.play_buffer(b"", 1)
        assert set(stream.actions) == {first, second}
        with stream:
            stream.wait()
        assert second.done_frames == 2
    finally:
        stream.close()


def test_actions_is_a_set_of_what_is_unfinished(rig: Rig) -> None:
    """It can be asked, counted, walked through and joined with others."""
    with rig.open("MixerAndRecorder") as stream:
        late = stream.time + rig.lead + 1000
        actions = [stream.play_buffer(b"abcd", 1, start=late) for _ in range(3)]
        assert len(stream.actions) == 3
        assert set(stream.actions) == set(actions)
        assert all(action in stream.actions for action in actions)
        assert stream.actions & {actions[0]} == {actions[0]}
        assert len(dict.fromkeys(stream.actions)) == 3
        for action in actions:
            stream.cancel(action)
        stream.wait()
        assert not stream.actions
        assert all(action.total_frames == 0 for action in actions)
        stream.wait(actions[0])
        stream.wait(None, 1)


def test_fields_of_a_sound(rig: Rig) -> None:
    """Before, while it waits, and afterwards."""
    with rig.open("MixerAndRecorder") as stream:
        sound = programs.noise(500, channels=2)
        start = stream.time + rig.lead
        action = stream.play_buffer(sound, [2, 1], start=start)
        assert action.type == rig.rtmixer.PLAY_BUFFER
        assert action.requested_time == start
        assert action.actual_time == -1
        assert (action.total_frames, action.done_frames) == (500, 0)
        assert action.channels == 2
        assert list(action.mapping) == [2, 1]
        assert action.stats.blocks == 0
        stream.wait(action)
        assert action.done_frames == 500
        if rig.exact:
            assert abs(action.actual_time - start) < 0.00002
        assert action.stats.blocks >= 500 / 512
        assert action.stats.min_blocksize > 0


def test_belated_or_not(rig: Rig) -> None:
    """A start that has passed is now, or never."""
    with rig.open("MixerAndRecorder") as stream:
        rig.sd.sleep(100)
        memory = bytearray(400)
        ring = rig.rtmixer.RingBuffer(4, 128)
        ring.write(bytes(400))
        past = stream.time - 0.09
        dropped = [
            stream.play_buffer(bytes(400), 1, past, False),
            stream.play_buffer(bytes(400), 1, 0, False),
            stream.play_ringbuffer(ring, start=past, allow_belated=False),
            stream.record_buffer(memory, 1, past, False),
            stream.record_ringbuffer(rig.rtmixer.RingBuffer(4, 128), None, past, False),
        ]
        stream.wait()
        for action in dropped:
            assert action.actual_time == 0
            assert action.done_frames == 0
            assert action.total_frames > 0
        assert ring.read_available == 100
        taken = [
            stream.play_buffer(bytes(400), 1, past, True),
            stream.play_ringbuffer(ring, None, past),
            stream.record_buffer(memory, 1, past),
        ]
        stream.wait()
        for action in taken:
            assert action.actual_time > past
            assert action.done_frames == 100


def test_channel_maps(rig: Rig) -> None:
    """Channels may be swapped and doubled, on either side."""
    with rig.open("MixerAndRecorder") as stream:
        heard = np.zeros((int((rig.lead + 0.5) * SAMPLE_RATE_HZ), 3), "float32")
        start = stream.time + rig.lead
        stream.record_buffer(heard, [2, 1, 2], start=start)
        sound = programs.noise(8000, channels=2) / 2
        play = stream.play_buffer(sound, [2, 2], start=start)
        stream.wait()
        np.testing.assert_array_equal(heard[:, 0], heard[:, 2])
        assert not heard[:, 1].any()
        assert heard[:, 0].any()
        if rig.exact:
            np.testing.assert_array_equal(
                heard[LOOP_FRAMES : LOOP_FRAMES + 8000, 0], sound[:, 0] + sound[:, 1]
            )
        assert play.done_frames == 8000


def test_any_memory_with_float32_or_bytes(rig: Rig) -> None:
    """Arrays of any shape, bytes, and what else has the buffer protocol."""
    values = [0.25, -0.5, 0.125, 0.75]
    sounds = (
        np.array(values, "float32"),
        np.array(values, "float32").reshape(2, 2),
        array.array("f", values),
        array.array("f", values).tobytes(),
        bytearray(array.array("f", values).tobytes()),
        memoryview(array.array("f", values)),
        np.zeros((0, 1), "float32"),
    )
    with rig.open("MixerAndRecorder") as stream:
        for sound in sounds:
            action = stream.play_buffer(sound, 1)
            stream.wait(action)
            assert action.done_frames == action.total_frames == memoryview(sound).nbytes // 4
        odd = stream.play_buffer(bytes(23), 2)
        stream.wait(odd)
        assert odd.done_frames == odd.total_frames == 2
        for memory in (np.zeros((3, 2), "float32"), array.array("f", values), bytearray(20)):
            action = stream.record_buffer(memory, 1)
            stream.wait(action)
            assert action.done_frames == action.total_frames == memoryview(memory).nbytes // 4
        growing = bytearray(400)
        stream.wait(stream.record_buffer(growing, 1))
        stream.wait(stream.play_buffer(growing, 1))
        del action, odd
        if rig.exact:
            del growing[:]


def test_timers(rig: Rig) -> None:
    """Actions without a frame end at their time."""
    with rig.open("MixerAndRecorder") as stream:
        due = stream.time + rig.lead
        for order in (stream.play_buffer, stream.record_buffer):
            timer = order(b"", channels=1, start=due)
            assert timer in stream.actions
            stream.wait(timer)
            assert stream.time >= due - 0.05
            assert (timer.total_frames, timer.done_frames) == (0, 0)
            assert timer.actual_time > 0
            due = stream.time + rig.lead


def test_cancels(rig: Rig) -> None:
    """One that waits, one that sounds, one that is over, and one that comes too late itself."""
    with rig.open("MixerAndRecorder") as stream:
        now = stream.time
        lead = rig.lead
        waiting = stream.play_buffer(bytes(4000), 1, start=now + 100)
        pending_record = stream.record_buffer(bytearray(4000), 1, start=now + 100)
        sounding = stream.play_buffer(bytes(4 * SAMPLE_RATE_HZ * 2), 1, start=now + lead)
        until = now + 2 * lead
        cut = stream.cancel(sounding, time=until, allow_belated=False)
        cancels = [stream.cancel(waiting), stream.cancel(pending_record)]
        stream.wait()
        for action in (waiting, pending_record):
            assert (action.total_frames, action.done_frames) == (0, 0)
        for cancel in [*cancels, cut]:
            assert cancel.type == rig.rtmixer.CANCEL
            assert (cancel.total_frames, cancel.done_frames) == (0, 0)
            assert cancel.actual_time > 0
        assert cut.action == sounding
        assert sounding.total_frames == sounding.done_frames > 0
        if rig.exact:
            span = (cut.actual_time - sounding.actual_time) * SAMPLE_RATE_HZ
            assert sounding.done_frames == round(span)
            assert abs(cut.actual_time - until) < 0.00002
        over = stream.cancel(sounding)
        stream.wait(over)
        assert sounding.done_frames == sounding.total_frames
        lasting = stream.play_buffer(bytes(4 * SAMPLE_RATE_HZ * 10), 1)
        useless = stream.cancel(lasting, time=now, allow_belated=False)
        stream.wait(useless)
        assert useless.actual_time == 0
        assert lasting in stream.actions
        timed = stream.cancel(lasting, time=stream.time + 100)
        stream.wait(stream.cancel(timed))
        assert timed not in stream.actions
        assert lasting in stream.actions


def test_record_cut_at_a_time(rig: Rig) -> None:
    """A recording ends at the frame that was asked for, in memory and in a ring."""
    with rig.open("Recorder") as stream:
        start = stream.time + 0.05
        ring = rig.rtmixer.RingBuffer(8, 1 << 16)
        memory = np.zeros((SAMPLE_RATE_HZ, 2), "float32")
        actions = [
            stream.record_ringbuffer(ring, start=start),
            stream.record_buffer(memory, 2, start=start),
        ]
        for action in actions:
            stream.cancel(action, time=start + 0.25)
        stream.wait()
        for action in actions:
            assert action.total_frames == action.done_frames
            assert abs(action.done_frames - SAMPLE_RATE_HZ / 4) <= (1 if rig.exact else 2000)
        assert ring.read_available == actions[0].done_frames


def test_ring_that_is_empty_at_its_start(rig: Rig) -> None:
    """There is nothing to play, and that is the end."""
    with rig.open("Mixer", channels=1) as stream:
        ring = rig.rtmixer.RingBuffer(4, 1024)
        for start in (0, stream.time + rig.lead):
            action = stream.play_ringbuffer(ring, start=start)
            stream.wait(action)
            assert action.done_frames == 0
            assert action.actual_time > 0 or not start


def test_counters_at_a_time(rig: Rig) -> None:
    """They can be fetched later, too."""
    with rig.open("Recorder") as stream:
        due = stream.time + rig.lead
        action = stream.fetch_and_reset_stats(time=due)
        assert action in stream.actions
        stream.wait(action)
        assert stream.time >= due - 0.05
        assert action.actual_time >= due - 0.05
        assert action.stats.blocks > 0
        assert action.stats.blocks * action.stats.max_blocksize < 20 * SAMPLE_RATE_HZ


def test_finished_callback(rig: Rig) -> None:
    """Called once the stream is stopped."""
    called = threading.Event()
    stream = rig.open("Mixer", finished_callback=called.set)
    stream.start()
    assert not called.is_set()
    stream.stop()
    assert called.wait(10)
    assert not stream.active
    stream.close()


def test_actions_that_never_ended(rig: Rig) -> None:
    """Their counters can be read after the stream is closed."""
    with rig.open("MixerAndRecorder", channels=1) as stream:
        ring = rig.rtmixer.RingBuffer(4, 1 << 16)
        record = stream.record_ringbuffer(ring)
        play = stream.play_buffer(bytes(4 * 20 * SAMPLE_RATE_HZ), 1)
        while not (play.done_frames and record.done_frames):
            rig.sd.sleep(10)
        rig.sd.sleep(100)
    assert record.stats.blocks > 0
    assert play.stats.blocks > 0
    assert 0 < record.done_frames < record.total_frames
    assert 0 < play.done_frames < play.total_frames
    assert ring.read_available == record.done_frames
    assert stream.stats.blocks > 0


def test_devices(rig: Rig) -> None:
    """What there is, by index and by name, and what is not."""
    sd = rig.sd
    devices = sd.query_devices()
    assert len(devices) >= 1
    loopback = sd.query_devices("loopback", "output")
    assert devices[loopback["index"]] == loopback == sd.query_devices(loopback["index"])
    assert set(loopback) == {
        "name",
        "index",
        "hostapi",
        "max_input_channels",
        "max_output_channels",
        "default_low_input_latency",
        "default_low_output_latency",
        "default_high_input_latency",
        "default_high_output_latency",
        "default_samplerate",
    }
    assert loopback["name"] in repr(devices)
    assert loopback["default_samplerate"] == SAMPLE_RATE_HZ
    assert loopback["max_input_channels"] == 2
    api = sd.query_hostapis(loopback["hostapi"])
    assert api == sd.query_hostapis()[loopback["hostapi"]]
    assert set(api) == {"name", "devices", "default_input_device", "default_output_device"}
    assert loopback["index"] in api["devices"]
    assert sd.query_devices(kind="input")["index"] == sd.default.device[0]
    assert sd.query_devices(f"loop {api['name'][:4].lower()}", "input") == loopback
    for wrong, kind, text in (
        (("nope", "input"), ValueError, "No input device matching 'nope'"),
        (("nope",), ValueError, "No input/output device matching 'nope'"),
        ((99,), sd.PortAudioError, "Error querying device 99"),
        ((0, "both"), ValueError, "Invalid kind: 'both'"),
    ):
        with pytest.raises(kind, match=text):
            sd.query_devices(*wrong)
    with pytest.raises(sd.PortAudioError, match="Error querying host API 99"):
        sd.query_hostapis(99)
    version, text = sd.get_portaudio_version()
    assert version > 0
    assert text


def test_checking_settings(rig: Rig) -> None:
    """The same codes as opening would give."""
    for check in (rig.sd.check_input_settings, rig.sd.check_output_settings):
        check("loopback", 2, "float32", None, SAMPLE_RATE_HZ)
        check(device="loopback")
        with pytest.raises(rig.sd.PortAudioError) as caught:
            check("loopback", channels=77)
        assert caught.value.args[1] == -9998
        with pytest.raises(rig.sd.PortAudioError) as caught:
            check("loopback", samplerate=12345)
        assert caught.value.args[1] == -9997
        with pytest.raises(ValueError, match="sample format"):
            check("loopback", dtype="float13")


@contextlib.contextmanager
def restored(default: Any) -> Any:
    """Leave no defaults behind."""
    try:
        yield default
    finally:
        default.reset()


def test_defaults(rig: Rig) -> None:
    """They stand in for what a constructor is not given."""
    with restored(rig.sd.default) as default:
        assert default.samplerate is None
        assert tuple(default.dtype) == ("float32", "float32")
        assert tuple(default.latency) == ("high", "high")
        assert tuple(default.channels) == (None, None)
        default.channels = 1, 2
        default.device = "loopback"
        default.samplerate = SAMPLE_RATE_HZ
        default.latency = "low"
        assert default.channels["input"] == 1
        assert default.channels["output"] == default.channels[1] == 2
        stream = rig.rtmixer.MixerAndRecorder()
        assert stream.channels == (1, 2)
        assert stream.samplerate == SAMPLE_RATE_HZ
        stream.close()
        default.samplerate = 12345
        with pytest.raises(rig.sd.PortAudioError, match="Invalid sample rate"):
            rig.rtmixer.Mixer()
        with pytest.raises(AttributeError):
            default.nonsense = 1
        default.reset()
        assert default.samplerate is None
        assert default.channels[0] is None


def test_port_audio_error(rig: Rig) -> None:
    """Its text has the code, as far as it is known."""
    error = rig.sd.PortAudioError
    assert str(error()) == ""
    assert str(error("gone")) == "gone"
    assert str(error("gone", -9985)) == "gone [PaErrorCode -9985]"
    assert issubclass(error, Exception)
