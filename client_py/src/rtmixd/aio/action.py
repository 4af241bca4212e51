"""Something that was scheduled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, Optional, Union

from rtmixd import _methods, errors
from rtmixd._arguments import waiting
from rtmixd.aio._tasks import both
from rtmixd.batch_report import BatchReport
from rtmixd.recording import Recording
from rtmixd.report import ActionKind, Report
from rtmixd.shaping import Fade, Gain, LeaveLoop, Pause, Resume
from rtmixd.v1 import action_pb2

if TYPE_CHECKING:
    from rtmixd.aio._members import Members
    from rtmixd.aio.session import Session

__all__ = ["Action", "Batch", "Until"]

#: What to wait for: all audio done, or a final report, which comes 0.75 to 2.25 s later.
Until = Literal["ended", "done"]

_DONE_STATES = (action_pb2.ACTION_STATE_DONE, action_pb2.ACTION_STATE_ENDED)


class Action:
    """An action of a session. Made by `Session.schedule` and `Session.actions`.

    The server tells as it starts, is done and has ended: `report` is the latest that was told, and
    reading it asks nobody.
    """

    def __init__(self, session: Session, report: action_pb2.ActionReport) -> None:
        self._session = session
        self._told = report
        self._report: Optional[Report] = None
        self._waiting: list[tuple[asyncio.Future[None], Until]] = []
        # The batch that it came in, if it was made here.
        self._members: Optional[Members] = None

    @property
    def id(self) -> str:
        """Its id."""
        return str(self._told.action_id)

    @property
    def key(self) -> str:
        """As its maker chose."""
        return str(self._told.key)

    @property
    def kind(self) -> ActionKind:
        """What it does: see `Report`."""
        return self.report.kind

    @property
    def buffer_id(self) -> str:
        """The buffer that it plays or records into; empty for others."""
        return str(self._told.buffer_id)

    @property
    def report(self) -> Report:
        """The latest that the server told."""
        if self._report is None:
            rate = self._session._rate_of(self._told.stream_id)
            self._report = Report.from_proto(self._told, rate)
        return self._report

    @property
    def done(self) -> bool:
        """Whether all its audio has been played or recorded, or it was ended."""
        return self._told.state in _DONE_STATES

    @property
    def ended(self) -> bool:
        """Whether its report is final."""
        return bool(self._told.state == action_pb2.ACTION_STATE_ENDED)

    async def wait(self, timeout: Optional[float] = None, until: Until = "ended") -> Report:
        """Wait until it has ended.

        Parameters
        ----------
        timeout : float, optional
            Seconds; by default without end.
        until : {"ended", "done"}, optional
            Wait for the final report, or, 0.75 to 2.25 s less, until its audio is done.

        Returns
        -------
        Report
            As it is then.

        Raises
        ------
        Timeout
            The time is over. The action goes on.
        Disconnected
            The server was silent, or could not be reached, for 2.4 s.
        SessionExpired
            The session has ended.
        """
        timeout = waiting(timeout, until)
        if not self._has_come(until):
            self._session._watch.start()
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            entry = (waiter, until)
            self._waiting.append(entry)
            try:
                await asyncio.wait_for(waiter, timeout)
            except asyncio.TimeoutError:
                if not self._has_come(until):
                    raise errors.Timeout(
                        f"{self.kind} {self.key or self.id} goes on after {timeout:g} s",
                        value=str(timeout),
                    ) from None
            finally:
                if entry in self._waiting:
                    self._waiting.remove(entry)
        return self.report

    async def refresh(self) -> Report:
        """Ask how it is now; by itself the server tells only as it starts, is done and has ended.

        Returns
        -------
        Report
            As it is now: `Report.position_frames` of a sound that plays, `Report.paused`.

        Raises
        ------
        NotFound
            It ended so long ago that its report was forgotten.
        """
        return await self._session._refresh(self)

    async def cancel(
        self, frame: Optional[int] = None, fade: Union[Fade, int, None] = None
    ) -> Report:
        """End it.

        Parameters
        ----------
        frame : int, optional
            Before which frame of the stream; by default at once.
        fade : Fade or int, optional
            A play fades to silence from that frame on, and ends then. A number of frames is a
            linear fade.

        Returns
        -------
        Report
            As it is now. One that is done or has ended already stays as it is.
        """
        return (await self._session.cancel([self], frame, fade))[0]

    async def set_gain(
        self,
        gain: float,
        fade: Union[Fade, int, None] = None,
        frame: Optional[int] = None,
    ) -> int:
        """Change the gain of a play, from wherever it is then.

        Parameters
        ----------
        gain : float
            Linear factor to be reached; finite.
        fade : Fade or int, optional
            How; by default at once. A number of frames is a linear fade.
        frame : int, optional
            From which frame of the stream on; by default one of the next few blocks.

        Returns
        -------
        int
            From which frame on. An action that has ended by then stays as it is.

        Raises
        ------
        RtmixdError
            As for `Session.change`.
        """
        return await self._session.change(Gain(gain, fade), [self], frame)

    async def pause(self, frame: Optional[int] = None) -> int:
        """Let a play stand still: it is silent, and its position does not move.

        Parameters
        ----------
        frame : int, optional
            From which frame of the stream on; by default one of the next few blocks.

        Returns
        -------
        int
            From which frame on. An action that has ended by then stays as it is.

        Raises
        ------
        RtmixdError
            As for `Session.change`.
        """
        return await self._session.change(Pause(), [self], frame)

    async def resume(self, frame: Optional[int] = None) -> int:
        """Let a play that stood still go on where it was.

        Parameters
        ----------
        frame : int, optional
            From which frame of the stream on; by default one of the next few blocks.

        Returns
        -------
        int
            From which frame on. An action that has ended by then stays as it is.

        Raises
        ------
        RtmixdError
            As for `Session.change`.
        """
        return await self._session.change(Resume(), [self], frame)

    async def leave_loop(self, frame: Optional[int] = None, *, at_once: bool = False) -> int:
        """Let a play leave its loop: the sound goes on behind the region.

        Parameters
        ----------
        frame : int, optional
            On which frame of the stream; by default on one of the next few blocks.
        at_once : bool, optional
            Go on behind the region on that very frame; if not, after the pass that sounds then.

        Returns
        -------
        int
            On which frame. An action that has ended by then stays as it is.

        Raises
        ------
        RtmixdError
            As for `Session.change`.
        """
        return await self._session.change(LeaveLoop(at_once), [self], frame)

    async def recording(self, timeout: Optional[float] = None) -> Recording:
        """Wait until a record has ended, and fetch what it recorded.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait for its end; by default without end.

        Returns
        -------
        Recording
            float32 of shape (frames, channels). The buffer stays.

        Raises
        ------
        InvalidArgument
            It is no record.
        Timeout
            The time is over. The action goes on.
        """
        if self.kind != "record":
            raise errors.InvalidArgument(
                f"a {self.kind} records nothing", field="kind", value=self.kind, limit="record"
            )
        await self.wait(timeout, "done")
        recording, _ = await both(self._session._fetch(self), self.wait(timeout, "ended"))
        return self._session._hand_out(recording, self.report)

    def _has_come(self, until: Until) -> bool:
        return self.done if until == "done" else self.ended

    def _tell(self, report: action_pb2.ActionReport) -> None:
        # Answers to calls may be overtaken by what was pushed; "done" is before "ended" in life.
        if _age(report.state) < _age(self._told.state):
            return
        self._told = report
        self._report = None
        for waiter, until in self._waiting:
            if self._has_come(until) and not waiter.done():
                waiter.set_result(None)

    def _fail(self, error: errors.RtmixdError) -> None:
        for waiter, _ in self._waiting:
            if not waiter.done():
                waiter.set_exception(error)

    def __repr__(self) -> str:
        return f"<Action {self.id}: {self.report!r}>"


def _age(state: int) -> int:
    """Return the place of a state in an action's life."""
    order = (
        action_pb2.ACTION_STATE_UNSPECIFIED,
        action_pb2.ACTION_STATE_PENDING,
        action_pb2.ACTION_STATE_ACTIVE,
        action_pb2.ACTION_STATE_DONE,
        action_pb2.ACTION_STATE_ENDED,
    )
    return order.index(state) if state in order else 0


class Batch:
    """Actions that were scheduled together, in their order. Made by `Session.schedule`."""

    def __init__(
        self,
        session: Session,
        id: str,  # noqa: A002
        origin_frame: Optional[int],
        stream_id: str,
        members: Members,
    ) -> None:
        self._session = session
        self._id = id
        self._origin_frame = origin_frame
        self._stream_id = stream_id
        self._members = members

    @property
    def id(self) -> str:
        """Its id; every report repeats it."""
        return self._id

    @property
    def origin_frame(self) -> Optional[int]:
        """Where its starts count from; None if that was not known when it was scheduled.

        So it is with a batch that waits for the wall clock or for `commit`, and where the device
        does not take it up within a second. The reports tell.
        """
        return self._origin_frame

    @property
    def stream_id(self) -> str:
        """The stream whose frames these are."""
        return self._stream_id

    @property
    def actions(self) -> list[Action]:
        """One for each that was asked for, in their order."""
        return list(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Action]:
        return iter(self._members)

    def __getitem__(self, which: Union[int, str]) -> Action:
        """Return a member by its place or its key."""
        if isinstance(which, str):
            return self._members.find_key(which)
        return self._members[which]

    async def wait(self, timeout: Optional[float] = None, until: Until = "ended") -> list[Report]:
        """Wait until all have ended.

        Parameters
        ----------
        timeout : float, optional
            Seconds; by default without end.
        until : {"ended", "done"}, optional
            See `Action.wait`.

        Returns
        -------
        list of Report
            In the order of the actions.

        Raises
        ------
        Timeout
            The time is over. The actions go on.
        """
        return await self._session.wait(self._members, timeout=timeout, until=until)

    async def report(self) -> BatchReport:
        """Ask what has become of it as a whole; final after `wait`.

        Returns
        -------
        BatchReport
            As it is now.

        Raises
        ------
        NotFound
            It ended so long ago that a report of its actions was forgotten.
        """
        response = await self._session._call(
            _methods.GET_BATCH, action_pb2.GetBatchRequest(batch_id=self.id), retry=True
        )
        return BatchReport.from_proto(response.report)

    async def commit(self) -> Optional[int]:
        """Let it start, if it was scheduled with `prepare`. May be repeated.

        Returns
        -------
        int or None
            Where its starts count from, as far as it is known by now.

        Raises
        ------
        WrongState
            It is too late, or all of it has ended: nothing of it sounds.
        NotFound
            It was not prepared.
        """
        response = await self._session._call(
            _methods.COMMIT_BATCH, action_pb2.CommitBatchRequest(batch_id=self.id), retry=True
        )
        if response.HasField("origin_frame"):
            self._origin_frame = response.origin_frame
        return self._origin_frame

    async def cancel(
        self, frame: Optional[int] = None, fade: Union[Fade, int, None] = None
    ) -> list[Report]:
        """End all.

        Parameters
        ----------
        frame : int, optional
            Before which frame of the stream; by default at once.
        fade : Fade or int, optional
            Plays fade to silence from that frame on, and end then. A number of frames is a linear
            fade.

        Returns
        -------
        list of Report
            As they are now, in the order of the actions.
        """
        return await self._session.cancel(self._members, frame, fade)

    def __repr__(self) -> str:
        return f"<Batch {self.id} from frame {self.origin_frame}: {len(self)} actions>"
