"""Providers with dialects of their own keep what all providers promise, at a small vendor of each kind."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from strata.gateway.options import Deployment
from strata.gateway.providers import cohere, gemini
from strata.testing.provider import ChatPromise, EmbeddingPromise
from strata.types import Json

from .replay import Exchange, Got, Replay, answering, events


def vector(text: str) -> list[float]:
    return [byte / 256 for byte in hashlib.sha256(text.encode()).digest()]


def google(got: Got) -> Exchange:
    verb = got.path.partition("?")[0].rpartition(":")[2]
    asked = got.json
    if verb == "batchEmbedContents":
        texts = [it["content"]["parts"][0]["text"] for it in asked["requests"]]
        return answering({"embeddings": [{"values": vector(text)} for text in texts]})
    if verb == "predict":
        rows = [{"values": vector(it["content"]), "statistics": {"token_count": 2}} for it in asked["instances"]]
        return answering({"predictions": [{"embeddings": row} for row in rows]})
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13}
    one: Json = {"responseId": "r", "candidates": [{"content": {"parts": [{"text": "Ice is "}]}}]}
    two: Json = {"responseId": "r", "candidates": [{"content": {"parts": [{"text": "cold."}]}, "finishReason": "STOP"}]}
    two["usageMetadata"] = usage
    if verb == "streamGenerateContent":
        return events(one, two)
    return answering(two)


def coheres(got: Got) -> Exchange:
    asked = got.json
    if got.path.endswith("/embed"):
        meta = {"billed_units": {"input_tokens": 3}}
        return answering({"embeddings": {"float": [vector(text) for text in asked["texts"]]}, "meta": meta})
    usage = {"billed_units": {"input_tokens": 9, "output_tokens": 4}}
    if not asked.get("stream"):
        content = [{"type": "text", "text": "Ice is cold."}]
        return answering({"id": "m", "finish_reason": "COMPLETE", "message": {"content": content}, "usage": usage})
    return events(
        {"type": "message-start", "id": "m", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Ice is cold."}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    )


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with Replay() as running:
        yield running


def gemini_at(replay: Replay, row: str = "", **more: Any) -> gemini.Gemini:
    replay.script = google
    options = {
        "base_url": f"{replay.url}/v1beta",
        **({"token": "t", "project": "p"} if row else {"api_key": "k"}),
        **more,
    }
    return gemini.make(row, Deployment("g", "chat", "gemini", "gemini-2.5-flash", options=options))


def cohere_at(replay: Replay) -> cohere.Cohere:
    replay.script = coheres
    options = {"base_url": f"{replay.url}/v2", "api_key": "k"}
    return cohere.make("", Deployment("c", "chat", "cohere", "command", options=options))


class TestGeminiChats(ChatPromise):
    @pytest.fixture
    async def provider(self, replay: Replay) -> AsyncIterator[gemini.Gemini]:
        made = gemini_at(replay)
        yield made
        await made.close()


class TestGeminiEmbeds(EmbeddingPromise):
    @pytest.fixture
    async def provider(self, replay: Replay) -> AsyncIterator[gemini.Gemini]:
        made = gemini_at(replay)
        yield made
        await made.close()


class TestVertexChats(ChatPromise):
    @pytest.fixture
    async def provider(self, replay: Replay) -> AsyncIterator[gemini.Gemini]:
        made = gemini_at(replay, "vertex")
        yield made
        await made.close()


class TestVertexEmbeds(EmbeddingPromise):
    @pytest.fixture
    async def provider(self, replay: Replay) -> AsyncIterator[gemini.Gemini]:
        made = gemini_at(replay, "vertex")
        yield made
        await made.close()


class TestCohereChats(ChatPromise):
    @pytest.fixture
    async def provider(self, replay: Replay) -> AsyncIterator[cohere.Cohere]:
        made = cohere_at(replay)
        yield made
        await made.close()


class TestCohereEmbeds(EmbeddingPromise):
    @pytest.fixture
    async def provider(self, replay: Replay) -> AsyncIterator[cohere.Cohere]:
        made = cohere_at(replay)
        yield made
        await made.close()
