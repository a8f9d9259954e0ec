"""A chat request (OpenAI's) as Google's `generateContent`. https://ai.google.dev/api/generate-content

What Google names otherwise is put under its names; fields in Google's own names (`safetySettings`, `cachedContent`,
`generationConfig` …) pass as they are, and what has no counterpart there is left out.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from typing import Any

import orjson

from strata.errors import Invalid
from strata.types import Json

MADE = "gcall_"
"""How ids of calls begin that Google gave none: it is not told of them."""

NO_SIGNATURE = "skip_thought_signature_validator"
"""What Google takes in place of the signature of a call that another model made.
https://ai.google.dev/gemini-api/docs/thought-signatures"""

CONTEXT = 1_048_576
"""The most that a prompt can have, where the settings do not say it."""

OWN = ("cachedContent", "labels", "modelArmorConfig", "serviceTier", "toolConfig")
"""Fields of Google's that a caller may send beside OpenAI's."""

DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*?(;base64)?,", re.ASCII)
AUDIO = {"mp3": "audio/mp3", "wav": "audio/wav", "pcm16": "audio/pcm"}
BUDGETS = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
LEVELS = {"none": "minimal", "minimal": "minimal", "low": "low", "medium": "medium", "xhigh": "high", "max": "high"}

SAID = {"text", "functionCall", "functionResponse"}
"""Parts that the message itself says. Nothing comes past the guardrails by being put among the others."""

PLAIN = {
    "temperature": "temperature", "top_p": "topP", "top_k": "topK", "seed": "seed", "n": "candidateCount",
    "presence_penalty": "presencePenalty", "frequency_penalty": "frequencyPenalty",
}  # fmt: skip


def request(body: Json, model: str, options: Mapping[str, Any]) -> Json:
    """Raises `Invalid` for what Google has no words for."""
    system, contents = _messages(body.get("messages") or [], model)
    made: Json = {"contents": contents}
    if system:
        made["systemInstruction"] = {"parts": system}
    made.update({name: body[name] for name in OWN if name in body})
    if tools := _tools(body):
        made["tools"] = tools
    if (choice := _choice(body)) and tools:
        made["toolConfig"] = {**made.get("toolConfig", {}), "functionCallingConfig": choice}
    if settings := _safety(body, options):
        made["safetySettings"] = settings
    if generation := _generation(body, model):
        made["generationConfig"] = generation
    return made


# ------------------------------------------------------------------ messages


def _messages(messages: list[Any], model: str) -> tuple[list[Json], list[Json]]:
    """The instructions, and the conversation with one content for each change of speaker."""
    system: list[Json] = []
    contents: list[Json] = []
    names: dict[str, str] = {}
    results: list[tuple[int, list[Json]]] = []
    for message in [*messages, {"role": ""}]:
        if not isinstance(message, dict):
            raise Invalid("every message must be an object", param="messages")
        role = message.get("role")
        if role in {"tool", "function"}:
            results.append((_place(message, names), _result(message, names)))
            continue
        for _, parts in sorted(results, key=lambda it: it[0]):
            _add(contents, "user", parts)
        results.clear()
        if role in {"system", "developer"}:
            system += [part for part in _parts(message.get("content")) if "text" in part]
        elif role == "assistant":
            _add(contents, "model", _assistant(message, names, model))
        elif role:
            _add(contents, "user", _parts(message.get("content")) or [{"text": ""}])
    for content in contents:
        _in_order(content)
    if not contents:
        contents.append({"role": "user", "parts": [{"text": ""}]})
    return system, contents


def _place(message: Json, names: dict[str, str]) -> int:
    """Which of the calls this is the result of: Google tells them apart by their order where they have no ids."""
    ids = list(names)
    id_ = str(message.get("tool_call_id") or "")
    return ids.index(id_) if id_ in names else len(ids)


def _add(contents: list[Json], role: str, parts: list[Json]) -> None:
    if not parts:
        return
    if contents and contents[-1]["role"] == role:
        contents[-1]["parts"] += parts
    else:
        contents.append({"role": role, "parts": parts})


def _in_order(content: Json) -> None:
    """Results of calls stand first, as Google wants them directly behind the calls."""
    if content["role"] == "user" and any("functionResponse" in part for part in content["parts"]):
        content["parts"].sort(key=lambda part: "functionResponse" not in part)


def _assistant(message: Json, names: dict[str, str], model: str) -> list[Json]:
    ours = message.get("provider_fields") or {}
    parts = [part for part in ours.get("parts") or () if isinstance(part, dict) and not part.keys() & SAID]
    texts = _parts(message.get("content"))
    if (signature := ours.get("thought_signature")) and texts:
        texts[-1] = {**texts[-1], "thoughtSignature": signature}
    parts += texts
    calls = [call for call in message.get("tool_calls") or () if isinstance(call, dict)]
    if not calls and isinstance(old := message.get("function_call"), dict):
        calls = [{"id": "", "function": old}]
    for number, call in enumerate(calls):
        parts.append(_call(call, names, strict=number == 0 and "gemini-3" in model))
    return parts


def _call(call: Json, names: dict[str, str], *, strict: bool) -> Json:
    function = call.get("function") or {}
    name, id_ = str(function.get("name") or ""), str(call.get("id") or "")
    names[id_] = name
    part: Json = {"functionCall": {"name": name, "args": _arguments(function.get("arguments"))}}
    if id_ and not id_.startswith(MADE):
        part["functionCall"]["id"] = id_
    if signature := _signature(call) or (NO_SIGNATURE if strict else ""):
        part["thoughtSignature"] = signature
    return part


def _signature(call: Json) -> str:
    """Ours, or as Google's own OpenAI-speaking address puts it."""
    ours, theirs = call.get("provider_fields"), call.get("extra_content")
    if isinstance(ours, dict) and ours.get("thought_signature"):
        return str(ours["thought_signature"])
    google = theirs.get("google") if isinstance(theirs, dict) else None
    return str(google.get("thought_signature") or "") if isinstance(google, dict) else ""


def _arguments(text: Any) -> Json:
    if isinstance(text, dict):
        return text
    try:
        value = orjson.loads(text or "{}")
    except ValueError as error:
        raise Invalid("the arguments of a call in 'messages' are not JSON", param="messages") from error
    return value if isinstance(value, dict) else {"value": value}


def _result(message: Json, names: dict[str, str]) -> list[Json]:
    id_ = str(message.get("tool_call_id") or "")
    parts = _parts(message.get("content"))
    text = "".join(part["text"] for part in parts if "text" in part)
    said = {"error": text} if message.get("is_error") else _response(text)
    response: Json = {"name": names.get(id_) or str(message.get("name") or id_), "response": said}
    if id_ and not id_.startswith(MADE):
        response["id"] = id_
    return [{"functionResponse": response}, *(part for part in parts if "text" not in part)]


def _response(text: str) -> Json:
    try:
        value = orjson.loads(text)
    except ValueError:
        return {"output": text}
    return value if isinstance(value, dict) else {"output": value}


# ------------------------------------------------------------------ parts


def _parts(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"text": content}] if content else []
    return [_part(part) for part in content or () if part]


def _part(part: Any) -> Json:
    if isinstance(part, str):
        return {"text": part}
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in {"text", "refusal", "input_text", "output_text"}:
        return {"text": str(part.get("text", part.get("refusal")) or "")}
    if kind in {"image_url", "video_url", "audio_url", "document_url"}:
        holder = part.get(kind)
        return _media(holder.get("url") if isinstance(holder, dict) else holder, {"image_url": "image/jpeg"}.get(kind))
    if kind == "input_audio" and isinstance(audio := part.get("input_audio"), dict):
        form = str(audio.get("format") or "wav")
        return {"inlineData": {"mimeType": AUDIO.get(form, f"audio/{form}"), "data": audio.get("data")}}
    if kind == "file" and isinstance(file := part.get("file"), dict):
        guessed = mimetypes.guess_type(str(file.get("filename") or ""))[0] or "application/pdf"
        return _media(file.get("file_data") or file.get("file_id"), guessed, bare=bool(file.get("file_data")))
    raise Invalid(f"a part of a message of the type {kind!r} cannot be sent to this model", param="messages")


def _media(url: Any, guess: str | None, *, bare: bool = False) -> Json:
    """A data URL as inline data, any other address as a file that Google fetches. `bare`: it may be base64 alone."""
    if not isinstance(url, str) or not url:
        raise Invalid("a picture or file in 'messages' has no address and no data", param="messages")
    if found := DATA.match(url):
        if not found[2]:
            raise Invalid("a data URL in 'messages' must be base64", param="messages")
        return {"inlineData": {"mimeType": found[1] or guess or "text/plain", "data": url[found.end() :]}}
    if bare and "://" not in url:
        return {"inlineData": {"mimeType": guess or "application/octet-stream", "data": url}}
    file = {"fileUri": url}
    kind = mimetypes.guess_type(url.partition("?")[0])[0] or (None if "youtu" in url else guess)
    if kind:
        file["mimeType"] = kind
    return {"fileData": file}


# ------------------------------------------------------------------ tools


def _tools(body: Json) -> list[Json]:
    """Functions in one entry; what is no function passes as it is (`{"googleSearch": {}}`)."""
    declared, others = [], []
    old = [{"type": "function", "function": it} for it in body.get("functions") or ()]
    for tool in [*(body.get("tools") or ()), *old]:
        if not isinstance(tool, dict):
            raise Invalid("every tool must be an object", param="tools")
        if isinstance(function := tool.get("function"), dict):
            declared.append(_declaration(function))
        elif "type" not in tool:
            others.append(tool)
        else:
            raise Invalid(f"tools of the type {tool['type']!r} are unknown to this model", param="tools")
    if isinstance(body.get("web_search_options"), dict):
        others.append({"googleSearch": {}})
    return ([{"functionDeclarations": declared}] if declared else []) + others


def _declaration(function: Json) -> Json:
    made = {name: function[name] for name in ("name", "description") if function.get(name) is not None}
    schema = function.get("parameters")
    if isinstance(schema, dict) and schema:
        made["parametersJsonSchema"] = {name: value for name, value in schema.items() if name != "$schema"}
    return made


def _choice(body: Json) -> Json | None:
    choice = body.get("tool_choice", body.get("function_call"))
    if isinstance(choice, str):
        mode = {"auto": "AUTO", "none": "NONE", "required": "ANY", "any": "ANY", "validated": "VALIDATED"}.get(choice)
        return {"mode": mode} if mode else None
    if not isinstance(choice, dict):
        return None
    if choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools") or {}
        names = [(it.get("function") or {}).get("name") or it.get("name") for it in allowed.get("tools") or ()]
        if allowed.get("mode") == "required":
            return {"mode": "ANY", "allowedFunctionNames": names}
        return {"mode": "VALIDATED", "allowedFunctionNames": names}
    name = (choice.get("function") or {}).get("name") or choice.get("name")
    return {"mode": "ANY", "allowedFunctionNames": [name]} if name else None


def _safety(body: Json, options: Mapping[str, Any]) -> list[Json]:
    """The operator's settings; only where there are none, the caller's."""
    given = options.get("safety_settings")
    if isinstance(given, dict):
        return [{"category": category, "threshold": threshold} for category, threshold in given.items()]
    return given or body.get("safetySettings") or body.get("safety_settings") or []


def fetches(body: Json) -> bool:
    """Whether more becomes prompt than stands in the request: by Google's own tools, a cache, a film, or any other file
    that is only named.
    """
    tools = [tool for tool in body.get("tools") or () if isinstance(tool, dict)]
    if any("function" not in tool for tool in tools) or body.get("cachedContent") or body.get("web_search_options"):
        return True
    messages = [it for it in body.get("messages") or () if isinstance(it, dict)]
    parts = [it for message in messages if isinstance(message.get("content"), list) for it in message["content"]]
    return any(isinstance(part, dict) and _named(part) for part in parts)


def _named(part: Json) -> bool:
    kind, file = part.get("type"), part.get("file")
    return kind in {"video_url", "audio_url", "document_url"} or (isinstance(file, dict) and bool(file.get("file_id")))


# ------------------------------------------------------------------ how to generate


def _generation(body: Json, model: str) -> Json:
    made: Json = {google: body[name] for name, google in PLAIN.items() if body.get(name) is not None}
    if made.get("candidateCount") == 1:
        del made["candidateCount"]
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    if limit is not None:
        made["maxOutputTokens"] = limit
    if stop := body.get("stop"):
        made["stopSequences"] = [stop] if isinstance(stop, str) else stop
    if body.get("logprobs"):
        made["responseLogprobs"] = True
        if body.get("top_logprobs"):
            made["logprobs"] = body["top_logprobs"]
    made.update(_form(body.get("response_format")))
    if modalities := body.get("modalities"):
        made["responseModalities"] = [str(it).upper() for it in modalities]
        voice = (body.get("audio") or {}).get("voice")
        if isinstance(voice, str) and "audio" in modalities:
            made["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}}
    if thinking := _thinking(body, model):
        made["thinkingConfig"] = thinking
    own = body.get("generationConfig")
    return {**made, **own} if isinstance(own, dict) else made


def _form(wanted: Any) -> Json:
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        return {"responseMimeType": "application/json"}
    if kind != "json_schema":
        return {}
    schema = (wanted.get("json_schema") or {}).get("schema")
    made: Json = {"responseMimeType": "application/json"}
    if isinstance(schema, dict):
        made["responseJsonSchema"] = {name: value for name, value in schema.items() if name != "$schema"}
    return made


def _thinking(body: Json, model: str) -> Json | None:
    """How long to think. https://ai.google.dev/gemini-api/docs/thinking

    Models from 3 on have levels, earlier ones budgets of tokens; the budgets are those of Google's own mapping from
    OpenAI's efforts. A model that cannot stop thinking thinks as little as it can.
    """
    own = body.get("thinkingConfig", body.get("thinking_config"))
    if isinstance(own, dict):
        return own
    thinking, effort = body.get("thinking"), body.get("reasoning_effort")
    if isinstance(thinking, dict):
        if thinking.get("type") == "disabled":
            effort = "none"
        elif isinstance(thinking.get("budget_tokens"), int):
            return {"thinkingBudget": thinking["budget_tokens"], "includeThoughts": True}
        elif thinking.get("type") == "adaptive":
            return {"includeThoughts": True}
    if not isinstance(effort, str):
        return None
    shown = effort != "none"
    if levelled(model):
        level = LEVELS.get(effort, "high")
        if level == "minimal" and "flash" not in model:
            level = "low"
        return {"thinkingLevel": level, "includeThoughts": shown}
    budget = BUDGETS.get(effort, -1)
    if "pro" in model:
        budget = max(budget, 128) if budget >= 0 else budget
    return {"thinkingBudget": budget, "includeThoughts": shown}


def levelled(model: str) -> bool:
    """Whether a model takes a level of thinking instead of a budget."""
    return not re.search(r"gemini-(1|2)[.-]", model) and "gemini" in model
