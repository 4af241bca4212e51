from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from rtmixd.v1 import action_pb2 as _action_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
EVENT_KIND_ACTION_CHANGED: EventKind
EVENT_KIND_ACTION_DONE: EventKind
EVENT_KIND_ACTION_ENDED: EventKind
EVENT_KIND_ACTION_LATE: EventKind
EVENT_KIND_ACTION_SCHEDULED: EventKind
EVENT_KIND_ACTION_SKIPPED: EventKind
EVENT_KIND_ACTION_STARTED: EventKind
EVENT_KIND_CALL_DETACHED: EventKind
EVENT_KIND_CALL_REATTACHED: EventKind
EVENT_KIND_CLIPPED: EventKind
EVENT_KIND_CLOCK_RELOCKED: EventKind
EVENT_KIND_DEVICE_LOST: EventKind
EVENT_KIND_DEVICE_RECOVERED: EventKind
EVENT_KIND_FAULT_INJECTED: EventKind
EVENT_KIND_GAIN_CHANGED: EventKind
EVENT_KIND_NOTE: EventKind
EVENT_KIND_OVERRUN: EventKind
EVENT_KIND_SERVER_STARTED: EventKind
EVENT_KIND_SERVER_STOPPING: EventKind
EVENT_KIND_SESSION_BROKEN: EventKind
EVENT_KIND_SESSION_CREATED: EventKind
EVENT_KIND_SESSION_ENDED: EventKind
EVENT_KIND_SESSION_EXPIRED: EventKind
EVENT_KIND_SESSION_GRANTED: EventKind
EVENT_KIND_SPOOL_FAILED: EventKind
EVENT_KIND_SPOOL_GAP: EventKind
EVENT_KIND_SPOOL_RECOVERED: EventKind
EVENT_KIND_STREAM_CLOSED: EventKind
EVENT_KIND_STREAM_OPENED: EventKind
EVENT_KIND_STREAM_STARTED: EventKind
EVENT_KIND_STREAM_STOPPED: EventKind
EVENT_KIND_UNDERRUN: EventKind
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_XRUN: EventKind

class ClockRelock(_message.Message):
    __slots__ = ["earliest_frame", "latest_frame", "moved_frames", "moved_frames_error"]
    EARLIEST_FRAME_FIELD_NUMBER: _ClassVar[int]
    LATEST_FRAME_FIELD_NUMBER: _ClassVar[int]
    MOVED_FRAMES_ERROR_FIELD_NUMBER: _ClassVar[int]
    MOVED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    earliest_frame: int
    latest_frame: int
    moved_frames: float
    moved_frames_error: float
    def __init__(self, earliest_frame: _Optional[int] = ..., latest_frame: _Optional[int] = ..., moved_frames: _Optional[float] = ..., moved_frames_error: _Optional[float] = ...) -> None: ...

class Level(_message.Message):
    __slots__ = ["clipped_samples", "peak", "rms"]
    CLIPPED_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    PEAK_FIELD_NUMBER: _ClassVar[int]
    RMS_FIELD_NUMBER: _ClassVar[int]
    clipped_samples: int
    peak: float
    rms: float
    def __init__(self, peak: _Optional[float] = ..., rms: _Optional[float] = ..., clipped_samples: _Optional[int] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ["from_sequence", "kinds", "page_size"]
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    from_sequence: int
    kinds: _containers.RepeatedScalarFieldContainer[EventKind]
    page_size: int
    def __init__(self, from_sequence: _Optional[int] = ..., kinds: _Optional[_Iterable[_Union[EventKind, str]]] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ["entries", "missed", "next_sequence"]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[LogEntry]
    missed: int
    next_sequence: int
    def __init__(self, entries: _Optional[_Iterable[_Union[LogEntry, _Mapping]]] = ..., next_sequence: _Optional[int] = ..., missed: _Optional[int] = ...) -> None: ...

class LogEntry(_message.Message):
    __slots__ = ["action_id", "clock_relock", "end_reason", "frame", "frames", "kind", "sequence", "session_id", "session_label", "stream_id", "text", "time", "touched_action_count", "touched_action_ids", "xrun"]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CLOCK_RELOCK_FIELD_NUMBER: _ClassVar[int]
    END_REASON_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_LABEL_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    TOUCHED_ACTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    TOUCHED_ACTION_IDS_FIELD_NUMBER: _ClassVar[int]
    XRUN_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    clock_relock: ClockRelock
    end_reason: _action_pb2.EndReason
    frame: int
    frames: int
    kind: EventKind
    sequence: int
    session_id: str
    session_label: str
    stream_id: str
    text: str
    time: _timestamp_pb2.Timestamp
    touched_action_count: int
    touched_action_ids: _containers.RepeatedScalarFieldContainer[str]
    xrun: _action_pb2.Xrun
    def __init__(self, sequence: _Optional[int] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[EventKind, str]] = ..., frame: _Optional[int] = ..., stream_id: _Optional[str] = ..., session_id: _Optional[str] = ..., session_label: _Optional[str] = ..., action_id: _Optional[str] = ..., xrun: _Optional[_Union[_action_pb2.Xrun, _Mapping]] = ..., end_reason: _Optional[_Union[_action_pb2.EndReason, str]] = ..., frames: _Optional[int] = ..., text: _Optional[str] = ..., touched_action_ids: _Optional[_Iterable[str]] = ..., touched_action_count: _Optional[int] = ..., clock_relock: _Optional[_Union[ClockRelock, _Mapping]] = ...) -> None: ...

class StreamEventsRequest(_message.Message):
    __slots__ = ["from_sequence", "kinds"]
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    from_sequence: int
    kinds: _containers.RepeatedScalarFieldContainer[EventKind]
    def __init__(self, from_sequence: _Optional[int] = ..., kinds: _Optional[_Iterable[_Union[EventKind, str]]] = ...) -> None: ...

class StreamEventsResponse(_message.Message):
    __slots__ = ["entries", "missed", "next_sequence"]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[LogEntry]
    missed: int
    next_sequence: int
    def __init__(self, entries: _Optional[_Iterable[_Union[LogEntry, _Mapping]]] = ..., next_sequence: _Optional[int] = ..., missed: _Optional[int] = ...) -> None: ...

class StreamMetersRequest(_message.Message):
    __slots__ = ["interval"]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    interval: _duration_pb2.Duration
    def __init__(self, interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StreamMetersResponse(_message.Message):
    __slots__ = ["first_frame", "frames", "inputs", "outputs"]
    FIRST_FRAME_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    first_frame: int
    frames: int
    inputs: _containers.RepeatedCompositeFieldContainer[Level]
    outputs: _containers.RepeatedCompositeFieldContainer[Level]
    def __init__(self, first_frame: _Optional[int] = ..., frames: _Optional[int] = ..., inputs: _Optional[_Iterable[_Union[Level, _Mapping]]] = ..., outputs: _Optional[_Iterable[_Union[Level, _Mapping]]] = ...) -> None: ...

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
