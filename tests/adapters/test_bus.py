"""Every bus keeps the promise."""

import pytest

from strata.adapters.bus import memory as memory_bus
from strata.adapters.bus import postgres as postgres_bus
from strata.adapters.bus import sqlite as sqlite_bus
from strata.adapters.records import memory, sqlite
from strata.adapters.records import postgres as postgres_records
from strata.testing.bus import BusPromise


class TestMemory(BusPromise):
    @pytest.fixture
    async def records(self):
        return await memory.make("")

    @pytest.fixture
    def make_bus(self, records):
        return lambda: memory_bus.make("", records=records)


class TestSqlite(BusPromise):
    @pytest.fixture
    async def records(self, tmp_path):
        records = await sqlite.make("records.db", home=tmp_path)
        yield records
        await records.close()

    @pytest.fixture
    def make_bus(self, records):
        return lambda: sqlite_bus.make("", records=records)


@pytest.mark.xdist_group("postgres")
class TestPostgres(BusPromise):
    @pytest.fixture
    async def records(self, postgres, schema):
        records = await postgres_records.make(postgres.address(schema=schema))
        yield records
        await records.close()

    @pytest.fixture
    def make_bus(self, records):
        return lambda: postgres_bus.make("", records=records)
