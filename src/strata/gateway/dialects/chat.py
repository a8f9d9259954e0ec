"""OpenAI's chat completions: the gateway's own dialect, into which the others are translated.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from strata.errors import Invalid
from strata.gateway.dialect import count
from strata.gateway.dialects.strings import strings
from strata.gateway.guardrail import Place, Text
from strata.gateway.money.estimate import whole_number
from strata.types import Json, Usage

KINDS: tuple[str, ...] = ("chat",)
FREE = False
REPEATS = False
MAX_CHOICES = 128
DEEPEST = 5
SAID = {"content", "reasoning_content", "reasoning", "refusal"}
KNOWN_PARTS = {"text", "refusal", "image_url", "input_audio", "file", None}
"""Parts of a message in which only `text` and `refusal` are words."""

PLACES: dict[str, Place] = {"system": "system", "developer": "system", "tool": "retrieved", "function": "retrieved"}


def check(body: Json) -> None:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise Invalid("'messages' must be a list with at least one message", param="messages")


def bound(body: Json, default: int) -> int:
    """Over all choices. A limit of 0 is none. Raises `Invalid` for limits that make no sense."""
    limits = []
    for name in ("max_completion_tokens", "max_tokens"):
        if body.get(name):
            limits.append(whole_number(body, name))
        else:
            body.pop(name, None)
    if not limits:
        body["max_completion_tokens"] = default
        limits = [default]
    choices = 1 if body.get("n") is None else whole_number(body, "n")
    if choices > MAX_CHOICES:
        raise Invalid(f"'n' is at most {MAX_CHOICES}", param="n")
    others = list(_numbers(body, 0))
    most = max(limits + [number for name, number in others if name in LIMITS])
    return most * max([choices] + [number for name, number in others if name in COUNTS])


LIMITS = {
    "maxOutputTokens", "max_output_tokens", "maxTokens", "max_tokens", "max_completion_tokens", "max_new_tokens",
    "max_tokens_to_sample", "max_gen_len", "maxTokenCount", "n_predict", "num_predict",
}  # fmt: skip
COUNTS = {"candidateCount", "candidate_count", "best_of", "num_return_sequences", "n"}
"""What vendors call the limit and the number of answers, in fields of their own that pass to them."""

ASIDE = {"metadata", "response_format"}
"""Tables in which such names are the caller's own."""


def _numbers(body: Json, depth: int) -> Iterator[tuple[str, int]]:
    """The numbers under such names, in the request and in tables inside it, however they are written."""
    for name, value in body.items():
        if isinstance(value, dict) and depth < DEEPEST and name not in ASIDE:
            yield from _numbers(value, depth + 1)
        elif name in LIMITS or name in COUNTS:
            try:
                yield name, int(float(value))
            except (TypeError, ValueError, OverflowError):
                continue


def usage(answer: Json, so_far: Usage | None = None) -> Usage | None:  # noqa: ARG001 - the latest counts
    found = answer.get("usage")
    return parse_usage(found) if found else None


def parse_usage(usage: Any) -> Usage:
    """A vendor's usage object. Some vendors leave reasoning tokens out of the completion's: their total tells."""
    if not isinstance(usage, dict):
        return Usage()
    prompt, completion = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    inside, outside = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    cached = count(inside.get("cached_tokens")) if isinstance(inside, dict) else 0
    cached = cached or count(usage.get("prompt_cache_hit_tokens"))
    written = count(inside.get("cache_creation_tokens")) if isinstance(inside, dict) else 0
    reasoning = count(outside.get("reasoning_tokens")) if isinstance(outside, dict) else 0
    if reasoning and count(usage.get("total_tokens")) == prompt + completion + reasoning:
        completion += reasoning
    cached = min(cached, prompt)
    heard = count(inside.get("audio_tokens")) if isinstance(inside, dict) else 0
    said = count(outside.get("audio_tokens")) if isinstance(outside, dict) else 0
    return Usage(
        prompt,
        completion,
        cached,
        min(reasoning, completion),
        min(written, prompt - cached),
        min(heard, prompt),
        min(said, completion),
        cache_write_hour_tokens=min(_written_for_an_hour(usage), written),
    )


def _written_for_an_hour(usage: Json) -> int:
    """Of the tokens written to a cache, those that Anthropic keeps for an hour and charges dearer."""
    more = usage.get("provider_fields")
    made = (more if isinstance(more, dict) else usage).get("cache_creation")
    return count(made.get("ephemeral_1h_input_tokens")) if isinstance(made, dict) else 0


def usage_json(usage: Usage) -> Json:
    """Usage as OpenAI's object."""
    inside = {"cached_tokens": usage.cached_tokens}
    if usage.cache_write_tokens:
        inside["cache_creation_tokens"] = usage.cache_write_tokens
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": inside,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def said(answer: Json) -> Iterator[str]:
    for choice in answer.get("choices") or ():
        message = choice.get("delta") or choice.get("message")
        if not message:
            continue
        for name, value in message.items():
            if not value:
                continue
            if name in SAID:
                yield value if isinstance(value, str) else str(value)
            elif name == "tool_calls":
                for call in value:
                    yield (call.get("function") or {}).get("arguments") or ""


def whole(answer: Json) -> bool:
    choices = answer.get("choices")
    return isinstance(choices, list) and bool(choices) and all(isinstance(choice, dict) for choice in choices)


def shown(piece: Json, model: str) -> bool:
    """The usage in a stream is told once, at its end, by the gateway."""
    piece["model"] = model
    if piece.get("object") == "chat.completion":
        return True
    piece.pop("usage", None)
    return bool(piece.get("choices"))


def closing(kept: list[Json], last: Json, usage: Usage, cost: Json) -> list[Json]:  # noqa: ARG001 - a promise's
    """The piece in which OpenAI's clients look for the usage; it says the cost as well."""
    chunk = {
        "id": last.get("id", ""),
        "object": "chat.completion.chunk",
        "created": last.get("created", 0),
        "model": last.get("model", ""),
        "choices": [],
        "usage": usage_json(usage) | cost,
    }
    return [chunk]


def request_texts(body: Json) -> list[Text]:
    texts: list[Text] = []
    for number, message in enumerate(body["messages"]):
        role = message.get("role")
        place = PLACES.get(role, "output" if role == "assistant" else "input")
        _message(message, place, str(number), texts)
        texts += strings(message.get("provider_fields"), place, f"{number}.provider")
    for name in ("tools", "functions"):
        if isinstance(body.get(name), list):
            texts += strings(body[name], "system", name)
    if isinstance(body.get("prediction"), dict):
        texts += strings(body["prediction"], "input", "prediction")
    return texts


def answer_texts(answer: Json) -> list[Text]:
    texts: list[Text] = []
    for choice in answer.get("choices") or ():
        _unlikely(choice)
        message, channel = choice.get("message") or {}, str(choice.get("index", 0))
        _message(message, "output", channel, texts)
        texts += strings(message.get("provider_fields"), "output", f"{channel}.provider")
    return texts


def piece_texts(piece: Json) -> list[Text]:
    texts: list[Text] = []
    for choice in piece.get("choices") or ():
        _unlikely(choice)
        _message(choice.get("delta") or {}, "output", str(choice.get("index", 0)), texts)
    return texts


def _unlikely(choice: Json) -> None:
    """Take out the tokens' probabilities, which would say again what a guardrail takes out."""
    if choice.get("logprobs"):
        choice["logprobs"] = None


def whole_texts(piece: Json) -> list[Text]:
    """What the vendor says in fields of its own, each at once."""
    texts: list[Text] = []
    for choice in piece.get("choices") or ():
        if fields := (choice.get("delta") or {}).get("provider_fields"):
            texts += strings(fields, "output", f"{choice.get('index', 0)}.provider")
    return texts


def ended(piece: Json) -> list[str]:
    return [str(choice.get("index", 0)) for choice in piece.get("choices") or () if choice.get("finish_reason")]


def tail(piece: Json, channel: str, text: str) -> Json:
    index, _, rest = channel.partition(".")
    kind, _, number = rest.partition(".")
    delta: Json = {kind or "content": text}
    if kind == "tool":
        delta = {"tool_calls": [{"index": int(number), "function": {"arguments": text}}]}
    elif kind == "audio":
        delta = {"audio": {"transcript": text}}
    choice = {"index": int(index), "delta": delta, "finish_reason": None}
    return {**{name: value for name, value in piece.items() if name != "usage"}, "choices": [choice]}


def _message(message: Json, place: Place, channel: str, texts: list[Text]) -> None:
    content = message.get("content")
    if isinstance(content, str):
        if content:
            texts.append(Text(place, channel, message, "content"))
    elif isinstance(content, list):
        for number, part in enumerate(content):
            if isinstance(part, dict):
                _part(part, place, f"{channel}.content.{number}", texts)
            elif isinstance(part, str) and part:
                texts.append(Text(place, f"{channel}.content.{number}", content, number))
    texts += [
        Text(place, f"{channel}.{name}", message, name)
        for name in ("reasoning_content", "reasoning", "refusal")
        if isinstance(message.get(name), str) and message[name]
    ]
    if isinstance(audio := message.get("audio"), dict) and isinstance(audio.get("transcript"), str):
        texts.append(Text(place, f"{channel}.audio", audio, "transcript"))
    for number, call in enumerate(message.get("tool_calls") or ()):
        if isinstance(call, dict):
            _tool_call(call, f"{channel}.tool.{call.get('index', number)}", texts)
    if isinstance(message.get("function_call"), dict):
        _tool_call({"function": message["function_call"]}, f"{channel}.function", texts)


def _part(part: Json, place: Place, channel: str, texts: list[Text]) -> None:
    words = [name for name in ("text", "refusal") if isinstance(part.get(name), str) and part[name]]
    texts += [Text(place, channel, part, name) for name in words]
    if part.get("type") not in KNOWN_PARTS:
        texts += (text for text in strings(part, place, channel) if text.holder is not part or text.key != "text")


def _tool_call(call: Json, channel: str, texts: list[Text]) -> None:
    for kind, name in (("function", "arguments"), ("custom", "input")):
        held = call.get(kind)
        if isinstance(held, dict) and isinstance(held.get(name), str) and held[name]:
            texts.append(Text("tool", channel, held, name))
