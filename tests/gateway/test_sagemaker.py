"""SageMaker: containers that speak OpenAI's dialect, whose streams come in event messages cut anywhere."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata.errors import Misconfigured, RateLimited, UpstreamBroken, UpstreamRefused
from strata.gateway.options import Deployment
from strata.gateway.providers import sagemaker
from strata.testing.provider import ChatPromise, EmbeddingPromise
from strata.types import Json

from .folding import folded, pieces
from .replay import Exchange, Got, Replay, answering
from .test_eventstream import event, framed

ASKED = {"model": "m", "messages": [{"role": "user", "content": "?"}], "max_completion_tokens": 9}
USED = {"prompt_tokens": 9, "completion_tokens": 6, "total_tokens": 15}


def deployment(url: str, kind: Any = "chat", **options: Any) -> Deployment:
    keys = {"access_key": "AKID", "secret_key": "secret", "region": "eu-central-1"}
    return Deployment("m", kind, "sagemaker", "llama-prod", options={"base_url": url, **keys, **options})


@pytest.fixture
async def replay() -> AsyncIterator[Replay]:
    async with Replay() as running:
        running.script = container
        yield running


def chunk(delta: Json, reason: str | None = None) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "llama", "choices": [choice]}


CHUNKS = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Ice is "}),
    chunk({"content": "frözen water."}),
    chunk({}, "stop"),
    {**chunk({}), "choices": [], "usage": USED},
]
SPOKEN = b"".join(b"data: %b\n\n" % orjson.dumps(it) for it in CHUNKS) + b"data: [DONE]\n\n"


def parts(raw: bytes, *cuts: int) -> bytes:
    """The bytes as a container's stream: each part in a message of its own."""
    places = [0, *sorted(cuts), len(raw)]
    found = [raw[start:stop] for start, stop in itertools.pairwise(places)]
    return b"".join(framed(it, {":event-type": "PayloadPart", ":message-type": "event"}) for it in found if it)


def streaming(raw: bytes) -> Exchange:
    return answering(raw, kind="application/vnd.amazon.eventstream")


def container(got: Got) -> Exchange:
    if got.path.endswith("-response-stream"):
        return streaming(parts(SPOKEN, 30, 31, 200, 333))
    if "inputs" in got.json:
        return answering([[float(len(text)), 1.0, float(text.count("e"))] for text in got.json["inputs"]])
    message = {"role": "assistant", "content": "Ice is frozen water."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return answering({"id": "c", "object": "chat.completion", "created": 1, "choices": [choice], "usage": USED})


class TestSageMakerChats(ChatPromise):
    @pytest.fixture
    async def provider(self, replay: Replay) -> AsyncIterator[sagemaker.SageMaker]:
        made = sagemaker.make("", deployment(replay.url))
        yield made
        await made.close()


class TestSageMakerEmbeds(EmbeddingPromise):
    @pytest.fixture
    async def provider(self, replay: Replay) -> AsyncIterator[sagemaker.SageMaker]:
        made = sagemaker.make("", deployment(replay.url, "embedding", dialect="tei"))
        yield made
        await made.close()


async def test_a_call_goes_to_the_variant_of_the_endpoint(replay: Replay):
    provider = sagemaker.make("", deployment(replay.url, variant="blue", component="part-1", served_model="llama"))
    await provider.whole("chat", ASKED)
    got = replay.got[0]
    assert got.path == "/endpoints/llama-prod/invocations"
    assert got.headers["x-amzn-sagemaker-target-variant"] == "blue"
    assert got.headers["x-amzn-sagemaker-inference-component"] == "part-1"
    assert "/eu-central-1/sagemaker/aws4_request" in got.headers["authorization"]
    assert "x-amzn-sagemaker-target-variant" in got.headers["authorization"].partition("Signature=")[0]
    assert got.json == {"messages": ASKED["messages"], "max_tokens": 9, "model": "llama"}
    await provider.close()


@given(st.lists(st.integers(0, len(SPOKEN)), max_size=6))
def test_parts_are_the_same_however_the_container_cut_them(cuts: list[int]):
    async def played() -> Json:
        async with Replay(cut=40) as replay:
            replay.script = lambda _: streaming(parts(SPOKEN, *cuts))
            provider = sagemaker.make("", deployment(replay.url))
            try:
                return folded(await pieces(provider.stream("chat", ASKED)))
            finally:
                await provider.close()

    answer = asyncio.run(played())
    assert answer["choices"][0]["message"]["content"] == "Ice is frözen water."
    assert answer["usage"] == USED


@pytest.mark.parametrize(
    ("status", "kind", "said", "error"),
    [
        (400, "ThrottlingException", {"message": "Rate exceeded"}, RateLimited),
        (400, "ValidationError", {"message": "no such endpoint"}, UpstreamRefused),
        (424, "ModelError", {"OriginalStatusCode": 400, "OriginalMessage": "too long"}, UpstreamRefused),
        (424, "ModelError", {"OriginalStatusCode": 500, "OriginalMessage": "out of memory"}, UpstreamBroken),
        (503, "ServiceUnavailable", {"message": "later"}, UpstreamBroken),
        (403, "AccessDeniedException", {"message": "no"}, UpstreamBroken),
    ],
)
async def test_a_failure_is_what_can_be_done_about_it(
    replay: Replay, status: int, kind: str, said: Json, error: type[Exception]
):
    replay.script = lambda _: answering(said, status, x_amzn_errortype=f"{kind}:http://internal.amazon.com/")
    provider = sagemaker.make("", deployment(replay.url))
    for call in (provider.whole("chat", ASKED), pieces(provider.stream("chat", ASKED))):
        with pytest.raises(error):
            await call
    await provider.close()


async def test_what_came_before_a_failure_in_a_stream_is_not_lost(replay: Replay):
    began = parts(SPOKEN[: SPOKEN.index(b"data: [DONE]") // 2])
    failed = event("ModelStreamError", b'{"Message":"the container died"}', "exception")
    provider = sagemaker.make("", deployment(replay.url))
    for end, told in ((failed, "the container died"), (b"", "the vendor of")):
        replay.script = lambda _, end=end: streaming(began + end)
        seen: list[Json] = []
        with pytest.raises(UpstreamBroken, match=told):
            async for chunks in provider.stream("chat", ASKED):
                seen += chunks
        assert seen[:2] == CHUNKS[:2]
    await provider.close()


async def test_an_error_that_the_container_streams_is_one(replay: Replay):
    said = b'data: {"error": {"message": "context too long", "code": 400}}\n\n'
    replay.script = lambda _: streaming(parts(said))
    provider = sagemaker.make("", deployment(replay.url))
    with pytest.raises(UpstreamRefused, match="context too long"):
        await pieces(provider.stream("chat", ASKED))
    await provider.close()


def test_what_is_wrong_with_a_deployment_is_said_at_once():
    with pytest.raises(Misconfigured) as caught:
        sagemaker.make("x", Deployment("m", "chat", "sagemaker", options={"dialect": "latin", "region": "Frankfurt"}))
    assert len(caught.value.mistakes) == 4
