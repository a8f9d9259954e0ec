"""Reserving and settling around each call, beside the caller: who leaves early can neither stop it nor leave room taken."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from strata.errors import BudgetExhausted, StrataError
from strata.gateway.call import Call
from strata.gateway.money.limits import Limits
from strata.gateway.money.spend import Bill, Closed, Outcome, Quote, Reservation, Spend, taken
from strata.types import Usage

log = logging.getLogger(__name__)

TAKE_BACK = (0.0, 0.05, 0.5, 5.0)
"""Pauses before each look at whether a reservation was made whose caller left meanwhile, in seconds."""

GATHER = 0.02
"""Seconds for which a call that is over waits for others, so that one commit settles them all. Whoever needs its room
or its account sooner does not wait for that.
"""

HELD_UP = 1.0
"""Seconds for which a call that finds no room waits for calls that are over to give theirs back."""


@dataclass(frozen=True, slots=True)
class Till:
    """The calls of this process: `under_way` are the request ids of those not settled yet, `over` waits to be."""

    spend: Spend
    limits: Limits
    under_way: set[str] = field(default_factory=set)
    over: list[Closed] = field(default_factory=list)
    settling: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    async def reserve(self, quote: Quote) -> Reservation:
        """Make room for a call. Raises what `Spend.reserve` does."""
        if not quote.fresh and quote.request in self.under_way:
            self.hurry()
            if earlier := self.settling.get(quote.request):
                await asyncio.wait([earlier])
        try:
            return await self._reserve(quote)
        except BudgetExhausted:
            self.hurry()
            if not self.settling:
                raise
            await asyncio.wait(set(self.settling.values()), timeout=HELD_UP)
            return await self._reserve(quote)

    def end(self, call: Call, outcome: Outcome) -> Bill:
        """The call is over: bill it, and settle beside the caller, together with others that are over by then.

        What is never settled here is reconciled.
        """
        bill = call.close(outcome)
        if call.entry is not None:
            self.limits.leave(call.entry, bill.usage.total_tokens)
        self.pay(call.reservation, bill)
        return bill

    def pay(self, reservation: Reservation, bill: Bill) -> None:
        """Settle a call beside the caller, together with others that are over by then."""
        self.over.append((reservation, bill))
        if not self.timers:
            self.timers.append(asyncio.get_running_loop().call_later(GATHER, self.hurry))

    def hurry(self) -> None:
        """Settle at once what is over by now."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()
        groups = self.spend.groups(self.over)
        self.over.clear()
        for group in groups:
            work = self.beside(self._end(group))
            for reservation, _ in group:
                self.settling[reservation.quote.request] = work

    def beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Work beside the caller, held on to until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def drained(self, timeout: float | None = None) -> None:
        """Wait for the work that has been started so far."""
        self.hurry()
        if self.tasks:
            await asyncio.wait(set(self.tasks), timeout=timeout)

    async def keep(self, ttl: float) -> None:
        """Renew the lease and reconcile what others left, for ever."""
        while True:
            await asyncio.sleep(min(ttl / 3, 30.0))
            try:
                await self.spend.renew()
                await self.reconcile()
                await self.limits.keep(self.spend.alive)
            except StrataError as error:
                log.warning("reservations could not be looked after: %s", error)

    async def reconcile(self) -> int:
        """Settle the reservations that dead processes left; returns how many."""
        count = await self.spend.reconcile(self.under_way.__contains__)
        if count:
            log.warning("%d calls of a process that died were settled at their estimate", count)
        return count

    async def _reserve(self, quote: Quote) -> Reservation:
        if quote.request in self.under_way:
            raise taken(quote.request, "is under way")
        reservation = self.spend.planned(quote)
        self.under_way.add(quote.request)
        try:
            return await self.spend.reserve(reservation)
        except asyncio.CancelledError:
            self.beside(self._take_back(reservation))
            raise
        except BaseException:
            self.under_way.discard(quote.request)
            raise

    async def _take_back(self, reservation: Reservation) -> None:
        """The caller left while room was being made: give it back, as soon as it turns out that it was made."""
        try:
            for pause in TAKE_BACK:
                await asyncio.sleep(pause)
                with contextlib.suppress(StrataError):
                    if made := await self.spend.made(reservation):
                        await self.spend.settle(made, Bill(Usage(), 0, "client-gone"))
                        return
        finally:
            self.under_way.discard(reservation.quote.request)

    async def _end(self, group: Sequence[Closed]) -> None:
        try:
            await self._settle(group)
        finally:
            for reservation, _ in group:
                self.under_way.discard(reservation.quote.request)
                self.settling.pop(reservation.quote.request, None)

    async def _settle(self, group: Sequence[Closed]) -> None:
        pause = 0.1
        while True:
            try:
                await self.spend.settle_all(group)
                return
            except StrataError as error:
                names = ", ".join([reservation.quote.request for reservation, _ in group])
                log.warning("calls %s are not settled yet, trying again in %.1f s: %s", names, pause, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
