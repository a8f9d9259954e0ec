"""Every store of analytics keeps the promise."""

import asyncio

import pytest

from strata.adapters.analytics import duckdb, memory
from strata.errors import Deadline, Invalid, Unavailable
from strata.testing.analytics import AnalyticsPromise


class TestMemory(AnalyticsPromise):
    @pytest.fixture
    async def analytics(self):
        store = await memory.make("")
        yield store
        await store.close()


class TestDuckDB(AnalyticsPromise):
    @pytest.fixture
    async def analytics(self, tmp_path):
        store = await duckdb.make("analytics", home=tmp_path)
        yield store
        await store.close()


def files(tmp_path):
    return sorted((tmp_path / "analytics" / "usage").iterdir())


async def test_rows_are_there_after_the_next_opening_and_seen_by_others(tmp_path):
    first, second = [await duckdb.make("analytics", home=tmp_path) for _ in range(2)]
    await first.append("usage", [{"id": "1"}])
    assert await second.ask("SELECT id FROM usage") == [{"id": "1"}]
    await first.close()
    third = await duckdb.make("analytics", home=tmp_path)
    assert await third.tables() == {"usage"}
    await third.close()
    await second.close()


async def test_compacting_leaves_one_file_and_a_crash_before_the_removal_doubles_nothing(tmp_path):
    store = await duckdb.make("analytics", home=tmp_path)
    for n in range(6):
        await store.append("usage", [{"id": f"{n}", "n": n}])
    old = {file: file.read_bytes() for file in files(tmp_path)}
    await store.compact()
    assert len(files(tmp_path)) == 1
    for file, content in old.items():
        file.write_bytes(content)
    again = await duckdb.make("analytics", home=tmp_path)
    for one in (store, again):
        assert await one.ask("SELECT count(*) AS n, sum(n) AS s FROM usage") == [{"n": 6, "s": 15}]
    await again.append("usage", [{"id": "6", "n": 6}])
    await again.compact()
    assert len(files(tmp_path)) == 1
    assert await again.ask("SELECT count(*) AS n, sum(n) AS s FROM usage") == [{"n": 7, "s": 21}]
    await store.close()
    await again.close()


async def test_a_file_that_was_not_finished_does_not_count(tmp_path):
    store = await duckdb.make("analytics", home=tmp_path)
    await store.append("usage", [{"id": "1"}])
    (tmp_path / "analytics" / "usage" / "torn.new").write_bytes(b"PAR1 torn")
    assert await store.ask("SELECT id FROM usage") == [{"id": "1"}]
    await store.compact()
    assert await store.ask("SELECT id FROM usage") == [{"id": "1"}]
    await store.close()


async def test_a_column_keeps_its_type(tmp_path):
    for store in (await memory.make(""), await duckdb.make("analytics", home=tmp_path)):
        await store.append("usage", [{"id": "1", "n": 1}])
        await store.append("usage", [{"id": "0"}])
        with pytest.raises(Invalid, match="usage"):
            await store.append("usage", [{"id": "2", "n": "text"}])
        assert await store.ask("SELECT id, n FROM usage WHERE n > 0") == [{"id": "1", "n": 1}]
        await store.close()


async def test_questions_and_appends_and_compactions_at_once_lose_no_row(tmp_path):
    store = await duckdb.make("analytics", home=tmp_path)
    await store.append("usage", [{"id": "first"}])

    async def append(lane):
        for n in range(10):
            await store.append("usage", [{"id": f"{lane}-{n}"}])

    async def compact():
        for _ in range(5):
            await store.compact()

    async def look():
        seen = 0
        for _ in range(15):
            ((count,),) = [row.values() for row in await store.ask("SELECT count(DISTINCT id) AS n FROM usage")]
            assert count >= seen
            seen = count

    await asyncio.gather(append("a"), append("b"), compact(), look(), look())
    assert await store.ask("SELECT count(*) AS n FROM usage") == [{"n": 21}]
    await store.close()


async def test_a_question_that_takes_too_long_is_stopped(tmp_path):
    store = await duckdb.make("analytics", home=tmp_path, seconds=0.2)
    with pytest.raises(Deadline):
        await store.ask("SELECT count(*) AS n FROM range(100000000) a, range(100000000) b WHERE a.range = -b.range")
    assert await store.ask("SELECT 1 AS one") == [{"one": 1}]
    await store.close()


async def test_no_question_changes_the_settings_or_leaves_the_folder(tmp_path):
    (tmp_path / "analytics-secret").mkdir()
    (tmp_path / "analytics-secret" / "x.csv").write_text("a\n1\n")
    store = await duckdb.make("analytics", home=tmp_path)
    await store.append("usage", [{"id": "1"}])
    for sql in (
        f"SELECT * FROM read_csv('{tmp_path}/analytics-secret/x.csv')",
        f"SELECT * FROM read_csv('{tmp_path}/analytics/../analytics-secret/x.csv')",
        f"SELECT * FROM '{tmp_path}/analytics-secret/x.csv'",
        "SELECT * FROM read_csv('/proc/self/environ')",
        "SELECT * FROM store",
        "SELECT getenv('HOME')",
    ):
        with pytest.raises(Invalid):
            await store.ask(sql)
    await store.close()


async def test_a_full_volume_says_so_and_stores_nothing(small_disk):
    store = await duckdb.make("analytics", home=small_disk)
    await store.append("usage", [{"id": "1", "x": ""}])
    noise = "".join(chr(33 + (n * n * 7919) % 90) for n in range(3000))
    with pytest.raises(Unavailable, match="No space"):
        for n in range(1000):
            await store.append("usage", [{"id": f"{n}-{m}", "x": noise[m:]} for m in range(200)])
    found = await store.ask("SELECT count(DISTINCT id) AS n FROM usage")
    assert found[0]["n"] % 200 == 1 or found[0]["n"] % 200 == 0
    await store.close()
