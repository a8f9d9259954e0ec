"""Puts the reporting layer together from its options and the stores that it is handed."""

from __future__ import annotations

from pathlib import Path

from strata.access import Access
from strata.errors import Misconfigured
from strata.ports.analytics import Analytics
from strata.ports.months import Months, Periods
from strata.ports.records import Records
from strata.reporting.audit import AuditRecord
from strata.reporting.budgets import Budgets, ended, mistakes
from strata.reporting.checkpoint import Signer
from strata.reporting.ledger import LedgerBook
from strata.reporting.notices import Notices, load
from strata.reporting.options import Options
from strata.reporting.usage import REMEMBERED, UsageMeter
from strata.reporting.witness import Witness


async def build(
    options: Options, *, tenant: str, records: Records, analytics: Analytics, access: Access, key: bytes, home: Path
) -> LedgerBook:
    """A ledger that hears. `key` signs the audit record's checkpoints; the witness file is relative to `home`.

    Raises `Misconfigured` with every mistake of the options. Close what it returns before the stores.
    """
    wrong = list(mistakes(options.budgets))
    if options.checkpoint_entries < 1:
        wrong.append(f"checkpoint_entries is {options.checkpoint_entries}; it must be at least 1")
    if options.checkpoint_seconds < 0:
        wrong.append(f"checkpoint_seconds is {options.checkpoint_seconds}; it must not be below zero")
    try:
        notifiers = load(options.notifiers)
    except Misconfigured as error:
        wrong.extend(error.mistakes)
    if wrong:
        raise Misconfigured(wrong)
    record = AuditRecord(
        tenant,
        records,
        Witness(home / options.witness),
        Signer.of(key),
        options.checkpoint_entries,
        options.checkpoint_seconds,
    )
    budgets = Budgets(tenant, records, options.budgets)
    heard = Months(records, f"{tenant}/heard-usage", REMEMBERED)
    counters = Periods(records, f"{tenant}/budgets", ended, REMEMBERED)
    meter = UsageMeter(tenant, records, analytics, budgets, options.currency, heard, counters)
    await record.start()
    return LedgerBook(tenant, access, record, meter, budgets, Notices(tenant, records, notifiers))
