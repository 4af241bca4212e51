"""Sound files: recordings with their reports beside them, sounds to play.

Needs soundfile (``pip install rtmixd[files]``), which is imported when a file is touched.
"""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

from rtmixd import _arguments
from rtmixd.recording import Recording

__all__ = ["read_sound", "write_recording"]

PathLike = Union[str, "os.PathLike[str]"]


def read_sound(path: PathLike) -> tuple[npt.NDArray[np.float32], float]:
    """Read a sound file: WAV, FLAC, Ogg and what else libsndfile knows.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    samples : numpy.ndarray of float32, shape (frames, channels)
        Full scale is 1.
    sample_rate_hz : float
        The rate of the file, which need not be that of the stream: nothing is resampled.

    Raises
    ------
    ImportError
        If soundfile is not installed.
    soundfile.LibsndfileError
        If the file cannot be read.
    """
    name = _arguments.path(path, "path")
    samples, rate = _soundfile().read(name, dtype="float32", always_2d=True)
    return samples, float(rate)


def write_recording(
    path: PathLike,
    recording: Recording,
    *,
    subtype: Optional[str] = None,
) -> None:
    """Write a recording, and its report as JSON beside it under the same name + ".json".

    Parameters
    ----------
    path : path-like
        The suffix tells the format: .wav, .flac, .ogg and what else libsndfile knows.
    recording : Recording
    subtype : str, optional
        Encoding as soundfile names it, "PCM_16" and the like. Without: float if the format has it,
        otherwise 24 bits, otherwise the format's own default. All but float limit samples to full
        scale.

    Raises
    ------
    ImportError
        If soundfile is not installed.
    ValueError
        If the format is unknown or does not have this subtype, or the rate is no whole number.
    """
    path = pathlib.Path(_arguments.path(path, "path"))
    _arguments.instance(recording, Recording, "recording")
    soundfile = _soundfile()
    rate = round(recording.sample_rate_hz)
    if rate != recording.sample_rate_hz:
        raise ValueError(f"sound files know whole rates only, not {recording.sample_rate_hz} Hz")
    kind = path.suffix[1:].upper()
    if kind not in soundfile.available_formats():
        raise ValueError(f"unknown kind of sound file {path.suffix!r}")
    if subtype is None:
        subtype = next(
            (name for name in ("FLOAT", "PCM_24") if soundfile.check_format(kind, name)), None
        )
    soundfile.write(os.fspath(path), recording.samples, rate, subtype=subtype)
    details = recording_details(recording)
    path.with_name(path.name + ".json").write_text(json.dumps(details, indent=2) + "\n")


def recording_details(recording: Recording) -> dict[str, Any]:
    """Return what the JSON file beside a recording says.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    dict
        Of values that JSON knows.
    """
    frames, channels = recording.samples.shape
    play_report = recording.play_report
    return {
        "sample_rate_hz": recording.sample_rate_hz,
        "channels": channels,
        "frames": frames,
        "start_frame": recording.start_frame,
        "report": recording.report.to_dict(),
        "play_report": None if play_report is None else play_report.to_dict(),
    }


def _soundfile() -> Any:
    """Return the module, which has no types."""
    try:
        import soundfile
    except ImportError as error:
        raise ImportError("sound files need soundfile: pip install rtmixd[files]") from error
    return soundfile
