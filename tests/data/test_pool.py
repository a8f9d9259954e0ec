"""Files are parsed by processes that can be ended: a hostile file costs itself, and nobody else."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from strata.data.parser import Unreadable
from strata.data.pool import ParserPool

TABLE = b"name;city\n" + b"Ana;Porto\n" * 2_000_000


@pytest.fixture
async def pool():
    pool = ParserPool(size=1)
    yield pool
    await pool.close()


async def test_no_process_runs_before_the_first_file(pool):
    assert not pool.workers()
    await pool.parse(b"Hello", "a.txt")
    assert len(pool.workers()) == 1


async def test_a_process_reads_many_files(pool):
    answers = await asyncio.gather(*(pool.parse(f"Text {number}".encode(), "a.txt") for number in range(20)))
    assert [answer.parsed.text for answer in answers] == [f"Text {number}" for number in range(20)]
    assert len(pool.workers()) == 1


async def test_a_file_that_takes_too_long_is_unreadable_and_the_next_is_read(pool):
    await pool.parse(b"Hello", "a.txt")
    (first,) = pool.workers()
    pool.seconds, pool.seconds_per_mb = 0.05, 0.0
    with pytest.raises(Unreadable, match="longer than"):
        await pool.parse(TABLE, "a.csv")
    pool.seconds = 60
    assert (await pool.parse(b"Hello", "a.txt")).parsed.text == "Hello"
    assert pool.workers() != [first]


async def test_a_larger_file_may_take_longer(pool):
    pool.seconds, pool.seconds_per_mb = 0.0, 6000.0
    data = b"name;city\n" + b"Ana;Porto\n" * 10_000
    assert (await pool.parse(data, "a.csv")).parsed.text.count("Ana") == 10_000
    pool.seconds_per_mb = 0.0
    with pytest.raises(Unreadable, match="longer than"):
        await pool.parse(data, "a.csv")


async def test_a_file_that_takes_too_much_memory_is_unreadable_and_the_next_is_read():
    pool = ParserPool(size=1, memory=256 * 1024 * 1024)
    with pytest.raises(Unreadable, match=r"memory|ended its parser"):
        await pool.parse(TABLE, "a.csv")
    assert (await pool.parse(b"Hello", "a.txt")).parsed.text == "Hello"
    await pool.close()


async def test_a_process_that_dies_is_replaced(pool):
    await pool.parse(b"Hello", "a.txt")
    (first,) = pool.workers()
    os.kill(first, 9)
    await asyncio.sleep(0)
    for _ in range(2):
        try:
            answer = await pool.parse(b"Hello", "a.txt")
        except Unreadable:
            continue
    assert answer.parsed.text == "Hello"
    assert pool.workers() != [first]


async def test_a_parsers_process_sees_no_secrets_of_its_parent(pool, monkeypatch):
    monkeypatch.setenv("STRATA_SECRET", "x")
    await pool.parse(b"Hello", "a.txt")
    (process,) = pool.workers()
    assert b"STRATA_SECRET" not in Path(f"/proc/{process}/environ").read_bytes()


async def test_closing_ends_every_process():
    pool = ParserPool(size=2)
    await asyncio.gather(*(pool.parse(b"Hello", "a.txt") for _ in range(4)))
    running = pool.workers()
    await pool.close()
    assert running
    for process in running:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
