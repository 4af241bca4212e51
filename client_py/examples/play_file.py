#!/usr/bin/env python3
"""Play a sound file, and say what happened.

play_file.py front_center.wav --outputs 1
"""

import argparse
import sys

import rtmixd
from rtmixd.files import read_sound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="WAV, FLAC, Ogg ...")
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--outputs", type=int, nargs="+", help="one for each channel of the file")
    parser.add_argument("--gain", type=float, default=1.0, help="factor; default: 1")
    args = parser.parse_args()

    sound, rate_hz = read_sound(args.file)
    with rtmixd.Client(args.target) as client, client.session(label="play_file") as session:
        stream_rate_hz = client.stream().sample_rate_hz
        if rate_hz != stream_rate_hz:
            # The server does not resample: libraries for that are better at it.
            sys.exit(f"{args.file} has {rate_hz:g} Hz, the stream {stream_rate_hz:g} Hz")
        report = session.play(sound, outputs=args.outputs, gain=args.gain)
    print(report)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
