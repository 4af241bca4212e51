"""Prints what schedulers get wrong, tried on the original and on ours, as a table.

Run it with tools/scheduling_table.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
from seed_rows import Row, SeedRows

from rtmixd.errors import InvalidArgument
from rtmixd.samples import to_frames


def our_rows(program: pathlib.Path) -> dict[str, Row]:
    """Run our side, whose program is scheduling_rows_json."""
    printed = subprocess.run([program], check=True, stdout=subprocess.PIPE).stdout
    rows: dict[str, Row] = json.loads(printed)
    try:
        to_frames(np.zeros(10, np.int64))
        rows["checks"]["dtype_field"] = ""
    except InvalidArgument as error:
        rows["checks"]["dtype_field"] = error.field
    # Floats of another width are the same sound.
    rows["checks"]["doubles_converted"] = bool(
        np.array_equal(to_frames(np.array([0.5, 0.25])), np.array([[0.5], [0.25]], np.float32))
    )
    return rows


def seed_rows(rows: dict[str, Row]) -> dict[str, Row]:
    """Run the original with what our side's rows were given."""
    seed = SeedRows(rows)
    return {
        "jitter_20_us": seed.starts("jitter_20_us"),
        "jitter_200_us": seed.starts("jitter_200_us"),
        "clock_jump": seed.starts("clock_jump"),
        "joins": seed.joins(),
        "cost": seed.cost(),
        "full": seed.full(),
        "dry": seed.dry(),
        "cancel": {**seed.cancel_ended(), **seed.cancel_unknown()},
        "stopped": seed.stopped(),
        "producers": seed.producers(),
        "checks": seed.checks(),
        "became_late": seed.became_late(),
    }


def _starts(row: Row, asked: int) -> str:
    furthest = int(row["most_frames_off"])
    moved = f"{row['not_on_their_frame']:.0f} of {asked} not on their frame"
    return f"{moved}, by up to {furthest}" if furthest else moved


def _reports(row: Row, asked: int) -> str:
    return f"{row['wrongly_reported']:.0f} of {asked} told another frame than they sounded on"


def _joins(row: Row) -> str:
    return f"{row['silent_samples']:.0f} silent and {row['doubled_samples']:.0f} doubled samples"


def _cost(row: Row) -> str:
    return ", ".join(f"{1e6 * seconds:.2f}" for seconds in row["block_seconds"]) + " us"


def table(ours: dict[str, Row], seed: dict[str, Row]) -> list[tuple[str, str, str]]:
    """Say both sides' rows in words: what was done, what the original did, what ours did."""
    asked = len(ours["jitter_20_us"]["asked_frames"])
    joins = len(ours["joins"]["asked_frames"]) - 1
    pending = ", ".join(f"{count:.0f}" for count in ours["cost"]["pending_actions"])
    full, lost = ours["full"], seed["full"]["lost"]
    dry, seed_dry = ours["dry"], seed["dry"]
    producers, checks = ours["producers"], ours["checks"]

    def said(condition: object, true: str, false: str) -> str:
        return true if condition else false

    return [
        (
            f"{asked} starts, stamps off by +-20 us",
            _starts(seed["jitter_20_us"], asked),
            _starts(ours["jitter_20_us"], asked),
        ),
        (
            "the same, their reports",
            _reports(seed["jitter_20_us"], asked),
            _reports(ours["jitter_20_us"], asked),
        ),
        (
            f"{asked} starts, stamps off by +-200 us",
            _starts(seed["jitter_200_us"], asked),
            _starts(ours["jitter_200_us"], asked),
        ),
        (
            f"{asked} starts, the clock jumps by 1 s in the middle",
            _starts(seed["clock_jump"], asked),
            _starts(ours["clock_jump"], asked),
        ),
        (
            f"{joins} joins back to back, stamps off by +-20 us",
            _joins(seed["joins"]),
            _joins(ours["joins"]),
        ),
        (
            f"cost of a block while {pending} actions wait",
            _cost(seed["cost"]),
            _cost(ours["cost"]),
        ),
        (
            f"{full['asked']:.0f} actions with room for {full['room']:.0f}",
            f"{seed['full']['played']} played, {lost} of their results lost: `wait()` "
            + said(lost, "hangs for ever", "returns"),
            f"{full['admitted']:.0f} admitted, all ended; {full['refused']:.0f} refused by "
            f"RESOURCE_EXHAUSTED; asked for again, {full['ended_after_asking']:.0f} ended",
        ),
        (
            "the sound of a stream comes late by "
            f"{dry['dry_frames']:.0f} frames after its first 100",
            said(
                seed_dry["ended"],
                f"over after {seed_dry['done_frames']} frames, no reason told; "
                f"{seed_dry['left_in_ring']} frames never played",
                "goes on",
            ),
            f"goes on, {dry['done_frames']:.0f} frames played; report: "
            f"{dry['underruns']:.0f} underrun, {dry['gap_frames']:.0f} frames from frame "
            f"{dry['gap_frame']:.0f} on",
        ),
        (
            "cancel of an action that has ended",
            said(
                seed["cancel"]["exit_code"] == -11,
                "reads its freed memory: SIGSEGV where that is unmapped",
                f"exit code {seed['cancel']['exit_code']}",
            ),
            said(
                ours["cancel"]["ended_completed"],
                "answered with its final report: completed, end frame "
                f"{ours['cancel']['ended_end_frame']:.0f}",
                "another answer",
            ),
        ),
        (
            "cancel of an action that never was",
            said(seed["cancel"]["looks_the_same"], "looks like one that worked", "told apart"),
            f"{ours['cancel']['unknown_code']}, {ours['cancel']['unknown_field']}",
        ),
        (
            "wait for an action whose stream ends first",
            said(
                seed["stopped"]["returned"],
                "returns",
                f"waiting after {seed['stopped']['sleeps']} looks, and for ever",
            ),
            said(
                ours["stopped"]["told"] and ours["stopped"]["stream_closed"],
                "told at once: STREAM_CLOSED",
                "not told",
            ),
        ),
        (
            "several threads schedule at once",
            f"2 threads that meet at the queue: {seed['producers']['believed']} actions believed "
            f"queued, {seed['producers']['queued']} is",
            f"{producers['threads']:.0f} threads: {producers['on_their_frame']:.0f} of "
            f"{producers['asked']:.0f} on their frame",
        ),
        (
            "samples of another type",
            said(seed["checks"]["doubles_as_floats"], "played as if they were floats", "refused"),
            said(checks["doubles_converted"], "floats converted", "not converted")
            + f", others refused: {checks['dtype_field']}",
        ),
        (
            "audio that is no whole number of frames",
            said(seed["checks"]["half_a_frame_taken"], "cut", "refused"),
            f"INVALID_ARGUMENT, `{checks['length_field']}`",
        ),
        (
            "a start that is not a number",
            said(seed["checks"]["nan_start_plays_at_once"], "played at once", "refused"),
            f"INVALID_ARGUMENT, `{checks['start_field']}`",
        ),
        (
            "a sample that is not a number",
            said(seed["checks"]["nan_sample_played"], "sent to the device", "refused"),
            f"INVALID_ARGUMENT, `{checks['sample_field']}`",
        ),
        (
            "not to be played late, and became late after it was seen",
            f"{seed['became_late']['heard_frames']} of 100 frames played, "
            f"{seed['became_late']['late_frames']} frames late",
            f"{ours['became_late']['heard_frames']:.0f} of 100 frames played: "
            + said(ours["became_late"]["skipped"], "skipped", "not skipped")
            + f", report: {ours['became_late']['late_frames']:.0f} frames late",
        ),
    ]


def main() -> None:
    """Run both sides and print the table in Markdown."""
    # The original's callback prints as well, to where the table is to stand alone.
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    ours = our_rows(pathlib.Path(sys.argv[1]))
    seed = seed_rows(ours)
    print("| what was done | rtmixer 0.1.7 | rtmixd |")
    print("|---|---|---|")
    for row in table(ours, seed):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
