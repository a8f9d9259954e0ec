"""Every API at every vendor: who leaves pays, guardrails see each text once and everywhere, nothing is lost in between."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from strata.gateway.door.http import app
from strata.gateway.guardrail import Submission, Text
from strata.gateway.guards.guarding import Guards
from strata.gateway.options import Deployment, GuardrailOptions
from strata.testing.vendor import MockVendor

from .conftest import PRICE, Doorway, budget, doorway, echo, served
from .test_clients import behind

HI = [{"role": "user", "content": "hi"}]
BODIES: dict[str, Any] = {
    "/v1/chat/completions": {"model": "echo", "messages": HI},
    "/v1/responses": {"model": "echo", "input": "hi"},
    "/v1/messages": {"model": "echo", "messages": HI, "max_tokens": 50},
}
APIS = list(BODIES)
KINDS = ["openai", "plain", "anthropic"]


def events(text: str) -> list[Any]:
    """The data of a stream's events, without `[DONE]`."""
    lines = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.005)


# ------------------------------------------------------------------ who leaves pays


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", APIS)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_who_disconnects_leaves_a_usage_row_and_no_reservation(
    vendor: MockVendor, path: str, kind: str, stream: bool
):
    model = behind(kind, vendor, "mock;chunks=20;delay=0.03" if stream else "mock;hang")
    async with doorway(model, budgets=(budget(10_000),)) as door:
        _, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rpartition(":")[2]))
        data = json.dumps({**BODIES[path], "stream": stream}).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {door.key}\r\ncontent-length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        if stream:
            await until(lambda: vendor.requests and vendor.requests[0].pieces >= 8)
        else:
            await until(lambda: vendor.requests)
            await asyncio.sleep(0.03)
        writer.close()
        await until(lambda: vendor.requests and vendor.requests[0].ended != "under way")
        assert vendor.requests[0].ended == "client-gone"
        await until(lambda: not door.world.gateway.till.limits.under_way)
        (fact,) = await door.world.facts()
        assert (fact.outcome, fact.streamed, fact.estimated) == ("client-gone", stream, True)
        assert (0 < fact.usage.completion_tokens < 20) == stream
        assert 0 < fact.cost_micros < 200
        assert await door.world.standing() == (fact.cost_micros, 0)


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/audio/speech", "/v1/rerank", "/v1/messages"])
async def test_no_route_passes_by_an_exhausted_budget(vendor: MockVendor, path: str):
    kinds: dict[str, Any] = {"images": "image", "audio": "speech", "rerank": "rerank", "messages": "chat"}
    kind = kinds[path.split("/")[2]]
    options = {"base_url": vendor.base_url, "api_key": "sk-vendor"}
    model = Deployment("echo", kind, "openai", "mock", price=replace(PRICE, request=50), options=options)
    async with doorway(model, budgets=(budget(40),)) as door:
        asks = {"prompt": "ice", "input": "ice", "voice": "alloy", "query": "ice", "documents": ["a"], "messages": HI}
        answer = await door.post(path, {"model": "echo", **asks})
        assert answer.status == 429
        assert not vendor.requests


# ------------------------------------------------------------------ guardrails


@dataclass
class Loud:
    """Makes every answer loud, and holds back the last two characters for as long as it can."""

    held: dict[str, str] = field(default_factory=dict)

    async def piece(self, text: Text) -> str:
        whole = self.held.get(text.channel, "") + text.value
        self.held[text.channel] = whole[-2:]
        return whole[:-2].upper()

    async def end(self, channel: str) -> str:
        return self.held.pop(channel, "").upper()


class Shouting:
    name = "shouting"
    reads = True

    async def request(self, submission: Submission) -> None:
        for text in submission.texts:
            text.replace(text.value.replace("hi", "HELLO"))

    def answer(self, submission: Submission) -> Loud:
        return Loud()


async def shouting(door: Doorway, path: str, **more: Any) -> str:
    guards = Guards(((GuardrailOptions("shouting"), Shouting()),))  # type: ignore[arg-type]
    async with served(app(replace(door.world.gateway, guards=guards))) as url:
        other = Doorway(door.world, url, door.session, door.key)
        return await (await other.post(path, {**BODIES[path], **more})).text()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", APIS)
@pytest.mark.parametrize("stream", [True, False])
async def test_what_a_guardrail_changes_is_changed_in_every_place_that_says_it(
    vendor: MockVendor, path: str, kind: str, stream: bool
):
    async with doorway(behind(kind, vendor, "mock;think")) as door:
        text = await shouting(door, path, stream=stream)
        assert "mock" not in text.replace("mock;", "").replace("_mock", "").replace("-mock", "")
        assert "Hm" not in text
        sent = json.dumps(vendor.requests[-1].body)
        assert "HELLO" in sent
        if not stream:
            assert "THIS IS THE MOCK'S ANSWER." in text
        elif path == "/v1/responses":
            found = events(text)
            assert [it["sequence_number"] for it in found] == list(range(len(found)))
            deltas = "".join(it["delta"] for it in found if it["type"] == "response.output_text.delta")
            done = next(it["text"] for it in found if it["type"] == "response.output_text.done")
            message = next(it for it in found[-1]["response"]["output"] if it["type"] == "message")
            final = message["content"][0]["text"]
            assert deltas == done == final == "THIS IS THE MOCK'S ANSWER."
        elif path == "/v1/messages":
            deltas = "".join(it["delta"].get("text", "") for it in events(text) if it["type"] == "content_block_delta")
            assert deltas == "THIS IS THE MOCK'S ANSWER."


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", APIS)
async def test_a_guardrail_sees_the_arguments_of_tools_in_streams_too(vendor: MockVendor, path: str, kind: str):
    async with doorway(behind(kind, vendor, "mock;tools")) as door:
        text = await shouting(door, path, stream=True)
        assert "ice" not in text.replace("choice", "").replace("service", "")
        assert "ICE" in text


# ------------------------------------------------------------------ costs and headers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", APIS)
async def test_every_stream_ends_with_its_cost(vendor: MockVendor, path: str, kind: str):
    async with doorway(behind(kind, vendor, "mock;cached=4")) as door:
        answer = await door.post(path, {**BODIES[path], "stream": True, "stream_options": {"include_usage": True}})
        assert answer.headers["x-strata-deployment"] == "echo"
        found = events(await answer.text())
        end = next(it for it in reversed(found) if it.get("type") != "message_stop")
        used = (end.get("response") or end)["usage"]
        assert (used["cost_micros"], used["currency"]) == (28, "USD")
        if path == "/v1/messages":
            assert (used["input_tokens"], used["cache_read_input_tokens"]) == (8, 4)
        elif path == "/v1/responses":
            assert (used["input_tokens"], used["input_tokens_details"]["cached_tokens"]) == (12, 4)


@pytest.mark.parametrize("path", [f"{prefix}{path}" for prefix in ("/openai", "/anthropic") for path in APIS])
async def test_the_addresses_of_other_gateways_lead_here_too(path: str):
    async with doorway() as door:
        answer = await door.post(path, BODIES[path.partition("/v1")[1] + path.partition("/v1")[2]])
        assert (answer.status, answer.headers["x-strata-deployment"]) == (200, "echo")


@pytest.mark.parametrize("way", ["gzip", "deflate", "raw deflate"])
async def test_a_packed_body_is_read_but_only_up_to_the_limit(way: str):
    def packed(body: Any) -> bytes:
        data = json.dumps(body).encode()
        if way == "raw deflate":
            packing = zlib.compressobj(wbits=-15)
            return packing.compress(data) + packing.flush()
        return gzip.compress(data) if way == "gzip" else zlib.compress(data)

    async with doorway(max_body=10_000) as door:
        headers = {"authorization": f"Bearer {door.key}", "content-encoding": way.rpartition(" ")[2]}
        for text, status in (("hi", 200), ("x" * 1_000_000, 413)):
            body = {"model": "echo", "messages": [{"role": "user", "content": text}]}
            url = f"{door.url}/v1/chat/completions"
            async with door.session.post(url, data=packed(body), headers=headers) as answer:
                assert answer.status == status
        async with door.session.post(url, data=packed({"model": "echo"})[:12], headers=headers) as answer:
            assert answer.status == 400
        async with door.session.post(url, data=b"x", headers={**headers, "content-encoding": "br"}) as answer:
            assert answer.status == 415


async def test_errors_have_the_shape_of_the_api_that_was_called():
    async with doorway(echo(fail="broken")) as door:
        message = await (await door.post("/v1/messages", BODIES["/v1/messages"])).json()
        assert (message["type"], message["error"]["type"]) == ("error", "api_error")
        assert message["request_id"]
        response = await (await door.post("/v1/responses", BODIES["/v1/responses"])).json()
        assert response["error"]["code"] == "upstream_broken"


async def test_too_many_calls_at_once_are_overloaded_in_anthropics_words():
    async with doorway(max_concurrent=0) as door:
        answer = await door.post("/v1/messages", BODIES["/v1/messages"])
        assert (answer.status, (await answer.json())["error"]["type"]) == (529, "overloaded_error")
        assert answer.headers["retry-after"] == "1"


async def test_headers_say_the_session_and_how_confidential_the_request_is():
    async with doorway() as door:
        headers = {"x-strata-session": "s1", "x-strata-classification": "internal"}
        assert (await door.post("/v1/messages", BODIES["/v1/messages"], **headers)).status == 200
        headers["x-strata-classification"] = "nonsense"
        assert (await door.post("/v1/messages", BODIES["/v1/messages"], **headers)).status == 400


# ------------------------------------------------------------------ what cannot be said elsewhere


@pytest.mark.parametrize(
    ("path", "more", "param"),
    [
        ("/v1/messages", {"mcp_servers": [{"name": "x"}]}, "mcp_servers"),
        ("/v1/messages", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools"),
        ("/v1/responses", {"previous_response_id": "resp_1"}, "previous_response_id"),
        ("/v1/responses", {"store": True}, "store"),
        ("/v1/responses", {"tools": [{"type": "file_search", "vector_store_ids": ["x"]}]}, "tools"),
    ],
)
async def test_what_only_one_vendor_can_do_is_refused_elsewhere_with_the_reason(path: str, more: Any, param: str):
    async with doorway() as door:
        answer = await door.post(path, {**BODIES[path], **more})
        body = await answer.json()
        assert answer.status == 400
        assert param.rstrip("s") in body["error"]["message"]
        assert door.world.echo().calls == 0
        assert (await door.post(path, BODIES[path])).status == 200


async def test_unknown_fields_reach_a_vendor_of_the_same_dialect_untouched(vendor: MockVendor):
    for kind, path in (("anthropic", "/v1/messages"), ("openai", "/v1/responses"), ("openai", "/v1/chat/completions")):
        async with doorway(behind(kind, vendor)) as door:
            await door.post(path, {**BODIES[path], "x_new": {"deep": [1, None]}}, **{"anthropic-beta": "new-1,new-2"})
            assert vendor.requests[-1].body["x_new"] == {"deep": [1, None]}
            if kind == "anthropic":
                assert vendor.requests[-1].headers["anthropic-beta"] == "new-1,new-2"


@pytest.mark.parametrize("path", APIS)
async def test_a_request_that_names_no_model_goes_to_the_default_where_there_is_one(path: str):
    body = {name: value for name, value in BODIES[path].items() if name != "model"}
    async with doorway(echo("default"), echo("other")) as door:
        answer = await door.post(path, body)
        assert (answer.status, answer.headers["x-strata-deployment"]) == (200, "default")
        assert (await door.post("/v1/embeddings", {"input": "hi"})).status == 400
    async with doorway(echo("only")) as door:
        assert (await door.post(path, body)).headers["x-strata-deployment"] == "only"
    async with doorway(echo("one"), echo("two")) as door:
        assert (await door.post(path, body)).status == 400


async def test_a_vendor_is_asked_to_store_nothing_and_gets_only_what_stands_for_itself(vendor: MockVendor):
    given = [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "E"},
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "lookup", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "cold"},
    ]
    async with doorway(behind("openai", vendor)) as door:
        assert (await door.post("/v1/responses", {"model": "echo", "input": given, "background": True})).status == 200
        sent = vendor.requests[-1].body
        assert sent["store"] is False
        assert "background" not in sent
        assert [item.get("id") for item in sent["input"]] == [None, "rs_2", None, None]
        await door.post("/v1/responses", {"model": "echo", "input": given, "store": True})
        assert vendor.requests[-1].body["input"] == given


async def test_the_probabilities_of_tokens_do_not_say_what_a_guardrail_took_out(vendor: MockVendor):
    likely = {"content": [{"token": "mock", "logprob": -0.1, "bytes": None, "top_logprobs": []}], "refusal": None}
    async with doorway(behind("openai", vendor)) as door:
        route = door.world.gateway.router.routes["echo"]
        answer_whole = type(route.provider).whole

        async def whole(self: Any, operation: str, request: Any) -> Any:
            found = await answer_whole(self, operation, request)
            found["choices"][0]["logprobs"] = likely
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(route.provider), "whole", whole)
            text = await shouting(door, "/v1/chat/completions", logprobs=True)
        assert '"token"' not in text
