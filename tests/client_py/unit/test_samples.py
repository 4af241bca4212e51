"""Arrays become frames, frames become bytes, and back."""

from __future__ import annotations

import fractions
import struct

import numpy as np
import pytest

from rtmixd.errors import InvalidArgument
from rtmixd.samples import decode, encode, to_frames

WIRES = ("float32", "int16", "int24", "int32")
BITS = {"int16": 16, "int24": 24, "int32": 32}


def reference_encode(sample: float, bits: int) -> bytes:
    """Encode one sample in exact arithmetic, as common.proto says it."""
    exact = fractions.Fraction(float(np.float32(sample))) * 2 ** (bits - 1)
    # Python rounds fractions half to even.
    value = max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, round(exact)))
    return value.to_bytes(bits // 8, "little", signed=True)


def reference_decode(data: bytes, bits: int) -> float:
    exact = fractions.Fraction(int.from_bytes(data, "little", signed=True), 2 ** (bits - 1))
    # To the nearest double without loss, then once to the nearest float.
    return struct.unpack("<f", struct.pack("<f", float(exact)))[0]


def tricky_samples() -> np.ndarray:
    noise = np.random.default_rng(1).uniform(-1.1, 1.1, 500)
    edges = [0.0, 1.0, -1.0, 1.5, -1.5, 2.0**-24, 1e-30, np.nextafter(np.float32(1), np.float32(0))]
    halves = [(2 * k + 1) / 2.0**bits for bits in BITS.values() for k in (-3, -2, -1, 0, 1, 2)]
    return np.array([*noise, *edges, *halves], np.float32)


@pytest.mark.parametrize("wire", BITS)
def test_encoding_rounds_half_to_even_and_limits(wire: str) -> None:
    samples = tricky_samples()
    assert encode(samples, wire) == b"".join(reference_encode(x, BITS[wire]) for x in samples)


@pytest.mark.parametrize("wire", BITS)
def test_decoding_scales_to_the_nearest_float(wire: str) -> None:
    size = BITS[wire] // 8
    data = (
        np.random.default_rng(2).bytes(size * 600) + b"\xff" * size + b"\x00" * (size - 1) + b"\x80"
    )
    frames = decode(data, 2, wire)
    expected = [reference_decode(data[i : i + size], BITS[wire]) for i in range(0, len(data), size)]
    assert frames.dtype == np.float32
    assert frames.shape == (301, 2)
    assert frames.ravel().tolist() == expected


@pytest.mark.parametrize("wire", WIRES)
def test_what_is_decoded_into_an_array_is_the_same(wire: str) -> None:
    data = encode(tricky_samples()[:500].reshape(-1, 4), wire)
    out = np.full((125, 4), 7, np.float32)
    assert decode(data, 4, wire, out=out) is out
    np.testing.assert_array_equal(out, decode(data, 4, wire))


def test_float32_travels_bit_by_bit() -> None:
    samples = tricky_samples().reshape(-1, 2)
    np.testing.assert_array_equal(decode(encode(samples), 2), samples)


def test_part_of_a_frame_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="whole number of frames"):
        decode(bytes(10), 2, "int24")


def test_unknown_encoding_is_refused_by_name() -> None:
    with pytest.raises(InvalidArgument, match="'int8'.*float32, int16") as caught:
        encode(np.zeros((1, 1), np.float32), "int8")  # type: ignore[arg-type]
    assert caught.value.field == "wire"


def test_channels_that_cannot_be_are_refused() -> None:
    for channels in (0, -1, 1025, 1.5):
        with pytest.raises(InvalidArgument, match="channels is"):
            decode(b"", channels)  # type: ignore[arg-type]


def test_lists_are_encoded_as_arrays_are() -> None:
    for wire in ("float32", "int16", "int24", "int32"):
        assert encode([0.5, -1.0], wire) == encode(np.float32([0.5, -1.0]), wire)  # type: ignore[arg-type]


def test_frames_that_are_right_already_are_not_copied() -> None:
    sound = np.zeros((5, 2), np.float32)
    assert to_frames(sound) is sound


@pytest.mark.parametrize(
    ("sound", "expected"),
    [
        ([0.5, -0.5], [[0.5], [-0.5]]),
        (np.array([[0.5, 0.25]], np.float64), [[0.5, 0.25]]),
        (np.array([0.5], np.float16), [[0.5]]),
        (np.array([-32768, 16384], np.int16), [[-1.0], [0.5]]),
        (np.array([-(2**31), 2**30], np.int32), [[-1.0], [0.5]]),
        (np.array([0.5, 0.25], ">f4"), [[0.5], [0.25]]),
        (np.array([[1, 2], [3, 4]], np.float32).T, [[1, 3], [2, 4]]),
        (np.arange(6, dtype=np.float32)[::2], [[0], [2], [4]]),
        ([], np.zeros((0, 1))),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ],
)
def test_arrays_of_other_kinds_are_converted(sound: object, expected: object) -> None:
    frames = to_frames(sound)  # type: ignore[arg-type]
    assert frames.dtype == np.dtype("=f4")
    assert frames.flags.c_contiguous
    np.testing.assert_array_equal(frames, np.asarray(expected, np.float32))
    assert frames.shape == np.shape(expected)


def test_one_channel_is_put_on_all() -> None:
    np.testing.assert_array_equal(to_frames([1.0, 0.5], 2), [[1, 1], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("sound", "says"),
    [
        ([0.0, np.nan], "not finite: nan in frame 1, channel 1"),
        ([[0.0, np.inf]], "not finite: inf in frame 0, channel 2"),
        ([1e39], "not finite: 1e"),
        ([1j], "complex128"),
        (np.zeros((2, 2, 2)), "3 dimensions"),
        (1.0, r"the sound is 1\.0: it has to be an array"),
        ([None], "object"),
        (["a"], "U1"),
        ([[1.0], [1.0, 2.0]], "no array of numbers|object"),
        ([1, 2], "int64, whose full scale is not known"),
        (np.zeros(3, np.uint8), "uint8, whose full scale is not known"),
        ([True], "bool, whose full scale is not known"),
        (np.zeros((3, 0)), "0 channels"),
        (np.zeros((1, 1025)), "1025 channels; 1 to 1024"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_words(sound: object, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says) as caught:
        to_frames(sound)  # type: ignore[arg-type]
    assert caught.value.field == "sound"


def test_other_channels_than_wanted_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="2 channels for 3$"):
        to_frames(np.zeros((5, 2)), 3)
    with pytest.raises(InvalidArgument, match="transposed"):
        to_frames(np.zeros((3, 5)), 3)
