"""How a client proves who it is, and a server to it."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Optional

import grpc
import grpc.aio

from rtmixd import errors
from rtmixd._arguments import path

__all__ = ["Security", "explain_handshake"]


@dataclass(frozen=True)
class Security:
    """Names of files, "" where not needed.

    Attributes
    ----------
    ca : str
        Certificates in PEM: whose certificates servers must have. With it, TLS.
    cert, key : str
        The client's own certificate and its key in PEM, for servers that want one.
    token_file : str
        The first line is the client's bearer token.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""
    token_file: str = ""

    @classmethod
    def of(
        cls,
        ca: Optional[str] = None,
        cert: Optional[str] = None,
        key: Optional[str] = None,
        token_file: Optional[str] = None,
    ) -> Security:
        """Return what is given, and where it is None what the environment says.

        Raises
        ------
        InvalidArgument
            What is given does not belong together.
        """
        given = {"ca": ca, "cert": cert, "key": key, "token_file": token_file}
        found = cls(
            **{
                name: os.environ.get(f"RTMIXD_{name.upper()}", "")
                if value is None
                else path(value, name)
                for name, value in given.items()
            }
        )
        if bool(found.cert) != bool(found.key):
            raise errors.InvalidArgument("a certificate and its key belong together: give both")
        if found.cert and not found.ca:
            raise errors.InvalidArgument(
                "a certificate is for TLS: give also the CA of the server's certificate"
            )
        return found

    def channel(self, target: str, options: Any) -> grpc.aio.Channel:
        """Make a channel, with TLS if there is a CA. Files are read now.

        Raises
        ------
        InvalidArgument
            A file cannot be read.
        """
        if not self.ca:
            return grpc.aio.insecure_channel(target, options=options)
        credentials = grpc.ssl_channel_credentials(
            _read(self.ca), _read(self.key) or None, _read(self.cert) or None
        )
        return grpc.aio.secure_channel(target, credentials, options=options)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what every call carries. The file is read now.

        Raises
        ------
        InvalidArgument
            The file cannot be read, or holds no token.
        """
        if not self.token_file:
            return ()
        token = _read(self.token_file).split(b"\n", 1)[0].strip()
        if not token or not all(0x21 <= byte <= 0x7E for byte in token):
            raise errors.InvalidArgument(
                f"the first line of {self.token_file} is no token: it must be printable, without "
                "blanks"
            )
        return (("authorization", f"Bearer {token.decode()}"),)


def _read(name: str) -> bytes:
    if not name:
        return b""
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError as error:
        raise errors.InvalidArgument(f"cannot read {name}: {error.strerror}") from None


def explain_handshake(target: str, security: Security, seconds: float) -> str:
    """Try a handshake and tell what is wrong with it; gRPC only says that it failed.

    Parameters
    ----------
    target : str
        Anything but HOST:PORT is not tried.
    security : Security
        As for the connection that failed.
    seconds : float
        How long each step may take.

    Returns
    -------
    str
        One line; empty if nothing is wrong with it, or there is nobody to shake hands with.
    """
    text = target.removeprefix("dns:").removeprefix("///")
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or "/" in text or not port.isdigit():
        return ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    try:
        if security.ca:
            context.load_verify_locations(security.ca)
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if security.cert:
            context.load_cert_chain(security.cert, security.key)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"{security.key} is not the key of the certificate in {security.cert}"
        return f"{security.ca}, {security.cert} or {security.key} is not usable: {error.reason}"
    except OSError as error:
        return f"a file cannot be read: {error}"
    try:
        plain = socket.create_connection((host, int(port)), timeout=seconds)
    except OSError:
        return ""
    with contextlib.closing(plain):
        return _shake(plain, context, host, security)


def _shake(plain: socket.socket, context: ssl.SSLContext, host: str, security: Security) -> str:
    try:
        with context.wrap_socket(plain, server_hostname=host) as shaken:
            if not security.ca:
                return "the server speaks TLS: give the CA of its certificate"
            # With TLS 1.3 what the server thinks of the client comes behind the handshake.
            # Servers of gRPC hang up without an alert on those whose certificate they do not want.
            return "" if shaken.recv(1) else _of_own_certificate(security)
    except ssl.SSLCertVerificationError as error:
        return _of_certificate(error, host, security)
    except ssl.SSLError as error:
        if not security.ca:
            # Whatever it wants, it understood the question.
            alert = "ALERT" in (error.reason or "")
            return "the server speaks TLS: give the CA of its certificate" if alert else ""
        return _of_alert(error.reason or "", security)
    except OSError:
        return ""


# Verification results of OpenSSL.
_NOT_YET_VALID = 9
_EXPIRED = 10
_OTHER_CA = (2, 7, 18, 19, 20, 21)
_OTHER_NAME = (62, 64)


def _of_certificate(error: ssl.SSLCertVerificationError, host: str, security: Security) -> str:
    if error.verify_code == _EXPIRED:
        return "the server's certificate has expired"
    if error.verify_code == _NOT_YET_VALID:
        return "the server's certificate is not valid yet; is the clock of this host right?"
    if error.verify_code in _OTHER_NAME:
        return f"the server's certificate is not for {host}"
    if error.verify_code in _OTHER_CA:
        return f"the server's certificate is not of a CA in {security.ca}"
    return f"the server's certificate is refused: {error.verify_message}"


def _of_alert(reason: str, security: Security) -> str:
    # Names differ between versions of OpenSSL.
    if reason in (
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
    ):
        return "the server speaks plain text, not TLS: do without a CA, or start it with --tls-cert"
    if reason.endswith(
        (
            "ALERT_CERTIFICATE_REQUIRED",
            "ALERT_CERTIFICATE_EXPIRED",
            "UNKNOWN_CA",
            "BAD_CERTIFICATE",
            "CERTIFICATE_UNKNOWN",
            "ALERT_DECRYPT_ERROR",
        )
    ):
        return _of_own_certificate(security)
    return ""


def _of_own_certificate(security: Security) -> str:
    if not security.cert:
        return "the server wants a certificate of its clients: give one and its key"
    return (
        f"the server does not accept the client's certificate in {security.cert}: it is not of a CA"
        " that it trusts, or has expired"
    )
