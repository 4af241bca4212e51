from google.protobuf import timestamp_pb2 as _timestamp_pb2
from rtmixd.v1 import action_pb2 as _action_pb2
from rtmixd.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
SPOOLED_RECORDING_STATE_COMPLETE: SpooledRecordingState
SPOOLED_RECORDING_STATE_INTERRUPTED: SpooledRecordingState
SPOOLED_RECORDING_STATE_RECORDING: SpooledRecordingState
SPOOLED_RECORDING_STATE_UNSPECIFIED: SpooledRecordingState

class DeleteSpooledRecordingRequest(_message.Message):
    __slots__ = ["recording_id"]
    RECORDING_ID_FIELD_NUMBER: _ClassVar[int]
    recording_id: str
    def __init__(self, recording_id: _Optional[str] = ...) -> None: ...

class DeleteSpooledRecordingResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class DownloadSpooledRecordingRequest(_message.Message):
    __slots__ = ["first_frame", "frames", "recording_id", "sample_format"]
    FIRST_FRAME_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    RECORDING_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    first_frame: int
    frames: int
    recording_id: str
    sample_format: _common_pb2.SampleFormat
    def __init__(self, recording_id: _Optional[str] = ..., first_frame: _Optional[int] = ..., frames: _Optional[int] = ..., sample_format: _Optional[_Union[_common_pb2.SampleFormat, str]] = ...) -> None: ...

class DownloadSpooledRecordingResponse(_message.Message):
    __slots__ = ["audio", "recording"]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    audio: _common_pb2.AudioChunk
    recording: SpooledRecording
    def __init__(self, recording: _Optional[_Union[SpooledRecording, _Mapping]] = ..., audio: _Optional[_Union[_common_pb2.AudioChunk, _Mapping]] = ...) -> None: ...

class ListSpooledRecordingsRequest(_message.Message):
    __slots__ = ["page_size", "page_token"]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSpooledRecordingsResponse(_message.Message):
    __slots__ = ["next_page_token", "recordings"]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RECORDINGS_FIELD_NUMBER: _ClassVar[int]
    next_page_token: str
    recordings: _containers.RepeatedCompositeFieldContainer[SpooledRecording]
    def __init__(self, recordings: _Optional[_Iterable[_Union[SpooledRecording, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SpoolStatus(_message.Message):
    __slots__ = ["failure", "free_bytes", "gap_frames", "recordings", "used_bytes"]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    GAP_FRAMES_FIELD_NUMBER: _ClassVar[int]
    RECORDINGS_FIELD_NUMBER: _ClassVar[int]
    USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    failure: str
    free_bytes: int
    gap_frames: int
    recordings: int
    used_bytes: int
    def __init__(self, used_bytes: _Optional[int] = ..., free_bytes: _Optional[int] = ..., recordings: _Optional[int] = ..., failure: _Optional[str] = ..., gap_frames: _Optional[int] = ...) -> None: ...

class SpooledRecording(_message.Message):
    __slots__ = ["channels", "create_time", "frames", "gap_frames", "gaps", "instance_id", "label", "recording_id", "report", "sample_rate_hz", "session_id", "session_label", "state"]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    GAP_FRAMES_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    RECORDING_ID_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_LABEL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    channels: int
    create_time: _timestamp_pb2.Timestamp
    frames: int
    gap_frames: int
    gaps: _containers.RepeatedCompositeFieldContainer[_action_pb2.Gap]
    instance_id: str
    label: str
    recording_id: str
    report: _action_pb2.ActionReport
    sample_rate_hz: float
    session_id: str
    session_label: str
    state: SpooledRecordingState
    def __init__(self, recording_id: _Optional[str] = ..., state: _Optional[_Union[SpooledRecordingState, str]] = ..., label: _Optional[str] = ..., channels: _Optional[int] = ..., sample_rate_hz: _Optional[float] = ..., frames: _Optional[int] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., instance_id: _Optional[str] = ..., session_id: _Optional[str] = ..., session_label: _Optional[str] = ..., report: _Optional[_Union[_action_pb2.ActionReport, _Mapping]] = ..., gaps: _Optional[_Iterable[_Union[_action_pb2.Gap, _Mapping]]] = ..., gap_frames: _Optional[int] = ...) -> None: ...

class SpooledRecordingState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
