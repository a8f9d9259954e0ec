"""Calls a second that a store of records can reserve and settle, each synced to disk.

    .venv/bin/python bench/records.py [ADDRESS ...]

An address is what stands in the settings: `postgres://user@host/database`; without one it measures SQLite in a temporary
folder. Each call is two commits as the gateway makes them: a reservation under two budgets' ceilings, then a settlement
with its event. `writers` are openings of the store in this process, as several workers would have.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from strata import plugins
from strata.events import DocumentReceived
from strata.ports.records import Add, Delete, Put

SECONDS = 3.0
ROUNDS = ((1, 1), (1, 16), (1, 128), (3, 128))


async def main(addresses: list[str]) -> None:
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for address in addresses:
            scheme, rest = plugins.split(address)
            module = plugins.find("records", scheme)
            run = secrets.token_hex(4)
            place = module.completed(rest).replace("{layer}", f"bench_{run}") if hasattr(module, "completed") else rest
            for writers, clients in ROUNDS:
                stores = [await module.make(place, home=Path(folder)) for _ in range(writers)]
                print(f"{scheme}: {writers} writers, {clients} clients …", file=sys.stderr)
                results.append(
                    {"store": scheme, "writers": writers, "clients": clients} | await measure(stores, clients)
                )
                for store in stores:
                    await store.close()
    print(json.dumps({"seconds": SECONDS, "rounds": results}))


async def measure(stores, clients):
    latencies: list[float] = []
    run, end = secrets.token_hex(4), time.monotonic() + SECONDS
    before = time.process_time()

    async def client(n):
        store, department, call = stores[n % len(stores)], f"department-{n % 7}", 0
        while time.monotonic() < end:
            key, call = f"{run}-{n}-{call}", call + 1
            started = time.perf_counter()
            await store.commit(
                Put("acme/reservations", key, {"payer": department, "text": "x" * 300}, version=0),
                Add("acme/budgets", "tenant", "held", 10, ceiling=10**12),
                Add("acme/budgets", department, "held", 10, ceiling=10**12),
            )
            latencies.append(time.perf_counter() - started)
            await store.commit(
                Put("acme/calls", key, {"payer": department, "text": "x" * 300}, version=0),
                Delete("acme/reservations", key),
                Add("acme/budgets", "tenant", "held", -5),
                Add("acme/budgets", "tenant", "spent", 5),
                Add("acme/budgets", department, "held", -5),
                Add("acme/budgets", department, "spent", 5),
                events=[
                    DocumentReceived(
                        tenant="acme", actor="bench", document=department, corpus="x", revision=call, content="x"
                    )
                ],
            )

    await asyncio.gather(*(client(n) for n in range(clients)))
    latencies.sort()
    return {
        "calls_per_second": round(len(latencies) / SECONDS),
        "reserve_p50_ms": round(latencies[len(latencies) // 2] * 1000, 1),
        "reserve_p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 1),
        "cpu_ms_per_call": round((time.process_time() - before) / len(latencies) * 1000, 3),
    }


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:] or ["sqlite:records.db"]))
