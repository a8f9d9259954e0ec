"""Answers that were given before, given again: the exact cache around the calls of one gateway."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict

import orjson

from strata.gateway.answering import Answered, Ended
from strata.gateway.cache import AnswerCache
from strata.gateway.caller import Ask, Caller
from strata.gateway.facts.telling import Telling
from strata.gateway.routing.target import Target
from strata.types import Json, Usage


async def whole(
    cache: AnswerCache,
    telling: Telling,
    caller: Caller,
    ask: Ask,
    target: Target,
    call: Callable[[Caller, Ask], Awaitable[Answered]],
) -> Answered:
    """A whole answer from the cache, from the same call under way, or from one made now."""
    made: list[Answered] = []

    async def make() -> list[Json]:
        made.append(await call(caller, ask))
        return [made[0].body]

    (body,), how = await cache.once(cache.key(caller, ask, streamed=False), make)
    if made:
        return made[0]
    return Answered(ask.request, body, telling.reused(caller, ask, target), target.currency, how)


async def pieces(
    cache: AnswerCache,
    telling: Telling,
    caller: Caller,
    ask: Ask,
    target: Target,
    call: Callable[[Caller, Ask], AsyncGenerator[list[Json] | Ended]],
) -> AsyncGenerator[list[Json] | Ended]:
    """A streamed answer from the cache, all pieces at once, or made now and kept when it has ended well."""
    key = cache.key(caller, ask, streamed=True)
    if found := cache.find(key):
        *told, end = found
        cache.hits += 1
        bill = telling.reused(caller, ask, target)
        yield told
        yield Ended(ask, bill, target.currency, end["kept"], end["last"], Usage(**end["usage"]), "hit")
        return
    cache.misses += 1
    noted: list[Json] = []
    async with aclosing(call(caller, ask)) as source:
        async for some in source:
            if isinstance(some, Ended):
                cache.keep(key, [*noted, {"kept": some.kept, "last": some.last, "usage": asdict(some.usage)}])
            else:
                noted += [orjson.loads(orjson.dumps(piece)) for piece in some]
            yield some
