"""The one door to every model: each call is routed, judged, reserved, made, and settled exactly once.

`whole` and `pieces` work on the JSON of any dialect and serve the HTTP door; `complete`, `stream` and `embed` are the
same for the other layers, as `contracts.Gateway` promises. Settling happens beside the answer: the caller does not
wait for it, and a caller who leaves cannot stop it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from strata.budgets import whose
from strata.errors import BudgetExhausted, Deadline, Forbidden, Invalid, RateLimited, StrataError, UpstreamBroken
from strata.gateway import contract, reusing, speaking
from strata.gateway.answering import Answered, Ended
from strata.gateway.cache import AnswerCache
from strata.gateway.call import Call
from strata.gateway.caller import Ask, Caller
from strata.gateway.dialects import DIALECTS
from strata.gateway.dialects.strings import others
from strata.gateway.facts.telling import Telling
from strata.gateway.facts.transcripts import Transcripts
from strata.gateway.faults import where
from strata.gateway.guardrail import Blocked, Submission, pass_all
from strata.gateway.guards import passages
from strata.gateway.guards.borders import Borders
from strata.gateway.guards.guarding import Guards
from strata.gateway.guards.watching import watching
from strata.gateway.keys import Keys
from strata.gateway.money.prices import manner
from strata.gateway.money.spend import Bill, Outcome, Quote
from strata.gateway.options import Options
from strata.gateway.rights import Rights
from strata.gateway.router import Router
from strata.gateway.routing.opening import opening
from strata.gateway.routing.target import Target
from strata.gateway.shadow import Shadows
from strata.gateway.till import Till
from strata.gateway.translations import nonsense
from strata.ports.months import Months, Periods
from strata.ports.records import Records
from strata.types import (
    BudgetStatus,
    ChatRequest,
    Completion,
    Delta,
    Embeddings,
    EmbedRequest,
    Json,
    Model,
    Principal,
    Subject,
)

log = logging.getLogger(__name__)

_T = TypeVar("_T")

NOTED = 15.0
"""Seconds between two times that the last uses of keys and this worker's figures are written down."""

DRAIN = 10.0
"""Seconds that closing waits for calls to be settled; what is left is reconciled by the next start."""


@dataclass(slots=True)
class State:
    """What runs beside the calls while the gateway lives."""

    keepers: list[asyncio.Task[None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ModelGateway:
    """Implements `contracts.Gateway`."""

    tenant: str
    options: Options
    records: Records
    rights: Rights
    borders: Borders
    router: Router
    till: Till
    guards: Guards
    keys: Keys
    shadows: Shadows
    telling: Telling
    cache: AnswerCache
    transcripts: Transcripts
    call_rows: Months
    counters: Periods
    state: State = field(default_factory=State, repr=False)

    # -------------------------------------------------------------- the contract

    async def complete(self, principal: Principal, request: ChatRequest) -> Completion:
        caller = Caller(principal, self._payer(principal, request.assistant))
        return contract.completion(request, await self.whole(caller, contract.chat(request)))

    def stream(self, principal: Principal, request: ChatRequest) -> AsyncGenerator[Delta]:
        caller = Caller(principal, self._payer(principal, request.assistant))
        return contract.deltas(self.pieces(caller, contract.chat(request)))

    async def embed(self, principal: Principal, request: EmbedRequest) -> Embeddings:
        caller = Caller(principal, self._payer(principal, request.assistant))
        return contract.embeddings(request, await self.whole(caller, contract.embedding(request)))

    async def models(self, principal: Principal) -> list[Model]:
        """The models that this principal may call."""
        return [target.model for target in self.router if self.rights.may_call(principal, target.name)]

    async def budgets(self, principal: Principal) -> list[BudgetStatus]:
        """The budgets that this principal may see, with every call counted that this process has finished."""
        await self.till.drained(DRAIN)
        return [
            it
            for it in await self.till.spend.status()
            if self.rights.may_see(principal, whose(it.budget.subject, it.member))
        ]

    # -------------------------------------------------------------- the JSON of any dialect

    async def whole(self, caller: Caller, ask: Ask) -> Answered:
        """One answer, made now or kept from before. Raises what `contracts.Gateway.complete` does."""
        if not (self.cache.on and ask.reuse):
            return await self._whole(caller, ask)
        target = self._target(caller, ask)
        return await reusing.whole(self.cache, self.telling, caller, ask, target, self._whole)

    async def _whole(self, caller: Caller, ask: Ask) -> Answered:
        call = await self._admit(caller, ask)
        outcome: Outcome = "client-gone"
        attempts, name = call.attempts, call.attempts.target.name
        try:
            while True:
                try:
                    await attempts.enter()
                    call.sent = time.perf_counter()
                    answer = await attempts.within(speaking.whole(attempts.route.provider, ask))
                    if not call.dialect.whole(answer):
                        raise UpstreamBroken(f"the vendor's answer is not one to {ask.operation}")
                    call.hear(answer)
                    attempts.ended()
                    break
                except Exception as error:
                    failure = _told(name, error)
                    attempts.ended(failure)
                    if not await attempts.after(failure):
                        outcome = _ending(call, failure)
                        raise failure from error
            outcome = "ok"
            if call.watching is not None:
                await self._watched(caller, call, call.watching.whole(answer))
        finally:
            bill = self._over(caller, call, outcome)
        call.dialect.shown(answer, name)
        return Answered(call.reservation.quote.request, answer, bill, attempts.target.currency)

    def pieces(self, caller: Caller, ask: Ask) -> AsyncGenerator[list[Json] | Ended]:
        """The pieces of an answer as they arrive; in the end, what the call came to.

        Leaving early (closing the generator, or being cancelled) stops the vendor and settles what was used.
        """
        if not (self.cache.on and ask.reuse):
            return self._pieces(caller, ask)
        return reusing.pieces(self.cache, self.telling, caller, ask, self._target(caller, ask), self._pieces)

    async def _pieces(self, caller: Caller, ask: Ask) -> AsyncGenerator[list[Json] | Ended]:
        call = await self._admit(caller, ask, streamed=True)
        outcome: Outcome = "client-gone"
        attempts, dialect, name = call.attempts, call.dialect, call.attempts.target.name
        last: Json = {}
        kept: list[Json] = []
        try:
            while True:
                try:
                    await attempts.enter()
                    call.sent = time.perf_counter()
                    async with aclosing(attempts.timed(speaking.stream(attempts.route.provider, ask))) as source:
                        pieces: list[Json] | None = await opening(source, attempts.route.deployment, call.sent)
                        attempts.answered()
                        ask.deployment = attempts.route.deployment.name
                        while pieces is not None:
                            for piece in pieces:
                                call.hear(piece)
                            told: list[Json] = []
                            for piece in pieces:
                                (told if dialect.shown(piece, name) else kept).append(piece)
                            last = pieces[-1]
                            if call.watching is not None and told:
                                told = await self._watched(caller, call, call.watching.pieces(told))
                            if told:
                                yield told
                            pieces = await anext(source, None)
                    attempts.ended()
                    break
                except Exception as error:
                    failure = _told(name, error)
                    attempts.ended(failure)
                    if call.answered or not await attempts.after(failure):
                        outcome = _ending(call, failure)
                        raise failure from error
            outcome = "ok"
            if call.watching is not None:
                if told := await self._watched(caller, call, call.watching.rest()):
                    yield told
                kept = await self._watched(caller, call, call.watching.pieces(kept))
        finally:
            bill = self._over(caller, call, outcome)
        yield Ended(ask, bill, attempts.target.currency, kept, last, bill.usage)

    # -------------------------------------------------------------- one call

    def _target(self, caller: Caller, ask: Ask) -> Target:
        """What the caller asks of, if it may ask that."""
        dialect = DIALECTS[ask.operation]
        target = self.router.find(ask.body.get("model"), dialect.KINDS)
        self.rights.require(caller, target.name, ask)
        dialect.check(ask.body)
        return target

    async def _admit(self, caller: Caller, ask: Ask, *, streamed: bool = False) -> Call:
        """Let a call out: route, permission, limits, guardrails, room in every budget. Whatever refuses leaves a fact."""
        dialect, target = DIALECTS[ask.operation], self._target(caller, ask)
        limits = self.till.limits
        try:
            entry = await limits.enter(caller.payer, caller.name, target.name)
        except RateLimited as error:
            ask.headers += error.headers or ()
            self.telling.refused(caller, target.name, ask.request, error)
            raise
        try:
            size = ask.size or _size(ask.body)
            submission = Submission(caller.payer, ask.operation, ask.body, size, target.name)
            guardrails = self.guards.over(submission)
            mixed: list[passages.Mixed] = []
            if guardrails.reading:
                with nonsense.asked():
                    texts = dialect.request_texts(ask.body)
                submission.texts = [*texts, *others(ask.body, texts)]
                if ask.retrieved:
                    messages = ask.body["messages"]
                    submission.texts, mixed = passages.apart(submission.texts, ask.retrieved, messages)
            try:
                await pass_all(guardrails.all, submission)
            finally:
                self.telling.judged(caller, submission, ask.request)
            for message in mixed:
                message.join()
            most = dialect.bound(ask.body, self.options.default_max_tokens)
            objection = self.borders.objection(ask.classification, submission.labels)
            attempts = self.router.begin(target, caller, ask, most, streamed=streamed, objection=objection)
            prompt = target.prompt(ask.operation, ask.body)
            await limits.reserve(entry, prompt + most)
            ask.headers += limits.headers(entry)
            quote = Quote(
                ask.request,
                caller.payer,
                target.name,
                attempts.route.deployment.provider,
                ask.operation,
                0 if dialect.FREE else target.worst(prompt, most, ask.pictures, manner(ask.body)),
                target.currency,
                streamed,
                fresh=ask.fresh,
                trial=target.trial,
            )
            over = watching(dialect, guardrails.reading, submission) if guardrails.reading else None
            reservation = await self.till.reserve(quote)
            call = Call(ask, dialect, attempts, reservation, most, submission, over, entry)
            if self.transcripts.on:
                call.words = []
            if attempts.shadow is not None:
                self.shadows.follow(call)
            return call
        except BaseException as error:
            limits.leave(entry)
            if isinstance(error, RateLimited) and error.headers:
                ask.headers += error.headers
                self.telling.refused(caller, target.name, ask.request, error)
            if isinstance(error, Blocked):
                self.telling.refused(caller, target.name, ask.request, error.error, error.guardrail)
                raise error.error from error
            if isinstance(error, BudgetExhausted | Forbidden):
                self.telling.refused(caller, target.name, ask.request, error)
            raise

    async def _watched(self, caller: Caller, call: Call, look: Coroutine[Any, Any, _T]) -> _T:
        """What the guardrails let pass of the answer; a refusal is told like one of the request."""
        try:
            return await look
        except Blocked as error:
            self.telling.refused(caller, call.attempts.target.name, call.ask.request, error.error, error.guardrail)
            raise error.error from error

    def _over(self, caller: Caller, call: Call, outcome: Outcome) -> Bill:
        """The call has ended: its bill, settled beside the caller, and what the guardrails found in the answer."""
        call.attempts.left()
        bill = self.till.end(call, outcome)
        self.telling.ended(caller, call, bill)
        if call.words is not None:
            self.till.beside(self.transcripts.keep(caller, call, bill))
        return bill

    def _payer(self, principal: Principal, assistant: str) -> Subject:
        return Subject(principal.tenant, principal.department, principal.id, assistant)

    # -------------------------------------------------------------- the life of the gateway

    async def start(self) -> None:
        """Take the lease, settle what a crash left, and keep doing both while the gateway lives."""
        await self.till.spend.renew()
        await self.till.reconcile()
        await self.till.limits.keep(self.till.spend.alive)
        loop = asyncio.get_running_loop()
        self.state.keepers += [
            loop.create_task(self.till.keep(self.options.reservation_ttl)),
            loop.create_task(self._note()),
        ]

    async def _note(self) -> None:
        """Write down now and then what is only counted in memory: the last uses of keys, this worker's figures."""
        while True:
            await asyncio.sleep(NOTED)
            await self._noted()

    async def _noted(self) -> None:
        try:
            await self.keys.note_uses()
            await asyncio.to_thread(self.telling.telemetry.metrics.leave)
            await self.transcripts.prune()
            await self.call_rows.prune()
            await self.counters.prune()
        except (StrataError, OSError) as error:
            log.warning("what is done now and then could not be done: %s", error)

    def gauges(self) -> Iterator[tuple[str, str, dict[str, str], float]]:
        """What stands now in this process: name, help, labels, value."""
        yield "strata_gateway_under_way", "Calls under way in this worker.", {}, float(self.till.limits.under_way)
        for name in ("hits", "misses", "shared"):
            yield "strata_gateway_cache", "Uses of the exact cache.", {"result": name}, float(getattr(self.cache, name))
        for name, route in self.router.routes.items():
            breaker, room, labels = route.standing.breaker, route.standing.room, {"deployment": name}
            closed = 0.0 if breaker.untroubled or not breaker.wait() else 1.0
            yield "strata_gateway_breaker_open", "1 where nothing is sent to it.", labels, closed
            yield "strata_gateway_breaker_opened", "How often it was left alone.", labels, float(breaker.opened)
            yield "strata_gateway_deployment_under_way", "Calls under way there.", labels, float(room.under_way)
            yield "strata_gateway_deployment_waiting", "Calls that wait for a place.", labels, float(room.waiting)

    async def warm(self) -> None:
        """Load every embedded model and what guardrails find with, so that no caller waits for it."""
        for route in self.router.routes.values():
            await route.provider.warm()
        await self.guards.warm()

    async def ready(self) -> None:
        """Raise unless the store answers."""
        await self.records.get(f"{self.tenant}/leases", self.till.spend.lease.id)

    async def settled(self) -> None:
        """Wait until every call that is over has been settled."""
        await self.till.drained()

    async def close(self) -> None:
        for keeper in self.state.keepers:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        await self.shadows.close()
        await self.till.drained(DRAIN)
        for task in list(self.till.tasks):
            task.cancel()
        for route in self.router.routes.values():
            await route.provider.close()
        await self.guards.close()
        await self._noted()
        self.telling.telemetry.close()
        with contextlib.suppress(StrataError):
            await self.till.limits.close()
            await self.till.spend.give_up()


def _size(body: Json) -> int:
    try:
        return len(orjson.dumps(body))
    except TypeError as error:
        raise Invalid(f"the request cannot be sent: {error}") from error


def _ending(call: Call, failure: StrataError) -> Outcome:
    """A caller whose own time was over before the vendor said anything has left, and pays for what was asked."""
    left = isinstance(failure, Deadline) and call.attempts.asked and not call.answered
    return "client-gone" if left else "failed"


def _told(model: str, error: Exception) -> StrataError:
    """What a failure means to the caller; anything that is not ours is nonsense from the vendor."""
    if isinstance(error, StrataError):
        return error
    log.error("the vendor of %r answered with something that cannot be read: %s", model, where(error))
    return UpstreamBroken(f"the vendor of {model!r} answered with something that cannot be read")
