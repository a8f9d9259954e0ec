"""The beginning of a streamed answer, up to the first piece that says something.

Vendors open their streams before the model has said a word: with the role, with `message_start`, with pings. Nothing
of that is passed on before there is more, so that a stream which never goes further can still be answered by another
deployment, and the time to the first token is the time to a token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from strata.errors import UpstreamBroken
from strata.gateway.options import Deployment
from strata.types import Json

PREAMBLE = {
    "message_start", "content_block_start", "ping", "keepalive", "response.created", "response.queued",
    "response.in_progress", "response.output_item.added", "response.content_part.added",
}  # fmt: skip
"""Events of Anthropic's and OpenAI's newer streams that come before the first word."""


async def opening(source: AsyncGenerator[list[Json]], deployment: Deployment, sent: float) -> list[Json] | None:
    """The first pieces; None for an empty stream. `sent` is when it was asked for, by `time.perf_counter`.

    Raises `UpstreamBroken` when nothing is said within the deployment's `first_token_timeout`.
    """
    pieces = await anext(source, None)
    if pieces is None or says(pieces):
        return pieces
    try:
        async with asyncio.timeout(deployment.first_token_timeout - (time.perf_counter() - sent)) as alarm:
            async for more in source:
                pieces = pieces + more
                if says(more):
                    break
    except TimeoutError as error:
        if not alarm.expired():
            raise
        told = f"the vendor of {deployment.name!r} opened its answer but said nothing in time"
        raise UpstreamBroken(told) from error
    return pieces


def says(pieces: list[Json]) -> bool:
    """Whether one of the pieces is more than a preamble."""
    return any(map(_says, pieces))


def _says(piece: Json) -> bool:
    if "choices" not in piece:
        return piece.get("type") not in PREAMBLE
    return any(map(_choice_says, piece["choices"] or ()))


def _choice_says(choice: Json) -> bool:
    if choice.get("finish_reason"):
        return True
    delta = choice.get("delta") or {}
    return any(value for name, value in delta.items() if name != "role")
