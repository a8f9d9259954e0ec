"""OpenAI's published description of its API, to hold our answers against."""

from __future__ import annotations

import gzip
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema_rs import Draft202012Validator

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def schema(shared: Path, name: str) -> Draft202012Validator:
    """The named schema, with all that it refers to."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": _components(shared)})


@cache
def _components(shared: Path) -> dict[str, Any]:
    place = shared / "data" / "wire" / "openai_openapi" / "openapi.yaml.gz"
    return dict(_nullable(yaml.load(gzip.decompress(place.read_bytes()), Loader=Loader)["components"]))


def _nullable(value: Any) -> Any:
    """The description still says `nullable: true` in places, which JSON Schema says as a choice."""
    if isinstance(value, list):
        return [_nullable(it) for it in value]
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, dict):
        return value
    inner = {name: _nullable(it) for name, it in value.items() if name != "nullable"}
    return {"anyOf": [inner, {"type": "null"}]} if value.get("nullable") is True else inner


def mistakes(shared: Path, name: str, value: Any) -> list[str]:
    """What is wrong about the value, if it is to be such a one."""
    return [f"{place(error)}: {error.message[:200]}" for error in schema(shared, name).iter_errors(value)]


def place(error: Any) -> str:
    return "$" + "".join(f"[{it}]" if isinstance(it, int) else f".{it}" for it in error.instance_path)
