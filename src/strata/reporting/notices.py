"""Telling people of passed thresholds, apart from the counting: what cannot be told now is told later.

What was handed over is remembered for each notifier in `<tenant>/notices`, so one that fails does not make the others
repeat themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strata import plugins
from strata.errors import Misconfigured, StrataError, Unavailable
from strata.events import BudgetCrossed
from strata.ports.records import Put, Records
from strata.reporting.notifier import Notifier
from strata.reporting.options import Notifier as Wanted


@dataclass(frozen=True, slots=True)
class Notices:
    """`notifiers` by a name that stays the same from start to start."""

    tenant: str
    records: Records
    notifiers: tuple[tuple[str, Notifier], ...]

    async def tell(self, alarm: BudgetCrossed) -> None:
        """Tell every notifier that was not told yet. Raises `Unavailable`, after all were tried, if one failed."""
        failures: list[str] = []
        for name, notifier in self.notifiers:
            try:
                await self._tell(name, notifier, alarm)
            except StrataError as error:
                failures.append(f"{name}: {error.detail}")
        if failures:
            raise Unavailable(f"not everybody could be told of budget {alarm.budget!r}: {'; '.join(failures)}")

    async def _tell(self, name: str, notifier: Notifier, alarm: BudgetCrossed) -> None:
        partition, key = f"{self.tenant}/notices", f"{alarm.id}/{name}"
        if await self.records.get(partition, key) is None:
            await notifier.tell(alarm)
            await self.records.commit(Put(partition, key, {}))


def load(wanted: Sequence[Wanted]) -> tuple[tuple[str, Notifier], ...]:
    """The notifiers that the options ask for; raises `Misconfigured` with every mistake."""
    kinds = plugins.available("notifier")
    made: list[tuple[str, Notifier]] = []
    wrong: list[str] = []
    for number, want in enumerate(wanted):
        if want.kind not in kinds:
            wrong.append(f"no notifier called {want.kind!r}; there are {', '.join(kinds)}")
            continue
        try:
            module = plugins.find("notifier", want.kind)
            made.append((f"{want.kind}-{number}", module.make(want.options)))
        except Misconfigured as error:
            wrong.extend(error.mistakes)
    if wrong:
        raise Misconfigured(wrong)
    return tuple(made)
