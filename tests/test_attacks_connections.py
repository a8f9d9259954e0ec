"""Connections that say too much, too little or nothing, from clients whom nobody knows yet."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from strata import connections

ended: list[str] = []


async def hello(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/endless":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.create_task(_gone(receive))
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            await asyncio.sleep(0)
        ended.append("endless")
        return
    size = 0
    while (message := await receive())["type"] == "http.request":
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    else:
        return
    body = b"%s %d" % (scope["path"].encode(), size)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(hello, http=connections.Connection, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await task
        listener.close()


async def test_requests_one_after_the_other_and_a_large_body_pass():
    async with connected() as (reader, writer):
        writer.write(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"/a 0")).startswith(b"HTTP/1.1 200")
        writer.write(b"POST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n" + b"x" * 300_000)
        assert (await reader.readuntil(b"/b 300000")).count(b"HTTP/1.1 200") == 1
        writer.write(b"GET /c HTTP/1.1\r\nhost: x\r\n\r\nGET /d HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await reader.readuntil(b"/d 0")


@pytest.mark.parametrize(
    "begun", [b"GET /" + b"a" * 400_000, b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 70_000, b"\r\n" * 200_000]
)
async def test_a_head_without_end_is_cut_off(begun: bytes):
    async with connected() as (reader, writer):
        writer.write(begun)
        said = b""
        with suppress(ConnectionResetError):  # where bytes were left unread, the answer may be lost
            said = await reader.read()
        assert said in {b"", connections.TOO_LONG}


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HT", b"\r\n", b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n", b"GET / HTTP/1.1\r\nx"],
)
async def test_who_does_not_go_on_is_hung_up_on(begun: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "PATIENCE", 0.01)
    async with connected() as (reader, writer):
        writer.write(begun)
        assert await reader.read() == b""


async def test_who_does_not_read_the_answer_gives_up_their_place(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "UNREAD", 0.01)
    ended.clear()
    async with connected() as (_, writer):
        writer.transport.pause_reading()
        writer.write(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(30):
            while not ended:
                await asyncio.sleep(0.001)
