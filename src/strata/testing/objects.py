"""The promise of `ports.objects`, as tests: subclass it and hand it a fresh, empty store."""

from __future__ import annotations

import asyncio
from urllib.request import urlopen

import pytest

from strata.errors import Conflict, Invalid, NotFound
from strata.ports.objects import Objects

BAD_NAMES = [
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/../b",
    "./a",
    "a\\b",
    "a\nb",
    "a\0b",
    "x" * 256,
    "\ud800",
    "a/" * 500,
]


class ObjectsPromise:
    """Override the fixture `objects`: it yields an `Objects` store that holds nothing."""

    @pytest.fixture
    def objects(self) -> Objects:
        raise NotImplementedError

    async def test_what_was_put_is_got_byte_for_byte(self, objects: Objects) -> None:
        data = bytes(range(256)) * 300
        meta = await objects.put("tenant/originals/ä b%2F?#.pdf", data)
        assert await objects.get("tenant/originals/ä b%2F?#.pdf") == data
        assert (meta.name, meta.size) == ("tenant/originals/ä b%2F?#.pdf", len(data))

    async def test_an_empty_object_is_an_object(self, objects: Objects) -> None:
        await objects.put("empty", b"")
        assert await objects.get("empty") == b""
        head = await objects.head("empty")
        assert head is not None
        assert head.size == 0

    async def test_head_tells_what_put_told(self, objects: Objects) -> None:
        put = await objects.put("a/b", b"one")
        head = await objects.head("a/b")
        assert head is not None
        assert (head.name, head.size, head.etag) == (put.name, put.size, put.etag)
        assert head.modified.utcoffset() is not None

    async def test_the_etag_changes_with_the_content(self, objects: Objects) -> None:
        first = await objects.put("a", b"one")
        second = await objects.put("a", b"two")
        assert first.etag != second.etag
        assert await objects.get("a") == b"two"

    async def test_what_is_missing_is_not_found(self, objects: Objects) -> None:
        with pytest.raises(NotFound):
            await objects.get("nothing/here")
        assert await objects.head("nothing/here") is None

    async def test_if_absent_never_replaces(self, objects: Objects) -> None:
        await objects.put("a", b"first", if_absent=True)
        with pytest.raises(Conflict):
            await objects.put("a", b"second", if_absent=True)
        assert await objects.get("a") == b"first"

    async def test_of_many_who_put_if_absent_one_wins(self, objects: Objects) -> None:
        outcomes = await asyncio.gather(
            *(objects.put("race", f"{n}".encode(), if_absent=True) for n in range(8)), return_exceptions=True
        )
        losers = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert len(losers) == 7
        assert all(isinstance(loser, Conflict) for loser in losers)

    async def test_a_reader_never_sees_half_an_object(self, objects: Objects) -> None:
        wholes = {bytes([n]) * 200_000 for n in range(6)}
        await objects.put("a", min(wholes))

        async def write() -> None:
            for whole in wholes:
                await objects.put("a", whole)

        async def read() -> None:
            for _ in range(20):
                assert await objects.get("a") in wholes

        await asyncio.gather(write(), read())

    async def test_deleting_removes_and_twice_is_no_error(self, objects: Objects) -> None:
        await objects.put("a/b", b"x")
        await objects.delete("a/b")
        await objects.delete("a/b")
        assert await objects.head("a/b") is None
        assert [meta.name async for meta in objects.list()] == []

    async def test_list_is_by_prefix_in_the_order_of_names(self, objects: Objects) -> None:
        names = ["a/10", "a/2", "a/2.txt", "a-b", "ab", "b/c/d", "é"]
        for name in reversed(names):
            await objects.put(name, name.encode())
        everything = [meta async for meta in objects.list()]
        assert [meta.name for meta in everything] == sorted(names)
        assert {meta.name: meta.size for meta in everything} == {name: len(name.encode()) for name in names}
        assert [meta.name async for meta in objects.list("a/")] == ["a/10", "a/2", "a/2.txt"]
        assert [meta.name async for meta in objects.list("a/2")] == ["a/2", "a/2.txt"]
        assert [meta.name async for meta in objects.list("b/c")] == ["b/c/d"]
        assert [meta.name async for meta in objects.list("zz/")] == []

    async def test_names_that_could_climb_or_confuse_are_invalid(self, objects: Objects) -> None:
        for name in BAD_NAMES:
            with pytest.raises(Invalid):
                await objects.put(name, b"x")
            with pytest.raises(Invalid):
                await objects.get(name)
            with pytest.raises(Invalid):
                await objects.head(name)
            with pytest.raises(Invalid):
                await objects.delete(name)
        assert [meta.name async for meta in objects.list()] == []

    async def test_a_presigned_address_gives_the_object(self, objects: Objects) -> None:
        await objects.put("a/b c", b"signed")
        address = await objects.presign("a/b c", 60)
        if address is not None:
            assert await asyncio.to_thread(_fetched, address) == b"signed"


def _fetched(address: str) -> bytes:
    with urlopen(address, timeout=10) as answer:  # noqa: S310 - the address is the store's own
        data: bytes = answer.read()
        return data
