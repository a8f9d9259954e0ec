"""What is asked and answered is kept only where that is turned on: masked, for its days, and read on the record."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta

import pytest

from strata.errors import Forbidden, NotFound
from strata.events import TranscriptRead, TranscriptsErased
from strata.gateway.caller import Ask, Caller
from strata.types import Subject, now

from .conftest import INES, OPERATOR, TENANT, echo, world

CALLER = Caller(INES, Subject(TENANT, "research", "ines"))
SECRET = "Write to john.miller@example.org, key sk-ant-api03-abcdefghijklmnop1234"


def ask(request: str = "r1", text: str = SECRET) -> Ask:
    return Ask("chat", {"model": "echo", "messages": [{"role": "user", "content": text}]}, request)


async def test_nothing_is_kept_unless_it_is_turned_on():
    async with world(echo(reply="hello")) as it:
        await it.gateway.whole(CALLER, ask())
        await it.gateway.settled()
        with pytest.raises(NotFound, match="transcript_days"):
            await it.gateway.transcripts.show(OPERATOR, "r1")


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_kept_is_masked(streamed):
    async with world(echo(reply="ask jane.doe@example.org"), transcript_days=30) as it:
        if streamed:
            async with aclosing(it.gateway.pieces(CALLER, ask())) as pieces:
                async for _ in pieces:
                    pass
        else:
            await it.gateway.whole(CALLER, ask())
        await it.gateway.settled()
        kept = await it.gateway.transcripts.show(OPERATOR, "r1")
        assert kept["answered"].startswith("ask [")
        assert kept["asked"][0]["text"].startswith("Write to [")
        assert "example.org" not in str(kept)
        assert "sk-ant" not in str(kept)
        assert kept["person"] == "ines"


async def test_masking_can_be_turned_off():
    async with world(echo(reply="x"), transcript_days=30, transcript_masked=False) as it:
        await it.gateway.whole(CALLER, ask())
        await it.gateway.settled()
        assert (await it.gateway.transcripts.show(OPERATOR, "r1"))["asked"][0]["text"] == SECRET


async def test_reading_needs_the_right_and_is_on_the_record():
    async with world(echo(reply="x"), transcript_days=30) as it:
        await it.gateway.whole(CALLER, ask())
        await it.gateway.settled()
        with pytest.raises(Forbidden):
            await it.gateway.transcripts.show(INES, "r1")
        await it.gateway.transcripts.show(OPERATOR, "r1")
        (fact,) = await it.facts(TranscriptRead)
        assert (fact.actor, fact.request) == (OPERATOR.id, "r1")


async def test_a_day_whose_time_is_over_is_removed():
    async with world(echo(reply="x"), transcript_days=30) as it:
        await it.gateway.whole(CALLER, ask())
        await it.gateway.settled()
        kept = it.gateway.transcripts
        assert await replace(kept, clock=lambda: now() + timedelta(days=29)).prune() == 0
        assert await replace(kept, clock=lambda: now() + timedelta(days=32)).prune() == 1
        with pytest.raises(NotFound):
            await kept.show(OPERATOR, "r1")


async def test_a_person_is_erased_alone():
    other = Caller(INES, Subject(TENANT, "research", "omar"))
    async with world(echo(reply="x"), transcript_days=30) as it:
        await it.gateway.whole(CALLER, ask("r1"))
        await it.gateway.whole(other, ask("r2"))
        await it.gateway.settled()
        assert await it.gateway.transcripts.erase(OPERATOR, "ines") == 1
        with pytest.raises(NotFound):
            await it.gateway.transcripts.show(OPERATOR, "r1")
        assert (await it.gateway.transcripts.show(OPERATOR, "r2"))["person"] == "omar"
        (fact,) = await it.facts(TranscriptsErased)
        assert (fact.person, fact.count) == ("ines", 1)
