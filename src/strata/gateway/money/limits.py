"""How fast and how many at once: requests and tokens in a window, calls under way, for everybody whom a rule concerns.

Quotas are shared by all workers and replicas through the records port (`quota`). Calls under way are limited in each
process besides, so that a crowd waits for a moment in a queue that is fair between callers, and is then turned away,
instead of slowing down everybody. Headers tell each caller what is left: `RateLimit` and `RateLimit-Policy`
(draft-ietf-httpapi-ratelimit-headers-10), and the `x-ratelimit-…` that OpenAI's clients read.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from strata import budgets as rules
from strata.budgets import Terms
from strata.errors import RateLimited, Unavailable
from strata.gateway.money.quota import Slots, Store, Window, reclaim, tidy
from strata.gateway.options import LimitRule
from strata.types import Subject

MAX_CALLERS = 20_000
SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}
CALLER = "caller"
"""The subject of the rule for each caller: their key, or themselves."""

LOOK = 0.05
"""Seconds between two looks at whether a place has become free in another process."""

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Quota:
    """One rule as it concerns one subject. `whose` is how an error names it."""

    whose: str
    rule: LimitRule
    requests: Window | None
    tokens: Window | None
    slots: Slots | None


@dataclass(frozen=True, slots=True)
class Standing:
    """All quotas of one caller, and their policies as a header says them."""

    quotas: tuple[Quota, ...]
    windows: tuple[tuple[bytes, bytes, Window], ...]
    policy: bytes


@dataclass(slots=True)
class Entry:
    """What a call that was let in has taken: places, and tokens of windows (which, how many, until when)."""

    standing: Standing
    caller: str
    slots: list[Slots] = field(default_factory=list)
    tokens: list[tuple[Window, int, float]] = field(default_factory=list)
    gone: bool = False
    at: float = field(default_factory=time.perf_counter)


@dataclass(slots=True)
class Queue:
    """Calls that wait for one in this process to end: in turn between callers, so that nobody's crowd holds up others."""

    waiting: OrderedDict[str, deque[asyncio.Future[None]]] = field(default_factory=OrderedDict)
    count: int = 0

    def join(self, caller: str) -> asyncio.Future[None]:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(caller, deque()).append(place)
        self.count += 1
        return place

    def next(self) -> bool:
        """Wake the first call of the caller whose turn it is; their next one waits until the others had theirs."""
        while self.waiting:
            caller, places = self.waiting.popitem(last=False)
            place = places.popleft()
            if places:
                self.waiting[caller] = places
            self.count -= 1
            if not place.done():
                place.set_result(None)
                return True
        return False


@dataclass(slots=True)
class Limits:
    """`per_minute` requests for each caller (0: no limit) and the `rules`, over all processes; `concurrent` calls in this
    process, for which up to `waiting` wait `patience` seconds.
    """

    store: Store
    per_minute: int
    concurrent: int
    rules: tuple[LimitRule, ...] = ()
    waiting: int = 512
    patience: float = 2.0
    under_way: int = 0
    queue: Queue = field(default_factory=Queue, repr=False)
    _standing: dict[tuple[Subject, str, str], Standing] = field(default_factory=dict, repr=False)
    _windows: dict[str, Window] = field(default_factory=dict, repr=False)
    _slots: dict[str, Slots] = field(default_factory=dict, repr=False)
    _terms: list[tuple[LimitRule, Terms]] = field(default_factory=list, repr=False)

    async def enter(self, payer: Subject, caller: str, model: str) -> Entry:
        """Let a call in, or raise `RateLimited` or `Unavailable`. Every call let in must `leave`."""
        if self.under_way >= self.concurrent:
            await self._queued(caller)
        else:
            self.under_way += 1
        entry = Entry(self.standing(payer, caller, model), caller)
        try:
            for quota in entry.standing.quotas:
                if quota.slots is not None:
                    await self._placed(quota, entry)
                if quota.requests is not None and not quota.requests.quick(1, self.store.clock()):
                    await self._counted(quota, quota.requests, 1, entry)
        except BaseException:
            self.leave(entry)
            raise
        return entry

    async def reserve(self, entry: Entry, tokens: int) -> None:
        """Take the most tokens that a call may use, of every window. Raises `RateLimited`."""
        for quota in entry.standing.quotas:
            window = quota.tokens
            if window is not None:
                if not window.quick(tokens, self.store.clock()):
                    await self._counted(quota, window, tokens, entry)
                entry.tokens.append((window, tokens, window.until))

    def leave(self, entry: Entry, used: int = 0) -> None:
        """The call is over: give back its places, and the tokens that it did not use."""
        if entry.gone:
            return
        entry.gone = True
        for slots in entry.slots:
            slots.leave()
        for window, taken, until in entry.tokens:
            window.back(taken - used, until)
        if not self.queue.next():
            self.under_way -= 1

    def headers(self, entry: Entry) -> Headers:
        """What is left to this caller now, rule by rule; in OpenAI's headers, what is least."""
        return self._headers(entry.standing)

    def standing(self, payer: Subject, caller: str, model: str) -> Standing:
        """The quotas that concern a call."""
        found = self._standing.get((payer, caller, model))
        if found is None:
            if len(self._standing) >= MAX_CALLERS:
                self._standing.clear()
                self._forget()
            found = self._standing[payer, caller, model] = self._found(payer, caller, model)
        return found

    async def keep(self, alive: Callable[[str], Awaitable[bool]]) -> None:
        """Free the places of processes that died, and remove windows that are over."""
        if self.rules:
            await reclaim(self.store, alive)
        if self.rules or self.per_minute:
            await tidy(self.store)

    async def close(self) -> None:
        """Give back what is in hand."""
        for window in self._windows.values():
            await window.give_back()
        for slots in self._slots.values():
            await slots.give_back()

    # ------------------------------------------------------------------ letting in

    async def _queued(self, caller: str) -> None:
        """Wait for a call to end; whoever ends one leaves its place to the one that is woken."""
        if self.queue.count >= self.waiting or not self.patience:
            raise self._full()
        place = self.queue.join(caller)
        try:
            async with asyncio.timeout(self.patience):
                await place
        except TimeoutError:
            self._passed_on(place)
            raise self._full() from None
        except asyncio.CancelledError:
            self._passed_on(place)
            raise

    def _passed_on(self, place: asyncio.Future[None]) -> None:
        """Whoever gives up in the very moment of being woken gives the place to the next."""
        if place.done() and not place.cancelled() and not self.queue.next():
            self.under_way -= 1

    def _full(self) -> Unavailable:
        return Unavailable(
            f"{self.concurrent} model calls are under way here, which is the limit; try again shortly", retry_after=1
        )

    async def _placed(self, quota: Quota, entry: Entry) -> None:
        slots = quota.slots
        assert slots is not None
        until = time.monotonic() + self.patience
        while not slots.quick() and not await slots.take():
            if time.monotonic() >= until:
                error = RateLimited(
                    f"{quota.whose} may have {slots.limit} calls under way at once, and has; try again when one is over",
                    retry_after=1,
                )
                error.headers = self._headers(entry.standing)
                raise error
            await asyncio.sleep(LOOK)
        entry.slots.append(slots)

    async def _counted(self, quota: Quota, window: Window, amount: int, entry: Entry) -> None:
        if await window.take(amount):
            return
        wait = window.wait(self.store.clock())
        most = f"{quota.whose} may use {window.limit} {window.unit} a {quota.rule.period}"
        if amount > window.limit:
            text = f"{most}, and this call alone may need {amount}; a smaller max_tokens lowers what it may need"
        elif window.unit == "tokens":
            text = f"{most}; {window.remaining} are left and this call may need {amount}; try again in {wait:.1f} s"
        else:
            text = f"{most}; try again in {wait:.1f} s"
        error = RateLimited(text, retry_after=round(wait, 3))
        error.headers = self._headers(entry.standing)
        raise error

    # ------------------------------------------------------------------ whom a rule concerns

    def _found(self, payer: Subject, caller: str, model: str) -> Standing:
        if len(self._terms) < len(self.rules):
            self._terms[:] = [(rule, rules.terms(rule.subject)) for rule in self.rules]
        quotas: list[Quota] = []
        if self.per_minute:
            each = LimitRule(CALLER, requests=self.per_minute)
            quotas.append(self._quota(each, repr(caller), f"{CALLER}:*/minute/{caller}"))
        for rule, terms in self._terms:
            member = rules.member(terms, payer, model)
            if member is not None:
                whose = rules.whose(rule.subject, member)
                quotas.append(self._quota(rule, whose, f"{rule.subject}/{rule.period}/{member}"))
        windows: list[tuple[bytes, bytes, Window]] = []
        policies: list[bytes] = []
        for quota in quotas:
            for window in (quota.requests, quota.tokens):
                if window is not None:
                    name = f'"{_ascii(quota.rule.subject)} {window.unit} a {quota.rule.period}"'.encode()
                    windows.append((name, window.unit.encode(), window))
                    unit = b"" if window.unit == "requests" else b';qu="tokens"'
                    policies.append(b"%b;q=%d;w=%d%b" % (name, window.limit, window.seconds, unit))
        return Standing(tuple(quotas), tuple(windows), b", ".join(policies))

    def _quota(self, rule: LimitRule, whose: str, key: str) -> Quota:
        seconds = SECONDS[rule.period]
        requests = self._window(f"window/requests/{key}", "requests", rule.requests, seconds)
        tokens = self._window(f"window/tokens/{key}", "tokens", rule.tokens, seconds)
        slots = None
        if rule.concurrent:
            slots = self._slots.setdefault(f"slots/{key}", Slots(self.store, f"slots/{key}", rule.concurrent))
        return Quota(whose, rule, requests, tokens, slots)

    def _window(self, key: str, unit: str, limit: int, seconds: float) -> Window | None:
        if not limit:
            return None
        return self._windows.setdefault(key, Window(self.store, key, unit, limit, seconds))

    def _forget(self) -> None:
        """Drop what nobody has used in the present window, so that callers who went away take no memory."""
        at = self.store.clock()
        self._windows = {key: window for key, window in self._windows.items() if at < window.until}
        self._slots = {key: slots for key, slots in self._slots.items() if slots.granted}

    def _headers(self, standing: Standing) -> Headers:
        if not standing.windows:
            return []
        at = self.store.clock()
        parts: list[bytes] = []
        least: dict[bytes, tuple[int, Window]] = {}
        for name, unit, window in standing.windows:
            left = window.remaining if at < window.until else window.limit
            parts.append(b"%b;r=%d;t=%d" % (name, left, math.ceil(window.wait(at))))
            if unit not in least or left < least[unit][0]:
                least[unit] = left, window
        found = [(b"ratelimit-policy", standing.policy), (b"ratelimit", b", ".join(parts))]
        for unit, (left, window) in least.items():
            found += [
                (b"x-ratelimit-limit-" + unit, b"%d" % window.limit),
                (b"x-ratelimit-remaining-" + unit, b"%d" % left),
                (b"x-ratelimit-reset-" + unit, b"%ds" % math.ceil(window.wait(at))),
            ]
        return found


def _ascii(text: str) -> str:
    """A name as it may stand in a header's quoted string."""
    return "".join([each if each.isascii() and each.isprintable() and each not in '"\\' else "?" for each in text])
