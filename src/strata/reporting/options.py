"""What an operator may set for reporting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from strata.types import Budget, Department


@dataclass(frozen=True, slots=True)
class Notifier:
    """Whom to tell of an alarm. `kind` is the name of a file in `reporting/notifiers`: `log`, `webhook`, `email`."""

    kind: str
    options: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Options:
    """`witness` is where signed checkpoints of the audit record go: a file that the record's keeper should not own.
    `checkpoint_entries` and `checkpoint_seconds` bound what could be cut off unseen. `currency` of all reports.
    """

    departments: tuple[Department, ...] = ()
    budgets: tuple[Budget, ...] = ()
    notifiers: tuple[Notifier, ...] = (Notifier("log"),)
    witness: str = "witness/audit-checkpoints.jsonl"
    checkpoint_entries: int = 100
    checkpoint_seconds: float = 60.0
    currency: str = "USD"
