"""Rows of calls are kept for some months and then removed a page at a time: the store stays as small as its present."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from strata import budgets as rules
from strata.adapters.records.memory import MemoryRecords
from strata.adapters.records.sqlite import make as sqlite_records
from strata.errors import Misconfigured
from strata.ports import months
from strata.ports.months import Months, Periods
from strata.ports.records import Put
from strata.types import Budget, Money

from .conftest import TENANT, world

AT = datetime(2026, 3, 14, tzinfo=UTC)


class Watched(MemoryRecords):
    """Remembers how many rows were held at one time."""

    largest = 0

    async def query(self, *args: Any, **more: Any) -> list[Any]:
        page = await super().query(*args, **more)
        self.largest = max(self.largest, len(page))
        return page


async def filled(records: Any, counts: dict[str, int]) -> None:
    for month, count in counts.items():
        for number in range(count):
            await records.commit(Put(f"t/calls/{month}", f"r{number:05}", {"cost": 1}))


async def left(records: Any) -> dict[str, int]:
    found = {}
    for month in ("2024-12", "2025-11", "2025-12", "2026-01", "2026-02", "2026-03"):
        found[month] = len(await records.query(f"t/calls/{month}", limit=10_000))
    return {month: count for month, count in found.items() if count}


@pytest.mark.parametrize("store", ["memory", "sqlite"])
async def test_the_present_month_and_those_just_before_it_stay_and_older_ones_go(store: str, tmp_path: Any):
    records = Watched() if store == "memory" else await sqlite_records("r.db", home=tmp_path)
    await filled(records, {"2024-12": 3, "2025-11": 1, "2025-12": 2, "2026-01": 4, "2026-02": 5, "2026-03": 6})
    rows = Months(records, "t/calls", 3, lambda: AT)
    assert await rows.prune() == 6
    assert await left(records) == {"2026-01": 4, "2026-02": 5, "2026-03": 6}
    await records.close()


async def test_a_large_month_is_removed_page_by_page_and_in_several_turns(monkeypatch: pytest.MonkeyPatch):
    """litellm#21908: a job that removed old logs read all of them first."""
    monkeypatch.setattr(months, "MOST", 1500)
    records = Watched()
    await filled(records, {"2025-12": 2000})
    rows = Months(records, "t/calls", 3, lambda: AT)
    assert [await rows.prune() for _ in range(3)] == [1500, 500, 0]
    assert 0 < records.largest <= 100


async def test_once_removed_it_is_looked_at_again_the_next_day():
    records, at = MemoryRecords(), [AT]
    rows = Months(records, "t/calls", 3, lambda: at[0])
    assert await rows.prune() == 0
    await filled(records, {"2025-12": 1})
    assert await rows.prune() == 0
    at[0] += timedelta(days=1)
    assert await rows.prune() == 1


async def test_a_gateway_removes_them_by_itself():
    async with world(call_rows_months=2) as it:
        today = datetime.now(UTC)
        old = f"{TENANT}/calls/{today.year - 1}-{today.month:02}"
        fresh = it.gateway.call_rows.place(today)
        for partition in (old, fresh):
            await it.records.commit(Put(partition, "r1", {"cost": 1, "outcome": "ok"}))
        counter = f"all/{today.year - 1}-{today.month:02}"
        await it.records.commit(Put(f"{TENANT}/budgets", counter, {"held": 1, "spent": 1}))
        await it.gateway._noted()
        assert await it.records.get(f"{TENANT}/budgets", counter) is None
        assert await it.records.get(old, "r1") is None
        assert await it.records.get(fresh, "r1")


@pytest.mark.parametrize(
    ("period", "last"),
    [
        ("2026-02-28", date(2026, 2, 28)), ("2026-02", date(2026, 2, 28)), ("2026-12", date(2026, 12, 31)),
        ("2026-W01", date(2026, 1, 4)), ("2026-Q1", date(2026, 3, 31)), ("2026-Q4", date(2026, 12, 31)),
        ("2026", date(2026, 12, 31)), ("total", None), ("nonsense", None),
    ],
)  # fmt: skip
def test_when_a_period_ends_is_read_off_its_name(period: str, last: date | None):
    assert rules.last_day(period) == last


@pytest.mark.parametrize("kind", rules.PERIODS)
def test_a_period_ends_on_the_day_before_it_resets(kind: Any):
    one = Budget("all", "All", "tenant", Money(1), kind)
    for days in range(0, 800, 7):
        at = AT + timedelta(days=days)
        resets = rules.resets_at(one, at)
        assert rules.last_day(rules.period(one, at)) == (resets - timedelta(days=1)).date() if resets else True


async def test_counters_of_periods_that_ended_long_ago_go_and_those_of_the_present_stay():
    """One a person and day: without an end they would be most of the store."""
    records = MemoryRecords()
    old = ["b/2025-11", "b/2025-12-31/person:ines", "b/2025-Q4", "b/2025", "b/2025-W40/person:ines"]
    stay = [
        "b/2026-01-31/person:ines",
        "b/2026-W01",
        "b/2026-02",
        "b/2026-Q1",
        "b/2026",
        "b/total",
        "b/total/person:ines",
    ]
    for key in old + stay:
        await records.commit(Put("t/budgets", key, {"held": 1, "spent": 1}))
    counters = Periods(records, "t/budgets", rules.ended, 3, lambda: AT)
    assert await counters.prune() == len(old)
    assert [row.key for row in await records.query("t/budgets")] == sorted(stay)
    assert await counters.prune() == 0


async def test_more_counters_than_a_page_are_removed_too():
    records = MemoryRecords()
    for number in range(2300):
        day = f"2025-{number % 2 + 6:02}-{number % 28 + 1:02}" if number % 3 else "2026-03-01"
        await records.commit(Put("t/budgets", f"b/{day}/person:{number:05}", {"held": 1}))
    assert await Periods(records, "t/budgets", rules.ended, 3, lambda: AT).prune() == 1533
    assert len(await records.query("t/budgets", limit=5000)) == 2300 - 1533


async def test_too_short_a_time_is_a_mistake():
    with pytest.raises(Misconfigured, match="call_rows_months"):
        async with world(call_rows_months=1):
            pass
