from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from rtmixd.v1 import spool_pb2 as _spool_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetServerInfoRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ["api_version", "features", "host_name", "instance_id", "limits", "server_version", "spool", "start_time"]
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    HOST_NAME_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    SPOOL_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    api_version: str
    features: _containers.RepeatedScalarFieldContainer[str]
    host_name: str
    instance_id: str
    limits: ServerLimits
    server_version: str
    spool: _spool_pb2.SpoolStatus
    start_time: _timestamp_pb2.Timestamp
    def __init__(self, instance_id: _Optional[str] = ..., server_version: _Optional[str] = ..., api_version: _Optional[str] = ..., host_name: _Optional[str] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., features: _Optional[_Iterable[str]] = ..., limits: _Optional[_Union[ServerLimits, _Mapping]] = ..., spool: _Optional[_Union[_spool_pb2.SpoolStatus, _Mapping]] = ...) -> None: ...

class ServerLimits(_message.Message):
    __slots__ = ["history", "max_actions", "max_actions_per_session", "max_audio_streams", "max_batch_actions", "max_buffer_bytes", "max_buffer_bytes_per_session", "max_buffers_per_session", "max_calls_per_second", "max_chunk_bytes", "max_exclusive", "max_kept_reports_per_session", "max_message_bytes", "max_ring_frames", "max_session_ttl", "max_sessions", "max_waits", "max_watch_streams", "request_id_retention"]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    MAX_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_ACTIONS_PER_SESSION_FIELD_NUMBER: _ClassVar[int]
    MAX_AUDIO_STREAMS_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_BUFFERS_PER_SESSION_FIELD_NUMBER: _ClassVar[int]
    MAX_BUFFER_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_BUFFER_BYTES_PER_SESSION_FIELD_NUMBER: _ClassVar[int]
    MAX_CALLS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    MAX_CHUNK_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_EXCLUSIVE_FIELD_NUMBER: _ClassVar[int]
    MAX_KEPT_REPORTS_PER_SESSION_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_RING_FRAMES_FIELD_NUMBER: _ClassVar[int]
    MAX_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_SESSION_TTL_FIELD_NUMBER: _ClassVar[int]
    MAX_WAITS_FIELD_NUMBER: _ClassVar[int]
    MAX_WATCH_STREAMS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_RETENTION_FIELD_NUMBER: _ClassVar[int]
    history: _duration_pb2.Duration
    max_actions: int
    max_actions_per_session: int
    max_audio_streams: int
    max_batch_actions: int
    max_buffer_bytes: int
    max_buffer_bytes_per_session: int
    max_buffers_per_session: int
    max_calls_per_second: int
    max_chunk_bytes: int
    max_exclusive: _duration_pb2.Duration
    max_kept_reports_per_session: int
    max_message_bytes: int
    max_ring_frames: int
    max_session_ttl: _duration_pb2.Duration
    max_sessions: int
    max_waits: int
    max_watch_streams: int
    request_id_retention: _duration_pb2.Duration
    def __init__(self, max_sessions: _Optional[int] = ..., max_actions: _Optional[int] = ..., max_actions_per_session: _Optional[int] = ..., max_batch_actions: _Optional[int] = ..., max_buffer_bytes: _Optional[int] = ..., max_buffer_bytes_per_session: _Optional[int] = ..., max_buffers_per_session: _Optional[int] = ..., max_audio_streams: _Optional[int] = ..., max_watch_streams: _Optional[int] = ..., max_ring_frames: _Optional[int] = ..., max_message_bytes: _Optional[int] = ..., max_chunk_bytes: _Optional[int] = ..., max_session_ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., history: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., request_id_retention: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_kept_reports_per_session: _Optional[int] = ..., max_waits: _Optional[int] = ..., max_exclusive: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_calls_per_second: _Optional[int] = ...) -> None: ...
