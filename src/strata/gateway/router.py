"""From the platform's own model names to what stands behind them: deployments, their providers and tariffs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from strata.errors import Invalid, NotFound, RateLimited, StrataError, UpstreamBroken
from strata.gateway.caller import Ask, Caller
from strata.gateway.options import Deployment
from strata.gateway.prices import Tariff
from strata.gateway.provider import Provider
from strata.types import Model

DOES = {
    "chat": "chats",
    "embedding": "makes embeddings",
    "rerank": "puts documents in order",
    "image": "makes pictures",
    "speech": "speaks",
    "transcription": "writes down speech",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One way to a model: a deployment."""

    deployment: Deployment
    provider: Provider
    tariff: Tariff


@dataclass(frozen=True, slots=True)
class Target:
    """What a model's name stands for: the deployments that may answer, those tried first in front."""

    name: str
    routes: tuple[Route, ...]
    retries: int = 0

    @property
    def model(self) -> Model:
        it = self.routes[0].deployment
        return Model(self.name, it.kind, it.context, it.dimensions)

    @property
    def currency(self) -> str:
        return self.routes[0].tariff.currency

    def worst(self, prompt: int, completion: int) -> int:
        """Micro-units that a call cannot exceed, whichever deployment answers."""
        return max([0 if route.tariff.free else route.tariff.worst(prompt, completion) for route in self.routes])


@dataclass(slots=True)
class Attempts:
    """One call's way through the deployments: `route` is the one that is asked now."""

    target: Target
    route: Route
    count: int = 1

    async def after(self, error: StrataError) -> bool:
        """Whether to try again, with `route` changed where another may help. Waits as long as a retry should."""
        if not isinstance(error, RateLimited | UpstreamBroken) or self.count > self.target.retries:
            return False
        self.count += 1
        return True

    def answered(self) -> None:
        """The deployment has given its first piece."""

    def ended(self, error: BaseException | None = None) -> None:
        """The exchange with the deployment is over."""


@dataclass(frozen=True, slots=True)
class Router:
    """The targets by the platform's names of models; `routes` are all deployments by theirs."""

    targets: Mapping[str, Target]
    routes: Mapping[str, Route]

    def __iter__(self) -> Iterator[Target]:
        return iter(self.targets.values())

    def find(self, name: object, kinds: Sequence[str]) -> Target:
        """What a name stands for. Raises `NotFound` with the choices, `Invalid` for a model that is of another kind."""
        if not isinstance(name, str) or not name:
            raise Invalid(f"'model' must name one of {self.names(kinds)}", param="model")
        target = self.targets.get(name)
        if target is None:
            raise NotFound(f"no model called {name!r}; there are {self.names(kinds)}", param="model")
        if target.model.kind not in kinds:
            does = DOES.get(target.model.kind, target.model.kind)
            raise Invalid(f"the model {name!r} {does}; for this there are {self.names(kinds)}", param="model")
        return target

    def begin(self, target: Target, caller: Caller, ask: Ask) -> Attempts:  # noqa: ARG002
        """The first deployment to ask. Raises `Unavailable` where every one is known to be down."""
        return Attempts(target, target.routes[0])

    def names(self, kinds: Sequence[str]) -> list[str]:
        return sorted(target.name for target in self if target.model.kind in kinds)
