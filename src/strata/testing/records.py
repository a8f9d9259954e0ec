"""The promise of `ports.records`, as tests: subclass it and hand it a fresh, empty store."""

from __future__ import annotations

import asyncio

import pytest

from strata.errors import Conflict, Invalid
from strata.events import SignedIn
from strata.ports.records import MAX_BYTES, MAX_CHANGES, Add, Check, Delete, LimitReached, Put, Records

HOME = "acme/things"


class RecordsPromise:
    """Override the fixture `records`: it yields a `Records` store that holds nothing."""

    @pytest.fixture
    def records(self) -> Records:
        raise NotImplementedError

    async def test_what_was_put_is_got(self, records: Records) -> None:
        value = {"text": "für \u2028 😀", "n": -(2**53), "x": 1.5, "no": None, "list": [1, {"a": True}], "": ""}
        await records.commit(Put(HOME, "a", value))
        found = await records.get(HOME, "a")
        assert found is not None
        assert (found.partition, found.key, found.value, found.version) == (HOME, "a", value, 1)

    async def test_what_is_missing_is_none(self, records: Records) -> None:
        await records.commit(Put(HOME, "a", {}))
        assert await records.get(HOME, "b") is None
        assert await records.get("acme/others", "a") is None

    async def test_a_value_that_was_read_or_written_is_a_copy(self, records: Records) -> None:
        value = {"list": [1]}
        await records.commit(Put(HOME, "a", value))
        value["list"].append(2)
        first = await records.get(HOME, "a")
        assert first is not None
        first.value["list"].append(3)
        second = await records.get(HOME, "a")
        assert second is not None
        assert second.value == {"list": [1]}

    async def test_the_version_grows_with_every_change(self, records: Records) -> None:
        versions = []
        for change in (Put(HOME, "a", {"n": 1}), Put(HOME, "a", {"n": 1}), Add(HOME, "a", "n", 1)):
            await records.commit(change)
            found = await records.get(HOME, "a")
            assert found is not None
            versions.append(found.version)
        assert versions == sorted(set(versions))
        assert versions[0] >= 1

    async def test_a_put_against_the_version_that_stands_goes_through(self, records: Records) -> None:
        await records.commit(Put(HOME, "a", {"n": 1}, version=0))
        found = await records.get(HOME, "a")
        assert found is not None
        await records.commit(Put(HOME, "a", {"n": 2}, version=found.version))
        with pytest.raises(Conflict):
            await records.commit(Put(HOME, "a", {"n": 3}, version=found.version))
        with pytest.raises(Conflict):
            await records.commit(Put(HOME, "a", {"n": 3}, version=0))
        with pytest.raises(Conflict):
            await records.commit(Put(HOME, "b", {"n": 3}, version=1))
        assert (await _values(records)) == {"a": {"n": 2}}

    async def test_delete_with_and_without_a_version(self, records: Records) -> None:
        await records.commit(Put(HOME, "a", {}), Put(HOME, "b", {}))
        with pytest.raises(Conflict):
            await records.commit(Delete(HOME, "a", version=7))
        with pytest.raises(Conflict):
            await records.commit(Delete(HOME, "missing", version=1))
        await records.commit(Delete(HOME, "a", version=1), Delete(HOME, "missing"))
        assert set(await _values(records)) == {"b"}
        await records.commit(Put(HOME, "a", {"again": True}, version=0))
        assert (await _values(records))["a"] == {"again": True}

    async def test_a_check_that_fails_stops_the_whole_commit(self, records: Records) -> None:
        await records.commit(Put(HOME, "a", {"n": 1}))
        await records.commit(Check(HOME, "a", 1), Check(HOME, "b", 0), Put(HOME, "c", {"n": 1}))
        with pytest.raises(Conflict):
            await records.commit(Put(HOME, "c", {"n": 2}), Check(HOME, "b", 1))
        with pytest.raises(Conflict):
            await records.commit(Put(HOME, "c", {"n": 2}), Check(HOME, "a", 0))
        assert await _values(records) == {"a": {"n": 1}, "c": {"n": 1}}

    async def test_nothing_of_a_failed_commit_is_done(self, records: Records) -> None:
        await records.commit(Put(HOME, "a", {"n": 1}), Put(HOME, "b", {"n": 1}))
        with pytest.raises(Conflict):
            await records.commit(
                Put(HOME, "a", {"n": 2}), Add(HOME, "c", "n", 5), Delete(HOME, "b"), Put(HOME, "d", {}, version=3)
            )
        with pytest.raises(LimitReached):
            await records.commit(Put(HOME, "a", {"n": 2}), Delete(HOME, "b"), Add(HOME, "c", "n", 5, ceiling=4))
        assert await _values(records) == {"a": {"n": 1}, "b": {"n": 1}}

    async def test_add_counts_from_nothing_and_keeps_other_fields(self, records: Records) -> None:
        await records.commit(Add(HOME, "new", "n", 3))
        await records.commit(Put(HOME, "old", {"name": "x"}))
        await records.commit(Add(HOME, "old", "n", -2), Add(HOME, "old", "m", 1))
        assert await _values(records) == {"new": {"n": 3}, "old": {"name": "x", "n": -2, "m": 1}}

    async def test_add_stops_at_its_ceiling_and_floor(self, records: Records) -> None:
        await records.commit(Add(HOME, "a", "n", 10, ceiling=10))
        with pytest.raises(LimitReached) as stopped:
            await records.commit(Add(HOME, "a", "n", 1, ceiling=10))
        assert (stopped.value.value, stopped.value.add.field) == (10, "n")
        await records.commit(Add(HOME, "a", "n", -10, floor=0))
        with pytest.raises(LimitReached):
            await records.commit(Add(HOME, "a", "n", -1, floor=0))
        assert await _values(records) == {"a": {"n": 0}}

    async def test_several_adds_of_one_commit_count_one_after_the_other(self, records: Records) -> None:
        await records.commit(Add(HOME, "a", "n", 6, ceiling=10), Add(HOME, "a", "n", 4, ceiling=10))
        with pytest.raises(LimitReached) as stopped:
            await records.commit(Add(HOME, "b", "n", 6, ceiling=10), Add(HOME, "b", "n", 5, ceiling=10))
        assert stopped.value.value == 6
        assert await _values(records) == {"a": {"n": 10}}

    async def test_adding_to_what_is_no_whole_number_is_invalid(self, records: Records) -> None:
        await records.commit(Put(HOME, "a", {"n": "five", "b": True}))
        for field in ("n", "b"):
            with pytest.raises(Invalid):
                await records.commit(Add(HOME, "a", field, 1))

    async def test_concurrent_adds_all_count_and_never_pass_the_ceiling(self, records: Records) -> None:
        outcomes = await asyncio.gather(
            *(records.commit(Add(HOME, "a", "n", 1, ceiling=150), Put(HOME, f"by-{n}", {})) for n in range(200)),
            return_exceptions=True,
        )
        assert sum(outcome is None for outcome in outcomes) == 150
        assert sum(isinstance(outcome, LimitReached) for outcome in outcomes) == 50
        found = await records.get(HOME, "a")
        assert found is not None
        assert found.value == {"n": 150}
        assert len(await records.query(HOME, "by-")) == 150

    async def test_of_many_who_write_against_one_version_one_wins(self, records: Records) -> None:
        await records.commit(Put(HOME, "a", {"by": -1}))
        outcomes = await asyncio.gather(
            *(records.commit(Put(HOME, "a", {"by": n}, version=1)) for n in range(50)), return_exceptions=True
        )
        winners = [n for n, outcome in enumerate(outcomes) if outcome is None]
        assert len(winners) == 1
        assert all(isinstance(outcome, Conflict) for n, outcome in enumerate(outcomes) if n not in winners)
        assert await _values(records) == {"a": {"by": winners[0]}}

    async def test_reads_see_every_commit_that_returned(self, records: Records) -> None:
        async def write(key: str) -> None:
            for n in range(20):
                await records.commit(Put(HOME, key, {"n": n}))
                found = await records.get(HOME, key)
                assert found is not None
                assert found.value == {"n": n}
                assert [record.value for record in await records.query(HOME, key)] == [{"n": n}]

        await asyncio.gather(*(write(key) for key in "abcde"))

    async def test_query_is_by_prefix_in_the_byte_order_of_keys(self, records: Records) -> None:
        keys = ["a", "a/1", "a/10", "a/2", "aé", "a\uffff", "a😀", "b", "B", "a%", "a_"]
        await records.commit(*(Put(HOME, key, {"k": key}) for key in keys), Put("acme/other", "a/3", {}))
        everything = [record.key for record in await records.query(HOME)]
        assert everything == sorted(keys, key=lambda key: key.encode())
        assert [record.key for record in await records.query(HOME, "a/")] == ["a/1", "a/10", "a/2"]
        assert [record.key for record in await records.query(HOME, "a😀")] == ["a😀"]
        assert [record.key for record in await records.query(HOME, "a%")] == ["a%"]
        assert await records.query(HOME, "zz") == []
        assert all(record.value == {"k": record.key} and record.version == 1 for record in await records.query(HOME))

    async def test_query_goes_on_after_a_key_and_backwards(self, records: Records) -> None:
        keys = [f"k{n:03}" for n in range(30)]
        await records.commit(*(Put(HOME, key, {}) for key in keys), Put(HOME, "j", {}), Put(HOME, "l", {}))
        for reverse in (False, True):
            wanted = keys[::-1] if reverse else keys
            found: list[str] = []
            while page := await records.query(HOME, "k", after=found[-1] if found else None, limit=7, reverse=reverse):
                assert len(page) <= 7
                found += [record.key for record in page]
            assert found == wanted
        assert await records.query(HOME, "k", limit=0) == []
        assert [record.key for record in await records.query(HOME, "k", after="a", limit=2)] == keys[:2]
        assert await records.query(HOME, "k", after="z") == []

    async def test_a_long_query_gives_everything(self, records: Records) -> None:
        for start in range(0, 500, 100):
            await records.commit(*(Put(HOME, f"{n:04}", {"pad": "x" * 500}) for n in range(start, start + 100)))
        found = await records.query(HOME, limit=1000)
        assert [record.key for record in found] == [f"{n:04}" for n in range(500)]

    async def test_a_commit_over_the_limits_is_invalid_and_at_them_is_not(self, records: Records) -> None:
        full = [Put(HOME, f"{n}", {}) for n in range(MAX_CHANGES - 1)]
        event = SignedIn(tenant="acme", actor="ada", method="link")
        await records.commit(*full, events=[event])
        with pytest.raises(Invalid):
            await records.commit(*full, Delete(HOME, "0"), events=[event])
        await records.commit(Put(HOME, "big", {"x": "y" * (MAX_BYTES - 8)}))
        with pytest.raises(Invalid):
            await records.commit(Delete(HOME, "big"), Put(HOME, "bigger", {"x": "y" * (MAX_BYTES - 7)}))
        assert len(await _values(records)) == MAX_CHANGES

    async def test_values_and_names_that_cannot_be_kept_are_invalid(self, records: Records) -> None:
        for change in (
            Put(HOME, "a", {"x": object()}),
            Put(HOME, "a", {"x": "\ud800"}),
            Put("", "a", {}),
            Put(HOME, "", {}),
            Put(HOME, "\ud800", {}),
            Delete("", "a"),
        ):
            with pytest.raises(Invalid):
                await records.commit(Put(HOME, "b", {}), change)
        assert await _values(records) == {}

    async def test_a_commit_of_nothing_is_no_error(self, records: Records) -> None:
        await records.commit()
        assert await _values(records) == {}


async def _values(records: Records) -> dict[str, object]:
    return {record.key: record.value for record in await records.query(HOME)}
