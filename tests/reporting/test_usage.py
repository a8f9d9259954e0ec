"""Usage and cost as people, finance and bookkeeping see them."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata.errors import Forbidden, Invalid, Unavailable
from strata.ports.records import Put
from strata.reporting.cost import amount
from strata.types import Budget, Money, Principal, Subject, Usage, UsageRow, now


async def test_usage_is_seen_at_once_under_every_dimension(bench, people, facts):
    await bench.ledger.hear(
        people.layer,
        facts.told(
            facts.used(1000),
            facts.used(2000, person="bob", model="large"),
            facts.used(500, department="safety", person="sue", usage=Usage(7, 3)),
        ),
    )
    report = await bench.ledger.usage(people.finance, "department")
    assert report.total == UsageRow("", 3, 27, 13, 3500)
    assert report.rows == (UsageRow("research", 2, 20, 10, 3000), UsageRow("safety", 1, 7, 3, 500))
    assert report.currency == "USD"
    people_rows = (await bench.ledger.usage(people.finance, "person")).rows
    assert {row.key: row.cost_micros for row in people_rows} == {"bob": 2000, "rae": 1000, "sue": 500}
    models = (await bench.ledger.usage(people.finance, "model")).rows
    assert {row.key: row.requests for row in models} == {"small": 2, "large": 1}
    assistants = (await bench.ledger.usage(people.finance, "assistant")).rows
    assert [row.key for row in assistants] == ["lab"]


async def test_days_are_summed_in_utc_and_old_ones_left_out(bench, people, facts):
    today = now().replace(hour=12)
    await bench.ledger.hear(
        people.layer,
        facts.told(
            facts.used(1, at=today),
            facts.used(2, at=today - timedelta(days=1)),
            facts.used(4, at=today - timedelta(days=1)),
            facts.used(8, at=today - timedelta(days=2)),
        ),
    )
    report = await bench.ledger.usage(people.finance, "department", days=2)
    assert [(day.requests, day.cost_micros) for day in report.daily] == [(2, 6), (1, 1)]
    assert [day.day for day in report.daily] == sorted(day.day for day in report.daily)
    assert report.total.cost_micros == 7
    assert report.since.date() == report.till.date() - timedelta(days=1)


async def test_without_any_usage_there_is_an_empty_report(bench, people):
    report = await bench.ledger.usage(people.finance, "model")
    assert (report.total, report.rows, report.daily) == (UsageRow("", 0, 0, 0, 0), (), ())


async def test_people_see_only_their_own_department(bench, people, facts):
    await bench.ledger.hear(people.layer, facts.told(facts.used(1000), facts.used(500, department="safety")))
    report = await bench.ledger.usage(people.researcher, "department")
    assert [row.key for row in report.rows] == ["research"]
    assert report.total.cost_micros == 1000
    assert sum(day.cost_micros for day in report.daily) == 1000


@pytest.mark.parametrize(
    "stranger",
    [
        Principal("acme", "nobody", roles=frozenset({"member"})),
        Principal("globex", "eve", department="research", roles=frozenset({"finance"})),
        Principal("acme", "data", kind="service", roles=frozenset({"layer"})),
    ],
)
async def test_strangers_and_people_without_a_department_see_nothing(bench, people, facts, stranger):
    await bench.ledger.hear(people.layer, facts.told(facts.used(1000), facts.used(5, department="")))
    with pytest.raises(Forbidden):
        await bench.ledger.usage(stranger, "department")
    with pytest.raises(Forbidden):
        await bench.ledger.budgets(stranger)
    with pytest.raises(Forbidden):
        [line async for line in bench.ledger.export(stranger, "csv", date(2026, 1, 1), date(2026, 1, 2))]


@pytest.mark.parametrize(
    ("by", "days"), [("key", 30), ("department; drop table usage", 30), ("model", 0), ("model", 9999)]
)
async def test_a_report_that_there_is_not_is_refused(bench, people, by, days):
    with pytest.raises(Invalid):
        await bench.ledger.usage(people.finance, by, days)


async def test_usage_seen_twice_counts_once(bench, people, facts):
    event = facts.used(1000)
    await bench.ledger.hear(people.layer, facts.told(event, event))
    await bench.ledger.hear(people.layer, facts.told(event))
    again = await bench.again()
    await again.hear(people.layer, facts.told(event))
    await again.close()
    assert (await bench.ledger.usage(people.finance, "model")).total.cost_micros == 1000


class Failing:
    """Stores that lose their power before or after the commits that a test names."""

    def __init__(self, inner, *, fail_before=(), fail_after=()):
        self.inner, self.before, self.after, self.calls = inner, set(fail_before), set(fail_after), 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def commit(self, *changes, events=()):
        self.calls += 1
        if self.calls in self.before:
            raise Unavailable("the power is gone")
        await self.inner.commit(*changes, events=events)
        if self.calls in self.after:
            raise Unavailable("the power is gone")


@pytest.mark.parametrize(
    "failures", [{"fail_before": [1]}, {"fail_before": [2]}, {"fail_after": [1]}, {"fail_after": [2]}]
)
async def test_a_crash_anywhere_while_hearing_loses_and_doubles_nothing(opened, people, facts, failures):
    bench = await opened(budgets=(Budget("all", "All", "tenant", Money(10_000)),))
    sound = bench.records
    bench.records = Failing(sound, **failures)
    broken = await bench.again()
    batch = facts.told(facts.deleted(), facts.used(1000), facts.used(2000))
    with pytest.raises(Unavailable):
        await broken.hear(people.layer, batch)
    bench.records = sound
    mended = await bench.again()
    await mended.hear(people.layer, batch)
    await broken.close()
    await mended.close()
    report = await mended.usage(people.finance, "model")
    assert (report.total.requests, report.total.cost_micros) == (2, 3000)
    assert report.budgets[0].spent == 3000
    verdict = await mended.verify(people.auditor)
    assert (verdict.entries, verdict.problems) == (1, ())


async def test_cost_in_another_currency_is_not_added_up(bench, people, facts):
    await bench.ledger.hear(people.layer, facts.told(facts.used(1000), facts.used(700, currency="EUR")))
    assert (await bench.ledger.usage(people.finance, "model")).total == UsageRow("", 2, 20, 10, 1000)


async def test_many_small_appends_are_compacted(bench, people, facts):
    compactions = []

    class Counting:
        def __getattr__(self, name):
            return getattr(analytics, name)

        async def compact(self):
            compactions.append(1)
            await analytics.compact()

    analytics, bench.analytics = bench.analytics, Counting()
    ledger = await bench.again()
    for _ in range(130):
        await ledger.hear(people.layer, facts.told(facts.used()))
    await ledger.close()
    assert len(compactions) == 3
    assert (await ledger.usage(people.finance, "model")).total.requests == 130


async def lines_of(ledger, principal, form, since, till):
    text = "".join([line async for line in ledger.export(principal, form, since, till)])
    return list(csv.DictReader(text.splitlines()))


async def test_charges_export_as_csv_with_exact_amounts(bench, people, facts):
    day = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    payer = Subject("acme", "research", "=cmd", "lab")
    await bench.ledger.hear(
        people.layer, facts.told(facts.used(1, at=day, payer=payer), facts.used(10**15 + 1, at=day, payer=payer))
    )
    (row,) = await lines_of(bench.ledger, people.finance, "csv", day.date(), day.date())
    assert row["cost"] == "1000000000.000002"
    assert (row["day"], row["department"], row["requests"]) == ("2026-11-22", "research", "2")
    assert row["person"] == "'=cmd"
    assert await lines_of(bench.ledger, people.finance, "csv", date(2026, 11, 23), date(2026, 11, 30)) == []


async def test_a_department_exports_its_own_charges_only(bench, people, facts):
    day = datetime(2026, 11, 22, tzinfo=UTC)
    await bench.ledger.hear(people.layer, facts.told(facts.used(1, at=day), facts.used(2, at=day, department="safety")))
    rows = await lines_of(bench.ledger, people.researcher, "csv", day.date(), day.date())
    assert [row["department"] for row in rows] == ["research"]


async def test_charges_export_in_the_columns_of_a_real_focus_file(bench, people, facts, shared):
    with (shared / "data" / "usage" / "focus_sample" / "focus_sample.csv").open() as sample:
        columns = [column for column in next(csv.reader(sample)) if column != "Id"]
    day = datetime(2026, 12, 31, 8, tzinfo=UTC)
    await bench.ledger.hear(people.layer, facts.told(facts.used(1_250_000, at=day), facts.used(1, at=day)))
    (row,) = await lines_of(bench.ledger, people.finance, "focus", day.date(), day.date())
    assert list(row) == columns
    assert row["BilledCost"] == row["EffectiveCost"] == "1.250001"
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-12-01 00:00:00", "2027-01-01 00:00:00")
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-12-31 00:00:00", "2027-01-01 00:00:00")
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == ("30", "Tokens")
    assert json.loads(row["Tags"]) == {"department": "research", "person": "rae", "assistant": "lab"}
    assert row["AvailabilityZone"] == "NULL"


async def test_an_export_that_there_is_not_names_the_choices(bench, people):
    with pytest.raises(Invalid, match="csv, focus"):
        [line async for line in bench.ledger.export(people.finance, "xls", date(2026, 1, 1), date(2026, 1, 1))]


@given(st.integers(-(10**40), 10**40))
def test_amounts_are_exact_at_any_size(micros):
    whole, part = format(amount(micros), "f").split(".")
    assert len(part) == 6
    assert int(whole + part) == micros


async def test_marks_of_calls_counted_long_ago_go_and_their_usage_stays(bench, people, facts):
    """litellm#9201, #20414: what each call left behind filled the database until it was slow."""
    today = now()
    long_ago = today - timedelta(days=150)
    await bench.ledger.hear(people.layer, facts.told(facts.used(5, at=long_ago)))
    await bench.ledger.hear(people.layer, facts.told(facts.used(7, at=today)))
    await bench.again()
    for number in range(64):
        await bench.ledger.hear(people.layer, facts.told(facts.used(1, at=today + timedelta(microseconds=number))))
    assert await bench.records.query(f"acme/heard-usage/{long_ago:%Y-%m}") == []
    assert len(await bench.records.query(f"acme/heard-usage/{today:%Y-%m}")) == 65
    assert (await bench.ledger.usage(people.finance, "department", days=200)).total.cost_micros == 76


async def test_counters_of_periods_long_over_go(opened, people, facts):
    bench = await opened(budgets=(Budget("lab", "Laboratory", "person:*", Money(10_000), "day"),))
    today = now()
    old, fresh = today - timedelta(days=150), f"{today:%Y-%m-%d}/lab/person:rae"
    await bench.records.commit(
        Put("acme/budgets", f"{old:%Y-%m-%d}/lab/person:rae", {"spent": 1, "terms": [], "told": []})
    )
    for number in range(65):
        await bench.ledger.hear(people.layer, facts.told(facts.used(1, at=today + timedelta(microseconds=number))))
    assert [row.key for row in await bench.records.query("acme/budgets")] == [fresh]
