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
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import orjson

from strata.access import Access, Resource
from strata.errors import BudgetExhausted, Forbidden, Invalid, RateLimited, StrataError, UpstreamBroken
from strata.events import CallRefused, GuardrailActed
from strata.gateway import speaking
from strata.gateway.call import Call
from strata.gateway.caller import Ask, Caller
from strata.gateway.dialects import DIALECTS
from strata.gateway.estimate import prompt_bound
from strata.gateway.guarding import Guards
from strata.gateway.guardrail import Blocked, Submission, pass_all
from strata.gateway.keys import Keys
from strata.gateway.options import Options
from strata.gateway.router import Router
from strata.gateway.routing.opening import opening
from strata.gateway.routing.shadow import Shadows
from strata.gateway.routing.target import Target
from strata.gateway.spend import Bill, Outcome, Quote
from strata.gateway.till import Till
from strata.gateway.watching import watching
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
    Money,
    Principal,
    Subject,
)

log = logging.getLogger(__name__)

_T = TypeVar("_T")

DRAIN = 10.0
"""Seconds that closing waits for calls to be settled; what is left is reconciled by the next start."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer in the JSON of its operation, and what it cost."""

    request: str
    body: Json
    bill: Bill
    currency: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a stream: what it came to, and the pieces that tell so in its dialect."""

    request: str
    bill: Bill
    currency: str
    closing: list[Json]


@dataclass(slots=True)
class State:
    """What a gateway remembers between calls, in this process only: who may call what, and whose haste was told."""

    permitted: dict[tuple[Principal, str], bool] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    keeper: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class ModelGateway:
    """Implements `contracts.Gateway`."""

    tenant: str
    options: Options
    records: Records
    access: Access
    router: Router
    till: Till
    guards: Guards
    keys: Keys
    shadows: Shadows
    state: State = field(default_factory=State, repr=False)

    # -------------------------------------------------------------- the contract

    async def complete(self, principal: Principal, request: ChatRequest) -> Completion:
        caller = Caller(principal, self._payer(principal, request.assistant))
        answer = await self.whole(caller, Ask("chat", _chat_body(request), request.request_id))
        choice = answer.body["choices"][0]
        text = (choice.get("message") or {}).get("content") or ""
        cost = Money(answer.bill.cost, answer.currency)
        return Completion(
            request.request_id, request.model, text, choice.get("finish_reason") or "stop", answer.bill.usage, cost
        )

    async def stream(self, principal: Principal, request: ChatRequest) -> AsyncGenerator[Delta]:
        caller = Caller(principal, self._payer(principal, request.assistant))
        finish = "stop"
        async with aclosing(self.pieces(caller, Ask("chat", _chat_body(request), request.request_id))) as pieces:
            async for chunks in pieces:
                if isinstance(chunks, Ended):
                    cost = Money(chunks.bill.cost, chunks.currency)
                    yield Delta("", finish, chunks.bill.usage, cost)
                    return
                for choice in (choice for chunk in chunks for choice in chunk["choices"]):
                    finish = choice.get("finish_reason") or finish
                    if text := (choice.get("delta") or {}).get("content"):
                        yield Delta(text)

    async def embed(self, principal: Principal, request: EmbedRequest) -> Embeddings:
        caller = Caller(principal, self._payer(principal, request.assistant))
        body: Json = {"model": request.model, "input": list(request.texts)}
        answer = await self.whole(caller, Ask("embeddings", body, request.request_id))
        rows = sorted(answer.body["data"], key=lambda row: int(row.get("index", 0)))
        if len(rows) != len(request.texts):
            raise UpstreamBroken(
                f"the vendor of {request.model!r} gave {len(rows)} vectors for {len(request.texts)} texts"
            )
        vectors = [row["embedding"] for row in rows]
        cost = Money(answer.bill.cost, answer.currency)
        return Embeddings(request.request_id, request.model, vectors, answer.bill.usage, cost)

    async def models(self, principal: Principal) -> list[Model]:
        """The models that this principal may call."""
        return [target.model for target in self.router if self._permitted(principal, target.name)]

    async def budgets(self, principal: Principal) -> list[BudgetStatus]:
        """The budgets that this principal may see, with every call counted that this process has finished."""
        await self.till.drained(DRAIN)
        return [status for status in await self.till.spend.status() if self._may_see(principal, status.budget.subject)]

    # -------------------------------------------------------------- the JSON of any dialect

    async def whole(self, caller: Caller, ask: Ask) -> Answered:
        """One answer. Raises what `contracts.Gateway.complete` does."""
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
                        outcome = "failed"
                        raise failure from error
            outcome = "ok"
            if call.watching is not None:
                await self._watched(caller, call, call.watching.whole(answer))
        finally:
            bill = self._over(caller, call, outcome)
        call.dialect.shown(answer, name)
        return Answered(call.reservation.quote.request, answer, bill, attempts.target.currency)

    async def pieces(self, caller: Caller, ask: Ask) -> AsyncGenerator[list[Json] | Ended]:
        """The pieces of an answer as they arrive; in the end, what the call came to.

        Leaving early (closing the generator, or being cancelled) stops the vendor and settles what was used.
        """
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
                        pieces = await opening(source, attempts.route.deployment, call.sent)
                        attempts.answered()
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
                        outcome = "failed"
                        raise failure from error
            outcome = "ok"
            if call.watching is not None:
                if told := await self._watched(caller, call, call.watching.rest()):
                    yield told
                kept = await self._watched(caller, call, call.watching.pieces(kept))
        finally:
            bill = self._over(caller, call, outcome)
        currency = attempts.target.currency
        closing = dialect.closing(kept, last, bill.usage, {"cost_micros": bill.cost, "currency": currency})
        yield Ended(call.reservation.quote.request, bill, currency, closing)

    # -------------------------------------------------------------- one call

    async def _admit(self, caller: Caller, ask: Ask, *, streamed: bool = False) -> Call:
        """Let a call out: route, permission, limits, guardrails, room in every budget. Whatever refuses leaves a fact."""
        dialect = DIALECTS[ask.operation]
        target = self.router.find(ask.body.get("model"), dialect.KINDS)
        self._must_be_permitted(caller, target, ask)
        dialect.check(ask.body)
        try:
            self.till.limits.enter(caller.name)
        except RateLimited as error:
            self._refused(caller, target.name, ask.request, error)
            raise
        try:
            size = ask.size or _size(ask.body)
            submission = Submission(caller.payer, ask.operation, ask.body, size, target.name)
            guardrails = self.guards.over(submission)
            if guardrails.reading:
                submission.texts = dialect.request_texts(ask.body)
            try:
                await pass_all(guardrails.all, submission)
            finally:
                self._acted(caller, submission, ask.request)
            most = dialect.bound(ask.body, self.options.default_max_tokens)
            attempts = self.router.begin(target, caller, ask, most, streamed=streamed)
            quote = Quote(
                ask.request,
                caller.payer,
                target.name,
                attempts.route.deployment.provider,
                ask.operation,
                0 if dialect.FREE else target.worst(prompt_bound(ask.body, target.count), most),
                target.currency,
                streamed,
                fresh=ask.fresh,
            )
            reservation = await self.till.reserve(quote)
            over = watching(dialect, guardrails.reading, submission) if guardrails.reading else None
            call = Call(ask, dialect, attempts, reservation, most, submission, over)
            if attempts.shadow is not None:
                self.shadows.follow(call)
            return call
        except BaseException as error:
            self.till.limits.leave()
            if isinstance(error, Blocked):
                self._refused(caller, target.name, ask.request, error.error, error.guardrail)
                raise error.error from error
            if isinstance(error, BudgetExhausted):
                self._refused(caller, target.name, ask.request, error)
            raise

    async def _watched(self, caller: Caller, call: Call, look: Coroutine[Any, Any, _T]) -> _T:
        """What the guardrails let pass of the answer; a refusal is told like one of the request."""
        try:
            return await look
        except Blocked as error:
            self._refused(caller, call.attempts.target.name, call.ask.request, error.error, error.guardrail)
            raise error.error from error

    def _over(self, caller: Caller, call: Call, outcome: Outcome) -> Bill:
        """The call has ended: its bill, settled beside the caller, and what the guardrails found in the answer."""
        call.attempts.left()
        if call.watching is not None:
            self._acted(caller, call.submission, call.ask.request)
        return self.till.end(call, outcome)

    # -------------------------------------------------------------- rights and refusals

    def _payer(self, principal: Principal, assistant: str) -> Subject:
        return Subject(principal.tenant, principal.department, principal.id, assistant)

    def _must_be_permitted(self, caller: Caller, target: Target, ask: Ask) -> None:
        name = target.name
        if not self._permitted(caller.principal, name):
            raise Forbidden(f"{caller.principal.id!r} may not call the model {name!r}; ask a platform engineer")
        if (caller.models is not None and name not in caller.models) or (
            caller.operations is not None and ask.operation not in caller.operations
        ):
            raise Forbidden(f"this API key is not for {ask.operation} with the model {name!r}; ask for one that is")

    def _permitted(self, principal: Principal, model: str) -> bool:
        permitted = self.state.permitted.get((principal, model))
        if permitted is None:
            if len(self.state.permitted) > 50_000:
                self.state.permitted.clear()
            permitted = self.access.may(principal, "call", Resource.plain("Model", self.tenant, model))
            self.state.permitted[principal, model] = permitted
        return permitted

    def _may_see(self, principal: Principal, subject: str) -> bool:
        kind, _, id_ = subject.partition(":")
        if kind == "person" and id_ == principal.id and principal.tenant == self.tenant:
            return True
        if kind == "department":
            return self.access.may(principal, "report", Resource.department(self.tenant, id_))
        return self.access.may(principal, "report", Resource.plain("Tenant", self.tenant, self.tenant))

    def _refused(self, caller: Caller, model: str, request: str, error: StrataError, guardrail: str = "") -> None:
        """Tell the fact beside the caller. Of a caller who is too fast it is told once a minute."""
        if isinstance(error, RateLimited):
            if self.state.told.get(caller.name, 0.0) > time.monotonic():
                return
            if len(self.state.told) > 10_000:
                self.state.told.clear()
            self.state.told[caller.name] = time.monotonic() + 60
        fact = CallRefused(
            tenant=self.tenant,
            actor=caller.principal.id,
            request=request,
            payer=caller.payer,
            model=model,
            reason=f"{guardrail or 'gateway'}: {error.slug}",
            budget=str(error.more.get("budget", "")),
        )
        self.till.beside(self._tell(fact))

    def _acted(self, caller: Caller, submission: Submission, request: str) -> None:
        """Tell what guardrails have found so far, beside the caller."""
        if not submission.findings:
            return
        findings = tuple(asdict(finding) for finding in submission.findings)
        submission.findings.clear()
        fact = GuardrailActed(
            tenant=self.tenant,
            actor=caller.principal.id,
            request=request,
            payer=caller.payer,
            model=submission.model,
            findings=findings,
        )
        self.till.beside(self._tell(fact))

    async def _tell(self, fact: CallRefused | GuardrailActed) -> None:
        try:
            await self.records.commit(events=[fact])
        except StrataError as error:
            log.warning("%s of %s could not be recorded: %s", fact.kind, fact.request, error)

    # -------------------------------------------------------------- the life of the gateway

    async def start(self) -> None:
        """Take the lease, settle what a crash left, and keep doing both while the gateway lives."""
        await self.till.spend.renew()
        await self.till.reconcile()
        self.state.keeper = asyncio.get_running_loop().create_task(self.till.keep(self.options.reservation_ttl))

    async def warm(self) -> None:
        """Load every embedded model, so that no caller waits for it."""
        for route in self.router.routes.values():
            await route.provider.warm()

    async def ready(self) -> None:
        """Raise unless the store answers."""
        await self.records.get(f"{self.tenant}/leases", self.till.spend.lease.id)

    async def settled(self) -> None:
        """Wait until every call that is over has been settled."""
        await self.till.drained()

    async def close(self) -> None:
        if self.state.keeper is not None:
            self.state.keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.state.keeper
        await self.shadows.close()
        await self.till.drained(DRAIN)
        for task in list(self.till.tasks):
            task.cancel()
        for route in self.router.routes.values():
            await route.provider.close()
        with contextlib.suppress(StrataError):
            await self.till.spend.give_up()


def _chat_body(request: ChatRequest) -> Json:
    body: Json = {
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "max_completion_tokens": request.max_tokens,
        "temperature": request.temperature,
    }
    if request.stop:
        body["stop"] = list(request.stop)
    return body


def _size(body: Json) -> int:
    try:
        return len(orjson.dumps(body))
    except TypeError as error:
        raise Invalid(f"the request cannot be sent: {error}") from error


def _told(model: str, error: Exception) -> StrataError:
    """What a failure means to the caller; anything that is not ours is nonsense from the vendor."""
    if isinstance(error, StrataError):
        return error
    log.error("the vendor of %r answered with something that cannot be read", model, exc_info=error)
    return UpstreamBroken(f"the vendor of {model!r} answered with something that cannot be read")
