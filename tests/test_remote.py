"""A contract over HTTP behaves as the object behind it, and a door opens only for a token made for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import aiohttp
import pytest
import uvicorn

from strata.errors import BudgetExhausted, NotFound, StrataError, Unauthenticated, Unavailable
from strata.remote import Line, connect, door_key, serve, sign
from strata.types import Content, Done, Money, Part, Principal, Query, Said, Sentence

KEY = door_key(b"m" * 32, "kitchen")
COOK = Principal("acme", "ada", "Ada", "research", frozenset({"everyone"}), frozenset({"member"}))


class Kitchen(Protocol):
    async def cook(self, principal: Principal, query: Query, *, extra: Sequence[str] = ()) -> list[Content]: ...

    def serve(self, principal: Principal, courses: int) -> AsyncIterator[Part]: ...

    async def close_up(self, principal: Principal) -> None: ...

    async def fail(self, principal: Principal, how: str) -> Money | None: ...


class RealKitchen:
    def __init__(self) -> None:
        self.left_early = False

    async def cook(self, principal: Principal, query: Query, *, extra: Sequence[str] = ()) -> list[Content]:
        return [Content(b"\x00\xff" + principal.id.encode(), query.text, name) for name in extra]

    async def serve(self, principal: Principal, courses: int) -> AsyncIterator[Part]:
        try:
            for course in range(courses):
                yield Said(Sentence(f"course {course}", "supported", (1, 2)))
                await asyncio.sleep(0)
            yield Done("answered", "extractive", "a title")
        except (GeneratorExit, asyncio.CancelledError):
            self.left_early = True
            raise

    async def close_up(self, principal: Principal) -> None:
        return None

    async def fail(self, principal: Principal, how: str) -> Money | None:
        if how == "budget":
            raise BudgetExhausted("too dear", budget="b1", resets_at="2026-12-01T00:00:00Z")
        if how == "bug":
            raise ZeroDivisionError("secret detail")
        return Money(5)


@contextlib.asynccontextmanager
async def running(app: Any) -> AsyncIterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def kitchen() -> AsyncIterator[tuple[Any, Any, str]]:
    real = RealKitchen()
    async with running(serve("kitchen", KEY, {Kitchen: real})) as url:
        line = Line("kitchen", url, KEY, "waiter")
        try:
            yield connect(Kitchen, line), real, url
        finally:
            await line.close()


async def test_a_call_brings_values_and_the_principal_across(kitchen):
    remote, _, _ = kitchen
    found = await remote.cook(COOK, Query("soup", ("a",), 3), extra=["x", "y"])
    assert found == [Content(b"\x00\xffada", "soup", "x"), Content(b"\x00\xffada", "soup", "y")]


async def test_a_method_that_returns_nothing_returns_none(kitchen):
    remote, _, _ = kitchen
    assert await remote.close_up(COOK) is None
    assert await remote.fail(COOK, "not at all") == Money(5)


async def test_a_stream_keeps_its_order_and_its_types(kitchen):
    remote, _, _ = kitchen
    parts = [part async for part in remote.serve(COOK, 3)]
    assert [type(part) for part in parts] == [Said, Said, Said, Done]
    assert parts[1] == Said(Sentence("course 1", "supported", (1, 2)))
    assert parts[-1] == Done("answered", "extractive", "a title")


async def test_leaving_a_stream_early_ends_it_at_the_other_end(kitchen):
    remote, real, _ = kitchen
    stream = remote.serve(COOK, 1_000_000)
    async for _ in stream:
        break
    await stream.aclose()
    for _ in range(200):
        if real.left_early:
            break
        await asyncio.sleep(0.02)
    assert real.left_early


async def test_an_error_arrives_as_what_it_was(kitchen):
    remote, _, _ = kitchen
    with pytest.raises(BudgetExhausted) as caught:
        await remote.fail(COOK, "budget")
    assert caught.value.more == {"budget": "b1", "resets_at": "2026-12-01T00:00:00Z"}


async def test_an_unexpected_error_tells_a_neighbour_nothing_but_an_incident(kitchen):
    remote, _, _ = kitchen
    with pytest.raises(StrataError) as caught:
        await remote.fail(COOK, "bug")
    assert "secret" not in str(caught.value)
    assert "incident_" in str(caught.value)


async def test_a_key_for_another_door_does_not_open_this_one(kitchen):
    _, _, url = kitchen
    line = Line("kitchen", url, door_key(b"m" * 32, "cellar"), "waiter")
    with pytest.raises(Unauthenticated):
        await connect(Kitchen, line).cook(COOK, Query("soup"))
    await line.close()


async def test_a_token_is_accepted_once_and_only_with_its_own_body(kitchen):
    _, _, url = kitchen
    body = b"\x81\xa3how\xa2no"
    token = sign(KEY, "kitchen", "waiter", COOK, body, 5)
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {token}"}) as session:
        async with session.post(f"{url}/Kitchen/fail", data=b"\x81\xa3how\xa3bug") as other_body:
            assert other_body.status == 401
        async with session.post(f"{url}/Kitchen/fail", data=body) as first:
            assert first.status == 200
        async with session.post(f"{url}/Kitchen/fail", data=body) as again:
            assert again.status == 401


async def test_no_token_no_call(kitchen):
    _, _, url = kitchen
    async with aiohttp.ClientSession() as session, session.post(f"{url}/Kitchen/close_up", data=b"\x80") as answer:
        assert answer.status == 401
        assert (await answer.json(content_type=None))["type"] == "urn:strata:problem:unauthenticated"


async def test_an_unknown_method_names_what_is_offered(kitchen):
    _, _, url = kitchen
    token = sign(KEY, "kitchen", "waiter", COOK, b"\x80", 5)
    headers = {"authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(f"{url}/Kitchen/x", data=b"\x80") as got:
        assert got.status == 404


async def test_a_neighbour_that_is_not_there_is_unavailable_and_says_what_to_start():
    line = Line("kitchen", "http://127.0.0.1:9", KEY, "waiter")
    with pytest.raises(Unavailable, match="strata serve kitchen"):
        await connect(Kitchen, line).cook(COOK, Query("soup"))
    await line.close()


def test_an_unknown_problem_is_still_an_error():
    from strata.errors import from_problem

    assert isinstance(from_problem({"type": "urn:strata:problem:not-found", "detail": "x"}), NotFound)
    assert type(from_problem({"type": "urn:other", "detail": "x"})) is StrataError
