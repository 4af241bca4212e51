"""Plots of how cost grows: with voices, waiting actions, channels, length of sounds, clients."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import mix_probe
from bench_context import Bench
from bench_processes import ListeningProcess, bare_server, run_streams, server
from bench_table import Figure, cache_bytes, interleave
from cases import life, mixing, streams

mpl.use("svg")
from matplotlib import pyplot

TARGETS = (*mixing.TARGETS, *streams.TARGETS)
BLOCK_FRAMES = 64
ROUNDS = 25
CLIENT_ROUNDS = 3
CLIENT_SECONDS = 3.0


@dataclasses.dataclass(frozen=True)
class Curve:
    """One line of a plot."""

    name: str
    x: Sequence[float]
    y: Sequence[Figure]


def _draw(
    path: Path, curves: Sequence[Curve], x_label: str, y_label: str, marks: Mapping[str, float]
) -> None:
    """Draw curves with their spread, and marks on the axis below, on two logarithmic scales."""
    style = {"svg.fonttype": "none", "svg.hashsalt": "rtmixd", "font.size": 9}
    with mpl.rc_context(style):
        figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
        for curve in curves:
            middle = [figure.median for figure in curve.y]
            (line,) = axes.plot(curve.x, middle, "o-", markersize=3, linewidth=1, label=curve.name)
            axes.fill_between(
                curve.x,
                [figure.low for figure in curve.y],
                [figure.high for figure in curve.y],
                color=line.get_color(),
                alpha=0.15,
                linewidth=0,
            )
        for name, x in marks.items():
            axes.axvline(x, color="grey", linewidth=0.6, linestyle=":")
            axes.annotate(name, (x, 1), xycoords=("data", "axes fraction"), fontsize=7, va="top")
        axes.set_xscale("symlog" if curves[0].x[0] == 0 else "log")
        axes.set_yscale("log")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(which="major", linewidth=0.3)
        axes.legend(frameon=False, fontsize=8)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _measure(
    bench: Bench, runs: Mapping[str, Callable[[int], float]], scale: float
) -> dict[str, Figure]:
    chunks = {name: mixing.chunk(run, 1) for name, run in runs.items()}
    values = interleave(chunks, bench.rounds(ROUNDS))
    return {name: Figure.of(v * scale for v in found) for name, found in values.items()}


def _curves(xs: Sequence[float], found: Sequence[Mapping[str, Figure]]) -> list[Curve]:
    names = list(found[0])
    return [Curve(name, xs, [figures[name] for figures in found]) for name in names]


def _against_setups(
    bench: Bench, setups: Sequence[mixing.Setup], xs: Sequence[float]
) -> list[Curve]:
    """Measure a block of each setup, in the cache and from memory, ours and the original's."""
    library = mix_probe.load(bench.bin)
    found = []
    for setup in setups:
        runs: dict[str, Callable[[int], float]] = {}
        ours = []
        for where, shared in (("in the cache", True), ("from main memory", False)):
            frames = mixing.SHORT_SOUND_FRAMES if shared else mixing.memory_frames(setup)
            mixer = mixing.our_mixer(library, setup, frames, shared)
            ours.append(mixer)
            runs[f"ours, {where}"] = mixer.run
            runs[f"rtmixer, {where}"] = mixing.rival_mixer(library, setup, frames, shared).run
        found.append(_measure(bench, runs, 1e-3))
        for mixer in ours:
            mixer.close()
    return _curves(xs, found)


def _voices(bench: Bench, path: Path) -> None:
    counts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]
    setups = [mixing.stereo(count, BLOCK_FRAMES) for count in counts]
    curves = _against_setups(bench, setups, counts)
    _draw(path, curves, "stereo voices", f"us for a block of {BLOCK_FRAMES} frames", {})


def _channels(bench: Bench, path: Path) -> None:
    counts = [2, 4, 8, 16, 32, 64, 128, 256]
    setups = [mixing.channels(count, 16) for count in counts]
    curves = _against_setups(bench, setups, counts)
    _draw(
        path, curves, "channels, of 16 voices and of the device", "us for a block of 64 frames", {}
    )


def _pending(bench: Bench, path: Path) -> None:
    library = mix_probe.load(bench.bin)
    counts = [0, 10, 100, 1000, 10_000, 100_000, 1_000_000]
    found = []
    for count in counts:
        ours = mix_probe.OurMixer(library, 2, BLOCK_FRAMES, count + 1)
        sound = ours.add_sound(2, mixing.SHORT_SOUND_FRAMES)
        ours.add_voice(sound, (1, 2), 0)
        ours.submit()
        ours.add_pending(sound, (1, 2), count)
        rival = mix_probe.RivalMixer(library, 2, BLOCK_FRAMES)
        samples = mix_probe.floats(2 * mixing.SHORT_SOUND_FRAMES)
        rival.add_actions([(samples, 0)], [(1, 2)])
        rival.add_pending(samples, count)
        found.append(_measure(bench, {"ours": ours.run, "rtmixer": rival.run}, 1e-3))
        ours.close()
    _draw(
        path,
        _curves(counts, found),
        "actions that wait, beside one stereo voice that sounds",
        f"us for a block of {BLOCK_FRAMES} frames",
        {},
    )


def _lengths(bench: Bench, path: Path) -> None:
    library = mix_probe.load(bench.bin)
    voices = 64
    lengths = [1 << power for power in range(11, 21)]
    setup = mixing.stereo(voices, BLOCK_FRAMES)
    found = []
    for frames in lengths:
        ours = mixing.our_mixer(library, setup, frames, shared=False)
        rival = mixing.rival_mixer(library, setup, frames, shared=False)
        runs = {"ours": ours.run, "rtmixer": rival.run}
        found.append(_measure(bench, runs, 1 / setup.samples))
        ours.close()
    bytes_per_frame = 2 * 4 * voices
    caches = cache_bytes()
    marks = {f"all in {name}": size / bytes_per_frame for name, size in caches.items()}
    _draw(
        path,
        _curves(lengths, found),
        f"frames of each of {voices} stereo sounds",
        mixing.UNIT,
        {name: x for name, x in marks.items() if lengths[0] <= x <= lengths[-1]},
    )


def _clients(bench: Bench, path: Path) -> None:
    counts = life.CLIENTS

    # A process for each: sessions outlive their clients.
    def cost(kind: str, server_of_kind: Callable[[], ListeningProcess]) -> float:
        with server_of_kind() as to:
            run = run_streams(
                bench,
                kind,
                to,
                count,
                CLIENT_SECONDS,
                life.CLIENT_CHUNK_MS,
                life.CLIENT_RING_MS,
            )
        return float(run["server_cores"]) * 100

    runs = {
        "ours": lambda: cost(
            "play", lambda: server(bench, "--block-frames", str(life.CLIENT_BLOCK_FRAMES))
        ),
        "bare gRPC, which sends the chunks back": lambda: cost("bare", lambda: bare_server(bench)),
    }
    found = []
    for count in counts:
        values: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(bench.rounds(CLIENT_ROUNDS)):
            for name, run in runs.items():
                try:
                    values[name].append(run())
                except subprocess.CalledProcessError as error:
                    print(f"bench: {count} clients, {name}: {error}", file=sys.stderr)
        if not all(values.values()):
            break
        found.append({name: Figure.of(each) for name, each in values.items()})
    _draw(
        path,
        _curves(counts[: len(found)], found),
        f"clients, each a connection and a play stream in chunks of {life.CLIENT_CHUNK_MS} ms",
        "processor time, % of a core",
        {},
    )


def draw_all(bench: Bench, folder: Path) -> None:
    """Measure and draw every plot into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _voices(bench, folder / "growth_voices.svg")
    _pending(bench, folder / "growth_pending.svg")
    _channels(bench, folder / "growth_channels.svg")
    _lengths(bench, folder / "growth_lengths.svg")
    _clients(bench, folder / "growth_clients.svg")
