from google.protobuf import timestamp_pb2 as _timestamp_pb2
from rtmixd.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

BUFFER_STATE_COMPLETE: BufferState
BUFFER_STATE_OPEN: BufferState
BUFFER_STATE_RECORDING: BufferState
BUFFER_STATE_UNSPECIFIED: BufferState
DESCRIPTOR: _descriptor.FileDescriptor

class AudioBuffer(_message.Message):
    __slots__ = ["buffer_id", "bytes", "channels", "create_time", "frames", "keep", "label", "record_action_id", "sample_rate_hz", "session_id", "state"]
    BUFFER_ID_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    RECORD_ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    buffer_id: str
    bytes: int
    channels: int
    create_time: _timestamp_pb2.Timestamp
    frames: int
    keep: bool
    label: str
    record_action_id: str
    sample_rate_hz: float
    session_id: str
    state: BufferState
    def __init__(self, buffer_id: _Optional[str] = ..., label: _Optional[str] = ..., channels: _Optional[int] = ..., sample_rate_hz: _Optional[float] = ..., frames: _Optional[int] = ..., state: _Optional[_Union[BufferState, str]] = ..., keep: bool = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., record_action_id: _Optional[str] = ..., session_id: _Optional[str] = ..., bytes: _Optional[int] = ...) -> None: ...

class CreateBufferRequest(_message.Message):
    __slots__ = ["channels", "expected_frames", "keep", "label", "request_id", "sample_rate_hz"]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    channels: int
    expected_frames: int
    keep: bool
    label: str
    request_id: str
    sample_rate_hz: float
    def __init__(self, channels: _Optional[int] = ..., sample_rate_hz: _Optional[float] = ..., label: _Optional[str] = ..., keep: bool = ..., expected_frames: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateBufferResponse(_message.Message):
    __slots__ = ["buffer"]
    BUFFER_FIELD_NUMBER: _ClassVar[int]
    buffer: AudioBuffer
    def __init__(self, buffer: _Optional[_Union[AudioBuffer, _Mapping]] = ...) -> None: ...

class DeleteBufferRequest(_message.Message):
    __slots__ = ["buffer_id"]
    BUFFER_ID_FIELD_NUMBER: _ClassVar[int]
    buffer_id: str
    def __init__(self, buffer_id: _Optional[str] = ...) -> None: ...

class DeleteBufferResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class DownloadBufferRequest(_message.Message):
    __slots__ = ["buffer_id", "first_frame", "follow", "frames", "sample_format"]
    BUFFER_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_FRAME_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    buffer_id: str
    first_frame: int
    follow: bool
    frames: int
    sample_format: _common_pb2.SampleFormat
    def __init__(self, buffer_id: _Optional[str] = ..., first_frame: _Optional[int] = ..., frames: _Optional[int] = ..., sample_format: _Optional[_Union[_common_pb2.SampleFormat, str]] = ..., follow: bool = ...) -> None: ...

class DownloadBufferResponse(_message.Message):
    __slots__ = ["audio", "buffer"]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    BUFFER_FIELD_NUMBER: _ClassVar[int]
    audio: _common_pb2.AudioChunk
    buffer: AudioBuffer
    def __init__(self, buffer: _Optional[_Union[AudioBuffer, _Mapping]] = ..., audio: _Optional[_Union[_common_pb2.AudioChunk, _Mapping]] = ...) -> None: ...

class GetBufferRequest(_message.Message):
    __slots__ = ["buffer_id"]
    BUFFER_ID_FIELD_NUMBER: _ClassVar[int]
    buffer_id: str
    def __init__(self, buffer_id: _Optional[str] = ...) -> None: ...

class GetBufferResponse(_message.Message):
    __slots__ = ["buffer"]
    BUFFER_FIELD_NUMBER: _ClassVar[int]
    buffer: AudioBuffer
    def __init__(self, buffer: _Optional[_Union[AudioBuffer, _Mapping]] = ...) -> None: ...

class ListBuffersRequest(_message.Message):
    __slots__ = ["page_size", "page_token"]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBuffersResponse(_message.Message):
    __slots__ = ["buffers", "next_page_token"]
    BUFFERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    buffers: _containers.RepeatedCompositeFieldContainer[AudioBuffer]
    next_page_token: str
    def __init__(self, buffers: _Optional[_Iterable[_Union[AudioBuffer, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UploadBufferRequest(_message.Message):
    __slots__ = ["audio", "complete", "config"]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    audio: _common_pb2.AudioChunk
    complete: UploadComplete
    config: UploadConfig
    def __init__(self, config: _Optional[_Union[UploadConfig, _Mapping]] = ..., audio: _Optional[_Union[_common_pb2.AudioChunk, _Mapping]] = ..., complete: _Optional[_Union[UploadComplete, _Mapping]] = ...) -> None: ...

class UploadBufferResponse(_message.Message):
    __slots__ = ["buffer"]
    BUFFER_FIELD_NUMBER: _ClassVar[int]
    buffer: AudioBuffer
    def __init__(self, buffer: _Optional[_Union[AudioBuffer, _Mapping]] = ...) -> None: ...

class UploadComplete(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class UploadConfig(_message.Message):
    __slots__ = ["buffer_id", "sample_format"]
    BUFFER_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    buffer_id: str
    sample_format: _common_pb2.SampleFormat
    def __init__(self, buffer_id: _Optional[str] = ..., sample_format: _Optional[_Union[_common_pb2.SampleFormat, str]] = ...) -> None: ...

class BufferState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
