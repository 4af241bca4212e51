#!/usr/bin/env python3
"""Measure the delay from an output to an input through a cable, and align with it from now on.

measure_latency.py --output 1 --input 1 --store --picture response.png
"""

import argparse
import sys

import matplotlib.pyplot as plt

import rtmixd


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--output", type=int, default=1)
    parser.add_argument("--input", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--store", action="store_true", help="keep it on the server")
    parser.add_argument("--picture", help="draw the impulse response there")
    args = parser.parse_args()

    with rtmixd.Client(args.target) as client, client.session(label="measure_latency") as session:
        measurement = session.measure_latency(args.output, args.input, repeats=args.repeats)
        try:
            measurement.check()
        except rtmixd.NoAnswer as error:
            print(error)
            return 1
        print(measurement)
        print(f"the host claims {measurement.claimed_frames} frames of it")
        if args.store:
            calibration = session.set_calibration(measurement)
            print(
                f"{calibration.id}: recordings are aligned {calibration.used_frames} frames later"
            )
    if args.picture:
        measurement.plot()
        plt.savefig(args.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
