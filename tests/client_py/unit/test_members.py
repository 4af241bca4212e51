"""The actions of a batch, made when they are asked for."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from rtmixd import shaping, specs
from rtmixd.aio._members import Members
from rtmixd.aio._watch import Watch
from rtmixd.aio.action import Action
from rtmixd.v1 import action_pb2


class Session:
    """As much of one as actions need."""

    def _rate_of(self, stream_id: str) -> float:
        return 48000.0


class Held:
    id = "b-7"


def members(count: int = 3) -> Members:
    response = action_pb2.ScheduleActionsResponse(
        batch_id="batch",
        stream_id="s-1",
        actions=[
            action_pb2.ScheduledAction(action_id=f"a-{i}", key=f"k{i}", start_frame=10 * i)
            for i in range(count)
        ],
    )
    change = specs.Change("k0", shaping.Pause())
    kinds = [specs.Play(Held()), specs.Record(), specs.Stats(), change, specs.Cancel("k0")]
    session: Any = Session()
    return Members(session, response, [kinds[i % 5] for i in range(count)])


def report(action_id: str, state: str) -> action_pb2.ActionReport:
    return action_pb2.ActionReport(
        action_id=action_id, state=action_pb2.ActionState.Value(f"ACTION_STATE_{state}")
    )


def watch() -> Watch:
    connection: Any = None
    return Watch(connection, "", 0.0)


def test_actions_begin_as_they_were_scheduled() -> None:
    batch = members()
    assert len(batch) == 3
    assert [action.id for action in batch] == ["a-0", "a-1", "a-2"]
    assert [action.kind for action in batch] == ["play", "record", "stats"]
    more = members(5)
    assert [action.kind for action in more[3:]] == ["change", "cancel"]
    assert batch[0].buffer_id == "b-7"
    first = batch[1].report
    assert (first.key, first.batch_id, first.stream_id) == ("k1", "batch", "s-1")
    assert (first.state, first.requested_start_frame) == ("pending", 10)


def test_action_is_the_same_whichever_way_it_is_asked_for() -> None:
    batch = members()
    assert batch[1] is batch[-2] is batch.find_key("k1") is batch.find("a-1") is list(batch)[1]
    assert batch[1:] == [batch[1], batch[2]]
    with pytest.raises(IndexError):
        batch[3]
    with pytest.raises(KeyError):
        batch.find_key("other")


def test_report_counts_whether_it_comes_before_or_after_its_action_was_made() -> None:
    batch = members()
    early, late = batch[0], 1
    batch.deliver(report("a-0", "ENDED"))
    batch.deliver(report("a-1", "DONE"))
    assert early.ended
    assert batch[late].done
    assert not batch[late].ended
    batch.deliver(report("a-1", "ENDED"))
    assert batch[late].ended
    assert batch.running_ids() == ["a-2"]


def test_watch_feeds_actions_of_a_batch_and_what_came_before_its_answer() -> None:
    feeder = watch()
    with feeder.expecting():
        feeder.deliver(report("a-2", "DONE"))
        batch = members()
        feeder.add_batch(batch)
    assert batch[2].done
    feeder.deliver(report("a-0", "ACTIVE"))
    assert batch[0].report.state == "active"
    assert feeder.find("a-1") is batch[1]


def test_one_action_keeps_its_batch_fed() -> None:
    feeder = watch()
    batch = members()
    feeder.add_batch(batch)
    kept = batch[1]
    del batch
    gc.collect()
    feeder.deliver(report("a-1", "ENDED"))
    assert kept.ended


def test_batch_that_nobody_holds_is_forgotten() -> None:
    feeder = watch()
    batch = members()
    feeder.add_batch(batch)
    del batch
    gc.collect()
    assert feeder.find("a-1") is None
    assert feeder._batches == {}


def test_action_that_was_listed_before_its_batch_was_known_is_fed_and_stays_the_same() -> None:
    feeder = watch()
    with feeder.expecting():
        session: Any = Session()
        listed = Action(session, report("a-1", "ACTIVE"))
        feeder.add(listed)
        batch = members()
        feeder.add_batch(batch)
    assert feeder.find("a-1") is batch[1] is listed
    feeder.deliver(report("a-1", "ENDED"))
    assert listed.ended


def test_what_was_told_before_an_action_was_listed_counts() -> None:
    feeder = watch()
    with feeder.expecting():
        feeder.deliver(report("a-1", "DONE"))
        session: Any = Session()
        listed = Action(session, report("a-1", "ACTIVE"))
        feeder.add(listed)
        assert listed.done


def test_what_was_told_of_unknown_actions_is_not_kept_for_ever() -> None:
    feeder = watch()
    feeder.deliver(report("a-1", "DONE"))
    with feeder.expecting():
        feeder.deliver(report("a-2", "DONE"))
    assert feeder._strays == {}
