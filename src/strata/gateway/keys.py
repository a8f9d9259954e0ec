"""API keys of our own: shown once when they are made, kept only as a hash, gone within seconds when revoked.

A key holds 256 random bits, so a plain SHA-256 is enough at rest: there is nothing to guess. A key's id is the
beginning of that hash, so a key is found by one read. A key that is rotated gets a successor on the same account, so
that its budgets and its usage go on, and opens for a while longer, so that nobody has to change it in one moment.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec

from strata.access import Access, Resource
from strata.errors import Conflict, Invalid, NotFound, Unauthenticated
from strata.events import KeyCreated, KeyRevoked
from strata.gateway.caller import Caller
from strata.ports.records import Put, Records, every
from strata.types import Json, Principal, Subject, now

PREFIX = "sk-strata-"
TTL = 3.0
"""Seconds for which a key is believed without asking the store again: within these a revocation bites everywhere."""

MAX_CACHED = 20_000
NO_KEY = "send an API key: 'Authorization: Bearer sk-strata-…'; a platform engineer can make you one"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key: everything but the key. Its use is paid by `department` and `owner`.

    `models` and `operations` are its scope; empty: every model that its department may call. `account` is the id under
    which its use is counted: that of the first key in a row of rotated ones. `used_at` is kept about once a minute.
    """

    id: str
    tenant: str
    name: str
    owner: str
    department: str
    hash: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    models: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    account: str = ""
    replaced_by: str = ""
    used_at: datetime | None = None

    @property
    def principal(self) -> Principal:
        """The key as the one who calls: a service that may call models."""
        return Principal(self.tenant, self.id, self.name, self.department, roles=frozenset({"caller"}), kind="service")

    @property
    def payer(self) -> Subject:
        return Subject(self.tenant, self.department, self.owner, key=self.account or self.id)

    @property
    def caller(self) -> Caller:
        return Caller(self.principal, self.payer, self.models or None, self.operations or None)


@dataclass(slots=True)
class Seen:
    """A key as it was last read, ready for the next call; `key` None: there is no such key."""

    until: float
    key: ApiKey | None
    caller: Caller | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """The tenant's API keys."""

    records: Records
    access: Access
    tenant: str
    ttl: float = TTL
    clock: Callable[[], float] = time.monotonic
    today: Callable[[], datetime] = now
    _seen: dict[bytes, Seen] = field(default_factory=dict, repr=False)
    _used: dict[str, datetime] = field(default_factory=dict, repr=False)

    @property
    def partition(self) -> str:
        return f"{self.tenant}/keys"

    async def create(
        self,
        principal: Principal,
        name: str,
        *,
        owner: str,
        department: str,
        expires_at: datetime | None = None,
        models: Iterable[str] = (),
        operations: Iterable[str] = (),
    ) -> tuple[ApiKey, str]:
        """A new key and its plain text, which cannot be had again. Raises `Forbidden` without the right to manage."""
        if not name.strip() or not department.strip():
            raise Invalid("an API key needs a name and a department that pays for it")
        if expires_at is not None and (expires_at.tzinfo is None or expires_at <= self.today()):
            raise Invalid(f"the expiry {expires_at.isoformat()} must be a moment to come, with its time zone")
        plain, hash_ = _fresh()
        scope = frozenset(models), frozenset(operations)
        key = ApiKey(_id(hash_), self.tenant, name, owner, department, hash_, self.today(), expires_at, None, *scope)
        self.access.require(principal, "manage", Resource.plain("Key", self.tenant, key.id))
        made = KeyCreated(tenant=self.tenant, actor=principal.id, key=key.id, name=name, department=department)
        await self.records.commit(Put(self.partition, key.id, _json(key), version=0), events=[made])
        return key, plain

    async def rotate(
        self, principal: Principal, id: str, *, grace: timedelta, expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """A successor of the key, on the same account and with its scope, and its plain text. The old one opens for
        `grace` longer. Raises `NotFound`, `Conflict` for a key that is revoked or has a successor already.
        """
        self.access.require(principal, "manage", Resource.plain("Key", self.tenant, id))
        record = await self.records.get(self.partition, id)
        if record is None:
            raise NotFound(f"no API key called {id!r}; list the keys to see their ids")
        old = _key(record.value)
        if old.revoked_at is not None or old.replaced_by:
            raise Conflict(f"the API key {id!r} is revoked or has a successor; make a new one, or rotate that")
        plain, hash_ = _fresh()
        at = self.today()
        new = replace(
            old, id=_id(hash_), hash=hash_, created_at=at, expires_at=expires_at, account=old.account or old.id,
            used_at=None,
        )  # fmt: skip
        last = at + grace if old.expires_at is None else min(old.expires_at, at + grace)
        old = replace(old, expires_at=last, replaced_by=new.id)
        made = KeyCreated(tenant=self.tenant, actor=principal.id, key=new.id, name=new.name, department=new.department)
        puts = (
            Put(self.partition, new.id, _json(new), version=0),
            Put(self.partition, id, _json(old), version=record.version),
        )
        await self.records.commit(*puts, events=[made])
        self._seen.pop(bytes.fromhex(old.hash), None)
        return new, plain

    async def note_uses(self) -> None:
        """Write down when the keys were last used that were since the last time."""
        used = dict(self._used)
        self._used.clear()
        for key, at in used.items():
            await self.records.commit(Put(f"{self.tenant}/key-uses", key, {"at": at.timestamp()}))

    async def revoke(self, principal: Principal, id: str) -> ApiKey:
        """From now on here, and within `ttl` seconds everywhere, the key opens nothing. Twice changes nothing."""
        self.access.require(principal, "manage", Resource.plain("Key", self.tenant, id))
        record = await self.records.get(self.partition, id)
        if record is None:
            raise NotFound(f"no API key called {id!r}; list the keys to see their ids")
        key = _key(record.value)
        if key.revoked_at is not None:
            return key
        key = replace(key, revoked_at=self.today())
        gone = KeyRevoked(tenant=self.tenant, actor=principal.id, key=id)
        try:
            await self.records.commit(Put(self.partition, id, _json(key), version=record.version), events=[gone])
        except Conflict:
            return await self.revoke(principal, id)
        self._seen.pop(bytes.fromhex(key.hash), None)
        return key

    async def list(self, principal: Principal) -> list[ApiKey]:
        """The tenant's keys, those revoked and expired too, the newest first."""
        self.access.require(principal, "manage", Resource.plain("Key", self.tenant, "*"))
        uses = {record.key: record.value["at"] async for record in every(self.records, f"{self.tenant}/key-uses")}
        found = [_key(record.value) async for record in every(self.records, self.partition)]
        found = [
            replace(key, used_at=datetime.fromtimestamp(uses[key.id], UTC)) if key.id in uses else key for key in found
        ]
        return sorted(found, key=lambda key: key.created_at, reverse=True)

    async def caller(self, plain: str) -> Caller:
        """Who calls with this key, who pays, and for what it is. Raises `Unauthenticated` for a key that does not or no longer opens.

        The key is looked up by its hash, and the whole hash is compared in constant time.
        """
        if not plain:
            raise Unauthenticated(NO_KEY)
        hash_ = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()
        seen = self._seen.get(hash_)
        if seen is None or seen.until <= self.clock():
            seen = await self._look(hash_)
        if seen.key is None or seen.caller is None:
            raise Unauthenticated("this API key is not known here; check that it is whole, or ask for a new one")
        if seen.key.revoked_at is not None:
            raise Unauthenticated(f"the API key {seen.key.name!r} has been revoked; ask for a new one")
        if seen.key.expires_at is not None and seen.key.expires_at <= self.today():
            raise Unauthenticated(f"the API key {seen.key.name!r} has expired; ask for a new one")
        if seen.key.id not in self._used:
            self._used[seen.key.id] = self.today()
        return seen.caller

    async def _look(self, hash_: bytes) -> Seen:
        record = await self.records.get(self.partition, _id(hash_.hex()))
        key = _key(record.value) if record else None
        if key is not None and not hmac.compare_digest(bytes.fromhex(key.hash), hash_):
            key = None
        until = self.clock() + (self.ttl if key else min(self.ttl, 1.0))
        seen = Seen(until, key)
        if key is not None:
            seen.caller = key.caller
        if len(self._seen) >= MAX_CACHED:
            self._seen.clear()
        self._seen[hash_] = seen
        return seen


def _fresh() -> tuple[str, str]:
    """A new key and its hash."""
    plain = PREFIX + secrets.token_urlsafe(32)
    return plain, hashlib.sha256(plain.encode()).hexdigest()


def _id(hash_: str) -> str:
    return f"key_{hash_[:24]}"


def _json(key: ApiKey) -> Json:
    plain: Json = msgspec.to_builtins(key)
    return plain


def _key(value: Json) -> ApiKey:
    key = msgspec.convert(value, ApiKey)
    return replace(key, created_at=key.created_at.astimezone(UTC))
