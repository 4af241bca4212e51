"""The actions of a batch."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Optional, Union, overload

from rtmixd import specs
from rtmixd.aio.action import Action
from rtmixd.v1 import action_pb2

if TYPE_CHECKING:
    from rtmixd.aio.session import Session

_KINDS = {
    specs.Play: action_pb2.ACTION_KIND_PLAY,
    specs.Record: action_pb2.ACTION_KIND_RECORD,
    specs.Cancel: action_pb2.ACTION_KIND_CANCEL,
    specs.Stats: action_pb2.ACTION_KIND_STATS,
    specs.Change: action_pb2.ACTION_KIND_CHANGE,
}


class Members(Sequence[Action]):
    """The actions of a batch, each made when it is first asked for.

    Exists because a batch may have thousands, of which most programs look at few: making all takes
    as long as scheduling them.

    Threading: any thread may ask for actions, while the loop's delivers reports.

    Parameters
    ----------
    session
        Of the actions.
    response
        What the server answered.
    wanted
        What was asked for, in the same order.
    """

    def __init__(
        self,
        session: Session,
        response: action_pb2.ScheduleActionsResponse,
        wanted: Sequence[specs.Spec],
    ) -> None:
        self._session = session
        self._response = response
        self._spec_types = [type(spec) for spec in wanted]
        # Not the sounds themselves, which may be long.
        self._played_ids = [
            specs.id_of(spec.sound) if isinstance(spec, specs.Play) else None for spec in wanted
        ]
        self.ids = [scheduled.action_id for scheduled in response.actions]
        self._lock = threading.Lock()
        self._made: dict[int, Action] = {}
        # The latest report of those that are not made.
        self._told: dict[int, action_pb2.ActionReport] = {}
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Action: ...

    @overload
    def __getitem__(self, place: slice) -> list[Action]: ...

    def __getitem__(self, place: Union[int, slice]) -> Union[Action, list[Action]]:
        """Return an action, or some."""
        places = range(len(self.ids))[place]
        if isinstance(places, range):
            return [self._get(one) for one in places]
        return self._get(places)

    def __iter__(self) -> Iterator[Action]:
        return (self._get(place) for place in range(len(self)))

    def find_key(self, key: str) -> Action:
        """Return the action with this key; KeyError if there is none."""
        for place, scheduled in enumerate(self._response.actions):
            if scheduled.key == key:
                return self._get(place)
        raise KeyError(key)

    def find(self, action_id: str) -> Action:
        """Return the action with this id, which is one of `ids`."""
        return self._get(self._place(action_id))

    def adopt(self, action: Action) -> None:
        """Take in an action of these that was listed before the batch was known."""
        with self._lock:
            action._members = self
            self._made[self._place(action.id)] = action

    def made(self) -> list[Action]:
        """Return the actions that somebody asked for."""
        with self._lock:
            return list(self._made.values())

    def running_ids(self) -> list[str]:
        """Return the ids of those that have not ended, as far as was told."""
        with self._lock:
            return [
                action_id for place, action_id in enumerate(self.ids) if not self._has_ended(place)
            ]

    def deliver(self, report: action_pb2.ActionReport) -> None:
        """Take in the report of an action, whose id is one of `ids`."""
        place = self._place(report.action_id)
        with self._lock:
            action = self._made.get(place)
            if action is None:
                self._told[place] = report
        if action is not None:
            action._tell(report)

    def _get(self, place: int) -> Action:
        with self._lock:
            action = self._made.get(place)
            if action is None:
                told = self._told.pop(place, None)
                action = Action(self._session, told or self._first_report(place))
                # Reports come for as long as somebody has one of them.
                action._members = self
                self._made[place] = action
            return action

    def _place(self, action_id: str) -> int:
        if not self._places:
            self._places = {one: place for place, one in enumerate(self.ids)}
        return self._places[action_id]

    def _has_ended(self, place: int) -> bool:
        action = self._made.get(place)
        if action is not None:
            return action.ended
        told = self._told.get(place)
        return told is not None and told.state == action_pb2.ACTION_STATE_ENDED

    def _first_report(self, place: int) -> action_pb2.ActionReport:
        """Return what is known of an action before the server tells of it."""
        scheduled = self._response.actions[place]
        start: Optional[int] = None
        if scheduled.HasField("start_frame"):
            start = scheduled.start_frame
        return action_pb2.ActionReport(
            action_id=scheduled.action_id,
            key=scheduled.key,
            batch_id=self._response.batch_id,
            kind=_kind_of(self._spec_types[place]),
            state=action_pb2.ACTION_STATE_PENDING,
            stream_id=self._response.stream_id,
            requested_start_frame=start,
            buffer_id=scheduled.buffer_id or self._played_ids[place] or "",
        )


def _kind_of(spec: type[specs.Spec]) -> action_pb2.ActionKind:
    return next(_KINDS[known] for known in _KINDS if issubclass(spec, known))
