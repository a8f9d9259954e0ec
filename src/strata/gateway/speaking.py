"""Asks one deployment in the dialect of the request: untouched where its vendor speaks it, else by way of `chat`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol, cast

from strata.errors import Invalid
from strata.gateway.caller import Ask
from strata.gateway.dialects import count_tokens, media, messages_by_chat, responses_by_chat
from strata.gateway.provider import Provider
from strata.gateway.translations import nonsense
from strata.gateway.translations.strict import strictly
from strata.types import Json


class Pieces(Protocol):
    """Turns the chunks of one chat answer into the pieces of another dialect."""

    def feed(self, chunks: list[Json]) -> list[Json]: ...

    def end(self) -> list[Json]:
        """What stands behind the last chunk."""
        ...


class Translator(Protocol):
    """A dialect that can be put into `chat` and back."""

    def to_chat(self, body: Json) -> Json:
        """Raises `Invalid` for what chat has no words for."""
        ...

    def from_chat(self, answer: Json, body: Json) -> Json: ...

    def pieces(self, body: Json) -> Pieces: ...


def translator(operation: str) -> Translator | None:
    """How this operation is put into chat; None where it cannot be."""
    return TRANSLATORS.get(operation)


TRANSLATORS: dict[str, Translator] = {"messages": messages_by_chat, "responses": responses_by_chat}


async def whole(provider: Provider, ask: Ask) -> Json:
    """The whole answer in the operation's dialect. Raises what the provider does, and `Invalid`."""
    if ask.operation in provider.operations:
        if ask.operation in media.RAW:
            return await media.asked(provider, ask)
        return await provider.whole(ask.operation, ask.body)
    if ask.operation == "count_tokens":
        return count_tokens.counted(ask.body, provider.count)
    between = _between(provider, ask.operation)
    return between.from_chat(await provider.whole("chat", _chat(provider, between, ask.body)), ask.body)


def stream(provider: Provider, ask: Ask) -> AsyncGenerator[list[Json]]:
    """The pieces of the answer in the operation's dialect."""
    if ask.operation in provider.operations:
        return cast("AsyncGenerator[list[Json]]", provider.stream(ask.operation, ask.body))
    return _translated(provider, _between(provider, ask.operation), ask.body)


async def _translated(provider: Provider, between: Translator, body: Json) -> AsyncGenerator[list[Json]]:
    pieces = between.pieces(body)
    source = cast("AsyncGenerator[list[Json]]", provider.stream("chat", _chat(provider, between, body)))
    async with aclosing(source):
        async for chunks in source:
            if found := pieces.feed(chunks):
                yield found
    if found := pieces.end():
        yield found


def _chat(provider: Provider, between: Translator, body: Json) -> Json:
    with nonsense.asked():
        chat = between.to_chat(body)
        return strictly(chat) if getattr(provider, "strict", False) else chat


def does(provider: Provider, operation: str) -> bool:
    """Whether the provider can be asked for this, as it is or by way of chat."""
    return operation in provider.operations or ("chat" in provider.operations and translator(operation) is not None)


def _between(provider: Provider, operation: str) -> Translator:
    found = translator(operation)
    if found is None or "chat" not in provider.operations:
        raise Invalid(f"the vendor of this model does not do {operation}; it does {sorted(provider.operations)}")
    return found
