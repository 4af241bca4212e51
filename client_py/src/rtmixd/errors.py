"""What can go wrong, one class per meaning.

All are `RtmixdError`. Those that the server told carry its details as attributes; those that are
like an error of Python's own are that, too: a `NotFound` is a `LookupError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtmixd.latency import LatencyMeasurement
    from rtmixd.report import Report

__all__ = [
    "BadPosition",
    "Belated",
    "Busy",
    "Cancelled",
    "CreditExceeded",
    "DeviceError",
    "Disconnected",
    "ForeignSession",
    "HandshakeFailed",
    "Incomplete",
    "InternalError",
    "InvalidArgument",
    "LimitExceeded",
    "NoAnswer",
    "NoStream",
    "NotEnabled",
    "NotFound",
    "OutOfOrder",
    "ReportError",
    "RequestIdReused",
    "RoleTooLow",
    "RtmixdError",
    "SessionBroken",
    "SessionExpired",
    "SessionRequired",
    "ShuttingDown",
    "StreamOpen",
    "Timeout",
    "TokenRefused",
    "TouchedByXrun",
    "UnknownField",
    "WrongState",
]


class RtmixdError(Exception):
    """Base of all errors of this package.

    Attributes
    ----------
    code : str
        The gRPC status code in lower case, ``"invalid_argument"``; empty if no call failed.
    reason : str
        The server's reason in lower case, ``"bad_field"``, stable across versions; empty if it
        gave none.
    field : str
        The field at fault as a path from the request, ``"actions[2].play.gain"``, or the name of
        the limit that is reached.
    value : str
        The value it had.
    limit : str
        What would have been allowed.
    holder_label : str
        Who holds what is needed, for `Busy`.
    host_error_code : int
        The host's own code, for `DeviceError`: a PaError for PortAudio.
    host_error_text : str
        The host's own text, for `DeviceError`.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "",
        reason: str = "",
        field: str = "",
        value: str = "",
        limit: str = "",
        holder_label: str = "",
        host_error_code: int = 0,
        host_error_text: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.field = field
        self.value = value
        self.limit = limit
        self.holder_label = holder_label
        self.host_error_code = host_error_code
        self.host_error_text = host_error_text

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword arguments are not in `args`: without this, pickling would lose them.
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))


def _rebuild(
    kind: type[RtmixdError], args: tuple[Any, ...], state: Mapping[str, Any]
) -> RtmixdError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidArgument(RtmixdError, ValueError):
    """A field has a value it cannot have; `field`, `value` and `limit` say which and why."""


class UnknownField(InvalidArgument):
    """The server does not know a field or value: it is older than this client. Nothing was done."""


class NotFound(RtmixdError, LookupError):
    """No such session, buffer, action, device or stream."""


class SessionRequired(RtmixdError):
    """The call needs a session."""


class SessionExpired(RtmixdError):
    """The session has ended, or its token was never valid."""


class SessionBroken(SessionExpired):
    """The session was ended before its time, by an administrator or at the server's maximum."""


class TokenRefused(RtmixdError, PermissionError):
    """The server wants a bearer token, and none was sent or it does not know the one that was."""


class RoleTooLow(RtmixdError, PermissionError):
    """The role of the bearer token does not allow the call; the message names both."""


class ForeignSession(RtmixdError, PermissionError):
    """The thing belongs to another session."""


class LimitExceeded(RtmixdError):
    """A limit of the server is reached; `field` names it, `limit` is its value."""


class Busy(RtmixdError):
    """Another session holds what is needed; `holder_label` says who."""


class NoStream(RtmixdError):
    """No stream is open, or it is not running and has to be."""


class StreamOpen(RtmixdError):
    """A stream is already open with other settings."""


class DeviceError(RtmixdError):
    """The device or its host API refused, in its own words.

    See `host_error_code` and `host_error_text`.
    """


class RequestIdReused(RtmixdError):
    """The request id was used before with another request."""


class OutOfOrder(RtmixdError):
    """A message of a stream came out of order."""


class CreditExceeded(RtmixdError):
    """More audio was sent than had been granted; `limit` is the granted position."""


class BadPosition(RtmixdError, ValueError):
    """A position that is not the next one; `limit` is the next one."""


class WrongState(RtmixdError):
    """The thing is not in a state that allows this."""


class ShuttingDown(RtmixdError):
    """The server is stopping and takes no new work."""


class NotEnabled(RtmixdError):
    """The feature is not enabled on this server; `field` names the flag."""


class InternalError(RtmixdError):
    """A bug, of the server or of this client."""


class Disconnected(RtmixdError, ConnectionError):
    """The server cannot be reached, has gone silent, or the connection broke."""


class HandshakeFailed(Disconnected):
    """The server is there, but TLS does not come about; the message says why."""


class Timeout(RtmixdError, TimeoutError):
    """It took longer than the caller allowed. What was waited for goes on."""


class Cancelled(RtmixdError):
    """The call was cancelled, because the client was closed for example."""


class ReportError(RtmixdError):
    """An action did not do what it was to do.

    Attributes
    ----------
    report : Report
        What it did.
    """

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


class Belated(ReportError):
    """Its start had passed already when its block came."""


class TouchedByXrun(ReportError):
    """The device lost frames while it ran: what was measured says nothing."""


class Incomplete(ReportError):
    """It ended before its time, or lacked audio on the way."""


class NoAnswer(RtmixdError):
    """A latency was measured, but what came back is nothing to go by.

    Attributes
    ----------
    measurement : LatencyMeasurement
        What there is of it; its verdict says why.
    """

    def __init__(self, message: str, measurement: LatencyMeasurement) -> None:
        super().__init__(message)
        self.measurement = measurement


# By the names of rtmixd.v1.ErrorReason without their prefix.
_BY_REASON: dict[str, type[RtmixdError]] = {
    "bad_field": InvalidArgument,
    "unknown_field": UnknownField,
    "not_found": NotFound,
    "session_required": SessionRequired,
    "session_expired": SessionExpired,
    "foreign_session": ForeignSession,
    "limit_exceeded": LimitExceeded,
    "busy": Busy,
    "no_stream": NoStream,
    "stream_open": StreamOpen,
    "device_error": DeviceError,
    "request_id_reused": RequestIdReused,
    "out_of_order": OutOfOrder,
    "credit_exceeded": CreditExceeded,
    "bad_position": BadPosition,
    "wrong_state": WrongState,
    "shutting_down": ShuttingDown,
    "not_enabled": NotEnabled,
    "internal": InternalError,
    "session_broken": SessionBroken,
}

# What a status says where the server gave no reason, or one that is newer than this client.
_BY_CODE: dict[str, type[RtmixdError]] = {
    "cancelled": Cancelled,
    "invalid_argument": InvalidArgument,
    "deadline_exceeded": Timeout,
    "not_found": NotFound,
    # What is refused before a method is reached has no reason.
    "permission_denied": RoleTooLow,
    "resource_exhausted": LimitExceeded,
    "failed_precondition": WrongState,
    "out_of_range": InvalidArgument,
    "unimplemented": NotEnabled,
    "internal": InternalError,
    "unavailable": Disconnected,
    "unauthenticated": TokenRefused,
}

_DETAILS_KEY = "grpc-status-details-bin"


def from_status(code: str, message: str, details: bytes = b"") -> RtmixdError:
    """Turn the status of a call into an error.

    Parameters
    ----------
    code : str
        The gRPC status code in lower case.
    message : str
        The server's message.
    details : bytes, optional
        The trailer ``grpc-status-details-bin``.

    Returns
    -------
    RtmixdError
        Of the subclass that the reason names, or the code if there is no reason.
    """
    from rtmixd import _rich_status_pb2
    from rtmixd.v1 import error_pb2

    status = _rich_status_pb2.RichStatus()
    detail = error_pb2.ErrorDetail()
    try:
        status.ParseFromString(details)
        found = any(entry.Unpack(detail) for entry in status.details)
    except Exception:  # Whatever a stranger sent, the status itself still counts.
        found = False
    if not found:
        return _BY_CODE.get(code, RtmixdError)(message, code=code)
    values = error_pb2.ErrorReason.DESCRIPTOR.values_by_number
    reason = ""
    if detail.reason in values and detail.reason:
        reason = values[detail.reason].name[len("ERROR_REASON_") :].lower()
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code, RtmixdError)
    return kind(
        message,
        code=code,
        reason=reason,
        field=detail.field,
        value=detail.value,
        limit=detail.limit,
        holder_label=detail.holder_label,
        host_error_code=detail.host_error_code,
        host_error_text=detail.host_error_text,
    )


def from_rpc_error(error: Any) -> RtmixdError:
    """Turn an error of grpc into one of this package.

    Parameters
    ----------
    error : grpc.RpcError
        As grpc or grpc.aio raised it.

    Returns
    -------
    RtmixdError
        See `from_status`.
    """
    details = b""
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            details = value
    return from_status(error.code().name.lower(), error.details() or "", details)
