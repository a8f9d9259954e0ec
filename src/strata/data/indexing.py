"""From a received document to passages that can be found: parse, split, embed, index; each step may run twice.

A document is handled by its record, not by the event's word: an event of a revision that is no longer the newest does
nothing. What is written to the indexes before the final commit is written again, to the same end, after a crash.
"""

from __future__ import annotations

import asyncio
import logging
import re
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath

import msgspec

from strata.contracts import Gateway
from strata.data.catalog import Catalog, Entry, text_name
from strata.data.parser import Unreadable
from strata.data.pool import ParserPool
from strata.data.split import Splitter
from strata.data.together import Together
from strata.errors import BudgetExhausted, Conflict, NotFound, StrataError, UpstreamRefused
from strata.events import (
    DocumentEvent,
    DocumentIndexed,
    DocumentQuarantined,
    DocumentReceived,
    DocumentRelabelled,
    DocumentRemoved,
)
from strata.ports.graph import Graph, Statement
from strata.ports.objects import Objects
from strata.ports.vectors import Vectors
from strata.types import Chunk, Document, EmbedRequest, ParsedText, Principal, digest, now

log = logging.getLogger(__name__)

Vector = Sequence[float]
Written = tuple[str, Sequence[Chunk], Sequence[Vector]]


@dataclass(frozen=True, slots=True)
class Indexer:
    """Handles what happened to documents. `pipeline` names the settings by which passages are made; documents made by
    other settings are made anew when their file is next seen. `abreast` documents are worked on at once.
    """

    catalog: Catalog
    objects: Objects
    vectors: Vectors
    graph: Graph
    gateway: Gateway
    parsers: ParserPool
    splitter: Splitter
    pipeline: str
    embedding: str
    embed_batch: int = 64
    abreast: int = 16
    _room: asyncio.Semaphore = field(init=False, compare=False, repr=False)
    _embedders: dict[tuple[str, str], Together[str, Vector]] = field(default_factory=dict, compare=False, repr=False)
    _writers: list[Together[Written, None]] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_room", asyncio.Semaphore(self.abreast))
        self._writers.append(Together(self._upsert, most=64))

    async def on_documents(self, events: Sequence[DocumentEvent]) -> None:
        """Bring the indexes in line with the records of these documents. Raises what may pass, to be called again."""
        received = {event.document for event in events if isinstance(event, DocumentReceived)}
        changed = {event.document for event in events if isinstance(event, (DocumentRelabelled, DocumentRemoved))}
        for document in sorted(received | changed):
            async with self._room:
                entry = await self.catalog.get(document)
                if entry is None:
                    await self.forget(document)
                elif entry.document.state == "received":
                    await self.index(entry)
                elif document in changed:
                    await self.relabel(entry)

    # -------------------------------------------------------------- one document

    async def index(self, entry: Entry) -> None:
        """Make a received document findable, or quarantine it with the reason. What may pass is raised; until it has,
        the document's reason says what it waits for.
        """
        try:
            await self._index(entry)
        except StrataError as error:
            await self._note(entry, error)
            raise

    async def _index(self, entry: Entry) -> None:
        try:
            data = await self.objects.get(entry.original)
        except NotFound:
            current = await self.catalog.get(entry.key)
            if current is None or current.version != entry.version:
                return  # it was replaced or removed just now, and that is an event of its own
            await self._quarantine(entry, "its original is no longer in the store: send it again")
            return
        try:
            answer = await self.parsers.parse(data, PurePosixPath(entry.document.source).name)
            parsed = answer.parsed or ParsedText("")
            title = entry.document.title if entry.titled else parsed.title or _stem(entry.document.source)
            chunks = await self._chunks(replace(entry.document, title=title, media=answer.media), parsed)
            vectors = await self._embed(entry.document, [chunk.context for chunk in chunks])
        except Unreadable as error:
            media = str(error.more.get("media", entry.document.media))
            await self._quarantine(replace(entry, document=replace(entry.document, media=media)), error.detail)
            return
        except UpstreamRefused as error:
            await self._quarantine(entry, f"the embedding model refuses its text: {error.detail}")
            return
        name = text_name(entry.document.tenant, entry.key, entry.document.revision, entry.original)
        await self.objects.put(name, msgspec.json.encode(replace(parsed, title=title)))
        await self.graph.upsert(entry.document.tenant, entry.key, entry.document.label.key, _statements(entry, parsed))
        await self._writers[0].do([(entry.key, chunks, vectors)])
        document = replace(
            entry.document,
            state="indexed",
            reason="",
            title=title,
            media=answer.media,
            indexed_at=now(),
            pages=len(parsed.pages) or None,
            chunks=len(chunks),
            pipeline=self.pipeline,
        )
        event = DocumentIndexed(
            tenant=document.tenant,
            actor="data",
            document=document.id,
            corpus=document.corpus,
            source=document.source,
            revision=document.revision,
            chunks=len(chunks),
            pages=document.pages,
        )
        await self._settle(entry, replace(entry, document=document, text=name), event)

    async def relabel(self, entry: Entry) -> None:
        """Bring the label of an indexed document to the stores."""
        document = entry.document
        if document.state == "indexed":
            await self.vectors.relabel(document.tenant, document.id, document.label.key)
            statements = _statements(entry, await self._text(entry))
            await self.graph.upsert(document.tenant, document.id, document.label.key, statements)
        await self.catalog.caught_up(document.id, entry.version)

    async def forget(self, document: str) -> None:
        """Delete everything derived from a document that has no record any more."""
        tenant = self.catalog.tenant
        await self.vectors.delete(tenant, [document])
        await self.graph.delete(tenant, [document])
        await self.catalog.caught_up(document, 0)
        await self.sweep()

    async def sweep(self) -> None:
        """Delete objects that are no longer needed."""
        for name in await self.catalog.trash():
            await self.objects.delete(name)
            await self.catalog.trashed(name)

    async def tidy(self) -> None:
        """Delete what is no longer needed, and let the vector store compact itself."""
        await self.sweep()
        await self.vectors.optimize()

    async def close(self) -> None:
        await self.parsers.close()

    # -------------------------------------------------------------- steps

    async def _chunks(self, document: Document, parsed: ParsedText) -> list[Chunk]:
        pieces = await asyncio.to_thread(self.splitter.split, parsed, document.title)
        return [
            Chunk(
                id="chk_" + digest(document.id, str(document.revision), str(ordinal))[:32],
                tenant=document.tenant,
                document=document.id,
                revision=document.revision,
                corpus=document.corpus,
                ordinal=ordinal,
                text=parsed.text[piece.start : piece.end],
                context=piece.context,
                start=piece.start,
                end=piece.end,
                access=document.label.key,
                title=document.title,
                source=document.source,
                media=document.media,
                page=piece.page,
                headings=piece.headings,
                tokens=piece.tokens,
                places=piece.places,
            )
            for ordinal, piece in enumerate(pieces)
        ]

    async def _embed(self, document: Document, texts: Sequence[str]) -> list[Vector]:
        """Vectors from the gateway, on the account of the document's department, together with other documents' of the
        same classification.
        """
        kind = document.department, document.classification
        if kind not in self._embedders:

            async def work(batch: Sequence[str]) -> list[Vector]:
                return await self._ask(*kind, batch)

            self._embedders[kind] = Together(work, self.embed_batch, lanes=2)
        return await self._embedders[kind].do(texts)

    async def _ask(self, department: str, classification: str, batch: Sequence[str]) -> list[Vector]:
        roles = frozenset({"ingest", "caller"})
        payer = Principal(self.catalog.tenant, "data", department=department, kind="service", roles=roles)
        asked = EmbedRequest(self.embedding, tuple(batch), "document", classification=classification)
        answer = await self.gateway.embed(payer, asked)
        return [array("f", vector) for vector in answer.vectors]

    async def _upsert(self, batch: Sequence[Written]) -> list[None]:
        await self.vectors.upsert_many(self.catalog.tenant, batch)
        return [None] * len(batch)

    async def _note(self, entry: Entry, error: StrataError) -> None:
        """Say in the document what it waits for, once: not again when only figures in the error's text differ."""
        reason, before = _awaited(error), entry.document.reason
        told = reason == before if isinstance(error, BudgetExhausted) else _unnumbered(reason) == _unnumbered(before)
        if told:
            return
        with suppress(StrataError):  # it has changed meanwhile, or the records are what cannot be reached
            await self.catalog.note(replace(entry, document=replace(entry.document, reason=reason)))

    async def _quarantine(self, entry: Entry, reason: str) -> None:
        document = entry.document
        await self.vectors.delete(document.tenant, [document.id])
        await self.graph.delete(document.tenant, [document.id])
        document = replace(
            document.with_state("quarantined", reason), chunks=0, pages=None, indexed_at=None, pipeline=self.pipeline
        )
        event = DocumentQuarantined(
            tenant=document.tenant,
            actor="data",
            document=document.id,
            corpus=document.corpus,
            source=document.source,
            revision=document.revision,
            reason=reason,
        )
        await self._settle(entry, replace(entry, document=document, text=""), event)

    async def _settle(self, before: Entry, after: Entry, event: DocumentEvent) -> None:
        """Commit the outcome, unless the document has been changed or removed meanwhile."""
        dropped = [before.text] if before.text and before.text != after.text else []
        try:
            await self.catalog.settle(after, event, dropped)
        except Conflict:
            current = await self.catalog.get(before.key)
            if current is None:
                await self.forget(before.key)
            if after.text and (current is None or current.text != after.text):
                await self.objects.delete(after.text)
            log.info("%s changed while it was indexed", before.key)
            return
        for name in dropped:
            await self.objects.delete(name)
            await self.catalog.trashed(name)

    async def _text(self, entry: Entry) -> ParsedText:
        return msgspec.json.decode(await self.objects.get(entry.text), type=ParsedText)


def _stem(source: str) -> str:
    return PurePosixPath(source).stem.replace("_", " ").replace("-", " ").strip() or source


def _unnumbered(text: str) -> str:
    return re.sub(r"\d+", "", text)


def _awaited(error: StrataError) -> str:
    """What a document waits for that met this error."""
    if not isinstance(error, BudgetExhausted) or not error.more.get("budget"):
        return f"waiting: {error.detail}"
    resets = error.more.get("resets_at")
    until = f" until {datetime.fromisoformat(resets):%Y-%m-%d %H:%M} UTC" if resets else ""
    return f"waiting: the budget {error.more['budget']!r} is exhausted{until}"


def _statements(entry: Entry, parsed: ParsedText) -> list[Statement]:
    """What the graph knows of a document as such: no words of it, for literals outlive their deletion on disk."""
    document = entry.document
    me = f"urn:strata:document:{document.id}"
    kinds = [block.kind for block in parsed.blocks]
    facts = [
        ("urn:strata:vocabulary:pages", len(parsed.pages)),
        ("urn:strata:vocabulary:sections", kinds.count("heading")),
        ("urn:strata:vocabulary:tables", kinds.count("table")),
        ("urn:strata:vocabulary:revision", document.revision),
    ]
    return [
        Statement(me, "http://www.w3.org/1999/02/22-rdf-syntax-ns#type", "http://purl.org/dc/dcmitype/Text"),
        Statement(me, "http://purl.org/dc/terms/isPartOf", f"urn:strata:corpus:{document.corpus}"),
        Statement(me, "http://purl.org/dc/terms/format", document.media or "application/octet-stream", literal=True),
        *(Statement(me, predicate, str(number), literal=True) for predicate, number in facts),
    ]
