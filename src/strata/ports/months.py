"""Rows that are kept for some months: those of each month in a partition of its own, or those whose key names a period.

Rows are removed a page at a time and without waiting for the disk, so that however many there are, neither memory nor
the calls that are under way notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from strata.ports.records import MAX_CHANGES, PAGE, Delete, Records
from strata.types import now

BACK = 24
"""Months before the oldest one kept that are looked at: what is older was removed long ago."""

MOST = 20_000
"""Rows removed at one time; the others follow at the next."""


@dataclass(frozen=True, slots=True)
class Months:
    """The partitions `root/2026-11`, of which the present one and those of `kept - 1` months before it stay."""

    records: Records
    root: str
    kept: int
    clock: Callable[[], datetime] = now
    _pruned: set[date] = field(default_factory=set, repr=False)

    def place(self, at: datetime) -> str:
        """The partition of a moment, by its month in UTC."""
        return f"{self.root}/{at.astimezone(UTC):%Y-%m}"

    async def prune(self) -> int:
        """Remove rows of months whose time is over; once a day, except where there are more than `MOST`.

        Returns how many were removed. Raises as the store does.
        """
        today = self.clock().astimezone(UTC).date()
        if today in self._pruned:
            return 0
        count = 0
        for month in _before(today, self.kept):
            count += await self._emptied(f"{self.root}/{month}", MOST - count)
            if count >= MOST:
                return count
        self._pruned.clear()
        self._pruned.add(today)
        return count

    async def _emptied(self, partition: str, most: int) -> int:
        count = 0
        while count < most and (page := await self.records.query(partition, limit=min(MAX_CHANGES, most - count))):
            await self.records.commit(*(Delete(row.partition, row.key) for row in page), durable=False)
            count += len(page)
            await asyncio.sleep(0)  # a store may answer without waiting, and others want their turn
        return count


@dataclass(frozen=True, slots=True)
class Periods:
    """Rows of one partition, each of a period. `ended` reads off a key when that period ends, or ended; None: never. A row
    stays for `kept` months, the one in which its period ended included.
    """

    records: Records
    partition: str
    ended: Callable[[str], date | None]
    kept: int
    clock: Callable[[], datetime] = now
    _pruned: set[date] = field(default_factory=set, repr=False)

    async def prune(self) -> int:
        """Remove rows of periods that ended long ago, once a day. Returns how many. Raises as the store does."""
        today = self.clock().astimezone(UTC).date()
        if today in self._pruned:
            return 0
        count, over, page, after = 0, next(_before(today, self.kept)), PAGE, None
        while page == PAGE:
            rows = await self.records.query(self.partition, after=after, limit=PAGE)
            page, after = len(rows), rows[-1].key if rows else None
            gone = [row.key for row in rows if (end := self.ended(row.key)) and f"{end:%Y-%m}" <= over]
            for start in range(0, len(gone), MAX_CHANGES):
                deletes = [Delete(self.partition, key) for key in gone[start : start + MAX_CHANGES]]
                await self.records.commit(*deletes, durable=False)
            count += len(gone)
            await asyncio.sleep(0)  # as above
        self._pruned.clear()
        self._pruned.add(today)
        return count


def _before(today: date, kept: int) -> Iterator[str]:
    """The months whose time is over, the latest first."""
    last = today.year * 12 + today.month - 1 - kept
    for number in range(last, last - BACK, -1):
        yield f"{number // 12}-{number % 12 + 1:02}"
