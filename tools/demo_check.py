#!/usr/bin/python3
"""Compares what the demo sent with what it recorded, and draws both.

    tools/demo_check.py FOLDER NAME...

Reads NAME_sent.wav, NAME_recorded.wav (16 bits, one channel), NAME_report.json and NAME_status.json, writes
waveforms.png, and exits with 1 unless every sample came back at the offset that the reports tell.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402: the backend comes first.
import numpy as np  # noqa: E402


def read_wav(path: pathlib.Path) -> np.ndarray:
    """Returns the samples of a 16-bit WAV file with one channel.

    The wave module of Python 3.11 knows no extensible headers.
    """
    riff = path.read_bytes()
    chunks = {}
    at = 12
    while at + 8 <= len(riff):
        size = int.from_bytes(riff[at + 4 : at + 8], "little")
        chunks[riff[at : at + 4]] = riff[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    channels, bits = (int.from_bytes(chunks[b"fmt "][i : i + 2], "little") for i in (2, 14))
    assert (channels, bits) == (1, 16), path
    return np.frombuffer(chunks[b"data"], dtype="<i2")


def read_frames(folder: pathlib.Path, name: str) -> tuple[int, int, int]:
    """Returns the frames that the play and the recording started on, and the latency of both ways."""
    reports = json.loads((folder / f"{name}_report.json").read_text())["ended"]
    start = {report["key"]: int(report["start_frame"]) for report in reports}
    stream = json.loads((folder / f"{name}_status.json").read_text())["stream"]
    latency = int(stream["input_latency_frames"]) + int(stream["output_latency_frames"])
    return start["play"], start["record"], latency


def main() -> int:
    folder, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
    figure, axes = plt.subplots(2 * len(names), 1, figsize=(10, 3 * len(names)), sharey=True, layout="constrained")
    good = True
    for name, (above, below) in zip(names, axes.reshape(-1, 2)):
        sent = read_wav(folder / f"{name}_sent.wav")
        recorded = read_wav(folder / f"{name}_recorded.wav")
        play_frame, record_frame, latency = read_frames(folder, name)
        # Where the first sample sent has to be in the recording.
        offset = play_frame + latency - record_frame
        came_back = recorded[offset : offset + len(sent)] if offset >= 0 else recorded[:0]
        same = np.array_equal(came_back, sent)
        good &= same
        print(
            f"demo: {name}: played from frame {play_frame}, recorded from frame {record_frame}, {latency} frames of "
            f"latency, so sample 0 is at {offset} of the recording: {len(sent)} samples "
            f"{'are the same, bit for bit' if same else 'are NOT the same'}"
        )
        for axis, what, samples, first in ((above, "sent", sent, play_frame), (below, "recorded", recorded, record_frame)):
            axis.plot(first + np.arange(len(samples)), samples / 32768, linewidth=0.4)
            axis.set_title(f"{name}, {what}: from frame {first}", fontsize=9)
            axis.ticklabel_format(useOffset=False, style="plain")
            axis.set_xlim(play_frame, record_frame + len(recorded))
    axes[-1].set_xlabel("frame of the stream")
    figure.savefig(folder / "waveforms.png", dpi=120)
    print(f"demo: {folder / 'waveforms.png'} shows what was sent over what was recorded")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
