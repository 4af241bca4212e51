#!/usr/bin/env python3
"""Let two clients play at once, on the same frame, though neither knows of the other's connection.

All that they share is a number: the frame of the stream on which to begin.

    two_clients.py --outputs 1 2
"""

import argparse
import contextlib
import sys
import threading

import numpy as np

import rtmixd


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--outputs", type=int, nargs=2, default=[1, 2])
    parser.add_argument("--lead", type=float, default=0.5, help="seconds for the orders to arrive")
    args = parser.parse_args()

    with contextlib.ExitStack() as stack:
        sessions = []
        for label in ["listener", *(f"player {output}" for output in args.outputs)]:
            client = stack.enter_context(rtmixd.Client(args.target))
            sessions.append(stack.enter_context(client.session(label=label)))
        listener, *players = sessions
        rate_hz = client.stream().sample_rate_hz
        frame = client.clock().next_frame + round(args.lead * rate_hz)
        threads = [
            threading.Thread(target=play, args=(player, output, frame, rate_hz))
            for player, output in zip(players, args.outputs)
        ]
        for thread in threads:
            thread.start()
        recording_of_both = listener.schedule(
            [rtmixd.Record(round(0.5 * rate_hz), inputs=args.outputs)],
            origin=rtmixd.at_frame(frame),
            align=True,
        )
        for thread in threads:
            thread.join()
        recording_of_both.wait()
        recording = recording_of_both[0].recording()
    # Where each of them is first louder than silence.
    first = [int(np.argmax(np.abs(recording.samples[:, i]) > 0.01)) for i in range(2)]
    print(f"heard from frames {first[0]} and {first[1]} of the recording on")
    return 0 if first[0] == first[1] else 1


def play(session: rtmixd.Session, output: int, frame: int, rate_hz: float) -> None:
    """Play a tone that begins loud."""
    t = np.arange(round(0.3 * rate_hz)) / rate_hz
    tone = 0.4 * np.cos(2 * np.pi * 440 * output * t)
    report = session.play(tone, outputs=[output], start=rtmixd.at_frame(frame))
    print(f"player {output}: {report}")


if __name__ == "__main__":
    sys.exit(main())
