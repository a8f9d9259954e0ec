"""Vendors that speak OpenAI's dialect: real recorded traffic is played back. OpenAI's own passes untouched; of others'
nothing is lost, and what they say in ways of their own can be read in the common one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from strata.errors import Invalid, Misconfigured, RateLimited, StrataError, UpstreamBroken, UpstreamRefused
from strata.gateway.options import Deployment
from strata.gateway.providers import openai
from strata.gateway.translations import openai_family as family
from strata.gateway.wire.multipart import with_field
from strata.types import Json

from .published import mistakes
from .replay import Exchange, Replay, exchanges

ROWS = {
    "api.openai.com": "openai",
    "pydantic-ai-realtime-dev.openai.azure.com": "azure",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.deepseek.com": "deepseek",
    "api.cerebras.ai": "cerebras",
    "router.huggingface.co": "huggingface",
    "ollama.com": "ollama",
    "localhost": "ollama",
    "openrouter.ai": "openrouter",
    "api.z.ai": "zai",
    "api.voyageai.com": "voyage",
    "generativelanguage.googleapis.com": "gemini",
}
OPERATIONS = {"/chat/completions": "chat", "/responses": "responses", "/embeddings": "embeddings"}
REASONS = {"stop", "length", "tool_calls", "content_filter", "function_call"}
ERRORS = {400: UpstreamRefused, 404: UpstreamBroken, 429: RateLimited}


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with Replay() as running:
        yield running


def operation(exchange: Exchange) -> str:
    path = urlsplit(exchange.url).path
    return next((it for end, it in OPERATIONS.items() if path.endswith(end)), "")


@pytest.fixture(scope="module")
def recorded(shared) -> list[Exchange]:
    wire = shared / "data" / "wire"
    found = [
        exchange
        for folder in (wire / "recordings_pydantic_ai" / "files", wire / "recordings_simonw_llm" / "llm")
        for exchange in exchanges(folder)
        if exchange.host in ROWS and exchange.method == "POST" and operation(exchange)
    ]
    assert len(found) > 200
    return found


def at(replay: Replay, exchange: Exchange) -> openai.OpenAI:
    """A deployment at the address where the exchange was recorded."""
    path = urlsplit(exchange.url).path
    base = replay.url + path[: -len(next(end for end in OPERATIONS if path.endswith(end)))]
    sent = exchange.sent
    options = {"base_url": base, "api_key": "sk-test", "operations": ["responses"]}
    return openai.make(ROWS[exchange.host], Deployment("m", "chat", "openai", sent["model"], options=options))


def events_of(exchange: Exchange) -> list[Json]:
    lines = exchange.answer.decode().splitlines()
    return [json.loads(line[5:]) for line in lines if line.startswith("data:") and line[5:].strip() != "[DONE]"]


async def all_of(provider: openai.OpenAI, exchange: Exchange) -> list[Json]:
    stream = provider.stream(operation(exchange), exchange.sent)
    return [it async for some in stream for it in some]


def kept(wanted: Any, found: Any, path: str = "$") -> list[str]:
    """Where something that the vendor said is no longer there, or otherwise. What was added does not count."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [wrong for name, value in wanted.items() for wrong in (kept(value, found.get(name), f"{path}.{name}"))]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            wrong
            for at_, (one, two) in enumerate(zip(wanted, found, strict=True))
            for wrong in kept(one, two, f"{path}[{at_}]")
        ]
    return [] if wanted == found else [f"{path}: {str(wanted)[:80]!r} became {str(found)[:80]!r}"]


MENDED = (
    '.message.content: "[{',
    ".tool_calls[0].id: ''",
    ".finish_reason: 'stop' became 'tool_calls'",
    ".completion_tokens",
    ".message.content: '[{",
    "arguments: '' became '{}'",
    "arguments: 'None'",
    "prompt_tokens_details: 'None'",
    "usage: 'None'",
)
"""What may be put otherwise: text in parts, calls without an id, the reason to end where tools are called, tokens that
stood only in the total, and places that were empty."""


# ------------------------------------------------------------------ what was recorded


async def test_every_recorded_whole_answer_passes(recorded, replay, shared):
    identical = seen = 0
    for exchange in recorded:
        if exchange.streamed or exchange.status != 200:
            continue
        provider = at(replay, exchange)
        replay.play(exchange)
        answer = await provider.whole(operation(exchange), exchange.sent)
        wanted = exchange.answered
        assert replay.got[-1].json == passing(exchange.sent), exchange.id
        if provider.vendor.exact or operation(exchange) == "responses":
            seen += 1
            identical += answer == wanted
        else:
            wrong = [it for it in kept(wanted, answer) if not any(mended in it for mended in MENDED)]
            assert wrong == [], exchange.id
        if operation(exchange) == "chat":
            must_be_read(answer, wanted, exchange.id)
        await provider.close()
    assert seen > 80
    assert identical == seen


def passing(sent: Json) -> Json:
    """What a caller asks for passes as it came, but for other models: it may call, and pays for, the one it named."""
    return {name: value for name, value in sent.items() if name != "models"}


def must_be_read(answer: Json, wanted: Json, where: str) -> None:
    """Text, thoughts, calls, the reason to end and usage can be read in the common way, and are the vendor's."""
    choice, told = answer["choices"][0], wanted["choices"][0]
    message, said = choice["message"], told["message"]
    assert choice["finish_reason"] in REASONS, where
    assert isinstance(message.get("content"), str | None), where
    text, thoughts = said.get("content"), said.get("reasoning_content") or said.get("reasoning")
    if isinstance(text, list):
        thoughts = "".join(it["text"] for part in text if part["type"] == "thinking" for it in part["thinking"])
        text = "".join(part["text"] for part in text if part["type"] == "text")
    assert (message.get("content") or "") == (text or ""), where
    assert (message.get("reasoning_content") or "") == (thoughts or ""), where
    calls = message.get("tool_calls") or []
    assert [(it["function"]["name"], json.loads(it["function"]["arguments"])) for it in calls] == [
        (it["function"]["name"], json.loads(it["function"].get("arguments") or "{}"))
        for it in said.get("tool_calls") or []
    ], where
    assert all(it["id"] and it["type"] == "function" for it in calls), where
    assert (choice["finish_reason"] == "tool_calls") == bool(calls), where
    usage = answer["usage"]
    assert (
        usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"] == wanted["usage"]["total_tokens"]
    )


async def test_every_recorded_stream_passes(recorded, replay):
    seen = identical = 0
    for exchange in recorded:
        if not exchange.streamed or b'"error":{' in exchange.answer.partition(b"[DONE]")[0].replace(b'"error":{}', b""):
            continue
        provider = at(replay, exchange)
        replay.play(exchange)
        found, wanted = await all_of(provider, exchange), events_of(exchange)
        sent = replay.got[-1].json
        if exchange.sent.get("stream_options") is None:
            sent.pop("stream_options", None)
        assert sent == passing(exchange.sent), exchange.id
        if provider.vendor.exact or operation(exchange) == "responses":
            seen += 1
            identical += found == wanted
        else:
            assert [it for it in kept(wanted, found) if not any(mended in it for mended in MENDED)] == [], exchange.id
        if operation(exchange) == "chat":
            heard = joined(found)
            assert heard["text"] == "".join(d.get("content") or "" for d in deltas(wanted)), exchange.id
            thoughts = [d.get("reasoning_content") or d.get("reasoning") or "" for d in deltas(wanted)]
            assert heard["thoughts"] == "".join(thoughts), exchange.id
            if provider.vendor.exact and heard["reason"] == "":
                continue  # one recording has none, and OpenAI's own is passed as it came
            assert heard["reason"] in REASONS, exchange.id
            assert (heard["reason"] == "tool_calls") == bool(heard["calls"]), exchange.id
            for name, arguments in heard["calls"]:
                assert name, exchange.id
                json.loads(arguments or "{}")
        await provider.close()
    assert seen > 20
    assert identical == seen


def deltas(chunks: list[Json]) -> list[Json]:
    return [choice["delta"] for chunk in chunks for choice in chunk.get("choices") or ()]


def joined(chunks: list[Json]) -> Json:
    calls: dict[int, list[str]] = {}
    for delta in deltas(chunks):
        for call in delta.get("tool_calls") or ():
            call_ = calls.setdefault(call["index"], ["", ""])
            call_[0] += call["function"].get("name") or ""
            call_[1] += call["function"].get("arguments") or ""
    reasons = [choice.get("finish_reason") for chunk in chunks for choice in chunk.get("choices") or ()]
    return {
        "text": "".join(delta.get("content") or "" for delta in deltas(chunks)),
        "thoughts": "".join(delta.get("reasoning_content") or "" for delta in deltas(chunks)),
        "calls": [(name, arguments) for name, arguments in calls.values()],
        "reason": next((reason for reason in reversed(reasons) if reason), ""),
        "usage": next((chunk["usage"] for chunk in reversed(chunks) if chunk.get("usage")), None),
    }


@pytest.mark.parametrize("cut", [3, 501])
async def test_a_recorded_stream_is_the_same_however_its_bytes_are_cut(recorded, cut):
    async with Replay(cut=cut) as replay:
        played = [it for it in recorded if it.streamed and len(it.answer) < 9000 and b'"error":{' not in it.answer]
        assert len(played) > 3
        for exchange in played[:8]:
            provider = at(replay, exchange)
            if provider.vendor.exact:
                replay.play(exchange)
                assert await all_of(provider, exchange) == events_of(exchange), exchange.id
            await provider.close()


async def test_every_recorded_error_is_the_one_that_says_what_to_do(recorded, replay):
    played = [it for it in recorded if it.status >= 400]
    assert len(played) > 10
    for exchange in played:
        provider = at(replay, exchange)
        replay.play(exchange)
        with pytest.raises(ERRORS[exchange.status]) as caught:
            await provider.whole(operation(exchange), exchange.sent)
        if exchange.status == 400:
            told = exchange.answered
            assert caught.value.detail == (told["error"]["message"] if "error" in told else told["detail"])[:1000]
        await provider.close()


async def test_an_error_in_the_middle_of_a_recorded_stream_ends_it_as_one(recorded, replay):
    played = [it for it in recorded if it.id.startswith("test_openrouter/test_openrouter_stream_error")]
    assert played
    for exchange in played:
        provider = at(replay, exchange)
        replay.play(exchange)
        found: list[Json] = []
        with pytest.raises(StrataError):
            async for some in provider.stream("chat", exchange.sent):
                found += some
        assert found
        await provider.close()


async def test_the_published_description_fits_what_the_family_says(recorded, replay, shared):
    """Where an answer fitted before, it fits now; where it did not, it does if that could be mended."""
    fits = 0
    for exchange in recorded:
        if exchange.streamed or exchange.status != 200 or operation(exchange) != "chat":
            continue
        provider = at(replay, exchange)
        replay.play(exchange)
        answer = await provider.whole("chat", exchange.sent)
        before = mistakes(shared, "CreateChatCompletionResponse", exchange.answered)
        after = mistakes(shared, "CreateChatCompletionResponse", answer)
        assert len(after) <= len(before), exchange.id
        assert not [
            it for it in after if "tool_calls" in it or "usage" in it or "finish_reason" in it or ".content:" in it
        ], exchange.id
        fits += not after
        await provider.close()
    assert fits > 30


# ------------------------------------------------------------------ ways of their own


def chunk(delta: Json, reason: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice], **more}


def read(*chunks: Json) -> Json:
    common = family.Chunks()
    return joined([common.chunk(it) for it in chunks])


def call(name: str = "", arguments: str = "", **more: Any) -> Json:
    return {**more, "function": {**({"name": name} if name else {}), "arguments": arguments}}


async def test_a_recorded_stream_without_a_reason_to_end_gets_one_so_that_agents_go_on(recorded, replay):
    """Peers' agents stopped silently where the reason was lost."""
    played = [it for it in recorded if it.cassette.endswith(("streaming_variant_a", "streaming_variant_d"))]
    assert len(played) == 4
    for exchange in played:
        replay.play(exchange)
        base = f"{replay.url}/v1"
        options = {"base_url": base, "api_key": "k"}
        provider = openai.make("openrouter", Deployment("m", "chat", "openai", "m", options=options))
        heard = joined(await all_of(provider, exchange))
        assert heard["reason"] == ("tool_calls" if heard["calls"] else "stop")
        assert heard["calls"] in ([], [("llm_version", "{}")])
        await provider.close()


def test_calls_without_a_number_are_told_apart():
    heard = read(
        chunk({"tool_calls": [call("a", '{"x"', id="1")]}),
        chunk({"tool_calls": [call(arguments=":1}")]}),
        chunk({"tool_calls": [call("b", "{}", id="2")]}, "stop"),
    )
    assert heard["calls"] == [("a", '{"x":1}'), ("b", "{}")]
    assert heard["reason"] == "tool_calls"


def test_parallel_calls_that_all_have_the_number_zero_are_told_apart():
    """Peers lost all but the last of several calls."""
    heard = read(
        chunk({"tool_calls": [call("a", '{"x":1}', id="1", index=0)]}),
        chunk({"tool_calls": [call("b", '{"y":2}', id="2", index=0)]}, "tool_calls"),
    )
    assert heard["calls"] == [("a", '{"x":1}'), ("b", '{"y":2}')]


def test_a_call_without_an_id_gets_one_and_arguments_that_are_no_text_become_text():
    answer = family.completion(
        {
            "id": "c",
            "choices": [
                {
                    "message": {"tool_calls": [{"function": {"name": "a", "arguments": {"x": 1}}}]},
                    "finish_reason": "stop",
                }
            ],
        }
    )
    (made,) = answer["choices"][0]["message"]["tool_calls"]
    assert made["id"].startswith("call_")
    assert (made["type"], json.loads(made["function"]["arguments"])) == ("function", {"x": 1})
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("usage", "wanted"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 22, "completion_tokens_details": {"reasoning_tokens": 7}}, (10, 12, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 22}, (10, 12, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "prompt_cache_hit_tokens": 4}, (10, 5, 4)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cached_tokens": 3}, (10, 5, 3)),
        ({"total_tokens": 9}, (9, None, 0)),
    ],
)  # fmt: skip
def test_tokens_are_counted_once_and_all(usage, wanted):
    """Peers billed cached tokens twice, and some left thoughts out."""
    found = family.completion({"choices": [], "usage": dict(usage)})["usage"]
    cached = (found.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    assert (found["prompt_tokens"], found.get("completion_tokens"), cached) == wanted


def test_usage_in_groqs_and_moonshots_places_is_found():
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert read(chunk({}, "stop", x_groq={"usage": dict(usage)}))["usage"] == usage
    last = chunk({}, "stop")
    last["choices"][0]["usage"] = dict(usage)
    assert read(last)["usage"] == usage


def test_thoughts_in_parts_are_text_and_reasoning():
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
    heard = read(chunk({"content": parts[:1]}), chunk({"content": parts[1:]}), chunk({"content": "!"}, "stop"))
    assert (heard["text"], heard["thoughts"]) == ("yes!", "hm")


def test_parts_that_are_neither_text_nor_thoughts_are_kept_beside():
    reference = {"type": "reference", "reference_ids": [1, 2]}
    message = {"content": [{"type": "text", "text": "as said"}, reference]}
    answer = family.completion({"choices": [{"message": message, "finish_reason": "stop"}]})
    assert answer["choices"][0]["message"] == {"content": "as said", "provider_fields": {"content": [reference]}}


async def sent(replay: Replay, row: str, body: Json, **options: Any) -> Json:
    """What the vendor of this row is sent."""
    answer = {
        "id": "a",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
    }
    replay.play(exchange("/v1/chat/completions", 200, answer))
    provider = openai.make(
        row, Deployment("m", "chat", "openai", "m", options={"base_url": f"{replay.url}/v1", "api_key": "k", **options})
    )
    await provider.whole("chat", body)
    await provider.close()
    return dict(replay.got[-1].json)


def exchange(path: str, status: int, answer: Any, kind: str = "application/json", **headers: str) -> Exchange:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Exchange("made", 0, "POST", f"https://x{path}", {}, b"", status, {"content-type": kind, **headers}, body)


THOUGHT = {
    "role": "assistant",
    "content": "yes",
    "reasoning_content": "hm",
    "provider_fields": {"thought_signature": "s"},
}


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ("deepseek", {"role": "assistant", "content": "yes", "reasoning_content": "hm"}),
        ("groq", {"role": "assistant", "content": "yes", "reasoning": "hm"}),
        ("perplexity", {"role": "assistant", "content": "yes"}),
        ("mistral", {"role": "assistant", "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]}),
    ],
)  # fmt: skip
async def test_thoughts_of_earlier_answers_go_back_under_the_vendors_name(replay, row, wanted):
    body = {"messages": [{"role": "user", "content": "?"}, dict(THOUGHT)]}
    assert (await sent(replay, row, body))["messages"][1] == wanted
    assert body["messages"][1] == THOUGHT


async def test_a_conversation_with_another_vendors_ids_can_go_on_at_mistral(replay):
    """It takes nine letters and digits, and nothing else."""
    made = {"id": "toolu_01A09q90qw90lq917835lq9", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "assistant", "tool_calls": [made]},
        {"role": "tool", "tool_call_id": made["id"], "content": "1"},
    ]
    one, two = (await sent(replay, "mistral", {"messages": messages}))["messages"]
    assert one["tool_calls"][0]["id"] == two["tool_call_id"]
    assert len(two["tool_call_id"]) == 9


async def test_developers_words_are_the_systems_where_the_vendor_knows_no_developer(replay):
    body = {"messages": [{"role": "developer", "content": "be brief"}]}
    assert (await sent(replay, "deepseek", body))["messages"][0]["role"] == "system"
    assert (await sent(replay, "openai", body))["messages"][0]["role"] == "developer"


async def test_fields_that_say_nothing_do_not_go_back_to_vendors_that_refuse_them(replay):
    said = {"role": "assistant", "content": "x", "refusal": None, "annotations": [], "own": None}
    assert (await sent(replay, "groq", {"messages": [said]}))["messages"] == [
        {"role": "assistant", "content": "x", "own": None}
    ]
    assert (await sent(replay, "openai", {"messages": [said]}))["messages"] == [said]


async def test_an_error_event_of_the_responses_api_is_an_error(replay):
    event = b'data: {"type":"error","code":"rate_limit_exceeded","message":"slow down","sequence_number":1}\n\n'
    replay.play(exchange("/v1/responses", 200, event, "text/event-stream"))
    provider = openai.make(
        "openai", Deployment("m", "chat", "openai", "m", options={"base_url": f"{replay.url}/v1", "api_key": "k"})
    )
    with pytest.raises(RateLimited, match="slow down"):
        [it async for it in provider.stream("responses", {"input": "x"})]
    await provider.close()


async def test_an_error_with_status_200_is_an_error(replay):
    replay.play(exchange("/v1/chat/completions", 200, {"error": {"code": 429, "message": "slow down"}}))
    provider = openai.make(
        "openrouter", Deployment("m", "chat", "openai", "m", options={"base_url": f"{replay.url}/v1", "api_key": "k"})
    )
    with pytest.raises(RateLimited, match="slow down"):
        await provider.whole("chat", {"messages": []})
    await provider.close()


# ------------------------------------------------------------------ several keys


ANSWER = {
    "id": "a",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}
CHAT = "/v1/chat/completions"


def with_keys(replay: Replay, *keys: str) -> openai.OpenAI:
    options = {"base_url": f"{replay.url}/v1", "api_keys": list(keys)}
    return openai.make("openai", Deployment("m", "chat", "openai", "m", options=options))


async def test_several_keys_are_used_in_turn(replay):
    replay.play(exchange(CHAT, 200, ANSWER))
    provider = with_keys(replay, "a", "b", "c")
    for _ in range(4):
        await provider.whole("chat", {"messages": []})
    assert [it.headers["authorization"] for it in replay.got] == ["Bearer a", "Bearer b", "Bearer c", "Bearer a"]
    await provider.close()


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_key_that_is_refused_rests_and_the_caller_hears_nothing_of_it(replay, status):
    no, yes = exchange(CHAT, status, {"error": {"message": "no"}}, **{"retry-after": "60"}), exchange(CHAT, 200, ANSWER)
    replay.play(no, yes, yes, yes)
    provider = with_keys(replay, "bad", "good")
    for _ in range(3):
        assert (await provider.whole("chat", {"messages": []}))["choices"]
    assert [it.headers["authorization"] for it in replay.got] == [
        "Bearer bad",
        "Bearer good",
        "Bearer good",
        "Bearer good",
    ]
    await provider.close()


async def test_when_every_key_rests_the_caller_is_told_how_long(replay):
    replay.play(exchange(CHAT, 429, {"error": {"message": "no"}}, **{"retry-after": "60"}))
    provider = with_keys(replay, "a", "b")
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            await provider.whole("chat", {"messages": []})
    assert 50 < caught.value.retry_after <= 60
    assert len(replay.got) == 2
    await provider.close()


async def test_a_request_that_is_at_fault_is_not_tried_with_every_key(replay):
    replay.play(exchange(CHAT, 400, {"error": {"message": "bad"}}))
    provider = with_keys(replay, "a", "b")
    with pytest.raises(UpstreamRefused):
        await provider.whole("chat", {"messages": []})
    assert len(replay.got) == 1
    await provider.close()


async def test_a_stream_takes_the_next_key_only_before_it_has_begun(replay):
    begun = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hal"}}]}\n\n'
    limit = b'data: {"error":{"code":429,"message":"limit"}}\n\n'
    done = begun + b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    no = exchange(CHAT, 429, {"error": {"message": "no"}})
    replay.play(no, exchange(CHAT, 200, done, "text/event-stream"))
    provider = with_keys(replay, "a", "b")
    assert joined([it async for some in provider.stream("chat", {"messages": []}) for it in some])["text"] == "hal"
    assert len(replay.got) == 2
    replay.play(exchange(CHAT, 200, begun + limit, "text/event-stream"))
    provider = with_keys(replay, "a", "b")
    with pytest.raises(RateLimited):
        [it async for some in provider.stream("chat", {"messages": []}) for it in some]
    assert len(replay.got) == 1


def test_no_key_is_in_a_description(replay):
    provider = openai.make("openai", Deployment("m", "chat", "openai", options={"api_keys": ["sk-one", "sk-two"]}))
    assert "sk-" not in repr(provider)


# ------------------------------------------------------------------ Azure


def azure(base: str, **options: Any) -> openai.OpenAI:
    return openai.make(
        "azure", Deployment("m", "chat", "openai:azure", "gpt 4o", options={"base_url": base, **options})
    )


@pytest.mark.parametrize(
    ("base", "version", "chat", "responses"),
    [
        ("https://n.openai.azure.com", "", "/openai/v1/chat/completions", "/openai/v1/responses"),
        ("https://n.openai.azure.com/openai/v1/", "", "/openai/v1/chat/completions", "/openai/v1/responses"),
        ("https://n.openai.azure.com/openai/v1", "preview", "/openai/v1/chat/completions?api-version=preview", "/openai/v1/responses?api-version=preview"),
        ("https://n.openai.azure.com", "2024-10-21", "/openai/deployments/gpt%204o/chat/completions?api-version=2024-10-21", "/openai/responses?api-version=2024-10-21"),
        ("https://n.openai.azure.com/openai", "2024-10-21", "/openai/deployments/gpt%204o/chat/completions?api-version=2024-10-21", "/openai/responses?api-version=2024-10-21"),
    ],
)  # fmt: skip
def test_azure_has_addresses_of_two_kinds(base, version, chat, responses):
    provider = azure(base, api_key="k", **({"api_version": version} if version else {}))
    path = provider.upstream.host.path
    assert path + provider.paths["chat"] == chat
    assert path + provider.paths["responses"] == responses


async def test_azure_takes_an_application_of_entra_in_place_of_a_key(replay):
    token = exchange("/t1/oauth2/v2.0/token", 200, {"access_token": "entra", "expires_in": 3599})
    replay.play(token, exchange("/openai/v1/chat/completions", 200, ANSWER))
    provider = azure(replay.url, tenant_id="t1", client_id="c", client_secret="s", authority=replay.url)
    for _ in range(2):
        await provider.whole("chat", {"messages": []})
    assert b"scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default" in replay.got[0].body
    assert [it.headers.get("authorization") for it in replay.got] == [None, "Bearer entra", "Bearer entra"]
    assert "api-key" not in replay.got[1].headers
    await provider.close()


def test_what_entra_needs_is_named():
    with pytest.raises(Misconfigured, match="tenant_id"):
        azure("https://n.openai.azure.com", client_id="c")


# ------------------------------------------------------------------ embeddings, rerank, and what is no JSON


async def test_voyage_and_mixedbread_rerank_in_cohere_s_words(replay):
    request = {"model": "r", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True}
    for row, path, score in (("voyage", "/v1/rerank", "relevance_score"), ("mixedbread", "/v1/reranking", "score")):
        replay.play(exchange(path, 200, {"data": [{"index": 1, score: 0.9}], "usage": {"total_tokens": 5}}))
        provider = openai.make(
            row, Deployment("r", "rerank", "openai", "r", options={"base_url": f"{replay.url}/v1", "api_key": "k"})
        )
        answer = await provider.whole("rerank", request)
        assert answer["results"] == [{"index": 1, "relevance_score": 0.9, "document": {"text": "b"}}]
        assert answer["usage"]["total_tokens"] == 5
        assert replay.got[-1].json["top_k"] == 1
        assert replay.got[-1].json["input" if row == "mixedbread" else "documents"] == ["a", "b"]
        await provider.close()


async def test_speech_comes_back_as_bytes_and_a_form_keeps_every_byte_but_the_model(replay):
    sound = bytes(range(256)) * 4
    replay.play(exchange("/v1/audio/speech", 200, sound, "audio/mpeg"))
    provider = openai.make(
        "openai", Deployment("m", "speech", "openai", "tts-1", options={"base_url": f"{replay.url}/v1", "api_key": "k"})
    )
    reply = await provider.raw("speech", "application/json", b'{"model":"voice","input":"hi","voice":"alloy"}')
    assert (reply.kind, reply.data) == ("audio/mpeg", sound)
    assert replay.got[-1].json == {"model": "tts-1", "input": "hi", "voice": "alloy"}

    part = b'--B\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    body = part % (b"file", b'; filename="a; name=model.mp3"\r\nContent-Type: audio/mpeg', sound)
    body += part % (b"model", b"", b"ours") + part % (b"language", b"", b"de") + b"--B--\r\n"
    replay.play(exchange("/v1/audio/transcriptions", 200, {"text": "hi"}))
    await provider.raw("transcriptions", 'multipart/form-data; boundary="B"', body)
    got = replay.got[-1].body
    assert got.count(b'name="model"') == 1
    assert b'name="model"\r\n\r\ntts-1\r\n' in got
    assert sound in got
    assert b'name="language"\r\n\r\nde\r\n' in got
    await provider.close()


def test_a_form_that_is_none_is_refused():
    for kind, body in (("multipart/form-data", b""), ("multipart/form-data; boundary=B", b"--B\r\nno end")):
        with pytest.raises(Invalid):
            with_field(kind, body, "model", "m")
    with pytest.raises(Invalid):
        openai.make("openai", Deployment("m", "chat", "openai", options={"api_key": "k"}))._named(
            "application/json", b"[1]"
        )


# ------------------------------------------------------------------ what a request may cost beyond its words


@pytest.mark.parametrize(
    ("operation", "more", "hidden"),
    [
        ("chat", {}, 0),
        ("chat", {"tools": [{"type": "function", "function": {"name": "f"}}]}, 0),
        ("responses", {"tools": [{"type": "function", "name": "f"}]}, 0),
        ("responses", {"tools": [{"type": "web_search"}]}, 5000),
        ("responses", {"previous_response_id": "resp_1"}, 5000),
        ("chat", {"web_search_options": {"search_context_size": "low"}}, 5000),
        ("embeddings", {}, 0),
    ],
)
def test_what_a_vendor_adds_to_the_prompt_is_reserved_for_too(operation, more, hidden):
    """A search that a vendor does itself was charged to nobody's budget elsewhere."""
    provider = openai.make("openai", Deployment("m", "chat", "openai", "m", context=5000, options={"api_key": "k"}))
    assert provider.hidden(operation, {"input": "x", **more}) == hidden


async def test_words_of_other_vendors_do_not_reach_one_that_refuses_them(replay):
    text = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
    messages = [
        {"role": "user", "content": [text]},
        {"role": "tool", "tool_call_id": "a", "content": "no", "is_error": True},
    ]
    got = await sent(replay, "groq", {"messages": messages, "top_k": 4})
    assert got["messages"][0]["content"] == [{"type": "text", "text": "hi"}]
    assert got["messages"][1] == {"role": "tool", "tool_call_id": "a", "content": "Error: no"}
    assert "top_k" not in got
    assert (await sent(replay, "openrouter", {"messages": messages}))["messages"][0]["content"] == [text]
