"""Sounds one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Optional, Union

from numpy.typing import ArrayLike

from rtmixd._arguments import several
from rtmixd.specs import HasId, Play, Start, at_end_of

__all__ = ["playlist"]


def playlist(
    sounds: Iterable[Union[Play, HasId, ArrayLike]],
    start: Optional[Start] = None,
    *,
    key: str = "playlist",
    **options: Any,
) -> list[Play]:
    """Describe plays of which each starts where the one before ends, gapless to the sample.

    What follows a play that is cancelled, or skipped, starts where that one ended, or should have
    started. To be scheduled as a batch, or as a part of one.

    Parameters
    ----------
    sounds : iterable of Play, Buffer or array_like
        What, in order. Those that are no `Play` become one, with `options`.
    start : Start, optional
        Of the first; by default at the origin of the batch. With `at_end_of` it goes on from what
        was scheduled before, be it a play or a stream.
    key : str, optional
        Play n, from 0, without a key of its own gets the key ``f"{key}-{n}"``.
    **options
        For `Play`: `outputs`, `gain`, `fade_in` and so on.

    Returns
    -------
    list of Play
        In order. The `start` of a `Play` that is given is replaced.

    Examples
    --------
    >>> session.schedule(rtmixd.playlist([intro, verse, chorus], outputs=[1, 2]))
    """
    plays: list[Play] = []
    for number, sound in enumerate(several(sounds, "sounds", "sounds")):
        play = sound if isinstance(sound, Play) else Play(sound, **options)
        plays.append(
            replace(
                play,
                start=at_end_of(plays[-1].key) if plays else start,
                key=play.key or f"{key}-{number}",
            )
        )
    return plays
