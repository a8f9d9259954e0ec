"""How people get in: sign-in links without passwords, and browser sessions that end.

A link's token is a keyed hash of the person and a generation, so the installation can print it again without keeping
it, and withdraws it by counting the generation up. The browser gets a random token of which only the SHA-256 is kept.
"""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

import msgspec

from strata.errors import Conflict, NotFound, RateLimited, Unauthenticated
from strata.events import SignedIn, SignedOut
from strata.ports.records import Delete, Put, Records, every
from strata.types import Person, Principal, digest, now

FREE_TRIES = 5
LONGEST_WAIT = 60.0
TOUCH_SECONDS = 60.0
"""A browser session's last use is written down at most this often."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser session as it is kept."""

    person: str
    generation: int
    created: datetime
    seen: datetime


@dataclass(slots=True)
class Backoff:
    """Failed tries by address, in memory: after FREE_TRIES each failure doubles the wait, to LONGEST_WAIT seconds."""

    most: int = 10_000
    failures: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)

    def check(self, address: str) -> None:
        """Raises `RateLimited` while the address has to wait."""
        _, until = self.failures.get(address, (0, 0.0))
        wait = until - time.monotonic()
        if wait > 0:
            raise RateLimited(f"too many failed tries; wait {wait:.0f} seconds", retry_after=round(wait, 1))

    def failed(self, address: str) -> None:
        count = self.failures.pop(address, (0, 0.0))[0] + 1
        wait = min(2.0 ** (count - FREE_TRIES), LONGEST_WAIT) if count >= FREE_TRIES else 0.0
        self.failures[address] = (count, time.monotonic() + wait)
        while len(self.failures) > self.most:
            self.failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        self.failures.pop(address, None)


@dataclass(frozen=True, slots=True)
class SignIn:
    """Trades link tokens for browser sessions, and browser sessions for the person. Times in seconds."""

    tenant: str
    people: dict[str, Person]
    records: Records
    key: bytes = field(repr=False)
    idle: float = 8 * 3600.0
    lifetime: float = 7 * 24 * 3600.0
    backoff: Backoff = field(default_factory=Backoff, compare=False)

    async def links(self, people: Iterable[str] = ()) -> dict[str, str]:
        """The sign-in token of each of these people (none given: of everybody), by their id."""
        generations = await self._generations()
        wanted = list(people) or list(self.people)
        for person in wanted:
            if person not in self.people:
                raise NotFound(f"nobody is called {person!r}; there are {sorted(self.people)}")
        return {person: self._token(person, generations.get(person, 0)) for person in wanted}

    async def withdraw(self, person: str) -> None:
        """Make the person's link and all of their browser sessions void; `links` then tells a new one."""
        if person not in self.people:
            raise NotFound(f"nobody is called {person!r}; there are {sorted(self.people)}")
        for _ in range(8):
            record = await self.records.get(self._links, person)
            generation = record.value["generation"] if record else 0
            version = record.version if record else 0
            try:
                await self.records.commit(Put(self._links, person, {"generation": generation + 1}, version=version))
            except Conflict:
                continue
            return
        raise Conflict(f"the link of {person!r} is being withdrawn by several requests at once")

    async def enter(self, token: str, address: str = "") -> tuple[str, Person]:
        """The browser's new token, and who it is. Raises `Unauthenticated`, or `RateLimited` after failed tries."""
        self.backoff.check(address)
        generations = await self._generations()
        found: Person | None = None
        for person in self.people.values():  # all are compared, so that time tells nothing
            expected = self._token(person.id, generations.get(person.id, 0))
            if hmac.compare_digest(expected.encode(), token.encode()):
                found = person
        if found is None:
            self.backoff.failed(address)
            raise Unauthenticated("this sign-in link is unknown or was withdrawn; ask for a new one")
        self.backoff.succeeded(address)
        at = now()
        fresh = secrets.token_urlsafe(32)
        visit = Visit(found.id, generations.get(found.id, 0), at, at)
        fact = SignedIn(tenant=self.tenant, actor=found.id, method="link")
        await self.records.commit(self._put(fresh, visit, version=0), events=[fact])
        return fresh, found

    async def whose(self, token: str) -> Person:
        """The person of a browser session; raises `Unauthenticated` when it is unknown, idle too long or too old."""
        record = await self.records.get(self._visits, _hashed(token)) if token else None
        if record is None:
            raise Unauthenticated("you are not signed in; open your sign-in link")
        visit = msgspec.convert(record.value, Visit)
        at = now()
        person = self.people.get(visit.person)
        link = await self.records.get(self._links, visit.person)
        current = link.value["generation"] if link else 0
        unused, age = (at - visit.seen).total_seconds(), (at - visit.created).total_seconds()
        if person is None or visit.generation != current or unused > self.idle or age > self.lifetime:
            await self.records.commit(Delete(record.partition, record.key))
            raise Unauthenticated("your session has ended; open your sign-in link again")
        if unused > min(TOUCH_SECONDS, self.idle / 4):
            with suppress(Conflict):  # another request of the same browser wrote it down, or signed out
                await self.records.commit(self._put(token, replace(visit, seen=at), version=record.version))
        return person

    async def leave(self, token: str) -> None:
        """End a browser session; one that has ended already is no error."""
        record = await self.records.get(self._visits, _hashed(token)) if token else None
        if record is not None:
            fact = SignedOut(tenant=self.tenant, actor=record.value["person"])
            await self.records.commit(Delete(record.partition, record.key), events=[fact])

    def principal(self, person: Person) -> Principal:
        """The person as the one who asks."""
        return person.principal(self.tenant)

    async def _generations(self) -> dict[str, int]:
        return {record.key: record.value["generation"] async for record in every(self.records, self._links)}

    def _token(self, person: str, generation: int) -> str:
        text = digest("signin", self.tenant, person, str(generation))
        return urlsafe_b64encode(hmac.digest(self.key, text.encode(), "sha256")).rstrip(b"=").decode()

    def _put(self, token: str, visit: Visit, *, version: int) -> Put:
        return Put(self._visits, _hashed(token), msgspec.to_builtins(visit), version=version)

    @property
    def _visits(self) -> str:
        return f"{self.tenant}/visits"

    @property
    def _links(self) -> str:
        return f"{self.tenant}/links"


def _hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()
