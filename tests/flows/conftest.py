"""A small company served for real: once by one process with all roles, once by five processes with one role each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
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

[[departments]]
id = "visitors"
name = "Visitors"

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
id = "nina"
name = "Nina"
department = "visitors"

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
id = "visitors-day"
name = "Visitors, daily"
subject = "department:visitors"
limit = "0.002"
period = "day"
alarm_percent = 50

{remote}
"""

METHOD = """# Storage of {substance} standards

## Temperature

Reference standards of {substance} are stored at minus 20 degrees Celsius in the locked freezer of room 4.12.
The freezer is read twice a day, and a deviation of more than 3 degrees is reported to quality assurance within one hour.

## Shelf life

An opened vial of {substance} is used for 14 days. After that it is destroyed and the destruction is entered in form QF-77.
"""


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


@dataclass
class Company:
    """The served company and a way to talk to each layer as its neighbours do. Every test has a substance of its own."""

    served: Served
    platform: Platform
    substance: str

    @property
    def urls(self) -> dict[str, str]:
        return self.served.urls

    @property
    def method(self) -> bytes:
        return METHOD.format(substance=self.substance).encode()

    @property
    def source(self) -> str:
        return f"{self.substance}/storage.md"

    @property
    def question(self) -> str:
        return f"At what temperature are reference standards of {self.substance} stored?"

    def person(self, name: str) -> Principal:
        (person,) = [person for person in self.served.settings.app.people if person.id == name]
        return person.principal("acme")

    async def sign_in_token(self, name: str) -> str:
        async with open_signin(self.served.settings) as door:
            return (await door.links([name]))[name]


@dataclass
class Served:
    """The running processes of a company."""

    file: Path
    settings: Settings
    urls: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        roles = [] if name == "all" else [name]
        command = [sys.executable, "-m", "strata", "serve", *roles, "--settings", str(self.file)]
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment())

    def ready(self, name: str) -> None:
        url = self.urls["app" if name == "all" else name]
        for _ in range(1200):
            if self.processes[name].poll() is not None:
                break
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/healthz", None, 5)
                return
            time.sleep(0.05)
        raise AssertionError(f"{name} did not start:\n{self.log(name).read_text()}")

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()

    def log(self, name: str) -> Path:
        return self.settings.home.parent / f"{name}.log"


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("STRATA_")}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("one process", marks=pytest.mark.xdist_group("one process")),
        pytest.param("five processes", marks=pytest.mark.xdist_group("five processes")),
    ],
)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The company's processes, shared by the tests of a module; stopped with SIGTERM at the end."""
    split, folder = request.param == "five processes", tmp_path_factory.mktemp("company")
    ports = free_ports(len(ROLES) + 1)
    urls = {role: f"http://127.0.0.1:{port}" for role, port in zip(ROLES, ports, strict=False)}
    remote = "[remote]\n" + "\n".join(f'{role} = "{url}"' for role, url in urls.items()) if split else ""
    file = folder / "strata.toml"
    file.write_text(COMPANY.format(home=folder / "home", port=ports[-1], remote=remote))
    settings = load(file, environment())
    running = Served(file, settings, dict(urls) if split else dict.fromkeys(ROLES, settings.url))
    names = list(ROLES) if split else ["all"]
    try:
        for name in names:
            running.start(name)
        for name in names:
            running.ready(name)
        yield running
    finally:
        running.stop()


@pytest.fixture
async def company(served: Served) -> AsyncIterator[Company]:
    """The company as a neighbour sees it, over the same doors whether they are in one process or in five."""
    platform = Platform(served.settings, (), Access.of(served.settings.policies))
    async with contextlib.AsyncExitStack() as stack:
        for role in CONTRACTS:
            platform.layers[role] = neighbour(served.settings, role, served.urls[role], "flow-test", stack)
        yield Company(served, platform, f"Kelvarin{secrets.token_hex(3)}")


@pytest.fixture
def eventually() -> object:
    async def wait(question, seconds: float = 60.0):
        """Ask again until the answer is truthy; facts take a moment to be heard."""
        last = None
        for _ in range(int(seconds / 0.1)):
            last = await question()
            if last:
                return last
            await asyncio.sleep(0.1)
        raise AssertionError(f"it never came true; the last answer was {last!r}")

    return wait
