"""Messages inside others, as bytes."""

from __future__ import annotations

from functools import lru_cache

from rtmixd.v1 import buffer_pb2, common_pb2

__all__ = ["encode_upload", "opening", "tag"]


def tag(field_number: int) -> int:
    """Return what a field of up to 15 begins with, if a length follows, as with bytes and messages.

    https://protobuf.dev/programming-guides/encoding
    """
    return field_number << 3 | 2


@lru_cache(maxsize=1024)
def opening(tag: int, length: int) -> bytes:
    """Return what comes before `length` bytes of a field."""
    encoded = bytearray([tag])
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


_AUDIO_TAG = tag(buffer_pb2.UploadBufferRequest.AUDIO_FIELD_NUMBER)
_DATA_TAG = tag(common_pb2.AudioChunk.DATA_FIELD_NUMBER)


def encode_upload(position: int, data: bytes) -> bytes:
    """Return an UploadBufferRequest with audio, which is copied once.

    For 512 KiB that takes a fiftieth of the time that protobuf 6 takes to fill and encode one.
    """
    begin = common_pb2.AudioChunk(position=position).SerializeToString()
    begin += opening(_DATA_TAG, len(data))
    return b"".join((opening(_AUDIO_TAG, len(begin) + len(data)), begin, data))
