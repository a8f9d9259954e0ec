"""What the door answers, checked against the description that OpenAI publishes of its own API."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from strata.testing.vendor import MockVendor

from .conftest import at, doorway, echo
from .test_clients import CHAT_TOOLS, RESPONSES_TOOLS, behind
from .test_ingress import BODIES, HI, KINDS, events


@pytest.fixture(scope="module")
def schemas(shared: Path) -> Any:
    """The schemas of OpenAI's API, in which references lead from the root."""
    place = shared / "data" / "wire" / "openai_openapi" / "openapi.yaml.gz"
    if not place.is_file():
        pytest.skip(f"no description of OpenAI's API at {place}")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return nullable(yaml.load(gzip.decompress(place.read_bytes()), loader)["components"])


def nullable(value: Any) -> Any:
    """The older word `nullable` in the words of JSON Schema."""
    if isinstance(value, list):
        return [nullable(it) for it in value]
    if not isinstance(value, dict):
        return value
    made = {name: nullable(it) for name, it in value.items() if name != "nullable"}
    return {"anyOf": [made, {"type": "null"}]} if value.get("nullable") is True else made


def named(schemas: Any, kind: str) -> str:
    """The schema of the events of that type."""
    tables = schemas["schemas"].items()
    return next(
        name for name, it in tables if name.startswith("Response") and (it.get("properties") or {}).get("type", {}).get("enum") == [kind]
    )  # fmt: skip


def valid(schemas: Any, name: str, value: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": schemas}
    wrong = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    assert wrong is None, f"{name} at {wrong.json_path}: {wrong.message[:300]} in {str(value)[:500]}"


@pytest.mark.parametrize("script", ["mock", "mock;tools=2", "mock;think", "mock;cut"])
@pytest.mark.parametrize("kind", [*KINDS, "echo"])
async def test_chats_and_responses_are_what_openai_describes(vendor: MockVendor, schemas: Any, kind: str, script: str):
    model = echo() if kind == "echo" else behind(kind, vendor, script)
    async with doorway(model) as door:
        body = {"model": "echo", "messages": HI, "tools": CHAT_TOOLS}
        valid(schemas, "CreateChatCompletionResponse", await (await door.post("/v1/chat/completions", body)).json())
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        for event in events(await (await door.post("/v1/chat/completions", body)).text()):
            valid(schemas, "CreateChatCompletionStreamResponse", event)
        asked = {**BODIES["/v1/responses"], "tools": RESPONSES_TOOLS}
        valid(schemas, "Response", await (await door.post("/v1/responses", asked)).json())
        for event in events(await (await door.post("/v1/responses", {**asked, "stream": True})).text()):
            valid(schemas, named(schemas, event["type"]), event)


async def test_embeddings_models_and_errors_are_what_openai_describes(vendor: MockVendor, schemas: Any):
    async with doorway(at(vendor, kind="embedding"), echo("own", kind="embedding")) as door:
        for model in ("echo", "own"):
            answer = await door.post("/v1/embeddings", {"model": model, "input": ["one", "two"]})
            valid(schemas, "CreateEmbeddingResponse", await answer.json())
        headers = {"authorization": f"Bearer {door.key}"}
        async with door.session.get(f"{door.url}/v1/models", headers=headers) as answer:
            valid(schemas, "ListModelsResponse", await answer.json())
        async with door.session.get(f"{door.url}/v1/models/own", headers=headers) as answer:
            valid(schemas, "Model", await answer.json())
        for path, body in BODIES.items():
            if path != "/v1/messages":
                valid(schemas, "ErrorResponse", await (await door.post(path, {**body, "model": "huge"})).json())
