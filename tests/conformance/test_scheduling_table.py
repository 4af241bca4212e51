"""Both sides of the table: what ours holds, and that the original really does what it says.

The program of our side is the one that `RTMIXD_SCHEDULING_ROWS` names.
"""

from __future__ import annotations

import os
import pathlib
import signal
from typing import NamedTuple

import pytest
import scheduling_table
from seed_rows import Row, SeedRows


class Sides(NamedTuple):
    ours: dict[str, Row]
    seed: dict[str, Row]


@pytest.fixture(scope="module")
def sides() -> Sides:
    ours = scheduling_table.our_rows(pathlib.Path(os.environ["RTMIXD_SCHEDULING_ROWS"]))
    return Sides(ours, scheduling_table.seed_rows(ours))


@pytest.mark.parametrize("name", ["jitter_20_us", "jitter_200_us", "clock_jump"])
def test_stamps_move_starts_there_and_none_here(sides: Sides, name: str) -> None:
    assert len(sides.ours[name]["asked_frames"]) == 500
    assert sides.ours[name]["not_on_their_frame"] == 0
    assert sides.ours[name]["wrongly_reported"] == 0
    assert sides.seed[name]["not_on_their_frame"] > 100


def test_exact_stamps_move_no_start_there_either(sides: Sides) -> None:
    """That it is the stamps, and not how they are given, that move starts."""
    row = sides.ours["jitter_20_us"]
    exact = {**row, "stamp_errors_seconds": [0.0] * len(row["stamp_errors_seconds"])}
    assert SeedRows({**sides.ours, "exact": exact}).starts("exact") == {
        "not_on_their_frame": 0,
        "most_frames_off": 0,
        "wrongly_reported": 0,
    }


def test_how_far_starts_move(sides: Sides) -> None:
    # As far as the stamps are off: 20 us are a frame, 200 us are ten.
    assert sides.seed["jitter_20_us"]["most_frames_off"] == 1
    assert 8 <= sides.seed["jitter_200_us"]["most_frames_off"] <= 10
    assert sides.seed["jitter_20_us"]["wrongly_reported"] > 100


def test_joins(sides: Sides) -> None:
    assert len(sides.ours["joins"]["asked_frames"]) == 1000
    assert sides.ours["joins"]["silent_samples"] == sides.ours["joins"]["doubled_samples"] == 0
    assert sides.seed["joins"]["silent_samples"] > 100
    assert sides.seed["joins"]["doubled_samples"] > 100


def test_cost_is_told_for_both(sides: Sides) -> None:
    # Nothing about speed is asserted, which is the machine's.
    pending = len(sides.ours["cost"]["pending_actions"])
    assert len(sides.ours["cost"]["block_seconds"]) == pending
    assert len(sides.seed["cost"]["block_seconds"]) == pending


def test_more_actions_than_results(sides: Sides) -> None:
    ours = sides.ours["full"]
    assert (ours["admitted"], ours["refused"]) == (16, 24)
    assert (ours["ended"], ours["ended_after_asking"]) == (16, 40)
    assert sides.seed["full"] == {"played": 40, "lost": 24}


def test_a_stream_that_runs_dry(sides: Sides) -> None:
    ours = sides.ours["dry"]
    assert ours["done_frames"] == 300
    assert (ours["gap_frame"], ours["gap_frames"]) == (ours["dry_from_frame"], ours["dry_frames"])
    assert sides.seed["dry"] == {
        "done_frames": 100,
        "ended": True,
        "heard_later": 0,
        "left_in_ring": 200,
    }


def test_cancels(sides: Sides) -> None:
    ours = sides.ours["cancel"]
    assert ours["ended_completed"] == 1
    assert ours["unknown_code"] == "NOT_FOUND"
    assert sides.seed["cancel"]["exit_code"] == -signal.SIGSEGV
    assert sides.seed["cancel"]["looks_the_same"]


def test_waiting_for_a_stream_that_ends(sides: Sides) -> None:
    assert sides.ours["stopped"] == {"told": 1, "stream_closed": 1}
    assert not sides.seed["stopped"]["returned"]


def test_several_producers(sides: Sides) -> None:
    ours = sides.ours["producers"]
    assert ours["asked"] == ours["admitted"] == ours["on_their_frame"] == 400
    assert sides.seed["producers"] == {"asked": 2, "believed": 2, "queued": 1}


def test_checks(sides: Sides) -> None:
    ours = sides.ours["checks"]
    assert ours["doubles_converted"]
    assert ours["dtype_field"] == "sound"
    assert ours["length_field"] == ours["sample_field"] == "actions[0].play.inline_audio.data"
    assert ours["start_field"] == "actions[0].start.stream_time_seconds"
    assert all(sides.seed["checks"].values())


def test_what_becomes_late(sides: Sides) -> None:
    ours = sides.ours["became_late"]
    assert (ours["skipped"], ours["heard_frames"]) == (1, 0)
    assert ours["late_frames"] > 0
    assert sides.seed["became_late"]["heard_frames"] == 100
    assert sides.seed["became_late"]["late_frames"] > 0


def test_the_table_has_every_row_for_both(sides: Sides) -> None:
    rows = scheduling_table.table(*sides)
    assert len(rows) == 17
    assert all(all(cell for cell in row) for row in rows)
