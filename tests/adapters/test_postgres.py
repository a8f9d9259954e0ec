"""What PostgreSQL records and their bus hold beyond the promise: many processes, crashes on both sides, lost answers."""

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from tests.adapters.postgres_server import IN_ADDRESS, PASSWORD

from strata.adapters._postgres import completed, server
from strata.adapters.bus import memory as memory_bus
from strata.adapters.bus import postgres as postgres_bus
from strata.adapters.records import memory
from strata.adapters.records import postgres as postgres_records
from strata.errors import Conflict, Invalid, Misconfigured, Unavailable
from strata.events import DocumentReceived
from strata.ports.records import Add, Check, LimitReached, Put
from strata.testing.bus import Listener, received, until

pytestmark = pytest.mark.xdist_group("postgres")

PROCESS = Path(__file__).with_name("postgres_process.py")
HOME = "acme/things"


@pytest.fixture
async def opened(postgres, schema):
    """Opens the test's schema, as often as it is asked to."""
    made = []

    async def open_(at=None, **options):
        made.append(await postgres_records.make(at or postgres.address(schema=schema, **options)))
        return made[-1]

    yield open_
    for records in made:
        await records.close()


def started(mode, address, name):
    return subprocess.Popen([sys.executable, PROCESS, mode, address, name], stdout=subprocess.PIPE, text=True)


class Wire:
    """A line to the server that can be cut: `lose` says at which moment of a COMMIT, `silent` that nothing goes through."""

    def __init__(self, port):
        self.port = port
        self.lose = ""
        self.lost = 0
        self.lose_rollback = False
        self.chance, self.dice = 0.0, random.Random(11)  # how often a line breaks, before or after it has carried data
        self.silent = False

    async def __aenter__(self):
        self.listener = await asyncio.start_server(self.carry, "127.0.0.1", 0)
        self.here = self.listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.listener.close()

    def address(self, schema, **options):
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"//strata:{IN_ADDRESS}@127.0.0.1:{self.here}/records?sslmode=disable&schema={schema}&{query}"

    async def carry(self, reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self.up(reader, writer, back), self.down(there, writer), return_exceptions=True)
        for one in (writer, back):
            one.close()

    async def up(self, reader, writer, back):
        while data := await reader.read(65536):
            if self.lose and data == b"Q\x00\x00\x00\x0bCOMMIT\x00":
                self.lost += 1
                if self.lose == "after":
                    back.write(data)
                    await back.drain()
                    await asyncio.sleep(0.1)
                self.lose = ""
                break
            if self.lose_rollback and data == b"Q\x00\x00\x00\x0dROLLBACK\x00":
                self.lose_rollback = False
                break
            if self.dice.random() < self.chance:
                self.lost += 1
                if self.dice.random() < 0.7:
                    back.write(data)
                    await back.drain()
                    await asyncio.sleep(0.01)
                break
            if not self.silent:
                back.write(data)
        for one in (writer, back):
            one.transport.abort()

    async def down(self, there, writer):
        while data := await there.read(65536):
            unheard = self.silent or self.lose == "after"
            if not (unheard and data.startswith(b"C\x00\x00\x00\x0bCOMMIT")):
                writer.write(data)


async def test_many_commits_at_once_share_their_transactions(opened, postgres, schema):
    records = await opened()
    await asyncio.gather(*(records.commit(Put(HOME, f"{n}", {})) for n in range(500)))
    assert len(await records.query(HOME)) == 500
    assert int(postgres.sql(f"SELECT number FROM {schema}.writer", "records")) <= 5


async def test_two_openings_keep_conditions_and_add_up(opened):
    one, other = await opened(), await opened()
    await one.commit(Put(HOME, "a", {"n": 1}, version=0))
    with pytest.raises(Conflict):
        await other.commit(Put(HOME, "a", {"n": 2}, version=0))
    await other.commit(Put(HOME, "a", {"n": 2}, version=1))
    assert (await one.get(HOME, "a")).value == {"n": 2}
    await asyncio.gather(*(store.commit(Add(HOME, "b", "n", 1)) for _ in range(100) for store in (one, other)))
    assert (await other.get(HOME, "b")).value == {"n": 200}


async def test_two_who_each_check_that_the_other_is_absent_cannot_both_win(opened):
    one, other = await opened(), await opened()
    for n in range(20):
        outcomes = await asyncio.gather(
            one.commit(Check(HOME, f"y{n}", 0), Put(HOME, f"x{n}", {}, version=0)),
            other.commit(Check(HOME, f"x{n}", 0), Put(HOME, f"y{n}", {}, version=0)),
            return_exceptions=True,
        )
        assert sorted(type(outcome) for outcome in outcomes if outcome) == [Conflict]


def test_processes_that_race_never_pass_a_ceiling(postgres, schema):
    racers = [started("add", postgres.address(schema=schema), f"p{n}") for n in range(4)]
    done = [int(racer.communicate(timeout=100)[0]) for racer in racers]
    assert sum(done) == 250
    count = f"SELECT count(*) FROM {schema}.record WHERE partition = 'acme/by'"
    assert postgres.sql(count, "records") == "250"
    values = f"SELECT DISTINCT convert_from(value, 'UTF8') FROM {schema}.record WHERE partition = 'acme/counts'"
    assert postgres.sql(values, "records") == '{"n":250}'


async def test_nothing_acknowledged_is_lost_by_kill_9_and_events_come_again_in_order(postgres, opened, schema):
    rng = random.Random(5)
    acknowledged, heard = {}, defaultdict(list)

    def take(line):
        what, document, n = line.split()
        if what == "done":
            acknowledged[document] = int(n)
        else:
            heard[document].append(int(n))

    for life in range(3):
        process = started("write", postgres.address(schema=schema), f"life{life}")
        for _ in range(rng.randrange(50, 400)):
            take(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        for line in process.communicate()[0].splitlines():
            take(line)

    records = await opened()
    total = 0
    for document, last in acknowledged.items():
        found = await records.query("acme/documents", f"{document}/", limit=10**6)
        assert [record.value["n"] for record in found] == list(range(len(found)))
        assert len(found) >= last + 1
        assert (await records.get("acme/counts", document)).value == {"n": len(found)}
        total += len(found)
    assert (await records.get("acme/counts", "shared")).value == {"n": total}

    bus, listener = await postgres_bus.make(records=records), Listener()
    bus.subscribe("index", [DocumentReceived], listener)
    await bus.start()
    await bus.drain()
    for document, last in acknowledged.items():
        firsts = list(dict.fromkeys(heard[document] + listener.revisions(document)))
        assert firsts == list(range(len(firsts)))
        assert len(firsts) >= last + 1
    await bus.close()


async def test_a_server_that_crashes_and_comes_back_loses_and_repeats_nothing(postgres, opened):
    stores = [await opened(patience=60), await opened(patience=60)]
    bus, listener = await postgres_bus.make(records=stores[0]), Listener()
    bus.subscribe("index", [DocumentReceived], listener)
    await bus.start()
    done, ending = defaultdict(int), asyncio.Event()

    async def lane(n):
        while not ending.is_set():
            await stores[n % 2].commit(
                Put(HOME, f"{n}/{done[n]:06}", {}, version=0),
                Add("acme/counts", "hot", "n", 1),
                events=[received(f"d{n}", done[n])],
            )
            done[n] += 1

    lanes = [asyncio.create_task(lane(n)) for n in range(10)]
    for enough in (150, 300, 450):
        await until(lambda enough=enough: sum(done.values()) > enough)
        await asyncio.to_thread(postgres.stop, "immediate")
        await asyncio.to_thread(postgres.start)
    await until(lambda: sum(done.values()) > 600)
    ending.set()
    await asyncio.gather(*lanes)

    assert (await stores[0].get("acme/counts", "hot")).value == {"n": sum(done.values())}
    for n, count in done.items():
        assert len(await stores[1].query(HOME, f"{n}/", limit=10**6)) == count
    await bus.drain()
    for n, count in done.items():
        assert list(dict.fromkeys(listener.revisions(f"d{n}"))) == list(range(count))
    await bus.close()


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_commit_whose_answer_is_lost_is_done_exactly_once(opened, postgres, schema, moment, again):
    async with Wire(postgres.port) as wire:
        records = await opened(wire.address(schema))
        await records.commit(Put(HOME, "a", {"n": 0}))
        wire.lose, wire.lose_rollback = moment, again
        await records.commit(Add(HOME, "a", "n", 1), events=[received("a")])
        assert wire.lost == 1
        assert (await records.get(HOME, "a")).value == {"n": 1}
        assert postgres.sql(f"SELECT count(*) FROM {schema}.outbox", "records") == "1"
        with pytest.raises(LimitReached):
            await records.commit(Add(HOME, "a", "n", 1, ceiling=1))
        await records.close()


async def test_lines_that_break_at_any_moment_lose_and_repeat_nothing(opened, postgres, schema):
    async with Wire(postgres.port) as wire:
        stores = [await opened(wire.address(schema, patience=60)) for _ in range(3)]
        wire.chance = 0.04

        async def lane(n):
            for k in range(40):
                await stores[n % 3].commit(
                    Put(HOME, f"{n}/{k}", {}, version=0), Add(HOME, "hot", "n", 1), events=[received(f"d{n}", k)]
                )
                assert await stores[(n + 1) % 3].get(HOME, f"{n}/{k}") is not None

        await asyncio.gather(*(lane(n) for n in range(9)))
        wire.chance = 0
        assert wire.lost > 10
        assert (await stores[0].get(HOME, "hot")).value == {"n": 360}
        assert postgres.sql(f"SELECT count(*) FROM {schema}.outbox", "records") == "360"
        for records in stores:
            await records.close()


async def test_a_server_that_is_gone_is_unavailable_and_found_again(opened, postgres):
    records = await opened(patience=0.5)
    await records.commit(Put(HOME, "a", {}))
    await asyncio.to_thread(postgres.stop)
    try:
        outcomes = await asyncio.gather(
            *(records.commit(Put(HOME, f"{n}", {})) for n in range(600)), records.get(HOME, "a"), return_exceptions=True
        )
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert not [outcome for outcome in outcomes if PASSWORD in str(outcome) or IN_ADDRESS in str(outcome)]
        with pytest.raises(Unavailable, match="cannot be reached"):
            await postgres_records.make(postgres.address(patience=0.3))
    finally:
        await asyncio.to_thread(postgres.start)
    await records.commit(Put(HOME, "b", {}))
    assert [record.key for record in await records.query(HOME)] == ["a", "b"]


async def test_a_server_that_does_not_answer_is_unavailable_and_nothing_is_done_twice(opened, postgres, schema):
    async with Wire(postgres.port) as wire:
        records = await opened(wire.address(schema, patience=0.5))
        await records.commit(Put(HOME, "a", {"n": 0}))
        wire.silent = True
        with pytest.raises(Unavailable, match="answer"):
            await records.commit(Add(HOME, "a", "n", 1))
        with pytest.raises(Unavailable, match="answer"):
            await records.get(HOME, "a")
        wire.silent = False
        await records.commit(Add(HOME, "a", "n", 1))
        assert (await records.get(HOME, "a")).value == {"n": 1}
        await records.close()


async def test_who_holds_up_the_others_is_given_up(opened, postgres, schema):
    records = await opened(patience=1)
    await records.commit(Put(HOME, "a", {"n": 0}))
    stuck = await records.server.connect("a process that was stopped", asyncio.get_running_loop().time() + 10)
    await stuck.execute("BEGIN")
    await stuck.execute(f"SELECT pg_advisory_xact_lock({records.server.key('write')})")
    outcomes = [await asyncio.gather(records.commit(Add(HOME, "a", "n", 1)), return_exceptions=True) for _ in range(5)]
    done = [outcome for (outcome,) in outcomes if outcome is None]
    assert done
    assert all(isinstance(outcome, Unavailable) for (outcome,) in outcomes if outcome is not None)
    assert (await records.get(HOME, "a")).value == {"n": len(done)}
    stuck.terminate()


async def test_one_commit_that_the_server_refuses_does_not_spoil_the_others_of_its_group(opened, postgres, schema):
    records = await opened()
    postgres.sql(f"ALTER TABLE {schema}.record ADD CHECK (key <> 'poison')", "records")
    outcomes = await asyncio.gather(
        *(records.commit(Put(HOME, key, {})) for key in ("a", "poison", "b")), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), Unavailable, type(None)]
    assert [record.key for record in await records.query(HOME)] == ["a", "b"]


async def test_a_process_never_asks_for_more_connections_than_it_is_allowed(opened, postgres, schema):
    records = await opened(connections=5)
    bus, listener = await postgres_bus.make(records=records), Listener()
    bus.subscribe("index", [DocumentReceived], listener)
    await bus.start()
    await asyncio.gather(
        *(records.get(HOME, f"{n}") for n in range(300)),
        *(records.commit(Put(HOME, f"{n}", {}), events=[received("a", n)]) for n in range(300)),
    )
    held = f"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'strata {schema} %'"
    assert int(postgres.sql(held)) <= 5
    await bus.drain()
    await bus.close()
    await records.close()
    with pytest.raises(Unavailable):
        await records.get(HOME, "a")
    with pytest.raises(Unavailable):
        await records.commit(Put(HOME, "a", {}))


async def test_a_server_with_no_connection_left_is_unavailable(opened, postgres, schema):
    postgres.sql("CREATE ROLE narrow LOGIN PASSWORD 'narrow' CONNECTION LIMIT 1")
    postgres.sql(f"CREATE SCHEMA {schema} AUTHORIZATION narrow", "records")
    address = f"//narrow:narrow@127.0.0.1:{postgres.port}/records?schema={schema}&patience=0.5"
    records = await opened(address)
    await records.commit(Put(HOME, "a", {}))
    with pytest.raises(Unavailable, match="too many connections"):
        await records.get(HOME, "a")
    await records.close()
    postgres.sql(f"DROP SCHEMA {schema} CASCADE", "records")
    postgres.sql("DROP ROLE narrow")


async def test_a_role_that_may_only_read_and_write_rows_is_enough_once_the_tables_are_made(opened, postgres, schema):
    await opened()
    postgres.sql("CREATE ROLE runner LOGIN PASSWORD 'runner'")
    for grant in (
        f"USAGE ON SCHEMA {schema}",
        f"SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema}",
        f"USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema}",
    ):
        postgres.sql(f"GRANT {grant} TO runner", "records")
    address = f"//runner:runner@127.0.0.1:{postgres.port}/records?schema="
    records = await opened(f"{address}{schema}")
    bus, listener = await postgres_bus.make(records=records), Listener()
    bus.subscribe("index", [DocumentReceived], listener)
    await bus.start()
    await records.commit(Put(HOME, "a", {}), events=[received("a", 1)])
    await bus.drain()
    assert listener.revisions("a") == [1]
    await bus.close()
    await records.close()
    with pytest.raises(Misconfigured, match="permission denied"):
        await opened(f"{address}{schema}x")
    postgres.sql("DROP OWNED BY runner; DROP ROLE runner", "records")


async def test_events_are_delivered_by_one_process_and_another_takes_over(opened):
    one, other = await opened(), await opened()
    first, second = await postgres_bus.make(records=one), await postgres_bus.make(records=other)
    leading, standing_by = Listener(), Listener()
    first.subscribe("index", [DocumentReceived], leading)
    await first.start()
    await other.commit(events=[received("a", 1)])
    await first.drain()
    second.subscribe("index", [DocumentReceived], standing_by)
    await second.start()
    await other.commit(events=[received("a", 2)])
    await second.drain()
    assert leading.revisions("a") == [1, 2]
    assert standing_by.revisions("a") == []
    await first.close()
    await one.commit(events=[received("a", 3)])
    await second.drain()
    assert standing_by.revisions("a") == [3]
    await second.close()


async def test_deliveries_go_on_in_order_after_every_connection_was_ended(opened, postgres, schema):
    one, other = await opened(), await opened()
    buses, listeners = [], []
    for records in (one, other):
        bus, listener = await postgres_bus.make(records=records), Listener()
        bus.subscribe("index", [DocumentReceived], listener, batch=3)
        await bus.start()
        buses.append(bus)
        listeners.append(listener)
    end = (
        f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'strata {schema} %'"
    )
    order = []
    for listener in listeners:
        listener.heard = defaultdict(lambda: order)
    for n in range(200):
        await one.commit(events=[received("a", n)])
        if n % 50 == 25:
            await asyncio.to_thread(postgres.sql, end)
    for bus in buses:
        await bus.drain()
    firsts = list(dict.fromkeys(event.revision for event in order))
    assert firsts == list(range(200))
    for bus in buses:
        await bus.close()


async def test_events_that_everybody_handled_are_pruned_and_a_late_subscriber_begins_behind_them(
    opened, postgres, schema
):
    records = await opened()
    bus, listener = await postgres_bus.make(records=records), Listener()
    listener.failing = {"acme/bad"}
    bus.subscribe("index", [DocumentReceived], listener)
    await bus.start()
    await records.commit(events=[received("bad", 0)])
    for n in range(20):
        await records.commit(events=[received("good", n)])
    await until(lambda: len(listener.revisions("good")) == 20)
    await bus.backlog()
    rows = f"SELECT count(*) FROM {schema}.outbox"
    assert postgres.sql(rows, "records") == "1"
    listener.failing.clear()
    await bus.drain()
    assert listener.revisions("bad") == [0]
    await bus.close()
    late_bus, late = await postgres_bus.make(records=records), Listener()
    late_bus.subscribe("late", [DocumentReceived], late)
    await records.commit(events=[received("good", 20)])
    await late_bus.start()
    await late_bus.drain()
    assert late.revisions("good") == [20]
    await late_bus.close()


async def test_names_that_the_server_cannot_hold_are_invalid(opened):
    records = await opened()
    for key in ("a\0b", "x" * 2000):
        with pytest.raises(Invalid):
            await records.commit(Put(HOME, "good", {}), Put(HOME, key, {}))
        with pytest.raises(Invalid):
            await records.get(HOME, key)
    await records.commit(Put(HOME, "ü" * 900, {"text": "a\0b"}))
    assert [record.value for record in await records.query(HOME, "ü")] == [{"text": "a\0b"}]


async def test_an_address_that_does_not_fit_is_told_clearly_and_never_with_its_password(
    opened, postgres, schema, caplog
):
    caplog.set_level(logging.DEBUG)
    secret = "hunter2-9f"
    told = []
    for address, match in (
        (f"//strata:{secret}/x@127.0.0.1/records", "%2F"),
        (f"//strata:{secret}?@127.0.0.1/records", "%3F"),
        (f"//strata:{secret}@127.0.0.1:54x/records", "cannot be read"),
        (f"//strata:{secret}@127.0.0.1:{postgres.port}/records?colour=red", "colour"),
        (f"//strata:{secret}@127.0.0.1:{postgres.port}/records?connections=1", "connections"),
        (f"//strata:{secret}@127.0.0.1:{postgres.port}/records?schema=Robert'); --", "schema"),
        (f"//strata:{secret}@127.0.0.1:{postgres.port}/records?sslmode=perhaps", "sslmode"),
        (f"//strata:{secret}@127.0.0.1:{postgres.port}/records", "password"),
        (postgres.address().replace("/records", "/nowhere"), "nowhere"),
    ):
        with pytest.raises(Misconfigured, match=match) as stopped:
            await opened(address)
        told.append(f"{stopped.value} {stopped.value.__cause__}")
    assert not [text for text in [*told, caplog.text] if secret in text or PASSWORD in text or IN_ADDRESS in text]
    assert PASSWORD not in repr(server(postgres.address()))
    assert IN_ADDRESS not in repr(server(postgres.address()))


async def test_the_password_may_stand_in_a_file(opened, postgres, schema, tmp_path):
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{postgres.port}:records:strata:{PASSWORD}\n")
    file.chmod(0o600)
    records = await opened(f"//strata@127.0.0.1:{postgres.port}/records?schema={schema}&passfile={file}")
    await records.commit(Put(HOME, "a", {}))
    assert await records.get(HOME, "a") is not None


async def test_what_an_address_leaves_out_comes_from_libpqs_variables(opened, postgres, schema, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    port = postgres.port
    for address in (
        f"///records?host={postgres.folder}&port={port}&user=strata&schema={schema}",  # a Unix socket
        f"//strata@localhost:1,127.0.0.1:{port}/records?schema={schema}",  # the first is not there
    ):
        await (await opened(address)).commit(Add(HOME, "a", "n", 1))
    for name, value in (("HOST", "127.0.0.1"), ("PORT", port), ("USER", "strata"), ("DATABASE", "records")):
        monkeypatch.setenv(f"PG{name}", str(value))
    records = await opened(f"?schema={schema}")
    assert (await records.get(HOME, "a")).value == {"n": 2}


async def test_a_server_without_the_tls_that_was_asked_for_is_not_spoken_to(opened, postgres):
    for mode in ("require", "verify-full"):
        with pytest.raises((Misconfigured, Unavailable), match=r"SSL|TLS|certificate"):
            await opened(postgres.address(sslmode=mode, patience=0.3))


async def test_a_server_that_would_forget_is_refused_unless_that_is_wanted(opened, postgres, schema):
    postgres.sql("ALTER DATABASE records SET synchronous_commit = off")
    records = await opened()
    await records.commit(Put(HOME, "a", {}))
    assert await records.writer.connection.fetchval("SHOW synchronous_commit") == "on"
    lax = await opened(durable="false")
    await lax.commit(Put(HOME, "b", {}))
    assert await lax.writer.connection.fetchval("SHOW synchronous_commit") == "off"
    postgres.sql("ALTER DATABASE records RESET synchronous_commit")
    postgres.sql(f"UPDATE {schema}.installation SET version = 99", "records")
    with pytest.raises(Misconfigured, match="newer"):
        await opened()


async def test_buses_and_records_of_different_kinds_do_not_go_together(opened):
    with pytest.raises(Misconfigured):
        await postgres_bus.make(records=await memory.make())
    with pytest.raises(Misconfigured):
        await memory_bus.make(records=await opened())


def test_an_address_without_a_schema_gets_one_for_each_layer():
    assert completed("//db/strata") == "//db/strata?schema=strata_{layer}"
    assert completed("//db/strata?sslmode=require") == "//db/strata?sslmode=require&schema=strata_{layer}"
    assert completed("//db/strata?schema=gateway") == "//db/strata?schema=gateway"
    assert completed("//db/{layer}") == "//db/{layer}"
