"""The audit record: facts in a hash chain, in commits that two processes cannot fork, with signed checkpoints outside.

Entries are in the partition `<tenant>/audit`, in the order in which they were heard. `<tenant>/audit-head` holds the
chain's end and the Merkle tree's frontier; each commit depends on its version. `<tenant>/heard` remembers event ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import msgspec

from strata.errors import Conflict, StrataError, Unavailable
from strata.events import Event, facts
from strata.ports.records import MAX_CHANGES, Put, Record, Records
from strata.reporting.chain import GENESIS, canonical, place, seal
from strata.reporting.checkpoint import Signer, is_signed, read
from strata.reporting.merkle import Frontier
from strata.reporting.verify import Verifier
from strata.reporting.witness import Witness
from strata.types import AuditEntry, AuditVerdict, Json, now

log = logging.getLogger(__name__)

BATCH = (MAX_CHANGES - 1) // 2
LARGEST_DETAIL = 128 * 1024
ATTEMPTS = 20
PAGE = 250


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain, as it is stored. `version` is the record's, 0 before the first entry."""

    hash: str
    tree: Frontier
    version: int

    @classmethod
    def of(cls, record: Record | None) -> Head:
        if record is None:
            return cls(GENESIS, Frontier(), 0)
        peaks = tuple(bytes.fromhex(peak) for peak in record.value["peaks"])
        return cls(record.value["hash"], Frontier(record.value["size"], peaks), record.version)

    @property
    def value(self) -> Json:
        return {"size": self.tree.size, "hash": self.hash, "peaks": [peak.hex() for peak in self.tree.peaks]}

    def then(self, entry: Json) -> Head:
        return Head(entry["hash"], self.tree.add(canonical(entry)), self.version)


@dataclass(slots=True)
class _Pace:
    """What this process knows of the last checkpoint."""

    size: int = 0
    moment: float = field(default_factory=time.monotonic)
    ticking: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """`every` entries or `seconds`, whichever is first, there is a new checkpoint; and one when it is closed."""

    tenant: str
    records: Records
    witness: Witness
    signer: Signer
    every: int = 100
    seconds: float = 60.0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, compare=False, repr=False)
    _pace: _Pace = field(default_factory=_Pace, compare=False, repr=False)

    async def start(self) -> None:
        """Take up where the witness stands, and make the checkpoints that are due by time."""
        for line in await self.witness.lines():
            with contextlib.suppress(ValueError):
                checkpoint = read(line)
                if checkpoint.tenant == self.tenant and is_signed(checkpoint, self.signer.public_key):
                    self._pace.size = checkpoint.size
        if self.seconds > 0:
            self._pace.ticking = asyncio.create_task(self._tick())

    async def write(self, events: Sequence[Event]) -> None:
        """Enter facts that are not entered yet, in this order. When it returns they survive a power cut.

        Raises `Unavailable` when the store cannot be written.
        """
        unique = list({event.id: event for event in events}.values())
        for start in range(0, len(unique), BATCH):
            async with self._lock:
                head = await self._enter(unique[start : start + BATCH])
                await self._checkpoint_if_due(head)

    async def entries(self, after: int, limit: int) -> list[AuditEntry]:
        """At most `limit` entries that follow number `after`."""
        found = await self.records.query(self._log, after=place(after), limit=limit)
        return [msgspec.convert(record.value, AuditEntry) for record in found]

    async def export(self) -> AsyncIterator[bytes]:
        """The whole record as lines of canonical JSON, for the offline verifier."""
        async for record in self._all():
            yield canonical(record.value) + b"\n"

    async def verify(self) -> AuditVerdict:
        """Recompute everything against the witness. The witness is read first, so entries that come are no alarm."""
        verifier = Verifier(self.tenant, await self.witness.lines(), self.signer.public_key)
        head = Head.of(await self.records.get(self._ends, "head"))
        async for record in self._all():
            verifier.add(record.value)
            if record.key != _place_of(record.value):
                verifier.problems.append(f"entry {verifier.entries} stands under the key {record.key}, not its own")
            if verifier.entries == head.tree.size and verifier.hash != head.hash:
                verifier.problems.append(f"entry {verifier.entries} is not the one that the chain ended with")
        if verifier.entries < head.tree.size:
            verifier.problems.append(f"the chain had {head.tree.size} entries; {verifier.entries} are left")
        uncovered = head.tree.size - verifier.covered
        if uncovered > self.every + MAX_CHANGES:
            verifier.problems.append(
                f"the last {uncovered} entries are covered by no checkpoint; one is due every {self.every}"
            )
        return verifier.verdict()

    async def checkpoint(self) -> None:
        """Hand a checkpoint to the witness if there are entries since the last one. Raises `Unavailable`."""
        async with self._lock:
            await self._checkpoint(Head.of(await self.records.get(self._ends, "head")))

    async def close(self) -> None:
        if self._pace.ticking is not None:
            self._pace.ticking.cancel()
            await asyncio.gather(self._pace.ticking, return_exceptions=True)
        await self.checkpoint()

    async def _enter(self, batch: list[Event]) -> Head:
        fresh = batch
        for attempt in range(ATTEMPTS):
            head = Head.of(await self.records.get(self._ends, "head"))
            if attempt:
                fresh = await self._unheard(fresh)
            if not fresh:
                return head
            end = head
            puts: list[Put] = []
            for event in fresh:
                entry = self._entry(end, event)
                end = end.then(entry)
                puts.append(Put(self._log, place(end.tree.size), entry, version=0))
                puts.append(Put(self._heard, event.id, {}, version=0))
            try:
                await self.records.commit(Put(self._ends, "head", end.value, version=head.version), *puts)
            except Conflict:
                await asyncio.sleep(random.uniform(0, 0.01 * attempt))  # noqa: S311 - spreads writers, keeps no secret
                continue
            return end
        raise Unavailable(
            f"the audit record could not be extended in {ATTEMPTS} attempts: "
            "too many write it at once, or its end was tampered with; run its verification"
        )

    async def _unheard(self, events: list[Event]) -> list[Event]:
        seen = await asyncio.gather(*(self.records.get(self._heard, event.id) for event in events))
        return [event for event, mark in zip(events, seen, strict=True) if mark is None]

    def _entry(self, end: Head, event: Event) -> Json:
        entry: Json = {
            "sequence": end.tree.size + 1,
            "at": msgspec.to_builtins(event.at),
            "tenant": self.tenant,
            "actor": event.actor,
            "action": event.kind,
            "subject": event.subject,
            "detail": _detail(event),
            "event": event.id,
            "previous": end.hash,
        }
        return {**entry, "hash": seal(entry)}

    async def _all(self) -> AsyncIterator[Record]:
        after: str | None = None
        while True:
            page = await self.records.query(self._log, after=after, limit=PAGE)
            for record in page:
                yield record
            if len(page) < PAGE:
                return
            await asyncio.sleep(0)  # a store may answer without waiting, and others want their turn
            after = page[-1].key

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self.seconds)
            try:
                await self.checkpoint()
            except StrataError:
                log.exception("no checkpoint of the audit record could be made; it is tried again")

    async def _checkpoint_if_due(self, head: Head) -> None:
        pace = self._pace
        first = pace.size == 0
        late = time.monotonic() - pace.moment >= self.seconds
        if not (first or late or abs(head.tree.size - pace.size) >= self.every):
            return
        try:
            await self._checkpoint(head)
        except Unavailable:
            # The entries stand, so their senders need not repeat them; `verify` tells of checkpoints that are missing.
            log.exception("no checkpoint of the audit record could be made; it is tried again")

    async def _checkpoint(self, head: Head) -> None:
        if head.tree.size not in {0, self._pace.size}:
            await self.witness.add(self.signer.sign(self.tenant, head.tree.size, head.tree.root, now()))
            self._pace.size = head.tree.size
        self._pace.moment = time.monotonic()

    @property
    def _log(self) -> str:
        return f"{self.tenant}/audit"

    @property
    def _ends(self) -> str:
        return f"{self.tenant}/audit-head"

    @property
    def _heard(self) -> str:
        return f"{self.tenant}/heard"


def _place_of(entry: Json) -> str:
    sequence = entry.get("sequence")
    return place(sequence) if isinstance(sequence, int) else ""


def _detail(event: Event) -> Json:
    """The event's own facts; of an oversized one its digest, since a value that no store takes would block the rest."""
    detail = facts(event)
    written = canonical(detail)
    if len(written) <= LARGEST_DETAIL:
        return detail
    return {"sha256": hashlib.sha256(written).hexdigest(), "bytes": len(written)}
