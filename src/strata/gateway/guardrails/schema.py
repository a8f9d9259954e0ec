"""Lets an answer through only when it is JSON of the shape that was asked for, and a tool call only with arguments that
the tool declares.

Options:
* `schema`: a JSON schema that every answer must satisfy; without it, the one that the request asks for counts
  (`response_format`, `text.format`, `output_format`), and requests that ask for none are not looked at;
* `tools` (true): check the arguments of tool calls against the parameters that the request declares;
* `streams`: `hold` keeps a streamed answer back until it is complete and valid; `pass` lets it flow and breaks off at
  the end when it is not.

Schemas are judged by jsonschema-rs (https://github.com/Stranger6667/jsonschema), without fetching anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs
import orjson

from strata.errors import Invalid, Misconfigured, Refused
from strata.gateway.guardrail import Finding, Place, Submission, Text, Watch
from strata.types import Json

_ASIDE = re.compile(r"reason|think|refus|summary|annotation|title|whole|result|provider|audio")
_THOUGHTS = frozenset({"thinking", "reasoning_content", "reasoning", "refusal"})
_BACKTRACKS = 100_000


@dataclass(frozen=True, slots=True)
class Schema:
    """`fixed` is the schema of the options, ready to judge; None where each request brings its own."""

    fixed: Any = None
    tools: bool = True
    hold: bool = True
    name: str = "schema"

    async def request(self, submission: Submission) -> None:
        """Raise `Invalid` when a schema of the request is none, rather than after the answer has been paid for."""
        shape = self.fixed or _judge(_asked(submission.body), "the schema asked for")
        tools = _declared(submission.body) if self.tools else {}
        submission.memory[self.name] = (shape, tools)

    def answer(self, submission: Submission) -> Watch | None:
        shape, tools = submission.memory.get(self.name, (self.fixed, {}))
        return _Shaped(self, submission, shape, tools) if shape is not None or tools else None


@dataclass(slots=True)
class _Channel:
    place: Place
    tool: str = ""
    said: str = ""


@dataclass(slots=True)
class _Shaped:
    guardrail: Schema
    submission: Submission
    shape: Any
    tools: dict[str, Any]
    channels: dict[str, _Channel] = field(default_factory=dict)

    async def piece(self, text: Text) -> str:
        if text.channel not in self.channels and not self._concerns(text):
            return text.value
        channel = self.channels.setdefault(text.channel, _Channel(text.place))
        if isinstance(text.holder, dict) and isinstance(text.holder.get("name"), str):
            channel.tool = text.holder["name"]
        channel.said += text.value
        return "" if self.guardrail.hold else text.value

    async def end(self, channel: str) -> str:
        known = self.channels.pop(channel, None)
        if known is None:
            return ""
        fault = self._fault(known)
        if fault:
            finding = Finding(self.guardrail.name, "refused", known.place, fault.partition(":")[0])
            self.submission.findings.append(finding)
            raise Refused(f"{fault}. Ask again, or loosen the schema")
        return known.said if self.guardrail.hold else ""

    def _concerns(self, text: Text) -> bool:
        if text.place == "tool":
            return bool(self.tools) and _arguments(text)
        aside = text.key in _THOUGHTS or _ASIDE.search(text.channel)
        return self.shape is not None and text.place == "output" and not aside

    def _fault(self, channel: _Channel) -> str:
        """What is wrong with a complete text; empty when nothing is."""
        what = (
            f"the arguments of the tool call {channel.tool!r}".replace(" ''", "")
            if channel.place == "tool"
            else "the answer"
        )
        try:
            value = orjson.loads(channel.said or "{}" if channel.place == "tool" else channel.said)
        except orjson.JSONDecodeError as error:
            return f"{what} is not JSON at character {error.pos}: {error.msg}"
        if channel.place != "tool":
            return _mismatch(what, self.shape, value)
        if channel.tool and channel.tool not in self.tools:
            return f"the model called a tool that was not declared: {channel.tool!r} is not one of {sorted(self.tools)}"
        judges = [self.tools[channel.tool]] if channel.tool else list(self.tools.values())
        faults = [_mismatch(what, judge, value) for judge in judges]
        return "" if "" in faults else faults[0]


def _arguments(text: Text) -> bool:
    """Whether a tool's text is the JSON of its arguments, and not a leaf of them, code or free text."""
    if text.key == "delta":
        return "function_call_arguments" in str(text.holder.get("type"))
    return text.key in {"arguments", "partial_json"}


def _mismatch(what: str, judge: Any, value: Any) -> str:
    error = next(judge.iter_errors(value), None) if judge is not None else None
    if error is None:
        return ""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    rule = "/".join(map(str, error.schema_path))
    return f"{what} does not fit the schema at ${place}: the rule {rule!r} is broken"


def _asked(body: Json) -> Any:
    """The schema that a request asks for, in any dialect; None for none. `json_object` asks for any object."""
    config = body.get("output_config")
    text = body.get("text")
    for wanted in (
        body.get("response_format"),
        text.get("format") if isinstance(text, dict) else None,
        body.get("output_format"),
        config.get("format") if isinstance(config, dict) else None,
    ):
        if isinstance(wanted, dict) and wanted.get("type") == "json_object":
            return {"type": "object"}
        if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            inner = wanted.get("json_schema")
            return inner.get("schema") if isinstance(inner, dict) else wanted.get("schema")
    return None


def _declared(body: Json) -> dict[str, Any]:
    """What judges the arguments of each declared tool, by its name; None judges nothing."""
    found: dict[str, Any] = {}
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        inner = tool.get("function", tool) if isinstance(tool, dict) else {}
        name = inner.get("name") if isinstance(inner, dict) else None
        if isinstance(name, str):
            found[name] = _judge(inner.get("parameters", inner.get("input_schema")), f"the parameters of tool {name!r}")
    return found


def _judge(schema: Any, what: str) -> Any:
    """A schema ready to judge, None for None; raises `Invalid` when it is none."""
    if schema is None:
        return None
    try:
        return jsonschema_rs.validator_for(
            schema, retriever=_offline, pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS)
        )
    except (ValueError, TypeError) as error:
        raise Invalid(f"{what} is not a JSON schema: {str(error).partition(chr(10))[0]}") from error


def _offline(address: str) -> Any:
    raise ValueError(f"schemas are not fetched: put {address} into the schema itself")


def make(options: Mapping[str, Any]) -> Schema:
    wrong = [f"the guardrail 'schema' does not know {name!r}" for name in set(options) - {"schema", "tools", "streams"}]
    fixed = None
    try:
        fixed = _judge(options.get("schema"), "the option 'schema'")
    except Invalid as error:
        wrong.append(error.detail)
    if not isinstance(options.get("tools", True), bool):
        wrong.append("the guardrail 'schema' takes tools = true or false")
    if options.get("streams", "hold") not in {"hold", "pass"}:
        wrong.append("the guardrail 'schema' takes streams = 'hold' or 'pass'")
    if wrong:
        raise Misconfigured(wrong)
    return Schema(fixed, options.get("tools", True), options.get("streams", "hold") == "hold")
