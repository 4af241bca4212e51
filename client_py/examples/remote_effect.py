#!/usr/bin/env python3
"""Process the sound of a device far away: a ring modulator between an input and an output.

A tone of 440 Hz is played into it, so that there is something to hear; what comes out of a ring
modulator at 100 Hz is 340 Hz and 540 Hz. Cables as in delay_line.py.

    remote_effect.py --modulate 100
"""

import argparse
import sys

import numpy as np

import rtmixd


class RingModulator:
    """Multiplies what it hears with a tone that goes on from call to call."""

    def __init__(self, frequency_hz: float, rate_hz: float) -> None:
        self._step = 2 * np.pi * frequency_hz / rate_hz
        self._frames = 0

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        frames = self._frames + np.arange(len(samples))
        self._frames += len(samples)
        return samples * np.sin(self._step * frames)[:, np.newaxis]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", help="HOST[:PORT]; default: RTMIXD_TARGET, otherwise this host")
    parser.add_argument("--tone", type=int, default=1, help="output of the tone; default: 1")
    parser.add_argument("--input", type=int, default=1)
    parser.add_argument("--output", type=int, default=2)
    parser.add_argument("--modulate", type=float, default=100.0, help="Hz; default: 100")
    parser.add_argument("--delay", type=float, default=0.3, help="seconds; default: 0.3")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long; default: 2")
    args = parser.parse_args()

    with rtmixd.Client(args.target) as client, client.session(label="remote_effect") as session:
        rate_hz = client.stream().sample_rate_hz
        frames = round(args.seconds * rate_hz)
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(frames) / rate_hz)
        watched = session.schedule(
            [rtmixd.Play(tone, outputs=[args.tone]), rtmixd.Record(frames, inputs=[args.output])]
        )
        with session.open_duplex(
            1,
            inputs=[args.input],
            outputs=[args.output],
            frames=frames,
            underrun="keep_timeline",
        ) as effect:
            effect.process(
                RingModulator(args.modulate, rate_hz), delay_frames=round(args.delay * rate_hz)
            )
        watched.wait()
        recording = watched[1].recording()

    samples = recording.samples[len(recording) // 2 :, 0]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    spectrum[spectrum < np.max(spectrum) / 10] = 0
    peaks = np.flatnonzero((spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] >= spectrum[2:])) + 1
    print("what came out:", ", ".join(f"{k * rate_hz / len(samples):.0f} Hz" for k in peaks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
