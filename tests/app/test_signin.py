"""Sign-in links open the door for the right person, for as long as they should, and nobody guesses one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strata.errors import NotFound, RateLimited, Unauthenticated
from strata.events import SignedIn, SignedOut
from strata.ports.records import Put


async def test_each_link_opens_the_door_for_its_own_person(place):
    links = await place.door.links()
    assert set(links) == {"ana", "bo", "cy", "dee"}
    assert len(set(links.values())) == 4
    for name, token in links.items():
        cookie, person = await place.door.enter(token)
        assert person.id == name
        assert (await place.door.whose(cookie)).id == name


async def test_links_are_the_same_when_they_are_printed_again_and_other_for_another_key(place):
    assert await place.door.links(["ana"]) == await place.door.links(["ana"])
    other = replace(place.door, key=b"o" * 32)
    assert await place.door.links(["ana"]) != await other.links(["ana"])
    with pytest.raises(NotFound):
        await place.door.links(["nobody"])


async def test_a_withdrawn_link_and_the_sessions_it_opened_are_void(place):
    token = (await place.door.links(["ana"]))["ana"]
    cookie, _ = await place.door.enter(token)
    await place.door.withdraw("ana")
    with pytest.raises(Unauthenticated):
        await place.door.enter(token)
    with pytest.raises(Unauthenticated):
        await place.door.whose(cookie)
    fresh = (await place.door.links(["ana"]))["ana"]
    assert (await place.door.enter(fresh))[1].id == "ana"


@pytest.mark.parametrize("token", ["", "x", "ä" * 43, "A" * 43])
async def test_an_unknown_token_opens_nothing(place, token):
    with pytest.raises(Unauthenticated):
        await place.door.enter(token)
    with pytest.raises(Unauthenticated):
        await place.door.whose(token)


async def test_guessing_gets_slower_for_the_address_that_guesses(place):
    token = (await place.door.links(["ana"]))["ana"]
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await place.door.enter("wrong", "192.0.2.7")
    with pytest.raises(RateLimited) as slow:
        await place.door.enter(token, "192.0.2.7")
    assert slow.value.retry_after > 0
    assert (await place.door.enter(token, "192.0.2.8"))[1].id == "ana"


@pytest.mark.parametrize("ends", [{"idle": -1.0}, {"lifetime": -1.0}, {"people": {}}])
async def test_a_browser_session_ends_when_idle_too_long_too_old_or_its_person_left(place, ends):
    cookie, _ = await place.door.enter((await place.door.links(["ana"]))["ana"])
    with pytest.raises(Unauthenticated):
        await replace(place.door, **ends).whose(cookie)
    with pytest.raises(Unauthenticated):
        await place.door.whose(cookie)


async def test_use_keeps_a_browser_session_alive_without_a_write_for_each_request(place):
    cookie, _ = await place.door.enter((await place.door.links(["ana"]))["ana"])
    (entered,) = await place.records.query("acme/visits")
    for _ in range(5):
        await place.door.whose(cookie)
    (used,) = await place.records.query("acme/visits")
    assert used.version == entered.version
    long_ago = "2026-01-01T00:00:00Z"
    await place.records.commit(Put("acme/visits", used.key, used.value | {"seen": long_ago}))
    await replace(place.door, idle=1e9, lifetime=1e9).whose(cookie)
    (touched,) = await place.records.query("acme/visits")
    assert touched.value["seen"] > long_ago


async def test_the_cookie_is_not_kept_only_its_hash(place):
    token = (await place.door.links(["ana"]))["ana"]
    cookie, _ = await place.door.enter(token)
    kept = str(await place.records.query("acme/visits"))
    assert "ana" in kept
    assert cookie not in kept
    assert token not in kept


async def test_signing_out_ends_the_session_and_both_are_told(place):
    cookie, _ = await place.door.enter((await place.door.links(["ana"]))["ana"])
    await place.door.leave(cookie)
    await place.door.leave(cookie)
    with pytest.raises(Unauthenticated):
        await place.door.whose(cookie)
    assert [type(event) for event in place.events()] == [SignedIn, SignedOut]
