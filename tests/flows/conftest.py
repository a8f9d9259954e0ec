"""A small company served for real: once by one process with all roles, once by five processes with one role each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from strata.access import Access
from strata.settings import ROLES, Settings, load
from strata.types import Principal
from strata.wiring import CONTRACTS, Platform, neighbour, open_signin

COMPANY = """
[strata]
tenant = "acme"
name = "Acme"
home = "{home}"

[serve]
port = {port}

[models.embedding]
kind = "embedding"
provider = "echo"
dimensions = 64
price = {{ input = "1.00" }}

[models.chat]
kind = "chat"
provider = "echo"
price = {{ input = "1.00", output = "2.00" }}

[[departments]]
id = "lab"
name = "Laboratory"

[[departments]]
id = "people"
name = "People"

[[people]]
id = "ada"
name = "Ada"
department = "lab"
roles = ["member", "editor"]

[[people]]
id = "hugo"
name = "Hugo"
department = "people"

[[people]]
id = "iris"
name = "Iris"
department = "people"
roles = ["member", "finance", "auditor"]

[[corpora]]
id = "methods"
name = "Methods"
department = "lab"

[[assistants]]
id = "lab"
name = "Lab assistant"
department = "lab"
mode = "extractive"
corpora = ["methods"]
users = ["lab", "people"]

[[assistants]]
id = "writer"
name = "Writing assistant"
department = "lab"
mode = "generative"
fallback = "extractive"
model = "chat"
corpora = ["methods"]
users = ["lab"]

[[budgets]]
id = "people-day"
name = "People, daily"
subject = "department:people"
limit = "0.002"
period = "day"
alarm_percent = 50

{remote}
"""

METHOD = """# Storage of reference standards

## Temperature

Reference standards of Kelvarin are stored at minus 20 degrees Celsius in the locked freezer of room 4.12.
The freezer is read twice a day, and a deviation of more than 3 degrees is reported to quality assurance within one hour.

## Shelf life

An opened vial is used for 14 days. After that it is destroyed and the destruction is entered in form QF-77.
"""


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


@dataclass
class Company:
    """The served company: its settings, its processes, and a way to talk to each layer as its neighbours do."""

    file: Path
    settings: Settings
    urls: dict[str, str]
    platform: Platform
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def person(self, name: str) -> Principal:
        (person,) = [person for person in self.settings.app.people if person.id == name]
        return person.principal("acme")

    async def sign_in_token(self, name: str) -> str:
        async with open_signin(self.settings) as door:
            return (await door.links([name]))[name]

    def start(self, name: str) -> None:
        roles = [] if name == "all" else [name]
        log = (self.settings.home.parent / f"{name}.log").open("ab")
        command = [sys.executable, "-m", "strata", "serve", *roles, "--settings", str(self.file)]
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    async def ready(self, name: str) -> None:
        url = self.urls["app" if name == "all" else name]
        for _ in range(600):
            if self.processes[name].poll() is not None:
                break
            with contextlib.suppress(OSError):
                await asyncio.to_thread(urllib.request.urlopen, f"{url}/healthz", None, 2)
                return
            await asyncio.sleep(0.05)
        log = (self.settings.home.parent / f"{name}.log").read_text()
        raise AssertionError(f"{name} did not start:\n{log}")

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


@pytest.fixture(params=["one process", "five processes"])
def split(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "five processes")


@pytest.fixture
async def company(split: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Company]:
    for name in [name for name in os.environ if name.startswith("STRATA_") and name != "STRATA_SHARED"]:
        monkeypatch.delenv(name)
    async with serving(split, tmp_path) as served:
        yield served


@contextlib.asynccontextmanager
async def serving(split: bool, folder: Path) -> AsyncIterator[Company]:
    """The company, ready to be asked; stopped with SIGTERM at the end."""
    ports = free_ports(len(ROLES) + 1)
    urls = {role: f"http://127.0.0.1:{port}" for role, port in zip(ROLES, ports, strict=False)}
    remote = "[remote]\n" + "\n".join(f'{role} = "{url}"' for role, url in urls.items()) if split else ""
    file = folder / "strata.toml"
    file.write_text(COMPANY.format(home=folder / "home", port=ports[-1], remote=remote))
    settings = load(file)
    if not split:
        urls = dict.fromkeys(ROLES, settings.url)
    platform = Platform(settings, (), Access.of(settings.policies))
    async with contextlib.AsyncExitStack() as stack:
        for role in CONTRACTS:
            platform.layers[role] = neighbour(settings, role, urls[role], "flow-test", stack)
        served = Company(file, settings, urls, platform)
        stack.callback(served.stop)
        names = list(ROLES) if split else ["all"]
        for name in names:
            served.start(name)
        for name in names:
            await served.ready(name)
        yield served


@pytest.fixture
def method() -> bytes:
    return METHOD.encode()


@pytest.fixture
def eventually() -> Iterator[object]:
    async def wait(question, seconds: float = 30.0):
        """Ask again until the answer is truthy; facts take a moment to be heard."""
        last = None
        for _ in range(int(seconds / 0.1)):
            last = await question()
            if last:
                return last
            await asyncio.sleep(0.1)
        raise AssertionError(f"it never came true; the last answer was {last!r}")

    yield wait
