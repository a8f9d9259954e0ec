"""Every bus keeps the promise."""

import pytest

from strata.adapters.bus import memory as memory_bus
from strata.adapters.records import memory
from strata.testing.bus import BusPromise


class TestMemory(BusPromise):
    @pytest.fixture
    async def records(self):
        return await memory.make("")

    @pytest.fixture
    def make_bus(self, records):
        return lambda: memory_bus.make("", records=records)
