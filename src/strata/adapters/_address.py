"""The part of an address behind its scheme: a place and, behind a question mark, options (`records.db?durable=false`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from strata.errors import Misconfigured


def split(address: str, known: Mapping[str, Callable[[str], Any]]) -> tuple[str, dict[str, Any]]:
    """The place, and the options that are given there, each read by its function. `Misconfigured` names what is wrong."""
    place, _, query = address.partition("?")
    options: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise Misconfigured(f"{address}: no option called {name!r}; there are {sorted(known)}")
        try:
            options[name] = known[name](text)
        except ValueError as error:
            raise Misconfigured(f"{address}: {name} cannot be {text!r}: {error}") from error
    return place, options


def truth(text: str) -> bool:
    """`true` or `false`."""
    if text not in {"true", "false"}:
        raise ValueError("it is true or false")
    return text == "true"
