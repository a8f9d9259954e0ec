"""Small records under a partition and a key, changed all or nothing, with events in the same commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from strata.events import Event
from strata.types import Json
from strata.values import value

MAX_CHANGES = 100
MAX_BYTES = 400 * 1024


@value
class Record:
    """A stored value. `version` is at least 1 and grows with every change of this record."""

    partition: str
    key: str
    value: Json
    version: int


@value
class Put:
    """Write a value. `version` is what must stand there now: None anything, 0 nothing, else exactly that version."""

    partition: str
    key: str
    value: Json
    version: int | None = None


@value
class Delete:
    """Remove a record; with `version`, only if it still has it. Removing what is not there is no error without it."""

    partition: str
    key: str
    version: int | None = None


@value
class Check:
    """Change nothing, but fail the commit unless the record has this version (0: is absent)."""

    partition: str
    key: str
    version: int


@value
class Add:
    """Add to a whole number in `value[field]` (absent counts as 0), unless the sum would pass `ceiling` or fall
    below `floor`: then the commit fails with `LimitReached`, and nothing of it is done. Several Adds of one commit on
    one record count one after the other. Other fields of the record stay.
    """

    partition: str
    key: str
    field: str
    amount: int
    ceiling: int | None = None
    floor: int | None = None


Change = Put | Delete | Check | Add


class LimitReached(Exception):
    """An Add would have passed its ceiling or floor. `add` says which; `value` is what stands there."""

    def __init__(self, add: Add, value: int) -> None:
        self.add = add
        self.value = value
        super().__init__(f"{add.partition}/{add.key}.{add.field} is {value}; {add.amount:+d} passes the limit")


class Records(Protocol):
    """A key-value store with conditional, atomic commits: DynamoDB's limits are the promise.

    At most `MAX_CHANGES` changes and events in one commit, at most `MAX_BYTES` a value as JSON (else `Invalid`). A
    partition begins with the tenant. Reads see every commit that returned before they began (read your writes). No
    order is promised between partitions, and a query is not a snapshot over several pages.
    """

    async def get(self, partition: str, key: str) -> Record | None: ...

    async def query(
        self, partition: str, prefix: str = "", *, after: str | None = None, limit: int = 1000, reverse: bool = False
    ) -> list[Record]:
        """Records of the partition whose key has the prefix, in the byte order of keys (or reversed), those past the
        key `after`, at most `limit`; fewer only where there are no more.
        """
        ...

    async def commit(self, *changes: Change, events: Sequence[Event] = (), durable: bool = True) -> None:
        """Do all of it or nothing. When it returns, the changes and the events survive a power cut.

        With `durable=False` they survive the end of every process here, but a power cut may undo them, together with
        what was committed after them in the same way: until the next durable commit, which takes along all before it.

        Raises `Conflict` when a version does not stand, `LimitReached` for an Add, `Invalid` for a commit over the
        limits, `Unavailable` when the store cannot be written (after a failed sync it stays so until reopened). A store
        across a network finds out by itself what became of a commit whose answer was lost; where it cannot be asked
        any more, the text of `Unavailable` says that the commit may have been done.
        """
        ...

    async def close(self) -> None: ...


PAGE = 1000


async def every(records: Records, partition: str) -> AsyncIterator[Record]:
    """All records of a partition in the order of their keys, read in pages: not a snapshot over several of them."""
    after: str | None = None
    while True:
        page = await records.query(partition, after=after, limit=PAGE)
        for record in page:
            yield record
        if len(page) < PAGE:
            return
        after = page[-1].key
