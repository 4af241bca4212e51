"""Several servers that start at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from types import TracebackType
from typing import Callable, Optional, Union

from rtmixd import errors
from rtmixd._arguments import instance, several
from rtmixd.aio.action import Batch, Until
from rtmixd.aio.session import Session
from rtmixd.ensemble import EnsembleError, EnsemblePart, EnsembleReport
from rtmixd.samples import Wire
from rtmixd.specs import Spec, Start

__all__ = ["Ensemble"]

# So long what was cancelled may take to end.
_END_SECONDS = 5.0


class Ensemble:
    """Sessions of several servers that do something at the same moment, or not at all.

    What is scheduled is prepared on all of them, then committed on all. If one refuses or cannot be
    reached, what was prepared elsewhere is cancelled, and nothing sounds anywhere. Of a server that
    is lost while it is told to commit nobody can know whether it heard that: then the others are
    cancelled, and it is named in doubt.

    As a context manager it cancels, on leaving, what was prepared and not committed.

    Parameters
    ----------
    sessions : sequence of Session
        One per server; they stay the caller's.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._sessions: list[Session] = several(sessions, "sessions", "sessions")
        for session in self._sessions:
            instance(session, Session, "sessions", "a sequence of sessions of this client")
        self._batches: list[Optional[Batch]] = [None] * len(self._sessions)
        self._errors: list[Optional[errors.RtmixdError]] = [None] * len(self._sessions)
        self._committed = False

    @property
    def batches(self) -> list[Batch]:
        """What was prepared last, one per session."""
        return [batch for batch in self._batches if batch is not None]

    async def start(
        self,
        specs: Sequence[Union[Spec, Sequence[Spec]]],
        origin: Start,
        *,
        align: bool = False,
        wire: Wire = "float32",
    ) -> None:
        """Prepare on all, then commit on all. The parameters and errors are theirs."""
        await self.prepare(specs, origin, align=align, wire=wire)
        await self.commit()

    async def prepare(
        self,
        specs: Sequence[Union[Spec, Sequence[Spec]]],
        origin: Start,
        *,
        align: bool = False,
        wire: Wire = "float32",
    ) -> None:
        """Have all that is needed ready on all servers; nothing sounds without `commit`.

        Parameters
        ----------
        specs : sequence
            For each session what `Session.schedule` takes.
        origin : Start
            By `at_wall_time`: far enough ahead for sounds to travel and for two round trips.
        align, wire
            As for `Session.schedule`.

        Raises
        ------
        EnsembleError
            Not all could. What was prepared was cancelled, and ends by itself where that failed.
        """
        specs = several(specs, "specs", "what to schedule, for each session")
        if len(specs) != len(self._sessions):
            raise errors.InvalidArgument(
                f"{len(specs)} specs for {len(self._sessions)} sessions",
                field="specs",
                value=str(len(specs)),
                limit=str(len(self._sessions)),
            )
        self._committed = False
        self._batches = [None] * len(self._sessions)
        self._errors = [None] * len(self._sessions)

        async def one(place: int) -> None:
            self._batches[place] = await self._sessions[place].schedule(
                specs[place], origin, align=align, prepare=True, wire=wire
            )

        await self._take({place: one(place) for place in range(len(self._sessions))})
        if any(self._errors):
            await self._cancel()
            raise EnsembleError("not all could prepare; nothing sounds", self._report())

    async def commit(self) -> None:
        """Let all start.

        Raises
        ------
        EnsembleError
            One refused, or could not be reached, and the others were cancelled. Its report says by
            `silent` whether it is certain that nothing sounds anywhere.
        """
        if len(self.batches) != len(self._sessions):
            raise errors.WrongState("nothing is prepared", field="batches", limit="prepare first")

        async def one(batch: Batch) -> None:
            await batch.commit()

        await self._on_all(one)
        if any(self._errors):
            await self._cancel()
            report = self._report()
            outcome = "nothing sounds" if report.silent else "some may sound"
            raise EnsembleError(f"not all could commit; {outcome}", report)
        self._committed = True

    async def wait(self, timeout: Optional[float] = None, until: Until = "ended") -> EnsembleReport:
        """Wait until all of it has ended everywhere.

        Parameters
        ----------
        timeout : float, optional
            Seconds; by default without end.
        until : {"ended", "done"}, optional
            See `Action.wait`.

        Returns
        -------
        EnsembleReport
            One for all; a server that was lost meanwhile has its `error`.

        Raises
        ------
        Timeout
            The time is over. The actions go on.
        """

        async def one(batch: Batch) -> None:
            await batch.wait(timeout, until)

        timeouts = await self._on_all(one)
        if timeouts:
            raise timeouts[0]
        return self._report()

    async def cancel(self) -> EnsembleReport:
        """End all of it everywhere, as far as the servers can be reached.

        Returns
        -------
        EnsembleReport
            As it is now.
        """
        await self._cancel()
        return self._report()

    async def close(self) -> None:
        """Cancel what was prepared and not committed. May be repeated."""
        if not self._committed and self.batches:
            await self._cancel()

    async def __aenter__(self) -> Ensemble:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def _on_all(self, do: Callable[[Batch], Awaitable[None]]) -> list[errors.Timeout]:
        """Do it at once with all that was prepared; see `_take`."""
        return await self._take(
            {place: do(batch) for place, batch in enumerate(self._batches) if batch is not None}
        )

    async def _take(self, calls: dict[int, Awaitable[None]]) -> list[errors.Timeout]:
        """Run one call per server; keep the first error of each, but return timeouts."""
        timeouts: list[errors.Timeout] = []
        results = await asyncio.gather(*calls.values(), return_exceptions=True)
        for place, result in zip(calls, results):
            if isinstance(result, errors.Timeout):
                timeouts.append(result)
            elif isinstance(result, errors.RtmixdError):
                self._errors[place] = self._errors[place] or result
            elif result is not None:
                raise result
        return timeouts

    async def _cancel(self) -> None:
        async def one(batch: Batch) -> None:
            await batch.cancel()
            # What the mixer has already ends with its next block.
            await batch.wait(_END_SECONDS)

        await self._on_all(one)

    def _report(self) -> EnsembleReport:
        parts = []
        for session, batch, error in zip(self._sessions, self._batches, self._errors):
            reports = () if batch is None else tuple(action.report for action in batch)
            parts.append(EnsemblePart(session._client.target, reports, error))
        return EnsembleReport(tuple(parts))

    def __repr__(self) -> str:
        return f"<Ensemble of {len(self._sessions)} servers>"
