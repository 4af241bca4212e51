from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
FADE_SHAPE_EQUAL_POWER: FadeShape
FADE_SHAPE_LINEAR: FadeShape
FADE_SHAPE_UNSPECIFIED: FadeShape
LATE_POLICY_PLAY: LatePolicy
LATE_POLICY_SKIP: LatePolicy
LATE_POLICY_TRIM: LatePolicy
LATE_POLICY_UNSPECIFIED: LatePolicy
RECORD_SOURCE_INPUT: RecordSource
RECORD_SOURCE_OUTPUT: RecordSource
RECORD_SOURCE_UNSPECIFIED: RecordSource
SAMPLE_FORMAT_FLOAT32: SampleFormat
SAMPLE_FORMAT_INT16: SampleFormat
SAMPLE_FORMAT_INT24: SampleFormat
SAMPLE_FORMAT_INT32: SampleFormat
SAMPLE_FORMAT_UNSPECIFIED: SampleFormat
UNDERRUN_POLICY_END: UnderrunPolicy
UNDERRUN_POLICY_KEEP_TIMELINE: UnderrunPolicy
UNDERRUN_POLICY_SILENCE: UnderrunPolicy
UNDERRUN_POLICY_UNSPECIFIED: UnderrunPolicy
XRUN_POLICY_CONTINUE: XrunPolicy
XRUN_POLICY_KEEP_TIMELINE: XrunPolicy
XRUN_POLICY_UNSPECIFIED: XrunPolicy

class ActionRef(_message.Message):
    __slots__ = ["action_id", "key"]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    key: str
    def __init__(self, key: _Optional[str] = ..., action_id: _Optional[str] = ...) -> None: ...

class AudioChunk(_message.Message):
    __slots__ = ["data", "position"]
    DATA_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    position: int
    def __init__(self, position: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class ChannelMap(_message.Message):
    __slots__ = ["channels"]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    channels: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, channels: _Optional[_Iterable[int]] = ...) -> None: ...

class Fade(_message.Message):
    __slots__ = ["frames", "shape"]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    frames: int
    shape: FadeShape
    def __init__(self, frames: _Optional[int] = ..., shape: _Optional[_Union[FadeShape, str]] = ...) -> None: ...

class GainChange(_message.Message):
    __slots__ = ["fade", "gain"]
    FADE_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    fade: Fade
    gain: float
    def __init__(self, gain: _Optional[float] = ..., fade: _Optional[_Union[Fade, _Mapping]] = ...) -> None: ...

class Start(_message.Message):
    __slots__ = ["after", "frame", "offset_frames", "stream_time_seconds", "wall_time"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FRAMES_FIELD_NUMBER: _ClassVar[int]
    STREAM_TIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WALL_TIME_FIELD_NUMBER: _ClassVar[int]
    after: ActionRef
    frame: int
    offset_frames: int
    stream_time_seconds: float
    wall_time: _timestamp_pb2.Timestamp
    def __init__(self, offset_frames: _Optional[int] = ..., frame: _Optional[int] = ..., stream_time_seconds: _Optional[float] = ..., after: _Optional[_Union[ActionRef, _Mapping]] = ..., wall_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SampleFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class FadeShape(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class LatePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class UnderrunPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class XrunPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class RecordSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
