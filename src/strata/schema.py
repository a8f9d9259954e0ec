"""The shape of the settings file: its tables, and what each may hold. `settings` reads it into the layers' words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from strata.budgets import terms
from strata.types import Period

Role = Literal["gateway", "data", "app", "factory", "reporting"]


def _money(value: Any) -> int:
    """A decimal amount of a currency as micro-units: 0.25 or "0.25" is 250000."""
    try:
        micros = Decimal(str(value)) * 1_000_000
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is not an amount such as 12.50") from error
    if micros != micros.to_integral_value() or micros < 0:
        raise ValueError(f"{value!r} must be a positive amount with at most six decimals")
    return int(micros)


Amount = Annotated[int, BeforeValidator(_money)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Scheme = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(:.*)?$")]


def _subject(value: Any) -> str:
    terms(str(value))
    return str(value)


def _alarms(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


Percent = Annotated[int, Field(ge=1, le=100)]
Concerned = Annotated[str, BeforeValidator(_subject)]
"""Whom it concerns: `tenant`, `department:NAME` …"""


class Section(BaseModel):
    """A table of the file: what is not declared here is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StrataTable(Section):
    tenant: Slug = "local"
    name: str = ""
    home: str = ".strata"
    master_key: str = ""
    policies: list[str] = []


class ServeTable(Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8800
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    secure_cookies: bool = False
    web: str = ""
    metrics_token: str = ""


class StoresTable(Section):
    objects: Scheme = "folder:objects"
    records: Scheme = "sqlite:records/{layer}.db"
    vectors: Scheme = "lancedb:vectors"
    graph: Scheme = "oxigraph:graph"
    analytics: Scheme = "duckdb:analytics"


class RemoteTable(Section):
    gateway: str = ""
    data: str = ""
    app: str = ""
    factory: str = ""
    reporting: str = ""
    keys: dict[Role, str] = {}


class PriceTable(Section):
    """In the currency per million tokens; `request` per call, `image` for each picture made. What is left out costs as
    much as the kind that it belongs to.
    """

    input: Amount = 0
    output: Amount = 0
    cached_input: Amount | None = None
    cache_write: Amount | None = None
    cache_write_hour: Amount | None = None
    reasoning: Amount | None = None
    audio_input: Amount | None = None
    audio_output: Amount | None = None
    image: Amount = 0
    request: Amount = 0
    batch_percent: Annotated[int, Field(ge=0, le=100)] = 100
    discount_percent: Annotated[int, Field(ge=0, le=100)] = 0
    currency: str = "USD"


class DatedPriceTable(PriceTable):
    """A price from one day on and until another, the last not included, at midnight UTC."""

    valid_from: date | None = None
    valid_until: date | None = None


class ModelTable(Section):
    kind: Literal["chat", "embedding", "rerank", "image", "speech", "transcription"]
    provider: Scheme
    model: str = ""
    context: Annotated[int, Field(ge=0)] = 0
    dimensions: Annotated[int, Field(ge=0)] = 0
    price: PriceTable = PriceTable()
    prices: list[DatedPriceTable] = []
    timeout: Annotated[float, Field(gt=0)] = 120.0
    first_token_timeout: Annotated[float, Field(gt=0)] = 30.0
    idle_timeout: Annotated[float, Field(ge=0)] = 0.0
    max_concurrent: Annotated[int, Field(ge=0)] = 0
    region: str = ""
    agreements: list[str] = []
    own: bool = False
    options: dict[str, Any] = {}


class VariantTable(Section):
    """One of the models behind a route, and its share."""

    model: Slug
    weight: Annotated[float, Field(ge=0)] = 1.0


class RouteTable(Section):
    """A model name of our own behind which several models stand."""

    kind: Literal["chat", "embedding", "rerank"] = "chat"
    strategy: Literal["weighted", "least-busy", "lowest-latency", "lowest-cost"] = "weighted"
    variants: Annotated[list[VariantTable], Field(min_length=1)]
    sticky: Literal["", "person", "session", "department"] = ""
    fallbacks: list[Slug] = []
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    shadow: VariantTable | None = None
    trial: str = ""


class GuardrailTable(Section):
    """A guardrail, for all calls or for those of some models and departments."""

    kind: str
    options: dict[str, Any] = {}
    models: list[Slug] = []
    departments: list[Slug] = []


class LimitTable(Section):
    """How fast one subject may be: requests, tokens and calls at once; 0 is no limit."""

    subject: Concerned
    requests: Annotated[int, Field(ge=0)] = 0
    tokens: Annotated[int, Field(ge=0)] = 0
    concurrent: Annotated[int, Field(ge=0)] = 0
    period: Literal["minute", "hour", "day"] = "minute"


class DepartmentTable(Section):
    id: Slug
    name: str


class PersonTable(Section):
    id: Slug
    name: str
    email: str = ""
    title: str = ""
    department: Slug
    groups: list[Slug] = []
    roles: list[Literal["member", "editor", "finance", "auditor", "platform", "scientist"]] = ["member"]


class CorpusTable(Section):
    id: Slug
    name: str
    department: str = ""
    readers: list[Slug] = []
    classification: Literal["public", "internal", "confidential", "restricted"] = "internal"
    path: str = ""


class AssistantTable(Section):
    id: Slug
    name: str
    department: str = ""
    description: str = ""
    language: str = "en"
    mode: Literal["generative", "extractive"] = "extractive"
    fallback: Literal["extractive", "none"] = "extractive"
    model: str = ""
    corpora: list[str]
    users: list[str]
    instructions: str = ""
    suggestions: list[str] = []
    notice: str = "Answers are made by a machine from your documents. Check the sources."


class BudgetTable(Section):
    id: Slug
    name: str
    subject: Concerned
    limit: Amount
    currency: str = "USD"
    period: Period = "month"
    alarm_percent: Annotated[list[Percent], BeforeValidator(_alarms), Field(min_length=1)] = [80]
    hard: bool = True


class NotifierTable(Section):
    kind: str
    options: dict[str, Any] = {}


class File(Section):
    """The whole file."""

    strata: StrataTable = StrataTable()
    serve: ServeTable = ServeTable()
    stores: StoresTable = StoresTable()
    remote: RemoteTable = RemoteTable()
    models: dict[Slug, ModelTable] = {}
    departments: list[DepartmentTable] = []
    people: list[PersonTable] = []
    corpora: list[CorpusTable] = []
    assistants: list[AssistantTable] = []
    budgets: list[BudgetTable] = []
    routes: dict[Slug, RouteTable] = {}
    guardrails: list[GuardrailTable] = []
    limits: list[LimitTable] = []
    notifiers: list[NotifierTable] = []
    secrets: dict[str, dict[str, Any]] = {}
    gateway: dict[str, Any] = {}
    data: dict[str, Any] = {}
    reporting: dict[str, Any] = {}
    app: dict[str, Any] = {}
