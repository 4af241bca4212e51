"""Progress bars for long transfers.

Needs tqdm (``pip install rtmixd[progress]``), which is imported when a bar is made.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Optional

__all__ = ["ProgressBar"]


class ProgressBar:
    """A bar in the terminal, to be given to an upload or a download as its `progress`.

    Shows how much of the transfer is done, its pace in frames per second and the time that is left;
    on standard error, and only if that is a terminal.

    Parameters
    ----------
    description : str, optional
        Stands before the bar.
    **options
        What tqdm takes besides ``total``, ``desc``, ``unit`` and ``unit_scale``.

    Raises
    ------
    ImportError
        If tqdm is not installed.

    Examples
    --------
    >>> with ProgressBar("upload") as bar:  # doctest: +SKIP
    ...     buffer = session.upload(sound, progress=bar)
    """

    def __init__(self, description: str = "", **options: Any) -> None:
        self._bar = _tqdm()(
            desc=description or None,
            unit=" frames",
            unit_scale=True,
            **{"disable": None, **options},
        )

    def __call__(self, done_frames: int, total_frames: int) -> None:
        """Show how far the transfer is.

        Parameters
        ----------
        done_frames : int
            Frames that have been transferred.
        total_frames : int
            All there will be; grows while a recording is downloaded that goes on.
        """
        self._bar.total = total_frames
        self._bar.update(done_frames - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it is, and the line to others. May be repeated."""
        self._bar.close()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


def _tqdm() -> Any:
    """Return the class, which has no types."""
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError("progress bars need tqdm: pip install rtmixd[progress]") from error
    return tqdm
