"""The promise of `ports.bus`, as tests: subclass it and hand it records with a way to make buses over them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from strata.errors import Conflict, Deadline
from strata.events import DocumentEvent, DocumentIndexed, DocumentReceived, DocumentRemoved, Event, SignedIn
from strata.ports.bus import Bus
from strata.ports.records import Check, Put, Records

Buses = Callable[[], Awaitable[Bus]]


def received(document: str, revision: int = 1) -> DocumentReceived:
    """An event of the partition `acme/<document>`."""
    return DocumentReceived(
        tenant="acme", actor="ada", document=document, corpus="sops", revision=revision, content="c0ffee"
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that other tasks bring about; the test's own time limit is the end of patience."""
    while not condition():  # noqa: ASYNC110 - the condition is about a stranger's state, nobody sets an event
        await asyncio.sleep(0.01)


class Listener:
    """Remembers what it was given, by partition; fails where it is told to."""

    def __init__(self) -> None:
        self.heard: dict[str, list[Event]] = defaultdict(list)
        self.calls: list[int] = []
        self.failing: set[str] = set()
        self.failures = 0

    async def __call__(self, events: Sequence[Event]) -> None:
        (partition,) = {event.partition for event in events}
        self.calls.append(len(events))
        await asyncio.sleep(0)
        if partition in self.failing:
            self.failures += 1
            raise RuntimeError("not now")
        self.heard[partition].extend(events)

    def revisions(self, document: str) -> list[int]:
        events = self.heard[f"acme/{document}"]
        return [event.revision for event in events if isinstance(event, DocumentReceived)]


class BusPromise:
    """Override the fixtures `records` (a store that holds nothing) and `make_bus` (a bus over these records)."""

    @pytest.fixture
    def records(self) -> Records:
        raise NotImplementedError

    @pytest.fixture
    def make_bus(self, records: Records) -> Callable[[], Awaitable[Bus]]:
        raise NotImplementedError

    @pytest.fixture
    async def buses(self, make_bus: Buses) -> AsyncIterator[Buses]:
        made: list[Bus] = []

        async def bus() -> Bus:
            made.append(await make_bus())
            return made[-1]

        yield bus
        for one in made:
            await one.close()

    async def test_events_arrive_as_they_were_committed(self, records: Records, buses: Buses) -> None:
        bus, listener = await buses(), Listener()
        bus.subscribe("index", [DocumentReceived], listener)
        await bus.start()
        event = received("a")
        await records.commit(Put("acme/documents", "a", {}), events=[event])
        await bus.drain()
        assert listener.heard == {"acme/a": [event]}

    async def test_a_partition_is_delivered_in_the_order_of_commits(self, records: Records, buses: Buses) -> None:
        bus, listener = await buses(), Listener()
        bus.subscribe("index", [DocumentReceived], listener, batch=7)
        await bus.start()
        for n in range(40):
            await records.commit(events=[received("a", 2 * n), received("b", n), received("a", 2 * n + 1)])
        await bus.drain()
        assert listener.revisions("a") == list(range(80))
        assert listener.revisions("b") == list(range(40))
        assert max(listener.calls) <= 7

    async def test_a_batch_holds_what_waits_up_to_its_size(self, records: Records, buses: Buses) -> None:
        bus, listener = await buses(), Listener()
        bus.subscribe("index", [DocumentReceived], listener, batch=10)
        await records.commit(events=[received("a", n) for n in range(25)])
        await bus.start()
        await bus.drain()
        assert listener.calls == [10, 10, 5]

    async def test_only_the_kinds_asked_for_and_their_subclasses(self, records: Records, buses: Buses) -> None:
        bus, some, many = await buses(), Listener(), Listener()
        bus.subscribe("some", [DocumentRemoved], some)
        bus.subscribe("many", [DocumentEvent], many)
        await bus.start()
        removed = DocumentRemoved(tenant="acme", actor="ada", document="a", corpus="sops")
        indexed = DocumentIndexed(tenant="acme", actor="ada", document="a", corpus="sops", revision=1, chunks=3)
        await records.commit(events=[indexed, SignedIn(tenant="acme", actor="ada", method="link"), removed])
        await bus.drain()
        assert some.heard == {"acme/a": [removed]}
        assert many.heard == {"acme/a": [indexed, removed]}

    async def test_events_of_a_failed_commit_are_never_delivered(self, records: Records, buses: Buses) -> None:
        bus, listener = await buses(), Listener()
        bus.subscribe("index", [Event], listener)
        await bus.start()
        with pytest.raises(Conflict):
            await records.commit(Check("acme/documents", "a", 4), events=[received("a")])
        await records.commit(events=[received("b")])
        await bus.drain()
        assert set(listener.heard) == {"acme/b"}

    async def test_a_failing_partition_is_tried_again_while_others_go_on(self, records: Records, buses: Buses) -> None:
        bus, listener = await buses(), Listener()
        listener.failing = {"acme/bad"}
        bus.subscribe("index", [DocumentReceived], listener)
        await bus.start()
        await records.commit(events=[received("bad", 1), received("good", 1)])
        await until(lambda: bool(listener.failures) and listener.revisions("good") == [1])
        await records.commit(events=[received("good", 2), received("bad", 2)])
        await until(lambda: listener.revisions("good") == [1, 2])
        assert (await bus.backlog())["index"] == 2
        assert listener.revisions("bad") == []
        listener.failing.clear()
        await bus.drain()
        assert listener.revisions("bad") == [1, 2]
        assert listener.revisions("good") == [1, 2]
        assert await bus.backlog() == {"index": 0}

    async def test_what_was_not_handled_is_delivered_after_the_next_start(self, records: Records, buses: Buses) -> None:
        first, failing = await buses(), Listener()
        failing.failing = {"acme/a"}
        first.subscribe("index", [DocumentReceived], failing)
        await first.start()
        await records.commit(events=[received("a", 1), received("b", 1)])
        await until(lambda: bool(failing.failures and failing.heard["acme/b"]))
        await first.close()
        await records.commit(events=[received("a", 2)])

        second, listener = await buses(), Listener()
        second.subscribe("index", [DocumentReceived], listener)
        await second.start()
        await second.drain()
        assert listener.revisions("a") == [1, 2]

    async def test_what_was_handled_before_an_orderly_end_does_not_come_again(
        self, records: Records, buses: Buses
    ) -> None:
        first, listener = await buses(), Listener()
        first.subscribe("index", [DocumentReceived], listener)
        await first.start()
        await records.commit(events=[received("a", 1)])
        await first.drain()
        await first.close()

        second, again = await buses(), Listener()
        second.subscribe("index", [DocumentReceived], again)
        await second.start()
        await records.commit(events=[received("a", 2)])
        await second.drain()
        assert again.revisions("a") == [2]

    async def test_a_new_subscriber_begins_where_it_subscribed(self, records: Records, buses: Buses) -> None:
        await records.commit(events=[received("a", 1)])
        bus, listener = await buses(), Listener()
        bus.subscribe("late", [DocumentReceived], listener)
        await records.commit(events=[received("a", 2)])
        await bus.start()
        await records.commit(events=[received("a", 3)])
        await bus.drain()
        assert listener.revisions("a") == [2, 3]

    async def test_every_subscriber_gets_everything(self, records: Records, buses: Buses) -> None:
        bus, listeners = await buses(), [Listener() for _ in range(3)]
        for n, listener in enumerate(listeners):
            bus.subscribe(f"number-{n}", [DocumentReceived], listener)
        await bus.start()
        await records.commit(events=[received("a", n) for n in range(5)])
        await bus.drain()
        assert [listener.revisions("a") for listener in listeners] == [[0, 1, 2, 3, 4]] * 3

    async def test_drain_waits_for_what_is_under_way_and_gives_up_in_the_end(
        self, records: Records, buses: Buses
    ) -> None:
        bus, gate, done = await buses(), asyncio.Event(), Listener()

        async def slow(events: Sequence[Event]) -> None:
            await gate.wait()
            await done(events)

        bus.subscribe("slow", [DocumentReceived], slow)
        await bus.start()
        await records.commit(events=[received("a")])
        with pytest.raises(Deadline):
            await bus.drain(timeout=0.2)
        gate.set()
        await bus.drain()
        assert done.revisions("a") == [1]

    async def test_backlog_counts_what_waits(self, records: Records, buses: Buses) -> None:
        bus, listener = await buses(), Listener()
        bus.subscribe("index", [DocumentReceived], listener)
        await records.commit(events=[received("a"), received("b"), received("a")])
        assert await bus.backlog() == {"index": 3}
        await bus.start()
        await bus.drain()
        assert await bus.backlog() == {"index": 0}
