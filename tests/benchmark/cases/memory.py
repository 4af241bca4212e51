"""Memory of the server's process, by what clients ask of it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from bench_context import Bench
from bench_processes import Connection, ListeningProcess, server
from bench_table import Figure, Row

from rtmixd.v1 import (
    action_pb2,
    action_pb2_grpc,
    audio_pb2,
    audio_pb2_grpc,
    buffer_pb2,
    buffer_pb2_grpc,
    common_pb2,
)

TARGETS = ("//server:rtmixd",)

KIB = 1 << 10
MIB = 1 << 20
FLOAT_BYTES = 4
FAR_FRAME = 1 << 50
BATCH = 5000
CHANNELS = 8
EVENTS = 65536  # retained by the event log
STREAMS = 64
RING_FRAMES = 9600
RATE = 48000


def _settled(process: ListeningProcess) -> int:
    """Return its memory when that does not change any more."""
    last = -1
    while last != (last := process.resident_bytes()):
        time.sleep(0.3)
    return last


def _upload(connection: Connection, channels: int, frames: int) -> str:
    """Make a buffer that is complete; its id. Its length is told before."""
    buffers = buffer_pb2_grpc.BufferServiceStub(connection.channel)
    buffer_id: str = buffers.CreateBuffer(
        buffer_pb2.CreateBufferRequest(
            channels=channels, sample_rate_hz=RATE, expected_frames=frames
        ),
        metadata=connection.metadata,
    ).buffer.buffer_id

    def messages() -> Iterator[buffer_pb2.UploadBufferRequest]:
        yield buffer_pb2.UploadBufferRequest(config=buffer_pb2.UploadConfig(buffer_id=buffer_id))
        chunk = min(frames, 64 * KIB // channels)
        silence = bytes(chunk * channels * FLOAT_BYTES)
        for position in range(0, frames, chunk):
            size = min(chunk, frames - position) * channels * FLOAT_BYTES
            yield buffer_pb2.UploadBufferRequest(
                audio=common_pb2.AudioChunk(position=position, data=silence[:size])
            )
        yield buffer_pb2.UploadBufferRequest(complete=buffer_pb2.UploadComplete())

    buffers.UploadBuffer(messages(), metadata=connection.metadata)
    return buffer_id


def pending(bench: Bench) -> Iterator[Row]:
    """Memory of one pending action, by 200 000 of them with 8 mapped channels each."""
    batches = 8 if bench.short else 40
    with server(bench, channels=CHANNELS) as ours:
        connection = Connection(ours.target)
        actions = action_pb2_grpc.ActionServiceStub(connection.channel)
        request = action_pb2.ScheduleActionsRequest(origin_frame=FAR_FRAME)
        buffer_id = _upload(connection, CHANNELS, 1)
        for i in range(BATCH):
            action = request.actions.add()
            action.start.offset_frames = i
            action.play.buffer_id = buffer_id
            action.play.channel_map.channels.extend(range(1, CHANNELS + 1))
        # What is made once for all; with the last of these the event log is full.
        for _ in range(-(-EVENTS // BATCH)):
            actions.ScheduleActions(request, metadata=connection.metadata)
        before = _settled(ours)
        for _ in range(batches):
            actions.ScheduleActions(request, metadata=connection.metadata)
        each = (_settled(ours) - before) / (batches * BATCH)
        connection.close()
    yield Row(
        "memory of a pending action",
        f"{CHANNELS} mapped channels, by {batches * BATCH} of them",
        "B",
        Figure.exact(each),
        goal="at most 512",
        met=each <= 512,
    )


def streams(bench: Bench) -> Iterator[Row]:
    """Memory of one play stream beside its ring, by that of 64 on connections of their own."""
    silence = bytes(RATE // 50 * 2 * FLOAT_BYTES)
    with server(bench) as ours, contextlib.ExitStack() as stack:

        def open_one() -> None:
            connection = Connection(ours.target)
            stack.callback(connection.close)
            over = threading.Event()
            stack.callback(over.set)

            def messages() -> Iterator[audio_pb2.PlayRequest]:
                config = audio_pb2.PlayConfig(channels=2, ring_frames=RING_FRAMES)
                yield audio_pb2.PlayRequest(config=config)
                for position in range(0, RING_FRAMES, RATE // 50):
                    yield audio_pb2.PlayRequest(
                        audio=common_pb2.AudioChunk(position=position, data=silence)
                    )
                yield audio_pb2.PlayRequest(idle=audio_pb2.Idle())
                over.wait()

            audio = audio_pb2_grpc.AudioServiceStub(connection.channel)
            answers = audio.Play(messages(), metadata=connection.metadata)
            stack.callback(answers.cancel)
            next(answers)

        open_one()
        before = _settled(ours)
        for _ in range(STREAMS):
            open_one()
        each = (_settled(ours) - before) / STREAMS
    ring = RING_FRAMES * 2 * FLOAT_BYTES
    yield Row(
        "memory of a play stream",
        f"beside its ring of {ring // KIB} KiB, connection included, by {STREAMS} of them",
        "KiB",
        Figure.exact((each - ring) / KIB),
        goal="at most 256",
        met=each - ring <= 256 * KIB,
    )


def stalled_reader(bench: Bench) -> Iterator[Row]:
    """Memory that a reader costs who stalls, while as much comes as stereo brings in 10 minutes."""
    channels = 64
    minutes = 1 if bench.short else 10
    wanted = minutes * 60 * RATE * 2 * FLOAT_BYTES
    seconds = wanted / (channels * RATE * FLOAT_BYTES)
    with server(bench, channels=channels) as ours:
        # The history of so many channels has to be there, all of it, before.
        time.sleep(1 if bench.short else 11)
        connection = Connection(ours.target)
        before = _settled(ours) if not bench.short else ours.resident_bytes()
        audio = audio_pb2_grpc.AudioServiceStub(connection.channel)
        config = audio_pb2.RecordConfig(chunk_frames=480)
        answers = audio.StreamRecording(
            audio_pb2.StreamRecordingRequest(config=config),
            metadata=connection.metadata,
        )
        next(answers)
        time.sleep(seconds)
        grown = ours.resident_bytes() - before
        answers.cancel()
        connection.close()
    yield Row(
        "memory of a stalled reader",
        f"while {wanted / MIB:.0f} MiB are recorded, as of stereo in {minutes} minutes",
        "MiB",
        Figure.exact(grown / MIB),
        goal="at most 8",
        met=grown <= 8 * MIB,
    )


def upload(bench: Bench) -> Iterator[Row]:
    """Memory of an hour of stereo that was uploaded, beside the audio itself."""
    seconds = 120 if bench.short else 3600
    size = seconds * RATE * 2 * FLOAT_BYTES
    with server(bench) as ours:
        connection = Connection(ours.target)
        _upload(connection, 2, RATE)
        before = _settled(ours)
        _upload(connection, 2, seconds * RATE)
        ratio = (_settled(ours) - before) / size
        connection.close()
    yield Row(
        "memory of uploaded audio",
        f"{seconds / 60:g} minutes of stereo, beside its {size / MIB:.0f} MiB",
        "",
        Figure.exact(ratio),
        goal="at most 1.05",
        met=ratio <= 1.05,
    )


CASES = {
    "pending": pending,
    "stream_memory": streams,
    "stalled_reader": stalled_reader,
    "upload_memory": upload,
}
