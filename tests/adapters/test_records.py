"""Every store of records keeps the promise."""

import pytest

from strata.adapters.records import memory
from strata.testing.records import RecordsPromise


class TestMemory(RecordsPromise):
    @pytest.fixture
    async def records(self):
        return await memory.make("")
