"""A process of its own that writes to PostgreSQL records, to be killed or raced: `postgres_process.py MODE ADDRESS NAME`."""

import asyncio
import os
import sys

from strata.adapters.bus import postgres as postgres_bus
from strata.adapters.records import postgres
from strata.ports.records import Add, LimitReached, Put
from strata.testing.bus import received


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def write(address: str, name: str) -> None:
    """Commit records with events until killed, saying each that is acknowledged and each that is heard."""
    records = await postgres.make(address)
    bus = await postgres_bus.make(records=records)

    async def handler(events):
        for event in events:
            say(f"heard {event.document} {event.revision}")

    bus.subscribe("index", [type(received("x"))], handler)
    await bus.start()

    async def lane(document: str) -> None:
        for n in range(10**9):
            await records.commit(
                Put("acme/documents", f"{document}/{n:09}", {"n": n}),
                Add("acme/counts", document, "n", 1),
                Add("acme/counts", "shared", "n", 1),
                events=[received(document, n)],
            )
            say(f"done {document} {n}")

    await asyncio.gather(*(lane(f"{name}-{n}") for n in range(5)))


async def add(address: str, name: str) -> None:
    """Add to two counters that other processes add to as well, in an order of this process's own, two hundred times."""
    records = await postgres.make(address)
    counters = ["one", "two"] if hash(name[-1]) % 2 else ["two", "one"]

    async def once(n: int) -> bool:
        try:
            await records.commit(
                *(Add("acme/counts", counter, "n", 1, ceiling=250) for counter in counters),
                Put("acme/by", f"{name}/{n}", {}, version=0),
            )
        except LimitReached:
            return False
        return True

    done = 0
    for start in range(0, 200, 20):
        done += sum(await asyncio.gather(*(once(n) for n in range(start, start + 20))))
    await records.close()
    say(f"{done}")


if __name__ == "__main__":
    asyncio.run({"write": write, "add": add}[sys.argv[1]](sys.argv[2], sys.argv[3]))
