"""The door on a real socket: what OpenAI's clients see, also when somebody leaves or something breaks."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from strata.events import CallRefused, KeyCreated, KeyRevoked
from strata.gateway.door.http import app
from strata.testing.vendor import MockVendor
from strata.types import now

from .conftest import OPERATOR, TENANT, Doorway, at, budget, doorway, echo, served, world


async def events(answer: aiohttp.ClientResponse) -> list[Any]:
    """The data of a stream's events; `[DONE]` as it stands."""
    text = await answer.text()
    found = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return [it if it == "[DONE]" else json.loads(it) for it in found]


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def test_a_chat_answers_under_the_platforms_own_model_name_with_its_cost(vendor: MockVendor):
    async with doorway(at(vendor, "mock")) as door:
        answer = await door.chat()
        body = await answer.json()
        assert (answer.status, body["model"], body["object"]) == (200, "echo", "chat.completion")
        assert body["choices"][0]["message"]["content"] == "This is the mock's answer."
        assert answer.headers["x-strata-cost-micros"] == "28"
        (fact,) = await door.world.facts()
        assert answer.headers["x-strata-request-id"] == fact.request
        assert (fact.payer.department, fact.payer.person) == ("research", "ines")
        assert fact.payer.key.startswith("key_")


async def test_the_body_reaches_a_vendor_of_the_same_dialect_untouched(vendor: MockVendor):
    tools = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}]
    more = {"tools": tools, "seed": 7, "x_new_field": {"deep": [1, None]}, "max_completion_tokens": 9, "user": "ü"}
    async with doorway(at(vendor, "mock;tools")) as door:
        answer = await door.chat(**more)
        sent = vendor.requests[-1]
        assert {name: sent.body[name] for name in more} == more
        assert sent.body["model"] == "mock;tools"
        assert sent.headers["authorization"] == "Bearer sk-vendor"
        call = (await answer.json())["choices"][0]["message"]["tool_calls"][0]
        assert call["function"]["arguments"] == '{"word":"ice"}'


async def test_a_stream_comes_in_pieces_and_ends_with_usage_and_cost_where_asked(vendor: MockVendor):
    async with doorway(at(vendor, "mock;chunks=5")) as door:
        answer = await door.chat(stream=True, stream_options={"include_usage": True})
        *pieces, usage, done = await events(answer)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "".join(it["choices"][0]["delta"].get("content", "") for it in pieces) == "This is the mock's answer."
        assert {it["model"] for it in [*pieces, usage]} == {"echo"}
        assert pieces[-1]["choices"][0]["finish_reason"] == "stop"
        assert (usage["choices"], usage["usage"]["total_tokens"], usage["usage"]["cost_micros"]) == ([], 20, 28)
        assert done == "[DONE]"


async def test_a_stream_without_asking_has_no_usage_but_is_paid_by_the_vendors_count(vendor: MockVendor):
    async with doorway(at(vendor, "mock")) as door:
        *pieces, done = await events(await door.chat(stream=True))
        assert done == "[DONE]"
        assert all(it["choices"] and "usage" not in it for it in pieces)
        (fact,) = await door.world.facts()
        assert (fact.cost_micros, fact.estimated, fact.outcome) == (28, False, "ok")


async def test_tool_calls_stream_with_their_arguments_in_pieces(vendor: MockVendor):
    async with doorway(at(vendor, "mock;tools")) as door:
        pieces = (await events(await door.chat(stream=True)))[:-1]
        calls = [call for it in pieces for call in it["choices"][0]["delta"].get("tool_calls", ())]
        assert "".join(call["function"]["arguments"] for call in calls) == '{"word":"ice"}'
        assert pieces[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("form", ["float", "base64"])
async def test_embeddings_come_as_floats_or_base64(vendor: MockVendor, form: str):
    async with doorway(
        at(vendor, "mock;size=4", kind="embedding"), echo("own", kind="embedding", dimensions=4)
    ) as door:
        for model in ("echo", "own"):
            body = {"model": model, "input": ["one", "three"], "encoding_format": form}
            answer = await (await door.post("/v1/embeddings", body)).json()
            rows = [row["embedding"] for row in answer["data"]]
            if form == "base64":
                rows = [list(struct.unpack("<4f", base64.b64decode(row))) for row in rows]
            assert [len(row) for row in rows] == [4, 4]
            assert answer["model"] == model


async def test_models_are_listed_and_one_is_told_of():
    async with doorway(echo("small"), echo("team/large")) as door:
        headers = {"authorization": f"Bearer {door.key}"}
        async with door.session.get(f"{door.url}/v1/models", headers=headers) as answer:
            assert [model["id"] for model in (await answer.json())["data"]] == ["small", "team/large"]
        async with door.session.get(f"{door.url}/v1/models/team/large", headers=headers) as answer:
            assert (await answer.json())["object"] == "model"
        async with door.session.get(f"{door.url}/v1/models/huge", headers=headers) as answer:
            assert (await answer.json())["error"]["code"] == "model_not_found"


async def test_health_needs_no_key():
    async with doorway() as door:
        for path in ("healthz", "readyz"):
            async with door.session.get(f"{door.url}/{path}") as answer:
                assert answer.status == 200


async def test_it_can_be_mounted_below_another_application():
    async with world() as it:
        inner = app(it.gateway)

        async def outer(scope: Any, receive: Any, send: Any) -> None:
            await inner({**scope, "root_path": "/llm"}, receive, send)

        async with served(outer) as url, aiohttp.ClientSession() as session:
            door = Doorway(it, f"{url}/llm", session, await it.key())
            assert (await door.chat()).status == 200


# ------------------------------------------------------------------ keys


@pytest.mark.parametrize("key", ["", "sk-strata-nonsense", "x" * 10_000])
async def test_without_a_known_key_nothing_opens(key: str):
    async with doorway() as door:
        answer = await door.chat(key=key)
        error = (await answer.json())["error"]
        assert (answer.status, error["code"]) == (401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert door.world.echo().calls == 0


async def test_an_expired_key_says_that_it_has_expired():
    async with doorway() as door:
        keys = door.world.gateway.keys
        soon = now() + timedelta(seconds=0.05)
        _, plain = await keys.create(OPERATOR, "short", owner="ines", department="research", expires_at=soon)
        await asyncio.sleep(0.06)
        answer = await door.chat(key=plain)
        assert answer.status == 401
        assert "'short' has expired" in (await answer.json())["error"]["message"]


async def test_a_revoked_key_opens_nothing_from_then_on():
    async with doorway() as door:
        keys = door.world.gateway.keys
        key, plain = await keys.create(OPERATOR, "old", owner="ines", department="research")
        assert (await door.chat(key=plain)).status == 200
        await keys.revoke(OPERATOR, key.id)
        answer = await door.chat(key=plain)
        assert "'old' has been revoked" in (await answer.json())["error"]["message"]
        assert [fact.name for fact in await door.world.facts(KeyCreated)] == ["ci", "old"]
        assert [fact.key for fact in await door.world.facts(KeyRevoked)] == [key.id]


async def test_a_key_may_come_as_other_clients_send_it():
    async with doorway() as door:
        body = {"model": "echo", "messages": [{"role": "user", "content": "hi"}]}
        for header in ("x-api-key", "api-key"):
            url = f"{door.url}/v1/chat/completions"
            async with door.session.post(url, json=body, headers={header: door.key}) as answer:
                assert answer.status == 200


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"[]", None),
        (b'{"model": "echo"}', "messages"),
        (b'{"model": "echo", "messages": []}', "messages"),
        (b'{"model": 7, "messages": [{"role": "user", "content": "x"}]}', "model"),
        (b'{"model": "echo", "messages": [{"role": "user", "content": "x"}], "max_tokens": -1}', "max_tokens"),
        (b'{"model": "echo", "messages": [{"role": "user", "content": "x"}], "n": "many"}', "n"),
        (b'{"model": "echo", "messages": [{"role": "user", "content": "x"}], "stream": "no"}', "stream"),
        (b'{"model": "echo", "messages": ' + b"[" * 900 + b"]" * 900 + b"}", None),
    ],
)
async def test_a_request_that_is_not_well_formed_says_what_to_mend(body: bytes, param: str | None):
    async with doorway() as door:
        headers = {"authorization": f"Bearer {door.key}"}
        async with door.session.post(f"{door.url}/v1/chat/completions", data=body, headers=headers) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["type"], error["param"]) == (400, "invalid_request_error", param)
        assert door.world.echo().calls == 0


async def test_an_unknown_model_is_a_404_with_the_choices():
    async with doorway(echo("small")) as door:
        answer = await door.chat(model="huge")
        assert (await answer.json())["error"] == {
            "message": "no model called 'huge'; there are ['small']",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
        assert answer.status == 404


async def test_an_unknown_path_and_a_wrong_method_are_said():
    async with doorway() as door:
        assert (await door.post("/v1/nothing", {})).status == 404
        async with door.session.get(f"{door.url}/v1/chat/completions") as answer:
            assert answer.status == 405


async def test_a_body_that_is_too_large_is_refused_before_it_is_read():
    async with doorway(max_body=1000) as door:
        answer = await door.chat("x" * 2000)
        assert (answer.status, (await answer.json())["error"]["code"]) == (413, "request_too_large")


async def test_an_exhausted_budget_is_a_429_with_its_name_and_when_it_resets():
    async with doorway(budgets=(budget(5, "department:research", "research", period="day"),)) as door:
        answer = await door.chat()
        error = (await answer.json())["error"]
        assert (answer.status, error["type"], error["code"]) == (429, "insufficient_quota", "budget_exhausted")
        assert "the research budget" in error["message"]
        assert f"{(datetime.now(UTC) + timedelta(days=1)):%Y-%m-%d} 00:00 UTC" in error["message"]
        assert 0 < int(answer.headers["retry-after"]) <= 86_400
        assert answer.headers["x-should-retry"] == "false"
        (fact,) = await door.world.facts(CallRefused)
        assert fact.budget == "the research budget"


async def test_too_many_requests_are_a_429_with_when_to_come_back():
    async with doorway(requests_per_minute=1) as door:
        assert (await door.chat()).status == 200
        answer = await door.chat()
        assert (answer.status, (await answer.json())["error"]["type"]) == (429, "rate_limit_error")
        assert 0 < int(answer.headers["retry-after"]) <= 60


@pytest.mark.parametrize("header", ["idempotency-key", "x-request-id"])
async def test_a_request_sent_again_is_neither_made_nor_charged_again(vendor: MockVendor, header: str):
    async with doorway(at(vendor), budgets=(budget(10_000),)) as door:
        assert (await door.chat(headers={header: "abc"})).status == 200
        again = await door.chat(headers={header: "abc"})
        assert (again.status, (await again.json())["error"]["code"]) == (409, "request_id_in_use")
        assert len(vendor.requests) == 1
        assert await door.world.standing() == (28, 0)


async def test_a_trace_id_shared_by_different_requests_does_not_stop_them(vendor: MockVendor):
    async with doorway(at(vendor)) as door:
        for text in ("one", "two"):
            assert (await door.chat(text, headers={"x-request-id": "trace-1"})).status == 200


async def test_the_same_id_from_another_key_is_another_request(vendor: MockVendor):
    async with doorway(at(vendor)) as door:
        for key in (door.key, await door.world.key()):
            assert (await door.chat(key=key, headers={"idempotency-key": "abc"})).status == 200


# ------------------------------------------------------------------ vendors that fail


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ("mock;fail=429;retry=9", 429, "rate_limit_exceeded"),
        ("mock;fail=500", 502, "upstream_broken"),
        ("mock;fail=400", 400, "upstream_refused"),
        ("mock;fail=401", 502, "upstream_broken"),
        ("mock;fail=404", 502, "upstream_broken"),
        ("mock;garbage", 502, "upstream_broken"),
        ("mock;html", 502, "upstream_broken"),
        ("mock;drop=0", 502, "upstream_broken"),
        ("mock;hang", 502, "upstream_broken"),
    ],
)
async def test_each_way_a_vendor_fails_has_one_clear_answer(vendor: MockVendor, script: str, status: int, code: str):
    models = at(vendor, script, timeout=0.2)
    async with doorway(models, budgets=(budget(10_000),)) as door:
        answer = await door.chat()
        error = (await answer.json())["error"]
        assert (answer.status, error["code"]) == (status, code)
        assert "sk-vendor" not in error["message"]
        assert answer.headers.get("retry-after") == ("9" if status == 429 else None)
        (fact,) = await door.world.facts()
        assert (fact.outcome, fact.cost_micros) == ("failed", 0)
        assert await door.world.standing() == (0, 0)


@pytest.mark.parametrize("script", ["mock;fail=500", "mock;html", "mock;drop=0", "mock;hang"])
async def test_a_stream_that_never_began_is_an_error_with_a_status(vendor: MockVendor, script: str):
    async with doorway(at(vendor, script, first_token_timeout=0.2)) as door:
        assert (await door.chat(stream=True)).status == 502


@pytest.mark.parametrize("script", ["mock;drop=2", "mock;error=2", "mock;garbage", "mock;silent=1"])
async def test_a_stream_that_breaks_off_ends_with_an_error_and_is_paid_for_what_was_said(
    vendor: MockVendor, script: str
):
    async with doorway(at(vendor, script, first_token_timeout=0.2), budgets=(budget(10_000),)) as door:
        *pieces, last = await events(await door.chat(stream=True))
        assert pieces[0]["choices"][0]["delta"]["content"]
        assert last["error"]["code"] == "upstream_broken"
        (fact,) = await door.world.facts()
        assert (fact.outcome, fact.estimated) == ("failed", True)
        assert fact.cost_micros > 0
        assert await door.world.standing() == (fact.cost_micros, 0)


async def test_an_answer_larger_than_allowed_is_not_taken_in(vendor: MockVendor):
    async with doorway(at(vendor, "mock;huge=100000", options={"max_response": 1000})) as door:
        assert (await door.chat()).status == 502


async def test_a_vendor_that_cannot_be_reached_is_said(vendor: MockVendor):
    model = at(vendor)
    await vendor.close()
    async with doorway(model) as door:
        answer = await door.chat()
        assert answer.status == 502
        assert "cannot be reached" in (await answer.json())["error"]["message"]


# ------------------------------------------------------------------ clients that leave


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_who_leaves_stops_the_vendor_and_pays_for_what_was_used(vendor: MockVendor, stream: bool):
    script = "mock;chunks=20;delay=0.05" if stream else "mock;hang"
    async with doorway(at(vendor, script), budgets=(budget(10_000),)) as door:
        body = {"model": "echo", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        headers = {"authorization": f"Bearer {door.key}"}
        reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rpartition(":")[2]))
        data = json.dumps(body).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{head}".encode())
        writer.write(f"content-length: {len(data)}\r\n\r\n".encode() + data)
        if stream:
            await reader.readuntil(b"data: ")
        else:
            await until(lambda: vendor.requests)
        await asyncio.sleep(0.05)
        writer.close()
        await until(lambda: vendor.requests[0].ended != "under way")
        assert vendor.requests[0].ended == "client-gone"
        await until(lambda: not door.world.gateway.till.limits.under_way)
        (fact,) = await door.world.facts()
        assert (fact.outcome, fact.estimated, fact.streamed) == ("client-gone", True, stream)
        assert (0 < fact.usage.completion_tokens < 20) == stream
        assert await door.world.standing() == (fact.cost_micros, 0)


async def test_what_a_client_gone_costs_never_exceeds_its_reservation(vendor: MockVendor):
    async with doorway(at(vendor, "mock;chunks=26;delay=0.01;nousage")) as door:
        headers = {"authorization": f"Bearer {door.key}"}
        body = {"model": "echo", "messages": [{"role": "user", "content": "hi"}], "stream": True, "max_tokens": 3}
        async with door.session.post(f"{door.url}/v1/chat/completions", json=body, headers=headers) as answer:
            await answer.content.readline()
            await asyncio.sleep(0.1)
        await until(lambda: not door.world.gateway.till.limits.under_way)
        (fact,) = await door.world.facts()
        assert fact.usage.completion_tokens <= 3


async def test_the_store_keeps_no_key_and_no_prompt(vendor: MockVendor):
    async with doorway(at(vendor)) as door:
        await door.chat("a very private question")
        await door.world.gateway.settled()
        kept = b"".join(cell.data for cell in door.world.records.cells.values())
        assert door.key.encode() not in kept
        assert b"private question" not in kept
        assert b"sk-vendor" not in kept
        assert TENANT.encode() in kept
