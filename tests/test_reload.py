"""A gateway that runs takes new settings without dropping a call, and shows its figures to who may see them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

SETTINGS = """
[strata]
tenant = "acme"
[models.small]
kind = "chat"
provider = "echo"
options = {{ script = {{ reply = "{reply}" }} }}
[[departments]]
id = "research"
name = "Research"
{more}
"""


class Site:
    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port, self.file = folder, port, folder / "strata.toml"
        self.url = f"http://127.0.0.1:{port}"
        self.environ = {**os.environ, "STRATA_HOME": str(folder / "home"), "STRATA_SETTINGS": str(self.file)}
        self.process: asyncio.subprocess.Process | None = None

    def write(self, reply: str, more: str = "") -> None:
        self.file.write_text(SETTINGS.format(reply=reply, more=more))

    async def run(self, *words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "strata", *words, env=self.environ, cwd=self.folder,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    async def start(self, *words: str) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "strata", "serve", "gateway", "reporting", "--port", str(self.port), *words,
            env=self.environ, cwd=self.folder, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with aiohttp.ClientSession() as session:
            while True:
                assert self.process.returncode is None
                try:
                    async with session.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)

    async def version(self, session: aiohttp.ClientSession) -> str:
        async with session.get(f"{self.url}/readyz") as answer:
            return (await answer.json())["settings"]


@pytest.fixture
async def site(tmp_path: Path, unused_port: int):
    here = Site(tmp_path, unused_port)
    yield here
    if here.process is not None and here.process.returncode is None:
        here.process.send_signal(signal.SIGTERM)
        await here.process.wait()


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


async def test_a_reload_changes_the_answers_and_a_mistake_changes_nothing(site: Site):
    site.write("old")
    code, key = await site.run("keys", "create", "ci", "--department", "research")
    assert code == 0
    key = key.strip().splitlines()[-1]
    await site.start()
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {key}"}) as session:

        async def said(model: str = "small") -> str:
            body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
            async with session.post(f"{site.url}/v1/chat/completions", json=body) as answer:
                return (await answer.json())["choices"][0]["message"]["content"]

        assert await said() == "old"
        before = await site.version(session)
        site.write("new")
        code, told = await site.run("reload")
        assert code == 0, told
        while await site.version(session) == before:
            await asyncio.sleep(0.05)
        assert await said() == "new"

        site.write("broken", '[models.other]\nkind = "chat"\nprovider = "nobody"')
        code, told = await site.run("reload")
        assert code != 0
        assert "nobody" in told
        assert site.process is not None
        site.process.send_signal(signal.SIGHUP)
        assert await said() == "new"

        async with session.get(f"{site.url}/metrics") as answer:
            assert answer.status == 200
            text = await answer.text()
        assert "gen_ai_client_operation_duration_seconds" in text
        async with session.get(f"{site.url}/metrics", headers={"x-forwarded-for": "10.1.2.3"}) as answer:
            assert answer.status == 403


async def test_figures_are_for_who_has_the_token(site: Site):
    site.write("x", '[serve]\nmetrics_token = "env:METRICS"')
    site.environ["METRICS"] = "a-long-token"
    await site.start()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{site.url}/metrics") as answer:
            assert answer.status == 401
        async with session.get(f"{site.url}/metrics", headers={"authorization": "Bearer a-long-token"}) as answer:
            assert answer.status == 200


async def test_where_nothing_runs_there_is_nothing_to_reload(site: Site):
    site.write("x")
    code, told = await site.run("reload")
    assert code != 0
    assert "no gateway runs" in told
