"""What a stream needs of its session."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Literal, Optional

from rtmixd import _methods
from rtmixd._methods import Method
from rtmixd.aio._connection import CALL_SECONDS, Connection
from rtmixd.v1 import action_pb2, common_pb2

Kind = Literal["play", "record", "duplex"]

_METHODS: dict[Kind, Method[Any, Any]] = {
    "play": _methods.PLAY,
    "record": _methods.RECORD,
    "duplex": _methods.DUPLEX,
}
# One of the calls that wait.
_WAIT_SECONDS = 20.0
# A cancel at the end is worth no longer wait.
_CANCEL_SECONDS = 1.0


class StreamHost:
    """A session, as its streams see it.

    Parameters
    ----------
    connection
        The server.
    token
        Of the session.
    ttl
        Seconds that the session outlives its connection.
    """

    def __init__(self, connection: Connection, token: str, ttl: float) -> None:
        self.ttl = ttl
        self._connection = connection
        self._token = token

    def start_call(self, kind: Kind) -> Any:
        """Start a call, a `grpc.aio.StreamStreamCall`."""
        return self._connection.start(_METHODS[kind], token=self._token)

    def renew_connection(self) -> None:
        """Connect anew for later calls: the present connection failed."""
        self._connection.renew()

    async def get_report(self, action_id: str) -> action_pb2.ActionReport:
        """Ask for the report of an action."""
        response = await self._connection.call(
            _methods.GET_ACTION,
            action_pb2.GetActionRequest(action_id=action_id),
            token=self._token,
            retry=True,
        )
        return response.report

    async def wait_report(
        self, action_id: str, timeout: Optional[float], until_done: bool
    ) -> Optional[action_pb2.ActionReport]:
        """Wait for the final report of an action, or until it is done; None after the timeout."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while True:
            left = _WAIT_SECONDS if deadline is None else max(0.0, deadline - loop.time())
            request = action_pb2.WaitActionsRequest(action_ids=[action_id], until_done=until_done)
            request.timeout.FromTimedelta(timedelta(seconds=min(left, _WAIT_SECONDS)))
            response = await self._connection.call(
                _methods.WAIT_ACTIONS,
                request,
                token=self._token,
                timeout=_WAIT_SECONDS + CALL_SECONDS,
                retry=True,
            )
            if response.ended:
                report: action_pb2.ActionReport = response.ended[0]
                return report
            if left <= _WAIT_SECONDS and deadline is not None:
                return None

    async def change_actions(self, request: action_pb2.ChangeActionsRequest) -> int:
        """Change actions; return from which frame on."""
        response = await self._connection.call(_methods.CHANGE_ACTIONS, request, token=self._token)
        return int(response.frame)

    async def cancel_actions(
        self,
        action_ids: list[str],
        frame: Optional[int] = None,
        fade: Optional[common_pb2.Fade] = None,
        timeout: float = _CANCEL_SECONDS,
    ) -> None:
        """Cancel actions, by default at once."""
        await self._connection.call(
            _methods.CANCEL_ACTIONS,
            action_pb2.CancelActionsRequest(action_ids=action_ids, frame=frame, fade=fade),
            token=self._token,
            timeout=timeout,
        )
