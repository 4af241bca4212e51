"""What a benchmark found: measuring in turn, rows, the table, and their JSON."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

#: Between these lines of a document stands the table of the last run.
BEGIN_MARK = "<!-- tools/bench: begin -->"
END_MARK = "<!-- tools/bench: end -->"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A median, and the tenth and ninetieth percentile."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Figure:
        """Return the figure of what was measured."""
        ordered = sorted(values)
        last = len(ordered) - 1
        return cls(
            statistics.median(ordered), ordered[round(0.1 * last)], ordered[round(0.9 * last)]
        )

    @classmethod
    def exact(cls, value: float) -> Figure:
        """Return the figure of what does not vary, such as a count."""
        return cls(value, value, value)


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    case, variant : str
        What was measured; the variant may be empty.
    unit : str
        Of `ours` and `rival`.
    ours, rival : Figure
        The rival is None where the goal is a number.
    rival_name : str
        Who or what the rival is.
    ratio : float
        As the goal has it: ours to the rival, or the other way round; None without a rival.
    goal : str
        In words: "at least 12 times faster".
    met : bool
        None where there is no goal.
    """

    case: str
    variant: str
    unit: str
    ours: Figure
    goal: str = ""
    met: bool | None = None
    rival_name: str = ""
    rival: Figure | None = None
    ratio: float | None = None


def interleave(
    contenders: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """Measure A B A B ..., so that whatever the machine does meets all contenders alike.

    Parameters
    ----------
    contenders : dict
        Each call measures once and returns the figure. All are called once before, uncounted.
    rounds : int
        How often each is measured.

    Returns
    -------
    dict
        `rounds` values of each contender, in order: those of one round belong together.
    """
    for measure in contenders.values():
        measure()
    values: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            values[name].append(measure())
    return values


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the median of the ratios of the rounds."""
    return statistics.median(a / b for a, b in zip(numerators, denominators))


def _number(value: float) -> str:
    if value == 0 or 1000 <= abs(value) < 1e15:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def _figure(figure: Figure | None, unit: str) -> str:
    if figure is None:
        return "-"
    text = f"{_number(figure.median)} {unit}".rstrip()
    if figure.low != figure.high:
        text += f" ({_number(figure.low)}-{_number(figure.high)})"
    return text


def _cells(row: Row) -> list[str]:
    rival = _figure(row.rival, row.unit)
    if row.rival_name:
        rival = f"{row.rival_name}: {rival}" if row.rival else row.rival_name
    return [
        f"{row.case}, {row.variant}" if row.variant else row.case,
        _figure(row.ours, row.unit),
        rival,
        "-" if row.ratio is None else f"{row.ratio:.3g}",
        row.goal or "-",
        "-" if row.met is None else "yes" if row.met else "NO",
    ]


HEADER = ["case", "ours", "rival", "ratio", "goal", "met"]


def render(rows: Sequence[Row]) -> str:
    """Return the table, in Markdown that can be read as it is."""
    lines = [HEADER, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]

    def line_of(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |\n"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|\n"
    return line_of(HEADER) + rule + "".join(line_of(line) for line in lines[1:])


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def _cpu_model() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def cache_bytes() -> dict[str, int]:
    """Return the sizes of the processor's data caches, by name."""
    keys = {"L1": "LEVEL1_DCACHE_SIZE", "L2": "LEVEL2_CACHE_SIZE", "L3": "LEVEL3_CACHE_SIZE"}
    return {name: int(_output("getconf", key) or 0) for name, key in keys.items()}


def machine() -> dict[str, Any]:
    """Describe the machine, and the versions that matter."""
    memory_kib = next(
        (
            int(line.split()[1])
            for line in _read("/proc/meminfo").splitlines()
            if "MemTotal" in line
        ),
        0,
    )
    versions = {"python": platform.python_version()}
    for package in ("rtmixer", "numpy", "grpcio", "protobuf"):
        versions[package] = metadata.version(package)
    for package in ("g++", "libgrpc++1.51"):
        versions[package] = _output("dpkg-query", "-W", "-f", "${Version}", package)
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "cache_bytes": cache_bytes(),
        "memory_gib": round(memory_kib / 2**20, 1),
        "kernel": platform.release(),
        "huge_pages": _read("/sys/kernel/mm/transparent_hugepage/enabled").strip(),
        "versions": versions,
        "revision": _output("git", "rev-parse", "HEAD"),
    }


def describe(machine_found: Mapping[str, Any], date: str) -> str:
    """Say in a line where and when it was measured."""
    found = machine_found
    return (
        f"{found['cpu']}, {found['cores']} cores, {found['memory_gib']} GiB, "
        f"Linux {found['kernel']}; {date}"
    )


def now() -> str:
    """Return the date, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def write_json(
    path: Path, rows: Sequence[Row], machine_found: Mapping[str, Any], date: str
) -> None:
    """Write the rows, and where and when they were measured."""
    found = {
        "date": date,
        "machine": machine_found,
        "rows": [dataclasses.asdict(row) for row in rows],
    }
    # numpy's numbers are not those of Python.
    text = json.dumps(found, indent=1, default=lambda number: number.item())
    path.write_text(text + "\n", encoding="utf-8")


def write_markdown(path: Path, rows: Sequence[Row], heading: str) -> None:
    """Put the table into a document, between its two marks, in place of the one before."""
    text = path.read_text(encoding="utf-8")
    begin, end = text.find(BEGIN_MARK), text.find(END_MARK)
    if begin < 0 or end < begin:
        raise ValueError(f"{path} has no lines {BEGIN_MARK} and {END_MARK}")
    table = f"{BEGIN_MARK}\n\n{heading}\n\n{render(rows)}\n"
    path.write_text(text[:begin] + table + text[end:], encoding="utf-8")
