#!/usr/bin/env python3
"""Play beeps at even times, record them, and measure how even they are.

timed_beeps.py --count 8 --interval 0.25
"""

import argparse
import sys

import numpy as np

import rtmixd


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--output", type=int, default=1)
    parser.add_argument("--input", type=int, default=1)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--interval", type=float, default=0.25, help="seconds; default: 0.25")
    args = parser.parse_args()

    with rtmixd.Client(args.target) as client, client.session(label="timed_beeps") as session:
        rate_hz = client.stream().sample_rate_hz
        # 20 ms of 2 kHz whose loudness falls: no beep looks like itself moved by a period.
        t = np.arange(round(0.02 * rate_hz)) / rate_hz
        beep = 0.5 * np.sin(2 * np.pi * 2000 * t) * (1 - t / 0.02)
        starts = [round(i * args.interval * rate_hz) for i in range(args.count)]
        # One batch, one round trip: all starts count from the same frame.
        batch = session.schedule(
            [
                rtmixd.Record(starts[-1] + round(0.1 * rate_hz), inputs=[args.input], key="take"),
                *(
                    rtmixd.Play(beep, outputs=[args.output], start=rtmixd.after(start))
                    for start in starts
                ),
            ],
            align=True,
        )
        reports = batch.wait()
        recording = batch[0].recording()

    heard = np.array([find(recording.samples[:, 0], beep, start) for start in starts])
    off = heard - starts
    for start, at in zip(starts, heard):
        print(f"asked for frame {recording.start_frame + start}, heard {at - start:+d} frames away")
    print(f"jitter: {np.ptp(off)} frames from the earliest to the latest, rms {np.std(off):.3f}")
    return 0 if all(report.ok for report in reports) else 1


def find(samples: np.ndarray, beep: np.ndarray, near: int, slack: int = 2000) -> int:
    """Return where in `samples` the beep is, at most `slack` frames from `near`."""
    first = max(0, near - slack)
    window = samples[first : near + slack + len(beep)]
    return first + int(np.argmax(np.correlate(window, beep, mode="valid")))


if __name__ == "__main__":
    sys.exit(main())
