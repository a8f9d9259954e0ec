"""What SQLite records and their bus hold beyond the promise: several processes, kill -9, a full disk, a failed sync."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from strata.adapters.bus import _subscription
from strata.adapters.bus import memory as memory_bus
from strata.adapters.bus import sqlite as sqlite_bus
from strata.adapters.records import memory, sqlite
from strata.errors import Conflict, Misconfigured, Unavailable
from strata.events import DocumentReceived
from strata.ports.records import Add, Delete, Put
from strata.testing.bus import Listener, received, until

PROCESS = Path(__file__).with_name("sqlite_process.py")
HOME = "acme/things"


@pytest.fixture
async def records(tmp_path):
    records = await sqlite.make("records.db", home=tmp_path)
    yield records
    await records.close()


def started(mode, folder, name):
    return subprocess.Popen([sys.executable, PROCESS, mode, folder, name], stdout=subprocess.PIPE, text=True)


async def test_records_are_still_there_after_the_next_opening(tmp_path):
    first = await sqlite.make("deep/er/records.db", home=tmp_path)
    await first.commit(Put(HOME, "a", {"n": 1}))
    await first.close()
    await first.close()
    with pytest.raises(Unavailable):
        await first.commit(Put(HOME, "a", {"n": 2}))
    with pytest.raises(Unavailable):
        await first.get(HOME, "a")
    second = await sqlite.make("deep/er/records.db", home=tmp_path)
    assert [record.value for record in await second.query(HOME)] == [{"n": 1}]
    await second.close()


async def test_commits_that_were_waiting_when_closed_are_done(tmp_path):
    first = await sqlite.make("records.db", home=tmp_path)
    commits = [asyncio.create_task(first.commit(Put(HOME, f"{n}", {}))) for n in range(500)]
    await asyncio.sleep(0)
    await first.close()
    await asyncio.gather(*commits)
    second = await sqlite.make("records.db", home=tmp_path)
    assert len(await second.query(HOME)) == 500
    await second.close()


async def test_a_waiter_that_leaves_does_not_disturb_the_others(records):
    first, second = (asyncio.create_task(records.commit(Put(HOME, key, {}))) for key in "ab")
    await asyncio.sleep(0)
    first.cancel()
    await second
    await records.commit(Put(HOME, "c", {}))
    assert {"b", "c"} <= {record.key for record in await records.query(HOME)}


async def test_many_commits_at_once_share_their_syncs(records):
    statements = []
    records._writer.set_trace_callback(statements.append)
    await asyncio.gather(*(records.commit(Put(HOME, f"{n}", {})) for n in range(200)))
    assert statements.count("COMMIT") <= 4
    assert len(await records.query(HOME)) == 200


async def test_two_openings_of_one_file_keep_conditions(records, tmp_path):
    other = await sqlite.make("records.db", home=tmp_path)
    await records.commit(Put(HOME, "a", {"n": 1}, version=0))
    with pytest.raises(Conflict):
        await other.commit(Put(HOME, "a", {"n": 2}, version=0))
    await other.commit(Put(HOME, "a", {"n": 2}, version=1))
    found = await records.get(HOME, "a")
    assert (found.value, found.version) == ({"n": 2}, 2)
    outcomes = await asyncio.gather(
        *(store.commit(Add(HOME, "b", "n", 1)) for _ in range(50) for store in (records, other))
    )
    assert len(outcomes) == 100
    assert (await other.get(HOME, "b")).value == {"n": 100}
    await other.close()


def test_processes_that_race_never_pass_a_ceiling(tmp_path):
    racers = [started("add", tmp_path, f"p{n}") for n in range(4)]
    done = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sum(done) == 250
    with sqlite3.connect(tmp_path / "records.db") as connection:
        (rows,) = connection.execute("SELECT count(*) FROM record WHERE partition = 'acme/by'").fetchone()
    assert rows == 250


async def test_nothing_acknowledged_is_lost_by_kill_9_and_events_come_again_in_order(tmp_path):
    rng = random.Random(5)
    acknowledged: dict[str, int] = {}
    for life in range(4):
        process = started("write", tmp_path, f"life{life}")
        for _ in range(rng.randrange(20, 400)):
            document, n = process.stdout.readline().split()
            acknowledged[document] = int(n)
        os.kill(process.pid, signal.SIGKILL)
        rest = process.communicate()[0].splitlines()
        for line in rest:
            document, n = line.split()
            acknowledged[document] = int(n)

    records = await sqlite.make("records.db", home=tmp_path)
    for document, last in acknowledged.items():
        found = await records.query("acme/documents", f"{document}/", limit=10**6)
        assert [record.value["n"] for record in found] == list(range(len(found)))
        assert len(found) >= last + 1
        assert (await records.get("acme/counts", document)).value == {"n": len(found)}

    bus, listener = await sqlite_bus.make("", records=records), Listener()
    bus.subscribe("index", [DocumentReceived], listener)
    await bus.start()
    await bus.drain()
    heard = defaultdict(list)
    for line in (tmp_path / "heard").read_text().splitlines():
        document, n = line.split()
        heard[document].append(int(n))
    for document, last in acknowledged.items():
        both = heard[document] + listener.revisions(document)
        firsts = list(dict.fromkeys(both))
        assert firsts == list(range(len(firsts)))
        assert len(firsts) >= last + 1
    await bus.close()
    await records.close()


async def test_a_commit_on_a_full_disk_says_so_and_leaves_nothing_half_done(records):
    records._writer.execute("PRAGMA max_page_count = 40")
    done = []
    with pytest.raises(Unavailable, match="disk is full"):
        for n in range(1000):
            await records.commit(Put(HOME, f"{n:04}", {"x": "y" * 3000}), Put("acme/index", f"{n:04}", {}))
            done.append(n)
    assert len(done) > 5
    assert len(await records.query(HOME)) == len(await records.query("acme/index")) == len(done)
    records._writer.execute("PRAGMA max_page_count = 100000")
    await records.commit(Put(HOME, "room", {"x": "y" * 3000}))
    assert await records.get(HOME, "room") is not None


async def test_a_volume_that_runs_full_loses_nothing_acknowledged(small_disk):
    records = await sqlite.make("records.db", home=small_disk)
    done = 0
    with pytest.raises(Unavailable, match="disk is full"):
        for n in range(5000):
            await records.commit(Put(HOME, f"{n:06}", {"x": "y" * 500}), Put("acme/index", f"{n:06}", {}))
            done += 1
    await records.close()
    with sqlite3.connect(small_disk / "records.db") as connection:
        counts = dict(connection.execute("SELECT partition, count(*) FROM record GROUP BY partition"))
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert counts == {HOME: done, "acme/index": done}
    assert done > 10


class FailingSync:
    """A connection whose COMMIT fails as SQLite reports a sync that the disk refused."""

    def __init__(self, connection):
        self.connection = connection

    def __getattr__(self, name):
        return getattr(self.connection, name)

    def execute(self, sql, *parameters):
        if sql == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return self.connection.execute(sql, *parameters)


async def test_after_a_failed_sync_nothing_is_acknowledged_until_reopened(records, tmp_path):
    await records.commit(Put(HOME, "before", {}))
    whole = records._writer
    records._writer = FailingSync(whole)
    outcomes = await asyncio.gather(*(records.commit(Put(HOME, f"{n}", {})) for n in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    records._writer = whole
    with pytest.raises(Unavailable, match="until it is opened again"):
        await records.commit(Put(HOME, "after", {}))
    assert [record.key for record in await records.query(HOME)] == ["before"]
    again = await sqlite.make("records.db", home=tmp_path)
    await again.commit(Put(HOME, "after", {}))
    await again.close()


async def test_a_deleted_value_is_not_left_in_the_files(tmp_path):
    records = await sqlite.make("records.db", home=tmp_path)
    await records.commit(Put(HOME, "a", {"secret": "canary-7f3a"}))
    await records.commit(*(Put(HOME, f"{n}", {}) for n in range(50)))
    await records.commit(Put(HOME, "a", {"secret": "-"}))
    await records.close()
    assert not [path for path in tmp_path.iterdir() if b"canary-7f3a" in path.read_bytes()]


async def test_settings_and_files_that_do_not_fit_are_told_clearly(tmp_path):
    with pytest.raises(Misconfigured, match="durable"):
        await sqlite.make("records.db?durable=maybe", home=tmp_path)
    with pytest.raises(Misconfigured, match="durable"):
        await sqlite.make("records.db?speed=high", home=tmp_path)
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(Unavailable, match="letter"):
        await sqlite.make("letter.txt", home=tmp_path)
    with sqlite3.connect(tmp_path / "future.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(Misconfigured, match="newer"):
        await sqlite.make("future.db", home=tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unavailable, match="folder"):
        await sqlite.make("folder", home=tmp_path)
    lax = await sqlite.make("lax.db?durable=false", home=tmp_path)
    assert lax._writer.execute("PRAGMA synchronous").fetchone() == (1,)
    assert lax._writer.execute("PRAGMA secure_delete").fetchone() == (1,)
    await lax.close()
    with pytest.raises(Misconfigured):
        await sqlite_bus.make("", records=await memory.make())
    with pytest.raises(Misconfigured):
        await memory_bus.make("", records=lax)


async def test_many_rebuildable_commits_pass_their_checkpoints(tmp_path):
    records = await sqlite.make("lax.db", home=tmp_path, durable=False)
    for n in range(2 * sqlite.PAGES_PER_CHECKPOINT + 10):
        await records.commit(Put(HOME, f"{n % 50}", {"n": n, "pad": "x" * 3000}))
    assert (tmp_path / "lax.db-wal").stat().st_size < 3 * sqlite.PAGES_PER_CHECKPOINT * 4096
    await records.close()


async def test_what_need_not_survive_a_power_cut_is_not_synced_by_itself_but_with_the_next_that_must(records):
    statements = []
    records._writer.set_trace_callback(statements.append)
    await records.commit(Put(HOME, "a", {}, version=0), durable=False)
    assert any("synchronous = NORMAL" in statement for statement in statements)
    await records.commit(Put(HOME, "b", {}, version=0))
    assert any("synchronous = FULL" in statement for statement in statements)
    assert await records.query(HOME, limit=5) == [await records.get(HOME, key) for key in "ab"]
    assert records._writer.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_commits_of_one_moment_are_judged_as_if_one_came_after_the_other(records):
    """Each is right or wrong by itself, whatever the others of its transaction say of the same place."""
    await records.commit(Put(HOME, "a", {"n": 1}), Put(HOME, "b", {"n": 1}))
    outcomes = await asyncio.gather(
        records.commit(Put(HOME, "a", {"n": 9}, version=0), Add(HOME, "x", "n", 2, ceiling=1)),
        records.commit(Put(HOME, "a", {"n": 2}, version=1)),
        records.commit(Put(HOME, "b", {"n": 9}, version=0)),
        records.commit(Delete(HOME, "b")),
        records.commit(Delete(HOME, "c", version=3), Add(HOME, "x", "n", 2, ceiling=1)),
        records.commit(Put(HOME, "c", {"n": 3}, version=0)),
        records.commit(Delete(HOME, "c", version=1)),
        records.commit(Put(HOME, "c", {"n": 4}, version=0)),
        records.commit(Delete(HOME, "gone", version=1)),
        return_exceptions=True,
    )
    refused = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Exception)]
    assert refused == [0, 2, 4, 8]
    assert {record.key: record.value["n"] for record in await records.query(HOME)} == {"a": 2, "c": 4}


async def test_one_process_delivers_and_another_takes_over_when_it_ends(records, tmp_path):
    other = await sqlite.make("records.db", home=tmp_path)
    first, second = await sqlite_bus.make("", records=records), await sqlite_bus.make("", records=other)
    leading, standing_by = Listener(), Listener()
    first.subscribe("index", [DocumentReceived], leading)
    await first.start()
    await other.commit(events=[received("a", 1)])
    second.subscribe("index", [DocumentReceived], standing_by)
    await second.start()
    await other.commit(events=[received("a", 2)])
    await second.drain()
    assert leading.revisions("a") == [1, 2]
    assert standing_by.revisions("a") == []
    await first.close()
    await records.commit(events=[received("a", 3)])
    await second.drain()
    assert standing_by.revisions("a") == [3]
    await second.close()
    await other.close()


async def test_events_that_everybody_handled_are_pruned(records):
    bus, listener = await sqlite_bus.make("", records=records), Listener()
    listener.failing = {"acme/bad"}
    bus.subscribe("index", [DocumentReceived], listener)
    await bus.start()
    await records.commit(events=[received("bad", 0)])
    for n in range(20):
        await records.commit(events=[received("good", n), received("good", n + 1000)])
    await until(lambda: len(listener.revisions("good")) == 40)
    await bus.backlog()
    assert len(records.read("SELECT sequence FROM outbox")) <= 2
    listener.failing.clear()
    await bus.drain()
    await records.commit(events=[received("good", 40)])
    await bus.drain()
    assert len(records.read("SELECT sequence FROM outbox")) == 1
    assert listener.revisions("bad") == [0]
    assert listener.revisions("good")[-1] == 40
    await bus.close()


async def test_a_failing_partition_stays_set_aside_over_a_restart_and_keeps_its_order(records):
    async def life(first, failing):
        bus, listener = await sqlite_bus.make("", records=records), Listener()
        listener.failing = failing
        bus.subscribe("index", [DocumentReceived], listener, batch=3)
        await bus.start()
        await records.commit(events=[received("bad", first + n) for n in range(7)] + [received("good", first)])
        await until(lambda: listener.revisions("good") == [first])
        if failing:
            await until(lambda: listener.failures > 1)
        else:
            await bus.drain()
        await bus.close()
        return listener

    await life(0, {"acme/bad"})
    await life(7, {"acme/bad"})
    listener = await life(14, set())
    assert listener.revisions("bad") == list(range(21))
    assert max(listener.calls) <= 3


async def test_a_handler_that_hangs_does_not_hold_up_the_others(records):
    bus, quick, gate = await sqlite_bus.make("", records=records), Listener(), asyncio.Event()

    async def handler(events):
        if events[0].document == "slow":
            await gate.wait()
        await quick(events)

    bus.subscribe("index", [DocumentReceived], handler)
    await bus.start()
    await records.commit(events=[received("slow"), received("quick")])
    await until(lambda: quick.revisions("quick") == [1])
    assert quick.revisions("slow") == []
    gate.set()
    await bus.drain()
    assert quick.revisions("slow") == [1]
    await bus.close()


async def test_a_long_backlog_is_delivered_a_window_at_a_time(records, monkeypatch):
    monkeypatch.setattr(_subscription, "WINDOW", 12)
    monkeypatch.setattr(_subscription, "PAGE", 5)
    bus, listener = await sqlite_bus.make("", records=records), Listener()
    bus.subscribe("index", [DocumentReceived], listener, batch=3)
    for n in range(30):
        await records.commit(events=[received(f"d{n % 11}", n), received("busy", n)])
    await bus.start()
    await bus.drain()
    assert listener.revisions("busy") == list(range(30))
    assert sorted(n for d in range(11) for n in listener.revisions(f"d{d}")) == list(range(30))
    await bus.close()
