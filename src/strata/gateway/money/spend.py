"""The brake and the till: no call leaves without room for it, and every call is paid for exactly once.

Before a call, the most it can cost is added to `held` of every budget that applies, in one commit that fails if any
of them has no room. `held` is what has been spent plus what calls under way may still spend. After the call one commit
takes the reservation away, adds the exact cost to `spent`, gives back the rest of `held` and tells `UsageRecorded`.
The reservation can be taken away only once, so two who settle the same call cannot both win. A call under an id that
its caller chose leaves a row besides, so that the id is not charged twice.

Making a reservation waits for no disk: it survives the death of the process, and a power cut may forget it only
together with all that was not settled yet (docs/decisions/0011). Settling does wait, many calls at a time.

A process that dies leaves its reservations. Whoever finds them, at start or later, settles them at the estimate.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

import msgspec

from strata import budgets as rules
from strata.budgets import Terms
from strata.errors import BudgetExhausted, Conflict, Invalid
from strata.events import UsageRecorded
from strata.gateway.ids import fresh_id
from strata.gateway.money.lease import Lease, surely_dead
from strata.ports.records import MAX_CHANGES, Add, Change, Check, Delete, LimitReached, Put, Record, Records
from strata.types import Budget, BudgetStatus, Json, Subject, Usage, now
from strata.values import value

log = logging.getLogger(__name__)

Outcome = Literal["ok", "client-gone", "failed", "reconciled", "cached"]
MOST_MEMBERS = 1000


@value
class Quote:
    """A call that wants to leave: who pays, for what, and the most it can cost in micro-units.

    `fresh`: the id was made at random just now, so no earlier call can have it. `trial` is the comparison that the
    variants of the model are in.
    """

    request: str
    payer: Subject
    model: str
    provider: str
    operation: str
    estimate: int
    currency: str
    streamed: bool = False
    fresh: bool = False
    trial: str = ""


@value
class Reservation:
    """Room made for a call. `counters` are the budgets' records; `seen` is the version of the row it will replace."""

    quote: Quote
    counters: tuple[str, ...]
    at: datetime
    lease: str
    seen: int = 0


@value
class Bill:
    """What a call came to. `estimated`: the vendor did not say, so the tokens are our count. `deployment` and
    `provider` are those that answered, after so many `attempts`.
    """

    usage: Usage
    cost: int
    outcome: Outcome
    duration_ms: int = 0
    estimated: bool = False
    deployment: str = ""
    provider: str = ""
    first_token_ms: int = 0
    attempts: int = 1


Closed = tuple[Reservation, Bill]


@dataclass(frozen=True, slots=True)
class Applying:
    """The budgets that the calls of one payer to one model count against, and their counters on one day."""

    budgets: tuple[Budget, ...]
    members: tuple[str, ...]
    day: int
    counters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spend:
    """The budgets of one tenant. `ttl`: seconds after which the lease of a process that is not heard of runs out."""

    records: Records
    tenant: str
    budgets: tuple[Budget, ...]
    lease: Lease
    ttl: float = 900.0
    clock: Callable[[], datetime] = now
    _applying: dict[tuple[Subject, str], Applying] = field(default_factory=dict, repr=False)
    _terms: list[tuple[Budget, Terms]] = field(default_factory=list, repr=False)

    # -------------------------------------------------------------- a call

    def planned(self, quote: Quote) -> Reservation:
        """The reservation that a call needs, not made yet."""
        at = self.clock()
        counters = self.applying(quote.payer, quote.model, at).counters if quote.estimate else ()
        return Reservation(quote, counters, at, self.lease.id)

    async def made(self, reservation: Reservation) -> Reservation | None:
        """The reservation as it stands in the store, if it was made and has not been settled."""
        record = await self.records.get(self._open, reservation.quote.request)
        stands = _revived(record) if record else None
        return stands if stands and (stands.at, stands.lease) == (reservation.at, reservation.lease) else None

    async def reserve(self, reservation: Reservation) -> Reservation:
        """Make room for the call in every budget that applies, or in none.

        Raises `BudgetExhausted` with the budget's name and when it resets, and `Conflict` for a request id that is
        under way or has been paid for. A call that failed and cost nothing may be tried again under its id.
        """
        quote = reservation.quote
        try:
            if not await self._commit(reservation):
                reservation = await self._again(reservation)
                if not await self._commit(reservation):
                    raise taken(quote.request, "is under way")
        except LimitReached as error:
            raise self._exhausted(error, reservation) from error
        return reservation

    async def settle(self, reservation: Reservation, bill: Bill) -> bool:
        """Charge exactly what was used and give back the rest. False when somebody else has settled it already."""
        changes = self._paid(reservation, bill)
        changes += self._counted([(reservation, bill)])
        try:
            await self.records.commit(*changes, events=[_event(self.tenant, reservation.quote, bill)])
        except Conflict:
            return False
        return True

    async def settle_all(self, group: Sequence[Closed]) -> None:
        """Settle several calls in one commit, each budget being written once; one by one where that is refused.

        A call that somebody else has settled already stays as it is. Raises like the store where it is unavailable;
        then it may be called again with the same group.
        """
        changes: list[Change] = []
        for reservation, bill in group:
            changes += self._paid(reservation, bill)
        changes += self._counted(group)
        events = [_event(self.tenant, reservation.quote, bill) for reservation, bill in group]
        try:
            await self.records.commit(*changes, events=events)
            return
        except (Conflict, Invalid, LimitReached):
            pass
        for reservation, bill in group:
            try:
                await self.settle(reservation, bill)
            except (Invalid, LimitReached):
                log.exception("call %s cannot be settled; its reservation stays", reservation.quote.request)

    def groups(self, closed: Sequence[Closed]) -> list[list[Closed]]:
        """The calls in groups that fit one commit each."""
        found: list[list[Closed]] = []
        places: set[str] = set()
        for one in closed:
            places = places.union(one[0].counters)
            if not found or 3 * (len(found[-1]) + 1) + 2 * len(places) > MAX_CHANGES:
                found.append([])
                places = set(one[0].counters)
            found[-1].append(one)
        return found

    def _paid(self, reservation: Reservation, bill: Bill) -> list[Change]:
        """What can happen to a reservation only once."""
        request = reservation.quote.request
        if reservation.quote.fresh:
            return [Delete(self._open, request, version=1)]
        return [
            Put(self._rows(reservation.at), request, _row(reservation, bill), version=reservation.seen),
            Delete(self._open, request),
        ]

    def _counted(self, group: Sequence[Closed]) -> list[Change]:
        """What the budgets of these calls gain and get back, in two changes for each."""
        held: dict[str, int] = {}
        spent: dict[str, int] = {}
        for reservation, bill in group:
            for key in reservation.counters:
                held[key] = held.get(key, 0) + bill.cost - reservation.quote.estimate
                spent[key] = spent.get(key, 0) + bill.cost
        changes: list[Change] = []
        for key, amount in held.items():
            changes += [
                Add(self._counters, key, "held", amount),
                Add(self._counters, key, "spent", spent[key]),
            ]
        return changes

    def applying(self, payer: Subject, model: str, at: datetime) -> Applying:
        """The budgets that a payer's calls to a model count against. Their counters change at midnight at the soonest."""
        day = at.toordinal()
        found = self._applying.get((payer, model))
        if found is None or found.day != day:
            if len(self._applying) > 10_000:
                self._applying.clear()
            if len(self._terms) < len(self.budgets):
                self._terms[:] = [(budget, rules.terms(budget.subject)) for budget in self.budgets]
            own = [(budget, rules.member(terms, payer, model)) for budget, terms in self._terms]
            mine = [(budget, member) for budget, member in own if member is not None]
            keys = tuple([counter(budget, at, member) for budget, member in mine])
            found = Applying(tuple([budget for budget, _ in mine]), tuple([member for _, member in mine]), day, keys)
            self._applying[payer, model] = found
        return found

    async def _commit(self, reservation: Reservation) -> bool:
        """Write the reservation; False when its request id is taken."""
        quote, at = reservation.quote, reservation.at
        changes: list[Change] = [Put(self._open, quote.request, _open_value(reservation), version=0)]
        if not quote.fresh:
            changes += [
                Check(self._rows(at), quote.request, reservation.seen),
                Check(self._rows(at.replace(day=1) - timedelta(days=1)), quote.request, 0),
            ]
        if reservation.counters:
            budgets = self.applying(quote.payer, quote.model, at).budgets
            for budget, key in zip(budgets, reservation.counters, strict=True):
                ceiling = budget.limit.micros if budget.hard else None
                changes.append(Add(self._counters, key, "held", quote.estimate, ceiling))
        try:
            await self.records.commit(*changes, durable=False)
        except Conflict:
            return False
        return True

    async def _again(self, reservation: Reservation) -> Reservation:
        """The reservation for another try of a call that failed and cost nothing; otherwise `Conflict`."""
        request = reservation.quote.request
        if await self.records.get(self._open, request):
            raise taken(request, "is under way")
        row = await self.records.get(self._rows(reservation.at), request)
        if row is None or row.value["outcome"] != "failed" or row.value["cost"]:
            raise taken(request, "has been answered and paid for")
        return Reservation(reservation.quote, reservation.counters, reservation.at, reservation.lease, seen=row.version)

    def _exhausted(self, error: LimitReached, reservation: Reservation) -> BudgetExhausted:
        quote, at = reservation.quote, reservation.at
        applying = self.applying(quote.payer, quote.model, at)
        number = reservation.counters.index(error.add.key)
        budget = applying.budgets[number]
        left = max(budget.limit.micros - error.value, 0)
        return BudgetExhausted(
            f"the budget {budget.name!r} of {rules.whose(budget.subject, applying.members[number])} has "
            f"{_money(left, quote.currency)} left and this call may cost up to {_money(quote.estimate, quote.currency)}; "
            f"{rules.resets(budget, at)}, or have it raised; a smaller max_tokens lowers what a call may cost",
            budget=budget.name,
            resets_at=rules.resets_at(budget, at),
        )

    # -------------------------------------------------------------- what stands

    async def status(self) -> list[BudgetStatus]:
        """Every budget in its present period; of one that each has for themselves, everybody's that was touched in it,
        up to `MOST_MEMBERS`.
        """
        at = self.clock()
        found: list[BudgetStatus] = []
        for budget in self.budgets:
            key = counter(budget, at, "")
            if not any(value == rules.EACH for _, value in rules.terms(budget.subject)):
                found.append(_status(budget, at, await self.records.get(self._counters, key)))
                continue
            each = await self.records.query(self._counters, f"{key}/", limit=MOST_MEMBERS)
            found += [_status(budget, at, record, record.key.removeprefix(f"{key}/")) for record in each]
        return found

    # -------------------------------------------------------------- what a crash left

    async def renew(self) -> None:
        """Say that this process lives, for another `ttl` seconds."""
        until = (self.clock() + timedelta(seconds=self.ttl)).timestamp()
        await self.records.commit(Put(self._leases, self.lease.id, {"until": until, "name": self.lease.name}))

    async def give_up(self) -> None:
        """Say that this process is done, so that others need not wait for its lease to run out."""
        await self.records.commit(Delete(self._leases, self.lease.id))

    async def reconcile(self, mine: Callable[[str], bool]) -> int:
        """Settle at the estimate what dead processes left, and what this one no longer knows of; returns how many.

        `mine` says whether a request is under way in this process.
        """
        settled, after = 0, None
        alive: dict[str, bool] = {}
        while page := await self.records.query(self._open, after=after, limit=200):
            for record in page:
                left = _revived(record)
                if left.lease not in alive:
                    alive[left.lease] = await self.alive(left.lease)
                orphan = not mine(record.key) if left.lease == self.lease.id else not alive[left.lease]
                if orphan:
                    settled += await self.settle(left, Bill(Usage(), left.quote.estimate, "reconciled", 0, True))
            after = page[-1].key
        await self._forget_dead()
        return settled

    async def alive(self, id: str) -> bool:
        """Whether the process of a lease lives, as far as can be seen from here."""
        if id == self.lease.id:
            return True
        lease = await self.records.get(self._leases, id)
        if lease is None or surely_dead(lease.value["name"]):
            return False
        return float(lease.value["until"]) > self.clock().timestamp()

    async def _forget_dead(self) -> None:
        for lease in await self.records.query(self._leases):
            if not await self.alive(lease.key):
                await self.records.commit(Delete(self._leases, lease.key))

    # -------------------------------------------------------------- places

    @property
    def _open(self) -> str:
        return f"{self.tenant}/reservations"

    @property
    def _counters(self) -> str:
        return f"{self.tenant}/budgets"

    @property
    def _leases(self) -> str:
        return f"{self.tenant}/leases"

    def _rows(self, at: datetime) -> str:
        return f"{self.tenant}/calls/{at.year}-{at.month:02}"


def counter(budget: Budget, at: datetime, member: str = "") -> str:
    """The key of the record that counts a budget in the period of a moment."""
    return rules.place(budget.id, rules.period(budget, at), member)


def taken(request: str, how: str) -> Conflict:
    return Conflict(f"the request id {request!r} {how}; send each new request under an id of its own")


def _status(budget: Budget, at: datetime, record: Record | None, member: str = "") -> BudgetStatus:
    value = record.value if record else {}
    spent = int(value.get("spent", 0))
    held = int(value.get("held", 0))
    return BudgetStatus(
        budget,
        rules.period(budget, at),
        spent,
        held - spent,
        rules.state(budget, spent),
        rules.resets_at(budget, at),
        member,
    )


def _open_value(reservation: Reservation) -> Json:
    """A reservation as a record: written at each call, so its names are short."""
    quote = reservation.quote
    payer = quote.payer
    return {
        "p": (payer.tenant, payer.department, payer.person, payer.assistant, payer.key),
        "q": (quote.model, quote.provider, quote.operation, quote.estimate, quote.currency),
        "s": (quote.streamed, quote.fresh, quote.trial),
        "b": reservation.counters,
        "t": reservation.at.timestamp(),
        "l": reservation.lease,
        "v": reservation.seen,
    }


def _revived(record: Record) -> Reservation:
    """A reservation as it was written, also by the first version, which wrote it in whole words."""
    value = record.value
    if "quote" in value:
        old = msgspec.convert(value, Reservation)
        return replace(old, lease=old.lease.partition("|")[0])
    quote = Quote(record.key, Subject(*value["p"]), *cast(Any, value["q"]), *cast(Any, value["s"]))
    at = datetime.fromtimestamp(value["t"], UTC)
    return Reservation(quote, tuple(value["b"]), at, value["l"], value["v"])


def _row(reservation: Reservation, bill: Bill) -> Json:
    quote, usage = reservation.quote, bill.usage
    return {
        "model": quote.model,
        "provider": quote.provider,
        "outcome": bill.outcome,
        "cost": bill.cost,
        "currency": quote.currency,
        "prompt": usage.prompt_tokens,
        "completion": usage.completion_tokens,
        "at": reservation.at.timestamp(),
    }


def _event(tenant: str, quote: Quote, bill: Bill) -> UsageRecorded:
    return UsageRecorded(
        id=fresh_id("evt"),
        tenant=tenant,
        actor=quote.payer.person or quote.payer.key or tenant,
        request=quote.request,
        payer=quote.payer,
        model=quote.model,
        provider=bill.provider or quote.provider,
        deployment=bill.deployment,
        operation=quote.operation,
        usage=bill.usage,
        cost_micros=bill.cost,
        currency=quote.currency,
        outcome=bill.outcome,
        duration_ms=bill.duration_ms,
        streamed=quote.streamed,
        estimated=bill.estimated,
        first_token_ms=bill.first_token_ms,
        attempts=bill.attempts,
        trial=quote.trial,
    )


def _money(micros: int, currency: str) -> str:
    return f"{micros / 1_000_000:.6f}".rstrip("0").rstrip(".") + f" {currency}"
