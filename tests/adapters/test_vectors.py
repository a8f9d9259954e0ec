"""Every store of vectors keeps the promise."""

import pytest

from strata.adapters.vectors import lancedb, memory
from strata.testing.vectors import VectorsPromise


class TestMemory(VectorsPromise):
    @pytest.fixture
    async def vectors(self):
        store = await memory.make("")
        yield store
        await store.close()


class TestLanceDB(VectorsPromise):
    @pytest.fixture
    async def vectors(self, tmp_path):
        store = await lancedb.make("vectors", home=tmp_path)
        yield store
        await store.close()
