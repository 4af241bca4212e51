"""TLS, certificates of clients, tokens and roles: what works, and what is said when it does not."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import rtmixd
from rtmixd.local_server import LocalServer

MAKE_TEST_CA = pathlib.Path(__file__).parents[3] / "tools/make_test_ca"

OBSERVER = "token-of-an-observer"
PLAYER = "token-of-a-player-01"
ADMINISTRATOR = "token-of-an-administrator"


def make_ca(folder: pathlib.Path, *names: str, days: int = 30) -> pathlib.Path:
    subprocess.run(
        [MAKE_TEST_CA, folder, *names],
        check=True,
        env={"PATH": "/usr/bin:/bin", "DAYS": str(days)},
    )
    return folder


def tls_flags(folder: pathlib.Path) -> list[str]:
    return ["--tls-cert", f"{folder}/server.pem", "--tls-key", f"{folder}/server.key"]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return make_ca(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return make_ca(tmp_path_factory.mktemp("other-ca"))


@pytest.fixture(scope="module")
def plain() -> Iterator[LocalServer]:
    with LocalServer() as server:
        yield server


@pytest.fixture(scope="module")
def tls(ca: pathlib.Path) -> Iterator[LocalServer]:
    with LocalServer(tls_flags(ca)) as server:
        yield server


@pytest.fixture(scope="module")
def mutual(ca: pathlib.Path) -> Iterator[LocalServer]:
    with LocalServer([*tls_flags(ca), "--client-ca", f"{ca}/ca.pem"]) as server:
        yield server


@pytest.fixture
def token(tmp_path: pathlib.Path) -> Callable[[str], str]:
    """Write a token into a file of its own."""

    def write(text: str) -> str:
        path = tmp_path / f"token-{len(list(tmp_path.iterdir()))}"
        path.write_text(f"{text}\n")
        return str(path)

    return write


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    path.touch(mode=0o600)
    path.write_text(
        f"observe watcher {OBSERVER}\nplay ci {PLAYER}\nadminister alice {ADMINISTRATOR}\n"
    )
    with LocalServer(["--token-file", str(path)]) as server:
        yield server


def refusal(kind: type[Exception], target: str, **settings: Any) -> str:
    """Return what is said of the first call, and soon."""
    began = time.monotonic()
    with rtmixd.Client(target, **settings) as client, pytest.raises(kind) as raised:
        client.info()
    assert type(raised.value) is kind
    # A machine that stalls has its time, a client that tries for ever has not.
    assert time.monotonic() - began < 20
    return str(raised.value)


def test_tls_works(tls: LocalServer, ca: pathlib.Path) -> None:
    with rtmixd.Client(tls.target, ca=f"{ca}/ca.pem") as client, client.session("me") as session:
        assert session.play([0.0] * 48).done_frames == 48


def test_a_client_with_a_certificate_is_let_in(mutual: LocalServer, ca: pathlib.Path) -> None:
    settings = {"ca": f"{ca}/ca.pem", "cert": f"{ca}/client.pem", "key": f"{ca}/client.key"}
    with rtmixd.Client(mutual.target, **settings) as client:
        assert client.info().instance_id


def test_the_environment_says_the_same(
    mutual: LocalServer, ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTMIXD_CA", f"{ca}/ca.pem")
    monkeypatch.setenv("RTMIXD_CERT", f"{ca}/client.pem")
    monkeypatch.setenv("RTMIXD_KEY", f"{ca}/client.key")
    with rtmixd.Client(mutual.target) as client:
        assert client.info().instance_id


def test_the_server_speaks_plain_text(plain: LocalServer, ca: pathlib.Path) -> None:
    said = refusal(rtmixd.HandshakeFailed, plain.target, ca=f"{ca}/ca.pem")
    assert "speaks plain text" in said
    assert plain.target in said


def test_the_server_wants_tls(tls: LocalServer) -> None:
    assert "the server speaks TLS" in refusal(rtmixd.HandshakeFailed, tls.target)


def test_the_ca_is_another(tls: LocalServer, other_ca: pathlib.Path) -> None:
    said = refusal(rtmixd.HandshakeFailed, tls.target, ca=f"{other_ca}/ca.pem")
    assert f"not of a CA in {other_ca}/ca.pem" in said


def test_the_certificate_is_for_another_host(ca: pathlib.Path, tmp_path: pathlib.Path) -> None:
    shutil.copytree(ca, tmp_path / "ca")
    make_ca(tmp_path / "ca", "rig7.example")
    with LocalServer(tls_flags(tmp_path / "ca")) as server:
        said = refusal(rtmixd.HandshakeFailed, server.target, ca=f"{ca}/ca.pem")
    assert "the server's certificate is not for 127.0.0.1" in said


def test_the_certificate_of_the_client_is_missing(mutual: LocalServer, ca: pathlib.Path) -> None:
    said = refusal(rtmixd.HandshakeFailed, mutual.target, ca=f"{ca}/ca.pem")
    assert "wants a certificate of its clients" in said


def test_the_certificate_of_the_client_is_refused(
    mutual: LocalServer, ca: pathlib.Path, other_ca: pathlib.Path
) -> None:
    said = refusal(
        rtmixd.HandshakeFailed,
        mutual.target,
        ca=f"{ca}/ca.pem",
        cert=f"{other_ca}/client.pem",
        key=f"{other_ca}/client.key",
    )
    assert f"does not accept the client's certificate in {other_ca}/client.pem" in said


def test_the_certificate_of_the_client_has_expired(
    mutual: LocalServer, ca: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    shutil.copytree(ca, tmp_path / "ca")
    make_ca(tmp_path / "ca", days=-1)
    said = refusal(
        rtmixd.HandshakeFailed,
        mutual.target,
        ca=f"{ca}/ca.pem",
        cert=f"{tmp_path}/ca/client.pem",
        key=f"{tmp_path}/ca/client.key",
    )
    assert f"{tmp_path}/ca/client.pem: it is not of a CA that it trusts, or has expired" in said


def test_the_certificate_of_the_server_has_expired(
    ca: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    # rtmixd does not start with one, and keeps what it had when it is replaced by one: only a
    # server that runs for longer than its certificate has it.
    shutil.copytree(ca, tmp_path / "ca")
    make_ca(tmp_path / "ca", days=-1)
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-quiet", "-alpn", "h2"]
    command += ["-cert", f"{tmp_path}/ca/server.pem", "-key", f"{tmp_path}/ca/server.key"]
    command.remove("-quiet")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = next(line for line in process.stdout if line.startswith("ACCEPT "))
            target = line.split()[1]
            said = refusal(rtmixd.HandshakeFailed, target, ca=f"{ca}/ca.pem")
        finally:
            process.kill()
    assert "the server's certificate has expired" in said


def test_files_that_cannot_be_used(
    plain: LocalServer, ca: pathlib.Path, token: Callable[[str], str]
) -> None:
    with pytest.raises(rtmixd.InvalidArgument, match="belong together"):
        rtmixd.Client(plain.target, ca=f"{ca}/ca.pem", cert=f"{ca}/client.pem")
    with pytest.raises(rtmixd.InvalidArgument, match="give also the CA"):
        rtmixd.Client(plain.target, cert=f"{ca}/client.pem", key=f"{ca}/client.key")
    missing = refusal(rtmixd.InvalidArgument, plain.target, ca=f"{ca}/missing")
    assert f"cannot read {ca}/missing" in missing
    assert "no token" in refusal(rtmixd.InvalidArgument, plain.target, token_file=token(""))
    assert "no token" in refusal(rtmixd.InvalidArgument, plain.target, token_file=token("a b"))


def test_the_token_is_missing(guarded: LocalServer) -> None:
    said = refusal(rtmixd.TokenRefused, guarded.target)
    assert "none was sent" in said
    assert "observe" in said


def test_the_token_is_wrong(guarded: LocalServer, token: Callable[[str], str]) -> None:
    said = refusal(rtmixd.TokenRefused, guarded.target, token_file=token("a-token-of-nobody"))
    assert "does not know" in said
    assert "a-token-of-nobody" not in said


def test_the_role_is_too_low(
    guarded: LocalServer, token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTMIXD_TOKEN_FILE", token(OBSERVER))
    with rtmixd.Client(guarded.target) as client:
        assert client.sessions() == []
        with pytest.raises(rtmixd.RoleTooLow, match=r"needs the role play; the token of watcher"):
            client.session("me")
    with (
        rtmixd.Client(guarded.target, token_file=token(PLAYER)) as client,
        client.session("me") as session,
    ):
        session.play([0.0] * 48)
        with pytest.raises(rtmixd.RoleTooLow, match="needs the role administer"):
            session.close_stream()


def test_an_administrator_breaks_a_session(
    guarded: LocalServer, token: Callable[[str], str]
) -> None:
    with (
        rtmixd.Client(guarded.target, token_file=token(PLAYER)) as client,
        rtmixd.Client(guarded.target, token_file=token(ADMINISTRATOR)) as administrator,
    ):
        with client.lease("forgotten") as session:
            with pytest.raises(rtmixd.RoleTooLow):
                client.break_session(session.id, "mine")
            ended = administrator.break_session(session.id, "the rig is needed")
            assert (ended.label, ended.state) == ("forgotten", "ended")
            with pytest.raises(rtmixd.SessionBroken, match="the rig is needed"):
                session.play([0.0] * 48)
        with pytest.raises(rtmixd.NotFound):
            administrator.break_session(session.id)


def test_what_the_environment_says_is_for_named_servers_only(
    tmp_path: pathlib.Path, ca: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pytest plugin's own server is one of this host, whatever rigs there are."""
    monkeypatch.setenv("RTMIXD_CA", f"{ca}/ca.pem")
    (tmp_path / "test_it.py").write_text(
        "def test_it(rtmixd_session):\n    rtmixd_session.play([0.0] * 48)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "rtmixd.pytest_plugin", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
