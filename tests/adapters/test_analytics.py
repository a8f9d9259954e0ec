"""Every store of analytics keeps the promise."""

import pytest

from strata.adapters.analytics import memory
from strata.testing.analytics import AnalyticsPromise


class TestMemory(AnalyticsPromise):
    @pytest.fixture
    async def analytics(self):
        store = await memory.make("")
        yield store
        await store.close()
