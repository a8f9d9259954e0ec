"""AWS's event streams: cut anywhere, changed anywhere, recorded ones, and botocore's reading of the same bytes."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata.gateway.wire.eventstream import Frames, Garbled, Message

from .replay import exchanges

HEADERS = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.one_of(
        st.booleans(), st.text(max_size=20), st.binary(max_size=20), st.integers(-(2**31), 2**31 - 1),
    ),
    max_size=4,
)  # fmt: skip


def framed(payload: bytes, headers: dict[str, object]) -> bytes:
    """A message in the format that AWS describes."""
    packed = b""
    for name, value in headers.items():
        packed += bytes([len(name.encode())]) + name.encode()
        if isinstance(value, bool):
            packed += b"\0" if value else b"\1"
        elif isinstance(value, int):
            packed += b"\4" + struct.pack(">i", value)
        elif isinstance(value, bytes):
            packed += b"\6" + struct.pack(">H", len(value)) + value
        else:
            packed += b"\7" + struct.pack(">H", len(str(value).encode())) + str(value).encode()
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    whole = prelude + struct.pack(">I", crc32(prelude)) + packed + payload
    return whole + struct.pack(">I", crc32(whole))


def event(name: str, payload: bytes, kind: str = "event") -> bytes:
    return framed(payload, {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind})


@given(st.lists(st.tuples(st.binary(max_size=60), HEADERS), max_size=4), st.lists(st.integers(0, 400), max_size=9))
def test_messages_are_the_same_however_the_bytes_are_cut(given_: list, cuts: list[int]):
    raw = b"".join(framed(payload, headers) for payload, headers in given_)
    frames, found = Frames(), []
    places = sorted(min(cut, len(raw)) for cut in cuts)
    for start, stop in zip([0, *places], [*places, len(raw)], strict=True):
        found += list(frames.feed(raw[start:stop]))
    assert found == [Message(headers, payload) for payload, headers in given_]
    assert not frames.rest


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_bit_that_changed_on_the_way_is_noticed(payload: bytes, data: st.DataObject):
    raw = bytearray(event("chunk", payload))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Garbled):
        list(Frames().feed(bytes(raw)))


@given(st.binary(min_size=12))
def test_anything_else_is_refused_or_waited_for(data: bytes):
    with contextlib.suppress(Garbled):
        assert isinstance(list(Frames().feed(data)), list)


def test_a_length_that_no_message_has_is_not_waited_for():
    prelude = struct.pack(">II", 2**31, 10)
    with pytest.raises(Garbled, match="cannot be"):
        list(Frames().feed(prelude + struct.pack(">I", crc32(prelude))))


def test_recorded_streams_read_as_botocore_reads_them(shared: Path):
    botocore = pytest.importorskip("botocore.eventstream")
    streams = [it for it in exchanges(shared / "data" / "wire", host="amazonaws") if it.kind.endswith("eventstream")]
    assert streams
    for stream in streams:
        buffer = botocore.EventStreamBuffer()
        buffer.add_data(stream.answer)
        for size in (1, 7, 100_000):
            frames = Frames()
            cut = [stream.answer[at : at + size] for at in range(0, len(stream.answer), size)]
            found = [message for piece in cut for message in frames.feed(piece)]
            buffer = botocore.EventStreamBuffer()
            buffer.add_data(stream.answer)
            assert found == [Message(it.headers, it.payload) for it in buffer]
