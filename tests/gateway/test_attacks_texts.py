"""Texts that try to reach a vendor, or a reader, without any guardrail having seen them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.gateway.conftest import INES, TENANT, world

from strata.errors import Invalid
from strata.gateway.caller import Ask, Caller
from strata.gateway.dialects import DIALECTS, chat
from strata.gateway.dialects.strings import others
from strata.gateway.guardrail import Submission, Text
from strata.gateway.guards.watching import watching
from strata.gateway.options import GuardrailOptions
from strata.types import Subject

KEY = "AKIAIOSFODNN7EXAMPLE"
WORD = f"my key is {KEY} yes"


def message(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hi", **more}]}


def deep(value: Any, levels: int = 150) -> Any:
    for _ in range(levels):
        value = {"of": value}
    return value


BODIES = [
    ("chat", message(content=[WORD])),
    ("chat", message(content={"text": WORD})),
    ("chat", message(content=[{"type": "text", "text": [WORD]}])),
    ("chat", message(content=[{"type": "text", "text": "a", "citations": [{"cited_text": WORD}]}])),
    ("chat", message(name=WORD)),
    ("chat", message(a_field_of_next_year={"words": [WORD]})),
    ("chat", message(role="assistant", tool_calls=[{"id": "c", "function": {"name": "f", "arguments": {"a": WORD}}}])),
    ("chat", message(role="assistant", tool_calls={"0": {"function": {"name": "f", "arguments": WORD}}})),
    ("chat", message(role="assistant", content=None, audio={"id": "a", "transcript": WORD})),
    ("chat", {**message(), "documents": [{"id": "1", "data": {"text": WORD}}]}),
    ("chat", {**message(), "documents": [{"id": "1", "data": WORD}]}),
    ("chat", {**message(), "metadata": {"note": WORD}}),
    ("chat", {**message(), "user": WORD}),
    ("chat", {**message(), "stop": [WORD]}),
    ("chat", {**message(), "chat_template": WORD}),
    ("chat", {**message(), "tools": [{"function": {"parameters": {"properties": {"name": {"description": WORD}}}}}]}),
    ("chat", {**message(), "tools": [{"function": {"name": "f", "parameters": deep({"description": WORD})}}]}),
    ("chat", {**message(), "response_format": {"json_schema": {"schema": {"properties": {"id": {"title": WORD}}}}}}),
    ("messages", message(content=[WORD])),
    ("messages", message(content=[{"type": "block_of_next_year", "said": {"here": WORD}}])),
    ("messages", {**message(), "tools": [{"name": "f", "description": WORD, "input_schema": {}}]}),
    ("messages", {**message(), "metadata": {"user_id": WORD}}),
    ("messages", {**message(), "mcp_servers": [{"authorization_token": WORD}]}),
    ("messages", message(content=[{"type": "search_result", "source": WORD, "title": "t", "content": []}])),
    ("responses", {"input": [{"type": "item_of_next_year", "said": [WORD]}]}),
    ("responses", {"input": [{"role": "user", "content": [WORD]}]}),
    ("responses", {"input": [{"type": "function_call_output", "call_id": "c", "output": {"a": WORD}}]}),
    ("responses", {"input": "hi", "tools": [{"type": "function", "name": "f", "description": WORD}]}),
    ("responses", {"input": "hi", "text": {"format": {"type": "json_schema", "schema": {"description": WORD}}}}),
    ("responses", {"input": "hi", "metadata": {"a": WORD}}),
    ("count_tokens", {**message(), "tools": [{"name": "f", "description": WORD}]}),
    ("embeddings", {"input": [[WORD]]}),
    ("embeddings", {"input": [{"text": WORD}]}),
    ("rerank", {"query": "q", "documents": [{"title": WORD}]}),
    ("rerank", {"query": "q", "documents": ["d"], "instruction": WORD}),
    ("images", {"prompt": "p", "negative_prompt": WORD}),
    ("speech", {"input": "i", "instructions": "none", "voice": {"description": WORD}}),
]


@pytest.mark.parametrize(("operation", "body"), BODIES)
def test_every_text_of_a_request_is_seen_and_can_be_replaced(operation: str, body: dict[str, Any]):
    body = copy.deepcopy(body)
    known = DIALECTS[operation].request_texts(body)
    for text in [*known, *others(body, known)]:
        text.replace(text.value.replace(KEY, "…"))
    assert KEY not in json.dumps(body)


@pytest.mark.parametrize("given", [[1, 2], [[1, 2], [3]], ["text", [4]]])
def test_tokens_that_no_guardrail_can_read_are_refused_where_one_stands(given: list[Any]):
    with pytest.raises(Invalid):
        list(others({"input": given}, ()))


def test_names_places_and_pictures_are_left_alone():
    body = message(content=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGkx"}}], role="user")
    body |= {"tool_choice": "auto", "service_tier": "default", "tools": [{"function": {"name": "get_weather_2"}}]}
    assert [text.value for text in others(body, chat.request_texts(body))] == []


async def test_a_secret_in_a_field_that_no_dialect_knows_does_not_leave():
    async with world(guardrails=(GuardrailOptions("secrets", {}),)) as around:
        body = {"model": "echo", **message(), "vendor_note": {"a": [WORD]}}
        caller = Caller(INES, Subject(TENANT, "research", "ines"))
        await around.gateway.whole(caller, Ask("chat", body, "r1"))
        (sent,) = around.echo().requests
    assert "vendor_note" in sent
    assert KEY not in json.dumps(sent)


# ------------------------------------------------------------------ answers


class Stars:
    """Replaces the key, and holds back all of a channel until it ends, so that no way of cutting matters."""

    name = "stars"

    async def request(self, submission: Submission) -> None: ...

    def answer(self, submission: Submission) -> Stars:
        self.held: dict[str, str] = {}
        return self

    async def piece(self, text: Text) -> str:
        self.held[text.channel] = self.held.get(text.channel, "") + text.value
        return ""

    async def end(self, channel: str) -> str:
        return self.held.pop(channel, "").replace(KEY, "***")


def chunk(reason: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": reason}
    return {"object": "chat.completion.chunk", "choices": [choice]}


STREAMS = [
    [chunk(content=WORD[:13]), chunk(content=WORD[13:]), chunk("stop")],
    [chunk(content=WORD[:13]), chunk(content="x", index=1), chunk(content=WORD[13:]), chunk("stop"), chunk("stop", 1)],
    [chunk(reasoning_content=WORD[:14]), chunk(reasoning_content=WORD[14:])],
    [chunk(tool_calls=[{"index": 0, "function": {"arguments": WORD[:14]}}]),
     chunk(tool_calls=[{"index": 0, "function": {"arguments": WORD[14:]}}])],
    [chunk(provider_fields={"blocks": [{"type": "web_search_tool_result", "content": [{"title": WORD}]}]})],
    [chunk(audio={"transcript": WORD[:14]}), chunk(audio={"transcript": WORD[14:]}), chunk("stop")],
    [{"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [{"token": KEY}]}}]}],
    [chunk(content=[{"type": "thinking", "thinking": [{"type": "text", "text": WORD}]}])],
]  # fmt: skip


@pytest.mark.parametrize("pieces", STREAMS)
async def test_every_text_of_a_stream_is_seen_however_it_is_cut(pieces: list[dict[str, Any]]):
    submission = Submission(Subject(TENANT, "research", "ines"), "chat", {}, 0)
    over = watching(chat, [Stars()], submission)
    assert over is not None
    told = []
    for piece in copy.deepcopy(pieces):
        told += await over.pieces([piece])
    told += await over.rest()
    said = json.dumps(told)
    assert KEY not in said
    for name in ("content", "reasoning_content"):
        joined = "".join(
            it["delta"][name] for one in told for it in one["choices"] if isinstance(it["delta"].get(name), str)
        )
        assert KEY not in joined
