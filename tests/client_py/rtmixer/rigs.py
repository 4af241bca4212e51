"""What the programs run on: the real rtmixer on a JACK server, or ours on an rtmixd server."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

SAMPLE_RATE_HZ = 48000
# How much later what is played is recorded, by the times of both.
LOOP_FRAMES = 480
# Seconds there and back, and the part of the packets that get lost.
_DISTANCES = {
    "near": (0.0, 0.0),
    "20ms": (0.02, 0.0),
    "50ms_lossy": (0.05, 0.01),
    "400ms": (0.4, 0.0),
}
# So that nothing is left behind when the tests themselves are killed. A program, since code of ours
# in the child would run what gRPC does in forked processes first, which aborts now and then.
_WITH_PARENT = ["setpriv", "--pdeathsig", "TERM", "--"]
HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass
class Rig:
    """What a program is given."""

    name: str
    rtmixer: Any
    sd: Any
    # Seconds from here to the device and back.
    round_trip: float
    # What is played comes back at the inputs, on the frame that the report says, without losses. On
    # JACK's dummy driver with the real rtmixer neither is so when the machine is busy.
    exact: bool
    # Where the server listens, far away if it is; empty for the real rtmixer.
    target: str = ""
    # Where it really does.
    near_target: str = ""
    # What makes it look far away.
    link: subprocess.Popen[str] | None = None

    @contextlib.contextmanager
    def cut_off(self) -> Iterator[None]:
        """Let nothing arrive, and nothing be told, for a while."""
        assert self.link is not None
        self.link.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.link.send_signal(signal.SIGCONT)

    @property
    def lead(self) -> float:
        """Seconds that a start has to be ordered ahead, to be sure that it is in time."""
        return 0.2 + 10 * self.round_trip

    def elapsed(self, earlier: float, later: float) -> float:
        """Give the seconds between two times of a stream.

        JACK counts frames in 32 bits, and the time of one that has just begun may be before 0.
        """
        frames = (later - earlier) * SAMPLE_RATE_HZ
        if not self.exact:
            frames = (frames + (1 << 31)) % (1 << 32) - (1 << 31)
        return frames / SAMPLE_RATE_HZ

    def open(self, kind: str, **settings: Any) -> Any:
        """Make a Mixer, a Recorder or a MixerAndRecorder on the device with the loop."""
        return getattr(self.rtmixer, kind)(
            **{"device": "loopback", "channels": 2, "samplerate": SAMPLE_RATE_HZ, **settings}
        )


@contextlib.contextmanager
def child(command: list[str], **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a process that ends with its standard input, or is made to."""
    process = subprocess.Popen(
        [*_WITH_PARENT, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **settings,
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def first_line(process: subprocess.Popen[str]) -> str:
    """Read what a process says first."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, f"{process.args} said nothing"
    return line


@contextlib.contextmanager
def jack_server() -> Iterator[None]:
    """Run a JACK server of our own with a loopback device; PortAudio sees no other meanwhile."""
    name = f"rtmixd_py_{os.getpid()}"
    os.environ["JACK_DEFAULT_SERVER"] = name
    os.environ["JACK_NO_START_SERVER"] = "1"
    os.environ["JACK_NO_AUDIO_RESERVATION"] = "1"
    command = ["jackd", "-r", "-n", name, "-L", "2"]
    command += ["-d", "dummy", "-r", str(SAMPLE_RATE_HZ), "-p", "256"]
    with child(command, stderr=subprocess.DEVNULL):
        wait = ["jack_wait", "-s", name, "-w", "-t", "20"]
        subprocess.run(wait, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield


@contextlib.contextmanager
def rtmixd_process(*flags: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a server on the virtual device, and give its target and its process."""
    program = os.environ.get("RTMIXD_SERVER")
    assert program, "RTMIXD_SERVER must name the server program"
    command = [program, "--listen", "127.0.0.1:0", "--device", "virtual"]
    command += ["--virtual-inputs", "2", "--virtual-outputs", "2"]
    for channel in (1, 2):
        command += ["--loopback", f"{channel}>{channel}:delay={LOOP_FRAMES}"]
    with child([*command, *flags], stderr=subprocess.DEVNULL) as process:
        line = first_line(process)
        assert line.startswith("listening on "), line
        yield line[len("listening on ") :], process


@contextlib.contextmanager
def rtmixd_server(*flags: str) -> Iterator[str]:
    """Run a server on the virtual device, and give its target."""
    with rtmixd_process(*flags) as (target, _):
        yield target


@contextlib.contextmanager
def far_away(
    target: str, round_trip: float, loss: float = 0.0
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Give another target for a server, from which it looks far away, and what does so."""
    one_way = str(round_trip / 2)
    if loss:
        command = [sys.executable, str(HERE / "lossy_link.py"), target, one_way, str(loss)]
    else:
        command = [sys.executable, str(HERE / "slow_proxy.py"), target, one_way]
    with child(command) as process:
        yield f"127.0.0.1:{first_line(process)}", process


@contextlib.contextmanager
def open_rig(name: str) -> Iterator[Rig]:
    """Set one of the rigs up."""
    if name == "original":
        with jack_server():
            # PortAudio finds the server of the moment at which this is imported first.
            sd = importlib.import_module("sounddevice")
            yield Rig(name, importlib.import_module("rtmixer"), sd, 0.0, exact=False)
            sd._terminate()  # PortAudio does not like to outlive its server
        return
    round_trip, loss = _DISTANCES[name]
    rtmixer = importlib.import_module("rtmixd.rtmixer")
    sd = importlib.import_module("rtmixd.sounddevice")
    with contextlib.ExitStack() as stack:
        near_target = target = stack.enter_context(rtmixd_server())
        link = None
        if round_trip:
            target, link = stack.enter_context(far_away(target, round_trip, loss))
        rtmixer.default.target = target
        try:
            yield Rig(name, rtmixer, sd, round_trip, True, target, near_target, link)
        finally:
            rtmixer.default.target = None
