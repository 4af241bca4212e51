"""The pytest plugin: pytest runs tests that pytest runs, against a virtual device that misbehaves.

RTMIXD_SERVER names the program of the server.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from xml.etree import ElementTree

# What inner tests import has to be here before, or each would import it anew.
import matplotlib.figure  # noqa: F401
import numpy as np
import pytest
import soundfile

import rtmixd
import rtmixd.plot
from rtmixd.local_server import LocalServer

pytest_plugins = ["pytester"]

# What the inner tests share: `play` records a sound; `hear_xrun` records while the device loses 640
# frames, however late this machine is.
CONFTEST = """
import numpy as np
import pytest
import rtmixd
from rtmixd.v1 import virtual_device_pb2


@pytest.fixture
def play(rtmixd_session):
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, (4800, 1)).astype(np.float32)
    return lambda: rtmixd_session.playrec(sound, outputs=[1], inputs=[1])[0]


@pytest.fixture
def start_xrun(rtmixd_session, rtmixd_client):
    def start(unflagged=False):
        action = rtmixd_session.schedule(rtmixd.Record(inputs=[1]))[0]
        for reading in rtmixd_client.clocks(0.02):
            fault = virtual_device_pb2.Fault(
                kind=virtual_device_pb2.FAULT_KIND_LOSE_BOTH,
                frame=reading.next_frame + 4800,
                frames=640,
                unflagged=unflagged,
            )
            try:
                rtmixd_session.load_script([fault])
                break
            except rtmixd.InvalidArgument:
                pass  # That frame has passed.
        for reading in rtmixd_client.clocks(0.02):
            if reading.next_frame > fault.frame + 4800:
                return action
    return start


@pytest.fixture
def hear_xrun(start_xrun):
    def hear():
        action = start_xrun()
        action.cancel()
        return action.recording()
    return hear
"""


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with LocalServer(["--enable-device-scripts"]) as server:
        yield server.target


class Inner:
    """Runs tests of its own in a folder of its own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.path = pytester.path
        self._pytester = pytester
        pytester.makeconftest(CONFTEST)

    def run(self, code: str, *options: str) -> pytest.RunResult:
        self._pytester.makepyfile(test_it=code)
        # By the name of its module, since the package need not be installed.
        plugins = ("no:rtmixd", "rtmixd.pytest_plugin", "no:cacheprovider")
        loading = [argument for plugin in plugins for argument in ("-p", plugin)]
        return self._pytester.runpytest_inprocess(*loading, *options)


@pytest.fixture
def inner(pytester: pytest.Pytester, target: str, monkeypatch: pytest.MonkeyPatch) -> Inner:
    monkeypatch.setenv("RTMIXD_TARGET", target)
    monkeypatch.delenv("RTMIXD_SESSION_TOKEN", raising=False)
    return Inner(pytester)


def outcomes(result: pytest.RunResult) -> dict[str, int]:
    """Count outcomes; old versions of pytest warn of plugins that were imported before."""
    return {name: count for name, count in result.parseoutcomes().items() if "warning" not in name}


def junit(path: pathlib.Path) -> dict[str, ElementTree.Element]:
    return {case.get("name", ""): case for case in ElementTree.parse(path).iter("testcase")}


TOUCHED_AND_FAILING = """
def test_touched(hear_xrun):
    hear_xrun()
    assert False, "the device is bad"
"""


class TestFixtures:
    def test_session_has_the_server_for_itself_under_the_name_of_the_test(
        self, inner: Inner
    ) -> None:
        code = """
            def test_name(rtmixd_client, rtmixd_session):
                sessions = {s.id: s for s in rtmixd_client.sessions()}
                mine = sessions[rtmixd_session.id]
                assert (mine.label, mine.state) == ("test_it.py::test_name", "exclusive")
                assert len(sessions) == 1

            def test_next(rtmixd_client, rtmixd_session):
                assert [s.label for s in rtmixd_client.sessions()] == ["test_it.py::test_next"]
        """
        inner.run(code).assert_outcomes(passed=2)

    def test_of_long_names_the_end_is_the_label(self, inner: Inner) -> None:
        code = """
            import pytest

            @pytest.mark.parametrize("x", [pytest.param(1, id="ä" * 100 + "-the-end")])
            def test_name(rtmixd_session, x):
                assert len(rtmixd_session.label.encode()) in (199, 200)
                assert rtmixd_session.label.startswith("…")
                assert rtmixd_session.label.endswith("-the-end]")
        """
        option = "disable_test_id_escaping_and_forfeit_all_rights_to_community_support"
        (inner.path / "pytest.ini").write_text(f"[pytest]\n{option} = true\n")
        inner.run(code).assert_outcomes(passed=1)

    def test_without_a_target_a_server_is_started_with_the_flags_of_the_ini_file(
        self, inner: Inner, target: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("RTMIXD_TARGET")
        flags = "--virtual-inputs 3 --sample-rate 44100"
        (inner.path / "pytest.ini").write_text(f"[pytest]\nrtmixd_server_flags = {flags}\n")
        code = f"""
            def test_flags(rtmixd_server, rtmixd_client, rtmixd_session):
                assert rtmixd_server == rtmixd_client.target != {target!r}
                assert rtmixd_client.stream().input_channels == 3
                assert rtmixd_client.stream().sample_rate_hz == 44100
        """
        inner.run(code).assert_outcomes(passed=1)

    def test_the_option_goes_before_the_environment(
        self, inner: Inner, target: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RTMIXD_TARGET", "127.0.0.1:1")
        code = f"def test_target(rtmixd_server): assert rtmixd_server == {target!r}"
        result = inner.run(code, "--rtmixd-target", target)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines([f"rtmixd: {target}"])

    def test_a_missing_program_is_an_error_that_tells_what_to_do(
        self, inner: Inner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("RTMIXD_TARGET")
        code = "def test_nothing(rtmixd_session): pass"
        result = inner.run(code, "--rtmixd-server", "/nowhere/rtmixd")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*no program '/nowhere/rtmixd'*RTMIXD_SERVER*"])

    def test_a_busy_server_is_an_error_that_tells_who_holds_it(
        self, inner: Inner, target: str
    ) -> None:
        with rtmixd.Client(target) as client, client.lease(label="CI job 812"):
            result = inner.run("def test_nothing(rtmixd_session): pass", "--rtmixd-wait", "0.2")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["E *Busy*CI job 812*"])

    def test_within_a_lease_tests_use_its_session_and_leave_nothing_in_it(
        self, inner: Inner, target: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        code = """
            import rtmixd

            def test_leaves_things(rtmixd_session):
                rtmixd_session.schedule([rtmixd.Record(inputs=[1])])
                rtmixd_session.upload([0.5, 0.5])
                assert len(rtmixd_session.buffers()) == 3

            def test_finds_nothing(rtmixd_session):
                assert len(rtmixd_session.buffers()) == 1
                assert not rtmixd_session.actions(active_only=True)
        """
        with rtmixd.Client(target) as client, client.lease(label="lease") as session:
            monkeypatch.setenv("RTMIXD_SESSION_TOKEN", session.token)
            mine = session.upload([0.25])
            inner.run(code).assert_outcomes(passed=2)
            assert session.info().state == "exclusive"
            assert [buffer.id for buffer in session.buffers()] == [mine.id]


class TestArtifacts:
    def test_a_failed_test_keeps_what_it_recorded(self, inner: Inner) -> None:
        code = """
            import numpy as np

            def test_fails(play, tmp_path):
                np.save("heard.npy", play().samples)
                play()
                assert False

            def test_passes(play):
                play()
        """
        result = inner.run(code, "--rtmixd-artifacts", "kept", "--junitxml", "junit.xml")
        result.assert_outcomes(passed=1, failed=1)
        (folder,) = (inner.path / "kept").iterdir()
        assert folder.name == "test_it.py_test_fails"
        names = [f"recording-{i}{end}" for i in (1, 2) for end in (".wav", ".wav.json", ".png")]
        assert {path.name for path in folder.iterdir()} == {*names, "reports.json"}
        samples, _ = soundfile.read(folder / "recording-1.wav", dtype="float32", always_2d=True)
        np.testing.assert_array_equal(samples, np.load(inner.path / "heard.npy"))
        assert np.any(samples)
        told = json.loads((folder / "recording-1.wav.json").read_text())
        assert told["play_report"]["kind"] == "play"
        reports = json.loads((folder / "reports.json").read_text())
        assert [(r["kind"], r["state"]) for r in reports] == [
            ("record", "ended"),
            ("play", "ended"),
        ] * 2
        assert (folder / "recording-2.png").read_bytes()[:4] == b"\x89PNG"
        result.stdout.fnmatch_lines([f"kept {folder}: recording-1.wav, *reports.json"])
        properties = {
            p.get("name"): p.get("value")
            for p in junit(inner.path / "junit.xml")["test_fails"].iter("property")
        }
        assert properties == {"rtmixd_artifacts": str(folder)}

    def test_what_it_had_not_fetched_is_ended_and_fetched(self, inner: Inner) -> None:
        code = """
            import rtmixd

            def test_fails(rtmixd_session, rtmixd_client):
                first = rtmixd_client.clock().next_frame
                record = rtmixd.Record(inputs=[1], start=rtmixd.at_frame(max(0, first - 2400)))
                rtmixd_session.schedule([record])
                rtmixd_session.play([0.5] * 4800, outputs=[1])
                assert False
        """
        inner.run(code).assert_outcomes(failed=1)
        folder = inner.path / "rtmixd-artifacts" / "test_it.py_test_fails"
        samples, _ = soundfile.read(folder / "recording-1.wav")
        assert np.count_nonzero(samples) == 4800
        told = json.loads((folder / "recording-1.wav.json").read_text())
        assert told["report"]["end_reason"] == "cancelled"

    def test_a_test_that_scheduled_nothing_keeps_nothing(self, inner: Inner) -> None:
        inner.run("def test_fails(rtmixd_session): assert False").assert_outcomes(failed=1)
        assert not (inner.path / "rtmixd-artifacts").exists()

    def test_a_later_failure_replaces_what_was_kept(self, inner: Inner) -> None:
        inner.run("def test_fails(play): play(); play(); assert False")
        inner.run("def test_fails(play): play(); assert False")
        folder = inner.path / "rtmixd-artifacts" / "test_it.py_test_fails"
        assert len(list(folder.glob("*.wav"))) == 1

    def test_a_server_that_is_gone_is_told_and_hides_no_failure(
        self, inner: Inner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("RTMIXD_TARGET")
        code = """
            import os, signal
            from rtmixd.local_server import LocalServer
            import pytest

            @pytest.fixture(scope="session")
            def rtmixd_server():
                with LocalServer() as server:
                    os.environ["SERVER_PID"] = str(server.pid)
                    yield server.target

            def test_fails(play):
                play()
                os.kill(int(os.environ["SERVER_PID"]), signal.SIGKILL)
                assert False, "the device is bad"
        """
        result = inner.run(code)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*the device is bad*", "*the server could not be asked:*"])
        assert (
            inner.path / "rtmixd-artifacts" / "test_it.py_test_fails" / "recording-1.wav"
        ).exists()


class TestTouchedByAnXrun:
    def test_failing_is_an_outcome_and_an_exit_status_of_its_own(self, inner: Inner) -> None:
        result = inner.run(TOUCHED_AND_FAILING, "--junitxml", "junit.xml")
        assert result.ret == 7
        assert outcomes(result) == {"xrun": 1}
        result.stdout.fnmatch_lines(
            [
                "test_it.py !*",
                "=* touched by an xrun: no verdict *=",
                "*the device is bad*",
                "kept *test_it.py_test_touched: recording-1.wav, *",
                "XRUN test_it.py::test_touched - *1 xrun before frame *, about 640 frames lost*",
            ]
        )
        root = ElementTree.parse(inner.path / "junit.xml").getroot()
        (suite,) = root.iter("testsuite")
        assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
            "tests": "1",
            "failures": "0",
            "errors": "1",
            "skipped": "0",
        }
        case = junit(inner.path / "junit.xml")["test_touched"]
        (error,) = case.iter("error")
        assert error.get("type") == "rtmixd.xrun"
        assert "about 640 frames lost" in (error.get("message") or "")
        assert "the device is bad" in (error.text or "")
        assert not list(case.iter("failure"))

    def test_its_recording_tells_where(self, inner: Inner) -> None:
        inner.run(TOUCHED_AND_FAILING)
        folder = inner.path / "rtmixd-artifacts" / "test_it.py_test_touched"
        (xrun,) = json.loads((folder / "recording-1.wav.json").read_text())["report"]["xruns"]
        assert xrun["lost_frames"] == 640

    def test_passing_is_passing(self, inner: Inner) -> None:
        code = """
            def test_passes(hear_xrun):
                assert hear_xrun().report.touched == "yes"
        """
        result = inner.run(code)
        result.assert_outcomes(passed=1)
        assert result.ret == 0

    def test_a_check_of_the_report_tells_too(self, inner: Inner) -> None:
        code = """
            def test_checks(hear_xrun):
                hear_xrun().report.check()
        """
        result = inner.run(code, "-v")
        assert outcomes(result) == {"xrun": 1}
        result.stdout.fnmatch_lines(["test_it.py::test_checks XRUN*"])

    def test_the_verdict_is_waited_for(self, inner: Inner) -> None:
        code = """
            def test_hurries(start_xrun):
                # One that the host does not tell of, so that it takes time to be found.
                action = start_xrun(unflagged=True)
                action.cancel()
                assert action.wait(until="done").touched == "no"
        """
        assert outcomes(inner.run(code)) == {"xrun": 1}

    def test_failures_decide_the_exit_status(self, inner: Inner) -> None:
        code = TOUCHED_AND_FAILING + "\ndef test_fails(play): play(); assert False"
        result = inner.run(code)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert outcomes(result) == {"xrun": 1, "failed": 1}

    @pytest.mark.parametrize("leased", [False, True])
    def test_an_xrun_of_another_test_is_no_excuse(
        self, inner: Inner, target: str, monkeypatch: pytest.MonkeyPatch, leased: bool
    ) -> None:
        code = """
            def test_first(hear_xrun):
                hear_xrun()

            def test_second(play):
                play()
                assert False
        """
        with rtmixd.Client(target) as client, client.lease(label="lease") as lease:
            if leased:
                monkeypatch.setenv("RTMIXD_SESSION_TOKEN", lease.token)
            else:
                lease.end()
            inner.run(code).assert_outcomes(passed=1, failed=1)

    def test_does_not_count_as_a_failure_to_stop_at(self, inner: Inner) -> None:
        code = TOUCHED_AND_FAILING + "\ndef test_goes_on(): pass"
        assert outcomes(inner.run(code, "-x")) == {"xrun": 1, "passed": 1}

    def test_expected_failures_stay_expected(self, inner: Inner) -> None:
        code = "import pytest\n@pytest.mark.xfail" + TOUCHED_AND_FAILING
        result = inner.run(code)
        result.assert_outcomes(xfailed=1)
        assert result.ret == 0


class TestReruns:
    def test_one_that_was_touched_once_passes_the_second_time(self, inner: Inner) -> None:
        code = """
            import pathlib

            def test_flaky(play, hear_xrun):
                attempts = pathlib.Path("attempts")
                before = attempts.read_text() if attempts.exists() else ""
                attempts.write_text(before + "x")
                heard = play() if before else hear_xrun()
                assert heard.report.touched == "no"
        """
        options = ("--rtmixd-xrun-reruns", "3", "--junitxml", "junit.xml")
        result = inner.run(code, *options)
        assert outcomes(result) == {"passed": 1, "rerun": 1}
        assert result.ret == 0
        assert (inner.path / "attempts").read_text() == "xx"
        (case,) = ElementTree.parse(inner.path / "junit.xml").iter("testcase")
        assert [child.tag for child in case] == []

    def test_one_that_is_always_touched_has_no_verdict(self, inner: Inner) -> None:
        result = inner.run(TOUCHED_AND_FAILING, "--rtmixd-xrun-reruns", "2")
        assert outcomes(result) == {"xrun": 1, "rerun": 2}
        assert result.ret == 7
        folders = {path.name for path in (inner.path / "rtmixd-artifacts").iterdir()}
        name = "test_it.py_test_touched"
        assert folders == {name, f"{name}_rerun-1", f"{name}_rerun-2"}

    def test_failures_are_not_run_again(self, inner: Inner) -> None:
        code = "def test_fails(play): play(); assert False"
        result = inner.run(code, "--rtmixd-xrun-reruns", "2")
        assert outcomes(result) == {"failed": 1}

    def test_fixtures_are_made_anew(self, inner: Inner) -> None:
        code = """
            import pytest

            made = []

            @pytest.fixture
            def number():
                made.append(1)
                yield len(made)
                made.append(0)

            def test_flaky(number, play, hear_xrun):
                assert made[-1] == 1
                heard = hear_xrun() if number == 1 else play()
                assert heard.report.touched == "no"

            def test_after():
                assert made == [1, 0, 1, 0]
        """
        result = inner.run(code, "--rtmixd-xrun-reruns", "1")
        assert outcomes(result) == {"passed": 2, "rerun": 1}
