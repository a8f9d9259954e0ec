"""Finds the file that a setting names: `sqlite:gateway.db` is `adapters/records/sqlite.py`, `openai:groq` a provider's.

Ours are files in known folders; the file's name is the scheme. A stranger's package offers the same through an entry
point in the group `strata.<kind>` whose name is the scheme. `available` lists both, and a test loads every one.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import distributions
from types import ModuleType

from strata.errors import Misconfigured

FOLDERS = {
    "objects": "strata.adapters.objects",
    "records": "strata.adapters.records",
    "bus": "strata.adapters.bus",
    "vectors": "strata.adapters.vectors",
    "graph": "strata.adapters.graph",
    "analytics": "strata.adapters.analytics",
    "provider": "strata.gateway.providers",
    "guardrail": "strata.gateway.guardrails",
    "parser": "strata.data.parsers",
    "connector": "strata.data.connectors",
    "metric": "strata.factory.metrics",
    "notifier": "strata.reporting.notifiers",
    "export": "strata.reporting.exports",
}


def available(kind: str) -> list[str]:
    """The schemes that can be named for this kind of plugin, ours and strangers'."""
    folder = importlib.import_module(FOLDERS[kind])
    ours = {module.name for module in pkgutil.iter_modules(folder.__path__) if not module.name.startswith("_")}
    return sorted(ours | set(_strangers().get(kind, {})))


def find(kind: str, scheme: str) -> ModuleType:
    """The module that offers `make` for the scheme; raises `Misconfigured` with the choices or the missing package."""
    if module := _strangers().get(kind, {}).get(scheme):
        return _loaded(kind, scheme, module)
    if not scheme.isidentifier() or scheme not in available(kind):
        raise Misconfigured(f"no {kind} called {scheme!r}; there are {available(kind)}")
    return _loaded(kind, scheme, f"{FOLDERS[kind]}.{scheme}")


def split(address: str) -> tuple[str, str]:
    """`scheme:rest` as its two parts; the rest may be empty, and `//` behind the colon is ignored."""
    scheme, _, rest = address.partition(":")
    return scheme.strip(), rest.removeprefix("//")


@cache
def _strangers() -> dict[str, dict[str, str]]:
    """The modules of other packages, by kind and scheme; read once, because it means opening every installed package."""
    found: dict[str, dict[str, str]] = {}
    for point in (point for package in distributions() for point in package.entry_points):
        if point.group.startswith("strata."):
            modules = found.setdefault(point.group.removeprefix("strata."), {})
            modules.setdefault(point.name, point.module)
    return found


def _loaded(kind: str, scheme: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Misconfigured(f"the {kind} {scheme!r} needs a package that is not installed: {error}") from error
