"""The one door to every model: each call is routed, judged, reserved, made, and settled exactly once.

`chat`, `pieces` and `embeddings` work on OpenAI's JSON and serve the HTTP door; `complete`, `stream` and `embed` are
the same for the other layers, as `contracts.Gateway` promises. Settling happens beside the answer: the caller does not
wait for it, and a caller who leaves cannot stop it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal, cast

import orjson

from strata.access import Access, Resource
from strata.errors import BudgetExhausted, Forbidden, Invalid, RateLimited, StrataError, UpstreamBroken
from strata.events import CallRefused
from strata.gateway.call import Call
from strata.gateway.estimate import completion_bound, prompt_bound
from strata.gateway.guardrail import Blocked, Guardrail, Submission, pass_all
from strata.gateway.keys import Keys
from strata.gateway.options import Options
from strata.gateway.router import Router
from strata.gateway.spend import Bill, Outcome, Quote
from strata.gateway.till import Till
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
    Usage,
)

log = logging.getLogger(__name__)

DRAIN = 10.0
"""Seconds that closing waits for calls to be settled; what is left is reconciled by the next start."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls and who pays."""

    principal: Principal
    payer: Subject

    @property
    def name(self) -> str:
        return self.payer.key or self.principal.id


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer as OpenAI's JSON, and what it cost."""

    request: str
    body: Json
    bill: Bill
    currency: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a stream: what it came to. `last` is the last piece that the vendor sent."""

    request: str
    bill: Bill
    currency: str
    last: Json

    @property
    def chunk(self) -> Json:
        """The piece in which OpenAI's clients look for the usage; it says the cost as well."""
        return {
            "id": self.last.get("id", ""),
            "object": "chat.completion.chunk",
            "created": self.last.get("created", 0),
            "model": self.last.get("model", ""),
            "choices": [],
            "usage": {**usage_json(self.bill.usage), "cost_micros": self.bill.cost, "currency": self.currency},
        }


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
    guardrails: tuple[Guardrail, ...]
    keys: Keys
    state: State = field(default_factory=State, repr=False)

    # -------------------------------------------------------------- the contract

    async def complete(self, principal: Principal, request: ChatRequest) -> Completion:
        caller = Caller(principal, self._payer(principal, request.assistant))
        answer = await self.chat(caller, _chat_body(request), request.request_id)
        choice = answer.body["choices"][0]
        text = (choice.get("message") or {}).get("content") or ""
        cost = Money(answer.bill.cost, answer.currency)
        return Completion(
            request.request_id, request.model, text, choice.get("finish_reason") or "stop", answer.bill.usage, cost
        )

    async def stream(self, principal: Principal, request: ChatRequest) -> AsyncGenerator[Delta]:
        caller = Caller(principal, self._payer(principal, request.assistant))
        finish = "stop"
        async with aclosing(self.pieces(caller, _chat_body(request), request.request_id)) as pieces:
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
        answer = await self.embeddings(caller, body, request.request_id)
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
        return [route.model for route in self.router if self._may_call(principal, route.deployment.name)]

    async def budgets(self, principal: Principal) -> list[BudgetStatus]:
        """The budgets that this principal may see, with every call counted that this process has finished."""
        await self.till.drained(DRAIN)
        return [status for status in await self.till.spend.status() if self._may_see(principal, status.budget.subject)]

    # -------------------------------------------------------------- OpenAI's JSON

    async def chat(self, caller: Caller, body: Json, request: str, size: int = 0, *, fresh: bool = False) -> Answered:
        """A chat completion. The body becomes the gateway's. Raises what `contracts.Gateway.complete` does.

        `request` is the caller's id for the call, by which it is made and charged once; `fresh` says that it was made
        at random just now. `size` is the request's length in bytes.
        """
        return await self._whole("chat", caller, body, request, size, fresh=fresh)

    async def embeddings(
        self, caller: Caller, body: Json, request: str, size: int = 0, *, fresh: bool = False
    ) -> Answered:
        return await self._whole("embeddings", caller, body, request, size, fresh=fresh)

    async def pieces(
        self, caller: Caller, body: Json, request: str, size: int = 0, *, fresh: bool = False
    ) -> AsyncGenerator[list[Json] | Ended]:
        """`chat.completion.chunk` objects as they arrive, without their usage; in the end, what the call came to.

        Leaving early (closing the generator, or being cancelled) stops the vendor and settles what was used.
        """
        call = await self._admit("chat", caller, body, request, size, streamed=True, fresh=fresh)
        name = call.route.deployment.name
        outcome: Outcome = "client-gone"
        last: Json = {}
        try:
            source = cast("AsyncGenerator[list[Json]]", call.route.provider.stream(body))
            async with aclosing(source):
                async for chunks in source:
                    for chunk in chunks:
                        call.hear(chunk)
                        chunk.pop("usage", None)
                        chunk["model"] = name
                    last = chunks[-1]
                    if told := [chunk for chunk in chunks if chunk.get("choices")]:
                        yield told
            outcome = "ok"
        except StrataError:
            outcome = "failed"
            raise
        except Exception as error:
            outcome = "failed"
            raise _nonsense(name, error) from error
        finally:
            bill = self.till.end(call, outcome)
        yield Ended(call.reservation.quote.request, bill, call.route.tariff.currency, last)

    async def _whole(
        self,
        operation: Literal["chat", "embeddings"],
        caller: Caller,
        body: Json,
        request: str,
        size: int,
        *,
        fresh: bool,
    ) -> Answered:
        call = await self._admit(operation, caller, body, request, size, fresh=fresh)
        name, provider = call.route.deployment.name, call.route.provider
        outcome: Outcome = "client-gone"
        try:
            answer = await (provider.chat(body) if operation == "chat" else provider.embed(body))
            call.hear_whole(answer)
            _must_hold(answer, operation)
            outcome = "ok"
        except StrataError:
            outcome = "failed"
            raise
        except Exception as error:
            outcome = "failed"
            raise _nonsense(name, error) from error
        finally:
            bill = self.till.end(call, outcome)
        answer["model"] = name
        return Answered(call.reservation.quote.request, answer, bill, call.route.tariff.currency)

    # -------------------------------------------------------------- one call

    async def _admit(
        self,
        operation: Literal["chat", "embeddings"],
        caller: Caller,
        body: Json,
        request: str,
        size: int,
        *,
        fresh: bool,
        streamed: bool = False,
    ) -> Call:
        """Let a call out: route, permission, limits, guardrails, room in every budget. Whatever refuses leaves a fact."""
        route = self.router.find(body.get("model"), "chat" if operation == "chat" else "embedding")
        name = route.deployment.name
        if not self._may_call(caller.principal, name):
            raise Forbidden(f"{caller.principal.id!r} may not call the model {name!r}; ask a platform engineer")
        _must_ask(body, operation)
        try:
            self.till.limits.enter(caller.name)
        except RateLimited as error:
            self._refused(caller, name, request, error)
            raise
        try:
            await pass_all(self.guardrails, Submission(caller.payer, operation, body, size or _size(body)))
            most = completion_bound(body, self.options.default_max_tokens) if operation == "chat" else 0
            estimate = 0 if route.tariff.free else route.tariff.worst(prompt_bound(body, route.provider.count), most)
            quote = Quote(
                request,
                caller.payer,
                name,
                route.deployment.provider,
                operation,
                estimate,
                route.tariff.currency,
                streamed,
                fresh=fresh,
            )
            return Call(route, body, await self.till.reserve(quote), most)
        except BaseException as error:
            self.till.limits.leave()
            if isinstance(error, Blocked):
                self._refused(caller, name, request, error.error, error.guardrail)
                raise error.error from error
            if isinstance(error, BudgetExhausted):
                self._refused(caller, name, request, error)
            raise

    # -------------------------------------------------------------- rights and refusals

    def _payer(self, principal: Principal, assistant: str) -> Subject:
        return Subject(principal.tenant, principal.department, principal.id, assistant)

    def _may_call(self, principal: Principal, model: str) -> bool:
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

    async def _tell(self, fact: CallRefused) -> None:
        try:
            await self.records.commit(events=[fact])
        except StrataError as error:
            log.warning("the refusal of %s could not be recorded: %s", fact.request, error)

    # -------------------------------------------------------------- the life of the gateway

    async def start(self) -> None:
        """Take the lease, settle what a crash left, and keep doing both while the gateway lives."""
        await self.till.spend.renew()
        await self.till.reconcile()
        self.state.keeper = asyncio.get_running_loop().create_task(self.till.keep(self.options.reservation_ttl))

    async def warm(self) -> None:
        """Load every embedded model, so that no caller waits for it."""
        for route in self.router:
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
        await self.till.drained(DRAIN)
        for task in list(self.till.tasks):
            task.cancel()
        for route in self.router:
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


def _must_ask(body: Json, operation: str) -> None:
    if operation == "chat":
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            raise Invalid("'messages' must be a list with at least one message", param="messages")
    elif not body.get("input") or not isinstance(body["input"], str | list):
        raise Invalid("'input' must be a text or a list of texts, not empty", param="input")


def _must_hold(answer: Json, operation: str) -> None:
    rows = answer.get("choices" if operation == "chat" else "data")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UpstreamBroken("the vendor's answer holds no " + ("choices" if operation == "chat" else "embeddings"))


def _nonsense(model: str, error: Exception) -> UpstreamBroken:
    log.error("the vendor of %r answered with something that cannot be read", model, exc_info=error)
    return UpstreamBroken(f"the vendor of {model!r} answered with something that cannot be read")


def usage_json(usage: Usage) -> Json:
    """Usage as OpenAI's object."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
