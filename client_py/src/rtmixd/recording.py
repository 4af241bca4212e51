"""A recording, with what is known about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

from rtmixd.report import Report

__all__ = ["Recording"]


@dataclass(frozen=True, eq=False)
class Recording:
    """What was recorded. Goes wherever an array goes: ``np.abs(recording)``.

    Attributes
    ----------
    samples : numpy.ndarray
        float32, shape (frames, channels), full scale +-1.0; zero in gaps.
    sample_rate_hz : float
        Nominal frames per second.
    start_frame : int or None
        The frame of the stream that the first has; None if it never started.
    report : Report
        What became of the recording.
    play_report : Report or None
        What became of the sound that was played with it, if one was.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: float
    start_frame: Optional[int]
    report: Report
    play_report: Optional[Report] = None

    @property
    def channels(self) -> int:
        """Its channels."""
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        """Its length in seconds at the nominal rate."""
        return len(self.samples) / self.sample_rate_hz if self.sample_rate_hz else 0.0

    def __len__(self) -> int:
        return len(self.samples)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> NDArray[Any]:
        if copy is None and dtype is None:
            return self.samples
        if copy is False:
            if dtype is not None and np.dtype(dtype) != self.samples.dtype:
                raise ValueError(f"a recording is float32: as {np.dtype(dtype)} it is a copy")
            return self.samples
        return np.array(self.samples, dtype=dtype, copy=bool(copy) or dtype is not None)

    def __getitem__(self, index: Any) -> Any:
        return self.samples[index]

    def to_file(self, path: Union[str, os.PathLike[str]], *, subtype: Optional[str] = None) -> None:
        """Write it to a sound file, and its report beside it as ``path + ".json"``.

        Needs soundfile.

        Parameters
        ----------
        path : path_like
            The suffix says which format.
        subtype : str, optional
            See `rtmixd.files.write_recording`.
        """
        from rtmixd.files import write_recording

        write_recording(path, self, subtype=subtype)

    def plot(self, **options: Any) -> Any:
        """Draw the waveform, with its start, xruns and gaps. Needs matplotlib.

        Parameters
        ----------
        **options
            Go to `rtmixd.plot.plot_recording`.

        Returns
        -------
        matplotlib.figure.Figure
            What was drawn into.
        """
        from rtmixd.plot import plot_recording

        return plot_recording(self, **options)

    def __repr__(self) -> str:
        peak = float(np.max(np.abs(self.samples))) if self.samples.size else 0.0
        start = "never started" if self.start_frame is None else f"from frame {self.start_frame}"
        return (
            f"<Recording {len(self)} frames ({self.seconds:.3f} s) of {self.channels} channels at"
            f" {self.sample_rate_hz:g} Hz, {start}, peak {peak:.3g}, {self.report!r}>"
        )
