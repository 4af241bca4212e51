"""Every refusal of the server becomes an error of its own, with all its details."""

from __future__ import annotations

import pickle

import pytest

import rtmixd
from rtmixd import _rich_status_pb2, errors
from rtmixd.report import Report
from rtmixd.v1 import error_pb2

REASONS = [value.name for value in error_pb2.ErrorReason.DESCRIPTOR.values if value.number]


def trailer(**fields: object) -> bytes:
    status = _rich_status_pb2.RichStatus(code=3, message="no")
    status.details.add().Pack(error_pb2.ErrorDetail(**fields))
    return status.SerializeToString()


def test_every_reason_has_an_error_of_its_own() -> None:
    kinds = {}
    for name in REASONS:
        error = errors.from_status("unknown", "no", trailer(reason=name))
        assert type(error) is not errors.RtmixdError, name
        assert error.reason == name[len("ERROR_REASON_") :].lower()
        kinds[name] = type(error)
    assert len(set(kinds.values())) == len(REASONS)


def test_details_become_attributes() -> None:
    details = trailer(
        reason="ERROR_REASON_DEVICE_ERROR",
        field="settings.input",
        value="7",
        limit="1 to 6",
        holder_label="CI job 812",
        host_error_code=-9997,
        host_error_text="Invalid sample rate",
    )
    error = errors.from_status("failed_precondition", "refused", details)
    assert isinstance(error, rtmixd.DeviceError)
    assert str(error) == "refused"
    assert error.code == "failed_precondition"
    assert (error.field, error.value, error.limit) == ("settings.input", "7", "1 to 6")
    assert error.holder_label == "CI job 812"
    assert (error.host_error_code, error.host_error_text) == (-9997, "Invalid sample rate")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("unavailable", errors.Disconnected),
        ("deadline_exceeded", errors.Timeout),
        ("cancelled", errors.Cancelled),
        ("not_found", errors.NotFound),
        ("data_loss", errors.RtmixdError),
    ],
)
def test_without_a_reason_the_code_decides(code: str, kind: type) -> None:
    for details in (b"", b"\xff\xffnot a status", trailer(reason=999)):
        error = errors.from_status(code, "no", details)
        assert type(error) is kind
        assert error.reason == ""


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (rtmixd.InvalidArgument, ValueError),
        (rtmixd.UnknownField, ValueError),
        (rtmixd.NotFound, LookupError),
        (rtmixd.Disconnected, ConnectionError),
        (rtmixd.Timeout, TimeoutError),
    ],
)
def test_errors_are_what_python_calls_them(kind: type, builtin: type) -> None:
    assert issubclass(kind, builtin)
    assert issubclass(kind, rtmixd.RtmixdError)


def test_all_errors_are_exported() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(rtmixd, name), rtmixd.RtmixdError)


def test_errors_survive_pickling() -> None:
    error = rtmixd.Busy("held", code="failed_precondition", holder_label="me")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is rtmixd.Busy
    assert (str(again), again.code, again.holder_label) == ("held", "failed_precondition", "me")
    belated = pickle.loads(pickle.dumps(rtmixd.Belated("late", Report("a-1", late_frames=3))))
    assert belated.report.late_frames == 3
