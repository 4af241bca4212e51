from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
LATENCY_VERDICT_AMBIGUOUS: LatencyVerdict
LATENCY_VERDICT_CLIPPED: LatencyVerdict
LATENCY_VERDICT_FAINT: LatencyVerdict
LATENCY_VERDICT_FOUND: LatencyVerdict
LATENCY_VERDICT_LATE: LatencyVerdict
LATENCY_VERDICT_SILENT: LatencyVerdict
LATENCY_VERDICT_UNCERTAIN: LatencyVerdict
LATENCY_VERDICT_UNSPECIFIED: LatencyVerdict
LATENCY_VERDICT_UNSTEADY: LatencyVerdict
LATENCY_VERDICT_XRUN: LatencyVerdict

class CalibratedSettings(_message.Message):
    __slots__ = ["block_frames", "input_channels", "input_device_id", "input_latency_frames", "output_channels", "output_device_id", "output_latency_frames", "sample_rate_hz"]
    BLOCK_FRAMES_FIELD_NUMBER: _ClassVar[int]
    INPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    INPUT_DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_LATENCY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_LATENCY_FRAMES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    block_frames: int
    input_channels: int
    input_device_id: str
    input_latency_frames: int
    output_channels: int
    output_device_id: str
    output_latency_frames: int
    sample_rate_hz: float
    def __init__(self, input_device_id: _Optional[str] = ..., output_device_id: _Optional[str] = ..., sample_rate_hz: _Optional[float] = ..., block_frames: _Optional[int] = ..., input_channels: _Optional[int] = ..., output_channels: _Optional[int] = ..., input_latency_frames: _Optional[int] = ..., output_latency_frames: _Optional[int] = ...) -> None: ...

class Calibration(_message.Message):
    __slots__ = ["age", "calibration_id", "excess_frames", "measurement", "settings", "store_time", "used_frames"]
    AGE_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_ID_FIELD_NUMBER: _ClassVar[int]
    EXCESS_FRAMES_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    STORE_TIME_FIELD_NUMBER: _ClassVar[int]
    USED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    age: _duration_pb2.Duration
    calibration_id: str
    excess_frames: float
    measurement: LatencyMeasurement
    settings: CalibratedSettings
    store_time: _timestamp_pb2.Timestamp
    used_frames: int
    def __init__(self, calibration_id: _Optional[str] = ..., settings: _Optional[_Union[CalibratedSettings, _Mapping]] = ..., measurement: _Optional[_Union[LatencyMeasurement, _Mapping]] = ..., excess_frames: _Optional[float] = ..., used_frames: _Optional[int] = ..., store_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., age: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class DeleteCalibrationRequest(_message.Message):
    __slots__ = ["calibration_id"]
    CALIBRATION_ID_FIELD_NUMBER: _ClassVar[int]
    calibration_id: str
    def __init__(self, calibration_id: _Optional[str] = ...) -> None: ...

class DeleteCalibrationResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class LatencyMeasurement(_message.Message):
    __slots__ = ["confidence", "gain", "input_channel", "inverted", "measure_time", "output_channel", "repeats", "round_trip_frames", "spread_frames", "stream_id", "verdict", "voided_repeats"]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    INPUT_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    INVERTED_FIELD_NUMBER: _ClassVar[int]
    MEASURE_TIME_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIP_FRAMES_FIELD_NUMBER: _ClassVar[int]
    SPREAD_FRAMES_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    VOIDED_REPEATS_FIELD_NUMBER: _ClassVar[int]
    confidence: float
    gain: float
    input_channel: int
    inverted: bool
    measure_time: _timestamp_pb2.Timestamp
    output_channel: int
    repeats: int
    round_trip_frames: float
    spread_frames: float
    stream_id: str
    verdict: LatencyVerdict
    voided_repeats: int
    def __init__(self, verdict: _Optional[_Union[LatencyVerdict, str]] = ..., stream_id: _Optional[str] = ..., output_channel: _Optional[int] = ..., input_channel: _Optional[int] = ..., round_trip_frames: _Optional[float] = ..., spread_frames: _Optional[float] = ..., repeats: _Optional[int] = ..., voided_repeats: _Optional[int] = ..., gain: _Optional[float] = ..., inverted: bool = ..., confidence: _Optional[float] = ..., measure_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListCalibrationsRequest(_message.Message):
    __slots__ = ["page_size", "page_token"]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCalibrationsResponse(_message.Message):
    __slots__ = ["calibrations", "next_page_token"]
    CALIBRATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    calibrations: _containers.RepeatedCompositeFieldContainer[Calibration]
    next_page_token: str
    def __init__(self, calibrations: _Optional[_Iterable[_Union[Calibration, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SetCalibrationRequest(_message.Message):
    __slots__ = ["measurement"]
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    measurement: LatencyMeasurement
    def __init__(self, measurement: _Optional[_Union[LatencyMeasurement, _Mapping]] = ...) -> None: ...

class SetCalibrationResponse(_message.Message):
    __slots__ = ["calibration"]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    calibration: Calibration
    def __init__(self, calibration: _Optional[_Union[Calibration, _Mapping]] = ...) -> None: ...

class LatencyVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
