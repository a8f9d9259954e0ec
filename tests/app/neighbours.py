"""The application layer's neighbours, in memory: a gateway with a script and a small library with real access rights."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

from strata.access import Access
from strata.app.words import keys
from strata.errors import NotFound, StrataError
from strata.types import (
    AuditEntry,
    AuditVerdict,
    BudgetStatus,
    ChatRequest,
    Chunk,
    Completion,
    Content,
    Delta,
    Document,
    Embeddings,
    EmbedRequest,
    IngestReport,
    Model,
    Money,
    NewDocument,
    ParsedText,
    Passage,
    Principal,
    Query,
    Usage,
    UsageReport,
    UsageRow,
    digest,
    now,
)

TENANT = "acme"
DIMENSIONS = 512


def vector(text: str) -> list[float]:
    """A bag of word stems as a vector of unit length: texts with equal words are near."""
    values = [0.0] * DIMENSIONS
    for key in keys(text):
        values[crc32(key.encode()) % DIMENSIONS] += 1.0
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]


@dataclass(slots=True)
class ScriptedGateway:
    """Says `script`, word by word. `refusal` is raised in place of an answer; with `endless`, it never finishes."""

    script: str = ""
    refusal: StrataError | None = None
    embed_refusal: StrataError | None = None
    endless: bool = False
    statuses: list[BudgetStatus] = field(default_factory=list)
    asked: list[ChatRequest] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)

    async def complete(self, principal: Principal, request: ChatRequest) -> Completion:
        return Completion(request.request_id, request.model, self.script, "stop", Usage(9, 9), Money(18))

    async def stream(self, principal: Principal, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        self.asked.append(request)
        if self.refusal:
            raise self.refusal
        try:
            for piece in re.findall(r"\S+\s*", self.script):
                yield Delta(piece)
                await asyncio.sleep(0)
            if self.endless:
                await asyncio.Event().wait()
            yield Delta(finish_reason="stop", usage=Usage(100, 20), cost=Money(500))
        finally:
            self.settled.append(request.request_id)

    async def embed(self, principal: Principal, request: EmbedRequest) -> Embeddings:
        if self.embed_refusal:
            raise self.embed_refusal
        vectors = [vector(text) for text in request.texts]
        return Embeddings(request.request_id, request.model, vectors, Usage(len(vectors)), Money(len(vectors)))

    async def models(self, principal: Principal) -> list[Model]:
        return [Model("small", "chat", context=4096), Model("embedding", "embedding", dimensions=DIMENSIONS)]

    async def budgets(self, principal: Principal) -> list[BudgetStatus]:
        return self.statuses


@dataclass(slots=True)
class ShelfLibrary:
    """Documents of plain text, searched by shared words, each passage only for those whom policy lets find it."""

    access: Access
    shelf: dict[str, tuple[Document, str, bytes]] = field(default_factory=dict)
    queries: list[Query] = field(default_factory=list)

    def put(
        self,
        name: str,
        text: str,
        *,
        corpus: str = "manuals",
        readers: frozenset[str] = frozenset({"everyone"}),
        media: str = "text/markdown",
        data: bytes | None = None,
        title: str = "",
    ) -> Document:
        content = text.encode() if data is None else data
        document = Document(
            id=f"doc_{digest(corpus, name)[:12]}",
            tenant=TENANT,
            corpus=corpus,
            source=name,
            title=title or name,
            media=media,
            size=len(content),
            content=digest(content),
            department="care",
            readers=readers,
            classification="internal",
            state="indexed",
            received_at=now(),
            chunks=1,
        )
        self.shelf[document.id] = (document, text, content)
        return document

    async def add(self, principal: Principal, new: NewDocument, data: bytes) -> IngestReport:
        readers = frozenset({"everyone"}) if new.readers is None else new.readers
        text = data.decode(errors="replace")
        media = new.media or "text/plain"
        document = self.put(new.source, text, corpus=new.corpus, readers=readers, media=media, data=data)
        if new.classification:
            document = replace(document, classification=new.classification)
            self.shelf[document.id] = (document, text, data)
        return IngestReport(document, "received")

    async def search(self, principal: Principal, query: Query) -> list[Passage]:
        self.queries.append(query)
        wanted = keys(query.text)
        found = []
        for document, text, _ in self.shelf.values():
            if not self.access.may_read(principal, document) or document.corpus not in query.corpora:
                continue
            for match in re.finditer(r"(?:[^\n]+\n?)+", text):
                body = match.group().rstrip()
                start, end = match.start(), match.start() + len(body)
                shared = len(keys(f"{document.title} {body}") & wanted) / max(len(wanted), 1)
                chunk = Chunk(
                    f"{document.id}#{start}", TENANT, document.id, 1, document.corpus, len(found), body,
                    f"{document.title}\n{body}", start, end, document.label.key, document.title, document.source,
                    document.media, 1,
                )  # fmt: skip
                found.append(Passage(chunk, shared, shared, shared))
        return sorted((one for one in found if one.score > 0), key=lambda one: -one.score)[: query.k]

    async def documents(self, principal: Principal, corpus: str = "") -> list[Document]:
        mine = [document for document, *_ in self.shelf.values() if self.access.may_read(principal, document)]
        return [document for document in mine if not corpus or document.corpus == corpus]

    async def document(self, principal: Principal, document: str) -> Document:
        return self._require(principal, document)[0]

    async def text(self, principal: Principal, document: str) -> ParsedText:
        return ParsedText(self._require(principal, document)[1])

    async def original(self, principal: Principal, document: str) -> Content:
        kept, _, data = self._require(principal, document)
        return Content(data, kept.media, kept.source)

    async def remove(self, principal: Principal, document: str, reason: str = "") -> None:
        self._require(principal, document)
        del self.shelf[document]

    async def prune(self, principal: Principal, corpus: str, keep: Sequence[str]) -> list[Document]:
        return []

    async def retry(self, principal: Principal, document: str) -> Document:
        return self._require(principal, document)[0]

    async def settle(
        self, principal: Principal, documents: Sequence[str] = (), timeout: float = 60.0
    ) -> list[Document]:
        return await self.documents(principal)

    def _require(self, principal: Principal, document: str) -> tuple[Document, str, bytes]:
        entry = self.shelf.get(document)
        if entry is None or not self.access.may_read(principal, entry[0]):
            raise NotFound(f"no document {document!r}")
        return entry


@dataclass(slots=True)
class PlainLedger:
    """A ledger with one row of usage."""

    statuses: list[BudgetStatus] = field(default_factory=list)

    async def hear(self, principal: Principal, events: Sequence[dict[str, object]]) -> None:
        return None

    async def usage(self, principal: Principal, by: str, days: int = 30) -> UsageReport:
        row = UsageRow("care", 3, 300, 60, 1500)
        return UsageReport(by, now(), now(), "USD", replace(row, key="total"), (row,), (), tuple(self.statuses))

    async def budgets(self, principal: Principal) -> list[BudgetStatus]:
        return self.statuses

    async def audit(self, principal: Principal, *, after: int = 0, limit: int = 100) -> list[AuditEntry]:
        return []

    async def verify(self, principal: Principal) -> AuditVerdict:
        return AuditVerdict(0, 0, (), "")
