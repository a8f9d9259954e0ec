"""The promise of `ports.analytics`, as tests: subclass it and hand it a fresh, empty store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from strata.errors import Invalid
from strata.ports.analytics import Analytics
from strata.types import Json

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


class AnalyticsPromise:
    """Override the fixture `analytics`: it yields an `Analytics` store that holds nothing."""

    @pytest.fixture
    def analytics(self) -> Analytics:
        raise NotImplementedError

    async def test_rows_come_back_as_they_went(self, analytics: Analytics) -> None:
        row = {"id": "1", "text": "für '😀'", "whole": 2**53 + 1, "part": 0.25, "yes": True, "at": NOON, "no": None}
        await analytics.append("usage", [row])
        assert await analytics.ask("SELECT * FROM usage") == [row]
        assert await analytics.tables() == {"usage"}

    async def test_times_are_kept_as_the_moment_they_are(self, analytics: Analytics) -> None:
        there = NOON.astimezone(timezone(timedelta(hours=9)))
        await analytics.append("usage", [{"id": "1", "at": there}])
        (row,) = await analytics.ask('SELECT "at" FROM usage WHERE "at" = $at', {"at": NOON})
        assert row["at"] == NOON
        assert row["at"].utcoffset() == timedelta(0)
        assert (
            await analytics.ask('SELECT id FROM usage WHERE "at" >= $since', {"since": NOON + timedelta(seconds=1)})
            == []
        )

    async def test_sums_of_whole_numbers_are_whole_and_averages_are_floats(self, analytics: Analytics) -> None:
        await analytics.append("usage", [{"id": f"{n}", "d": "ab"[n % 2], "micros": n} for n in range(10)])
        found = await analytics.ask(
            "SELECT d, sum(micros) AS s, count(DISTINCT id) AS n, avg(micros) AS a FROM usage GROUP BY d ORDER BY d"
        )
        assert found == [{"d": "a", "s": 20, "n": 5, "a": 4.0}, {"d": "b", "s": 25, "n": 5, "a": 5.0}]
        assert [type(value) for value in found[0].values()] == [str, int, int, float]

    async def test_days_are_days_in_utc(self, analytics: Analytics) -> None:
        late = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
        await analytics.append("usage", [{"id": "1", "at": late}, {"id": "2", "at": late + timedelta(minutes=2)}])
        found = await analytics.ask(
            "SELECT CAST(u.at AS DATE) AS day, count(*) AS n FROM usage u GROUP BY 1 ORDER BY 1"
        )
        assert found == [{"day": "2026-03-01", "n": 1}, {"day": "2026-03-02", "n": 1}]

    async def test_later_rows_may_bring_new_columns_and_leave_others_out(self, analytics: Analytics) -> None:
        await analytics.append("usage", [{"id": "1", "old": 1}])
        await analytics.append("usage", [{"id": "2", "new": "x"}])
        assert await analytics.ask("SELECT id, old, new FROM usage ORDER BY id") == [
            {"id": "1", "old": 1, "new": None},
            {"id": "2", "old": None, "new": "x"},
        ]

    async def test_a_column_of_nothing_takes_the_type_of_what_comes(self, analytics: Analytics) -> None:
        await analytics.append("usage", [{"id": "1", "at": None, "n": None}])
        await analytics.append("usage", [{"id": "2", "at": NOON, "n": 3}])
        assert await analytics.ask("SELECT * FROM usage ORDER BY id") == [
            {"id": "1", "at": None, "n": None},
            {"id": "2", "at": NOON, "n": 3},
        ]

    async def test_tables_can_be_joined(self, analytics: Analytics) -> None:
        await analytics.append("usage", [{"id": "1", "who": "ada"}])
        await analytics.append("people", [{"id": "p", "who": "ada", "team": "rnd"}])
        found = await analytics.ask("SELECT p.team FROM usage u JOIN people p ON u.who = p.who")
        assert found == [{"team": "rnd"}]
        assert await analytics.tables() == {"usage", "people"}

    async def test_parameters_are_values_never_sql(self, analytics: Analytics) -> None:
        await analytics.append("usage", [{"id": "it's", "n": 1}])
        assert await analytics.ask("SELECT n FROM usage WHERE id = $id", {"id": "it's"}) == [{"n": 1}]
        assert await analytics.ask("SELECT n FROM usage WHERE id = $id", {"id": "' OR 1=1 --"}) == []
        with pytest.raises(Invalid):
            await analytics.ask("SELECT n FROM usage WHERE id = $id")

    async def test_a_table_without_rows_is_invalid_and_the_others_are_named(self, analytics: Analytics) -> None:
        await analytics.append("usage", [{"id": "1"}])
        await analytics.append("nothing", [])
        with pytest.raises(Invalid, match="usage"):
            await analytics.ask("SELECT * FROM nothing")
        assert await analytics.tables() == {"usage"}

    async def test_anything_but_one_select_is_invalid(self, analytics: Analytics) -> None:
        await analytics.append("usage", [{"id": "1"}])
        for sql in (
            "DELETE FROM usage",
            "CREATE TABLE x AS SELECT 1",
            "DROP VIEW usage",
            "SELECT 1; SELECT 2",
            "SELECT 1; DROP VIEW usage",
            "COPY usage TO 'out.csv'",
            "ATTACH 'x.db'",
            "INSTALL httpfs",
            "SET threads = 1",
            "PRAGMA database_list",
            "CALL pragma_version()",
            "SELECT FROM WHERE",
            "SELECT nosuch FROM usage",
            "",
        ):
            with pytest.raises(Invalid):
                await analytics.ask(sql)
        assert await analytics.ask("SELECT id FROM usage") == [{"id": "1"}]

    async def test_files_and_addresses_outside_cannot_be_read(self, analytics: Analytics) -> None:
        await analytics.append("usage", [{"id": "1"}])
        for sql in (
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM read_text('/etc/hostname')",
            "SELECT * FROM '/etc/passwd.csv'",
            "SELECT * FROM glob('/etc/*')",
            "SELECT * FROM read_parquet('http://127.0.0.1:1/x.parquet')",
        ):
            with pytest.raises(Invalid):
                await analytics.ask(sql)

    async def test_rows_that_cannot_be_kept_are_invalid_and_nothing_is_stored(self, analytics: Analytics) -> None:
        unfit: list[list[Json]] = [
            [{"id": "1", "at": NOON.replace(tzinfo=None)}],
            [{"id": "1", "x": object()}],
            [{"id": "1", "x": "text"}, {"id": "2", "x": 5}],
            [{"id": "1", "n": 2**70}],
            [{}],
        ]
        for rows in unfit:
            with pytest.raises(Invalid):
                await analytics.append("usage", rows)
        for name in ("", "Usage", "a b", "../a", "a;b", 'a"b', "1a"):
            with pytest.raises(Invalid):
                await analytics.append(name, [{"id": "1"}])
        assert await analytics.tables() == set()

    async def test_compacting_changes_no_answer(self, analytics: Analytics) -> None:
        for n in range(12):
            await analytics.append("usage", [{"id": f"{n}", "n": n, f"column{n % 3}": NOON}])
        await analytics.append("other", [{"id": "x"}])
        before = await analytics.ask("SELECT * FROM usage ORDER BY n")
        for _ in range(2):
            await analytics.compact()
            assert await analytics.ask("SELECT * FROM usage ORDER BY n") == before
        await analytics.append("usage", [{"id": "12", "n": 12}])
        assert await analytics.ask("SELECT count(*) AS n FROM usage") == [{"n": 13}]
