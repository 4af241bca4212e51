#!/usr/bin/env python3
"""Show the levels of all inputs and outputs as they are now.

live_meter.py --seconds 10
live_meter.py --window
"""

import argparse
import contextlib
import math
import sys

import rtmixd


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--interval", type=float, default=0.1, help="seconds; default: 0.1")
    parser.add_argument("--seconds", type=float, help="how long; default: until Ctrl-C")
    parser.add_argument("--window", action="store_true", help="draw with matplotlib")
    args = parser.parse_args()

    with rtmixd.Client(args.target) as client:
        if args.window:
            from rtmixd.plot import show_levels

            show_levels(client, interval=args.interval, seconds=args.seconds)
            return 0
        left = math.inf if args.seconds is None else round(args.seconds / args.interval)
        for levels in client.meters(interval=args.interval):
            show(levels)
            left -= 1
            if left <= 0:
                break
    return 0


def show(levels: rtmixd.Levels) -> None:
    """Print a line for each channel; on a terminal the next ones take their place."""
    lines = [
        f"{side:>6} {number}  {bar(level.rms)}  peak {decibels(level.peak):6.1f} dB"
        + ("  CLIPPED" if level.clipped_samples else "")
        for side, channels in (("input", levels.inputs), ("output", levels.outputs))
        for number, level in enumerate(channels, 1)
    ]
    back = f"\033[{len(lines)}F" if sys.stdout.isatty() and show.called else ""
    show.called = True
    print(back + "\n".join(lines), flush=True)


show.called = False


def bar(level: float, width: int = 40) -> str:
    """Return a bar that is full at full scale and empty at -60 dB."""
    filled = max(0, round(width * (1 + decibels(level) / 60)))
    return "#" * filled + "." * (width - filled)


def decibels(level: float) -> float:
    return 20 * math.log10(max(level, 1e-6))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
