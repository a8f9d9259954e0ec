"""From the platform's own model names to the deployments that answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from strata.errors import Forbidden, Invalid, NotFound
from strata.gateway.caller import Ask, Caller
from strata.gateway.routing.attempts import REAL, Attempts, Chance
from strata.gateway.routing.choosing import ordered
from strata.gateway.routing.target import Route, Target
from strata.gateway.speaking import does

DOES = {
    "chat": "chats",
    "embedding": "makes embeddings",
    "rerank": "puts documents in order",
    "image": "makes pictures",
    "speech": "speaks",
    "transcription": "writes down speech",
}

Objection = Callable[[Route], str | None]
"""Why a call may not go to a deployment; None where it may."""


@dataclass(frozen=True, slots=True)
class Router:
    """The targets by the platform's names of models; `routes` are all deployments by theirs."""

    targets: Mapping[str, Target]
    routes: Mapping[str, Route]
    chance: Chance = REAL

    def __iter__(self) -> Iterator[Target]:
        return iter(self.targets.values())

    def find(self, name: object, kinds: Sequence[str]) -> Target:
        """What a name stands for. Raises `NotFound` with the choices, `Invalid` for a model that is of another kind."""
        if not isinstance(name, str) or not name:
            raise Invalid(f"'model' must name one of {self.names(kinds)}", param="model")
        target = self.targets.get(name)
        if target is None:
            raise NotFound(f"no model called {name!r}; there are {self.names(kinds)}", param="model")
        kind = target.routes[0].deployment.kind
        if kind not in kinds:
            does = DOES.get(kind, kind)
            raise Invalid(f"the model {name!r} {does}; for this there are {self.names(kinds)}", param="model")
        return target

    def begin(
        self,
        target: Target,
        caller: Caller,
        ask: Ask,
        most: int = 0,
        *,
        streamed: bool = False,
        objection: Objection | None = None,
    ) -> Attempts:
        """The deployments to ask, the first in front. `most` is the most tokens that the answer may have.

        Raises `Forbidden` where the call may go to none of them, `Unavailable` or `RateLimited` where every one is
        known to fail or to be over its limit.
        """
        routes = target.routes
        if len(routes) > 1:
            order = ordered(target, caller, ask, most, self.chance.random, streamed=streamed)
            routes = tuple([route for route in order if does(route.provider, ask.operation)]) or order
        if objection is not None:
            routes = _permitted(target, routes, objection)
        deadline = self.chance.clock() + ask.timeout if ask.timeout else 0.0
        shadow = target.shadow
        if shadow is not None and (self.chance.random() >= target.share or (objection and objection(shadow))):
            shadow = None
        attempts = Attempts(target, routes[0], routes, streamed, ask.timeout, deadline, self.chance, shadow)
        standing = routes[0].standing
        if (standing.room.limit or not standing.breaker.untroubled) and not standing.ready and attempts.hopeless:
            raise attempts.refusal()
        return attempts

    def names(self, kinds: Sequence[str]) -> list[str]:
        return sorted(target.name for target in self if target.model.kind in kinds)


def _permitted(target: Target, routes: Sequence[Route], objection: Objection) -> tuple[Route, ...]:
    reasons = [objection(route) for route in routes]
    permitted = tuple(route for route, reason in zip(routes, reasons, strict=True) if reason is None)
    if not permitted:
        why = "; ".join(dict.fromkeys(filter(None, reasons)))
        raise Forbidden(f"this may be sent to none of the deployments of {target.name!r}: {why}")
    return permitted
