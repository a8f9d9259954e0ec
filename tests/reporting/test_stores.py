"""The ledger over stores on disk: several processes at once, and a process that is killed."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from importlib.resources import files

import msgspec
import pytest

from strata.access import Access
from strata.adapters.analytics import memory as analytics_memory
from strata.adapters.records import sqlite as records_sqlite
from strata.reporting.build import build
from strata.reporting.options import Options
from strata.types import Budget, Money

BUDGET = Budget("all", "All", "tenant", Money(10**9))

TELLER = """
    import asyncio, sys
    from importlib.resources import files
    from pathlib import Path
    import msgspec
    from strata.access import Access
    from strata.adapters.analytics import memory as analytics
    from strata.adapters.records import sqlite
    from strata.reporting.build import build
    from strata.reporting.options import Options
    from strata.types import Budget, Money, Principal

    async def main(home, batches):
        ledger = await build(
            Options(budgets=(Budget("all", "All", "tenant", Money(10**9)),)),
            tenant="acme",
            records=await sqlite.make("reporting.db", home=home),
            analytics=await analytics.make(),
            access=Access.of((files("strata") / "policies" / "strata.cedar").read_text()),
            key=b"k" * 32,
            home=home,
        )
        layer = Principal("acme", "app", kind="service", roles=frozenset({"layer"}))
        for batch in batches:
            await ledger.hear(layer, batch)
            print("heard", flush=True)
        await ledger.close()

    asyncio.run(main(Path(sys.argv[1]), msgspec.json.decode(Path(sys.argv[2]).read_bytes())))
"""


async def start_teller(home, name, batches):
    """A process of its own that tells these batches of facts, and prints a line after each."""
    (home / name).write_bytes(msgspec.json.encode(batches))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(TELLER), str(home), str(home / name), stdout=asyncio.subprocess.PIPE
    )


@pytest.fixture
async def reopened(tmp_path):
    """Opens the ledger on disk in this process."""
    opened = []

    async def make():
        records = await records_sqlite.make("reporting.db", home=tmp_path)
        ledger = await build(
            Options(budgets=(BUDGET,)),
            tenant="acme",
            records=records,
            analytics=await analytics_memory.make(),
            access=Access.of((files("strata") / "policies" / "strata.cedar").read_text()),
            key=b"k" * 32,
            home=tmp_path,
        )
        opened.extend([ledger, records])
        return ledger

    yield make
    for thing in opened:
        await thing.close()


async def test_a_process_killed_while_it_hears_loses_and_doubles_nothing(tmp_path, reopened, people, facts):
    batches = [facts.told(facts.deleted(number), facts.used(1)) for number in range(300)]
    teller = await start_teller(tmp_path, "facts.json", batches)
    for _ in range(20):
        assert await teller.stdout.readline() == b"heard\n"
    teller.kill()
    await teller.wait()
    ledger = await reopened()
    verdict = await ledger.verify(people.auditor)
    assert verdict.problems == ()
    assert verdict.entries >= 20
    for batch in batches:
        await ledger.hear(people.layer, batch)
    verdict = await ledger.verify(people.auditor)
    assert (verdict.entries, verdict.problems) == (300, ())
    (status,) = await ledger.budgets(people.finance)
    assert status.spent == 300


async def test_two_processes_make_one_chain(tmp_path, reopened, people, facts):
    shared = [facts.told(facts.deleted(number), facts.used(1)) for number in range(40)]
    own = [[facts.told(facts.deleted(number), facts.used(1)) for number in range(40)] for _ in range(2)]
    mixed = [[batch for pair in zip(mine, shared, strict=True) for batch in pair] for mine in own]
    tellers = [await start_teller(tmp_path, f"facts-{number}.json", batches) for number, batches in enumerate(mixed)]
    for teller in tellers:
        await teller.communicate()
        assert teller.returncode == 0
    ledger = await reopened()
    verdict = await ledger.verify(people.auditor)
    assert (verdict.entries, verdict.problems) == (120, ())
    (status,) = await ledger.budgets(people.finance)
    assert status.spent == 120
