"""Pictures and sound, as OpenAI's API has them: passed on to the vendor, but let out, judged and paid like any call.

https://platform.openai.com/docs/api-reference/images, https://platform.openai.com/docs/api-reference/audio. Speech and
transcriptions are no JSON: their answers are {"kind": content type, "data": bytes} or, of text, {"kind", "json" or "text"}.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from strata.errors import Invalid
from strata.gateway.caller import Ask
from strata.gateway.dialect import count, leaves
from strata.gateway.guardrail import Text
from strata.gateway.money.estimate import whole_number
from strata.gateway.wire import multipart
from strata.types import Json, Usage

RAW = {"speech", "transcriptions"}
PICTURE = 16_000
"""Tokens of one picture at the most: the largest and finest that is sold, twice over."""

BYTES_A_TOKEN = 100
"""Speech at the lowest usual rate has a thousand bytes a second, and no vendor makes more than ten tokens of one."""


@dataclass(slots=True)
class Media:
    """`asks` is the field that says what is wanted."""

    KINDS: tuple[str, ...]
    asks: str
    FREE: bool = False
    REPEATS: bool = False

    def check(self, body: Json) -> None:
        given = body.get(self.asks)
        if not given or not isinstance(given, dict if self.asks == "file" else str):
            raise Invalid(f"'{self.asks}' is missing", param=self.asks)

    def bound(self, body: Json, default: int) -> int:
        if self.asks == "prompt":
            return PICTURE * (1 if body.get("n") is None else whole_number(body, "n"))
        if self.asks == "file":
            return default + int(body["file"]["bytes"]) // BYTES_A_TOKEN
        return default + len(body["input"])

    def usage(self, answer: Json, so_far: Usage | None = None) -> Usage | None:  # noqa: ARG002
        """Tokens where the vendor counts them, and pictures."""
        table = answer.get("json") if "kind" in answer else answer
        found = table.get("usage") if isinstance(table, dict) else None
        images = len(answer["data"]) if self.asks == "prompt" else 0
        if not isinstance(found, dict) or "input_tokens" not in found:
            return Usage(images=images) if images else None
        return Usage(count(found.get("input_tokens")), count(found.get("output_tokens")), images=images)

    def said(self, answer: Json) -> Iterator[str]:
        for text in self.answer_texts(answer):
            yield text.value

    def whole(self, answer: Json) -> bool:
        return isinstance(answer.get("data"), list) if self.asks == "prompt" else "kind" in answer

    def shown(self, piece: Json, model: str) -> bool:  # noqa: ARG002
        return True

    def closing(self, kept: list[Json], last: Json, usage: Usage, cost: Json) -> list[Json]:  # noqa: ARG002
        return kept

    def request_texts(self, body: Json) -> list[Text]:
        return [
            Text("system" if name == "instructions" else "input", name, body, name)
            for name in ("prompt", "input", "instructions")
            if isinstance(body.get(name), str) and body[name]
        ]

    def answer_texts(self, answer: Json) -> list[Text]:
        if "text" in answer:
            return [Text("output", "0", answer, "text")]
        if "json" in answer:
            return leaves("output", "0", answer["json"], {"text", "word"})
        return []

    def piece_texts(self, piece: Json) -> list[Text]:  # noqa: ARG002
        return []

    def whole_texts(self, piece: Json) -> list[Text]:  # noqa: ARG002
        return []

    def ended(self, piece: Json) -> list[str]:  # noqa: ARG002
        return []

    def tail(self, piece: Json, channel: str, text: str) -> Json:  # noqa: ARG002
        return piece


IMAGES = Media(("image",), "prompt")
SPEECH = Media(("speech",), "input")
TRANSCRIPTIONS = Media(("transcription",), "file")


async def asked(provider: Any, ask: Ask) -> Json:
    """What a vendor makes of a request that is no JSON or is not answered with any, its texts as guardrails left them."""
    if ask.form is None:
        reply = await provider.raw(ask.operation, "application/json", orjson.dumps(ask.body))
    else:
        kind, data = ask.form
        came = multipart.fields(kind, data)
        for name, value in ask.body.items():
            if isinstance(value, str) and (name == "prompt" or value != came.get(name)):
                data = multipart.with_field(kind, data, name, value)
        reply = await provider.raw(ask.operation, kind, data)
    if ask.operation == "speech":
        return {"kind": reply.kind, "data": reply.data}
    if "json" in reply.kind:
        return {"kind": reply.kind, "json": orjson.loads(reply.data)}
    return {"kind": reply.kind, "text": reply.data.decode("utf-8", "replace")}


def spoken(answer: Json) -> tuple[bytes, bytes]:
    """The content type and the bytes for the caller."""
    kind = str(answer["kind"]).encode("latin-1", "replace") or b"application/octet-stream"
    if "json" in answer:
        return kind, orjson.dumps(answer["json"])
    return kind, answer["text"].encode() if "text" in answer else answer["data"]
