"""The gateway that stands now, which new settings replace while calls go on.

A change is built and tried before it counts: settings that do not hold, a provider that cannot be made or a store that
does not answer leave everything as it was. Calls that are under way stay with the gateway that took them, which is
closed when the last of them is over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from strata.access import Access
from strata.gateway.gateway import ModelGateway
from strata.gateway.options import Options
from strata.types import BudgetStatus, ChatRequest, Completion, Delta, Embeddings, EmbedRequest, Model, Principal

log = logging.getLogger(__name__)

Make = Callable[[Options, Access], Awaitable[ModelGateway]]
LOOK = 0.1
"""Seconds between two looks at whether a replaced gateway has finished."""


@dataclass(slots=True, eq=False)
class LiveGateway:
    """Implements `contracts.Gateway` by the one that stands now. `changes` counts since the start."""

    current: ModelGateway
    make: Make
    changes: int = 0
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    _retiring: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    async def complete(self, principal: Principal, request: ChatRequest) -> Completion:
        return await self.current.complete(principal, request)

    def stream(self, principal: Principal, request: ChatRequest) -> AsyncIterator[Delta]:
        return self.current.stream(principal, request)

    async def embed(self, principal: Principal, request: EmbedRequest) -> Embeddings:
        return await self.current.embed(principal, request)

    async def models(self, principal: Principal) -> list[Model]:
        return await self.current.models(principal)

    async def budgets(self, principal: Principal) -> list[BudgetStatus]:
        return await self.current.budgets(principal)

    async def change(self, options: Options, access: Access) -> None:
        """Take new settings. Raises what is wrong with them, and then nothing has changed."""
        async with self._changing:
            fresh = await self.make(options, access)
            try:
                await fresh.ready()
            except BaseException:
                await fresh.close()
                raise
            old, self.current = self.current, fresh
            self.changes += 1
            task = asyncio.get_running_loop().create_task(_retired(old))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
            await fresh.warm()

    async def warm(self) -> None:
        await self.current.warm()

    async def close(self) -> None:
        for task in list(self._retiring):
            task.cancel()
        if self._retiring:
            await asyncio.wait(set(self._retiring))
        await self.current.close()


async def _retired(gateway: ModelGateway) -> None:
    """Close a gateway when its last call is over, or when even the slowest must be."""
    longest = max((it.timeout for it in gateway.options.models), default=0.0)
    end = asyncio.get_running_loop().time() + longest + 10
    try:
        while gateway.till.under_way and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(LOOK)
    finally:
        await gateway.close()
