"""Follows the reports of a session's actions."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Optional

from google.protobuf import duration_pb2

from rtmixd import _methods, errors
from rtmixd.aio._connection import SILENCE_SECONDS, Connection
from rtmixd.v1 import action_pb2

if TYPE_CHECKING:
    from rtmixd.aio._members import Members
    from rtmixd.aio.action import Action

__all__ = ["Watch"]

_PAUSE_SECONDS = 0.1
_IDS_PER_CALL = 1000


class Watch:
    """One stream per session that feeds every action's report, however many are waited for."""

    def __init__(self, connection: Connection, token: str, patience: float) -> None:
        self._connection = connection
        self._token = token
        self._patience = max(SILENCE_SECONDS, patience)
        self._actions: weakref.WeakValueDictionary[str, Action] = weakref.WeakValueDictionary()
        # By the ids of their actions.
        self._batches: dict[str, weakref.ref[Members]] = {}
        # What was told of actions that nobody knows, while answers that name some.
        self._strays: dict[str, action_pb2.ActionReport] = {}
        self._expecting = 0
        self._task: Optional[asyncio.Task[None]] = None
        self._failure: Optional[errors.RtmixdError] = None

    def start(self) -> None:
        """Follow, unless it does already."""
        if self._task is None or self._task.done():
            self._failure = None
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Follow no more; who waits is told."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.fail(errors.Cancelled("the session was closed", code="cancelled"))

    def find(self, action_id: str) -> Optional[Action]:
        """Return an action that is known here."""
        members = self._members(action_id)
        return self._actions.get(action_id) if members is None else members.find(action_id)

    @contextlib.contextmanager
    def expecting(self) -> Iterator[None]:
        """Keep what is told of unknown actions while a call is under way whose answer names some.

        What is told may overtake that answer, and is told once.
        """
        self._expecting += 1
        try:
            yield
        finally:
            self._expecting -= 1
            if not self._expecting:
                self._strays.clear()

    def add_batch(self, members: Members) -> None:
        """Feed these actions, too; those that were told of before stay the same objects."""
        ids = members.ids
        batch = weakref.ref(members, lambda _: self._forget(ids))
        self._batches.update(dict.fromkeys(ids, batch))
        for action in list(self._actions.values()):
            if self._batches.get(action.id) is batch:
                self._actions.pop(action.id, None)
                members.adopt(action)
        for action_id in [one for one in self._strays if one in self._batches]:
            self.deliver(self._strays.pop(action_id))

    def add(self, action: Action) -> None:
        """Feed this action, too."""
        self._actions[action.id] = action
        told = self._strays.pop(action.id, None)
        if told is not None:
            action._tell(told)

    def deliver(self, report: action_pb2.ActionReport) -> None:
        """Take in a report, wherever it comes from."""
        members = self._members(report.action_id)
        action = self._actions.get(report.action_id)
        if members is not None:
            members.deliver(report)
        elif action is not None:
            action._tell(report)
        elif self._expecting:
            self._strays[report.action_id] = report

    def fail(self, error: errors.RtmixdError) -> None:
        """Tell everybody who waits that nothing more will come."""
        self._failure = error
        for action in self._known():
            action._fail(error)

    def _members(self, action_id: str) -> Optional[Members]:
        batch = self._batches.get(action_id)
        return None if batch is None else batch()

    def _alive(self) -> list[Members]:
        """Return the batches of which somebody holds a part."""
        batches = {id(batch): batch for batch in list(self._batches.values())}
        found = [batch() for batch in batches.values()]
        return [members for members in found if members is not None]

    def _known(self) -> list[Action]:
        """Return the actions that somebody may wait for."""
        known = list(self._actions.values())
        for members in self._alive():
            known += members.made()
        return known

    def _forget(self, ids: list[str]) -> None:
        # Called by whatever thread let the last of them go.
        for action_id in ids:
            self._batches.pop(action_id, None)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._patience
        while True:
            try:
                fresh = True
                request = action_pb2.WatchActionsRequest(include_present=True)
                stream = self._connection.stream(_methods.WATCH_ACTIONS, request, token=self._token)
                async for response in stream:
                    give_up = loop.time() + self._patience
                    for report in response.reports:
                        self.deliver(report)
                    if fresh:
                        # Those that ended while nobody listened are not among the present ones.
                        fresh = False
                        await self._ask_for_missed(
                            {report.action_id for report in response.reports}
                        )
            except errors.Disconnected as error:
                if loop.time() + _PAUSE_SECONDS >= give_up:
                    self.fail(error)
                    return
                await asyncio.sleep(_PAUSE_SECONDS)
            except errors.RtmixdError as error:
                self.fail(error)
                return
            except Exception as error:
                # Nobody is to wait for ever for what is wrong here.
                self.fail(errors.InternalError(f"reports are not followed any more: {error!r}"))
                raise

    async def _ask_for_missed(self, present: set[str]) -> None:
        running = [action.id for action in list(self._actions.values()) if not action.ended]
        for members in self._alive():
            running += members.running_ids()
        ids = [action_id for action_id in running if action_id not in present]
        for begin in range(0, len(ids), _IDS_PER_CALL):
            some = ids[begin : begin + _IDS_PER_CALL]
            try:
                response = await self._connection.call(
                    _methods.WAIT_ACTIONS,
                    action_pb2.WaitActionsRequest(
                        action_ids=some, timeout=duration_pb2.Duration(), until_done=True
                    ),
                    token=self._token,
                    retry=True,
                )
                for report in response.ended:
                    self.deliver(report)
            except errors.NotFound:
                for action_id in some:
                    await self._ask_for(action_id)

    async def _ask_for(self, action_id: str) -> None:
        request = action_pb2.GetActionRequest(action_id=action_id)
        try:
            response = await self._connection.call(
                _methods.GET_ACTION, request, token=self._token, retry=True
            )
            self.deliver(response.report)
        except errors.NotFound as error:
            action = self.find(action_id)
            if action is not None:
                action._fail(error)
