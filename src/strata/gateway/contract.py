"""The words of `contracts.Gateway` and those of the dialects: from one layer's request to an Ask, and back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from strata.errors import UpstreamBroken
from strata.gateway.answering import Answered, Ended
from strata.gateway.caller import Ask
from strata.gateway.guards import passages
from strata.types import ChatRequest, Completion, Delta, Embeddings, EmbedRequest, Json, Money


def chat(request: ChatRequest) -> Ask:
    body: Json = {
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "max_completion_tokens": request.max_tokens,
        "temperature": request.temperature,
    }
    if request.stop:
        body["stop"] = list(request.stop)
    return Ask(
        "chat", body, request.request_id, classification=request.classification, retrieved=passages.classified(request)
    )


def embedding(request: EmbedRequest) -> Ask:
    body: Json = {"model": request.model, "input": list(request.texts)}
    return Ask("embeddings", body, request.request_id, classification=request.classification)


def completion(request: ChatRequest, answer: Answered) -> Completion:
    choice = answer.body["choices"][0]
    text = (choice.get("message") or {}).get("content") or ""
    cost = Money(answer.bill.cost, answer.currency)
    finish = choice.get("finish_reason") or "stop"
    return Completion(request.request_id, request.model, text, finish, answer.bill.usage, cost)


async def deltas(source: AsyncGenerator[list[Json] | Ended]) -> AsyncGenerator[Delta]:
    """A streamed answer's text, and in the end why it ended, what it used and what it cost."""
    finish = "stop"
    async with aclosing(source) as pieces:
        async for chunks in pieces:
            if isinstance(chunks, Ended):
                yield Delta("", finish, chunks.bill.usage, Money(chunks.bill.cost, chunks.currency))
                return
            for choice in (choice for chunk in chunks for choice in chunk["choices"]):
                finish = choice.get("finish_reason") or finish
                if text := (choice.get("delta") or {}).get("content"):
                    yield Delta(text)


def embeddings(request: EmbedRequest, answer: Answered) -> Embeddings:
    """Raises `UpstreamBroken` unless there is a vector for each text."""
    rows = sorted(answer.body["data"], key=lambda row: int(row.get("index", 0)))
    if len(rows) != len(request.texts):
        raise UpstreamBroken(f"the vendor of {request.model!r} gave {len(rows)} vectors for {len(request.texts)} texts")
    vectors = [row["embedding"] for row in rows]
    cost = Money(answer.bill.cost, answer.currency)
    return Embeddings(request.request_id, request.model, vectors, answer.bill.usage, cost)
