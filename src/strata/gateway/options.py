"""What an operator may set for the gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from strata.types import Budget, Price

Kind = Literal["chat", "embedding", "rerank", "image", "speech", "transcription"]


@dataclass(frozen=True, slots=True)
class Dated:
    """A price from the beginning of one day until the beginning of another, in UTC; None: without end."""

    price: Price
    valid_from: date | None = None
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model under the platform's own name and the vendor behind it.

    `provider` is the name of a file in `gateway/providers`, with a row behind a colon where it has several:
    `llamacpp`, `minilm`, `echo`, `openai`, `openai:groq`. `model` is the vendor's own name for it. `options` go to the
    provider (`base_url`, `api_key` …); a value `"env:NAME"` or `"file:PATH"` is a reference, resolved by the settings.
    `timeout` for a whole call, `first_token_timeout` until a stream begins, `idle_timeout` between two of its pieces
    (0: as the first), in seconds. `region` and `agreements` (`dpa`, `baa` …) say where data goes and under which
    contract; `own`: to a server of the organisation's own. `prices` are those of certain dates, the first that is valid counts, `price` on all other days.
    `max_concurrent` calls at once go to it from one process (0: no limit).
    """

    name: str
    kind: Kind
    provider: str
    model: str = ""
    context: int = 0
    dimensions: int = 0
    price: Price = field(default_factory=Price)
    prices: tuple[Dated, ...] = ()
    timeout: float = 120.0
    first_token_timeout: float = 30.0
    idle_timeout: float = 0.0
    max_concurrent: int = 0
    region: str = ""
    agreements: frozenset[str] = frozenset()
    own: bool = False
    options: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the deployments behind a route, by its name; `weight` is its share, relative to the others'."""

    model: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """A model name of our own behind which several deployments stand.

    `strategy` chooses among the variants; `sticky` keeps one person, session or department on the same one (weighted
    only). `fallbacks` are tried in order where the variants fail; `retries` are further tries of the whole call.
    `shadow` gets a copy of its share of the calls, and its answers go nowhere. `trial` names the comparison that the
    variants are in; it stands in the record of every call.
    """

    name: str
    kind: Kind
    variants: tuple[Variant, ...]
    strategy: Literal["weighted", "least-busy", "lowest-latency", "lowest-cost"] = "weighted"
    sticky: Literal["", "person", "session", "department"] = ""
    fallbacks: tuple[str, ...] = ()
    retries: int = 2
    shadow: Variant | None = None
    trial: str = ""


@dataclass(frozen=True, slots=True)
class GuardrailOptions:
    """A guardrail by its file's name, for all calls or for those of some models (as the caller names them) and
    departments.
    """

    kind: str
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    models: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LimitRule:
    """How fast one subject (written like a budget's: `tenant`, `department:research`; `person:*` is each person) may be,
    in requests and tokens per period and calls under way at once; 0 is no limit.
    """

    subject: str
    requests: int = 0
    tokens: int = 0
    concurrent: int = 0
    period: Literal["minute", "hour", "day"] = "minute"


@dataclass(frozen=True, slots=True)
class Options:
    """`max_body` in bytes; `requests_per_minute` per API key or person, 0 for no limit; `max_concurrent` calls are under
    way in one process, and `max_waiting` wait for up to `queue_seconds` until one of them is over; `reservation_ttl` in
    seconds after which a reservation whose process died is reconciled; `retries` of a call to a model that no route names;
    `region` is where the tenant's data is at home, `classification` that of a call that says nothing of itself. The
    same request is answered from memory for `cache_seconds` (0: never) within its `cache_circle`: caller, department
    or tenant. Spans go to the OpenTelemetry collector at `otlp_endpoint`, such as `http://collector:4318`. What is asked
    and answered is kept for `transcript_days` (0: never), without personal data and secrets if `transcript_masked`.
    The rows of calls under ids of their callers', by which none is charged twice, and the counters of budgets whose
    period is over are kept for `call_rows_months`, the present one included; the ledger keeps what was used and what it
    cost.
    """

    models: tuple[Deployment, ...] = ()
    budgets: tuple[Budget, ...] = ()
    routes: tuple[RouteOptions, ...] = ()
    guardrails: tuple[GuardrailOptions, ...] = ()
    limits: tuple[LimitRule, ...] = ()
    max_body: int = 4 * 1024 * 1024
    max_concurrent: int = 512
    max_waiting: int = 512
    queue_seconds: float = 2.0
    requests_per_minute: int = 600
    default_max_tokens: int = 1024
    reservation_ttl: float = 900.0
    retries: int = 1
    region: str = ""
    classification: str = "internal"
    cache_seconds: float = 0.0
    cache_circle: str = "caller"
    cache_bytes: int = 64 * 1024 * 1024
    otlp_endpoint: str = ""
    transcript_days: int = 0
    transcript_masked: bool = True
    call_rows_months: int = 3
