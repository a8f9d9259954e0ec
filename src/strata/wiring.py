"""The composition root: read from top to bottom, it is the architecture.

`build` makes the layers in the order in which data flows and hands each its neighbours: the layer itself when this
process plays that role, otherwise the same contract over HTTP. Layers cannot import one another, so no circle can form.
`hears` says who listens to which fact. Each layer is imported only where it is played, so that a process which is only
a gateway stays small.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from strata import events
from strata.access import Access
from strata.contracts import Assistants, Factory, Gateway, Ledger, Library
from strata.errors import Misconfigured
from strata.events import Event
from strata.plugins import find, split
from strata.ports.bus import Bus, Handler
from strata.ports.records import Records
from strata.remote import Line, connect, door_key
from strata.running import where
from strata.schema import Role
from strata.settings import NEEDS, ROLES, Settings
from strata.types import Principal

if TYPE_CHECKING:
    from strata.app.signin import SignIn
    from strata.gateway.facts.transcripts import Transcripts
    from strata.gateway.keys import Keys

log = logging.getLogger(__name__)

T = TypeVar("T")

CONTRACTS: dict[Role, type] = {
    "reporting": Ledger,
    "gateway": Gateway,
    "data": Library,
    "app": Assistants,
    "factory": Factory,
}


@dataclass(slots=True)
class Platform:
    """The layers as this process sees them: those it plays, and the way to the others.

    `layers` holds the implementation or the remote end of every role that this process plays or needs.
    """

    settings: Settings
    roles: tuple[Role, ...]
    access: Access
    layers: dict[Role, Any] = field(default_factory=dict)
    buses: dict[Role, Bus] = field(default_factory=dict)
    signin: SignIn | None = None
    version: str = ""

    @property
    def gateway(self) -> Gateway:
        return self._layer("gateway")  # type: ignore[no-any-return]

    @property
    def library(self) -> Library:
        return self._layer("data")  # type: ignore[no-any-return]

    @property
    def ledger(self) -> Ledger:
        return self._layer("reporting")  # type: ignore[no-any-return]

    @property
    def assistants(self) -> Assistants:
        return self._layer("app")  # type: ignore[no-any-return]

    @property
    def factory(self) -> Factory:
        return self._layer("factory")  # type: ignore[no-any-return]

    async def drain(self, seconds: float = 30.0) -> None:
        """Wait until every fact that this process has committed has been heard."""
        for bus in self.buses.values():
            await bus.drain(seconds)

    def service(self, name: str, *roles: str) -> Principal:
        """A service of this installation, acting in its own name."""
        return Principal(self.settings.tenant, name, name, kind="service", roles=frozenset(roles))

    def _layer(self, role: Role) -> Any:
        if role not in self.layers:
            raise Misconfigured(f"this process has no way to {role}: set remote.{role} or serve that role here")
        return self.layers[role]


# ------------------------------------------------------------------ building


@contextlib.asynccontextmanager
async def build(settings: Settings, roles: Sequence[Role] = ROLES, *, deliver: bool = True) -> AsyncIterator[Platform]:
    """The platform with these roles, delivering events while the context is open; closed in reverse order."""
    access = Access.of(settings.policies)
    platform = Platform(settings, tuple(role for role in ROLES if role in roles), access, version=settings.version)
    async with contextlib.AsyncExitStack() as stack:
        _reach_neighbours(platform, stack)
        if "reporting" in roles:
            await _build_reporting(platform, stack)
        if "gateway" in roles:
            await _build_gateway(platform, stack)
        if "data" in roles:
            await _build_data(platform, stack)
        if "app" in roles:
            await _build_app(platform, stack)
        if "factory" in roles:
            await _build_factory(platform, stack)
        for role in platform.roles:
            _subscribe(platform, role)
        for bus in platform.buses.values():
            stack.push_async_callback(bus.close)  # before the layers that the handlers belong to
            if deliver:
                await bus.start()
        yield platform


def _reach_neighbours(platform: Platform, stack: contextlib.AsyncExitStack) -> None:
    """A line to every needed role that is not played here; refuses to start when one is nowhere to be found."""
    missing = []
    wanted = {need: role for role in platform.roles for need in NEEDS[role] if need not in platform.roles}
    for need, role in wanted.items():
        url = platform.settings.remote.get(need) or where(platform.settings.home, need)
        if url is None:
            missing.append(f"{role} needs {need}: set remote.{need} to its address, or serve {need} here as well")
        else:
            platform.layers[need] = neighbour(platform.settings, need, url, platform.roles[0], stack)
    if missing:
        raise Misconfigured(missing)


def neighbour(settings: Settings, role: Role, url: str, caller: str, stack: contextlib.AsyncExitStack) -> Any:
    """The role's contract over HTTP; the line is closed with the stack."""
    line = Line(role, f"{url.rstrip('/')}/remote", key_for(settings, role), caller)
    stack.push_async_callback(line.close)
    return connect(CONTRACTS[role], line)


def key_for(settings: Settings, role: Role) -> bytes:
    """The key of a role's door: as set, else derived from the installation's master key."""
    return settings.door_keys.get(role) or door_key(settings.master_key, role)


def _derived(settings: Settings, purpose: str) -> bytes:
    """A key for one purpose, derived from the installation's master key."""
    return hmac.new(settings.master_key, f"strata/{purpose}".encode(), hashlib.sha256).digest()


async def _open(
    platform: Platform, stack: contextlib.AsyncExitStack, port: str, address: str, layer: str, **more: Any
) -> Any:
    """The adapter that a `scheme:address` names; closed with the stack."""
    adapter = await _make(platform, port, address, layer, **more)
    stack.push_async_callback(adapter.close)
    return adapter


async def _make(platform: Platform, port: str, address: str, layer: str, **more: Any) -> Any:
    module, place = _place(port, address, layer)
    return await module.make(place, home=platform.settings.home, **more)


def _place(port: str, address: str, layer: str) -> tuple[ModuleType, str]:
    """The adapter's module, and the address for this layer. An adapter that offers `completed` adds what is left out."""
    scheme, rest = split(address)
    module = find(port, scheme)
    whole = module.completed(rest) if hasattr(module, "completed") else rest
    return module, whole.replace("{layer}", layer)


async def _records(platform: Platform, stack: contextlib.AsyncExitStack, role: Role) -> Records:
    """The layer's own records, and the bus that carries what is committed to them."""
    address = platform.settings.stores.records
    place = _place("records", address, role)[1]
    if place and place in {_place("records", address, other)[1] for other in platform.buses}:
        raise Misconfigured("stores.records: put {layer} into the address, so that each layer has records of its own")
    records: Records = await _open(platform, stack, "records", address, role)
    platform.buses[role] = await _make(platform, "bus", address, role, records=records)
    return records


async def _build_reporting(platform: Platform, stack: contextlib.AsyncExitStack) -> None:
    from strata.reporting.build import build as build_reporting

    settings = platform.settings
    ledger = await build_reporting(
        settings.reporting,
        tenant=settings.tenant,
        records=await _records(platform, stack, "reporting"),
        analytics=await _open(platform, stack, "analytics", settings.stores.analytics, "reporting"),
        access=platform.access,
        key=_derived(settings, "audit"),
        home=settings.home,
    )
    stack.push_async_callback(ledger.close)
    platform.layers["reporting"] = ledger


async def _build_gateway(platform: Platform, stack: contextlib.AsyncExitStack) -> None:
    from strata.gateway.build import build as build_gateway
    from strata.gateway.gateway import ModelGateway
    from strata.gateway.live import LiveGateway
    from strata.gateway.options import Options

    settings = platform.settings
    records = await _records(platform, stack, "gateway")

    async def make(options: Options, access: Access) -> ModelGateway:
        return await build_gateway(
            options, tenant=settings.tenant, records=records, access=access, figures=figures(settings)
        )

    gateway = LiveGateway(await make(settings.gateway, platform.access), make)
    stack.push_async_callback(gateway.close)
    platform.layers["gateway"] = gateway


def figures(settings: Settings) -> Path:
    """Where the gateway's workers leave what they counted."""
    return settings.home / "run" / "figures"


async def _build_data(platform: Platform, stack: contextlib.AsyncExitStack) -> None:
    from strata.data.build import build as build_data

    settings = platform.settings
    library = await build_data(
        settings.data,
        tenant=settings.tenant,
        objects=await _open(platform, stack, "objects", settings.stores.objects, "data"),
        records=await _records(platform, stack, "data"),
        vectors=await _open(
            platform, stack, "vectors", settings.stores.vectors, "data", dense_weight=settings.data.dense_weight
        ),
        graph=await _open(platform, stack, "graph", settings.stores.graph, "data"),
        gateway=platform.gateway,
        access=platform.access,
    )
    stack.push_async_callback(library.close)
    platform.layers["data"] = library


async def _build_app(platform: Platform, stack: contextlib.AsyncExitStack) -> None:
    from strata.app import build

    settings = platform.settings
    records = await _records(platform, stack, "app")
    desk = await build.build(
        settings.app,
        tenant=settings.tenant,
        records=records,
        gateway=platform.gateway,
        library=platform.library,
        access=platform.access,
        embedding=settings.data.embedding,
    )
    stack.push_async_callback(desk.close)
    platform.layers["app"] = desk
    platform.signin = build.signin(
        settings.app, tenant=settings.tenant, records=records, key=_derived(settings, "signin")
    )


async def _build_factory(platform: Platform, stack: contextlib.AsyncExitStack) -> None:
    from strata.factory.build import build as build_factory

    settings = platform.settings
    platform.layers["factory"] = await build_factory(
        settings.factory,
        tenant=settings.tenant,
        records=await _records(platform, stack, "factory"),
        assistants=platform.assistants,
        library=platform.library,
        access=platform.access,
    )


def audit_public_key(settings: Settings) -> bytes:
    """What anybody may check the audit record's checkpoints with: 32 bytes, no secret."""
    from strata.reporting.checkpoint import Signer

    return Signer.of(_derived(settings, "audit")).public_key


@contextlib.asynccontextmanager
async def open_keys(settings: Settings) -> AsyncIterator[Keys]:
    """The gateway's API keys alone, beside a gateway that may be running on the same records."""
    from strata.gateway.keys import Keys

    async with open_records(settings, "gateway") as records:
        yield Keys(records, Access.of(settings.policies), settings.tenant)


@contextlib.asynccontextmanager
async def open_transcripts(settings: Settings) -> AsyncIterator[Transcripts]:
    """What the gateway kept of calls, beside a gateway that may be running on the same records."""
    from strata.gateway.facts.transcripts import Transcripts

    async with open_records(settings, "gateway") as records:
        days, masked = settings.gateway.transcript_days, settings.gateway.transcript_masked
        yield Transcripts(records, Access.of(settings.policies), settings.tenant, days, masked)


@contextlib.asynccontextmanager
async def open_signin(settings: Settings) -> AsyncIterator[SignIn]:
    """The door for people alone, beside an app that may be running on the same records."""
    from strata.app.build import signin

    async with open_records(settings, "app") as records:
        yield signin(settings.app, tenant=settings.tenant, records=records, key=_derived(settings, "signin"))


@contextlib.asynccontextmanager
async def open_records(settings: Settings, role: Role) -> AsyncIterator[Records]:
    """A layer's records alone, made where they are missing."""
    module, place = _place("records", settings.stores.records, role)
    records: Records = await module.make(place, home=settings.home)
    try:
        yield records
    finally:
        await records.close()


# ------------------------------------------------------------------ who listens


def hears(platform: Platform, role: Role) -> Iterator[tuple[str, tuple[type[Event], ...], Handler]]:
    """Who listens to the facts that this role's layer commits: a durable name, the kinds, and the handler."""
    match role:
        case "data":
            changes = (events.DocumentReceived, events.DocumentRelabelled, events.DocumentRemoved)
            yield "index", changes, platform.layers["data"].on_documents_received
        case "reporting":
            yield "notify", (events.BudgetCrossed,), platform.layers["reporting"].on_budget_crossed
        case "gateway" | "app" | "factory":
            pass
    yield "record", tuple(events.KINDS.values()), _tell(platform, role)


def _subscribe(platform: Platform, role: Role) -> None:
    for name, kinds, handler in hears(platform, role):
        platform.buses[role].subscribe(name, kinds, handler)


def _tell(platform: Platform, role: Role) -> Handler:
    """Every fact of every layer goes to reporting, here or over the wire."""
    ledger = platform.ledger
    teller = platform.service(role, "layer")

    async def tell(heard: Sequence[Event]) -> None:
        await ledger.hear(teller, [msgspec.to_builtins({"kind": event.kind, "event": event}) for event in heard])

    return tell
