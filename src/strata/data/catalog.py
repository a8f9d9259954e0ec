"""What the data layer keeps of its documents: their records, the labels that exist, and what still waits to be done.

Partitions, each beginning with the tenant: `documents` (key: document), `labels` (key: label), `pending` (documents that
wait to be indexed), `standing` (what searches must know now: how many labels there are, and documents whose index lags
behind their record), `trash` (objects to be deleted).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from strata.errors import Conflict
from strata.events import Event
from strata.ports.records import Add, Change, Check, Delete, Put, Record, Records, every
from strata.types import AccessLabel, Document, Json, digest, new_id, now

_LABELS = "labels"
_LAGGING = "lagging/"


@dataclass(frozen=True, slots=True)
class Entry:
    """A document with what only the data layer needs to know of it.

    `original` and `text` name its objects; `text` is the one that the indexed passages were cut from. `titled` says
    that the sender gave the title. `version` is the record's.
    """

    document: Document
    original: str
    text: str = ""
    titled: bool = False
    version: int = 0

    @property
    def key(self) -> str:
        return self.document.id


@dataclass(frozen=True, slots=True)
class Standing:
    """What a search must know: the number of label registrations, and lagging documents with the key of the label by
    which they may be shown now (empty: by none).
    """

    labels: int
    lagging: dict[str, str]


@dataclass(frozen=True, slots=True)
class Catalog:
    """One tenant's records."""

    tenant: str
    records: Records
    _known: set[str] = field(default_factory=set, compare=False, repr=False)

    # -------------------------------------------------------------- documents

    async def get(self, document: str) -> Entry | None:
        record = await self.records.get(self._in("documents"), document)
        return None if record is None else _entry(record)

    async def entries(self) -> AsyncIterator[Entry]:
        """Every document of the tenant, in the order of ids."""
        async for record in self._all("documents"):
            yield _entry(record)

    async def receive(self, entry: Entry, event: Event, *extra: Change) -> None:
        """Write a document that waits to be indexed, with the fact of it. Passages of an earlier revision are shown
        by the new label at once.
        """
        label = entry.document.label
        await self.register(label)
        changes = (
            self._write(entry),
            Put(self._in("pending"), entry.key, {}),
            *([self._lag(entry.key, label.key)] if entry.text else []),
            *extra,
        )
        await self.records.commit(*changes, events=[event])

    async def relabel(self, entry: Entry, event: Event) -> None:
        """Write a document's new readers; searches heed them from now on."""
        label = entry.document.label
        await self.register(label)
        await self.records.commit(self._write(entry), self._lag(entry.key, label.key), events=[event])

    async def note(self, entry: Entry) -> None:
        """Write what is to be said of a document that goes on waiting. Raises `Conflict` when it has changed."""
        await self.records.commit(self._write(entry))

    async def settle(self, entry: Entry, event: Event, dropped: Sequence[str]) -> None:
        """Write a document that has been indexed or quarantined; the objects in `dropped` go to the trash."""
        await self.records.commit(
            self._write(entry),
            Delete(self._in("pending"), entry.key),
            Delete(self._in("standing"), _LAGGING + entry.key),
            *(self.discard(name) for name in dropped),
            events=[event],
        )

    async def remove(self, entry: Entry, event: Event) -> None:
        """Take the record away; what is derived from the document is hidden from now on, until it is gone."""
        names = [name for name in (entry.original, entry.text) if name]
        await self.records.commit(
            Delete(self._in("documents"), entry.key, entry.version),
            Delete(self._in("pending"), entry.key),
            self._lag(entry.key, ""),
            *(self.discard(name) for name in names),
            events=[event],
        )

    async def caught_up(self, document: str, version: int) -> None:
        """The stores agree with this version of the document's record (0: with its absence)."""
        with suppress(Conflict):  # it has changed again, and whoever changed it brings the stores in line
            await self.records.commit(
                Check(self._in("documents"), document, version), Delete(self._in("standing"), _LAGGING + document)
            )

    async def pending(self, most: int = 1000) -> list[str]:
        """The ids of documents that wait to be indexed, at most so many."""
        return [record.key for record in await self.records.query(self._in("pending"), limit=most)]

    async def waits(self, document: str) -> bool:
        return await self.records.get(self._in("pending"), document) is not None

    # -------------------------------------------------------------- labels

    async def register(self, label: AccessLabel) -> None:
        """Make a label known, before any document has it."""
        if label.key in self._known:
            return
        value: Json = {
            "readers": sorted(label.readers),
            "classification": label.classification,
            "department": label.department,
        }
        with suppress(Conflict):  # it has been known for long
            await self.records.commit(
                Put(self._in("labels"), label.key, value, version=0),
                Add(self._in("standing"), _LABELS, "count", 1),
            )
        self._known.add(label.key)

    async def labels(self) -> list[AccessLabel]:
        """Every label that a document of this tenant has or had."""
        return [
            msgspec.convert({**record.value, "tenant": self.tenant}, AccessLabel)
            async for record in self._all("labels")
        ]

    async def standing(self) -> Standing:
        count = 0
        lagging: dict[str, str] = {}
        async for record in self._all("standing"):
            if record.key == _LABELS:
                count = int(record.value["count"])
            else:
                lagging[record.key.removeprefix(_LAGGING)] = str(record.value["label"])
        return Standing(count, lagging)

    # -------------------------------------------------------------- objects

    def discard(self, name: str) -> Change:
        """The note that an object is no longer needed."""
        return Put(self._in("trash"), digest(name), {"name": name, "at": now().isoformat()})

    async def announce(self, name: str) -> None:
        """Note an object that is about to be written, so that a crash before its use leaves it to the trash."""
        value = {"name": name, "at": (now() + timedelta(hours=1)).isoformat()}
        await self.records.commit(Put(self._in("trash"), digest(name), value))

    def keep(self, name: str) -> Change:
        """An announced object is in use now."""
        return Delete(self._in("trash"), digest(name))

    async def trash(self) -> list[str]:
        """Names of objects to be deleted now."""
        return [
            str(record.value["name"])
            async for record in self._all("trash")
            if datetime.fromisoformat(record.value["at"]) <= now()
        ]

    async def trashed(self, name: str) -> None:
        """An object has been deleted."""
        await self.records.commit(self.keep(name))

    # -------------------------------------------------------------- records

    def _write(self, entry: Entry) -> Put:
        return Put(self._in("documents"), entry.key, _value(entry), entry.version)

    def _lag(self, document: str, label: str) -> Put:
        return Put(self._in("standing"), _LAGGING + document, {"label": label})

    def _in(self, name: str) -> str:
        return f"{self.tenant}/{name}"

    def _all(self, name: str) -> AsyncIterator[Record]:
        return every(self.records, self._in(name))


def original_name(tenant: str, document: str, content: str) -> str:
    """A name for a document's bytes: by their SHA-256, and never used twice, so that deleting can never hit another."""
    return f"{tenant}/originals/{document}/{content}-{new_id('put')[4:16]}"


def text_name(tenant: str, document: str, revision: int, original: str) -> str:
    """The name of the text of one revision: the same however often it is indexed."""
    return f"{tenant}/texts/{document}/{revision}-{digest(original)[:12]}.json"


def _value(entry: Entry) -> Json:
    plain: dict[str, Any] = msgspec.to_builtins(entry.document)
    plain["readers"] = sorted(entry.document.readers)
    return {"document": plain, "original": entry.original, "text": entry.text, "titled": entry.titled}


def _entry(record: Record) -> Entry:
    entry = msgspec.convert(record.value, Entry)
    return replace(entry, version=record.version)
