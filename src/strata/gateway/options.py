"""What an operator may set for the gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from strata.types import Budget, Price


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model under the platform's own name and the vendor behind it.

    `provider` is the name of a file in `gateway/providers`, with a row behind a colon where it has several:
    `llamacpp`, `minilm`, `echo`, `openai`, `openai:groq`. `model` is the vendor's own name for it. `options` go to the
    provider (`base_url`, `api_key` …); a value `"env:NAME"` or `"file:PATH"` is a reference, resolved by the settings.
    """

    name: str
    kind: Literal["chat", "embedding"]
    provider: str
    model: str = ""
    context: int = 0
    dimensions: int = 0
    price: Price = field(default_factory=Price)
    timeout: float = 120.0
    first_token_timeout: float = 30.0
    options: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Options:
    """`max_body` in bytes; `requests_per_minute` per API key or person, 0 for no limit; `reservation_ttl` in seconds
    after which a reservation whose process died is reconciled.
    """

    models: tuple[Deployment, ...] = ()
    budgets: tuple[Budget, ...] = ()
    max_body: int = 4 * 1024 * 1024
    max_concurrent: int = 512
    requests_per_minute: int = 600
    default_max_tokens: int = 1024
    reservation_ttl: float = 900.0
