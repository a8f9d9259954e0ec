"""The exact cache: the same request, from the same circle of callers, under the same rules, is answered once.

The key is a hash of the tenant, the version of the policies and guardrails, the circle, the model, the operation and the
whole request. The circle is the caller alone unless the settings widen it to the department or the tenant: within a
wider one, how quickly an answer comes can tell that somebody asked the same before. Nothing leaves this process.

Requests that are under way at the same time are one: the first makes the call, the others wait for its answer, and
where it fails or its caller leaves, the next makes it itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

import orjson

from strata.gateway.caller import Ask, Caller
from strata.types import Json

Circle = Literal["caller", "department", "tenant"]
CIRCLES: tuple[str, ...] = get_args(Circle)
OVERHEAD = 500
"""Bytes that an entry takes besides its answer."""

NOT_ASKED = ("user", "metadata", "stream_options", "store", "safety_identifier")
"""Fields of a request that do not change its answer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Answers as JSON: one for a whole answer, the pieces of a streamed one."""

    data: tuple[bytes, ...]
    until: float

    @property
    def size(self) -> int:
        return OVERHEAD + sum(map(len, self.data))

    def answers(self) -> list[Json]:
        return [orjson.loads(one) for one in self.data]


@dataclass(slots=True)
class AnswerCache:
    """`ttl` in seconds (0: nothing is kept), `room` in bytes. `rules` is the version of everything that decides about
    an answer besides the request. `hits`, `misses` and `shared` (waited for another's call) count since the start.
    """

    tenant: str
    rules: str
    ttl: float
    circle: Circle = "caller"
    room: int = 64 * 1024 * 1024
    clock: Callable[[], float] = time.monotonic
    hits: int = 0
    misses: int = 0
    shared: int = 0
    _kept: OrderedDict[bytes, Entry] = field(default_factory=OrderedDict, repr=False)
    _flights: dict[bytes, asyncio.Future[list[Json] | None]] = field(default_factory=dict, repr=False)
    _size: int = 0

    @property
    def on(self) -> bool:
        return self.ttl > 0

    def key(self, caller: Caller, ask: Ask, *, streamed: bool) -> bytes:
        """What this request is known by. Raises TypeError for a body that is not JSON."""
        who = {"caller": caller.name, "department": caller.payer.department, "tenant": ""}[self.circle]
        body = {name: value for name, value in ask.body.items() if name not in NOT_ASKED}
        parts = [self.tenant, self.rules, self.circle, who, ask.operation, streamed, ask.classification, body]
        return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).digest()

    def find(self, key: bytes) -> list[Json] | None:
        """The answer that is kept, as one whole answer or its pieces."""
        entry = self._kept.get(key)
        if entry is None:
            return None
        if entry.until <= self.clock():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return entry.answers()

    def keep(self, key: bytes, answers: list[Json]) -> None:
        """Keep an answer, if it has room at all; the ones unused for longest go."""
        entry = Entry(tuple(orjson.dumps(answer) for answer in answers), self.clock() + self.ttl)
        if entry.size > self.room // 8:
            return
        self._drop(key)
        self._kept[key] = entry
        self._size += entry.size
        while self._size > self.room:
            self._drop(next(iter(self._kept)))

    async def once(
        self, key: bytes, make: Callable[[], Awaitable[list[Json]]]
    ) -> tuple[list[Json], Literal["hit", "shared", "miss"]]:
        """The answer from the cache, from a call under way, or made now. Raises what `make` does."""
        while True:
            if found := self.find(key):
                self.hits += 1
                return found, "hit"
            flight = self._flights.get(key)
            if flight is None:
                break
            answers = await asyncio.shield(flight)
            if answers is not None:
                self.shared += 1
                return [orjson.loads(orjson.dumps(answer)) for answer in answers], "shared"
        self.misses += 1
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        answers = None
        try:
            answers = await make()
            self.keep(key, answers)
            return answers, "miss"
        finally:
            del self._flights[key]
            if not flight.done():
                flight.set_result([orjson.loads(orjson.dumps(answer)) for answer in answers] if answers else None)

    def clear(self) -> None:
        """Forget everything: after a change of the rules, or an erasure."""
        self._kept.clear()
        self._size = 0

    def _drop(self, key: bytes) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._size -= gone.size
