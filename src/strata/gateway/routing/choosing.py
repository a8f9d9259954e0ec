"""In which order a call asks the variants of a route.

`weighted` draws lots, each variant in proportion to its weight; who is to stay on one variant (`sticky`) always draws
the same lots: weighted rendezvous hashing, which needs no memory and moves only as many as a change of weights has to
(https://www.snia.org/sites/default/files/SDC15_presentations/dist_sys/Jason_Resch_New_Consistent_Hashings_Rev.pdf).
`least-busy` takes the less loaded of the first two lots (Mitzenmacher, "The power of two choices in randomized load
balancing", 2001). `lowest-latency` goes by what is known of each variant and tries those of which nothing is known.
`lowest-cost` goes by what this very call costs at the most.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

from strata.gateway.caller import Ask, Caller
from strata.gateway.money.estimate import likely_prompt
from strata.gateway.routing.target import Route, Sticky, Target
from strata.types import Usage

UNKNOWN = 1e6
"""Seconds that stand for a variant whose first call is still under way."""

Lots = Sequence[tuple[float, Route]]


def ordered(
    target: Target, caller: Caller, ask: Ask, most: int, random: Callable[[], float], *, streamed: bool
) -> tuple[Route, ...]:
    """The routes to ask one after the other: variants with a weight in the order of preference, then fallbacks."""
    subject = _subject(target.sticky, caller, ask)
    lots = sorted(
        [
            (_lot(weight, _hashed(target.name, subject, route) if subject else random()), route)
            for route, weight in zip(target.routes, target.weights, strict=False)
            if weight > 0
        ],
        key=_by_lot,
    )
    match target.strategy:
        case "least-busy":
            variants = _least_busy(lots, dict(zip(target.routes, target.weights, strict=False)))
        case "lowest-latency":
            variants = [route for _, route in sorted(lots, key=lambda it: _expected(it[1], streamed=streamed))]
        case "lowest-cost":
            usage = Usage(likely_prompt(ask.body), most)
            variants = [route for _, route in sorted(lots, key=lambda it: it[1].tariff.cost(usage))]
        case _:
            variants = [route for _, route in lots]
    fallbacks = target.routes[len(target.weights) :]
    return (*variants, *fallbacks)


def _by_lot(lot: tuple[float, Route]) -> float:
    return lot[0]


def _lot(weight: float, draw: float) -> float:
    """The smallest lot wins as often as its weight's share. `draw` is even between 0 and 1."""
    return -math.log(draw or 5e-324) / weight


def _subject(sticky: Sticky, caller: Caller, ask: Ask) -> str:
    match sticky:
        case "person":
            return caller.payer.person or caller.principal.id
        case "session":
            return ask.session
        case "department":
            return caller.payer.department
        case _:
            return ""


def _hashed(name: str, subject: str, route: Route) -> float:
    text = f"{name}\0{subject}\0{route.deployment.name}"
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest) + 0.5) / 2**64


def _least_busy(lots: Lots, weights: dict[Route, float]) -> list[Route]:
    routes = [route for _, route in lots]
    if len(routes) > 1:
        one, other = (route.standing.room.load / weights[route] for route in routes[:2])
        if other < one:
            routes[0], routes[1] = routes[1], routes[0]
    return routes


def _expected(route: Route, *, streamed: bool) -> float:
    """Seconds until this route would answer, those who are there already included."""
    seconds, load = route.standing.latency(streamed=streamed).seconds, route.standing.room.load
    if seconds is None:
        return UNKNOWN + load if load else 0.0
    return seconds * (load + 1)
