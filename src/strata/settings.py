"""One file of settings, validated whole: every mistake is reported at once, with its place and the choices.

This is the only module that reads the environment or a settings file. `ROLES` are the parts that `strata serve` can
play; `NEEDS` says which neighbours each must be able to reach, here or over `[remote]`.
"""

from __future__ import annotations

import os
import re
import secrets
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from strata import plugins
from strata.app.options import Options as AppOptions
from strata.data.options import Options as DataOptions
from strata.errors import Misconfigured
from strata.factory.options import Options as FactoryOptions
from strata.gateway.options import Dated, Deployment, GuardrailOptions, LimitRule, RouteOptions, Variant
from strata.gateway.options import Options as GatewayOptions
from strata.references import References
from strata.reporting.options import Notifier
from strata.reporting.options import Options as ReportingOptions
from strata.schema import CorpusTable, File, ModelTable, Role, StoresTable
from strata.types import Assistant, Budget, Corpus, Department, Money, Person, Price, digest

ROLES: tuple[Role, ...] = ("reporting", "gateway", "data", "app", "factory")
NEEDS: dict[Role, tuple[Role, ...]] = {
    "reporting": (),
    "gateway": ("reporting",),
    "data": ("gateway", "reporting"),
    "app": ("gateway", "data", "reporting"),
    "factory": ("app", "data", "reporting"),
}

_T = TypeVar("_T")


DEFAULT_STORES = StoresTable()


@dataclass(frozen=True, slots=True)
class Stores:
    """Which adapter stands behind each port: `scheme:address`; `{layer}` in an address becomes the layer's name."""

    objects: str = DEFAULT_STORES.objects
    records: str = field(default=DEFAULT_STORES.records, repr=False)  # an address may hold a password
    vectors: str = DEFAULT_STORES.vectors
    graph: str = DEFAULT_STORES.graph
    analytics: str = DEFAULT_STORES.analytics


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration, in the words of each layer."""

    tenant: str
    name: str
    home: Path
    master_key: bytes = field(repr=False)
    policies: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8800
    metrics_token: str = field(default="", repr=False)
    workers: int = 1
    web: Path | None = None
    stores: Stores = field(default_factory=Stores)
    remote: dict[Role, str] = field(default_factory=dict)
    door_keys: dict[Role, bytes] = field(default_factory=dict, repr=False)
    gateway: GatewayOptions = field(default_factory=GatewayOptions)
    data: DataOptions = field(default_factory=DataOptions)
    reporting: ReportingOptions = field(default_factory=ReportingOptions)
    app: AppOptions = field(default_factory=AppOptions)
    factory: FactoryOptions = field(default_factory=FactoryOptions)
    source: Path | None = None
    version: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


# ------------------------------------------------------------------ reading


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from a TOML file (`path`, else `STRATA_SETTINGS`, else ./strata.toml; none of them: the defaults).

    `STRATA_HOME`, `STRATA_PORT` and `STRATA_MASTER_KEY` win over the file. Raises `Misconfigured` with all mistakes.
    """
    environ = os.environ if environ is None else environ
    place = path or (Path(environ["STRATA_SETTINGS"]) if environ.get("STRATA_SETTINGS") else Path("strata.toml"))
    if not place.is_file():
        if path is not None or environ.get("STRATA_SETTINGS"):
            raise Misconfigured(f"there is no settings file {str(place)!r}")
        return read({}, environ)
    try:
        raw = tomllib.loads(place.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{place}: not valid TOML: {error}") from error
    return read(raw, environ, place)


def read(raw: Mapping[str, Any], environ: Mapping[str, str], source: Path | None = None) -> Settings:
    """Settings from parsed TOML. `source` anchors relative paths of corpora; `home` is relative to the working folder."""
    try:
        file = File.model_validate(raw)
    except ValidationError as error:
        raise Misconfigured(list(_mistakes(error))) from None
    wrong: list[str] = list(_contradictions(file))
    references = References(environ, source.parent if source else Path.cwd(), wrong, file.secrets)
    deployments = tuple(
        _deployment(name, model, references.inside(model.options, f"models.{name}.options"))
        for name, model in file.models.items()
    )
    port = _port(environ, file.serve.port, wrong)
    metrics_token = str(references.text(file.serve.metrics_token, "serve.metrics_token"))
    stores = _stores(file, references, wrong)
    layers = _layers(file, deployments, references, wrong)
    if wrong:
        raise Misconfigured(wrong)
    home = Path(environ.get("STRATA_HOME") or file.strata.home).expanduser().resolve()
    master = _master_key(home, environ.get("STRATA_MASTER_KEY") or file.strata.master_key, references)
    doors = {role: _key(references.text(value, f"remote.keys.{role}")) for role, value in file.remote.keys.items()}
    if wrong:
        raise Misconfigured(wrong)
    return Settings(
        tenant=file.strata.tenant,
        name=file.strata.name or file.strata.tenant,
        home=home,
        master_key=master,
        policies=_policies(file.strata.policies, references.anchor),
        host=file.serve.host,
        port=port,
        metrics_token=metrics_token,
        workers=file.serve.workers,
        web=_web(file.serve.web, references.anchor),
        stores=stores,
        remote={role: url for role in ROLES if (url := getattr(file.remote, role))},
        door_keys=doors,
        source=source,
        version=_version(source),
        **layers,
    )


SECRET = re.compile(r"key|token(?!s)|secret|password|credential|options|headers", re.IGNORECASE)
"""Places of settings whose values are not shown."""


def _mistakes(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
        if problem["type"] == "extra_forbidden":
            yield f"{place}: there is no such setting"
        else:
            given = "" if problem["type"] == "missing" else f" (it is {_shown(place, problem['input'])})"
            yield f"{place}: {problem['msg'].removeprefix('Value error, ')}{given}"


def _shown(place: str, value: object) -> str:
    """A value as it may be shown: of an address that may hold a password, no more than its scheme; of what may be a
    secret or hold some, only what kind of thing it is.
    """
    if isinstance(value, Mapping | list) and value:
        return "a table" if isinstance(value, Mapping) else "a list"
    if SECRET.search(place):
        return "not shown"
    if isinstance(value, str) and re.search(r":.*@", value, re.DOTALL):
        value = f"{value.partition(':')[0]}:…"
    return repr(value)


def _stores(file: File, references: References, wrong: list[str]) -> Stores:
    """Where each port leads. The address, or what follows its scheme, may stand elsewhere: `postgres:env:STRATA_DB`."""
    found: dict[str, str] = {}
    for port, address in file.stores.model_dump().items():
        place, before = f"stores.{port}", len(wrong)
        whole = references.text(address, place)
        scheme, colon, rest = whole.partition(":")
        rest = references.text(rest, place)
        found[port] = f"{scheme}{colon}{rest.removeprefix(f'{scheme}:')}"
        if len(wrong) > before:
            continue
        if whole == address or colon:
            wrong.extend(_plugin(place, port, found[port]))
        else:  # not an address, so perhaps the very secret
            wrong.append(f"{place}: what {address!r} stands for is no address such as postgres://user@host/database")
    return Stores(**found)


def _contradictions(file: File) -> Iterator[str]:
    """What is well formed and still cannot be meant: names of nothing, names used twice."""
    for section in ("departments", "people", "corpora", "assistants", "budgets"):
        names = [item.id for item in getattr(file, section)]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"{section}: {name!r} is there {names.count(name)} times"
    departments = {item.id for item in file.departments}
    corpora = {item.id for item in file.corpora}
    groups = departments | {"everyone"} | {group for person in file.people for group in person.groups}
    chat = {name for name, model in (file.models | file.routes).items() if model.kind == "chat"}
    for index, person in enumerate(file.people):
        yield from _known(f"people[{index}].department", [person.department], departments)
    for index, corpus in enumerate(file.corpora):
        yield from _known(f"corpora[{index}].department", [corpus.department] if corpus.department else [], departments)
        yield from _known(f"corpora[{index}].readers", corpus.readers, groups)
    for index, assistant in enumerate(file.assistants):
        place = f"assistants[{index}]"
        yield from _known(f"{place}.department", [assistant.department] if assistant.department else [], departments)
        yield from _known(f"{place}.corpora", assistant.corpora, corpora)
        yield from _known(f"{place}.users", assistant.users, groups)
        yield from _known(f"{place}.model", [assistant.model] if assistant.model else [], chat)
        if assistant.mode == "generative" and not assistant.model:
            yield f"{place}.model: a generative assistant needs a model; there are {sorted(chat)}"
    for name, model in file.models.items():
        yield from _plugin(f"models.{name}.provider", "provider", model.provider)
    for name, route in file.routes.items():
        if name in file.models:
            yield f"routes.{name}: there is a model of this name; call one of them otherwise"
        alike = {other for other, model in file.models.items() if model.kind == route.kind}
        yield from _known(f"routes.{name}.variants", [variant.model for variant in route.variants], alike)
        yield from _known(f"routes.{name}.fallbacks", route.fallbacks, alike)
        yield from _known(f"routes.{name}.shadow", [route.shadow.model] if route.shadow else [], alike)
        if not any(variant.weight for variant in route.variants):
            yield f"routes.{name}.variants: at least one of them needs a weight above 0"
    for index, guardrail in enumerate(file.guardrails):
        yield from _plugin(f"guardrails[{index}].kind", "guardrail", guardrail.kind)
        yield from _known(f"guardrails[{index}].models", guardrail.models, set(file.models) | set(file.routes))
        yield from _known(f"guardrails[{index}].departments", guardrail.departments, departments)
    for index, notifier in enumerate(file.notifiers):
        yield from _plugin(f"notifiers[{index}].kind", "notifier", notifier.kind)
    for role in ROLES:
        url = getattr(file.remote, role)
        if url and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname):
            yield f"remote.{role}: {url!r} is not an address such as http://10.0.0.7:8801"


def _known(place: str, names: Iterable[str], choices: set[str]) -> Iterator[str]:
    for name in names:
        if name not in choices:
            yield f"{place}: there is no {name!r}; there are {sorted(choices)}"


def _plugin(place: str, kind: str, address: str) -> Iterator[str]:
    scheme = plugins.split(address)[0]
    if scheme not in plugins.available(kind):
        yield f"{place}: no {kind} called {scheme!r}; there are {plugins.available(kind)}"


def _deployment(name: str, model: ModelTable, options: dict[str, Any]) -> Deployment:
    fields = model.model_dump(exclude={"price", "prices", "options", "agreements"})
    price, agreements = Price(**model.price.model_dump()), frozenset(model.agreements)
    prices = tuple(
        Dated(Price(**item.model_dump(exclude={"valid_from", "valid_until"})), item.valid_from, item.valid_until)
        for item in model.prices
    )
    return Deployment(name=name, price=price, prices=prices, options=options, agreements=agreements, **fields)


def _gateway(file: File, references: References) -> dict[str, Any]:
    """What stands in tables of its own and concerns the gateway."""
    routes = tuple(
        RouteOptions(
            name,
            item.kind,
            tuple(Variant(it.model, it.weight) for it in item.variants),
            item.strategy,
            item.sticky,
            tuple(item.fallbacks),
            item.retries,
            Variant(item.shadow.model, item.shadow.weight) if item.shadow else None,
            item.trial,
        )
        for name, item in file.routes.items()
    )
    guardrails = tuple(
        GuardrailOptions(
            item.kind,
            references.inside(item.options, f"guardrails[{index}].options"),
            frozenset(item.models),
            frozenset(item.departments),
        )
        for index, item in enumerate(file.guardrails)
    )
    limits = tuple(LimitRule(**item.model_dump()) for item in file.limits)
    return {"routes": routes, "guardrails": guardrails, "limits": limits}


def _layers(
    file: File, deployments: tuple[Deployment, ...], references: References, wrong: list[str]
) -> dict[str, Any]:
    """Each layer's Options, from what concerns it and its own section."""
    departments = tuple(Department(item.id, item.name) for item in file.departments)
    people = tuple(
        Person(item.id, item.name, item.email, item.department, item.title, frozenset(item.groups),
               frozenset({"member", *item.roles}))
        for item in file.people
    )  # fmt: skip
    budgets = tuple(
        Budget(item.id, item.name, item.subject, Money(item.limit, item.currency), item.period,
               min(item.alarm_percent), tuple(sorted(item.alarm_percent)[1:]), item.hard)
        for item in file.budgets
    )  # fmt: skip
    corpora = tuple(_corpus(item, references.anchor) for item in file.corpora)
    assistants = tuple(
        Assistant(**{**item.model_dump(), "corpora": tuple(item.corpora), "users": frozenset(item.users),
                     "suggestions": tuple(item.suggestions)})
        for item in file.assistants
    )  # fmt: skip
    notifiers = tuple(
        Notifier(item.kind, references.inside(item.options, f"notifiers[{index}].options"))
        for index, item in enumerate(file.notifiers)
    ) or (Notifier("log"),)
    embedding = next((item.name for item in deployments if item.kind == "embedding"), "embedding")
    return {
        "gateway": _options(
            GatewayOptions, "gateway", file.gateway, wrong,
            models=deployments, budgets=budgets, **_gateway(file, references),
        ),
        "data": _options(DataOptions, "data", {"embedding": embedding, **file.data}, wrong, corpora=corpora),
        "reporting": _options(
            ReportingOptions, "reporting", file.reporting, wrong,
            departments=departments, budgets=budgets, notifiers=notifiers,
        ),
        "app": _options(
            AppOptions, "app", file.app, wrong, people=people, departments=departments, assistants=assistants,
            organisation=file.strata.name, secure_cookies=file.serve.secure_cookies,
        ),
        "factory": FactoryOptions(people=people),
    }  # fmt: skip


def _corpus(item: CorpusTable, anchor: Path) -> Corpus:
    readers = frozenset(item.readers or ([item.department] if item.department else []))
    path = str(anchor / item.path) if item.path else ""
    return Corpus(item.id, item.name, item.department, readers, item.classification, path)


def _options(kind: type[_T], section: str, given: Mapping[str, Any], wrong: list[str], **parts: Any) -> _T:
    """A layer's Options from its section: only plain values may be set there, of the type of their default."""
    defaults = kind()
    plain = {name: getattr(defaults, name) for name in kind.__dataclass_fields__ if name not in parts}  # type: ignore[attr-defined]
    fitting: dict[str, Any] = {}
    for name, value in given.items():
        default = plain.get(name)
        number = isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool)
        if name not in plain or not isinstance(default, str | int | float | bool):
            wrong.append(f"{section}.{name}: there is no such setting; there are {sorted(plain)}")
        elif type(value) is not type(default) and not number:
            wrong.append(f"{section}.{name}: {value!r} should be a {type(default).__name__}, such as {default!r}")
        else:
            fitting[name] = float(value) if number else value
    return kind(**fitting, **parts)


def _port(environ: Mapping[str, str], port: int, wrong: list[str]) -> int:
    given = environ.get("STRATA_PORT", "")
    if given and not (given.isdigit() and 0 < int(given) < 65536):
        wrong.append(f"STRATA_PORT: {given!r} is not a port")
        return port
    return int(given) if given else port


def _master_key(home: Path, given: str, references: References) -> bytes:
    """The installation's master key: as given, else from `home/master.key`, which is made at random the first time."""
    if given:
        return _key(references.text(given, "strata.master_key"))
    place = home / "master.key"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not place.is_file():
        fresh = place.with_suffix(f".{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, place)  # the first process wins, the others read its key
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return _key(place.read_text(encoding="utf-8").strip())


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = text.encode()
    if len(key) < 32:
        raise Misconfigured("a key must have at least 32 bytes; `openssl rand -hex 32` makes one")
    return key


def _version(source: Path | None) -> str:
    """What tells one state of the settings file from another."""
    return digest(source.read_bytes())[:12] if source is not None and source.is_file() else ""


def _policies(more: list[str], anchor: Path) -> str:
    texts = [(files("strata") / "policies" / "strata.cedar").read_text(encoding="utf-8")]
    for name in more:
        place = anchor / name
        if not place.is_file():
            raise Misconfigured(f"strata.policies: there is no file {str(place)!r}")
        texts.append(place.read_text(encoding="utf-8"))
    return "\n".join(texts)


def _web(given: str, anchor: Path) -> Path | None:
    """The built web application: as set, else `web/dist` of the source tree this runs from, if it has been built."""
    place = anchor / given if given else Path(__file__).parents[2] / "web" / "dist"
    return place.resolve() if (place / "index.html").is_file() else None
