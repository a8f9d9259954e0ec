"""Every store of graph keeps the promise."""

import pytest

from strata.adapters.graph import memory
from strata.testing.graph import GraphPromise


class TestMemory(GraphPromise):
    @pytest.fixture
    async def graph(self):
        store = await memory.make("")
        yield store
        await store.close()
