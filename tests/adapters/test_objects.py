"""Every store of objects keeps the promise."""

import pytest

from strata.adapters.objects import memory
from strata.testing.objects import ObjectsPromise


class TestMemory(ObjectsPromise):
    @pytest.fixture
    async def objects(self):
        return await memory.make("")
