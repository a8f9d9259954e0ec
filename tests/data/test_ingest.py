"""Whole folders come in; a second time costs nothing; one bad file stops no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strata.data.ingest import ingest
from strata.errors import Unavailable
from strata.types import Query

from .conftest import make_house


@pytest.fixture
def folder(tmp_path):
    for number in range(12):
        (tmp_path / f"note-{number:02}.md").write_text(f"# Note {number}\n\nThe word of this note is w{number}w.")
    return tmp_path


async def test_every_file_is_found_afterwards(house, ingester, reader, folder):
    seen = []
    summary = await ingest(
        house.library, ingester, [folder], "lab", progress=lambda done, total: seen.append((done, total))
    )
    assert summary.counts()["new"] == 12
    assert seen[-1] == (12, 12)
    assert (await house.found(reader, "w7w", k=1)) == ["note-07.md"]


async def test_the_second_time_nothing_is_embedded(house, ingester, folder):
    await ingest(house.library, ingester, [folder], "lab")
    embedded = len(house.gateway.texts)
    summary = await ingest(house.library, ingester, [folder], "lab", prune=True)
    assert {name: number for name, number in summary.counts().items() if number} == {"unchanged": 12}
    assert len(house.gateway.texts) == embedded


async def test_changes_replace_and_vanished_files_are_pruned(house, ingester, reader, folder):
    await ingest(house.library, ingester, [folder], "lab")
    (folder / "note-00.md").write_text("# Changed\n\nThe word is now zebra.")
    (folder / "note-01.md").unlink()
    summary = await ingest(house.library, ingester, [folder], "lab", prune=True)
    assert summary.counts() | {"replaced": 1, "removed": 1, "unchanged": 10} == summary.counts()
    assert (await house.found(reader, "zebra", k=1)) == ["note-00.md"]
    assert "note-01.md" not in await house.found(reader, "w1w", k=50)


async def test_without_prune_vanished_files_stay(house, ingester, reader, folder):
    await ingest(house.library, ingester, [folder], "lab")
    (folder / "note-01.md").unlink()
    await ingest(house.library, ingester, [folder], "lab")
    assert len(await house.library.documents(reader)) == 12


async def test_bad_files_are_named_with_their_reason_and_stop_no_other(house, ingester, folder):
    (folder / "note-03.md").write_bytes(b"\x00\x01\x02\x03")
    (folder / "scan.pdf").write_bytes(b"%PDF-1.4 cut off")
    (folder / "line\nbreak.md").write_text("odd name")
    summary = await ingest(house.library, ingester, [folder], "lab")
    assert {source for source, _ in summary.quarantined} == {"note-03.md", "scan.pdf", "line\nbreak.md"}
    assert all(reason for _, reason in summary.quarantined)
    documents = await house.library.documents(ingester)
    assert sum(document.state == "indexed" for document in documents) == 11


async def test_nothing_is_pruned_when_a_file_could_not_be_taken(house, ingester, reader, folder, tmp_path_factory):
    await ingest(house.library, ingester, [folder], "lab")
    (folder / "note-01.md").unlink()
    outside = tmp_path_factory.mktemp("outside") / "x.md"
    outside.write_text("x")
    (folder / "link.md").symlink_to(outside)
    summary = await ingest(house.library, ingester, [folder], "lab", prune=True)
    assert summary.removed == 0
    assert len(await house.library.documents(reader)) == 12


async def test_changed_rules_reach_the_index_without_embedding(house, ingester, reader, stranger, folder):
    await ingest(house.library, ingester, [folder], "lab")
    embedded = len(house.gateway.texts)
    (folder / "access.toml").write_text('[default]\nreaders = ["quality"]\n')
    summary = await ingest(house.library, ingester, [folder], "lab")
    assert summary.counts()["relabelled"] == 12
    assert await house.library.search(reader, Query("w7w")) == []
    assert (await house.found(stranger, "w7w", k=1)) == ["note-07.md"]
    assert len(house.gateway.texts) == embedded


async def test_a_gateway_that_fails_now_and_then_loses_nothing(house, ingester, folder):
    house.gateway.trouble = Unavailable("for a moment")
    summary = await ingest(house.library, ingester, [folder], "lab")
    assert summary.counts()["new"] == 12
    assert not summary.quarantined


async def test_a_file_over_the_limit_is_named(options, ingester, folder):
    house = await make_house(replace(options, max_bytes=60))
    (folder / "big.txt").write_text("x" * 100)
    summary = await ingest(house.library, ingester, [folder], "lab")
    assert [source for source, _ in summary.quarantined] == ["big.txt"]
    await house.bus.close()
    await house.library.close()
