"""A gateway over memory records with echo models, a bus that shows its facts, and its door on a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import aiohttp
import pytest
import uvicorn

from strata.access import Access
from strata.adapters.bus.memory import MemoryBus
from strata.adapters.records.memory import MemoryRecords
from strata.events import (
    CallRefused,
    Event,
    GuardrailActed,
    KeyCreated,
    KeyRevoked,
    TranscriptRead,
    TranscriptsErased,
    UsageRecorded,
)
from strata.gateway.build import build
from strata.gateway.door.http import app
from strata.gateway.gateway import ModelGateway
from strata.gateway.options import Deployment, Options
from strata.testing.vendor import MockVendor
from strata.types import Budget, Money, Price, Principal

TENANT = "cryodyne"
PRICE = Price(input=1_000_000, output=2_000_000)
"""One micro-unit a prompt token and two a completion token: costs can be read off."""

INES = Principal(TENANT, "ines", "Ines", "research", roles=frozenset({"member"}))
FINANCE = Principal(TENANT, "fred", "Fred", "finance", roles=frozenset({"member", "finance"}))
OPERATOR = Principal(TENANT, "cli", kind="service", roles=frozenset({"operator"}))


def access() -> Access:
    return Access.of((files("strata") / "policies" / "strata.cedar").read_text())


def echo(name: str = "echo", price: Price = PRICE, kind: Any = "chat", **script: Any) -> Deployment:
    return Deployment(name, kind, "echo", price=price, options={"script": script})


def budget(limit: int, subject: str = "tenant", id: str = "all", **more: Any) -> Budget:
    return Budget(id, f"the {id} budget", subject, Money(limit), **more)


@dataclass
class World:
    """A gateway and everything around it that a test looks at."""

    gateway: ModelGateway
    records: Any
    events: list[Event] = field(default_factory=list)
    bus: MemoryBus | None = None

    async def facts(self, kind: type[Event] = UsageRecorded) -> list[Any]:
        await self.gateway.settled()
        assert self.bus is not None
        await self.bus.drain()
        return [event for event in self.events if isinstance(event, kind)]

    async def standing(self, id: str = "all") -> tuple[int, int]:
        """A budget's spent and reserved micro-units."""
        await self.gateway.settled()
        status = next(it for it in await self.gateway.till.spend.status() if it.budget.id == id)
        return status.spent, status.reserved

    async def key(self, **more: Any) -> str:
        _, plain = await self.gateway.keys.create(OPERATOR, "ci", **{"owner": "ines", "department": "research", **more})
        return plain

    def echo(self, name: str = "echo") -> Any:
        return self.gateway.router.routes[name].provider


@asynccontextmanager
async def world(*models: Deployment, budgets: tuple[Budget, ...] = (), **more: Any) -> AsyncIterator[World]:
    records = MemoryRecords()
    bus = MemoryBus(records)
    options = Options(models=models or (echo(),), budgets=budgets, **more)
    found: list[Event] = []

    async def hear(events: Any) -> None:
        found.extend(events)

    bus.subscribe(
        "test",
        (UsageRecorded, CallRefused, GuardrailActed, KeyCreated, KeyRevoked, TranscriptRead, TranscriptsErased),
        hear,
    )
    await bus.start()
    gateway = await build(options, tenant=TENANT, records=records, access=access())
    try:
        yield World(gateway, records, found, bus)
    finally:
        await gateway.close()
        await bus.close()


@dataclass
class Doorway:
    """The door on a real socket, and a client of it."""

    world: World
    url: str
    session: aiohttp.ClientSession
    key: str

    async def post(self, path: str, body: Any, key: str | None = None, **headers: str) -> aiohttp.ClientResponse:
        own = {"authorization": f"Bearer {self.key if key is None else key}", **headers}
        answer = await self.session.post(self.url + path, json=body, headers=own)
        await answer.read()
        return answer

    async def chat(self, text: str = "hello there", *, key: str | None = None, **more: Any) -> aiohttp.ClientResponse:
        headers = more.pop("headers", {})
        body = {"model": "echo", "messages": [{"role": "user", "content": text}], **more}
        return await self.post("/v1/chat/completions", body, key, **headers)


@asynccontextmanager
async def served(application: Any) -> AsyncIterator[str]:
    """An ASGI application on a socket of this machine; yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, lifespan="off", log_level="error", access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


@asynccontextmanager
async def doorway(*models: Deployment, **more: Any) -> AsyncIterator[Doorway]:
    async with (
        world(*models, **more) as around,
        served(app(around.gateway)) as url,
        aiohttp.ClientSession() as session,
    ):
        yield Doorway(around, url, session, await around.key())


def at(vendor: MockVendor, script: str = "mock", name: str = "echo", **more: Any) -> Deployment:
    """A deployment at the mock vendor, which does what the script says."""
    options = {"base_url": vendor.base_url, "api_key": "sk-vendor", **more.pop("options", {})}
    return Deployment(name, more.pop("kind", "chat"), "openai", script, price=PRICE, options=options, **more)


@pytest.fixture
async def vendor() -> AsyncIterator[MockVendor]:
    async with MockVendor() as running:
        yield running
