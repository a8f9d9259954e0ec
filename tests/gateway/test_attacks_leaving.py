"""Callers who leave at every single step of a call: nothing of it may stay behind."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import pytest
from tests.gateway.conftest import INES, TENANT, access, budget, echo

from strata.adapters.records.memory import MemoryRecords
from strata.errors import StrataError, Unavailable
from strata.gateway import till
from strata.gateway.build import build
from strata.gateway.caller import Ask, Caller
from strata.gateway.gateway import ModelGateway
from strata.gateway.money.limits import Limits
from strata.gateway.money.quota import Store
from strata.gateway.options import GuardrailOptions, LimitRule, Options
from strata.types import Subject

CALLER = Caller(INES, Subject(TENANT, "research", "ines"))


class Distant(MemoryRecords):
    """Records that take a while, before what they do and after it."""

    async def commit(self, *changes: Any, **more: Any) -> Any:
        for _ in range(2):
            await asyncio.sleep(0)
        found = await super().commit(*changes, **more)
        for _ in range(2):
            await asyncio.sleep(0)
        return found

    async def get(self, *place: Any, **more: Any) -> Any:
        await asyncio.sleep(0)
        return await super().get(*place, **more)


def ask(number: int) -> Ask:
    body = {"model": "echo", "messages": [{"role": "user", "content": "one two three"}]}
    return Ask("chat", body, f"r{number}", fresh=bool(number % 2))


async def whole(gateway: ModelGateway, number: int) -> None:
    await gateway.whole(CALLER, ask(number))


async def streamed(gateway: ModelGateway, number: int) -> None:
    async with aclosing(gateway.pieces(CALLER, ask(number))) as pieces:
        async for _ in pieces:
            await asyncio.sleep(0)


@pytest.mark.parametrize("call", [whole, streamed])
@pytest.mark.parametrize("script", [{}, {"fail": "broken", "fail_times": 1}])
async def test_a_caller_who_leaves_at_any_step_leaves_nothing_behind(
    call: Any, script: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(till, "TAKE_BACK", (0.0, 0.0, 0.0))
    records = Distant()
    rule = LimitRule("tenant", requests=100_000, tokens=10**9, concurrent=2)
    options = Options(
        models=(echo(chunks=["a ", "b "], max_concurrent=1, **script),),
        budgets=(budget(10**9),),
        limits=(rule,),
        guardrails=(GuardrailOptions("secrets", {}),),
    )
    gateway = await build(options, tenant=TENANT, records=records, access=access())
    try:
        finished = 0
        for number in range(1200):
            task = asyncio.create_task(call(gateway, number))
            for _ in range(number // 3):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
                finished += 1
            except (asyncio.CancelledError, StrataError) as error:
                finished += isinstance(error, StrataError)
            await gateway.settled()
            assert not gateway.till.under_way
            assert gateway.till.limits.under_way == 0
            assert not await records.query(f"{TENANT}/reservations")
            standing = gateway.router.routes["echo"].standing
            assert (standing.room.under_way, standing.room.waiting) == (0, 0)
            for slots in gateway.till.limits._slots.values():
                assert slots.taken == 0
                await slots.give_back()
            for record in await records.query(f"{TENANT}/limits", "slots/"):
                assert set(record.value.values()) == {0}
            if finished == 9:
                break
        assert finished == 9
        (status,) = await gateway.till.spend.status()
        assert status.reserved == 0
    finally:
        await gateway.close()


async def test_a_caller_whose_patience_ends_as_its_turn_comes_leaves_the_place_to_the_next():
    limits = Limits(Store(MemoryRecords(), "t/limits", "p", lambda: 0.0), 0, concurrent=1, patience=0.01)
    first = await limits.enter(CALLER.payer, "a", "m")
    waiting = asyncio.create_task(limits.enter(CALLER.payer, "b", "m"))
    while not limits.queue.count:
        await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(limits.patience / 2, limits.leave, first)
    time.sleep(limits.patience * 2)
    with pytest.raises(Unavailable):
        await waiting
    assert limits.under_way == 0
