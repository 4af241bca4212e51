"""The documentation builds without a warning, lacks no name, and its quickstart is true."""

from __future__ import annotations

import contextlib
import io
import pathlib
import re
import subprocess
import sys
import zlib

import pytest

import rtmixd
import rtmixd.aio
from rtmixd.local_server import LocalServer

DOCS = pathlib.Path(__file__).resolve().parents[3] / "client_py" / "docs"
DEADLINE_SECONDS = 110


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("html")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-W", "--keep-going", "-E", "-q"),
            *("-b", "html", str(DOCS), str(folder)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stdout
    return folder


def documented(html: pathlib.Path) -> set[str]:
    """Return the names of Python that the inventory of Sphinx lists."""
    inventory = (html / "objects.inv").read_bytes()
    lines = zlib.decompress(inventory.split(b"\n", 4)[4]).decode().splitlines()
    return {line.split(" ", 1)[0] for line in lines if " py:" in line}


class TestReference:
    def test_every_public_name_has_its_place(self, html: pathlib.Path) -> None:
        names = documented(html)
        # Kinds of strings are told where they are used.
        plain = {"__version__", "BufferState", "SessionState", "StreamState"}
        errors = set(rtmixd.errors.__all__)
        assert {f"rtmixd.{name}" for name in set(rtmixd.__all__) - plain - errors} - names == set()
        assert {f"rtmixd.errors.{name}" for name in errors} - names == set()
        assert {f"rtmixd.aio.{name}" for name in set(rtmixd.aio.__all__) - {"LostAudio"}} <= names

    def test_methods_stand_there_with_their_classes(self, html: pathlib.Path) -> None:
        names = documented(html)
        for surface in ("rtmixd", "rtmixd.aio"):
            assert f"{surface}.Session.playrec" in names
            assert f"{surface}.DuplexStream.read" in names

    def test_every_example_is_listed(self, html: pathlib.Path) -> None:
        listed = (DOCS / "examples.md").read_text()
        names = {path.name for path in (DOCS.parent / "examples").glob("*.py")}
        assert {name for name in names if name not in listed} == set()


class TestPytestPage:
    def test_options_are_those_of_the_plugin(self) -> None:
        plugin = pathlib.Path(rtmixd.__file__).with_name("pytest_plugin.py").read_text()
        options = set(re.findall(r'^        "(--rtmixd[a-z-]+)"', plugin, re.MULTILINE))
        page = (DOCS / "pytest.md").read_text()
        assert options == set(re.findall(r"^\| `(--rtmixd[a-z-]+) ", page, re.MULTILINE))
        assert len(options) == 5


def paste(page: str) -> int:
    """Run what a page lets you paste; check what it shows, and count how often it does."""
    blocks = re.findall(
        r"^```(python|text)\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL
    )
    names: dict[str, object] = {}
    said = ""
    shown = 0
    for kind, text in blocks:
        if kind == "python":
            heard = io.StringIO()
            with contextlib.redirect_stdout(heard):
                exec(compile(text, page, "exec"), names)
            said = heard.getvalue()
        else:
            shown += 1
            # Frames depend on when it is run.
            pattern = re.sub(r"(frames?\\ )\d+(\\.\\.\d+)?", r"\1[\\d.]+", re.escape(text))
            assert re.fullmatch(pattern, said), (text, said)
    return shown


class TestQuickstart:
    def test_what_it_lets_you_paste_says_what_it_shows(
        self, server: LocalServer, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RTMIXD_TARGET", server.target)
        monkeypatch.setenv("MPLBACKEND", "Agg")
        monkeypatch.chdir(tmp_path)
        assert paste("quickstart.md") == 7
        assert {path.name for path in tmp_path.iterdir()} == {
            "chirp.png",
            "chirp.wav",
            "chirp.wav.json",
        }


class TestShaping:
    def test_what_it_lets_you_paste_says_what_it_shows(
        self, server: LocalServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RTMIXD_TARGET", server.target)
        assert paste("shaping.md") == 11
