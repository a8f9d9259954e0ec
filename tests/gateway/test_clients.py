"""OpenAI's and Anthropic's own clients at the door, whoever is behind it: text, streams, tools, schemas, errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import openai
import pydantic
import pytest

from strata.gateway.options import Deployment
from strata.testing.vendor import MockVendor

from .conftest import PRICE, Doorway, at, doorway, echo

ANSWER = "This is the mock's answer."
WORD = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
ROWS = {"openai": "openai", "plain": "openai:deepseek"}
BEHIND = [*ROWS, "anthropic"]
"""A vendor that speaks chat and Responses, one that speaks only chat, and one that speaks Messages."""


class Found(pydantic.BaseModel):
    word: str


def behind(kind: str, vendor: MockVendor, script: str = "mock") -> Deployment:
    if kind != "anthropic":
        options = {"base_url": vendor.base_url, "api_key": "sk-vendor"}
        return Deployment("echo", "chat", ROWS[kind], script, price=PRICE, options=options)
    options = {"base_url": vendor.base_url.removesuffix("/v1"), "api_key": "sk-vendor"}
    return Deployment("echo", "chat", "anthropic", script, price=PRICE, options=options)


class Clients:
    def __init__(self, door: Doorway) -> None:
        self.door = door
        self.openai = openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key=door.key, max_retries=0)
        self.anthropic = anthropic.AsyncAnthropic(base_url=door.url, api_key=door.key, max_retries=0)


@asynccontextmanager
async def clients(*models: Deployment, **more: Any) -> AsyncIterator[Clients]:
    async with doorway(*models, **more) as door:
        it = Clients(door)
        async with it.openai, it.anthropic:
            yield it


HI: Any = [{"role": "user", "content": "hi"}]
CHAT_TOOLS: Any = [{"type": "function", "function": {"name": "lookup", "parameters": WORD}}]
RESPONSES_TOOLS: Any = [{"type": "function", "name": "lookup", "parameters": WORD, "strict": False}]
MESSAGES_TOOLS: Any = [{"name": "lookup", "input_schema": WORD}]


# ------------------------------------------------------------------ text


@pytest.mark.parametrize("kind", BEHIND)
async def test_text_whole_and_streamed_is_the_same_on_every_api_and_counted_alike(vendor: MockVendor, kind: str):
    async with clients(behind(kind, vendor)) as it:
        chat = await it.openai.chat.completions.create(model="echo", messages=HI)
        response = await it.openai.responses.create(model="echo", input="hi")
        message = await it.anthropic.messages.create(model="echo", messages=HI, max_tokens=50)
        assert {chat.choices[0].message.content, response.output_text, message.content[0].text} == {ANSWER}
        assert (chat.usage.prompt_tokens, chat.usage.completion_tokens) == (12, 8)
        assert (response.usage.input_tokens, response.usage.output_tokens) == (12, 8)
        assert (message.usage.input_tokens, message.usage.output_tokens) == (12, 8)
        assert (chat.choices[0].finish_reason, response.status, message.stop_reason) == (
            "stop",
            "completed",
            "end_turn",
        )
        assert {chat.model, response.model, message.model} == {"echo"}

        stream = await it.openai.chat.completions.create(
            model="echo", messages=HI, stream=True, stream_options={"include_usage": True}
        )
        pieces = [piece async for piece in stream]
        assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == ANSWER
        assert pieces[-1].usage.total_tokens == 20

        async with it.openai.responses.stream(model="echo", input="hi") as events:
            kinds = [event.type async for event in events]
            final = await events.get_final_response()
        assert final.output_text == ANSWER
        assert final.usage.total_tokens == 20
        assert kinds[:2] == ["response.created", "response.in_progress"]
        assert kinds[-1] == "response.completed"

        async with it.anthropic.messages.stream(model="echo", messages=HI, max_tokens=50) as events:
            text = "".join([piece async for piece in events.text_stream])
            last = await events.get_final_message()
        assert (text, last.stop_reason) == (ANSWER, "end_turn")
        assert (last.usage.input_tokens, last.usage.output_tokens) == (12, 8)
        facts = await it.door.world.facts()
        assert [(fact.operation, fact.cost_micros, fact.estimated) for fact in facts] == [
            ("chat", 28, False), ("responses", 28, False), ("messages", 28, False),
            ("chat", 28, False), ("responses", 28, False), ("messages", 28, False),
        ]  # fmt: skip


async def test_the_echo_model_answers_on_every_api():
    async with clients(echo()) as it:
        response = await it.openai.responses.create(model="echo", input="say this again")
        message = await it.anthropic.messages.create(model="echo", messages=HI, max_tokens=50)
        assert (response.output_text, message.content[0].text) == ("say this again", "hi")


@pytest.mark.parametrize("kind", BEHIND)
async def test_an_answer_that_was_cut_says_so_on_every_api(vendor: MockVendor, kind: str):
    async with clients(behind(kind, vendor, "mock;cut")) as it:
        chat = await it.openai.chat.completions.create(model="echo", messages=HI)
        message = await it.anthropic.messages.create(model="echo", messages=HI, max_tokens=50)
        assert (chat.choices[0].finish_reason, message.stop_reason) == ("length", "max_tokens")
        if kind != "openai":
            response = await it.openai.responses.create(model="echo", input="hi")
            assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize("kind", ["plain", "anthropic"])
async def test_thoughts_come_in_the_place_that_each_api_has_for_them(vendor: MockVendor, kind: str):
    async with clients(behind(kind, vendor, "mock;think")) as it:
        message = await it.anthropic.messages.create(model="echo", messages=HI, max_tokens=50)
        assert (message.content[0].type, message.content[0].thinking) == ("thinking", "Hm, a question.")
        response = await it.openai.responses.create(model="echo", input="hi")
        assert response.output[0].summary[0].text == "Hm, a question."
        async with it.anthropic.messages.stream(model="echo", messages=HI, max_tokens=50) as events:
            last = await events.get_final_message()
        assert [block.type for block in last.content] == ["thinking", "text"]
        async with it.openai.responses.stream(model="echo", input="hi") as events:
            final = await events.get_final_response()
        assert [item.type for item in final.output if item.type != "reasoning"] == ["message"]


# ------------------------------------------------------------------ tools


@pytest.mark.parametrize("kind", BEHIND)
@pytest.mark.parametrize("count", [1, 2])
async def test_an_agent_is_told_tool_use_and_gets_every_call_with_its_arguments(
    vendor: MockVendor, kind: str, count: int
):
    async with clients(behind(kind, vendor, f"mock;tools={count}")) as it:
        message = await it.anthropic.messages.create(model="echo", messages=HI, max_tokens=50, tools=MESSAGES_TOOLS)
        async with it.anthropic.messages.stream(
            model="echo", messages=HI, max_tokens=50, tools=MESSAGES_TOOLS
        ) as events:
            streamed = await events.get_final_message()
        for found in (message, streamed):
            assert found.stop_reason == "tool_use"
            assert [(block.name, block.input) for block in found.content] == [("lookup", {"word": "ice"})] * count
            assert len({block.id for block in found.content}) == count

        chat = await it.openai.chat.completions.create(model="echo", messages=HI, tools=CHAT_TOOLS)
        async with it.openai.chat.completions.stream(model="echo", messages=HI, tools=CHAT_TOOLS) as pieces:
            completion = await pieces.get_final_completion()
        for found in (chat, completion):
            calls = found.choices[0].message.tool_calls
            assert found.choices[0].finish_reason == "tool_calls"
            assert [(call.function.name, call.function.arguments) for call in calls] == [
                ("lookup", '{"word":"ice"}')
            ] * count

        response = await it.openai.responses.create(model="echo", input="hi", tools=RESPONSES_TOOLS)
        async with it.openai.responses.stream(model="echo", input="hi", tools=RESPONSES_TOOLS) as events:
            final = await events.get_final_response()
        for found in (response, final):
            calls = [item for item in found.output if item.type == "function_call"]
            assert [(call.name, call.arguments) for call in calls] == [("lookup", '{"word":"ice"}')] * count
            assert len({call.call_id for call in calls}) == count


@pytest.mark.parametrize("kind", BEHIND)
async def test_the_result_of_a_tool_goes_back_to_the_model_under_its_call(vendor: MockVendor, kind: str):
    async with clients(behind(kind, vendor)) as it:
        message = await it.anthropic.messages.create(
            model="echo", max_tokens=50, tools=MESSAGES_TOOLS, tool_choice={"type": "any"}, messages=HI
        )
        call = message.content[0]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "frozen"}]}
        after = [*HI, {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
        answer = await it.anthropic.messages.create(model="echo", max_tokens=50, tools=MESSAGES_TOOLS, messages=after)
        assert answer.content[0].text == ANSWER

        first = await it.openai.responses.create(
            model="echo", input="hi", tools=RESPONSES_TOOLS, tool_choice="required"
        )
        call = first.output[-1]
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "frozen"}
        given: Any = [*HI, *[item.to_dict() for item in first.output], output]
        second = await it.openai.responses.create(model="echo", input=given, tools=RESPONSES_TOOLS)
        assert second.output_text == ANSWER
        sent = str(vendor.requests[-1].body)
        assert "frozen" in sent
        assert call.call_id in sent


# ------------------------------------------------------------------ structured outputs


@pytest.mark.parametrize("kind", BEHIND)
async def test_an_answer_follows_the_schema_on_every_api(vendor: MockVendor, kind: str):
    async with clients(behind(kind, vendor)) as it:
        chat = await it.openai.chat.completions.parse(model="echo", messages=HI, response_format=Found)
        response = await it.openai.responses.parse(model="echo", input="hi", text_format=Found)
        message = await it.anthropic.messages.create(
            model="echo", messages=HI, max_tokens=50,
            output_config={"format": {"type": "json_schema", "schema": WORD}},
        )  # fmt: skip
        assert chat.choices[0].message.parsed == response.output_parsed == Found(word="ice")
        assert Found.model_validate_json(message.content[0].text) == Found(word="ice")


# ------------------------------------------------------------------ errors


async def test_every_client_raises_its_own_error_for_each_refusal(vendor: MockVendor):
    async with clients(behind("openai", vendor)) as it:
        with pytest.raises(openai.NotFoundError, match="no model called 'huge'"):
            await it.openai.responses.create(model="huge", input="hi")
        with pytest.raises(anthropic.NotFoundError, match="no model called 'huge'") as found:
            await it.anthropic.messages.create(model="huge", messages=HI, max_tokens=5)
        assert found.value.body["error"]["type"] == "not_found_error"
        with pytest.raises(openai.BadRequestError, match="'input' must be"):
            await it.openai.responses.create(model="echo", input="")
        with pytest.raises(anthropic.BadRequestError, match="'messages' must be"):
            await it.anthropic.messages.create(model="echo", messages=[], max_tokens=5)
        wrong = anthropic.AsyncAnthropic(base_url=it.door.url, api_key="sk-wrong", max_retries=0)
        with pytest.raises(anthropic.AuthenticationError):
            await wrong.messages.create(model="echo", messages=HI, max_tokens=5)


@pytest.mark.parametrize("kind", BEHIND)
async def test_a_vendor_over_its_limit_is_told_with_when_to_come_back(vendor: MockVendor, kind: str):
    async with clients(behind(kind, vendor, "mock;fail=429;retry=7"), retries=0) as it:
        with pytest.raises(anthropic.RateLimitError) as found:
            await it.anthropic.messages.create(model="echo", messages=HI, max_tokens=5)
        assert found.value.response.headers["retry-after"] == "7"
        with pytest.raises(openai.RateLimitError) as refused:
            await it.openai.responses.create(model="echo", input="hi")
        assert refused.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("kind", BEHIND)
async def test_a_stream_that_breaks_off_raises_in_the_client(vendor: MockVendor, kind: str):
    async with clients(behind(kind, vendor, "mock;drop=7;chunks=10")) as it:
        with pytest.raises(anthropic.APIStatusError):
            async with it.anthropic.messages.stream(model="echo", messages=HI, max_tokens=50) as events:
                await events.get_final_message()
        stream = await it.openai.responses.create(model="echo", input="hi", stream=True)
        last = [event async for event in stream][-1]
        assert (last.type, last.response.status) == ("response.failed", "failed")
        with pytest.raises(openai.APIError):
            async for _ in await it.openai.chat.completions.create(model="echo", messages=HI, stream=True):
                pass


# ------------------------------------------------------------------ the other operations


async def test_tokens_are_counted_by_the_vendor_or_here_and_cost_nothing(vendor: MockVendor):
    for kind, wanted in (("anthropic", 12), ("openai", 0)):
        async with clients(behind(kind, vendor)) as it:
            found = await it.anthropic.messages.count_tokens(model="echo", messages=HI)
            assert found.input_tokens == wanted or 0 < found.input_tokens < 20
            (fact,) = await it.door.world.facts()
            assert (fact.operation, fact.cost_micros) == ("count_tokens", 0)


async def test_models_are_listed_for_both_clients():
    async with clients(echo("small"), echo("large")) as it:
        assert [model.id async for model in it.openai.models.list()] == ["small", "large"]
        assert [model.id async for model in it.anthropic.models.list()] == ["small", "large"]
        assert (await it.anthropic.models.retrieve("small")).display_name == "small"


async def test_pictures_and_sound_pass_through_and_are_paid(vendor: MockVendor):
    def own(kind: Any) -> Deployment:
        return at(vendor, "mock", kind, kind=kind)

    async with clients(own("image"), own("speech"), own("transcription"), own("rerank")) as it:
        pictures = await it.openai.images.generate(model="image", prompt="ice", n=2)
        assert [picture.b64_json for picture in pictures.data] == ["aWNl", "aWNl"]
        sound = await it.openai.audio.speech.create(model="speech", input="ice", voice="alloy")
        assert sound.read() == b"ID3ice"
        assert sound.response.headers["content-type"] == "audio/mpeg"
        text = await it.openai.audio.transcriptions.create(model="transcription", file=("a.mp3", b"x" * 300))
        assert text.text.startswith("a form of")
        assert 'name="model"\r\n\r\nmock' in vendor.requests[-1].body["form"]
        facts = await it.door.world.facts()
        assert [fact.operation for fact in facts] == ["images", "speech", "transcriptions"]
        assert facts[0].cost_micros == 5 + 2 * 100
