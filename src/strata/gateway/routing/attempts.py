"""One call's way through the deployments: asks the first that may be asked, goes on where another can mend a failure."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from strata.errors import Deadline, RateLimited, StrataError, Unavailable, UpstreamBroken
from strata.gateway.routing.retrying import LONGEST_WAIT, backoff, mend
from strata.gateway.routing.room import LONGEST_QUEUE
from strata.gateway.routing.target import Route, Target
from strata.types import Json

_T = TypeVar("_T")

PATIENT = 100
"""Calls that wait for one deployment while it rests; more are told at once."""


@dataclass(frozen=True, slots=True)
class Chance:
    """What is not the same twice: the moment, in seconds, the draw, between 0 and 1, and how to wait."""

    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


REAL = Chance()


@dataclass(slots=True)
class Attempts:
    """`route` is the deployment that is asked now, of the `routes` that may be, in the order of preference.

    Every try begins with `enter` and ends with `ended`; `left` ends the last one for a call that is over whatever came
    of it, and is harmless afterwards. `count` is the number of tries, `queued` the seconds spent waiting for room,
    `deadline` the moment by which the caller wants to be answered (0: none). `shadow` is to get a copy of the call.
    """

    target: Target
    route: Route
    routes: Sequence[Route]
    streamed: bool = False
    timeout: float = 0.0
    deadline: float = 0.0
    chance: Chance = REAL
    shadow: Route | None = None
    count: int = 1
    queued: float = 0.0
    _held: bool = False
    _asked: bool = False
    _spoke: bool = False
    _probe: int = 0
    _sent: float = 0.0
    _retried: int = 0
    _tried: tuple[Route, ...] = ()
    _useless: tuple[Route, ...] = ()

    # -------------------------------------------------------------- one try

    async def enter(self) -> None:
        """Wait until the deployment, or another one that has not been asked, has room.

        Raises `Unavailable` or `RateLimited` where none will have any soon, and `Deadline`.
        """
        self._asked = False
        standing = self.route.standing
        if standing.breaker.untroubled and standing.room.try_enter():
            self._begin(self.route)
            return
        await self._find_room()

    @property
    def asked(self) -> bool:
        """Whether this try got as far as the vendor."""
        return self._asked

    def answered(self) -> None:
        """The deployment has begun to say something: from now on no other one can answer."""
        if not (self._held and self.streamed):
            return
        standing = self.route.standing
        standing.first_token.observe(self.chance.clock() - self._sent)
        standing.breaker.heard(self._probe)
        self._spoke = True

    def ended(self, error: BaseException | None = None) -> None:
        """The exchange with the deployment is over: with a good answer, or with this error."""
        if not self._held:
            return
        self._held = False
        standing = self.route.standing
        standing.room.leave()
        if error is None:
            standing.breaker.succeeded(self._probe)
            if not self.streamed:
                standing.total.observe(self.chance.clock() - self._sent)
            return
        if isinstance(error, UpstreamBroken):
            standing.breaker.failed(self._probe, math.inf if self._spoke else self._sent)
        else:
            standing.breaker.left(self._probe)
        if isinstance(error, RateLimited) and not error.named:
            standing.breaker.limited()
        elif isinstance(error, UpstreamBroken | RateLimited) and error.retry_after:
            standing.breaker.rest(error.retry_after)
        if isinstance(error, UpstreamBroken | Deadline):
            standing.latency(streamed=self.streamed).at_least(self.chance.clock() - self._sent)

    def left(self) -> None:
        """Nobody waits any longer: what the deployment would have said is not known."""
        if self._held:
            self._held = False
            self.route.standing.room.leave()
            self.route.standing.breaker.left(self._probe)

    async def after(self, error: StrataError) -> bool:
        """Whether to try again, with `route` changed where another may help. Waits as long as a retry should."""
        how = mend(error)
        if how == "never" or not self._asked:
            return False
        self._tried += (self.route,)
        if how != "again":
            self._useless += (self.route,)
        if how == "larger":
            room = self.route.deployment.context
            self._useless += tuple(route for route in self.routes if route.deployment.context <= room)
        other = next((route for route in self._fresh() if route.standing.ready), None)
        if other is not None:
            self.route = other
        elif not await self._waited():
            return False
        self.count += 1
        return True

    # -------------------------------------------------------------- the caller's deadline

    def within(self, work: Awaitable[_T]) -> Awaitable[_T]:
        """The work, or `Deadline` when the caller's time is over."""
        return self._within(work) if self.deadline else work

    def timed(self, source: AsyncGenerator[list[Json]]) -> AsyncGenerator[list[Json]]:
        """The source, or `Deadline` when the caller's time is over."""
        return self._timed(source) if self.deadline else source

    async def _within(self, work: Awaitable[_T]) -> _T:
        try:
            async with asyncio.timeout(self._remaining()) as alarm:
                return await work
        except TimeoutError as error:
            if not alarm.expired():
                raise
            raise self._over() from error

    async def _timed(self, source: AsyncGenerator[list[Json]]) -> AsyncGenerator[list[Json]]:
        async with aclosing(source):
            while (pieces := await self._within(anext(source, None))) is not None:
                yield pieces

    def _remaining(self) -> float:
        return self.deadline - self.chance.clock()

    def _over(self) -> Deadline:
        return Deadline(f"the {self.timeout:g} s that the caller allows are over", retry_after=1)

    # -------------------------------------------------------------- finding a deployment

    def _begin(self, route: Route) -> None:
        standing = route.standing
        self.route = route
        self._held, self._asked, self._spoke = True, True, False
        self._probe = standing.breaker.begin()
        if not self._retried:
            standing.retries.called()
        self._sent = self.chance.clock()

    async def _find_room(self) -> None:
        full: list[Route] = []
        while True:
            choices = [route for route in (self.route, *self._fresh()) if route not in full]
            route = next((route for route in choices if route.standing.ready), None)
            if route is None:
                if not await self._waited():
                    raise self.refusal()
                continue
            standing, since = route.standing, self.chance.clock()
            try:
                await standing.room.enter(self._patience())
            except Unavailable:
                full.append(route)
                if self.deadline and self._remaining() <= 0:
                    raise self._over() from None
                continue
            finally:
                self.queued += self.chance.clock() - since
            if not standing.breaker.wait():
                self._begin(route)
                return
            standing.room.leave()

    def _fresh(self) -> list[Route]:
        """Those that this call has not asked yet and that may help."""
        return [route for route in self.routes if route not in self._tried and route not in self._useless]

    def _patience(self) -> float:
        return max(min(LONGEST_QUEUE, self._remaining()), 0.0) if self.deadline else LONGEST_QUEUE

    async def _waited(self) -> bool:
        """Wait for a retry: with jitter, and for as long as the vendor wants. False where that is too long, or where
        nothing may be tried again.
        """
        if self._retried >= self.target.retries:
            return False
        choices = [it for it in self.routes if it not in self._useless and (it.standing.ready or self._rests(it))]
        if not choices:
            return False
        route = min(choices, key=lambda it: it.standing.breaker.wait())
        standing = route.standing
        pause = backoff(self._retried, self.chance.random, standing.breaker.wait())
        if pause > LONGEST_WAIT or (self.deadline and pause >= self._remaining()):
            return False
        # Who has not asked yet asks later, and not more often: only the number of those who wait is bounded.
        if standing.patient >= PATIENT if not self._tried else not standing.retries.take():
            return False
        self._retried += 1
        standing.patient += 1
        try:
            await self.chance.sleep(pause)
        finally:
            standing.patient -= 1
        self.route = route
        return True

    def _rests(self, route: Route) -> bool:
        return route.standing.breaker.rests and not route.standing.room.full

    def refusal(self) -> Unavailable | RateLimited:
        """What to tell a caller whom no deployment can answer now."""
        return refusal(self.target.name, self.routes)

    @property
    def hopeless(self) -> bool:
        """Whether no deployment can answer, nor will within the time that a call waits."""
        if any(route.standing.ready for route in self.routes):
            return False
        patience = min(LONGEST_WAIT, self._remaining()) if self.deadline else LONGEST_WAIT
        soon = any(self._rests(route) and route.standing.breaker.wait() < patience for route in self.routes)
        return not (soon and self.target.retries)


def refusal(name: str, routes: Sequence[Route]) -> Unavailable | RateLimited:
    standings = [route.standing for route in routes]
    wait = min(standing.breaker.wait() for standing in standings)
    after = max(round(wait, 3), 1.0)
    if all(standing.breaker.rests for standing in standings):
        return RateLimited(
            f"the vendor of {name!r} is over its limit, which is the platform's and not yours; "
            f"try again in {after:.0f} s",
            retry_after=after,
        )
    if wait:
        return Unavailable(
            f"{name!r} keeps failing at its vendor and is left alone for {after:.0f} s; try again then, "
            "or use another model",
            retry_after=after,
        )
    return Unavailable(
        f"as many calls to {name!r} are under way and waiting as may be; try again shortly", retry_after=1.0
    )
