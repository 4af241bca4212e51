"""Runs a program for rtmixer, unchanged: ``python -m rtmixd.rtmixer program.py [ARGUMENT ...]``."""

from __future__ import annotations

import argparse
import os
import runpy
import sys

from rtmixd import rtmixer, sounddevice


def main() -> None:
    """Run the program of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m rtmixd.rtmixer",
        description="Runs a program for rtmixer on the sound device of an rtmixd server.",
    )
    parser.add_argument(
        "--target", help="HOST[:PORT] of the server; default: RTMIXD_TARGET, or this host"
    )
    parser.add_argument(
        "--exclusive", action="store_true", help="have the server alone, with the stream asked for"
    )
    parser.add_argument("-m", dest="module", action="store_true", help="PROGRAM is a module's name")
    parser.add_argument("program", metavar="PROGRAM")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.target:
        rtmixer.default.target = options.target
    rtmixer.default.exclusive = options.exclusive
    sys.modules["rtmixer"] = rtmixer
    sys.modules["sounddevice"] = sounddevice
    sys.argv = [options.program, *options.arguments]
    if options.module:
        runpy.run_module(options.program, run_name="__main__", alter_sys=True)
        return
    if not os.path.exists(options.program):
        parser.error(f"can't open file {options.program!r}")
    # As if Python had been started with it.
    sys.path[0] = os.path.dirname(os.path.abspath(options.program))
    runpy.run_path(options.program, run_name="__main__")


if __name__ == "__main__":
    main()
