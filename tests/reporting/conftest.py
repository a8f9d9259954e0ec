"""A ledger over memory stores, the people who use it, and facts to tell it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strata.access import Access
from strata.adapters.analytics import memory as analytics_memory
from strata.adapters.records import memory as records_memory
from strata.events import Event, SessionDeleted, UsageRecorded
from strata.reporting.build import build
from strata.reporting.ledger import LedgerBook
from strata.reporting.options import Options
from strata.types import Principal, Subject, Usage

KEY = b"0123456789abcdef0123456789abcdef"


class People:
    layer = Principal("acme", "app", kind="service", roles=frozenset({"layer"}))
    operator = Principal("acme", "cli", kind="service", roles=frozenset({"operator"}))
    finance = Principal("acme", "fay", "Fay", "finance", roles=frozenset({"member", "finance"}))
    auditor = Principal("acme", "aud", "Aud", "quality", roles=frozenset({"member", "auditor"}))
    researcher = Principal("acme", "rae", "Rae", "research", roles=frozenset({"member"}))


@dataclass
class Bench:
    """A ledger with the stores below it, so that it can be closed and opened again over them."""

    ledger: LedgerBook
    records: Any
    analytics: Any
    home: Path
    options: Options

    @property
    def witness(self) -> Path:
        return self.home / self.options.witness

    async def again(self, **changes: Any) -> LedgerBook:
        """Another ledger over the same stores."""
        return await build(
            replace(self.options, **changes),
            tenant="acme",
            records=self.records,
            analytics=self.analytics,
            access=access(),
            key=KEY,
            home=self.home,
        )


def access() -> Access:
    return Access.of((files("strata") / "policies" / "strata.cedar").read_text())


async def open_bench(home: Path, options: Options) -> Bench:
    records, analytics = await records_memory.make(), await analytics_memory.make()
    bench = Bench(None, records, analytics, home, options)  # type: ignore[arg-type]
    bench.ledger = await bench.again()
    return bench


def told(*events: Event) -> list[dict[str, Any]]:
    """Facts as they travel between layers."""
    return [msgspec.to_builtins({"kind": event.kind, "event": event}) for event in events]


def deleted(number: int = 0, **more: Any) -> SessionDeleted:
    """A small audited fact."""
    return SessionDeleted(tenant="acme", actor="rae", session=f"ses_{number}", assistant="lab", **more)


def used(cost: int = 1000, department: str = "research", person: str = "rae", **more: Any) -> UsageRecorded:
    """A call that cost this many micro-units."""
    fields: dict[str, Any] = {
        "tenant": "acme",
        "actor": person,
        "request": "req_1",
        "payer": Subject("acme", department, person, "lab"),
        "model": "small",
        "provider": "echo",
        "operation": "chat",
        "usage": Usage(10, 5),
        "cost_micros": cost,
        "currency": "USD",
        "outcome": "ok",
        "duration_ms": 12,
    }
    return UsageRecorded(**{**fields, **more})


class Facts:
    told = staticmethod(told)
    deleted = staticmethod(deleted)
    used = staticmethod(used)


@dataclass(frozen=True)
class Export:
    """An exported record of 40 entries, fully covered by checkpoints, and what verifies it."""

    log: tuple[bytes, ...]
    witness: tuple[bytes, ...]
    public_key: bytes


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture(scope="session")
def facts() -> Facts:
    return Facts()


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Bench]]]:
    """Opens ledgers with options; all are closed afterwards."""
    benches: list[Bench] = []

    async def make(**options: Any) -> Bench:
        bench = await open_bench(tmp_path, Options(**options))
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        await bench.ledger.close()


@pytest.fixture
async def bench(opened: Callable[..., Awaitable[Bench]]) -> Bench:
    return await opened()


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Export:
    async def make() -> Export:
        bench = await open_bench(tmp_path_factory.mktemp("record"), Options(checkpoint_entries=10))
        when = datetime(2026, 11, 22, 12, tzinfo=UTC)
        for number in range(40):
            event = deleted(number, at=when.replace(minute=number))
            await bench.ledger.hear(People().layer, told(event))
        await bench.ledger.close()
        log = tuple([line async for line in bench.ledger.export_audit(People().auditor)])
        return Export(log, tuple(bench.witness.read_bytes().splitlines()), bench.ledger.public_key)

    return asyncio.run(make())
