#!/usr/bin/env python3
"""Play a chirp, record what comes back, and draw it with its start, xruns and gaps.

record_and_plot.py --picture response.png --file response.wav
"""

import argparse
import sys

import matplotlib.pyplot as plt
import numpy as np

import rtmixd


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--output", type=int, default=1)
    parser.add_argument("--inputs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--picture", help="write it there; default: open a window")
    parser.add_argument("--file", help="write the recording there, too, and its report beside it")
    args = parser.parse_args()

    with rtmixd.Client(args.target) as client, client.session(label="record_and_plot") as session:
        rate_hz = client.stream().sample_rate_hz
        t = np.arange(round(args.seconds * rate_hz)) / rate_hz
        # From 50 Hz to 5 kHz, its frequency growing evenly.
        chirp = 0.5 * np.sin(2 * np.pi * (50 + (5000 - 50) / (2 * args.seconds) * t) * t)
        recording, report = session.playrec(
            chirp, outputs=[args.output], inputs=args.inputs, tail=0.1
        )
    print(recording)
    if args.file:
        recording.to_file(args.file)
    recording.plot(title="Response to a chirp")
    if args.picture:
        plt.savefig(args.picture)
    else:
        plt.show()
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
