"""A pytest plugin for tests that play to a device and judge what comes back.

Fixtures: `rtmixd_server`, `rtmixd_client`, `rtmixd_session`. A test that failed keeps what it
recorded. A test that failed while an xrun touched it has an outcome of its own, "xrun", since what
it measured says nothing about the device.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional, Union
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from rtmixd import Action, Client, Recording, Report, Session

__all__ = ["EXIT_XRUN", "rtmixd_client", "rtmixd_server", "rtmixd_session"]

#: Exit status of pytest when no test failed but some were touched by an xrun; rtmixctl's, too.
EXIT_XRUN = 7

# Outcomes beside pytest's own.
_XRUN = "xrun"
_RERUN = "rerun"

# The server tells at most 4 s after the last sound whether xruns touched it.
_VERDICT_SECONDS = 8.0

# The server's limit for labels.
_LABEL_BYTES = 200

_ENV_TARGET = "RTMIXD_TARGET"
_ENV_TOKEN = "RTMIXD_SESSION_TOKEN"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this plugin."""
    group = parser.getgroup("rtmixd")
    group.addoption(
        "--rtmixd-target",
        metavar="HOST[:PORT]",
        help="server that tests use; default: RTMIXD_TARGET, otherwise one is started here",
    )
    group.addoption(
        "--rtmixd-server",
        metavar="PROGRAM",
        help="rtmixd to start on its virtual device; default: RTMIXD_SERVER, otherwise on the PATH",
    )
    group.addoption(
        "--rtmixd-wait",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long a test waits until it has the server for itself (default: 60)",
    )
    group.addoption(
        "--rtmixd-artifacts",
        default="rtmixd-artifacts",
        metavar="DIR",
        help="where failed tests keep recordings and reports (default: rtmixd-artifacts)",
    )
    group.addoption(
        "--rtmixd-xrun-reruns",
        type=int,
        default=0,
        metavar="N",
        help="run a test that an xrun touched again, at most N times (default: 0)",
    )
    parser.addini("rtmixd_server_flags", "flags of the server that is started", type="args")


def pytest_report_header(config: pytest.Config) -> Optional[str]:
    """Say which server tests use, if one was named."""
    target = _named_target(config)
    return f"rtmixd: {target}" if target else None


@pytest.fixture(scope="session")
def rtmixd_server(pytestconfig: pytest.Config) -> Iterator[str]:
    """Where the server listens: the one that was named, or one that is started for these tests."""
    named = _named_target(pytestconfig)
    if named:
        yield named
        return
    from rtmixd.local_server import LocalServer

    flags: Sequence[str] = pytestconfig.getini("rtmixd_server_flags")
    with LocalServer(flags, program=pytestconfig.getoption("--rtmixd-server")) as server:
        yield server.target


@pytest.fixture(scope="session")
def rtmixd_client(rtmixd_server: str, pytestconfig: pytest.Config) -> Iterator[Client]:
    """Connect to the server, with the certificates and the token that the environment names.

    A server that is started for these tests needs none.
    """
    import rtmixd

    # None: what the environment says.
    file = None if _named_target(pytestconfig) else ""
    with rtmixd.Client(rtmixd_server, ca=file, cert=file, key=file, token_file=file) as client:
        yield client


@pytest.fixture
def rtmixd_session(request: pytest.FixtureRequest, rtmixd_client: Client) -> Iterator[Session]:
    """Lease the server for the test, in a session that is labelled with the test's id.

    Under ``rtmixctl lease`` it is the session of the lease, of which the test's actions are
    cancelled and its buffers deleted at the end.
    """
    evidence = _Evidence()
    request.node.stash[_EVIDENCE] = evidence
    token = os.environ.get(_ENV_TOKEN)
    if token:
        with rtmixd_client.join(token) as session:
            present = {buffer.id for buffer in session.buffers()}
            evidence.watch(session)
            yield session
            session.cancel()
            session.wait(until="done", timeout=_VERDICT_SECONDS)
            for buffer in session.buffers():
                if buffer.id not in present:
                    session.open_buffer(buffer.id).delete()
        return
    wait = request.config.getoption("--rtmixd-wait")
    with rtmixd_client.lease(label=_label(request.node.nodeid), wait=wait) as session:
        evidence.watch(session)
        yield session


@dataclass
class _Evidence:
    """What a test did, as far as it can be told."""

    session: Optional[Session] = None
    recordings: list[Recording] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    earlier: set[str] = field(default_factory=set)
    trouble: str = ""

    def watch(self, session: Session) -> None:
        """Begin with a session; what it did before is another's."""
        self.earlier = {action.id for action in session.actions()}
        session.on_recording(self.recordings.append)
        self.session = session

    def collect(self) -> None:
        """End what still runs, wait for the verdicts on xruns, and fetch what was not."""
        if self.session is None:
            return
        actions: list[Action] = []
        # Whatever happens here must not hide why the test failed.
        try:
            self.session.cancel()
            self.session.wait(timeout=_VERDICT_SECONDS)
            actions = [a for a in self.session.actions() if a.id not in self.earlier]
            self.reports = [action.report for action in actions]
            fetched = {recording.report.action_id for recording in self.recordings}
            for action in actions:
                if action.kind == "record" and action.buffer_id and action.id not in fetched:
                    action.recording()
        except Exception as error:
            self.trouble = f"the server could not be asked: {error}"

    @property
    def xruns(self) -> str:
        """What xruns touched; empty if none did."""
        touched = [report for report in self.reports if report.touched == "yes"]
        return "; ".join(_touched_text(report) for report in touched)

    def keep(self, folder: pathlib.Path) -> list[str]:
        """Write recordings, pictures of them and reports; return the names of the files."""
        folder.mkdir(parents=True, exist_ok=True)
        names = []
        for number, recording in enumerate(self.recordings, 1):
            names += _keep_recording(folder, f"recording-{number}", recording)
        reports = [report.to_dict() for report in self.reports]
        (folder / "reports.json").write_text(json.dumps(reports, indent=2) + "\n")
        return [*names, "reports.json"]


_EVIDENCE = pytest.StashKey[_Evidence]()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, None]:
    """Keep what a failed test recorded, and tell whether an xrun touched it."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if call.when != "call" or not report.failed:
        return
    evidence = item.stash.get(_EVIDENCE, None)
    xruns = _xrun_of_error(call)
    if evidence is not None:
        evidence.collect()
        xruns = evidence.xruns or xruns
        lines = [xruns, evidence.trouble]
        if evidence.recordings or evidence.reports:
            folder = _artifact_folder(item)
            try:
                lines.insert(0, f"kept {folder}: {', '.join(evidence.keep(folder))}")
                _add_property(item, report, "rtmixd_artifacts", str(folder))
            except OSError as error:
                lines.insert(0, f"kept nothing: {error}")
        if any(lines):
            report.sections.append(("rtmixd", "\n".join(filter(None, lines))))
    if xruns:
        # Neither passed, failed nor skipped for those who ask.
        report.outcome = _XRUN  # type: ignore[assignment]
        _add_property(item, report, "rtmixd_outcome", _XRUN)
        _add_property(item, report, "rtmixd_xruns", xruns)


def pytest_report_teststatus(
    report: Union[pytest.CollectReport, pytest.TestReport],
) -> Optional[tuple[str, str, tuple[str, dict[str, bool]]]]:
    """Count outcomes of this plugin in categories of their own."""
    outcome: str = report.outcome
    if outcome == _XRUN:
        return _XRUN, "!", ("XRUN", {"yellow": True, "bold": True})
    if outcome == _RERUN:
        return _RERUN, "R", ("RERUN", {"yellow": True})
    return None


@pytest.hookimpl
def pytest_runtest_protocol(item: pytest.Item, nextitem: Optional[pytest.Item]) -> Optional[bool]:
    """Run a test again that an xrun touched, if that was asked for."""
    reruns: int = item.config.getoption("--rtmixd-xrun-reruns")
    if reruns < 1:
        return None
    # As do other plugins that run tests again: there is no public name for it.
    from _pytest.runner import runtestprotocol

    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    properties = list(item.user_properties)
    for attempt in range(1 + reruns):
        item.stash[_ATTEMPT] = attempt
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        again = attempt < reruns and any(report.outcome == _XRUN for report in reports)
        for report in reports:
            if again and report.outcome == _XRUN:
                report.outcome = _RERUN  # type: ignore[assignment]
            if not again or not report.passed:
                item.ihook.pytest_runtest_logreport(report=report)
        if not again:
            break
        item.user_properties[:] = properties
        item.stash[_EVIDENCE] = _Evidence()
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


_ATTEMPT = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """List the tests without a verdict, and why."""
    touched = terminalreporter.stats.get(_XRUN, [])
    if not touched:
        return
    terminalreporter.write_sep("=", "touched by an xrun: no verdict", yellow=True)
    for report in touched:
        if config.option.tbstyle != "no":
            terminalreporter.write_sep("_", report.head_line or report.nodeid, yellow=True)
            report.toterminal(terminalreporter._tw)
            for name, text in report.sections:
                terminalreporter.write_sep("-", name)
                terminalreporter.write_line(text.rstrip("\n"))
    for report in touched:
        properties = dict(report.user_properties)
        terminalreporter.write_line(f"XRUN {report.nodeid} - {properties['rtmixd_xruns']}")


@pytest.hookimpl(hookwrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, None]:
    """Set the exit status, and give these tests their place in the JUnit file."""
    yield
    if hasattr(session.config, "workerinput"):
        # Of pytest-xdist: its controller tells.
        return
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    touched = terminal.stats.get(_XRUN, []) if terminal is not None else []
    if touched and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = EXIT_XRUN
    junit = session.config.getoption("xmlpath", None)
    if touched and junit and os.path.exists(junit):
        _amend_junit(pathlib.Path(junit), touched)


def _amend_junit(path: pathlib.Path, touched: Sequence[pytest.TestReport]) -> None:
    """Make errors of type "rtmixd.xrun" of what pytest writes as neither passed nor failed."""
    texts: dict[str, list[str]] = {}
    for report in touched:
        key = str(dict(report.user_properties)["rtmixd_xruns"])
        texts.setdefault(key, []).append(report.longreprtext)
    tree = ElementTree.parse(path)
    for suite in tree.iter("testsuite"):
        found = 0
        for case in suite.iter("testcase"):
            properties = {p.get("name"): p.get("value") for p in case.iter("property")}
            if properties.get("rtmixd_outcome") != _XRUN:
                continue
            message = properties.get("rtmixd_xruns") or ""
            error = ElementTree.SubElement(case, "error", type="rtmixd.xrun", message=message)
            error.text = texts[message].pop(0) if texts.get(message) else ""
            found += 1
        for count in ("errors", "tests"):
            suite.set(count, str(int(suite.get(count, "0")) + found))
    tree.write(path, encoding="utf-8", xml_declaration=True)


def _named_target(config: pytest.Config) -> Optional[str]:
    return config.getoption("--rtmixd-target") or os.environ.get(_ENV_TARGET)


def _label(nodeid: str) -> str:
    """Return the id of a test as a label; of a long one the end, which tells more."""
    encoded = nodeid.encode()
    if len(encoded) <= _LABEL_BYTES:
        return nodeid
    return "…" + encoded[3 - _LABEL_BYTES :].decode(errors="ignore")


def _artifact_folder(item: pytest.Item) -> pathlib.Path:
    name = re.sub(r"[^\w.=,-]+", "_", item.nodeid).strip("_")[-150:]
    attempt = item.stash.get(_ATTEMPT, 0)
    if attempt:
        name += f"_rerun-{attempt}"
    folder = item.config.rootpath / str(item.config.getoption("--rtmixd-artifacts")) / name
    if folder.is_dir():
        # What an earlier run kept.
        for path in [*folder.glob("recording-*"), *folder.glob("reports.json")]:
            path.unlink()
    return folder


def _keep_recording(folder: pathlib.Path, name: str, recording: Recording) -> list[str]:
    """Write a recording as a sound file and a picture, as far as there are libraries for that."""
    import numpy as np

    try:
        recording.to_file(folder / f"{name}.wav")
        names = [f"{name}.wav", f"{name}.wav.json"]
    except (ImportError, ValueError):
        np.save(folder / f"{name}.npy", recording.samples)
        names = [f"{name}.npy"]
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return names
    from rtmixd.plot import plot_recording

    figure = Figure(figsize=(10, 1.4 + 1.3 * recording.channels), layout="constrained")
    plot_recording(recording, figure=figure)
    figure.savefig(folder / f"{name}.png")
    return [*names, f"{name}.png"]


def _xrun_of_error(call: pytest.CallInfo[None]) -> str:
    """Return what touched a test that says so itself, by an error of `Report.check`."""
    from rtmixd import TouchedByXrun

    if call.excinfo is not None and isinstance(call.excinfo.value, TouchedByXrun):
        return str(call.excinfo.value)
    return ""


def _touched_text(report: Report) -> str:
    frames = ", ".join(str(xrun.frame) for xrun in report.xruns[:4])
    more = " and further ones" if report.xrun_count > 4 else ""
    lost = sum(xrun.lost_frames for xrun in report.xruns)
    name = f"{report.kind} {report.key or report.action_id}"
    return (
        f"{name}: {report.xrun_count} xrun{'s'[: report.xrun_count != 1]} before frame {frames}"
        f"{more}, about {lost} frames lost"
    )


def _add_property(item: pytest.Item, report: pytest.TestReport, name: str, value: str) -> None:
    """Add a property to this report and to those of the same test that follow."""
    report.user_properties.append((name, value))
    item.user_properties.append((name, value))
