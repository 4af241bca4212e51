"""What a session changes while it sounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Optional, Union

from rtmixd import _methods, specs
from rtmixd._arguments import several, whole_or_none
from rtmixd.aio import _convert
from rtmixd.aio._connection import CALL_SECONDS
from rtmixd.shaping import AnyChange, Fade, Gain, Pause, Resume
from rtmixd.v1 import action_pb2, session_pb2, stream_pb2

if TYPE_CHECKING:
    from rtmixd.aio.action import Action

__all__ = ["SessionChanges"]


class SessionChanges:
    """The part of `Session` that changes what plays."""

    async def change(
        self,
        change: AnyChange,
        actions: Optional[Iterable[Action]] = None,
        frame: Optional[int] = None,
    ) -> int:
        """Change actions that play, at one frame for all of them.

        One that has ended by then stays as it is.

        Parameters
        ----------
        change : Gain, Pause, Resume or LeaveLoop
            What changes.
        actions : iterable of Action, optional
            Which: plays and play streams. By default all of the session that are not done.
        frame : int, optional
            From which frame of the stream on; one that has passed means the next block of each. By
            default one of the next few blocks that can be kept for all of them.

        Returns
        -------
        int
            From which frame on.

        Raises
        ------
        InvalidArgument
            One neither plays nor is to play, or something else cannot be; nothing is done then.
        NotFound
            One never was, or was forgotten; nothing is done then.
        LimitExceeded
            Too many changes of one wait; nothing is done then.
        """
        chosen = (
            None
            if actions is None
            else specs.required_action_ids(several(actions, "actions", "actions"))
        )
        request = action_pb2.ChangeActionsRequest(
            action_ids=chosen or (), all=chosen is None, frame=whole_or_none(frame, "frame")
        )
        _convert.fill_change(request, change)
        # A fade that is asked for again begins again.
        fades = isinstance(change, Gain) and change.fade is not None
        response = await self._call(_methods.CHANGE_ACTIONS, request, retry=not fades)
        for report in response.reports:
            self._adopt(report)
        return int(response.frame)

    async def pause(
        self, actions: Optional[Iterable[Action]] = None, frame: Optional[int] = None
    ) -> int:
        """Let actions that play stand still: they are silent, and their positions do not move.

        Parameters
        ----------
        actions, frame
            As for `change`.

        Returns
        -------
        int
            From which frame on.

        Raises
        ------
        RtmixdError
            As for `change`.
        """
        return await self.change(Pause(), actions, frame)

    async def resume(
        self, actions: Optional[Iterable[Action]] = None, frame: Optional[int] = None
    ) -> int:
        """Let actions that stood still go on where they were.

        Parameters
        ----------
        actions, frame
            As for `change`.

        Returns
        -------
        int
            From which frame on.

        Raises
        ------
        RtmixdError
            As for `change`.
        """
        return await self.change(Resume(), actions, frame)

    async def set_gain(
        self,
        gain: float,
        fade: Union[Fade, int, None] = None,
        frame: Optional[int] = None,
    ) -> Optional[int]:
        """Change the gain that all plays of the session have in common, those to come included.

        It is 1 at first. The gain of each play is multiplied with it.

        Parameters
        ----------
        gain : float
            Linear factor to be reached; finite.
        fade : Fade or int, optional
            How; by default at once. A number of frames is a linear fade.
        frame : int, optional
            From which frame of the stream on; one that has passed means the next block. By default
            one of the next few blocks that can be kept for all plays.

        Returns
        -------
        int or None
            From which frame on; None if no stream is open: then it changed at once. Another event
            ``"gain_changed"`` tells if it comes later, as may one that is asked for on short
            notice.

        Raises
        ------
        InvalidArgument
            Something cannot be; `field` says what.
        LimitExceeded
            16 changes are under way.
        """
        request = session_pb2.SetSessionGainRequest(
            gain=_convert.gain_change(gain, fade), frame=whole_or_none(frame, "frame")
        )
        response = await self._call(_methods.SET_SESSION_GAIN, request, retry=fade is None)
        return int(response.frame) if response.HasField("frame") else None

    async def set_master_gain(
        self,
        gain: float,
        fade: Union[Fade, int, None] = None,
        frame: Optional[int] = None,
    ) -> int:
        """Change what everything that sounds on the server is multiplied with before it is clipped.

        It is 1 when the server starts, and outlives the stream. A `Client.lease` puts it back when
        it ends.

        Parameters
        ----------
        gain : float
            Linear factor to be reached; finite.
        fade : Fade or int, optional
            How; by default at once. A number of frames is a linear fade.
        frame : int, optional
            From which frame of the stream on; one that has passed means the next block. By default
            one of the next few blocks.

        Returns
        -------
        int
            From which frame on; an event tells as for `set_gain` if it comes later.

        Raises
        ------
        Busy
            Another session holds the server.
        NoStream
            No stream is open.
        LimitExceeded
            16 changes are under way.
        """
        request = stream_pb2.SetMasterGainRequest(
            gain=_convert.gain_change(gain, fade), frame=whole_or_none(frame, "frame")
        )
        response = await self._call(_methods.SET_MASTER_GAIN, request, retry=fade is None)
        return int(response.frame)

    async def _call(
        self, method: Any, request: Any, *, timeout: float = CALL_SECONDS, retry: bool = False
    ) -> Any:
        raise NotImplementedError

    def _adopt(self, report: action_pb2.ActionReport) -> Action:
        raise NotImplementedError
