"""What the mock vendor says besides chat: Anthropic's Messages, OpenAI's Responses, pictures, sound, an order of documents.

Each answer is whole or a row of server-sent events, with usage as that dialect counts it. The script is that of
`strata.testing.vendor`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
ANSWER = "This is the mock's answer."


def example(schema: Any, root: Any = None) -> Any:
    """A value that satisfies a JSON schema, the simplest one."""
    schema = schema if isinstance(schema, dict) else {}
    root = schema if root is None else root
    if "$ref" in schema:
        found: Any = root
        for name in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found.get(name, {})
        return example(found, root)
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if schema.get("enum"):
        return schema["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            return example(schema[name][0], root)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        return {name: example(inner, root) for name, inner in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [example(schema.get("items"), root) for _ in range(max(1, schema.get("minItems", 1)))]
    simple: Json = {"integer": schema.get("minimum", 3), "number": 3.5, "boolean": True, "null": None}
    return simple.get(str(kind), "ice")


def calls(script: Json, tools: list[tuple[Any, Any]], *, forced: bool, answered: bool) -> list[tuple[str, Any, Any]]:
    """The calls of tools in an answer: their ids, names and arguments."""
    if answered or ("tools" not in script and not forced):
        return []
    count = 1 if script.get("tools", True) is True else int(script["tools"])
    name, schema = tools[0] if tools else ("lookup", None)
    arguments = example(schema) if schema and "properties" in schema else {"word": "ice"}
    return [(f"call_{number}", name, arguments) for number in range(1, count + 1)]


def cut(text: str, count: int) -> list[str]:
    """The text in so many pieces."""
    count = max(1, min(count, len(text)))
    return [text[len(text) * number // count : len(text) * (number + 1) // count] for number in range(count)]


# ------------------------------------------------------------------ Anthropic's Messages


def messages_usage(script: Json, *, out: int | None = None) -> Json:
    cached = int(script.get("cached", 0))
    return {
        "input_tokens": int(script.get("prompt", 12)) - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": int(script.get("completion", 8)) if out is None else out,
    }


def message_blocks(body: Json, script: Json, dumps: Any) -> tuple[list[Json], str]:
    tools = [(tool.get("name"), tool.get("input_schema")) for tool in body.get("tools") or ()]
    forced = (body.get("tool_choice") or {}).get("type") in {"any", "tool"}
    last = (body.get("messages") or [{}])[-1].get("content")
    answered = isinstance(last, list) and any(it.get("type") == "tool_result" for it in last)
    blocks: list[Json] = []
    if "think" in script or (body.get("thinking") or {}).get("type") == "enabled":
        blocks.append({"type": "thinking", "thinking": "Hm, a question.", "signature": "c2lnbmVk"})
    made = calls(script, tools, forced=forced, answered=answered)
    if made:
        blocks += [{"type": "tool_use", "id": f"toolu_{id_}", "name": name, "input": it} for id_, name, it in made]
        return blocks, "tool_use"
    form = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    text = dumps(example(form["schema"])).decode() if form.get("schema") else ANSWER
    return [*blocks, {"type": "text", "text": text}], "max_tokens" if "cut" in script else "end_turn"


def message(body: Json, script: Json, dumps: Any) -> Json:
    blocks, reason = message_blocks(body, script, dumps)
    return {
        "id": "msg_mock", "type": "message", "role": "assistant", "model": body.get("model"), "content": blocks,
        "stop_reason": reason, "stop_sequence": None, "usage": messages_usage(script),
    }  # fmt: skip


def message_events(body: Json, script: Json, dumps: Any) -> Iterator[Json]:
    whole = message(body, script, dumps)
    start = {**whole, "content": [], "stop_reason": None, "usage": messages_usage(script, out=1)}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(whole["content"]):
        kind = block["type"]
        empties: dict[str, Json] = {
            "thinking": {"thinking": "", "signature": ""},
            "text": {"text": ""},
            "tool_use": {"input": {}},
        }
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empties[kind]}}
        name = {"thinking": "thinking", "text": "text", "tool_use": "partial_json"}[kind]
        text = dumps(block["input"]).decode() if kind == "tool_use" else block[kind]
        delta = "input_json_delta" if kind == "tool_use" else f"{kind}_delta"
        for piece in cut(text, int(script.get("chunks", 4))):
            yield {"type": "content_block_delta", "index": index, "delta": {"type": delta, name: piece}}
        if kind == "thinking":
            signed = {"type": "signature_delta", "signature": block["signature"]}
            yield {"type": "content_block_delta", "index": index, "delta": signed}
        yield {"type": "content_block_stop", "index": index}
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": whole["usage"]}
    yield {"type": "message_stop"}


# ------------------------------------------------------------------ OpenAI's Responses


def response(body: Json, script: Json, dumps: Any) -> Json:
    tools = [(it.get("name"), it.get("parameters")) for it in body.get("tools") or () if it.get("type") == "function"]
    forced = (
        body.get("tool_choice") not in {None, "auto", "none"} if not isinstance(body.get("tool_choice"), dict) else True
    )
    given = body.get("input")
    answered = isinstance(given, list) and bool(given) and given[-1].get("type") == "function_call_output"
    output: list[Json] = []
    if "think" in script:
        summary = [{"type": "summary_text", "text": "Hm, a question."}]
        output.append({"id": "rs_mock", "type": "reasoning", "summary": summary, "encrypted_content": None})
    made = calls(script, tools, forced=forced and bool(tools), answered=answered)
    for id_, name, arguments in made:
        told = {"call_id": id_, "name": name, "arguments": dumps(arguments).decode(), "status": "completed"}
        output.append({"id": f"fc_{id_}", "type": "function_call", **told})
    if not made:
        form = (body.get("text") or {}).get("format") or {}
        text = dumps(example(form["schema"])).decode() if form.get("schema") else ANSWER
        part: Json = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        output.append(
            {"id": "msg_mock", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
        )
    prompt, completion = int(script.get("prompt", 12)), int(script.get("completion", 8))
    return {
        "id": "resp_mock", "object": "response", "created_at": 1_700_000_000, "status": "completed", "error": None,
        "incomplete_details": None, "instructions": body.get("instructions"), "metadata": body.get("metadata") or {},
        "model": body.get("model"), "output": output, "parallel_tool_calls": True, "temperature": 1.0, "top_p": 1.0,
        "tool_choice": body.get("tool_choice") or "auto", "tools": body.get("tools") or [],
        "text": body.get("text") or {"format": {"type": "text"}}, "store": body.get("store"),
        "usage": {
            "input_tokens": prompt, "input_tokens_details": {"cached_tokens": int(script.get("cached", 0)), "cache_write_tokens": 0},
            "output_tokens": completion, "output_tokens_details": {"reasoning_tokens": int(script.get("reasoning", 0))},
            "total_tokens": prompt + completion,
        },
    }  # fmt: skip


def response_events(body: Json, script: Json, dumps: Any) -> Iterator[Json]:
    for number, event in enumerate(_response_events(response(body, script, dumps), int(script.get("chunks", 4)))):
        yield {**event, "sequence_number": number}


def _response_events(whole: Json, chunks: int) -> Iterator[Json]:
    begun = {**whole, "status": "in_progress", "output": []}
    del begun["usage"]
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(whole["output"]):
        place = {"item_id": item["id"], "output_index": index}
        kind = item["type"]
        inside = {"message": "content", "reasoning": "summary", "function_call": "arguments"}[kind]
        bare = {**item, inside: "" if kind == "function_call" else []}
        yield {"type": "response.output_item.added", "output_index": index, "item": bare}
        if kind == "function_call":
            for piece in cut(item["arguments"], chunks):
                yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
            done = {"arguments": item["arguments"], "name": item["name"]}
            yield {"type": "response.function_call_arguments.done", **place, **done}
        else:
            at = {**place, "content_index" if kind == "message" else "summary_index": 0}
            part: Json = item[inside][0]
            text = part["text"]
            run = "response.output_text" if kind == "message" else "response.reasoning_summary_text"
            outer = "response.content_part" if kind == "message" else "response.reasoning_summary_part"
            more: Json = {"logprobs": []} if kind == "message" else {}
            yield {"type": f"{outer}.added", **at, "part": {**part, "text": ""}}
            for piece in cut(text, chunks):
                yield {"type": f"{run}.delta", **at, "delta": piece, **more}
            yield {"type": f"{run}.done", **at, "text": text, **more}
            yield {"type": f"{outer}.done", **at, "part": part}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": whole}


# ------------------------------------------------------------------ the others


def order(body: Json) -> Json:
    """The longest document first."""
    documents = body.get("documents") or []
    ranked = sorted(range(len(documents)), key=lambda index: -len(str(documents[index])))
    results = [{"index": index, "relevance_score": 1 / (place + 1)} for place, index in enumerate(ranked)]
    return {"results": results[: body.get("top_n") or len(results)], "usage": {"total_tokens": 4 * len(documents)}}


def pictures(body: Json) -> Json:
    data = [{"b64_json": "aWNl"} for _ in range(body.get("n") or 1)]
    details = {"image_tokens": 0, "text_tokens": 5}
    used = {"input_tokens": 5, "input_tokens_details": details, "output_tokens": 100, "total_tokens": 105}
    return {"created": 1_700_000_000, "data": data, "usage": used}
