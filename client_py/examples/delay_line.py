#!/usr/bin/env python3
"""Play an input again on an output, later: a delay line whose memory is in this process.

The network may be late by up to the delay; what comes even later is silent, and the rest stays in
its place. A click through it shows how long it really is: it is played on CLICK, comes in at INPUT
through the cable, and goes out on OUTPUT, which another cable leads to the input of its number.

    delay_line.py --delay 0.3
"""

import argparse
import sys

import numpy as np

import rtmixd


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--click", type=int, default=1, help="output of the click; default: 1")
    parser.add_argument("--input", type=int, default=1)
    parser.add_argument("--output", type=int, default=2)
    parser.add_argument("--delay", type=float, default=0.3, help="seconds; default: 0.3")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long; default: 2")
    args = parser.parse_args()

    with rtmixd.Client(args.target) as client, client.session(label="delay_line") as session:
        stream = client.stream()
        frames = round(args.seconds * stream.sample_rate_hz)
        delay_frames = round(args.delay * stream.sample_rate_hz)
        watched = session.schedule(
            [
                rtmixd.Record(frames, inputs=[args.input, args.output]),
                rtmixd.Play([0.5], outputs=[args.click], start=rtmixd.after(frames // 3)),
            ]
        )
        with session.open_duplex(
            1,
            inputs=[args.input],
            outputs=[args.output],
            frames=frames,
            underrun="keep_timeline",
        ) as line:
            line.process(lambda samples: samples, delay_frames=delay_frames)
            underruns = line.underruns
        watched.wait()
        recording = watched[0].recording()

    came, went = (int(np.argmax(np.abs(recording.samples[:, i]))) for i in range(2))
    latency = stream.input_latency_frames + stream.output_latency_frames
    print(f"the click came in at {came} and again at {went}: {went - came} frames later")
    print(f"that is {delay_frames} of delay and {latency} of the device; {underruns} underruns")
    return 0 if went - came == delay_frames + latency else 1


if __name__ == "__main__":
    sys.exit(main())
