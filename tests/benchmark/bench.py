"""Measures rtmixd beside its rivals, side by side in one run, and prints a table.

Run it as tools/bench, which makes the environment. What is not built is built, with --config=opt;
without it for --short, which shows nothing but that all works, and then needs no other build.
Contenders take turns, and only figures of one run are compared; a figure is a median, with the
tenth and the ninetieth percentile behind it. docs/performance.md explains each case.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import traceback
from pathlib import Path

import bench_table
from bench_context import Bench, MissingPeerError
from cases import calls, latency, life, memory, mixer_costs, mixing, streams, worst_block

#: What can be measured: a module for each group of cases. Each has TARGETS, the Bazel targets that
#: it needs, and CASES, by name: functions that take a Bench and yield rows.
GROUPS = (mixing, mixer_costs, worst_block, calls, streams, latency, memory, life)

ROOT = Path(__file__).resolve().parents[2]


def _build(targets: list[str], *, short: bool) -> Path:
    """Build them as they are released, or for a `short` run as tests are; return their folder."""
    config = [] if short else ["--config=opt"]

    def bazel(*arguments: str) -> str:
        command = ["bash", "-c", 'source tools/env.sh && bazel_run "$@"', "bench", *arguments]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()

    print("bench: building", file=sys.stderr, flush=True)
    bazel("build", *config, "--ui_event_filters=-info", *targets)
    return Path(bazel("info", *config, "bazel-bin"))


def main() -> int:
    """Run the cases; 1 if one broke, 2 if something is missing."""
    parser = argparse.ArgumentParser(
        prog="tools/bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cases = {name: case for group in GROUPS for name, case in group.CASES.items()}
    parser.add_argument("cases", nargs="*", metavar="CASE", help="by default all; see --list")
    parser.add_argument("--list", action="store_true", help="say which cases there are")
    parser.add_argument(
        "--short", action="store_true", help="few repetitions: shows that it works, not how fast"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument(
        "--plots", type=Path, metavar="DIR", help="draw how cost grows, instead of any case"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="put the table between the marks of FILE"
    )
    arguments = parser.parse_args()
    if arguments.list:
        for name, case in cases.items():
            print(f"{name:16} {(case.__doc__ or '').splitlines()[0]}")
        return 0
    if arguments.plots:
        # Imported only here: no case needs matplotlib.
        import growth

        bench = Bench(
            bin=_build(list(growth.TARGETS), short=arguments.short),
            root=ROOT,
            short=arguments.short,
        )
        growth.draw_all(bench, arguments.plots)
        return 0
    wanted = arguments.cases or list(cases)
    unknown = [name for name in wanted if name not in cases]
    if unknown:
        parser.error(f"no case {unknown[0]!r}; --list says which there are")

    targets = {
        target
        for group in GROUPS
        if any(name in group.CASES for name in wanted)
        for target in group.TARGETS
    }
    bench = Bench(
        bin=_build(sorted(targets), short=arguments.short), root=ROOT, short=arguments.short
    )
    date = bench_table.now()
    found = bench_table.machine()
    rows: list[bench_table.Row] = []
    broken: list[str] = []
    for name in wanted:
        begin = time.monotonic()
        try:
            for row in cases[name](bench):
                rows.append(row)
                print(bench_table.render([row]).splitlines()[-1], file=sys.stderr, flush=True)
        except MissingPeerError as error:
            print(f"bench: {name}: {error}", file=sys.stderr)
            return 2
        except Exception:
            traceback.print_exc()
            broken.append(name)
        print(f"bench: {name} took {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)

    heading = bench_table.describe(found, date)
    print(heading, end="\n\n")
    print(bench_table.render(rows))
    if arguments.json:
        bench_table.write_json(arguments.json, rows, found, date)
    if arguments.markdown:
        bench_table.write_markdown(arguments.markdown, rows, heading)
    missed = sum(row.met is False for row in rows)
    print(f"{len(rows)} rows, {missed} goals missed, {len(broken)} cases broken {broken or ''}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
