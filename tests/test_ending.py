"""A gateway that is told to end lets what is under way finish, takes nothing new, and pays for all of it."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import aiohttp
import pytest
from tests.test_reload import Site, unused_port  # noqa: F401 - a fixture

from strata.adapters.records.sqlite import make as sqlite_records

SLOW = """
[models.slow]
kind = "chat"
provider = "echo"
price = { request = "0.01" }
options = { script = { chunks = ["a ", "b ", "c ", "d ", "e"], delay = 0.2 } }
[[budgets]]
id = "all"
name = "All"
subject = "tenant"
limit = "1.00"
"""


@pytest.fixture
async def site(tmp_path: Path, unused_port: int):  # noqa: F811 - the fixture
    here = Site(tmp_path, unused_port)
    here.write("x", SLOW)
    yield here
    if here.process is not None and here.process.returncode is None:
        here.process.kill()
        await here.process.wait()


async def test_a_stream_under_way_is_told_to_its_end_and_paid_and_nothing_new_is_taken(site: Site):
    _, said = await site.run("keys", "create", "ci", "--department", "research")
    key = said.strip().splitlines()[-1]
    await site.start()
    assert site.process is not None
    body = {"model": "slow", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with (
        aiohttp.ClientSession(headers={"authorization": f"Bearer {key}"}) as session,
        session.post(f"{site.url}/v1/chat/completions", json=body) as answer,
    ):
        text, lines = "", []
        async for line in answer.content:
            lines.append(line)
            if line.startswith(b"data: {"):
                text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
            if text == "a ":
                site.process.send_signal(signal.SIGTERM)
                await refused(site)
                text += "| "
        assert text == "a | b c d e"
        assert b"data: [DONE]\n" in lines
    assert await site.process.wait() == 0
    records = await sqlite_records("records/gateway.db", home=site.folder / "home")
    (counter,) = await records.query("acme/budgets")
    assert counter.value == {"held": 10_000, "spent": 10_000}
    assert await records.query("acme/reservations") == []
    await records.close()


async def refused(site: Site) -> None:
    """Wait until nobody listens any more."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        except ConnectionError:
            return
        writer.close()
        await asyncio.sleep(0.02)
