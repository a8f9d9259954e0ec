"""Requests that try to cost more than was reserved for them, or less than the vendor bills."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.gateway.conftest import INES, TENANT, budget, echo, world

from strata.errors import Deadline
from strata.gateway.caller import Ask, Caller
from strata.gateway.dialects import chat
from strata.gateway.money.estimate import byte_bound, prompt_bound
from strata.gateway.translations import to_cohere, to_converse, to_gemini, to_messages
from strata.types import Subject

LONG = "word " * 100_000


def said(**message: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", **message}]}


@pytest.mark.parametrize(
    "body",
    [
        said(content=LONG, type="image"),
        said(content=[{"type": "text", "text": LONG}], type="input_file"),
        said(content=[{"type": "document", "source": {"type": "text", "data": LONG}}]),
        said(content=[{"type": "document", "title": LONG, "source": {"type": "base64", "data": "aGk="}}]),
        said(
            content=[{"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": LONG}]}}]
        ),
        said(content=[{"type": "file", "file": {"file_data": LONG}}]),
        said(content=[{"type": "image_url", "image_url": {"url": "https://x.example/"}, "text": LONG}]),
        {"input": [[LONG]]},
        {"input": [{"type": "input_file", "filename": "a", "file_data": LONG}]},
        {"input": [[1, 2, {"text": LONG}]]},
    ],
)
def test_a_long_text_counts_wherever_it_is_put(body: dict[str, Any]):
    assert prompt_bound(body, byte_bound) >= len(LONG)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "document", "source": {"type": "url", "url": "https://x.example/all.pdf"}},
        {"type": "input_file", "file_url": "https://x.example/all.pdf"},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "video_url", "video_url": {"url": "https://x.example/long.mp4"}},
    ],
)
def test_what_the_vendor_fetches_counts_as_the_longest_prompt_there_is(part: dict[str, Any]):
    assert prompt_bound(said(content=[part]), byte_bound) >= 1_000_000


def test_tokens_to_embed_count_one_each():
    assert prompt_bound({"input": [[1, 2, 3], [4]]}, byte_bound) < 100


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({"max_tokens": 3, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 3, "n": 4}, 12),
        ({"max_tokens": 3, "generationConfig": {"maxOutputTokens": 900, "candidateCount": 8}}, 7200),
        ({"max_tokens": 3, "generationConfig": {"maxOutputTokens": "900"}}, 900),
        ({"max_tokens": 3, "additionalModelRequestFields": {"textGenerationConfig": {"maxTokenCount": 900.0}}}, 900),
        ({"max_tokens": 3, "best_of": 5}, 15),
        ({"max_tokens": 3, "n_predict": 900}, 900),
        ({"max_tokens": 0, "max_completion_tokens": None}, 50),
        ({}, 50),
    ],
)
def test_the_limit_that_counts_is_the_highest_that_a_vendor_could_read(limits: dict[str, Any], most: int):
    assert chat.bound({**said(content="hi"), **limits}, 50) == most


@pytest.mark.parametrize("limits", [{"max_tokens": 1, "max_completion_tokens": None}, {"max_tokens": 1, "n": None}, {}])
@pytest.mark.parametrize("say", [to_gemini.request, to_cohere.request, to_messages.request, to_converse.request])
def test_no_vendor_is_asked_without_a_limit_or_with_another_than_was_reserved_for(limits: dict[str, Any], say: Any):
    body = {**said(content="hi"), **limits}
    most = chat.bound(body, 50)
    asked = say(body, "model", {}) if say is to_gemini.request else say(body, "model")
    limit = asked.get("max_tokens") or (asked.get("generationConfig") or asked.get("inferenceConfig"))
    assert limit in (most, {"maxOutputTokens": most}, {"maxTokens": most})


RESEARCH = Caller(INES, Subject(TENANT, "research", "ines"))


def ask(request: str, **more: Any) -> Ask:
    return Ask("chat", {"model": "echo", **said(content="a question of seven words at the least")}, request, **more)


async def test_a_caller_whose_own_time_is_over_pays_for_the_prompt_that_the_vendor_has_read():
    async with world(echo(delay=60), budgets=(budget(1_000_000),)) as around:
        with pytest.raises(Deadline):
            await around.gateway.whole(RESEARCH, ask("r1", timeout=0.01))
        with pytest.raises(Deadline):
            async for _ in around.gateway.pieces(RESEARCH, ask("r2", timeout=0.01)):
                pass
        whole, streamed = await around.facts()
        assert whole.cost_micros == streamed.cost_micros > 10
        assert await around.standing() == (2 * whole.cost_micros, 0)


async def test_a_caller_who_leaves_before_the_call_is_sent_pays_nothing():
    async with world(replace(echo(delay=60), max_concurrent=1), budgets=(budget(1_000_000),)) as around:
        first = asyncio.create_task(around.gateway.whole(RESEARCH, ask("r1")))
        second = asyncio.create_task(around.gateway.whole(RESEARCH, ask("r2")))
        while len(around.gateway.till.under_way) < 2 or not around.echo().calls:
            await asyncio.sleep(0)
        for task in (second, first):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        costs = {fact.request: fact.cost_micros for fact in await around.facts()}
        assert costs["r2"] == 0 < costs["r1"]
