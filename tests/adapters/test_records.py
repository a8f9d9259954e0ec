"""Every store of records keeps the promise."""

import pytest

from strata.adapters.records import memory, sqlite
from strata.adapters.records import postgres as postgres_records
from strata.testing.records import RecordsPromise


class TestMemory(RecordsPromise):
    @pytest.fixture
    async def records(self):
        return await memory.make("")


class TestSqlite(RecordsPromise):
    @pytest.fixture(params=[True, False], ids=["durable", "rebuildable"])
    async def records(self, tmp_path, request):
        records = await sqlite.make("records.db", home=tmp_path, durable=request.param)
        yield records
        await records.close()


@pytest.mark.xdist_group("postgres")
class TestPostgres(RecordsPromise):
    @pytest.fixture
    async def records(self, postgres, schema):
        records = await postgres_records.make(postgres.address(schema=schema))
        yield records
        await records.close()
