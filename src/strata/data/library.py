"""The library of one tenant: documents in, passages out, for the right reader.

Who may do what: an editor adds, relabels and removes the documents of their department's corpora and sees their state;
reading a document's words takes being one of its readers, also for editors. Where something may not be known, it is
`NotFound`. What readers see is told to the record first: when that fails, nothing is shown.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Literal

import msgspec

from strata.access import Access, Resource
from strata.data.catalog import Catalog, Entry, original_name
from strata.data.indexing import Indexer
from strata.data.media import sniff
from strata.data.search import Searcher
from strata.data.upkeep import Upkeep
from strata.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge, Unavailable
from strata.events import DocumentEvent, DocumentRead, DocumentReceived, DocumentRelabelled, DocumentRemoved, Event
from strata.ports.objects import Objects
from strata.types import (
    CLASSIFICATIONS,
    Content,
    Corpus,
    Document,
    IngestReport,
    NewDocument,
    ParsedText,
    Passage,
    Principal,
    Query,
    digest,
    now,
)

ATTEMPTS = 5
LONGEST_SOURCE = 500


@dataclass(frozen=True, slots=True)
class DocumentLibrary:
    """Implements `contracts.Library`. Subscribe `on_documents_received` to `HEARS`."""

    tenant: str
    corpora: Mapping[str, Corpus]
    max_bytes: int
    catalog: Catalog
    objects: Objects
    indexer: Indexer
    searcher: Searcher
    upkeep: Upkeep
    access: Access

    # -------------------------------------------------------------- documents in

    async def add(self, principal: Principal, new: NewDocument, data: bytes) -> IngestReport:
        """Stage a document and let it be indexed.

        Unless the sender says otherwise, the corpus's readers may read it, or else its department. Raises `NotFound`
        (corpus), `Forbidden`, `Invalid` (source, classification, readers) and `TooLarge`.
        """
        corpus = self._corpus(principal, new.corpus)
        self.access.require(principal, "add", Resource.corpus(self.tenant, corpus))
        _check_source(new.source)
        if len(data) > self.max_bytes:
            raise TooLarge(f"{new.source!r} has {len(data):,} bytes; the most is {self.max_bytes:,}")
        sent = await asyncio.to_thread(self._described, principal, corpus, new, data)
        for _ in range(ATTEMPTS):
            try:
                return await self._store(principal, sent, new, data)
            except Conflict:
                continue
        raise Conflict(f"{new.source!r} is being changed by others; send it again")

    async def retry(self, principal: Principal, document: str) -> Document:
        """Let a document be indexed once more, from its original."""
        entry = await self._known(principal, document)
        self._require(principal, "add", entry)
        again = _anew(entry, entry.document)
        await self.catalog.receive(again, self._received(principal, again.document))
        return again.document

    async def remove(self, principal: Principal, document: str, reason: str = "") -> None:
        """Remove a document and everything derived from it."""
        entry = await self._known(principal, document)
        self._require(principal, "remove", entry)
        await self._remove(principal, entry, reason)

    async def prune(self, principal: Principal, corpus: str, keep: Sequence[str]) -> list[Document]:
        """Remove every document of the corpus whose source is not in `keep`; returns those removed."""
        found = self._corpus(principal, corpus)
        self.access.require(principal, "remove", Resource.corpus(self.tenant, found))
        kept = set(keep)
        gone = [
            entry
            async for entry in self.catalog.entries()
            if entry.document.corpus == corpus and entry.document.source not in kept
        ]
        for entry in gone:
            await self._remove(principal, entry, "its file is gone")
        return [entry.document for entry in gone]

    async def settle(
        self, principal: Principal, documents: Sequence[str] = (), timeout: float = 60.0
    ) -> list[Document]:
        """Wait until these documents (none given: all of the tenant) are no longer `received`, or the time is up.

        Returns those that the principal may know of, as they are then.
        """
        until = monotonic() + timeout
        pause = 0.02
        while await self._waiting(documents) and monotonic() < until:
            await asyncio.sleep(min(pause, max(0.0, until - monotonic())))
            pause = min(pause * 1.5, 0.5)
        if not documents:
            return await self.documents(principal)
        entries = [await self.catalog.get(document) for document in documents]
        return [entry.document for entry in entries if entry is not None and self._may_know(principal, entry)]

    # -------------------------------------------------------------- documents out

    async def search(self, principal: Principal, query: Query) -> list[Passage]:
        """The passages that answer the query best, of those that the principal may read."""
        self._same_tenant(principal)
        return await self.searcher.find(principal, query)

    async def documents(self, principal: Principal, corpus: str = "") -> list[Document]:
        """The documents that the principal may read, and those of corpora that they keep, by corpus and source."""
        self._same_tenant(principal)
        found = [entry async for entry in self.catalog.entries() if corpus in {"", entry.document.corpus}]
        readable = self.access.readable(principal, {entry.document.label for entry in found})
        kept = {name for name in self.corpora if self._keeps(principal, name)}
        seen = [e.document for e in found if e.document.corpus in kept or e.document.label.key in readable]
        return sorted(seen, key=lambda document: (document.corpus, document.source))

    async def document(self, principal: Principal, document: str) -> Document:
        """Raises `NotFound`, also when the reader may not know that it exists."""
        return (await self._known(principal, document)).document

    async def text(self, principal: Principal, document: str) -> ParsedText:
        """The text that the document's passages were cut from. Raises `Unavailable` while there is none yet."""
        entry = await self._readable(principal, document)
        if entry.document.state == "quarantined":
            raise NotFound(f"{entry.document.title!r} has no text: {entry.document.reason}")
        if not entry.text:
            raise Unavailable(f"{entry.document.title!r} is still being indexed", retry_after=2.0)
        body = await self.objects.get(entry.text)
        await self._tell_read(principal, entry, "text")
        return msgspec.json.decode(body, type=ParsedText)

    async def original(self, principal: Principal, document: str) -> Content:
        """The bytes as they were sent."""
        entry = await self._readable(principal, document)
        data = await self.objects.get(entry.original)
        await self._tell_read(principal, entry, "original")
        return Content(data, entry.document.media, entry.document.source.rpartition("/")[2])

    # -------------------------------------------------------------- events

    async def on_documents_received(self, events: Sequence[Event]) -> None:
        """Bring the indexes in line with what happened to documents; may see the same event twice."""
        await self.indexer.on_documents([event for event in events if isinstance(event, HEARS)])
        self.upkeep.touch()

    async def optimize(self) -> None:
        """Let the stores tidy up now: compact, refresh indexes, delete what is no longer needed."""
        await self.upkeep.work()

    async def close(self) -> None:
        """End the parsers' processes. The stores belong to whoever opened them."""
        await self.upkeep.close()
        await self.indexer.close()

    # -------------------------------------------------------------- adding

    def _described(self, principal: Principal, corpus: Corpus, new: NewDocument, data: bytes) -> Document:
        """The document as the sender's words, the corpus and the bytes make it."""
        usual = corpus.readers or frozenset({corpus.department})
        readers = usual if new.readers is None else new.readers
        classification = new.classification or corpus.classification
        self._check_label(principal, corpus, readers, classification)
        return Document(
            id="doc_" + digest(self.tenant, corpus.id, new.source)[:32],
            tenant=self.tenant,
            corpus=corpus.id,
            source=new.source,
            title=new.title or new.source.rpartition("/")[2],
            media=sniff(data, new.source),
            size=len(data),
            content=hashlib.sha256(data).hexdigest(),
            department=corpus.department,
            readers=readers,
            classification=classification,
            state="received",
            received_at=now(),
        )

    def _check_label(self, principal: Principal, corpus: Corpus, readers: frozenset[str], classification: str) -> None:
        """People give rights only to the corpus's own readers, to its department, and to groups that they are in."""
        if classification not in CLASSIFICATIONS:
            raise Invalid(f"there is no classification {classification!r}; there are {list(CLASSIFICATIONS)}")
        if classification == "restricted" and "everyone" in readers:
            raise Invalid("a restricted document is read by named groups, never by 'everyone': name its readers")
        strangers = readers - corpus.readers - principal.groups - {corpus.department}
        if principal.kind == "person" and strangers:
            allowed = sorted(corpus.readers | principal.groups | {corpus.department})
            raise Forbidden(f"you may not make {sorted(strangers)} readers; you may choose from {allowed}")

    async def _store(self, principal: Principal, sent: Document, new: NewDocument, data: bytes) -> IngestReport:
        before = await self.catalog.get(sent.id)
        if before is not None and self._same(before, sent, new):
            if before.document.label == sent.label:
                return IngestReport(before.document, "unchanged")
            if before.document.state != "received":
                return await self._relabel(principal, before, sent)
        if before is not None and before.document.label != sent.label:
            self._require(principal, "relabel", before)
        name = original_name(self.tenant, sent.id, sent.content)
        await self.catalog.announce(name)
        await self.objects.put(name, data)
        if before is None:
            entry = Entry(sent, name, titled=bool(new.title))
        else:
            entry = replace(_anew(before, sent), original=name, titled=bool(new.title))
        dropped = [] if before is None else [self.catalog.discard(before.original)]
        await self.catalog.receive(entry, self._received(principal, entry.document), self.catalog.keep(name), *dropped)
        if before is not None:
            await self.objects.delete(before.original)
            await self.catalog.trashed(before.original)
        return IngestReport(entry.document, "received" if before is None else "replaced")

    def _same(self, before: Entry, sent: Document, new: NewDocument) -> bool:
        """Whether indexing what was sent would give what is there already."""
        same_title = before.document.title == new.title if before.titled else not new.title
        current = before.document.state == "received" or before.document.pipeline == self.indexer.pipeline
        return before.document.content == sent.content and same_title and current

    async def _relabel(self, principal: Principal, before: Entry, sent: Document) -> IngestReport:
        """Give an unchanged document other readers: nothing is read or embedded again."""
        self._require(principal, "relabel", before)
        document = replace(before.document, readers=sent.readers, classification=sent.classification)
        event = DocumentRelabelled(
            tenant=self.tenant,
            actor=principal.id,
            document=document.id,
            corpus=document.corpus,
            source=document.source,
            readers=tuple(sorted(document.readers)),
            classification=document.classification,
            access=document.label.key,
        )
        await self.catalog.relabel(replace(before, document=document), event)
        after = await self.catalog.get(document.id)
        if after is not None:
            await self.indexer.relabel(after)
        return IngestReport(document, "relabelled")

    def _received(self, principal: Principal, document: Document) -> DocumentReceived:
        return DocumentReceived(
            tenant=self.tenant,
            actor=principal.id,
            document=document.id,
            corpus=document.corpus,
            source=document.source,
            revision=document.revision,
            content=document.content,
        )

    async def _remove(self, principal: Principal, entry: Entry, reason: str) -> None:
        document = entry.document
        event = DocumentRemoved(
            tenant=self.tenant,
            actor=principal.id,
            document=document.id,
            corpus=document.corpus,
            source=document.source,
            reason=reason,
        )
        await self.catalog.remove(entry, event)
        await self.indexer.forget(document.id)

    async def _waiting(self, documents: Sequence[str]) -> bool:
        if not documents:
            return bool(await self.catalog.pending(1))
        for document in documents:
            if await self.catalog.waits(document):
                return True
        return False

    # -------------------------------------------------------------- rights

    def _same_tenant(self, principal: Principal) -> None:
        if principal.tenant != self.tenant:
            raise NotFound(f"there is no library of {principal.tenant!r} here")

    def _corpus(self, principal: Principal, name: str) -> Corpus:
        self._same_tenant(principal)
        corpus = self.corpora.get(name)
        if corpus is None:
            choices = sorted(each for each in self.corpora if self._keeps(principal, each))
            raise NotFound(f"there is no corpus {name!r}; you keep {choices}")
        return corpus

    def _keeps(self, principal: Principal, corpus: str) -> bool:
        found = self.corpora.get(corpus)
        return found is not None and self.access.may(principal, "list", Resource.corpus(self.tenant, found))

    def _may_know(self, principal: Principal, entry: Entry) -> bool:
        return self.access.may_read(principal, entry.document) or self._keeps(principal, entry.document.corpus)

    def _require(self, principal: Principal, action: Literal["add", "remove", "relabel"], entry: Entry) -> None:
        """Raise `Forbidden` unless the principal may do this with documents of the entry's corpus."""
        name = entry.document.corpus
        corpus = self.corpora.get(name, Corpus(name, name, entry.document.department))
        self.access.require(principal, action, Resource.corpus(self.tenant, corpus))

    async def _known(self, principal: Principal, document: str) -> Entry:
        self._same_tenant(principal)
        entry = await self.catalog.get(document)
        if entry is None or not self._may_know(principal, entry):
            raise NotFound(f"there is no document {document!r}, or none that you may know of")
        return entry

    async def _readable(self, principal: Principal, document: str) -> Entry:
        entry = await self._known(principal, document)
        if not self.access.may(principal, "read", Resource.document(entry.document.label)):
            raise Forbidden(f"only the readers of {document!r} may read it; you keep it, but are none of them")
        return entry

    async def _tell_read(self, principal: Principal, entry: Entry, form: str) -> None:
        document = entry.document
        event = DocumentRead(
            tenant=self.tenant,
            actor=principal.id,
            document=document.id,
            corpus=document.corpus,
            source=document.source,
            form=form,
        )
        await self.catalog.records.commit(events=[event])


HEARS: tuple[type[DocumentEvent], ...] = (DocumentReceived, DocumentRelabelled, DocumentRemoved)


def _anew(entry: Entry, sent: Document) -> Entry:
    """The entry as it waits to be indexed again; its present passages stay findable until then."""
    old = entry.document
    document = replace(
        sent,
        title=sent.title if old.state != "indexed" else old.title,
        state="received",
        reason="",
        received_at=now(),
        revision=old.revision + 1,
        chunks=old.chunks,
        pages=old.pages,
        indexed_at=old.indexed_at,
    )
    return replace(entry, document=document)


def _check_source(source: str) -> None:
    """A source is a relative path that means the same everywhere."""
    parts = source.split("/")
    if not source.strip() or len(source) > LONGEST_SOURCE or not source.isprintable():
        raise Invalid(f"a document's source is a name of 1 to {LONGEST_SOURCE} printable characters, not {source!r}")
    if "\\" in source or any(part in {"", ".", ".."} for part in parts):
        raise Invalid(f"a document's source is a relative path without '.' and '..': {source!r} is none")
