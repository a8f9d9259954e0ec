"""Writes alarms to the program's log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strata.errors import Misconfigured
from strata.events import BudgetCrossed
from strata.reporting.notifier import explanation, headline

log = logging.getLogger("strata.alarms")


@dataclass(frozen=True, slots=True)
class LogNotifier:
    async def tell(self, alarm: BudgetCrossed) -> None:
        log.warning("%s. %s", headline(alarm), explanation(alarm))


def make(options: Mapping[str, Any]) -> LogNotifier:
    """Takes no options."""
    if options:
        raise Misconfigured(f"the log notifier takes no options; it was given {', '.join(sorted(options))}")
    return LogNotifier()
