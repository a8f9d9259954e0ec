"""A process of its own that writes to a SQLite store, to be killed or raced: `sqlite_process.py MODE FOLDER NAME`."""

import asyncio
import os
import sys
from pathlib import Path

from strata.adapters.bus import sqlite as sqlite_bus
from strata.adapters.records import sqlite
from strata.ports.records import Add, LimitReached, Put
from strata.testing.bus import received


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def write(folder: Path, name: str) -> None:
    """Commit records with events until killed, saying each one that is acknowledged; a bus delivers into a file."""
    records = await sqlite.make("records.db", home=folder)
    bus = await sqlite_bus.make("", home=folder, records=records)
    heard = os.open(folder / "heard", os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    async def handler(events):
        os.write(heard, "".join(f"{event.document} {event.revision}\n" for event in events).encode())

    bus.subscribe("index", [type(received("x"))], handler)
    await bus.start()

    async def lane(document: str) -> None:
        for n in range(10**9):
            await records.commit(
                Put("acme/documents", f"{document}/{n:09}", {"n": n}),
                Add("acme/counts", document, "n", 1),
                events=[received(document, n)],
            )
            say(f"{document} {n}")

    await asyncio.gather(*(lane(f"{name}-{n}") for n in range(5)))


async def add(folder: Path, name: str) -> None:
    """Add to a counter that other processes add to as well, a hundred times."""
    records = await sqlite.make("records.db", home=folder)
    done = 0
    for n in range(100):
        try:
            await records.commit(Add("acme/counts", "shared", "n", 1, ceiling=250), Put("acme/by", f"{name}/{n}", {}))
            done += 1
        except LimitReached:
            pass
    await records.close()
    say(f"{done}")


if __name__ == "__main__":
    asyncio.run({"write": write, "add": add}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3]))
