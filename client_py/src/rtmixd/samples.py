"""Arrays of samples, and samples on the wire.

Audio is float32 of shape (frames, channels), full scale +-1.0. Integers are scaled by 2^(bits-1):
decoded as ``value / 2^(bits-1)``, encoded as ``round_half_to_even(x * 2^(bits-1))``, limited to the
range of the integer.
"""

from __future__ import annotations

import os
import reprlib
from typing import Any, Literal, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtmixd._arguments import whole
from rtmixd.errors import InvalidArgument

__all__ = ["MAX_CHANNELS", "Wire", "bytes_per_sample", "decode", "encode", "to_frames"]

#: How samples are encoded on the wire, little endian and interleaved; int24 is packed.
Wire = Literal["float32", "int16", "int24", "int32"]

#: Channels that a sound can have at the most.
MAX_CHANNELS = 1024

_BYTES = {"float32": 4, "int16": 2, "int24": 3, "int32": 4}


def bytes_per_sample(wire: Wire) -> int:
    """Return the size of one encoded sample in bytes.

    Raises
    ------
    InvalidArgument
        If `wire` is none of the known encodings.
    """
    try:
        return _BYTES[wire]
    except (KeyError, TypeError):
        raise InvalidArgument(
            f"wire is {wire!r}: it has to be one of {', '.join(_BYTES)}",
            field="wire",
            value=str(wire),
            limit=", ".join(_BYTES),
        ) from None


def to_frames(sound: ArrayLike, channels: Optional[int] = None) -> NDArray[np.float32]:
    """Convert a sound to what the server works with.

    Parameters
    ----------
    sound : array_like
        Shape (frames,) or (frames, channels). Floats of any precision, or int16 or int32, which are
        scaled so that full scale is +-1.0.
    channels : int, optional
        Channels wanted, 1 to 1024. A sound of one channel is put on all of them.

    Returns
    -------
    numpy.ndarray
        float32, shape (frames, channels), C-contiguous; `sound` itself where it is that already.

    Raises
    ------
    InvalidArgument
        For samples that are not numbers, complex, not finite, or integers of another width, for
        another number of dimensions, and for another number of channels than `channels`.
    """
    try:
        array = np.asarray(sound)
    except ValueError as error:
        raise _refuse(f"the sound is no array of numbers: {error}", "") from None
    if array.ndim == 0:
        what = reprlib.repr(sound)
        hint = (
            "; rtmixd.files.read_sound reads a file"
            if isinstance(sound, (str, os.PathLike))
            else ""
        )
        raise _refuse(
            f"the sound is {what}: it has to be an array of shape (frames,) or (frames, channels)"
            f"{hint}",
            what,
        )
    if array.ndim not in (1, 2):
        raise _refuse(
            f"the sound has {array.ndim} dimensions; it needs the shape (frames,) or"
            " (frames, channels)",
            str(array.ndim),
            "1 or 2",
        )
    if array.dtype.kind == "f":
        # Beyond the range of float32 is refused below, without a warning here.
        with np.errstate(over="ignore"):
            frames = array.astype(np.float32, copy=False)
        if not np.isfinite(frames).all():
            where = np.argwhere(~np.isfinite(frames.reshape(len(frames), -1)))[0]
            raise _refuse(
                f"the sound is not finite: {array.reshape(len(array), -1)[tuple(where)]} in"
                f" frame {where[0]}, channel {where[1] + 1}",
                str(array.reshape(len(array), -1)[tuple(where)]),
                "finite",
            )
    elif array.dtype.kind == "i" and array.dtype.itemsize in (2, 4):
        scale = 2.0 ** (1 - 8 * array.dtype.itemsize)
        frames = (array * np.float64(scale)).astype(np.float32)
    elif array.size == 0 and array.dtype.kind in "iu":
        frames = array.astype(np.float32)
    else:
        hint = ""
        if array.dtype.kind in "iub":
            hint = ", whose full scale is not known: convert it to float, int16 or int32 first"
        raise _refuse(
            f"the samples are {array.dtype}{hint}", str(array.dtype), "float, int16 or int32"
        )
    if frames.ndim == 1:
        frames = frames[:, np.newaxis]
    if frames.shape[1] < 1 or frames.shape[1] > MAX_CHANNELS:
        raise _refuse(
            f"the sound has {frames.shape[1]} channels; 1 to {MAX_CHANNELS} are possible, in the"
            " second dimension",
            str(frames.shape[1]),
            f"1 to {MAX_CHANNELS}",
        )
    if channels is not None and frames.shape[1] != channels:
        if frames.shape[1] != 1:
            hint = " (is it transposed?)" if frames.shape[0] == channels else ""
            raise _refuse(
                f"the sound has {frames.shape[1]} channels for {channels}{hint}",
                str(frames.shape[1]),
                str(channels),
            )
        frames = np.repeat(frames, channels, axis=1)
    return np.ascontiguousarray(frames)


def _refuse(message: str, value: str, limit: str = "") -> InvalidArgument:
    return InvalidArgument(message, field="sound", value=value, limit=limit)


def encode(frames: NDArray[np.float32], wire: Wire = "float32") -> bytes:
    """Encode samples for the wire.

    Parameters
    ----------
    frames : numpy.ndarray
        float32 of any shape, finite.
    wire : {"float32", "int16", "int24", "int32"}
        The encoding.

    Returns
    -------
    bytes
        Little endian, in the order of the array.
    """
    bits = 8 * bytes_per_sample(wire)
    if wire == "float32":
        return np.ascontiguousarray(frames, dtype="<f4").tobytes()
    # 32 bits do not fit into the mantissa of a float32; fewer do, and scaling by 2^n is exact.
    precise: NDArray[np.floating[Any]] = np.asarray(
        frames, dtype=np.float64 if bits == 32 else np.float32
    )
    scaled: NDArray[np.floating[Any]] = np.multiply(precise, 2.0 ** (bits - 1))
    np.rint(scaled, out=scaled)
    np.clip(scaled, -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1, out=scaled)
    if wire == "int16":
        return scaled.astype("<i2").tobytes()
    integers = np.ascontiguousarray(scaled, dtype="<i4")
    if wire == "int32":
        return integers.tobytes()
    return bytes(integers.reshape(-1, 1).view(np.uint8)[:, :3].tobytes())


def decode(
    data: bytes,
    channels: int,
    wire: Wire = "float32",
    out: Optional[NDArray[np.float32]] = None,
) -> NDArray[np.float32]:
    """Decode samples from the wire.

    Parameters
    ----------
    data : bytes
        Whole frames, little endian, interleaved.
    channels : int
        Channels per frame.
    wire : {"float32", "int16", "int24", "int32"}
        The encoding.
    out : numpy.ndarray, optional
        float32 of shape (frames, channels), written instead of a new array.

    Returns
    -------
    numpy.ndarray
        float32 of shape (frames, channels): `out`, or an array that is not to be written, since it
        may be `data` itself.

    Raises
    ------
    InvalidArgument
        If `data` is not a whole number of frames, or `channels` not 1 to 1024.
    """
    size = bytes_per_sample(wire)
    if not 1 <= whole(channels, "channels") <= MAX_CHANNELS:
        raise InvalidArgument(
            f"channels is {channels}; 1 to {MAX_CHANNELS} are possible",
            field="channels",
            value=str(channels),
            limit=f"1 to {MAX_CHANNELS}",
        )
    if len(data) % (size * channels):
        raise InvalidArgument(
            f"{len(data)} bytes are not a whole number of frames of {channels} {wire} samples",
            field="data",
            value=str(len(data)),
            limit=f"a multiple of {size * channels}",
        )
    if wire == "float32":
        frames = np.frombuffer(data, "<f4").reshape(-1, channels)
        if out is None:
            return frames.astype(np.float32, copy=False)
        out[...] = frames
        return out
    if wire == "int24":
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        # In the upper three bytes the sign is where it belongs.
        integers = padded.view("<i4").reshape(-1, channels)
        bits = 32
    else:
        integers = np.frombuffer(data, "<i2" if wire == "int16" else "<i4").reshape(-1, channels)
        bits = 8 * size
    decoded = integers * np.float64(2.0 ** (1 - bits))
    if out is None:
        return decoded.astype(np.float32)
    out[...] = decoded
    return out
