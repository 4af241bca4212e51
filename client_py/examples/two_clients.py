#!/usr/bin/env python3
"""Let two clients play at once, on the same frame, though neither knows of the other's connection.

All that they share is a number: the frame of the stream on which to begin.

    two_clients.py --outputs 1 2
"""

import argparse
import sys
import threading

import numpy as np

import rtmixd

LEAD_SECONDS = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--outputs", type=int, nargs=2, default=[1, 2])
    args = parser.parse_args()

    with rtmixd.Client(args.target) as listener, listener.session(label="listener") as session:
        rate_hz = listener.stream().sample_rate_hz
        frame = listener.clock().next_frame + round(LEAD_SECONDS * rate_hz)
        recording_of_both = session.schedule(
            [rtmixd.Record(round(0.5 * rate_hz), inputs=args.outputs)],
            origin=rtmixd.at_frame(frame),
            align=True,
        )
        players = [
            threading.Thread(target=play, args=(args.target, output, frame, 440.0 * output))
            for output in args.outputs
        ]
        for player in players:
            player.start()
        for player in players:
            player.join()
        recording_of_both.wait()
        recording = recording_of_both[0].recording()
    # Where each of them is first louder than silence.
    first = [int(np.argmax(np.abs(recording.samples[:, i]) > 0.01)) for i in range(2)]
    print(f"heard from frames {first[0]} and {first[1]} of the recording on")
    return 0 if first[0] == first[1] else 1


def play(target: str, output: int, frame: int, frequency_hz: float) -> None:
    """Play a tone that begins loud, with a client of its own."""
    with rtmixd.Client(target) as client, client.session(label=f"player {output}") as session:
        rate_hz = client.stream().sample_rate_hz
        t = np.arange(round(0.3 * rate_hz)) / rate_hz
        tone = 0.4 * np.cos(2 * np.pi * frequency_hz * t)
        report = session.play(tone, outputs=[output], start=rtmixd.at_frame(frame))
        print(f"player {output}: {report}")


if __name__ == "__main__":
    sys.exit(main())
