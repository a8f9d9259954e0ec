"""Gemini and Vertex: real recorded traffic is played back, and what comes out is compared with what Google said."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from strata.errors import Invalid, Misconfigured, RateLimited, UpstreamBroken, UpstreamRefused
from strata.gateway.options import Deployment
from strata.gateway.providers import gemini
from strata.gateway.translations import from_gemini, to_gemini
from strata.gateway.wire.jsonstream import Objects
from strata.types import Json

from .published import mistakes
from .replay import Exchange, Replay, exchanges

HOSTS = ("generativelanguage.googleapis.com", "aiplatform.googleapis.com")


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with Replay() as running:
        yield running


@pytest.fixture(scope="module")
def recorded(shared) -> list[Exchange]:
    wire = shared / "data" / "wire"
    found = [
        exchange
        for folder in (wire / "recordings_pydantic_ai" / "files", wire / "recordings_simonw_llm" / "llm_gemini")
        for exchange in exchanges(folder)
        if exchange.host.endswith(HOSTS) and "/openai/" not in exchange.path
    ]
    assert len(found) > 100
    return found


def verb(exchange: Exchange) -> str:
    return exchange.path.partition("?")[0].rpartition(":")[2]


def at(replay: Replay, exchange: Exchange) -> Deployment:
    """A deployment that asks where the exchange was recorded."""
    head, _, rest = unquote(exchange.path).partition("/models/")
    model = rest.partition(":")[0]
    version, *place = head.strip("/").split("/")
    options: Json = {"base_url": f"{replay.url}/{version}"}
    if "projects" in place:
        options |= {"project": place[place.index("projects") + 1], "token": "ya29.test"}
        options["location"] = place[place.index("locations") + 1]
        return Deployment("g", "chat", "gemini:vertex", model, options=options)
    return Deployment("g", "chat", "gemini", model, options={**options, "api_key": "AIza-test"})


def made(deployment: Deployment) -> gemini.Gemini:
    return gemini.make(deployment.provider.partition(":")[2], deployment)


def question(text: str = "hello", **more: Any) -> Json:
    return {"model": "any", "messages": [{"role": "user", "content": text}], **more}


def as_sse(exchange: Exchange) -> Exchange:
    """The address that streams as a JSON array has server-sent events when asked with `alt=sse`."""
    return exchange if "alt=sse" in exchange.url else replace(exchange, url=exchange.url + "?alt=sse")


def events_of(exchange: Exchange) -> list[Json]:
    text = exchange.answer.decode()
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    return [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]


def oracle(events: list[Json]) -> Json:
    """What the first candidate said in all events, read a second time and independently."""
    parts = [
        part
        for event in events
        for candidate in event.get("candidates", [])[:1]
        for part in candidate.get("content", {}).get("parts", [])
    ]
    told = [event["usageMetadata"] for event in events if "usageMetadata" in event][-1]
    reasons = [it["finishReason"] for event in events for it in event.get("candidates", []) if "finishReason" in it]
    calls = [
        (part["functionCall"]["name"], part["functionCall"].get("args", {})) for part in parts if "functionCall" in part
    ]
    reason = {"STOP": "tool_calls" if calls else "stop", "MAX_TOKENS": "length"}.get(reasons[-1], "content_filter")
    return {
        "text": "".join(part["text"] for part in parts if "text" in part and not part.get("thought")),
        "thoughts": "".join(part["text"] for part in parts if "text" in part and part.get("thought")),
        "calls": calls,
        "signatures": [
            part["thoughtSignature"] for part in parts if "thoughtSignature" in part and "functionCall" in part
        ],
        "reason": reason,
        "prompt": told.get("promptTokenCount", 0) + told.get("toolUsePromptTokenCount", 0),
        "completion": told.get("candidatesTokenCount", 0) + told.get("thoughtsTokenCount", 0),
        "total": told["totalTokenCount"],
        "cached": told.get("cachedContentTokenCount", 0),
    }


def heard(message: Json, reason: str, usage: Json) -> Json:
    calls = message.get("tool_calls") or []
    return {
        "text": message.get("content") or "",
        "thoughts": message.get("reasoning_content") or "",
        "calls": [(it["function"]["name"], json.loads(it["function"]["arguments"])) for it in calls],
        "signatures": [it["provider_fields"]["thought_signature"] for it in calls if "provider_fields" in it],
        "reason": reason,
        "prompt": usage["prompt_tokens"],
        "completion": usage["completion_tokens"],
        "total": usage["total_tokens"],
        "cached": usage["prompt_tokens_details"]["cached_tokens"],
    }


def joined(chunks: list[Json]) -> tuple[Json, str, Json]:
    message: Json = {"content": "", "reasoning_content": "", "tool_calls": []}
    reason, usage = "", {}
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content") or ""
            message["reasoning_content"] += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls", ()):
                assert call["index"] == len(message["tool_calls"])
                message["tool_calls"].append(call)
            reason = choice["finish_reason"] or reason
    return message, reason, usage


# ------------------------------------------------------------------ what was recorded


async def test_every_recorded_answer_means_what_google_said(recorded, replay, shared):
    played = [it for it in recorded if verb(it) == "generateContent" and it.status == 200]
    assert len(played) > 80
    for exchange in played:
        replay.play(exchange)
        provider = made(at(replay, exchange))
        answer = await provider.whole("chat", question())
        choice = answer["choices"][0]
        assert heard(choice["message"], choice["finish_reason"], answer["usage"]) == oracle([exchange.answered]), (
            exchange.id
        )
        assert mistakes(shared, "CreateChatCompletionResponse", answer) == [], exchange.id
        await provider.close()


async def test_every_recorded_stream_means_what_google_said(recorded, replay, shared):
    played = [as_sse(it) for it in recorded if verb(it) == "streamGenerateContent" and it.status == 200]
    assert len(played) > 20
    for exchange in played:
        replay.play(exchange)
        provider = made(at(replay, exchange))
        chunks = [it async for some in provider.stream("chat", question()) for it in some]
        assert heard(*joined(chunks)) == oracle(events_of(exchange)), exchange.id
        assert len({chunk["id"] for chunk in chunks}) == 1
        for chunk in chunks:
            assert mistakes(shared, "CreateChatCompletionStreamResponse", chunk) == [], exchange.id
        await provider.close()


@pytest.mark.parametrize("cut", [1, 7, 1000])
async def test_a_stream_is_the_same_however_its_bytes_are_cut(recorded, cut):
    """Peers lost pieces of streams that arrived in other pieces than they expected."""
    played = [as_sse(it) for it in recorded if verb(it) == "streamGenerateContent" and len(it.answer) < 6000]
    async with Replay(cut=cut) as replay:
        for exchange in played[:6]:
            replay.play(exchange)
            provider = made(at(replay, exchange))
            chunks = [it async for some in provider.stream("chat", question()) for it in some]
            assert heard(*joined(chunks)) == oracle(events_of(exchange)), exchange.id
            await provider.close()


async def test_every_recorded_error_says_who_has_to_act(recorded, replay):
    played = [it for it in recorded if it.status >= 400 and verb(it) in {"batchEmbedContents", "generateContent"}]
    assert played
    for exchange in played:
        replay.play(exchange)
        provider = made(at(replay, exchange))
        operation = "embeddings" if "Embed" in verb(exchange) else "chat"
        with pytest.raises(UpstreamBroken, match="does not know the model"):
            await provider.whole(operation, {**question(), "input": "x"})
        await provider.close()


async def test_every_recorded_embedding_comes_out_as_it_was(recorded, replay):
    played = [it for it in recorded if verb(it) == "batchEmbedContents" and it.status == 200]
    assert len(played) >= 4
    for exchange in played:
        replay.play(exchange)
        provider = made(at(replay, exchange))
        sent = exchange.sent["requests"]
        texts = [it["content"]["parts"][0]["text"] for it in sent]
        more = {"dimensions": sent[0]["outputDimensionality"]} if "outputDimensionality" in sent[0] else {}
        if "taskType" in sent[0]:
            more["task_type"] = sent[0]["taskType"]
        plain = await provider.whole("embeddings", {"input": texts, **more})
        wanted = [it["values"] for it in exchange.answered["embeddings"]]
        assert [row["embedding"] for row in plain["data"]] == wanted
        assert plain["usage"]["prompt_tokens"] > 0
        assert replay.got[-1].json == exchange.sent
        packed = await provider.whole("embeddings", {"input": texts, "encoding_format": "base64"})
        numbers = struct.unpack(f"<{len(wanted[0])}f", base64.b64decode(packed["data"][0]["embedding"]))
        assert numbers == pytest.approx(wanted[0], abs=1e-6)
        await provider.close()


# ------------------------------------------------------------------ what is sent


def camel(value: Any) -> Any:
    """Google takes both spellings; recorded clients used both."""
    if isinstance(value, list):
        return [camel(it) for it in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, inner in value.items():
        head, *tail = name.split("_")
        new = head + "".join(word.capitalize() for word in tail)
        keep = new in {"args", "response", "parametersJsonSchema", "responseJsonSchema", "parameters", "responseSchema"}
        found[new] = inner if keep else camel(inner)
    return found


def as_chat(sent: Json) -> Json | None:
    """A recorded request as a chat request, where it says nothing that chat has no words for."""
    if not set(sent) <= {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings"}:
        return None
    messages: list[Json] = []
    if "systemInstruction" in sent:
        texts = [{"type": "text", "text": part["text"]} for part in sent["systemInstruction"]["parts"]]
        messages.append({"role": "system", "content": texts})
    for content in sent["contents"]:
        found = [message_of(content)] if content["role"] == "model" else messages_of(content)
        if None in found:
            return None
        messages += found
    body: Json = {"messages": messages, "safetySettings": sent.get("safetySettings")}
    for tool in sent.get("tools", ()):
        if not isinstance(tool, dict) or set(tool) != {"functionDeclarations"}:
            return None
        functions = [
            {
                "name": it["name"],
                "description": it["description"],
                "parameters": it.get("parametersJsonSchema", it.get("parameters")),
            }
            for it in tool["functionDeclarations"]
        ]
        body["tools"] = [{"type": "function", "function": it} for it in functions]
    calling = sent.get("toolConfig", {}).get("functionCallingConfig")
    if calling:
        names = [{"type": "function", "function": {"name": name}} for name in calling.get("allowedFunctionNames", ())]
        if calling["mode"] == "ANY" and names:
            body["tool_choice"] = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": names}}
        else:
            body["tool_choice"] = {"ANY": "required"}.get(calling["mode"], calling["mode"].lower())
    body["generationConfig"] = sent.get("generationConfig", {})
    return body


def message_of(content: Json) -> Json | None:
    message: Json = {"role": "assistant", "content": [], "tool_calls": []}
    for part in content["parts"]:
        signed = {"thought_signature": part["thoughtSignature"]} if "thoughtSignature" in part else {}
        if set(part) <= {"text"}:
            message["content"].append({"type": "text", "text": part["text"]})
        elif set(part) <= {"functionCall", "thoughtSignature"}:
            call = part["functionCall"]
            function = {"name": call["name"], "arguments": json.dumps(call.get("args", {}))}
            message["tool_calls"].append(
                {"id": call.get("id", f"gcall_{call['name']}"), "function": function, "provider_fields": signed}
            )
        else:
            return None
    return message


def messages_of(content: Json) -> list[Json | None]:
    found: list[Json | None] = []
    for part in content["parts"]:
        if "functionResponse" in part:
            answer = part["functionResponse"]
            id_ = answer.get("id", f"gcall_{answer['name']}")
            found.append({"role": "tool", "tool_call_id": id_, "content": json.dumps(answer["response"])})
        elif "text" in part:
            found.append({"role": "user", "content": [{"type": "text", "text": part["text"]}]})
        elif "inlineData" in part:
            data = part["inlineData"]
            url = f"data:{data['mimeType']};base64,{data['data']}"
            found.append({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
        elif "fileData" in part and "videoMetadata" not in part:
            found.append(
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": part["fileData"]["fileUri"]}}]}
            )
        else:
            found.append(None)
    return found


def comparable(sent: Json) -> Json:
    sent = camel(json.loads(json.dumps(sent)))
    sent.get("systemInstruction", {}).pop("role", None)
    for tool in sent.get("tools", ()):
        for it in tool.get("functionDeclarations", ()):
            if it.get("description") is None:
                it.pop("description", None)
            schema = it.pop("parameters", None) or it.pop("parametersJsonSchema", None)
            it["schema"] = {name: value for name, value in (schema or {}).items() if name != "$schema"}
    for content in sent["contents"]:
        for part in content["parts"]:
            part.get("functionCall", {}).setdefault("args", {})
            part.get("fileData", {}).pop("mimeType", None)
    if not sent.get("generationConfig"):
        sent.pop("generationConfig", None)
    return {name: value for name, value in sent.items() if value is not None}


def test_every_recorded_request_that_chat_can_say_is_sent_as_it_was(recorded):
    compared = 0
    for exchange in recorded:
        if verb(exchange) not in {"generateContent", "streamGenerateContent"}:
            continue
        body = as_chat(camel(exchange.sent))
        if body is None:
            continue
        compared += 1
        sent = to_gemini.request(body, "gemini-2.0-flash", {})
        assert comparable(sent) == comparable(exchange.sent), exchange.id
    assert compared > 90


def test_a_conversation_goes_back_to_google_with_its_signatures():
    answer = from_gemini.completion(
        {
            "responseId": "r1",
            "candidates": [
                {
                    "content": {
                        "parts": [
                            {"text": "thinking", "thought": True},
                            {"text": "Let me see.", "thoughtSignature": "s0"},
                            {"functionCall": {"name": "a", "args": {"x": 1}}, "thoughtSignature": "s1"},
                            {"functionCall": {"name": "a", "args": {"x": 2}}},
                        ]
                    },
                    "finishReason": "STOP",
                }
            ],
        },
        "gemini-3-pro",
    )
    message = answer["choices"][0]["message"]
    one, two = message["tool_calls"]
    assert one["id"] != two["id"]
    tools = [
        {"role": "tool", "tool_call_id": two["id"], "content": "22"},
        {"role": "tool", "tool_call_id": one["id"], "content": '{"y": 11}'},
    ]
    sent = to_gemini.request({"messages": [*question()["messages"], message, *tools]}, "gemini-3-pro", {})
    assert sent["contents"][1]["parts"] == [
        {"text": "Let me see.", "thoughtSignature": "s0"},
        {"functionCall": {"name": "a", "args": {"x": 1}}, "thoughtSignature": "s1"},
        {"functionCall": {"name": "a", "args": {"x": 2}}},
    ]
    assert sent["contents"][2]["parts"] == [
        {"functionResponse": {"name": "a", "response": {"y": 11}}},
        {"functionResponse": {"name": "a", "response": {"output": 22}}},
    ]


def test_code_that_google_ran_goes_back_and_no_text_comes_past_the_guardrails_with_it():
    code = {"executableCode": {"language": "PYTHON", "code": "1+1"}}
    answer = from_gemini.completion({"candidates": [{"content": {"parts": [code, {"text": "2"}]}}]}, "m")
    message = answer["choices"][0]["message"]
    assert message["provider_fields"]["parts"] == [code]
    message["provider_fields"]["parts"].append({"text": "hidden"})
    assert to_gemini.request({"messages": [message]}, "m", {})["contents"][0]["parts"] == [code, {"text": "2"}]


def test_a_call_that_another_model_made_has_what_google_takes_for_a_signature():
    call = {"id": "toolu_1", "type": "function", "function": {"name": "a", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    (part,) = to_gemini.request({"messages": [message]}, "gemini-3-flash", {})["contents"][0]["parts"]
    assert part == {
        "functionCall": {"name": "a", "args": {}, "id": "toolu_1"},
        "thoughtSignature": "skip_thought_signature_validator",
    }


def test_the_fields_of_a_request_get_googles_names():
    body = question(
        max_completion_tokens=9, temperature=0.5, top_p=0.9, stop="END", seed=3, n=2, logprobs=True, top_logprobs=4,
        reasoning_effort="low", response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        tool_choice={"type": "function", "function": {"name": "f"}}, user="u", store=True,
    )  # fmt: skip
    sent = to_gemini.request(body, "gemini-2.5-flash", {"safety_settings": {"HARM_CATEGORY_HARASSMENT": "BLOCK_NONE"}})
    assert sent["generationConfig"] == {
        "maxOutputTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"], "seed": 3, "candidateCount": 2,
        "responseLogprobs": True, "logprobs": 4, "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True},
        "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
    }  # fmt: skip
    assert sent["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}
    assert sent["safetySettings"] == [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    assert set(sent) == {"contents", "generationConfig", "toolConfig", "safetySettings", "tools"}


@pytest.mark.parametrize(
    ("model", "effort", "wanted"),
    [
        ("gemini-3-pro-preview", "none", {"thinkingLevel": "low", "includeThoughts": False}),
        ("gemini-3.5-flash", "minimal", {"thinkingLevel": "minimal", "includeThoughts": True}),
        ("gemini-flash-latest", "high", {"thinkingLevel": "high", "includeThoughts": True}),
        ("gemini-2.5-pro", "none", {"thinkingBudget": 128, "includeThoughts": False}),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0, "includeThoughts": False}),
    ],
)  # fmt: skip
def test_an_effort_is_a_level_or_a_budget_as_the_model_knows_it(model, effort, wanted):
    sent = to_gemini.request(question(reasoning_effort=effort), model, {})
    assert sent["generationConfig"]["thinkingConfig"] == wanted


@pytest.mark.parametrize(
    ("more", "hidden"),
    [
        ({}, False),
        ({"tools": [{"googleSearch": {}}]}, True),
        ({"cachedContent": "c"}, True),
        ({"tools": [{"function": {}}]}, False),
    ],
)
def test_what_google_fetches_itself_is_reserved_for_too(more, hidden):
    provider = gemini.make("", Deployment("g", "chat", "gemini", "m", context=5000, options={"api_key": "k"}))
    assert provider.hidden("chat", question(**more)) == (5000 if hidden else 0)


def test_pictures_sounds_and_files_are_parts():
    content = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "image_url", "image_url": {"url": "gs://bucket/a.webp"}},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
    ]
    assert to_gemini.request({"messages": [{"role": "user", "content": content}]}, "m", {})["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
        {"fileData": {"fileUri": "gs://bucket/a.webp", "mimeType": "image/webp"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "QUJD"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "QUJD"}},
    ]
    with pytest.raises(Invalid, match="hologram"):
        to_gemini.request({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "m", {})


# ------------------------------------------------------------------ what Google may say


def test_cached_and_tool_tokens_are_part_of_the_prompt_and_counted_once():
    """Peers billed cached tokens twice."""
    told = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 80,
        "toolUsePromptTokenCount": 7,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 3,
        "totalTokenCount": 115,
    }
    usage = from_gemini.usage({"usageMetadata": told})
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (107, 8, 115)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 80
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 3


def test_several_answers_stream_side_by_side():
    chunks = from_gemini.Chunks("m")
    ratings = [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}]

    def event(index: int, text: str, **more: Any) -> Json:
        candidate = {"index": index, "content": {"parts": [{"text": text}]}, "safetyRatings": ratings, **more}
        return chunks.chunk({"responseId": "r", "candidates": [candidate]})["choices"][0]

    assert event(0, "a")["delta"] == {"role": "assistant", "content": "a"}
    assert event(1, "x")["delta"] == {"role": "assistant", "content": "x"}
    assert event(0, "b", finishReason="STOP")["delta"] == {
        "content": "b",
        "provider_fields": {"safety_ratings": ratings},
    }
    assert not chunks.finished
    assert event(1, "y", finishReason="MAX_TOKENS")["finish_reason"] == "length"
    assert chunks.finished


@pytest.mark.parametrize(
    "reason", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "MALFORMED_FUNCTION_CALL", "NEW_ONE"]
)
def test_an_answer_that_was_stopped_is_not_taken_for_a_complete_one(reason):
    answer = from_gemini.completion({"candidates": [{"finishReason": reason}]}, "m")
    assert answer["choices"][0]["finish_reason"] == "content_filter"
    assert answer["choices"][0]["message"]["provider_fields"]["finish_reason"] == reason


def test_a_prompt_that_was_refused_has_an_answer_that_says_so(shared):
    told = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}}
    answer = from_gemini.completion(told, "m")
    assert answer["choices"][0]["finish_reason"] == "content_filter"
    assert mistakes(shared, "CreateChatCompletionResponse", answer) == []
    chunks = from_gemini.Chunks("m")
    assert chunks.chunk(told)["choices"][0]["finish_reason"] == "content_filter"
    assert chunks.finished


def exchange(path: str, status: int, answer: Any, kind: str = "application/json") -> Exchange:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Exchange("made", 0, "POST", f"https://x{path}", {}, b"", status, {"content-type": kind}, body)


PATH = "/v1beta/models/m:generateContent"
ANSWER = {"responseId": "r", "candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4}}  # fmt: skip


def key(replay: Replay, **more: Any) -> gemini.Gemini:
    options = {"base_url": f"{replay.url}/v1beta", "api_key": "one", **more}
    return gemini.make("", Deployment("g", "chat", "gemini", "m", options=options))


async def test_a_tuned_model_has_an_address_of_its_own(replay):
    replay.play(exchange("/v1beta/tunedModels/mine:generateContent", 200, ANSWER))
    options = {"base_url": f"{replay.url}/v1beta", "api_key": "one"}
    provider = gemini.make("", Deployment("g", "chat", "gemini", "tunedModels/mine", options=options))
    assert (await provider.whole("chat", question()))["choices"][0]["message"]["content"] == "hi"
    await provider.close()


async def test_a_limit_says_for_how_long(replay):
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]
    said = {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": details}}
    replay.play(exchange(PATH, 429, said))
    with pytest.raises(RateLimited) as caught:
        await key(replay).whole("chat", question())
    assert caught.value.retry_after == 34.5


async def test_a_key_that_is_not_valid_is_the_operators_matter_and_a_bad_request_the_callers(replay):
    replay.play(exchange(PATH, 400, {"error": {"code": 400, "message": "API key not valid. Please pass a valid one."}}))
    with pytest.raises(UpstreamBroken, match="account"):
        await key(replay).whole("chat", question())
    replay.play(exchange(PATH, 400, {"error": {"code": 400, "message": "Invalid value at 'contents'"}}))
    with pytest.raises(UpstreamRefused, match="Invalid value"):
        await key(replay).whole("chat", question())


async def test_the_next_key_is_tried_where_one_is_over_its_limit(replay):
    replay.play(exchange(PATH, 429, {"error": {"message": "quota"}}), exchange(PATH, 200, ANSWER))
    provider = key(replay, api_keys=["one", "two"])
    assert (await provider.whole("chat", question()))["choices"][0]["message"]["content"] == "hi"
    assert [it.headers["x-goog-api-key"] for it in replay.got] == ["one", "two"]
    await provider.close()


async def test_a_stream_that_breaks_off_says_so(replay):
    event = {"candidates": [{"content": {"parts": [{"text": "hal"}]}}]}
    path = "/v1beta/models/m:streamGenerateContent?alt=sse"
    replay.play(exchange(path, 200, b"data: " + json.dumps(event).encode() + b"\r\n\r\n", "text/event-stream"))
    found = []
    with pytest.raises(UpstreamBroken, match="broke off"):
        async for chunks in key(replay).stream("chat", question()):
            found += chunks
    assert found[0]["choices"][0]["delta"]["content"] == "hal"


def test_objects_come_out_of_an_array_however_it_is_cut():
    values = [{"a": '}"{\\', "b": {"c": [1, {"d": '\\"'}]}}, {}, {"e": "ü"}]
    raw = json.dumps(values, indent=1, ensure_ascii=False).encode()
    for cut in range(1, len(raw)):
        reader = Objects()
        found = [json.loads(it) for start in range(0, len(raw), cut) for it in reader.feed(raw[start : start + cut])]
        assert found == values


# ------------------------------------------------------------------ Vertex


@pytest.fixture(scope="module")
def account() -> Json:
    private = RSAKey.generate_key(2048).as_pem(private=True).decode()
    return {
        "type": "service_account",
        "client_email": "s@p.iam",
        "private_key": private,
        "private_key_id": "k1",
        "project_id": "p",
    }


VERTEX = "/v1beta1/projects/p/locations/europe-west4/publishers/google/models/m"


async def test_a_service_account_signs_in_once_and_again_when_its_token_is_refused(replay, account):
    token = exchange("/token", 200, {"access_token": "t1", "expires_in": 3600})
    again = exchange("/token", 200, {"access_token": "t2", "expires_in": 3600})
    ok, no = exchange(f"{VERTEX}:generateContent", 200, ANSWER), exchange(f"{VERTEX}:generateContent", 401, {})
    replay.play(token, again, ok, ok, no, ok)
    options = {"base_url": f"{replay.url}/v1beta1", "location": "europe-west4"}
    options["credentials"] = json.dumps({**account, "token_uri": f"{replay.url}/token"})
    provider = gemini.make("vertex", Deployment("g", "chat", "gemini:vertex", "m", options=options))
    await asyncio.gather(provider.whole("chat", question()), provider.whole("chat", question()))
    assert [it.path for it in replay.got].count("/token") == 1
    form = parse_qs(replay.got[0].body.decode())
    claims = jwt.decode(form["assertion"][0], RSAKey.import_key(account["private_key"])).claims
    assert claims["iss"] == "s@p.iam"
    assert claims["scope"] == gemini.SCOPE
    assert claims["exp"] > time.time()
    await provider.whole("chat", question())
    assert [it.path for it in replay.got].count("/token") == 2
    assert [it.headers.get("authorization") for it in replay.got][-1] == "Bearer t2"
    await provider.close()


async def test_a_sign_in_that_is_refused_is_the_operators_matter(replay, account):
    replay.play(exchange("/token", 400, {"error": "invalid_grant", "error_description": "expired"}))
    options = {"base_url": f"{replay.url}/v1beta1", "credentials": {**account, "token_uri": f"{replay.url}/token"}}
    provider = gemini.make("vertex", Deployment("g", "chat", "gemini:vertex", "m", options=options))
    with pytest.raises(UpstreamBroken, match="renew"):
        await provider.whole("chat", question())
    assert account["private_key"] not in repr(provider)


async def test_the_machines_own_account_gives_a_token(replay):
    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    token = replace(exchange(path, 200, {"access_token": "m1", "expires_in": 100}), method="GET")
    replay.play(token, exchange(f"{VERTEX}:generateContent", 200, ANSWER))
    options = {
        "base_url": f"{replay.url}/v1beta1",
        "project": "p",
        "location": "europe-west4",
        "metadata": True,
        "metadata_url": replay.url,
    }
    provider = gemini.make("vertex", Deployment("g", "chat", "gemini:vertex", "m", options=options))
    await provider.whole("chat", question())
    assert replay.got[0].headers["metadata-flavor"] == "Google"
    assert replay.got[1].headers["authorization"] == "Bearer m1"
    await provider.close()


async def test_vertex_counts_the_tokens_of_what_it_embeds(replay):
    row = {"embeddings": {"values": [0.5, 0.25], "statistics": {"token_count": 7}}}
    replay.play(exchange(f"{VERTEX}:predict", 200, {"predictions": [row, row]}))
    options = {"base_url": f"{replay.url}/v1beta1", "project": "p", "location": "europe-west4", "token": "t"}
    provider = gemini.make("vertex", Deployment("g", "embedding", "gemini:vertex", "m", options=options))
    answer = await provider.whole("embeddings", {"input": ["a", "b"], "dimensions": 2, "input_type": "query"})
    assert answer["usage"]["prompt_tokens"] == 14
    assert replay.got[0].json == {
        "instances": [
            {"content": "a", "task_type": "RETRIEVAL_QUERY"},
            {"content": "b", "task_type": "RETRIEVAL_QUERY"},
        ],
        "parameters": {"outputDimensionality": 2},
    }
    await provider.close()


def test_where_vertex_is_asked_follows_from_the_location():
    options = {"project": "p", "token": "t", "location": "us-central1"}
    provider = gemini.make("vertex", Deployment("g", "chat", "gemini:vertex", "m", options=options))
    assert provider.upstream.host.url == "https://us-central1-aiplatform.googleapis.com/v1beta1"
    options["location"] = "global"
    provider = gemini.make("vertex", Deployment("g", "chat", "gemini:vertex", "m", options=options))
    assert provider.upstream.host.url == "https://aiplatform.googleapis.com/v1beta1"


def test_what_is_missing_in_a_deployment_is_said():
    for row, options, words in (
        ("", {}, "api_key"),
        ("vertex", {"project": "p"}, "credentials"),
        ("vertex", {"token": "t"}, "project"),
        ("vertex", {"project": "p", "credentials": "no json"}, "JSON"),
        ("venus", {}, "venus"),
    ):
        with pytest.raises(Misconfigured, match=words):
            gemini.make(row, Deployment("g", "chat", "gemini", "m", options=options))
