"""Copies of calls to a model that is on trial, beside the caller, who neither waits for it nor hears of it.

The copy is taken after the guardrails have masked the request. It is reserved and charged like any call, in a row of
its own whose operation begins with `shadow:`, on the account of the department and not of the person or key; where a
budget has no room there is no copy. Of the answer nothing is kept but how it ended, how fast, and what it used.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import orjson

from strata.errors import StrataError, UpstreamBroken
from strata.gateway import speaking
from strata.gateway.call import Call
from strata.gateway.caller import Ask
from strata.gateway.ids import fresh_id
from strata.gateway.money.prices import manner
from strata.gateway.money.spend import Outcome
from strata.gateway.routing.attempts import Attempts
from strata.gateway.routing.target import Route, Target
from strata.gateway.till import Till
from strata.types import Subject

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Copies under way in one process; of more calls none are made."""


@dataclass(frozen=True, slots=True)
class Shadows:
    """The copies under way."""

    till: Till
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def follow(self, call: Call) -> None:
        """Begin the copy of a call that has been let out, where its target wants one."""
        route = call.attempts.shadow
        if route is None or len(self.tasks) >= AT_ONCE:
            return
        standing = route.standing
        if not standing.breaker.untroubled or not standing.room.free:
            return
        ask = Ask(call.ask.operation, orjson.loads(orjson.dumps(call.ask.body)), fresh_id("req"), fresh=True)
        task = asyncio.get_running_loop().create_task(self._made(call, route, ask))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self) -> None:
        """Break off what is under way."""
        tasks = set(self.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def drained(self) -> None:
        """Wait for the copies that have been begun so far."""
        if self.tasks:
            await asyncio.wait(set(self.tasks))

    async def _made(self, original: Call, route: Route, ask: Ask) -> None:
        quote, dialect = original.reservation.quote, original.dialect
        target = Target(route.deployment.name, (route,))
        payer = Subject(quote.payer.tenant, quote.payer.department, "")
        prompt = target.prompt(ask.operation, ask.body)
        estimate = 0 if dialect.FREE else target.worst(prompt, original.most, ask.pictures, manner(ask.body))
        copy = replace(
            quote,
            request=ask.request,
            payer=payer,
            provider=route.deployment.provider,
            operation=f"shadow:{quote.operation}",
            estimate=estimate,
            fresh=True,
        )
        try:
            reservation = await self.till.reserve(copy)
        except StrataError:
            return
        attempts = Attempts(target, route, (route,), quote.streamed)
        await self._asked(Call(ask, dialect, attempts, reservation, original.most, original.submission))

    async def _asked(self, call: Call) -> None:
        outcome: Outcome = "client-gone"
        try:
            await self._answered(call)
            outcome = "ok"
        except Exception as error:
            outcome = "failed"
            call.attempts.ended(error if isinstance(error, StrataError) else UpstreamBroken())
            log.info("a copy to %r failed: %s", call.attempts.target.name, error)
        finally:
            call.attempts.left()
            self.till.pay(call.reservation, call.close(outcome))

    async def _answered(self, call: Call) -> None:
        attempts, provider = call.attempts, call.attempts.route.provider
        await attempts.enter()
        call.sent = time.perf_counter()
        if not attempts.streamed:
            answer = await speaking.whole(provider, call.ask)
            if not call.dialect.whole(answer):
                raise UpstreamBroken("the answer is not one")
            call.hear(answer)
        else:
            async with aclosing(speaking.stream(provider, call.ask)) as source:
                async for pieces in source:
                    if not call.answered:
                        attempts.answered()
                    for piece in pieces:
                        call.hear(piece)
        attempts.ended()
