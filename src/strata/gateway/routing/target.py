"""What a model's name stands for: the deployments that may answer, and how one of them is chosen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from strata.gateway.money.estimate import prompt_bound
from strata.gateway.money.prices import Manner, Tariff
from strata.gateway.options import Deployment
from strata.gateway.provider import Provider
from strata.gateway.routing.breaker import Breaker
from strata.gateway.routing.latency import Latency
from strata.gateway.routing.retrying import RetryBudget
from strata.gateway.routing.room import Room
from strata.types import Json, Model

Strategy = Literal["weighted", "least-busy", "lowest-latency", "lowest-cost"]
Sticky = Literal["", "person", "session", "department"]


@dataclass(slots=True)
class Standing:
    """How a deployment has been doing lately, in this process. `first_token` is of streams, `total` of whole answers.
    `patient` calls wait for it while it rests.
    """

    breaker: Breaker = field(default_factory=Breaker)
    room: Room = field(default_factory=Room)
    retries: RetryBudget = field(default_factory=RetryBudget)
    first_token: Latency = field(default_factory=Latency)
    total: Latency = field(default_factory=Latency)
    patient: int = 0
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def of(cls, max_concurrent: int = 0, clock: Callable[[], float] = time.monotonic) -> Standing:
        made = partial(Latency, clock)
        return cls(Breaker(clock), Room(max_concurrent), RetryBudget(clock), made(), made(), clock=clock)

    @property
    def ready(self) -> bool:
        """Whether a call may begin now, or wait in the queue."""
        return (self.breaker.untroubled or not self.breaker.wait()) and not self.room.full

    def latency(self, *, streamed: bool) -> Latency:
        return self.first_token if streamed else self.total


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One way to a model: a deployment, and how it is doing."""

    deployment: Deployment
    provider: Provider
    tariff: Tariff
    standing: Standing = field(default_factory=Standing, repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """What a model's name stands for. `routes` are its variants, as many as there are `weights`, and behind them its
    fallbacks in their order. `retries` are tries beyond the first of each. `shadow` gets a copy of the `share` of the
    calls. `trial` is the id of the comparison that its variants are in.
    """

    name: str
    routes: tuple[Route, ...]
    retries: int = 0
    weights: tuple[float, ...] = (1.0,)
    strategy: Strategy = "weighted"
    sticky: Sticky = ""
    shadow: Route | None = None
    share: float = 0.0
    trial: str = ""
    currency: str = field(init=False, default="")
    _adding: tuple[Callable[[str, Json], int], ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        charged = next((it.tariff.currency for it in self.routes if not it.tariff.free), self.routes[0].tariff.currency)
        adding = [add for route in self.routes if (add := getattr(route.provider, "hidden", None)) is not None]
        object.__setattr__(self, "currency", charged)
        object.__setattr__(self, "_adding", tuple(adding))

    @property
    def model(self) -> Model:
        it = self.routes[0].deployment
        return Model(self.name, it.kind, it.context, it.dimensions)

    def worst(self, prompt: int, completion: int, images: int = 0, manner: Manner = ()) -> int:
        """Micro-units that a call cannot exceed, whichever deployment answers."""
        tariffs = [route.tariff for route in self.routes]
        return max([0 if each.free else each.worst(prompt, completion, images, manner) for each in tariffs])

    def prompt(self, operation: str, body: Json) -> int:
        """The most tokens that the prompt can have: what the request says, and what a vendor adds on its own, such as
        what it finds for its own tools.
        """
        bound = prompt_bound(body, self.count)
        return bound + max([add(operation, body) for add in self._adding]) if self._adding else bound

    @property
    def count(self) -> Callable[[str], int]:
        """Tokens of a text for whichever deployment counts most of them."""
        if len(self.routes) == 1:
            return self.routes[0].provider.count
        counts = [route.provider.count for route in self.routes]
        return lambda text: max([count(text) for count in counts])
