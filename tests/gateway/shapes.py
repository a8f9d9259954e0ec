"""Holds JSON against AWS's machine-readable description of a service: an oracle for what we send."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PYTHON = {"string": str, "boolean": bool, "integer": int, "long": int, "float": (int, float), "double": (int, float)}


@dataclass(frozen=True)
class Shapes:
    shapes: dict[str, Any]

    @classmethod
    def of(cls, path: Path) -> Shapes:
        return cls(json.loads(path.read_text())["shapes"])

    def mistakes(self, value: Any, name: str, at: str = "") -> Iterator[str]:
        """What is wrong about the value, as a shape of that name."""
        shape = self.shapes[name]
        kind = shape["type"]
        if shape.get("document"):
            return
        if kind == "structure":
            yield from self._structure(value, shape, at)
        elif kind == "list":
            for index, it in enumerate(value):
                yield from self.mistakes(it, shape["member"]["shape"], f"{at}[{index}]")
        elif kind == "map":
            for key, it in value.items():
                yield from self.mistakes(it, shape["value"]["shape"], f"{at}.{key}")
        elif kind == "blob":
            if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", value):
                yield f"{at} is not base64"
        elif not isinstance(value, PYTHON[kind]):
            yield f"{at} is no {kind}: {value!r}"
        elif kind == "string":
            yield from self._string(value, shape, at)

    def _structure(self, value: Any, shape: Any, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at} is no structure: {value!r}"
            return
        own = {
            it.get("locationName", member): it for member, it in shape["members"].items() if it.get("location") != "uri"
        }
        if shape.get("union") and len(value) != 1:
            yield f"{at} must have one member: {list(value)}"
        for missing in set(shape.get("required", ())) & own.keys() - value.keys():
            yield f"{at}.{missing} is missing"
        for member, it in value.items():
            if member not in own:
                yield f"{at}.{member} is not known"
            else:
                yield from self.mistakes(it, own[member]["shape"], f"{at}.{member}")

    def _string(self, value: str, shape: Any, at: str) -> Iterator[str]:
        if shape.get("enum") and value not in shape["enum"]:
            yield f"{at} {value!r} is none of {shape['enum']}"
        if shape.get("pattern") and not re.fullmatch(shape["pattern"], value):
            yield f"{at} {value!r} does not match {shape['pattern']}"
        if not shape.get("min", 0) <= len(value) <= shape.get("max", 10**9):
            yield f"{at} {value!r} has the wrong length"
