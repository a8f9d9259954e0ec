"""How many calls may be under way at one deployment; those beyond wait in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from strata.errors import Unavailable

QUEUED_PER_PLACE = 4
"""Calls that may wait for each place; more would wait longer than anybody does."""

LONGEST_QUEUE = 30.0
"""Seconds that a call waits for a place at the most."""


@dataclass(slots=True)
class Room:
    """`limit` places (0: as many as come). Every `enter` that returns, and every `try_enter` that says yes, must be
    followed by one `leave`.
    """

    limit: int = 0
    under_way: int = 0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque, repr=False)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def load(self) -> int:
        """Calls that are there, under way or waiting."""
        return self.under_way + len(self._waiting)

    @property
    def free(self) -> bool:
        return not self.limit or (self.under_way < self.limit and not self._waiting)

    @property
    def full(self) -> bool:
        """Whether there is neither a place nor room to wait for one."""
        return not self.free and len(self._waiting) >= self.limit * QUEUED_PER_PLACE

    def try_enter(self) -> bool:
        if not self.free:
            return False
        self.under_way += 1
        return True

    async def enter(self, patience: float = LONGEST_QUEUE) -> None:
        """Wait for a place, `patience` seconds at the most. Raises `Unavailable` where there is none."""
        if self.try_enter():
            return
        if self.full:
            raise Unavailable(f"{self.limit} calls are under way to this model and others wait; try again shortly")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(patience):
                await place
        except TimeoutError:
            self._give_up(place)
            raise Unavailable("no other call to this model ended in time; try again shortly") from None
        except BaseException:
            self._give_up(place)
            raise

    def leave(self) -> None:
        """The place goes to who has waited longest."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.under_way -= 1

    def _give_up(self, place: asyncio.Future[None]) -> None:
        if place.done() and not place.cancelled():
            self.leave()
        elif place in self._waiting:
            self._waiting.remove(place)
