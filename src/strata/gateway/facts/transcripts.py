"""What was asked and answered, kept only where the tenant turns it on: masked, for so many days, read on the record.

The words are written down beside the caller, after the guardrails of the request and with personal data and secrets
masked unless the settings say otherwise. Reading one is itself a fact on the audit record. Every day's are removed whole
when their time is over; a person's can be erased at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from strata.access import Access, Resource
from strata.errors import NotFound, StrataError
from strata.events import TranscriptRead, TranscriptsErased
from strata.gateway.call import Call
from strata.gateway.caller import Caller
from strata.gateway.faults import where
from strata.gateway.money.spend import Bill
from strata.ports.records import Delete, Put, Records, every
from strata.types import Json, Principal, now

log = logging.getLogger(__name__)

LONGEST = 100_000
"""Characters of a request or an answer that are kept."""


@dataclass(frozen=True, slots=True)
class Transcripts:
    """Of one tenant. `days`: how long they are kept, 0 for not at all; `masked`: without personal data and secrets."""

    records: Records
    access: Access
    tenant: str
    days: int
    masked: bool = True
    clock: Callable[[], datetime] = now

    @property
    def on(self) -> bool:
        return self.days > 0

    async def keep(self, caller: Caller, call: Call, bill: Bill) -> None:
        """Write one call down. What cannot be written is told in the log, without its words."""
        try:
            asked = [(text.place, text.value) for text in call.dialect.request_texts(call.ask.body)]
            words = await asyncio.to_thread(self._words, asked, "".join(call.words or ()))
            at = self.clock()
            day = at.date().isoformat()
            value: Json = {
                "at": at.timestamp(),
                "model": call.attempts.target.name,
                "deployment": bill.deployment,
                "operation": call.ask.operation,
                "outcome": bill.outcome,
                "person": caller.payer.person,
                "department": caller.payer.department,
                "assistant": caller.payer.assistant,
                "key": caller.payer.key,
                **words,
            }
            await self.records.commit(Put(self._day(day), call.ask.request, value), Put(self._days, day, {}), events=[])
        except StrataError as error:
            log.warning("the transcript of %s could not be kept: %s", call.ask.request, error)
        except Exception as error:
            log.error("the transcript of %s could not be made: %s", call.ask.request, where(error))  # noqa: TRY400

    async def show(self, principal: Principal, request: str) -> Json:
        """One transcript. Raises `Forbidden` without the right to audit, `NotFound`; leaves a fact on the record."""
        self.access.require(principal, "audit", Resource.plain("Ledger", self.tenant, self.tenant))
        async for day in every(self.records, self._days):
            record = await self.records.get(self._day(day.key), request)
            if record is not None:
                fact = TranscriptRead(tenant=self.tenant, actor=principal.id, request=request)
                await self.records.commit(events=[fact])
                return record.value
        raise NotFound(f"no transcript of {request!r} is kept; they are kept where gateway.transcript_days is set")

    async def erase(self, principal: Principal, person: str) -> int:
        """Remove what one person asked and was answered; returns how many transcripts that were."""
        self.access.require(principal, "audit", Resource.plain("Ledger", self.tenant, self.tenant))
        count = 0
        async for day in every(self.records, self._days):
            async for record in every(self.records, self._day(day.key)):
                if record.value.get("person") == person:
                    await self.records.commit(Delete(record.partition, record.key))
                    count += 1
        fact = TranscriptsErased(tenant=self.tenant, actor=principal.id, person=person, count=count)
        await self.records.commit(events=[fact])
        return count

    async def prune(self) -> int:
        """Remove the days whose time is over; returns how many transcripts that were."""
        first = (self.clock() - timedelta(days=self.days)).date()
        count = 0
        async for day in every(self.records, self._days):
            if date.fromisoformat(day.key) >= first:
                return count
            async for record in every(self.records, self._day(day.key)):
                await self.records.commit(Delete(record.partition, record.key))
                count += 1
            await self.records.commit(Delete(self._days, day.key))
        return count

    def _words(self, asked: Sequence[tuple[str, str]], said: str) -> Json:
        room, told = LONGEST, []
        for place, text in asked:
            told.append({"place": place, "text": self._plain(text[:room])})
            room = max(room - len(text), 0)
        return {"asked": told, "answered": self._plain(said[:LONGEST])}

    def _plain(self, text: str) -> str:
        if not self.masked or not text:
            return text
        from strata.gateway.guards import privacy
        from strata.gateway.guards.privacy import credentials

        spans = [(span.start, span.end, span.type) for span in privacy.find(text)]
        spans += [(secret.start, secret.end, "SECRET") for secret in credentials.secrets(text)]
        plain, at = [], 0
        for start, end, type_ in sorted(spans):
            if end > at:
                plain += [text[at:start], f"[{type_}]"] if start >= at else []
                at = end
        return "".join([*plain, text[at:]])

    @property
    def _days(self) -> str:
        return f"{self.tenant}/transcript-days"

    def _day(self, day: str) -> str:
        return f"{self.tenant}/transcripts/{day}"
