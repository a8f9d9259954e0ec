"""Every store of vectors keeps the promise."""

import pytest

from strata.adapters.vectors import memory
from strata.testing.vectors import VectorsPromise


class TestMemory(VectorsPromise):
    @pytest.fixture
    async def vectors(self):
        store = await memory.make("")
        yield store
        await store.close()
