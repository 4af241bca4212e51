#!/usr/bin/env python3
"""Play sounds one after the other without a gap, stand still in between, end with a fade.

playlist.py --outputs 1              a melody whose last note loops
playlist.py --outputs 1 2 a.wav b.wav
"""

import argparse
import sys

import numpy as np

import rtmixd
from rtmixd.files import read_sound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="sound files; default: a melody")
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--outputs", type=int, nargs="+", default=[1])
    parser.add_argument("--hold", type=float, default=1.0, help="seconds of the last; default: 1")
    args = parser.parse_args()

    with rtmixd.Client(args.target) as client, client.session(label="playlist") as session:
        rate_hz = client.stream().sample_rate_hz
        sounds = read(args.files, rate_hz) if args.files else melody(rate_hz)
        # Each starts on the frame on which the one before ends, whatever ends that. The last one
        # goes round and round, and fades out at its end.
        plays = rtmixd.playlist(
            [
                *sounds[:-1],
                rtmixd.Play(
                    sounds[-1],
                    outputs=args.outputs,
                    loop=True,
                    max_frames=round(args.hold * rate_hz),
                    fade_out=rtmixd.Fade(round(args.hold * rate_hz / 2), "equal_power"),
                ),
            ],
            outputs=args.outputs,
        )
        start = client.clock().next_frame + round(0.5 * rate_hz)
        batch = session.schedule(plays, rtmixd.at_frame(start))

        # All stand still on one frame, and go on where they were.
        stopped = session.pause(frame=start + round(0.3 * rate_hz))
        resumed = session.resume(frame=start + round(0.5 * rate_hz))
        print(f"all stand still from frame {stopped} to frame {resumed}")
        reports = batch.wait()
    for report in reports:
        print(report)
    gaps = [after.start_frame - before.end_frame for before, after in zip(reports, reports[1:])]
    print(f"frames between them: {', '.join(map(str, gaps)) or 'none'}")
    return 0 if all(report.ok for report in reports) and not any(gaps) else 1


def read(files: list[str], rate_hz: float) -> list[np.ndarray]:
    """Read sound files that have the rate of the stream."""
    sounds = []
    for file in files:
        sound, own_rate_hz = read_sound(file)
        if own_rate_hz != rate_hz:
            # The server does not resample: libraries for that are better at it.
            sys.exit(f"{file} has {own_rate_hz:g} Hz, the stream {rate_hz:g} Hz")
        sounds.append(sound)
    return sounds


def melody(rate_hz: float) -> list[np.ndarray]:
    """Make notes of whole periods, so that they join, and loop, without a click."""
    notes = []
    for frequency_hz in (262, 330, 392, 523):
        period = round(rate_hz / frequency_hz)
        t = np.arange(period * 60) / period
        notes.append(0.3 * np.sin(2 * np.pi * t))
    return notes


if __name__ == "__main__":
    sys.exit(main())
