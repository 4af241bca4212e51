"""The wheel has all that it needs, and runs without anything else of the checkout."""

from __future__ import annotations

import email
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

import rtmixd

CLIENT = pathlib.Path(__file__).resolve().parents[3] / "client_py"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Build it from a copy, with what is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "docs")
    shutil.copytree(CLIENT, folder / "source", ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_it_holds_stubs_types_and_metadata(wheel: pathlib.Path) -> None:
    assert wheel.name == f"rtmixd-{rtmixd.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for proto in (CLIENT.parent / "proto/rtmixd/v1").glob("*.proto"):
            assert f"rtmixd/v1/{proto.stem}_pb2.py" in names
            assert f"rtmixd/v1/{proto.stem}_pb2.pyi" in names
            if "\nservice " in proto.read_text():
                assert f"rtmixd/v1/{proto.stem}_pb2_grpc.py" in names
        assert "rtmixd/py.typed" in names
        info = f"rtmixd-{rtmixd.__version__}.dist-info"
        metadata = email.message_from_string(archive.read(f"{info}/METADATA").decode())
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
    assert metadata["Requires-Python"] == ">=3.9"
    required = [line for line in metadata.get_all("Requires-Dist") if "extra" not in line]
    assert sorted(line.split(">")[0].split(" ")[0] for line in required) == [
        "grpcio",
        "numpy",
        "protobuf",
    ]
    assert {"files", "plot", "progress"} <= set(metadata.get_all("Provides-Extra"))
    assert "rtmixd = rtmixd.pytest_plugin" in entry_points


def test_it_runs(wheel: pathlib.Path) -> None:
    body = "import rtmixd, rtmixd.aio; print(rtmixd.__file__, rtmixd.Client('rig7').target)"
    done = subprocess.run(
        [sys.executable, "-c", body],
        env={**os.environ, "PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(wheel / "rtmixd/__init__.py"), "rig7:47110"]


INNER = """
import numpy as np


def test_it(rtmixd_session):
    sound = np.linspace(-0.5, 0.5, 480, dtype=np.float32)
    recording, report = rtmixd_session.playrec(sound, outputs=[1], inputs=[1])
    assert rtmixd_session.label == "test_it.py::test_it"
    np.testing.assert_array_equal(recording.samples[:, 0], sound)
"""


def test_pytest_finds_the_plugin_where_it_is_installed(
    wheel: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    done = subprocess.run(
        [*command, "--target", str(site), str(wheel)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_it.py").write_text(INNER)

    def run(*options: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(folder)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            timeout=100,
        ).stdout

    said = run()
    assert "1 passed" in said, said
    assert "rtmixd-" in next(line for line in said.splitlines() if line.startswith("plugins: "))
    # By the name that is documented it can be left out.
    said = run("-p", "no:rtmixd")
    assert "fixture 'rtmixd_session' not found" in said, said
