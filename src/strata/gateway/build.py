"""Makes the gateway from its options: every deployment's provider and tariff, the budgets, the guardrails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from strata import plugins
from strata.access import Access
from strata.errors import Misconfigured
from strata.gateway.gateway import ModelGateway
from strata.gateway.guarding import guards
from strata.gateway.keys import Keys
from strata.gateway.lease import mine
from strata.gateway.limits import Limits
from strata.gateway.options import Deployment, GuardrailOptions, Options, RouteOptions
from strata.gateway.prices import Tariff, published
from strata.gateway.router import Router
from strata.gateway.routing.shadow import Shadows
from strata.gateway.routing.target import Route, Standing, Target
from strata.gateway.spend import KINDS, Spend
from strata.gateway.till import Till
from strata.ports.records import Records
from strata.types import Budget, Price


async def build(options: Options, *, tenant: str, records: Records, access: Access) -> ModelGateway:
    """The gateway, with what an earlier crash left already settled.

    Raises `Misconfigured` with every mistake in the deployments and budgets.
    """
    wrong: list[str] = []
    routes: dict[str, Route] = {}
    for deployment in options.models:
        if deployment.name in routes:
            wrong.append(f"models.{deployment.name}: there are two models of this name")
            continue
        try:
            routes[deployment.name] = _route(deployment)
        except Misconfigured as error:
            wrong += error.mistakes
    targets = {name: Target(name, (route,), options.retries) for name, route in routes.items()}
    for route_options in options.routes:
        try:
            targets[route_options.name] = _target(route_options, routes)
        except Misconfigured as error:
            wrong += error.mistakes
    guardrails = (GuardrailOptions("size", {"max_body": options.max_body}), *options.guardrails)
    wrong += _budget_mistakes(options.budgets, routes.values())
    if wrong:
        raise Misconfigured(wrong)
    till = Till(
        Spend(records, tenant, options.budgets, mine(), options.reservation_ttl),
        Limits(options.requests_per_minute, options.max_concurrent),
    )
    gateway = ModelGateway(
        tenant,
        options,
        records,
        access,
        Router(targets, routes),
        till,
        guards(guardrails),
        Keys(records, access, tenant),
        Shadows(till),
    )
    await gateway.start()
    return gateway


def _target(options: RouteOptions, routes: Mapping[str, Route]) -> Target:
    """The deployments behind a route, those tried first in front."""
    weights = {variant.model: variant.weight for variant in options.variants}
    names = dict.fromkeys([*weights, *options.fallbacks])
    shadow = options.shadow
    wrong: list[str] = []
    unknown = [name for name in (*names, *([shadow.model] if shadow else [])) if name not in routes]
    if unknown:
        wrong.append(f"there are no models {unknown}; there are {sorted(routes)}")
    if len(weights) < len(options.variants):
        wrong.append("a model stands among its variants twice; give it one weight")
    if not any(weight > 0 for weight in weights.values()):
        wrong.append("at least one of its variants needs a weight above 0")
    if options.sticky and options.strategy != "weighted":
        wrong.append(f"who is sticky goes by weights, so the strategy cannot be {options.strategy!r}")
    if shadow and not 0 < shadow.weight <= 1:
        wrong.append("the weight of its shadow is a share of the calls: above 0, and 1 for every call")
    if wrong:
        raise Misconfigured([f"routes.{options.name}: {mistake}" for mistake in wrong])
    behind = tuple(routes[name] for name in names)
    charged = [*behind, routes[shadow.model]] if shadow else behind
    currencies = {route.tariff.currency for route in charged if not route.tariff.free}
    if len(currencies) > 1:
        raise Misconfigured(f"routes.{options.name}: its models are priced in {sorted(currencies)}; use one currency")
    return Target(
        options.name,
        behind,
        options.retries,
        tuple(weights.values()),
        options.strategy,
        options.sticky,
        routes[shadow.model] if shadow else None,
        shadow.weight if shadow else 0.0,
    )


def _route(deployment: Deployment) -> Route:
    name, _, row = deployment.provider.partition(":")
    module = plugins.find("provider", name)
    standing = Standing.of(deployment.max_concurrent)
    return Route(deployment, module.make(row, deployment), _tariff(deployment, module, row), standing)


def _tariff(deployment: Deployment, module: Any, row: str) -> Tariff:
    """The price in the settings, else the published one; a vendor that charges must have one of the two."""
    if deployment.price != Price():
        return Tariff(((0, deployment.price),))
    vendor = module.price_list(row) if hasattr(module, "price_list") else ""
    if not vendor or deployment.options.get("free"):
        return Tariff()
    model = deployment.model or deployment.name
    found = published(vendor, model)
    if found is None:
        raise Misconfigured(
            f"models.{deployment.name}: no published price is known for {vendor} {model!r}, so its budgets could not "
            "hold; set price.input and price.output, or options.free = true if it costs nothing"
        )
    return found


def _budget_mistakes(budgets: Iterable[Budget], routes: Iterable[Route]) -> list[str]:
    wrong = []
    currencies = {route.tariff.currency: route.deployment.name for route in routes if not route.tariff.free}
    seen: set[str] = set()
    for budget in budgets:
        kind, _, value = budget.subject.partition(":")
        if budget.subject != "tenant" and (kind not in KINDS or not value):
            choices = ", ".join(f"{kind}:NAME" for kind in KINDS)
            wrong.append(f"budgets.{budget.id}: the subject {budget.subject!r} is none of tenant, {choices}")
        if budget.id in seen:
            wrong.append(f"budgets.{budget.id}: there are two budgets of this id")
        seen.add(budget.id)
        wrong += [
            f"budgets.{budget.id}: its currency is {budget.limit.currency}, but the model {model!r} is priced in {currency}"
            for currency, model in currencies.items()
            if currency != budget.limit.currency
        ]
    return wrong
