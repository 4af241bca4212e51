from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClockReading(_message.Message):
    __slots__ = ["frame", "locked", "monotonic_nanos", "next_frame", "rate_hz", "rate_uncertainty_ppm", "running", "stream_id", "stream_time_seconds", "uncertainty_frames", "wall_clock_estimated_error_seconds", "wall_clock_max_error_seconds", "wall_clock_synchronized", "wall_time"]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    LOCKED_FIELD_NUMBER: _ClassVar[int]
    MONOTONIC_NANOS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FRAME_FIELD_NUMBER: _ClassVar[int]
    RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    RATE_UNCERTAINTY_PPM_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_TIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    UNCERTAINTY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    WALL_CLOCK_ESTIMATED_ERROR_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WALL_CLOCK_MAX_ERROR_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WALL_CLOCK_SYNCHRONIZED_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    frame: float
    locked: bool
    monotonic_nanos: int
    next_frame: int
    rate_hz: float
    rate_uncertainty_ppm: float
    running: bool
    stream_id: str
    stream_time_seconds: float
    uncertainty_frames: float
    wall_clock_estimated_error_seconds: float
    wall_clock_max_error_seconds: float
    wall_clock_synchronized: bool
    wall_time: _timestamp_pb2.Timestamp
    def __init__(self, stream_id: _Optional[str] = ..., frame: _Optional[float] = ..., stream_time_seconds: _Optional[float] = ..., wall_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., monotonic_nanos: _Optional[int] = ..., rate_hz: _Optional[float] = ..., rate_uncertainty_ppm: _Optional[float] = ..., uncertainty_frames: _Optional[float] = ..., locked: bool = ..., running: bool = ..., next_frame: _Optional[int] = ..., wall_clock_synchronized: bool = ..., wall_clock_max_error_seconds: _Optional[float] = ..., wall_clock_estimated_error_seconds: _Optional[float] = ...) -> None: ...

class GetClockRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class GetClockResponse(_message.Message):
    __slots__ = ["reading"]
    READING_FIELD_NUMBER: _ClassVar[int]
    reading: ClockReading
    def __init__(self, reading: _Optional[_Union[ClockReading, _Mapping]] = ...) -> None: ...

class StreamClockRequest(_message.Message):
    __slots__ = ["interval"]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    interval: _duration_pb2.Duration
    def __init__(self, interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StreamClockResponse(_message.Message):
    __slots__ = ["reading"]
    READING_FIELD_NUMBER: _ClassVar[int]
    reading: ClockReading
    def __init__(self, reading: _Optional[_Union[ClockReading, _Mapping]] = ...) -> None: ...
