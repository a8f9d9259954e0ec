"""What every provider of models promises, as tests: subclass `ChatPromise` or `EmbeddingPromise` and hand it one.

Providers speak OpenAI's JSON; `strata.gateway.provider` says what they do. Override the fixture `provider`.
"""

from __future__ import annotations

import base64
import math
import struct
from contextlib import aclosing
from typing import Any

import pytest

from strata.errors import Invalid, UpstreamRefused

Json = dict[str, Any]


def question(**more: Any) -> Json:
    message = {"role": "user", "content": "Say one short sentence about ice."}
    return {"model": "any", "messages": [message], "max_completion_tokens": 12, "temperature": 0, **more}


def counted(usage: Json) -> bool:
    """Whether a usage object holds whole numbers that add up."""
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    return bool(prompt > 0 and completion >= 0 and usage["total_tokens"] >= prompt + completion)


class ChatPromise:
    """The provider must count its tokens."""

    @pytest.fixture
    def provider(self) -> Any:
        raise NotImplementedError

    async def test_an_answer_has_a_choice_a_reason_to_end_and_its_usage(self, provider: Any) -> None:
        answer = await provider.whole("chat", question())
        (choice,) = answer["choices"]
        assert answer["object"] == "chat.completion"
        assert choice["message"]["role"] == "assistant"
        assert choice["message"]["content"]
        assert choice["finish_reason"] in {"stop", "length"}
        assert counted(answer["usage"])

    async def test_a_stream_gives_chunks_in_lists_and_its_usage_last(self, provider: Any) -> None:
        lists = [chunks async for chunks in provider.stream("chat", question())]
        chunks = [chunk for some in lists for chunk in some]
        assert all(isinstance(some, list) and some for some in lists)
        assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
        reasons = [choice.get("finish_reason") for chunk in chunks for choice in chunk["choices"]]
        assert [reason for reason in reasons if reason] in (["stop"], ["length"])
        assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
        assert counted(next(chunk["usage"] for chunk in reversed(chunks) if chunk.get("usage")))

    async def test_a_stream_may_be_left_and_the_next_call_is_answered(self, provider: Any) -> None:
        async with aclosing(provider.stream("chat", question())) as stream:
            await anext(stream)
        assert (await provider.whole("chat", question()))["choices"]

    async def test_the_request_is_left_as_it_was(self, provider: Any) -> None:
        request = question()
        await provider.whole("chat", request)
        assert request == question()

    async def test_a_text_counts_at_least_as_many_tokens_as_the_vendor_reads(self, provider: Any) -> None:
        request = question()
        usage = (await provider.whole("chat", request))["usage"]
        assert isinstance(usage["prompt_tokens"], int)
        assert provider.count("") <= provider.count("ice") <= provider.count("ice and water, and more ice")

    async def test_warming_twice_changes_nothing(self, provider: Any) -> None:
        await provider.warm()
        await provider.warm()
        assert (await provider.whole("chat", question()))["choices"]


class EmbeddingPromise:
    """Vectors of a constant number of dimensions."""

    @pytest.fixture
    def provider(self) -> Any:
        raise NotImplementedError

    async def test_each_text_gets_one_vector_in_the_order_asked(self, provider: Any) -> None:
        texts = ["ice", "steam and water", "ice"]
        answer = await provider.whole("embeddings", {"model": "any", "input": texts})
        assert [row["index"] for row in answer["data"]] == [0, 1, 2]
        one, other, again = (row["embedding"] for row in answer["data"])
        assert len(one) == len(other) > 1
        assert one == pytest.approx(again, abs=0.02)
        assert one != pytest.approx(other, abs=0.02)
        assert answer["usage"]["prompt_tokens"] > 0

    async def test_a_single_text_may_stand_alone(self, provider: Any) -> None:
        assert len((await provider.whole("embeddings", {"model": "any", "input": "ice"}))["data"]) == 1

    async def test_base64_holds_the_same_numbers(self, provider: Any) -> None:
        request = {"model": "any", "input": ["ice"]}
        plain = (await provider.whole("embeddings", request))["data"][0]["embedding"]
        packed = (await provider.whole("embeddings", {**request, "encoding_format": "base64"}))["data"][0]["embedding"]
        floats = struct.unpack(f"<{len(plain)}f", base64.b64decode(packed))
        assert all(math.isclose(a, b, abs_tol=1e-5) for a, b in zip(plain, floats, strict=True))

    async def test_what_is_no_text_is_refused(self, provider: Any) -> None:
        for wrong in ({"ice": 1}, [{"ice": 1}], 7):
            with pytest.raises((Invalid, UpstreamRefused)):
                await provider.whole("embeddings", {"model": "any", "input": wrong})
