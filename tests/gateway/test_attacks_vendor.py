"""A vendor, or whoever stands in its place, that sends more, less or other bytes than it should."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from strata.gateway.wire.connection import Broken, Connection, Host

OK = b"HTTP/1.1 200 OK\r\n"
ANSWER = OK + b"Content-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def vendor(*answers: bytes) -> AsyncIterator[Host]:
    """Answers each request with the next of these bytes, on whichever connection it comes."""
    left = list(answers)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            writer.write(left.pop(0))
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    host = Host(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield host
    finally:
        host.close()
        server.close()


async def asked(host: Host, limit: int = 1000) -> tuple[int, bytes, Connection]:
    connection = await host.open()
    try:
        connection.send(b"GET / HTTP/1.1\r\n\r\n", asyncio.get_running_loop().time() + 5)
        await connection.head()
        return connection.status, await connection.whole(limit), connection
    finally:
        host.back(connection)


@pytest.mark.parametrize(
    "more",
    [
        OK + b"Content-Length: 6\r\n\r\nothers",
        OK + b"Content-Le",
        b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n",
        b"garbage",
    ],
)
async def test_what_a_vendor_sends_behind_its_answer_reaches_nobody(more: bytes):
    async with vendor(ANSWER + more, ANSWER) as host:
        status, body, first = await asked(host)
        assert (status, body) == (200, b"{}")
        status, body, second = await asked(host)
        assert (status, body) == (200, b"{}")
        assert second is not first


async def test_a_connection_is_used_again_after_a_plain_answer():
    async with vendor(ANSWER, ANSWER) as host:
        _, _, first = await asked(host)
        _, _, second = await asked(host)
        assert second is first


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
)
async def test_an_answer_that_can_be_read_in_two_ways_is_none(answer: bytes):
    async with vendor(answer) as host:
        with pytest.raises(Broken):
            await asked(host)


async def test_an_answer_that_unpacks_to_a_thousand_times_its_size_is_not_unpacked():
    packing = zlib.compressobj(9, wbits=31)
    bomb = packing.compress(bytes(100_000_000)) + packing.flush()
    async with vendor(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb) as host:
        with pytest.raises(Broken):
            await asked(host, limit=200_000_000)
