"""What the layers promise each other. Coarse, deadline-bound calls, so that a neighbour may live in another process.

Whoever is asking comes first. Everything raised is from `strata.errors`. A method that yields is a stream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any, Protocol

from strata.types import (
    Assistant as AssistantProfile,
)
from strata.types import (
    AuditEntry,
    AuditVerdict,
    BudgetStatus,
    ChatMessage,
    ChatRequest,
    ChatSession,
    Completion,
    Content,
    Delta,
    Document,
    Embeddings,
    EmbedRequest,
    EvalCase,
    EvalReport,
    Feedback,
    IngestReport,
    Model,
    NewDocument,
    ParsedText,
    Part,
    Passage,
    Principal,
    Query,
    UsageReport,
)


class Gateway(Protocol):
    """The one door to every model. Every call is reserved against its budgets before and settled after."""

    async def complete(self, principal: Principal, request: ChatRequest) -> Completion:
        """Raises `NotFound` (model), `BudgetExhausted`, `RateLimited`, `Upstream…`, `Unavailable`."""
        ...

    def stream(self, principal: Principal, request: ChatRequest) -> AsyncIterator[Delta]:
        """Like `complete`, in pieces. Leaving early still settles what was used."""
        ...

    async def embed(self, principal: Principal, request: EmbedRequest) -> Embeddings: ...

    async def models(self, principal: Principal) -> list[Model]: ...

    async def budgets(self, principal: Principal) -> list[BudgetStatus]:
        """The brake's own view of the budgets that this principal may see."""
        ...


class Library(Protocol):
    """Documents in, passages out, for the right reader."""

    async def add(self, principal: Principal, new: NewDocument, data: bytes) -> IngestReport:
        """Stage a document and let it be indexed. The same bytes under the same source change nothing."""
        ...

    async def search(self, principal: Principal, query: Query) -> list[Passage]: ...

    async def documents(self, principal: Principal, corpus: str = "") -> list[Document]: ...

    async def document(self, principal: Principal, document: str) -> Document:
        """Raises `NotFound`, also when the reader may not know that it exists."""
        ...

    async def text(self, principal: Principal, document: str) -> ParsedText: ...

    async def original(self, principal: Principal, document: str) -> Content: ...

    async def remove(self, principal: Principal, document: str, reason: str = "") -> None: ...

    async def prune(self, principal: Principal, corpus: str, keep: Sequence[str]) -> list[Document]:
        """Remove every document of the corpus whose source is not in `keep`; returns those removed."""
        ...

    async def retry(self, principal: Principal, document: str) -> Document: ...

    async def settle(
        self, principal: Principal, documents: Sequence[str] = (), timeout: float = 60.0
    ) -> list[Document]:
        """Wait until these documents (none given: all of the tenant) are no longer `received`, or the time is up."""
        ...


class Ledger(Protocol):
    """Usage, cost, budgets and the audit record, made from the facts that the other layers tell."""

    async def hear(self, principal: Principal, events: Sequence[dict[str, Any]]) -> None:
        """Facts in the form of `events.encode`, decoded. Hearing one twice changes nothing."""
        ...

    async def usage(self, principal: Principal, by: str, days: int = 30) -> UsageReport:
        """`by` is department, person, assistant or model. People see their own department's, finance sees all."""
        ...

    async def budgets(self, principal: Principal) -> list[BudgetStatus]: ...

    async def audit(self, principal: Principal, *, after: int = 0, limit: int = 100) -> list[AuditEntry]: ...

    async def verify(self, principal: Principal) -> AuditVerdict: ...

    def export(self, principal: Principal, form: str, since: date, till: date) -> AsyncIterator[str]:
        """Charges of these days (UTC, both included) in lines, in the form of another program: csv or focus."""
        ...


class Assistants(Protocol):
    """Knowledge assistants and the conversations people have with them."""

    async def assistants(self, principal: Principal) -> list[AssistantProfile]: ...

    async def open(self, principal: Principal, assistant: str) -> ChatSession: ...

    async def sessions(self, principal: Principal) -> list[ChatSession]: ...

    async def messages(self, principal: Principal, session: str) -> list[ChatMessage]: ...

    def answer(self, principal: Principal, session: str, question: str) -> AsyncIterator[Part]: ...

    async def rename(self, principal: Principal, session: str, title: str) -> ChatSession: ...

    async def delete(self, principal: Principal, session: str) -> None: ...

    async def rate(self, principal: Principal, message: str, feedback: Feedback | None) -> Feedback | None: ...


class Factory(Protocol):
    """Evaluation of assistants against sets of questions."""

    async def evaluate(self, principal: Principal, dataset: str, cases: Sequence[EvalCase]) -> EvalReport: ...

    async def reports(self, principal: Principal) -> list[EvalReport]: ...
