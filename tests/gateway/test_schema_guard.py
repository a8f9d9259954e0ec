"""The guardrail `schema`: answers and tool calls of the shape that was asked for, whole and streamed."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata.errors import Invalid, Misconfigured, Refused
from strata.gateway.guardrail import Submission, Text
from strata.gateway.guardrails.schema import make
from strata.types import Subject

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "ages": {"type": "array", "items": {"type": "integer"}}},
    "required": ["name"],
    "additionalProperties": False,
}
CHAT = {"response_format": {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}}
RESPONSES = {"text": {"format": {"type": "json_schema", "name": "person", "schema": PERSON}}}
MESSAGES = {"output_format": {"type": "json_schema", "schema": PERSON}}
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = {"tools": [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]}

GOOD = '{"name": "Ada", "ages": [36, 37]}'


def submission(body: dict[str, Any]) -> Submission:
    return Submission(Subject("t", "d", "p"), "chat", body, 10)


def text(value: str, *, place: str = "output", channel: str = "0", name: str = "") -> Text:
    holder = {"arguments" if place == "tool" else "content": value}
    if name:
        holder["name"] = name
    return Text(place, channel, holder, "arguments" if place == "tool" else "content")  # type: ignore[arg-type]


async def answered(body: dict[str, Any], *pieces: Text, **options: Any) -> str:
    guardrail, request = make(options), submission(body)
    await guardrail.request(request)
    watch = guardrail.answer(request)
    if watch is None:
        return "".join(piece.value for piece in pieces)
    passed = "".join([await watch.piece(piece) for piece in pieces])
    return passed + await watch.end(pieces[-1].channel)


@pytest.mark.parametrize("body", [CHAT, RESPONSES, MESSAGES])
async def test_an_answer_of_the_shape_asked_for_passes_unchanged(body):
    assert await answered(body, text(GOOD)) == GOOD


@pytest.mark.parametrize("body", [CHAT, RESPONSES, MESSAGES])
async def test_an_answer_of_another_shape_is_refused_and_told_where(body):
    with pytest.raises(Refused, match=r"\$\.ages\[1\]"):
        await answered(body, text('{"name": "Ada", "ages": [1, "two"]}'))


async def test_an_answer_that_is_not_json_is_refused():
    with pytest.raises(Refused, match="not JSON at character"):
        await answered(CHAT, text("Sure! Here is the person: Ada"))


async def test_a_refusal_never_repeats_what_the_answer_said():
    request = submission(CHAT)
    guardrail = make({})
    await guardrail.request(request)
    watch = guardrail.answer(request)
    await watch.piece(text('{"name": 4711, "secret": "hush"}'))
    with pytest.raises(Refused) as refused:
        await watch.end("0")
    assert "hush" not in str(refused.value)
    assert "4711" not in str(refused.value)
    assert request.findings[0].verdict == "refused"
    assert "hush" not in repr(request.findings)


async def test_json_mode_asks_for_any_object():
    body = {"response_format": {"type": "json_object"}}
    assert await answered(body, text('{"a": 1}')) == '{"a": 1}'
    with pytest.raises(Refused):
        await answered(body, text("[1]"))


async def test_the_operators_schema_counts_for_every_answer():
    with pytest.raises(Refused):
        await answered({}, text("plain words"), schema=PERSON)
    assert await answered({}, text(GOOD), schema=PERSON) == GOOD


async def test_a_request_that_asks_for_no_shape_is_left_alone():
    assert await answered({}, text("plain words")) == "plain words"


async def test_reasoning_beside_the_answer_is_not_judged():
    assert await answered(CHAT, text("let me think", channel="0.reasoning_content")) == "let me think"


async def test_thoughts_of_a_stream_are_not_judged():
    thought = Text("output", "0", {"type": "thinking_delta", "thinking": "let me think"}, "thinking")
    assert await answered(MESSAGES, thought) == "let me think"


async def test_arguments_whose_tool_is_not_named_must_fit_one_of_the_declared_tools():
    def part(value: str) -> Text:
        return Text("tool", "1", {"type": "input_json_delta", "partial_json": value}, "partial_json")

    assert await answered(TOOLS, part('{"ci'), part('ty": "Oslo"}')) == '{"city": "Oslo"}'
    with pytest.raises(Refused):
        await answered(TOOLS, part('{"ci'), part('ty": 7}'))


async def test_free_text_for_a_tool_is_not_taken_for_json():
    free = Text("tool", "0.tool.0", {"name": "shell", "input": "ls -l"}, "input")
    assert await answered(TOOLS, free) == "ls -l"


async def test_arguments_of_a_tool_call_must_fit_what_the_tool_declares():
    good = text('{"city": "Oslo"}', place="tool", channel="0.tool.0", name="weather")
    assert await answered(TOOLS, good) == '{"city": "Oslo"}'
    with pytest.raises(Refused, match="weather"):
        await answered(TOOLS, text('{"town": "Oslo"}', place="tool", channel="0.tool.0", name="weather"))
    with pytest.raises(Refused, match="not declared"):
        await answered(TOOLS, text("{}", place="tool", channel="0.tool.0", name="delete_everything"))


async def test_tools_can_be_left_unchecked():
    assert await answered(TOOLS, text("{", place="tool", channel="0.tool.0", name="weather"), tools=False) == "{"


async def test_a_schema_that_is_none_is_refused_before_the_model_is_paid():
    bad = {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}}
    with pytest.raises(Invalid, match="not a JSON schema"):
        await make({}).request(submission(bad))


async def test_a_schema_elsewhere_is_never_fetched():
    remote = {"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "http://127.0.0.1:9/s"}}}}
    with pytest.raises(Invalid):
        await make({}).request(submission(remote))


async def test_a_pattern_that_would_run_for_ever_does_not():
    schema = {"type": "string", "pattern": "^(a+)+$"}
    with pytest.raises(Refused):
        await answered({}, text('"' + "a" * 60 + '!"'), schema=schema)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, len(GOOD)), max_size=8), st.booleans())
async def test_a_stream_split_anywhere_gets_the_verdict_of_the_whole(cuts, good):
    said = GOOD if good else GOOD.replace("36", '"36"')
    edges = [0, *sorted(cuts), len(said)]
    pieces = [text(said[a:b]) for a, b in itertools.pairwise(edges)]
    if good:
        assert await answered(CHAT, *pieces) == said
    else:
        with pytest.raises(Refused, match=r"\$\.ages\[0\]"):
            await answered(CHAT, *pieces)


async def test_held_streams_show_nothing_before_they_are_valid_and_passed_ones_flow():
    for streams, shown in (("hold", ""), ("pass", '{"na')):
        guardrail, request = make({"streams": streams}), submission(CHAT)
        await guardrail.request(request)
        watch = guardrail.answer(request)
        assert await watch.piece(text('{"na')) == shown
        with pytest.raises(Refused):
            await watch.end("0")


def test_mistakes_in_the_options_are_all_told():
    with pytest.raises(Misconfigured) as wrong:
        make({"schema": {"type": "nonsense"}, "streams": "maybe", "colour": 1})
    assert len(wrong.value.mistakes) == 3
