"""From the platform's own model names to what stands behind them: a deployment, its provider and its tariff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from strata.errors import Invalid, NotFound
from strata.gateway.options import Deployment
from strata.gateway.prices import Tariff
from strata.gateway.provider import Provider
from strata.types import Model


@dataclass(frozen=True, slots=True)
class Route:
    """One way to a model."""

    deployment: Deployment
    provider: Provider
    tariff: Tariff

    @property
    def model(self) -> Model:
        it = self.deployment
        return Model(it.name, it.kind, it.context, it.dimensions)


@dataclass(frozen=True, slots=True)
class Router:
    """The routes by the platform's names of models."""

    routes: Mapping[str, Route]

    def __iter__(self) -> Iterator[Route]:
        return iter(self.routes.values())

    def find(self, name: object, kind: Literal["chat", "embedding"]) -> Route:
        """The way to a model. Raises `NotFound` with the choices, `Invalid` for a model that is of another kind."""
        if not isinstance(name, str) or not name:
            raise Invalid(f"'model' must name one of {self.names(kind)}", param="model")
        route = self.routes.get(name)
        if route is None:
            raise NotFound(f"no model called {name!r}; there are {self.names(kind)}", param="model")
        if route.deployment.kind != kind:
            does = "chats" if route.deployment.kind == "chat" else "makes embeddings"
            raise Invalid(f"the model {name!r} {does}; for this there are {self.names(kind)}", param="model")
        return route

    def names(self, kind: str) -> list[str]:
        return sorted(route.deployment.name for route in self if route.deployment.kind == kind)
