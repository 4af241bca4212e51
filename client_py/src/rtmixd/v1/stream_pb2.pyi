from rtmixd.v1 import calibration_pb2 as _calibration_pb2
from rtmixd.v1 import common_pb2 as _common_pb2
from rtmixd.v1 import device_pb2 as _device_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
STREAM_STATE_CLOSED: StreamState
STREAM_STATE_LOST: StreamState
STREAM_STATE_RUNNING: StreamState
STREAM_STATE_STOPPED: StreamState
STREAM_STATE_UNSPECIFIED: StreamState

class AudioStream(_message.Message):
    __slots__ = ["block_frames", "calibration", "clocks_related", "cpu_load", "input_channels", "input_device", "input_latency_frames", "master_gain", "next_frame", "output_channels", "output_device", "output_latency_frames", "reports_xruns", "sample_rate_hz", "settings", "state", "stream_id"]
    BLOCK_FRAMES_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    CLOCKS_RELATED_FIELD_NUMBER: _ClassVar[int]
    CPU_LOAD_FIELD_NUMBER: _ClassVar[int]
    INPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    INPUT_DEVICE_FIELD_NUMBER: _ClassVar[int]
    INPUT_LATENCY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    MASTER_GAIN_FIELD_NUMBER: _ClassVar[int]
    NEXT_FRAME_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_DEVICE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_LATENCY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    REPORTS_XRUNS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    block_frames: int
    calibration: _calibration_pb2.Calibration
    clocks_related: bool
    cpu_load: float
    input_channels: int
    input_device: _device_pb2.Device
    input_latency_frames: int
    master_gain: float
    next_frame: int
    output_channels: int
    output_device: _device_pb2.Device
    output_latency_frames: int
    reports_xruns: bool
    sample_rate_hz: float
    settings: _device_pb2.StreamSettings
    state: StreamState
    stream_id: str
    def __init__(self, stream_id: _Optional[str] = ..., state: _Optional[_Union[StreamState, str]] = ..., sample_rate_hz: _Optional[float] = ..., block_frames: _Optional[int] = ..., input_device: _Optional[_Union[_device_pb2.Device, _Mapping]] = ..., output_device: _Optional[_Union[_device_pb2.Device, _Mapping]] = ..., input_channels: _Optional[int] = ..., output_channels: _Optional[int] = ..., input_latency_frames: _Optional[int] = ..., output_latency_frames: _Optional[int] = ..., clocks_related: bool = ..., next_frame: _Optional[int] = ..., cpu_load: _Optional[float] = ..., settings: _Optional[_Union[_device_pb2.StreamSettings, _Mapping]] = ..., reports_xruns: bool = ..., master_gain: _Optional[float] = ..., calibration: _Optional[_Union[_calibration_pb2.Calibration, _Mapping]] = ...) -> None: ...

class CloseStreamRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class CloseStreamResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class GetStreamRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class GetStreamResponse(_message.Message):
    __slots__ = ["stream"]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: AudioStream
    def __init__(self, stream: _Optional[_Union[AudioStream, _Mapping]] = ...) -> None: ...

class OpenStreamRequest(_message.Message):
    __slots__ = ["settings"]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: _device_pb2.StreamSettings
    def __init__(self, settings: _Optional[_Union[_device_pb2.StreamSettings, _Mapping]] = ...) -> None: ...

class OpenStreamResponse(_message.Message):
    __slots__ = ["stream"]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: AudioStream
    def __init__(self, stream: _Optional[_Union[AudioStream, _Mapping]] = ...) -> None: ...

class RestoreStreamRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class RestoreStreamResponse(_message.Message):
    __slots__ = ["stream"]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: AudioStream
    def __init__(self, stream: _Optional[_Union[AudioStream, _Mapping]] = ...) -> None: ...

class SetMasterGainRequest(_message.Message):
    __slots__ = ["frame", "gain"]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    frame: int
    gain: _common_pb2.GainChange
    def __init__(self, gain: _Optional[_Union[_common_pb2.GainChange, _Mapping]] = ..., frame: _Optional[int] = ...) -> None: ...

class SetMasterGainResponse(_message.Message):
    __slots__ = ["frame"]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: int
    def __init__(self, frame: _Optional[int] = ...) -> None: ...

class StartStreamRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class StartStreamResponse(_message.Message):
    __slots__ = ["stream"]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: AudioStream
    def __init__(self, stream: _Optional[_Union[AudioStream, _Mapping]] = ...) -> None: ...

class StopStreamRequest(_message.Message):
    __slots__ = ["abort"]
    ABORT_FIELD_NUMBER: _ClassVar[int]
    abort: bool
    def __init__(self, abort: bool = ...) -> None: ...

class StopStreamResponse(_message.Message):
    __slots__ = ["stream"]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: AudioStream
    def __init__(self, stream: _Optional[_Union[AudioStream, _Mapping]] = ...) -> None: ...

class StreamState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
