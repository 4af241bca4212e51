#!/usr/bin/env python3
"""Show what the stream is, and count what happens to it for a while.

stats.py --seconds 10
"""

import argparse
import sys

import rtmixd


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long; default: 2")
    args = parser.parse_args()

    with rtmixd.Client(args.target) as client, client.session(label="stats") as session:
        stream = client.stream()
        print(stream)
        frames = round(args.seconds * stream.sample_rate_hz)
        # Both are taken by the server, at their frames: the network adds nothing to the length.
        batch = session.schedule(
            [rtmixd.Stats(reset=True), rtmixd.Stats(start=rtmixd.after(frames))]
        )
        stats = batch.wait()[1].stats
    counted = stats.until_frame - stats.since_frame
    blocks = stats.blocks
    print(f"frames {stats.since_frame} to {stats.until_frame}: {counted} frames")
    print(f"{blocks.blocks} blocks of {blocks.min_frames} to {blocks.max_frames} frames")
    print(f"{stats.xruns} xruns, about {stats.lost_frames} frames lost")
    print(f"input: {blocks.input_underflows} underflows, {blocks.input_overflows} overflows")
    print(f"output: {blocks.output_underflows} underflows, {blocks.output_overflows} overflows")
    print(f"clipped samples of each output: {list(stats.clipped_samples)}")
    print(f"load of the audio thread: {100 * stats.cpu_load:.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
