"""The guardrail `hook`: a service of the operator's judges texts, over a real local socket."""

import asyncio
import hashlib
import hmac
import itertools
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from strata.errors import Forbidden, Misconfigured, Unavailable
from strata.gateway.guardrail import Blocked, Submission, Text, pass_all
from strata.gateway.guardrails.hook import make
from strata.types import Subject

KEY = "a-secret-of-some-length"


@dataclass
class Service:
    """Refuses texts with `forbidden`, hides the word `name`, and passes the rest; or gives a fixed answer."""

    fixed: Any = None
    delay: float = 0.0
    seen: list[dict[str, Any]] = field(default_factory=list)
    genuine: list[bool] = field(default_factory=list)
    url: str = ""

    async def judge(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        signed = request.headers["X-Strata-Timestamp"].encode() + b"." + body
        expected = "v1=" + hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
        self.genuine.append(hmac.compare_digest(expected, request.headers["X-Strata-Signature"]))
        question = json.loads(body)
        self.seen.append(question)
        await asyncio.sleep(self.delay)
        if self.fixed is not None:
            return self.fixed()
        if any("forbidden" in text for text in question["texts"]):
            return web.json_response({"action": "refuse", "reason": "not here"})
        masked = [text.replace("name", "****") for text in question["texts"]]
        if masked != question["texts"]:
            return web.json_response({"action": "mask", "texts": masked, "reason": "a name"})
        return web.json_response({"action": "pass"})


@asynccontextmanager
async def serving(service: Service, **options: Any):
    app = web.Application()
    app.router.add_post("/hook", service.judge)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    guardrail = make({"url": service.url, "key": KEY} | options)
    try:
        yield guardrail
    finally:
        await guardrail.close()
        await runner.cleanup()


def text(value: str, place: str = "input", channel: str = "0") -> Text:
    return Text(place, channel, {"text": value}, "text")  # type: ignore[arg-type]


def submission(*texts: Text) -> Submission:
    return Submission(Subject("cryodyne", "research", "ines"), "chat", {}, 10, "standard", list(texts))


async def test_the_service_gets_every_place_with_who_pays_and_a_signature():
    service = Service()
    async with serving(service) as guardrail:
        await guardrail.request(submission(text("hello"), text("a page", "retrieved"), text("be kind", "system")))
    assert [(it["place"], it["texts"]) for it in service.seen] == [("input", ["hello"]), ("retrieved", ["a page"])]
    assert service.seen[0]["payer"]["department"] == "research"
    assert service.seen[0]["model"] == "standard"
    assert service.genuine == [True, True]


async def test_the_service_changes_texts():
    request = submission(text("my name is"), text("untouched"))
    async with serving(Service()) as guardrail:
        await guardrail.request(request)
    assert [it.value for it in request.texts] == ["my **** is", "untouched"]
    assert [(it.verdict, it.reason) for it in request.findings] == [("masked", "a name")]


async def test_the_service_refuses_and_its_reason_is_told():
    request = submission(text("something forbidden", "tool"))
    async with serving(Service()) as guardrail:
        with pytest.raises(Forbidden, match="not here"):
            await guardrail.request(request)
    assert request.findings[0].verdict == "refused"


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=500),
        lambda: web.Response(status=302, headers={"Location": "/elsewhere"}),
        lambda: web.Response(status=204),
        lambda: web.Response(text="OK"),
        lambda: web.json_response(["pass"]),
        lambda: web.json_response({"action": "allow"}),
        lambda: web.json_response({"action": "mask"}),
        lambda: web.json_response({"action": "mask", "texts": []}),
        lambda: web.json_response({"action": "mask", "texts": [1]}),
    ],
)
async def test_a_service_that_fails_or_answers_nonsense_lets_nothing_through(answer):
    async with serving(Service(answer)) as guardrail:
        with pytest.raises(Blocked) as blocked:
            await pass_all([guardrail], submission(text("hello")))
        assert isinstance(blocked.value.error, Unavailable)
        with pytest.raises(Unavailable):
            watch = guardrail.answer(submission())
            await watch.piece(text("hello", "output"))
            await watch.end("0")


async def test_a_service_that_is_too_slow_lets_nothing_through():
    async with serving(Service(delay=5), timeout=0.05) as guardrail:
        with pytest.raises(Unavailable):
            await guardrail.request(submission(text("hello")))


async def test_a_service_that_is_gone_lets_nothing_through():
    guardrail = make({"url": "http://127.0.0.1:1/hook", "key": KEY})
    with pytest.raises(Unavailable):
        await guardrail.request(submission(text("hello")))
    await guardrail.close()


SENTENCES = (
    "This is what the model has to say about it all. " * 8 + "Her name is kept. " + "And more of it follows here. " * 9
)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, len(SENTENCES)), max_size=12))
async def test_a_stream_split_anywhere_comes_out_the_same(cuts):
    edges = [0, *sorted(cuts), len(SENTENCES)]
    async with serving(Service()) as guardrail:
        watch = guardrail.answer(submission())
        passed = [await watch.piece(text(SENTENCES[a:b], "output")) for a, b in itertools.pairwise(edges)]
        passed.append(await watch.end("0"))
    assert "".join(passed) == SENTENCES.replace("name", "****")


async def test_a_refused_sentence_of_a_stream_is_never_shown():
    said = "A harmless sentence that is long enough to be let go on its own, as it has many words in it, truly many words. "
    async with serving(Service()) as guardrail:
        watch = guardrail.answer(submission())
        shown = await watch.piece(text(said * 2, "output"))
        with pytest.raises(Forbidden):
            shown += await watch.piece(text("This is forbidden. " + said * 2, "output"))
    assert shown
    assert "forbidden" not in shown


async def test_arguments_of_a_tool_call_are_judged_whole():
    service = Service()
    async with serving(service) as guardrail:
        watch = guardrail.answer(submission())
        assert await watch.piece(text('{"to": "some', "tool", "0.tool.0")) == ""
        assert await watch.piece(text('body"}', "tool", "0.tool.0")) == ""
        assert await watch.end("0.tool.0") == '{"to": "somebody"}'
    assert [it["texts"] for it in service.seen] == [['{"to": "somebody"}']]


def test_mistakes_in_the_options_are_all_told():
    with pytest.raises(Misconfigured) as wrong:
        make({"url": "ftp://x", "key": "short", "timeout": 0, "places": ["nowhere"], "colour": 1})
    assert len(wrong.value.mistakes) == 5


def test_the_key_never_shows():
    assert KEY not in repr(make({"url": "https://hooks.example/strata", "key": KEY}))
