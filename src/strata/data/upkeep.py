"""Tidying the stores some time after something changed, once for many changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from strata.errors import StrataError

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Upkeep:
    """Runs `work` no sooner than `seconds` after the first change that it has not covered. 0 seconds: never."""

    work: Callable[[], Awaitable[None]]
    seconds: float
    _task: asyncio.Task[None] | None = None

    def touch(self) -> None:
        """Something changed."""
        if self.seconds > 0 and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._later())

    async def close(self) -> None:
        """Stop waiting; work under way is cut off, and done again after the next change."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _later(self) -> None:
        await asyncio.sleep(self.seconds)
        try:
            await self.work()
        except (StrataError, OSError) as error:
            log.warning("the stores could not be tidied: %s", error)
