"""What all commands share: consoles, options, and the way to the layers.

A command that needs a layer talks to the process that plays it on this home folder or at its address in the settings;
where none runs, it plays the layer itself for as long as the command takes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console

from strata.errors import NotFound
from strata.running import claim, where
from strata.schema import Role
from strata.settings import NEEDS, ROLES, Settings
from strata.types import Corpus, Principal
from strata.wiring import Platform, build, neighbour

T = TypeVar("T")

out = Console()
err = Console(stderr=True)

SettingsPath = Annotated[
    Path | None, typer.Option("--settings", "-s", help="The settings file (else STRATA_SETTINGS, else ./strata.toml).")
]
AsPerson = Annotated[str, typer.Option("--as", help="The person who is asking.", metavar="PERSON")]


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, on the same event loop as the server."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@contextlib.asynccontextmanager
async def reach(settings: Settings, *needed: Role) -> AsyncIterator[Platform]:
    """The needed layers: those that run somewhere over the wire, the others played here."""
    closure: list[Role] = list(needed)
    for role in closure:
        closure.extend(need for need in NEEDS[role] if need not in closure)
    reached = {role: url for role in closure if (url := where(settings.home, role) or settings.remote.get(role))}
    here = tuple(role for role in ROLES if role in closure and role not in reached)
    held = claim(settings.home, here, "the command line")
    try:
        async with build(settings, here) as platform, contextlib.AsyncExitStack() as stack:
            for role, url in reached.items():
                platform.layers.setdefault(role, neighbour(settings, role, url, "cli", stack))
            yield platform
            await platform.drain()
    finally:
        held.release()


def person_named(settings: Settings, name: str) -> Principal:
    for person in settings.app.people:
        if person.id == name:
            return person.principal(settings.tenant)
    raise NotFound(f"there is no person {name!r}; there are {[person.id for person in settings.app.people]}")


def operator(settings: Settings) -> Principal:
    """The command line in its own name: whoever holds the installation's master key operates it."""
    roles = frozenset({"operator", "ingest", "caller"})
    return Principal(settings.tenant, "operator", "command line", kind="service", roles=roles)


def corpus_named(settings: Settings, name: str) -> Corpus:
    for corpus in settings.data.corpora:
        if corpus.id == name:
            return corpus
    raise NotFound(f"there is no corpus {name!r}; there are {[corpus.id for corpus in settings.data.corpora]}")
