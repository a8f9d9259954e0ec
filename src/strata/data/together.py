"""Work of many callers done in few calls: those who come while a call is under way go together in the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from strata.errors import UpstreamRefused

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class Together(Generic[T, R]):
    """`work` takes up to `most` items and gives one result for each; at most `lanes` calls run at once.

    A call that fails, fails for all whose items it held; one that was refused for what it held is tried item by item,
    so that nobody pays for another's fault.
    """

    work: Callable[[Sequence[T]], Awaitable[Sequence[R]]]
    most: int
    lanes: int = 1
    _waiting: deque[tuple[T, asyncio.Future[R]]] = field(default_factory=deque)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def do(self, items: Sequence[T]) -> list[R]:
        """The results of these items, in their order."""
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in items]
        self._waiting.extend(zip(items, futures, strict=True))
        if len(self._running) < self.lanes and self._waiting:
            task = loop.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        try:
            return list(await asyncio.gather(*futures))
        finally:
            for future in futures:
                future.cancel()

    async def _run(self) -> None:
        await asyncio.sleep(0)  # lets those who are ready now come along
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self.most, len(self._waiting)))]
            batch = [(item, future) for item, future in batch if not future.done()]
            if batch:
                await self._call(batch)

    async def _call(self, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self.work([item for item, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
        except UpstreamRefused as error:
            if len(batch) == 1:
                _fail(batch, error)
            for one in batch if len(batch) > 1 else ():
                await self._call([one])
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as error:  # every caller gets the error that its call met
            _fail(batch, error)


def _fail(batch: Sequence[tuple[T, asyncio.Future[R]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
