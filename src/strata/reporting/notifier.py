"""Whoever is told of an alarm: the promise of the files in `notifiers/`.

Each of those files offers `make(options) -> Notifier`, with the options that the settings give it.
"""

from __future__ import annotations

from typing import Protocol

from strata.events import BudgetCrossed
from strata.reporting.cost import amount


class Notifier(Protocol):
    """Tells somebody outside. A notice may be told twice after a crash; its event's id is the same then."""

    async def tell(self, alarm: BudgetCrossed) -> None:
        """Returns once the notice is handed over; raises `Unavailable` when it could not be, and is asked again."""
        ...


def headline(alarm: BudgetCrossed) -> str:
    """One line for people."""
    name = f"{alarm.name!r} of {alarm.member}" if alarm.member else repr(alarm.name)
    if alarm.threshold_percent == 100:
        return f"Budget {name} is exhausted for {alarm.period}"
    return f"Budget {name} passed {alarm.threshold_percent} percent for {alarm.period}"


def explanation(alarm: BudgetCrossed) -> str:
    """What was spent of what, for people."""
    spent, limit = amount(alarm.spent_micros), amount(alarm.limit_micros)
    return f"{spent:.2f} of {limit:.2f} {alarm.currency} are spent."
