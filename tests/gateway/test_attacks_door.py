"""Attacks on what stands between a caller and a vendor: broken guardrails, borders, logs, other models by the back door."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest
from tests.gateway.conftest import INES, TENANT, at, budget, doorway, echo, world

from strata.errors import Misconfigured, Unavailable
from strata.gateway import guardrail
from strata.gateway.caller import Ask, Caller
from strata.gateway.door.voices import VOICES
from strata.gateway.faults import where
from strata.gateway.guardrail import Submission, Text
from strata.gateway.guards import watching
from strata.gateway.guards.guarding import Guards
from strata.gateway.options import Deployment, GuardrailOptions
from strata.gateway.providers import openai
from strata.gateway.translations.answer import restored
from strata.settings import read
from strata.testing.vendor import MockVendor
from strata.types import Price, Subject

CALLER = Caller(INES, Subject(TENANT, "research", "ines"))
SECRET = "the patient is called Ines"


def ask(text: str = "hi") -> Ask:
    return Ask("chat", {"model": "echo", "messages": [{"role": "user", "content": text}]}, "r1")


class Faulty:
    """A guardrail that fails where it is told to."""

    name = "faulty"

    def __init__(self, at: str, how: str = "raise") -> None:
        self.at, self.how, self.closed = at, how, False

    async def _fail(self, at: str) -> None:
        if at == self.at:
            if self.how == "hang":
                await asyncio.Event().wait()
            raise ValueError(SECRET)

    async def request(self, submission: Submission) -> None:
        await self._fail("request")

    def answer(self, submission: Submission) -> Faulty:
        if self.at == "answer":
            raise ValueError(SECRET)
        return self

    async def piece(self, text: Text) -> str:
        await self._fail("piece")
        return text.value

    async def end(self, channel: str) -> str:
        await self._fail("end")
        return ""

    async def close(self) -> None:
        self.closed = True


def guarded(gateway: Any, faulty: Faulty) -> Any:
    return replace(gateway, guards=Guards(((GuardrailOptions("faulty", {}), faulty),)))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("how", ["raise", "hang"])
@pytest.mark.parametrize("at", ["request", "answer", "piece", "end"])
async def test_a_guardrail_that_breaks_or_hangs_anywhere_refuses_and_leaves_nothing_reserved(
    at: str, how: str, streamed: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    for place in (guardrail, watching):
        monkeypatch.setattr(place, "LONGEST", 0.01)
    told: list[Any] = []
    async with world(echo(reply="fine"), budgets=(budget(10_000),)) as around:
        gateway = guarded(around.gateway, Faulty(at, how))
        with pytest.raises(Unavailable, match="'faulty' is broken"):
            if streamed:
                async for pieces in gateway.pieces(CALLER, ask()):
                    told += pieces if isinstance(pieces, list) else []
            else:
                await gateway.whole(CALLER, ask())
        assert (await around.standing())[1] == 0
        assert not gateway.till.under_way
        assert gateway.till.limits.under_way == 0
    said = "".join(choice["delta"].get("content") or "" for piece in told for choice in piece["choices"])
    assert said == ("fine" if streamed and at == "end" else "")
    assert "faulty" in caplog.text
    assert SECRET not in caplog.text


async def test_guardrails_are_closed_with_the_gateway():
    faulty = Faulty("")
    async with world() as around:
        await guarded(around.gateway, faulty).guards.close()
    assert faulty.closed


def test_the_log_of_an_error_tells_its_place_and_none_of_its_words():
    def read(text: str) -> int:
        try:
            return int(text)
        except ValueError as error:
            raise KeyError(text) from error

    with pytest.raises(KeyError) as caught:
        read(SECRET)
    told = where(caught.value)
    assert "KeyError" in told
    assert "from ValueError" in told
    assert " in read" in told
    assert SECRET not in told


async def test_what_breaks_inside_the_gateway_is_logged_without_words(caplog: pytest.LogCaptureFixture):
    async with doorway() as door:
        provider = door.world.echo()

        def fail(request: Any) -> str:
            raise ValueError(request["messages"][0]["content"])

        provider.script["usage"] = None
        provider.__class__ = type("Failing", (type(provider),), {"__slots__": (), "_reply": lambda _, it: fail(it)})
        with caplog.at_level(logging.DEBUG):
            answer = await door.chat(SECRET)
        assert answer.status == 502
        assert SECRET not in await answer.text()
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "tables",
    [
        {"models": {"m": {"kind": "chat", "provider": "openai", "options": "sk-hidden"}}},
        {"models": {"m": [{"options": {"api_key": "sk-hidden"}}]}},
        {"serve": {"metrics_token": ["sk-hidden"]}},
        {"remote": {"keys": {"data": {"sk-hidden": 1}}}},
    ],
)
def test_a_secret_at_the_wrong_place_of_the_settings_is_not_told_again(tables: dict[str, Any]):
    with pytest.raises(Misconfigured) as caught:
        read({"strata": {"tenant": "t"}, **tables}, {})
    assert "sk-hidden" not in str(caught.value)


# ------------------------------------------------------------------ borders


async def test_a_caller_cannot_open_a_border_by_saying_that_its_data_is_public(vendor: MockVendor):
    async with doorway(at(vendor), classification="restricted") as door:
        for said in ({}, {"x-strata-classification": "public"}, {"x-strata-classification": "restricted"}):
            assert (await door.chat(headers=said)).status == 403
    async with doorway(at(vendor), classification="public") as door:
        assert (await door.chat(headers={"x-strata-classification": "restricted"})).status == 403
        assert (await door.chat(headers={"x-strata-classification": "public"})).status == 200


@pytest.mark.parametrize(
    ("more", "region"),
    [
        ({"models": ["dear/one"]}, ""),
        ({"route": "fallback"}, ""),
        ({"provider": {"only": ["us"]}}, "DE"),
    ],
)
async def test_a_caller_cannot_have_another_model_or_host_answer(vendor: MockVendor, more: dict[str, Any], region: str):
    options = {"api_key": "k", "base_url": vendor.base_url}
    settings = Deployment("m", "chat", "openai:openrouter", "mock", Price(), options=options, region=region)
    provider = openai.make("openrouter", settings)
    await provider.whole("chat", {"messages": [{"role": "user", "content": "hi"}], "top_a": 1, **more})
    await provider.close()
    (asked,) = vendor.requests
    assert asked.body["model"] == "mock"
    assert "top_a" in asked.body
    assert not more.keys() & asked.body.keys()


# ------------------------------------------------------------------ requests of the wrong shape


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/responses", {"input": "hi", "text": True}),
        ("/v1/responses", {"input": "hi", "instructions": [1]}),
        ("/v1/responses", {"input": [{"type": "reasoning", "summary": 1}]}),
        ("/v1/responses", {"input": "hi", "stream": [1]}),
        ("/v1/responses", {"input": "hi", "stream": True, "reasoning": 1}),
        ("/v1/messages", {"messages": [{"role": "user", "content": "hi"}], "metadata": "x"}),
        ("/v1/messages", {"messages": [{"role": "user", "content": "hi"}], "stream": True, "output_config": [1]}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi", "tool_calls": True}]}),
    ],
)
async def test_nobody_can_bring_a_model_down_for_others_with_requests_of_the_wrong_shape(
    path: str, body: dict[str, Any]
):
    async with doorway(guardrails=(GuardrailOptions("secrets", {}),), budgets=(budget(10**6),)) as door:
        for _ in range(6):
            assert (await door.post(path, {"model": "echo", **body})).status == 400
        assert (await door.chat()).status == 200
        assert (await door.world.standing())[1] == 0


def test_a_vendor_cannot_begin_another_event_with_the_name_of_one():
    for voice in (VOICES["messages"], VOICES["responses"]):
        said = voice.stream({}).pieces([{"type": "ping\n\ndata: [DONE]"}])
        assert said.count(b"\n\n") == 1


# ------------------------------------------------------------------ what is carried for a vendor


def test_blocks_kept_for_a_vendor_cannot_say_more_than_the_message_that_guardrails_saw():
    call = {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": "seen"}}
    blocks = [
        {"type": "text", "text": SECRET},
        {"type": "text", "length": 2},
        {"type": "tool_use", "id": "c1", "input": {"a": SECRET}},
    ]
    found = restored({"content": "hi", "provider_fields": {"blocks": blocks}}, [call])
    assert found == [{"type": "text", "text": "hi"}, call]
