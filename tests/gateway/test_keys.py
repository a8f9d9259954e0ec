"""API keys: scope, expiry, rotation with grace, last use."""

from __future__ import annotations

from datetime import timedelta

import pytest

from strata.adapters.records.memory import MemoryRecords
from strata.errors import Conflict, Forbidden, Unauthenticated
from strata.gateway.caller import Ask
from strata.gateway.keys import Keys
from strata.types import now

from .conftest import INES, OPERATOR, TENANT, access, doorway, echo, world


class Clock:
    def __init__(self) -> None:
        self.at = now()
        self.ticks = 0.0

    def today(self):
        return self.at

    def pass_(self, **more) -> None:
        self.at += timedelta(**more)
        self.ticks += timedelta(**more).total_seconds()


def shelf(clock: Clock) -> Keys:
    return Keys(MemoryRecords(), access(), TENANT, clock=lambda: clock.ticks, today=clock.today)


async def test_a_rotated_key_opens_for_its_grace_and_its_successor_goes_on_with_its_account():
    clock = Clock()
    keys = shelf(clock)
    old, plain = await keys.create(OPERATOR, "bot", owner="ines", department="research", models=["small"])
    new, fresh = await keys.rotate(OPERATOR, old.id, grace=timedelta(hours=1))
    assert (await keys.caller(plain)).payer == (await keys.caller(fresh)).payer
    assert (await keys.caller(fresh)).models == {"small"}
    clock.pass_(hours=2)
    with pytest.raises(Unauthenticated, match="expired"):
        await keys.caller(plain)
    assert (await keys.caller(fresh)).payer.key == old.id
    assert {key.id: key.replaced_by for key in await keys.list(OPERATOR)} == {old.id: new.id, new.id: ""}


async def test_a_key_is_rotated_once():
    keys = shelf(Clock())
    old, _ = await keys.create(OPERATOR, "bot", owner="ines", department="research")
    await keys.rotate(OPERATOR, old.id, grace=timedelta())
    with pytest.raises(Conflict, match="successor"):
        await keys.rotate(OPERATOR, old.id, grace=timedelta())


async def test_rotating_needs_the_right_to_manage_keys():
    keys = shelf(Clock())
    old, _ = await keys.create(OPERATOR, "bot", owner="ines", department="research")
    with pytest.raises(Forbidden):
        await keys.rotate(INES, old.id, grace=timedelta())


async def test_when_a_key_was_last_used_is_known():
    clock = Clock()
    keys = shelf(clock)
    _, plain = await keys.create(OPERATOR, "bot", owner="ines", department="research")
    assert [key.used_at for key in await keys.list(OPERATOR)] == [None]
    clock.pass_(days=1)
    used = clock.at
    await keys.caller(plain)
    await keys.note_uses()
    assert [key.used_at for key in await keys.list(OPERATOR)] == [used]


async def test_a_key_is_for_its_models_and_operations_only():
    async with world(echo(reply="x")) as it:
        keys = it.gateway.keys
        body = {"model": "echo", "messages": [{"role": "user", "content": "hi"}]}
        for scope, fits in (
            ({"models": ["echo"]}, True),
            ({"models": ["other"]}, False),
            ({"operations": ["embeddings"]}, False),
        ):
            _, plain = await keys.create(OPERATOR, "bot", owner="ines", department="research", **scope)
            call = it.gateway.whole(await keys.caller(plain), Ask("chat", dict(body), str(scope)))
            if fits:
                await call
            else:
                with pytest.raises(Forbidden, match="not for chat"):
                    await call


async def test_a_keys_scope_holds_at_the_door():
    async with doorway(echo(reply="x")) as door:
        _, plain = await door.world.gateway.keys.create(
            OPERATOR, "bot", owner="ines", department="research", models=["another"]
        )
        answer = await door.chat(key=plain)
        assert answer.status == 403
