"""New settings take effect while calls go on, and settings that do not hold change nothing."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest

from strata.adapters.records.memory import MemoryRecords
from strata.errors import Misconfigured, NotFound, Unavailable
from strata.gateway.build import build
from strata.gateway.live import LiveGateway
from strata.gateway.options import Options
from strata.types import ChatRequest, Message

from .conftest import INES, TENANT, access, budget, echo


def ask(model: str = "echo") -> ChatRequest:
    return ChatRequest(model, (Message("user", "hi"),))


@asynccontextmanager
async def live(options: Options):
    records = MemoryRecords()

    async def make(wanted, rules):
        return await build(wanted, tenant=TENANT, records=records, access=rules)

    gateway = LiveGateway(await make(options, access()), make)
    try:
        yield gateway
    finally:
        await gateway.close()


async def test_a_new_model_answers_without_a_restart():
    async with live(Options(models=(echo(reply="old"),))) as gateway:
        await gateway.change(Options(models=(echo(reply="new"), echo("second", reply="two"))), access())
        assert (await gateway.complete(INES, ask())).text == "new"
        assert (await gateway.complete(INES, ask("second"))).text == "two"


async def test_a_model_that_is_taken_away_is_gone():
    async with live(Options(models=(echo(reply="x"), echo("second", reply="y")))) as gateway:
        await gateway.change(Options(models=(echo(reply="x"),)), access())
        with pytest.raises(NotFound):
            await gateway.complete(INES, ask("second"))


async def test_settings_that_do_not_hold_change_nothing():
    before = Options(models=(echo(reply="old"),))
    wrong = Options(models=(replace(echo(), provider="nobody"),))
    async with live(before) as gateway:
        with pytest.raises(Misconfigured):
            await gateway.change(wrong, access())
        assert gateway.changes == 0
        assert (await gateway.complete(INES, ask())).text == "old"


async def test_a_store_that_does_not_answer_changes_nothing(monkeypatch):
    async with live(Options(models=(echo(reply="old"),))) as gateway:
        make = gateway.make

        async def broken(options, rules):
            made = await make(options, rules)

            async def get(*_):
                raise Unavailable("the store is gone")

            return replace(made, records=type("Gone", (), {"get": get})())

        gateway.make = broken
        with pytest.raises(Unavailable):
            await gateway.change(Options(models=(echo(reply="new"),)), access())
        assert (await gateway.complete(INES, ask())).text == "old"


async def test_a_stream_under_way_ends_with_the_gateway_that_began_it():
    chunks = ["a", "b", "c"]
    async with live(Options(models=(echo(chunks=chunks),))) as gateway:
        async with aclosing(gateway.stream(INES, ask())) as stream:
            said = [(await anext(stream)).text]
            await gateway.change(Options(models=(echo(reply="new"),)), access())
            said += [delta.text async for delta in stream]
        assert "".join(said) == "abc"
        assert (await gateway.complete(INES, ask())).text == "new"


async def test_what_was_spent_before_counts_after_a_change():
    options = Options(models=(echo(reply="x"),), budgets=(budget(1_000_000),))
    async with live(options) as gateway:
        await gateway.complete(INES, ask())
        await gateway.current.settled()
        spent = (await gateway.current.till.spend.status())[0].spent
        await gateway.change(replace(options, budgets=(budget(2_000_000),)), access())
        assert spent > 0
        assert (await gateway.current.till.spend.status())[0].spent == spent


async def test_many_changes_leave_no_gateway_behind():
    async with live(Options(models=(echo(reply="0"),))) as gateway:
        for number in range(1, 6):
            await gateway.change(Options(models=(echo(reply=str(number)),)), access())
        assert (await gateway.complete(INES, ask())).text == "5"
        while gateway._retiring:
            await asyncio.sleep(0.01)
        leases = await gateway.current.records.query(f"{TENANT}/leases")
        assert len(leases) == 1
