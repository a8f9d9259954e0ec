"""The provider in CONTRIBUTING.md is whole: it is taken from the page, asked, and keeps what providers promise."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from strata.errors import Misconfigured, RateLimited, UpstreamBroken
from strata.gateway.options import Deployment
from strata.testing.provider import ChatPromise

from .replay import Exchange, Replay

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def delphi() -> Iterator[ModuleType]:
    section = PAGE.read_text(encoding="utf-8").partition("## A new provider in one file")[2]
    (code,) = re.findall(r"```python\n(.*?)```", section.partition("\n## ")[0], flags=re.DOTALL)
    module = ModuleType("delphi")
    sys.modules["delphi"] = module
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    yield module
    del sys.modules["delphi"]


def said(path: str, answer: Any, status: int = 200) -> Exchange:
    streamed = isinstance(answer, bytes)
    kind = "text/event-stream" if streamed else "application/json"
    body = answer if streamed else json.dumps(answer).encode()
    return Exchange("made", 0, "POST", f"https://x/v1{path}", {}, b"", status, {"content-type": kind}, body)


WHOLE = {"number": "7", "riddle": "a great empire will fall", "spent": [9, 5]}
PIECES = (
    b'data: {"number":"7","word":"a great "}\n\ndata: {"number":"7","word":"empire"}\n\n'
    b'data: {"number":"7","spent":[9,5]}\n\n'
)


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with Replay() as running:
        running.play(said("/ask", WHOLE), said("/whisper", PIECES))
        yield running


def made(delphi: ModuleType, replay: Replay) -> Any:
    options = {"base_url": f"{replay.url}/v1", "api_key": "gold"}
    return delphi.make("", Deployment("d", "chat", "delphi", "pythia-3", options=options))


class TestDelphiChats(ChatPromise):
    @pytest.fixture
    async def provider(self, delphi: ModuleType, replay: Replay) -> AsyncIterator[Any]:
        provider = made(delphi, replay)
        yield provider
        await provider.close()


async def test_it_asks_in_the_vendors_words_with_the_vendors_key(delphi, replay):
    provider = made(delphi, replay)
    question = {"messages": [{"role": "user", "content": "Shall I?"}], "max_completion_tokens": 9}
    await provider.whole("chat", question)
    assert replay.got[-1].json == {"oracle": "pythia-3", "question": "Shall I?", "most": 9}
    assert replay.got[-1].headers["x-offering"] == "gold"
    replay.play(said("/ask", {"error": "too many offerings"}, 429), said("/whisper", PIECES[:40] + b"\n\n"))
    with pytest.raises(RateLimited):
        await provider.whole("chat", question)
    with pytest.raises(UpstreamBroken):
        [it async for it in provider.stream("chat", question)]
    await provider.close()
    with pytest.raises(Misconfigured):
        delphi.make("", Deployment("d", "chat", "delphi", "pythia-3"))
