"""The ledger: what the other layers tell becomes the audit record, the usage table and the state of budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import msgspec

from strata.access import Access, Resource
from strata.budgets import own
from strata.errors import Forbidden, Invalid
from strata.events import BudgetCrossed, Event, UsageRecorded, revive
from strata.reporting.audit import AuditRecord
from strata.reporting.budgets import Budgets
from strata.reporting.export import load
from strata.reporting.notices import Notices
from strata.reporting.usage import UsageMeter
from strata.types import AuditEntry, AuditVerdict, BudgetStatus, Principal, UsageReport

MOST_ENTRIES = 1000


@dataclass(frozen=True, slots=True)
class LedgerBook:
    """Implements `contracts.Ledger`. Everything it keeps is made from events; it never sees a text."""

    tenant: str
    access: Access
    record: AuditRecord
    meter: UsageMeter
    limits: Budgets
    notices: Notices

    async def hear(self, principal: Principal, events: Sequence[dict[str, Any]]) -> None:
        """Enter facts in the form `{"kind": …, "event": {…}}`. Any number of times is the same as once.

        Raises `Forbidden`, `Invalid` (then nothing is entered) or `Unavailable` (then some may be; tell all again).
        """
        self.access.require(principal, "tell", self._ledger)
        facts = [self._read(number, raw) for number, raw in enumerate(events)]
        await self.record.write([fact for fact in facts if fact.audited])
        await self.meter.count([fact for fact in facts if isinstance(fact, UsageRecorded)])

    async def on_budget_crossed(self, events: Sequence[Event]) -> None:
        """Tell the notifiers. Raises `Unavailable` when one could not be told; those that were are not told again."""
        for event in events:
            if isinstance(event, BudgetCrossed):
                await self.notices.tell(event)

    async def usage(self, principal: Principal, by: str, days: int = 30) -> UsageReport:
        report = await self.meter.report(by, days, self._scope(principal))
        return replace(report, budgets=tuple(await self.budgets(principal)))

    async def budgets(self, principal: Principal) -> list[BudgetStatus]:
        """All of them for those who see all usage; for others those of their department and their own."""
        scope = self._scope(principal)
        mine = principal.department, principal.id
        return [status for status in await self.limits.status() if not scope or own(status, *mine)]

    async def export(self, principal: Principal, form: str, since: date, till: date) -> AsyncIterator[str]:
        """Charges of the days from `since` to `till` (UTC, both included) as lines: `form` is a file in `exports`."""
        scope = self._scope(principal)
        export = load(form, self.tenant)
        for line in export.write(await self.meter.charges(since, till, scope)):
            yield line

    async def audit(self, principal: Principal, *, after: int = 0, limit: int = 100) -> list[AuditEntry]:
        """Entries that follow number `after`, at most `limit` (up to 1000)."""
        self.access.require(principal, "audit", self._ledger)
        if after < 0 or not 1 <= limit <= MOST_ENTRIES:
            raise Invalid(f"the record is read from number 0 on, 1 to {MOST_ENTRIES} entries at a time")
        return await self.record.entries(after, limit)

    async def verify(self, principal: Principal) -> AuditVerdict:
        self.access.require(principal, "audit", self._ledger)
        return await self.record.verify()

    async def export_audit(self, principal: Principal) -> AsyncIterator[bytes]:
        """The whole record as JSON lines for `reporting.verify`."""
        self.access.require(principal, "audit", self._ledger)
        async for line in self.record.export():
            yield line

    @property
    def public_key(self) -> bytes:
        """What the offline verifier checks checkpoints with: 32 bytes, no secret."""
        return self.record.signer.public_key

    async def close(self) -> None:
        """Hand the last checkpoint to the witness. The stores belong to whoever opened them."""
        await self.record.close()

    def _read(self, number: int, raw: dict[str, Any]) -> Event:
        try:
            event = revive(raw)
        except (ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
            raise Invalid(f"fact {number} of those told cannot be read: {error}") from error
        if event.tenant != self.tenant:
            raise Forbidden(
                f"fact {number} of those told is of tenant {event.tenant!r}; this is the ledger of {self.tenant!r}"
            )
        return event

    def _scope(self, principal: Principal) -> str:
        """The department whose usage this principal sees; empty for all. Raises `Forbidden` where there is none."""
        if self.access.may(principal, "report", Resource.plain("Tenant", self.tenant, self.tenant)):
            return ""
        self.access.require(principal, "report", Resource.department(self.tenant, principal.department))
        if not principal.department:
            raise Forbidden(f"{principal.id!r} belongs to no department, so there is no usage to see")
        return principal.department

    @property
    def _ledger(self) -> Resource:
        return Resource.plain("Ledger", self.tenant, "ledger")
