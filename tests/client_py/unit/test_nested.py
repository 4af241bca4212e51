"""Audio that is encoded piece by piece: the bytes are those of the whole message."""

from __future__ import annotations

import pytest

from rtmixd.aio._nested import encode_upload, opening, tag
from rtmixd.v1 import buffer_pb2, common_pb2


@pytest.mark.parametrize("position", [0, 1, 127, 128, 2**53 - 1])
@pytest.mark.parametrize("length", [0, 1, 116, 117, 127, 128, 16383, 16384, 1 << 20])
def test_upload_is_that_of_the_whole_message(position: int, length: int) -> None:
    data = bytes(i % 251 for i in range(length))

    encoded = encode_upload(position, data)

    chunk = common_pb2.AudioChunk(position=position, data=data)
    assert buffer_pb2.UploadBufferRequest.FromString(encoded) == buffer_pb2.UploadBufferRequest(
        audio=chunk
    )


def test_opening_is_that_of_a_field() -> None:
    encoded = common_pb2.AudioChunk(data=b"x" * 300).SerializeToString()

    assert encoded == opening(tag(2), 300) + b"x" * 300
