"""Bringing a whole source in: many documents at once, none of them able to stop the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from strata.contracts import Library
from strata.data.connector import Connector, Found, Refusal
from strata.data.connectors.folder import Folder
from strata.errors import Later, Refused
from strata.types import Document, IngestReport, Principal

Progress = Callable[[int, int], None]

STAGED_AT_ONCE = 8
SETTLED_AT_ONCE = 200
ATTEMPTS = 6


@dataclass(slots=True)
class IngestSummary:
    """What became of a source. `outcomes` counts the library's answers; `quarantined` holds (source, reason) of every
    file that could not be taken or read, `refused` of them not even taken. `waiting` documents were not indexed in
    time; they are indexed later.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    removed: int = 0
    refused: int = 0
    waiting: int = 0
    quarantined: list[tuple[str, str]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """The numbers by their names, for showing."""
        return {
            "new": self.outcomes["received"],
            "replaced": self.outcomes["replaced"],
            "relabelled": self.outcomes["relabelled"],
            "unchanged": self.outcomes["unchanged"],
            "removed": self.removed,
            "quarantined": len(self.quarantined),
            "still waiting": self.waiting,
        }


async def ingest(
    library: Library,
    principal: Principal,
    source: Sequence[Path] | Connector,
    corpus: str = "",
    *,
    prune: bool = False,
    progress: Progress | None = None,
    timeout: float = 3600.0,
) -> IngestSummary:
    """Add every document of the source, wait until they are indexed, and with `prune` remove those that vanished.

    `source` is a connector, or paths that become a folder connector of the corpus. `progress` is called with (done,
    total): done are documents that are settled, total those seen so far. Memory stays bounded: at most
    `STAGED_AT_ONCE` files are held, and staging waits when many documents wait to be indexed. Pruning is left out
    when a file could not be taken, so that nothing is removed on a half-seen source.
    """
    connector = Folder(corpus, tuple(source)) if isinstance(source, Sequence) else source
    run = _Run(library, principal, progress, timeout)
    await run.stage(connector)
    await run.finish()
    if prune and corpus and not run.summary.refused:
        run.summary.removed = len(await library.prune(principal, corpus, sorted(run.sources)))
    return run.summary


@dataclass(slots=True)
class _Run:
    library: Library
    principal: Principal
    progress: Progress | None
    timeout: float
    summary: IngestSummary = field(default_factory=IngestSummary)
    sources: set[str] = field(default_factory=set)
    waiting: dict[str, str] = field(default_factory=dict)
    seen: int = 0
    done: int = 0

    async def stage(self, connector: Connector) -> None:
        walk = connector.walk()
        stagers = [asyncio.create_task(self._stage_from(walk)) for _ in range(STAGED_AT_ONCE)]
        try:
            await asyncio.gather(*stagers)
        finally:
            for stager in stagers:
                stager.cancel()

    async def finish(self) -> None:
        """Wait for all that were staged, as long as it goes forward."""
        until = asyncio.get_running_loop().time() + self.timeout
        while self.waiting and asyncio.get_running_loop().time() < until:
            await self._settle(list(self.waiting)[:SETTLED_AT_ONCE], 1.0)
        self.summary.waiting = len(self.waiting)

    async def _stage_from(self, walk: Iterator[Found | Refusal]) -> None:
        for found in walk:
            self.seen += 1
            if isinstance(found, Refusal):
                self._refuse(found.source, found.reason)
            else:
                self.sources.add(found.new.source)
                await self._stage(found)
            self._tell()
            while len(self.waiting) > SETTLED_AT_ONCE:
                await self._settle(list(self.waiting)[: SETTLED_AT_ONCE // 2], 1.0)

    async def _stage(self, found: Found) -> None:
        try:
            data = await asyncio.to_thread(found.fetch)
        except OSError as error:
            self._refuse(found.new.source, f"the file cannot be opened: {error.strerror or error}")
            return
        try:
            report = await self._add(found, data)
        except Refused as error:
            self._refuse(found.new.source, error.detail)
            return
        self.summary.outcomes[report.outcome] += 1
        if report.document.state == "received":
            self.waiting[report.document.id] = report.document.source
        else:
            self._settled(report.document)

    async def _add(self, found: Found, data: bytes) -> IngestReport:
        """Add, with patience: what is unavailable for a moment does not cost a document."""
        for attempt in range(ATTEMPTS):
            try:
                return await self.library.add(self.principal, found.new, data)
            except Later as error:
                if attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(min(error.retry_after * 2**attempt, 10.0))
        raise AssertionError

    async def _settle(self, documents: Sequence[str], seconds: float) -> None:
        found = {document.id: document for document in await self.library.settle(self.principal, documents, seconds)}
        for key in documents:
            document = found.get(key)
            if document is None:  # somebody has removed it meanwhile
                self.done += self.waiting.pop(key, None) is not None
            elif document.state != "received" and self.waiting.pop(key, None) is not None:
                self._settled(document)
        self._tell()

    def _settled(self, document: Document) -> None:
        self.done += 1
        if document.state == "quarantined":
            self.summary.quarantined.append((document.source, document.reason))

    def _refuse(self, source: str, reason: str) -> None:
        self.done += 1
        self.summary.refused += 1
        self.summary.quarantined.append((source, reason))

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.seen)
