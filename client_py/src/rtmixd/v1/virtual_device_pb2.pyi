from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
FAULT_KIND_CALLBACKS_STOP: FaultKind
FAULT_KIND_DIE: FaultKind
FAULT_KIND_LOSE_BOTH: FaultKind
FAULT_KIND_LOSE_INPUT: FaultKind
FAULT_KIND_LOSE_OUTPUT: FaultKind
FAULT_KIND_REPLAY_PERIOD: FaultKind
FAULT_KIND_SPURIOUS_FLAGS: FaultKind
FAULT_KIND_STALL: FaultKind
FAULT_KIND_STOP_HANGS: FaultKind
FAULT_KIND_TIMESTAMP_EPOCH: FaultKind
FAULT_KIND_TIMESTAMP_EQUAL: FaultKind
FAULT_KIND_TIMESTAMP_OFFSET: FaultKind
FAULT_KIND_TIMESTAMP_ZERO: FaultKind
FAULT_KIND_UNSPECIFIED: FaultKind

class Fault(_message.Message):
    __slots__ = ["blocks", "frame", "frames", "kind", "time", "unflagged"]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    UNFLAGGED_FIELD_NUMBER: _ClassVar[int]
    blocks: int
    frame: int
    frames: int
    kind: FaultKind
    time: _duration_pb2.Duration
    unflagged: bool
    def __init__(self, kind: _Optional[_Union[FaultKind, str]] = ..., frame: _Optional[int] = ..., frames: _Optional[int] = ..., time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., blocks: _Optional[int] = ..., unflagged: bool = ...) -> None: ...

class LoadScriptRequest(_message.Message):
    __slots__ = ["faults"]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    faults: _containers.RepeatedCompositeFieldContainer[Fault]
    def __init__(self, faults: _Optional[_Iterable[_Union[Fault, _Mapping]]] = ...) -> None: ...

class LoadScriptResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class FaultKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
