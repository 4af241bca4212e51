from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
LATENCY_CLASS_HIGH: LatencyClass
LATENCY_CLASS_LOW: LatencyClass
LATENCY_CLASS_UNSPECIFIED: LatencyClass

class CheckSettingsRequest(_message.Message):
    __slots__ = ["settings"]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: StreamSettings
    def __init__(self, settings: _Optional[_Union[StreamSettings, _Mapping]] = ...) -> None: ...

class CheckSettingsResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Device(_message.Message):
    __slots__ = ["default_high_input_latency_seconds", "default_high_output_latency_seconds", "default_low_input_latency_seconds", "default_low_output_latency_seconds", "default_sample_rate_hz", "host_api_id", "id", "index", "max_input_channels", "max_output_channels", "name"]
    DEFAULT_HIGH_INPUT_LATENCY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_HIGH_OUTPUT_LATENCY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_LOW_INPUT_LATENCY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_LOW_OUTPUT_LATENCY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    HOST_API_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MAX_INPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    default_high_input_latency_seconds: float
    default_high_output_latency_seconds: float
    default_low_input_latency_seconds: float
    default_low_output_latency_seconds: float
    default_sample_rate_hz: float
    host_api_id: str
    id: str
    index: int
    max_input_channels: int
    max_output_channels: int
    name: str
    def __init__(self, id: _Optional[str] = ..., index: _Optional[int] = ..., name: _Optional[str] = ..., host_api_id: _Optional[str] = ..., max_input_channels: _Optional[int] = ..., max_output_channels: _Optional[int] = ..., default_sample_rate_hz: _Optional[float] = ..., default_low_input_latency_seconds: _Optional[float] = ..., default_low_output_latency_seconds: _Optional[float] = ..., default_high_input_latency_seconds: _Optional[float] = ..., default_high_output_latency_seconds: _Optional[float] = ...) -> None: ...

class DirectionSettings(_message.Message):
    __slots__ = ["channels", "device", "host_settings", "latency_class", "latency_seconds"]
    class HostSettingsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    HOST_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_CLASS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    channels: int
    device: str
    host_settings: _containers.ScalarMap[str, str]
    latency_class: LatencyClass
    latency_seconds: float
    def __init__(self, device: _Optional[str] = ..., channels: _Optional[int] = ..., latency_class: _Optional[_Union[LatencyClass, str]] = ..., latency_seconds: _Optional[float] = ..., host_settings: _Optional[_Mapping[str, str]] = ...) -> None: ...

class HostApi(_message.Message):
    __slots__ = ["default_input_device_id", "default_output_device_id", "device_count", "id", "name"]
    DEFAULT_INPUT_DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_OUTPUT_DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    default_input_device_id: str
    default_output_device_id: str
    device_count: int
    id: str
    name: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., device_count: _Optional[int] = ..., default_input_device_id: _Optional[str] = ..., default_output_device_id: _Optional[str] = ...) -> None: ...

class ListDevicesRequest(_message.Message):
    __slots__ = ["page_size", "page_token"]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDevicesResponse(_message.Message):
    __slots__ = ["devices", "next_page_token"]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedCompositeFieldContainer[Device]
    next_page_token: str
    def __init__(self, devices: _Optional[_Iterable[_Union[Device, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListHostApisRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ListHostApisResponse(_message.Message):
    __slots__ = ["host_apis"]
    HOST_APIS_FIELD_NUMBER: _ClassVar[int]
    host_apis: _containers.RepeatedCompositeFieldContainer[HostApi]
    def __init__(self, host_apis: _Optional[_Iterable[_Union[HostApi, _Mapping]]] = ...) -> None: ...

class StreamSettings(_message.Message):
    __slots__ = ["block_frames", "input", "output", "sample_rate_hz"]
    BLOCK_FRAMES_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    block_frames: int
    input: DirectionSettings
    output: DirectionSettings
    sample_rate_hz: float
    def __init__(self, input: _Optional[_Union[DirectionSettings, _Mapping]] = ..., output: _Optional[_Union[DirectionSettings, _Mapping]] = ..., sample_rate_hz: _Optional[float] = ..., block_frames: _Optional[int] = ...) -> None: ...

class LatencyClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
