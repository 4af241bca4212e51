from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
ERROR_REASON_BAD_FIELD: ErrorReason
ERROR_REASON_BAD_POSITION: ErrorReason
ERROR_REASON_BUSY: ErrorReason
ERROR_REASON_CREDIT_EXCEEDED: ErrorReason
ERROR_REASON_DEVICE_ERROR: ErrorReason
ERROR_REASON_FOREIGN_SESSION: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_LIMIT_EXCEEDED: ErrorReason
ERROR_REASON_NOT_ENABLED: ErrorReason
ERROR_REASON_NOT_FOUND: ErrorReason
ERROR_REASON_NO_STREAM: ErrorReason
ERROR_REASON_OUT_OF_ORDER: ErrorReason
ERROR_REASON_REQUEST_ID_REUSED: ErrorReason
ERROR_REASON_SESSION_BROKEN: ErrorReason
ERROR_REASON_SESSION_EXPIRED: ErrorReason
ERROR_REASON_SESSION_REQUIRED: ErrorReason
ERROR_REASON_SHUTTING_DOWN: ErrorReason
ERROR_REASON_STREAM_OPEN: ErrorReason
ERROR_REASON_UNKNOWN_FIELD: ErrorReason
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_WRONG_STATE: ErrorReason

class ErrorDetail(_message.Message):
    __slots__ = ["field", "holder_label", "host_error_code", "host_error_text", "limit", "reason", "value"]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    HOLDER_LABEL_FIELD_NUMBER: _ClassVar[int]
    HOST_ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    HOST_ERROR_TEXT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    field: str
    holder_label: str
    host_error_code: int
    host_error_text: str
    limit: str
    reason: ErrorReason
    value: str
    def __init__(self, reason: _Optional[_Union[ErrorReason, str]] = ..., field: _Optional[str] = ..., value: _Optional[str] = ..., limit: _Optional[str] = ..., holder_label: _Optional[str] = ..., host_error_code: _Optional[int] = ..., host_error_text: _Optional[str] = ...) -> None: ...

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
