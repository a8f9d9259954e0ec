"""Documents in, passages out, for the right reader: the library over memory adapters."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from strata.data.catalog import Catalog
from strata.errors import BudgetExhausted, Forbidden, Invalid, NotFound, TooLarge, Unavailable, UpstreamRefused
from strata.events import DocumentIndexed, DocumentQuarantined, DocumentRead, DocumentRelabelled, PassagesFound
from strata.types import Query, Reader

from .conftest import TENANT, make_house, person

MICE = "# Mice\n\nThe mice were kept at four degrees."
SALT = "# Salt\n\nSalt dissolves in warm water."


async def names(store) -> list[str]:
    return [meta.name async for meta in store.list(f"{TENANT}/")]


class TestAdding:
    async def test_a_document_is_found_by_its_readers(self, house, ingester, reader):
        document = await house.settled(ingester, "mice.md", MICE)
        assert (document.state, document.title, document.chunks) == ("indexed", "Mice", 1)
        (passage,) = await house.library.search(reader, Query("mice"))
        text = await house.library.text(reader, document.id)
        assert text.text[passage.chunk.start : passage.chunk.end] == passage.chunk.text
        assert passage.chunk.document == document.id

    async def test_the_same_file_again_costs_nothing(self, house, ingester):
        first = await house.settled(ingester, "mice.md", MICE)
        embedded = len(house.gateway.texts)
        again = await house.add(ingester, "mice.md", MICE)
        await house.bus.drain()
        assert again.outcome == "unchanged"
        assert again.document == first
        assert len(house.gateway.texts) == embedded

    async def test_a_changed_file_replaces_its_passages(self, house, ingester, reader):
        await house.settled(ingester, "a.md", MICE)
        report = await house.add(ingester, "a.md", SALT)
        await house.bus.drain()
        assert report.outcome == "replaced"
        assert report.document.revision == 2
        passages = await house.library.search(reader, Query("mice salt"))
        assert [passage.chunk.text for passage in passages] == ["Salt\n\nSalt dissolves in warm water."]
        assert await house.vectors.count(TENANT) == 1

    async def test_nothing_of_an_earlier_revision_is_left_in_the_store(self, house, ingester):
        await house.settled(ingester, "a.md", MICE)
        await house.settled(ingester, "a.md", SALT)
        assert len(await names(house.objects)) == 2
        contents = [await house.objects.get(name) for name in await names(house.objects)]
        assert not any(b"mice" in content for content in contents)

    async def test_changed_settings_index_anew(self, house, ingester):
        await house.settled(ingester, "mice.md", MICE)
        await house.bus.close()
        options = replace(house.options, chunk_tokens=100)
        other = await make_house(options, house.records, house.objects, house.vectors)
        report = await other.add(ingester, "mice.md", MICE)
        assert report.outcome == "replaced"
        await other.bus.drain()
        assert (await other.add(ingester, "mice.md", MICE)).outcome == "unchanged"
        await other.bus.close()
        await other.library.close()

    async def test_a_file_that_cannot_be_read_is_quarantined_with_the_reason(self, house, ingester, reader):
        bad = await house.settled(ingester, "scan.pdf", b"%PDF-1.7 broken")
        good = await house.settled(ingester, "mice.md", MICE)
        assert (bad.state, good.state) == ("quarantined", "indexed")
        assert "broken" in bad.reason
        (event,) = [event for event in await house.events() if isinstance(event, DocumentQuarantined)]
        assert event.reason == bad.reason
        assert await house.found(reader, "broken") == ["mice.md"]

    async def test_a_new_version_that_cannot_be_read_hides_the_old_one(self, house, ingester, reader):
        await house.settled(ingester, "mice.md", MICE)
        await house.settled(ingester, "mice.md", b"\x00\x01\x02\x03")
        assert await house.found(reader, "mice") == []

    async def test_a_gateway_that_is_down_for_a_moment_costs_no_document(self, house, ingester):
        house.gateway.trouble = Unavailable("the gateway restarts")
        document = await house.settled(ingester, "mice.md", MICE)
        assert document.state == "indexed"

    @pytest.mark.parametrize(
        ("outage", "reason"),
        [
            (
                BudgetExhausted("0.01 left", budget="Research", resets_at=datetime(2026, 12, 1, tzinfo=UTC)),
                "waiting: the budget 'Research' is exhausted until 2026-12-01 00:00 UTC",
            ),
            (Unavailable("no vendor of 'embedding' answers"), "waiting: no vendor of 'embedding' answers"),
        ],
        ids=["budget", "vendor"],
    )
    async def test_a_document_that_waits_says_once_what_for(self, house, ingester, outage, reason):
        house.gateway.outage = outage
        report = await house.add(ingester, "mice.md", MICE)
        while house.gateway.failures < 3:
            await asyncio.sleep(0.01)
        waiting = await house.library.catalog.get(report.document.id)
        assert (waiting.document.state, waiting.document.reason) == ("received", reason)
        while house.gateway.failures < 4:
            await asyncio.sleep(0.01)
        assert (await house.library.catalog.get(report.document.id)).version == waiting.version
        house.gateway.outage = None
        (document,) = await house.library.settle(ingester, [report.document.id], 20)
        assert (document.state, document.reason) == ("indexed", "")

    async def test_a_text_that_the_model_refuses_is_quarantined(self, house, ingester):
        house.gateway.trouble = UpstreamRefused("not these words")
        document = await house.settled(ingester, "mice.md", MICE)
        assert document.state == "quarantined"
        assert "not these words" in document.reason

    async def test_a_quarantined_document_can_be_tried_again(self, house, ingester):
        house.gateway.trouble = UpstreamRefused("not these words")
        document = await house.settled(ingester, "mice.md", MICE)
        again = await house.library.retry(ingester, document.id)
        assert again.state == "received"
        await house.bus.drain()
        assert (await house.library.document(ingester, document.id)).state == "indexed"

    async def test_seeing_an_event_twice_changes_nothing(self, house, ingester, reader):
        await house.settled(ingester, "mice.md", MICE)
        heard = list(await house.events())
        embedded = len(house.gateway.texts)
        await house.library.on_documents_received(heard)
        assert await house.vectors.count(TENANT) == 1
        assert len(house.gateway.texts) == embedded
        told = [event for event in await house.events() if isinstance(event, DocumentIndexed)]
        assert len(told) == 1

    async def test_sender_decides_the_title(self, house, ingester):
        document = await house.settled(ingester, "mice.md", MICE, title="On mice")
        assert document.title == "On mice"

    async def test_a_file_without_a_title_is_called_by_its_name(self, house, ingester):
        document = await house.settled(ingester, "notes/cold_room-log.txt", "door open for an hour")
        assert document.title == "cold room log"

    async def test_two_documents_with_the_same_words_are_two_documents(self, house, ingester, reader):
        first = await house.settled(ingester, "a.md", MICE)
        second = await house.settled(ingester, "b.md", MICE)
        await house.library.remove(ingester, first.id)
        assert (await house.library.original(reader, second.id)).data == MICE.encode()
        assert await house.found(reader, "mice") == ["b.md"]

    async def test_copies_are_shown_once(self, house, ingester, reader):
        await house.settled(ingester, "a.md", MICE)
        await house.settled(ingester, "b.md", MICE)
        assert len(await house.library.search(reader, Query("mice"))) == 1

    @pytest.mark.parametrize("source", ["", "/a", "../a", "a//b", "a/../b", "a\\b", "a\nb", "x" * 501])
    async def test_a_source_that_is_no_relative_path_is_refused(self, house, ingester, source):
        with pytest.raises(Invalid):
            await house.add(ingester, source, MICE)

    async def test_a_file_over_the_limit_is_refused(self, options, ingester):
        house = await make_house(replace(options, max_bytes=10))
        with pytest.raises(TooLarge):
            await house.add(ingester, "a.md", "x" * 11)
        await house.bus.close()

    async def test_a_corpus_that_does_not_exist_is_not_found(self, house, ingester):
        with pytest.raises(NotFound, match="lab"):
            await house.add(ingester, "a.md", MICE, corpus="attic")


class TestRights:
    async def test_nobody_else_finds_or_knows_a_document(self, house, ingester, stranger, elsewhere):
        document = await house.settled(ingester, "mice.md", MICE)
        assert await house.found(stranger, "mice") == []
        assert await house.library.documents(stranger) == []
        for call in (house.library.document, house.library.text, house.library.original, house.library.remove):
            with pytest.raises(NotFound):
                await call(stranger, document.id)
            with pytest.raises(NotFound):
                await call(elsewhere, document.id)

    async def test_another_tenants_reader_is_turned_away(self, house, elsewhere):
        with pytest.raises(NotFound):
            await house.library.search(elsewhere, Query("mice"))
        with pytest.raises(NotFound):
            await house.library.documents(elsewhere)

    async def test_a_document_without_readers_is_private(self, house, ingester, reader, editor):
        document = await house.settled(ingester, "mice.md", MICE, readers=frozenset())
        assert await house.found(reader, "mice") == []
        assert await house.found(editor, "mice") == []
        assert [each.id for each in await house.library.documents(editor)] == [document.id]
        with pytest.raises(Forbidden):
            await house.library.text(editor, document.id)

    async def test_corpus_readers_are_the_default(self, house, ingester, stranger):
        document = await house.settled(ingester, "hello.md", MICE, corpus="news")
        assert document.readers == {"everyone"}
        assert await house.found(stranger, "mice") == ["hello.md"]

    async def test_only_editors_of_the_department_add(self, house, reader, editor):
        with pytest.raises(Forbidden):
            await house.add(reader, "a.md", MICE)
        with pytest.raises(Forbidden):
            await house.add(editor, "a.md", MICE, corpus="news")
        assert (await house.add(editor, "a.md", MICE)).outcome == "received"

    async def test_an_editor_gives_rights_only_to_groups_near_them(self, house, editor):
        with pytest.raises(Forbidden, match="board"):
            await house.add(editor, "a.md", MICE, readers=frozenset({"board"}))
        assert (await house.add(editor, "a.md", MICE, readers=frozenset({"everyone"}))).outcome == "received"

    async def test_a_restricted_document_cannot_be_for_everyone(self, house, ingester):
        with pytest.raises(Invalid, match="everyone"):
            await house.add(ingester, "a.md", MICE, classification="restricted", readers=frozenset({"everyone"}))

    async def test_other_readers_of_an_unchanged_file_are_set_without_embedding(
        self, house, ingester, reader, stranger
    ):
        await house.settled(ingester, "mice.md", MICE)
        embedded = len(house.gateway.texts)
        report = await house.add(ingester, "mice.md", MICE, readers=frozenset({"quality"}))
        assert report.outcome == "relabelled"
        assert await house.found(reader, "mice") == []
        assert await house.found(stranger, "mice") == ["mice.md"]
        assert len(house.gateway.texts) == embedded
        (event,) = [event for event in await house.events() if isinstance(event, DocumentRelabelled)]
        assert event.readers == ("quality",)

    async def test_readers_taken_away_with_a_new_version_lose_the_old_one_at_once(self, house, ingester, reader):
        await house.settled(ingester, "mice.md", MICE)
        await house.bus.close()
        await house.add(ingester, "mice.md", SALT, readers=frozenset({"quality"}))
        assert await house.found(reader, "mice") == []

    async def test_a_removal_that_did_not_reach_the_index_hides_all_the_same(self, house, ingester, reader):
        document = await house.settled(ingester, "mice.md", MICE)
        await house.bus.close()
        catalog = Catalog(TENANT, house.records)
        entry = await catalog.get(document.id)
        await catalog.remove(entry, DocumentRead(tenant=TENANT, actor="x", document=document.id, corpus="lab"))
        assert await house.vectors.count(TENANT) == 1
        assert await house.found(reader, "mice") == []


class TestReading:
    async def test_reading_is_on_record_before_it_happens(self, house, ingester, reader):
        document = await house.settled(ingester, "mice.md", MICE)
        await house.library.text(reader, document.id)
        await house.library.original(reader, document.id)
        read = [event for event in await house.events() if isinstance(event, DocumentRead)]
        assert [(event.actor, event.form) for event in read] == [("rob", "text"), ("rob", "original")]

    async def test_searching_is_on_record(self, house, ingester, reader):
        document = await house.settled(ingester, "mice.md", MICE)
        passages = await house.library.search(reader, Query("mice", assistant="helper"))
        (event,) = [event for event in await house.events() if isinstance(event, PassagesFound)]
        assert event.passages == (passages[0].chunk.id,)
        assert event.documents == (document.id,)
        assert (event.actor, event.assistant) == ("rob", "helper")
        assert event.policy

    async def test_without_a_record_nothing_is_shown(self, house, ingester, reader, monkeypatch):
        document = await house.settled(ingester, "mice.md", MICE)

        async def full(self, *changes, events=()):
            raise Unavailable("the disk is full")

        monkeypatch.setattr(type(house.records), "commit", full)
        with pytest.raises(Unavailable):
            await house.library.search(reader, Query("mice"))
        with pytest.raises(Unavailable):
            await house.library.text(reader, document.id)
        with pytest.raises(Unavailable):
            await house.library.original(reader, document.id)

    async def test_the_text_of_a_quarantined_document_says_why_there_is_none(self, house, ingester, reader):
        document = await house.settled(ingester, "x.bin", b"\x00\x01\x02")
        with pytest.raises(NotFound, match="read"):
            await house.library.text(reader, document.id)

    async def test_the_text_of_a_waiting_document_comes_later(self, house, ingester, reader):
        await house.bus.close()
        report = await house.add(ingester, "mice.md", MICE)
        with pytest.raises(Unavailable):
            await house.library.text(reader, report.document.id)

    @pytest.mark.parametrize("query", [Query(" "), Query("x" * 9000), Query("x", k=0), Query("x", k=100_000)])
    async def test_a_search_that_makes_no_sense_is_refused(self, house, reader, query):
        with pytest.raises(Invalid):
            await house.library.search(reader, query)

    async def test_a_search_can_be_kept_to_corpora(self, house, ingester, reader):
        await house.settled(ingester, "a.md", MICE)
        await house.settled(ingester, "b.md", MICE, corpus="news")
        assert set(await house.found(reader, "mice")) == {"a.md", "b.md"}
        assert await house.found(reader, "mice", corpora=("news",)) == ["b.md"]


class TestRemoving:
    async def test_nothing_derived_is_left(self, house, ingester, reader, editor):
        document = await house.settled(ingester, "mice.md", MICE)
        await house.library.remove(editor, document.id, "superseded")
        await house.bus.drain()
        assert await house.found(reader, "mice") == []
        assert await house.vectors.count(TENANT) == 0
        assert await names(house.objects) == []
        assert await house.graph.ask(Reader(TENANT, frozenset({document.label.key})), "SELECT * {?s ?p ?o}") == []
        with pytest.raises(NotFound):
            await house.library.document(ingester, document.id)

    async def test_a_reader_may_not_remove(self, house, ingester, reader):
        document = await house.settled(ingester, "mice.md", MICE)
        with pytest.raises(Forbidden):
            await house.library.remove(reader, document.id)
        assert await house.found(reader, "mice") == ["mice.md"]

    async def test_pruning_removes_what_has_vanished_from_this_corpus_only(self, house, ingester, reader):
        await house.settled(ingester, "a.md", MICE)
        await house.settled(ingester, "b.md", SALT)
        await house.settled(ingester, "c.md", MICE, corpus="news")
        gone = await house.library.prune(ingester, "lab", ["b.md"])
        assert [document.source for document in gone] == ["a.md"]
        assert {document.source for document in await house.library.documents(reader)} == {"b.md", "c.md"}

    async def test_a_removed_document_can_come_back(self, house, ingester, reader):
        document = await house.settled(ingester, "mice.md", MICE)
        await house.library.remove(ingester, document.id)
        await house.settled(ingester, "mice.md", MICE)
        assert await house.found(reader, "mice") == ["mice.md"]
        assert (await house.library.original(reader, document.id)).data == MICE.encode()


async def test_settle_returns_only_what_the_asker_may_know(house, ingester, reader, stranger):
    document = await house.settled(ingester, "mice.md", MICE)
    assert [each.id for each in await house.library.settle(reader, [document.id], 1)] == [document.id]
    assert await house.library.settle(stranger, [document.id], 1) == []
    assert await house.library.settle(stranger, timeout=1) == []


async def test_a_group_that_is_named_later_is_heeded(house, ingester):
    await house.settled(ingester, "a.md", MICE)
    board = person("bea", "sales", "board")
    assert await house.found(board, "mice") == []
    await house.settled(ingester, "b.md", SALT, readers=frozenset({"board"}))
    assert await house.found(board, "salt") == ["b.md"]
