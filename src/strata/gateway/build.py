"""Makes the gateway from its options: every deployment's provider and tariff, the budgets, the guardrails."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, cast

from strata import budgets as rules
from strata import plugins
from strata.access import Access
from strata.errors import Misconfigured
from strata.gateway.cache import CIRCLES, AnswerCache, Circle
from strata.gateway.facts.metrics import Metrics
from strata.gateway.facts.telemetry import Telemetry
from strata.gateway.facts.telling import Telling
from strata.gateway.facts.tracing import tracing
from strata.gateway.facts.transcripts import Transcripts
from strata.gateway.gateway import ModelGateway
from strata.gateway.guards.borders import borders
from strata.gateway.guards.guarding import guards
from strata.gateway.keys import Keys
from strata.gateway.money.lease import mine
from strata.gateway.money.limits import Limits
from strata.gateway.money.prices import Tariff, discounted, published, scheduled
from strata.gateway.money.quota import Store
from strata.gateway.money.spend import Spend
from strata.gateway.options import Dated, Deployment, GuardrailOptions, Options, RouteOptions
from strata.gateway.rights import Rights
from strata.gateway.router import Router
from strata.gateway.routing.target import Route, Standing, Target
from strata.gateway.shadow import Shadows
from strata.gateway.till import Till
from strata.ports.months import Months, Periods
from strata.ports.records import Records
from strata.types import Budget, Price


async def build(
    options: Options, *, tenant: str, records: Records, access: Access, figures: Path | None = None
) -> ModelGateway:
    """The gateway, with what an earlier crash left already settled. `figures` is the folder in which the workers of one
    host leave what they counted.

    Raises `Misconfigured` with every mistake in the deployments, budgets, routes and guardrails.
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
    wrong += _limit_mistakes(options)
    if options.call_rows_months < 2:
        wrong.append("gateway.call_rows_months: at least 2, so that no call is charged twice around the end of a month")
    if wrong:
        raise Misconfigured(wrong)
    spend = Spend(records, tenant, options.budgets, mine(), options.reservation_ttl)
    limits = Limits(
        Store(records, f"{tenant}/limits", spend.lease.id, time.time),
        options.requests_per_minute,
        options.max_concurrent,
        options.limits,
        options.max_waiting,
        options.queue_seconds,
    )
    till = Till(spend, limits)
    telemetry = Telemetry(Metrics(figures), tracing(options.otlp_endpoint))
    gateway = ModelGateway(
        tenant,
        options,
        records,
        Rights(access, tenant),
        borders(access, options.region, options.classification, options.models),
        Router(targets, routes),
        till,
        guards(guardrails),
        Keys(records, access, tenant),
        Shadows(till),
        Telling(tenant, records, telemetry, till.beside),
        _cache(options, tenant, access),
        Transcripts(records, access, tenant, options.transcript_days, options.transcript_masked),
        Months(records, f"{tenant}/calls", options.call_rows_months),
        Periods(records, f"{tenant}/budgets", rules.ended, options.call_rows_months),
    )
    telemetry.metrics.gauges += [gateway.gauges]
    await gateway.start()
    return gateway


def _cache(options: Options, tenant: str, access: Access) -> AnswerCache:
    """Guardrails and models cannot change under it: new settings make a new gateway."""
    if options.cache_circle not in CIRCLES:
        raise Misconfigured(f"gateway.cache_circle: {options.cache_circle!r} is none of {', '.join(CIRCLES)}")
    circle = cast("Circle", options.cache_circle)
    return AnswerCache(tenant, access.version, options.cache_seconds, circle, options.cache_bytes)


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
        options.trial,
    )


def _route(deployment: Deployment) -> Route:
    name, _, row = deployment.provider.partition(":")
    module = plugins.find("provider", name)
    standing = Standing.of(deployment.max_concurrent)
    return Route(deployment, module.make(row, deployment), _tariff(deployment, module, row), standing)


def _tariff(deployment: Deployment, module: Any, row: str) -> Tariff:
    """The price in the settings, else the published one; a vendor that charges must have one of the two."""
    own = deployment.price
    if own != Price(discount_percent=own.discount_percent, batch_percent=own.batch_percent):
        always: Tariff | None = Tariff(((0, own),))
    else:
        found = _published(deployment, module, row)
        always = discounted(found, own) if found else None
    if deployment.prices:
        currencies = {it.price.currency for it in deployment.prices} | ({always.currency} if always else set())
        if len(currencies) > 1:
            raise Misconfigured(f"models.{deployment.name}: its prices are in {sorted(currencies)}; use one currency")
        if always is None and not _gapless(deployment.prices):
            raise Misconfigured(
                f"models.{deployment.name}: its prices leave days without any; set price for those, or leave out "
                "valid_from of the first, valid_until of the last, and all gaps"
            )
        return scheduled(deployment.prices, always)
    if always is None:
        raise Misconfigured(
            f"models.{deployment.name}: no published price is known for {module.price_list(row)} "
            f"{deployment.model or deployment.name!r}, so its budgets could not hold; set price.input and "
            "price.output, or options.free = true if it costs nothing"
        )
    return always


def _published(deployment: Deployment, module: Any, row: str) -> Tariff | None:
    """The vendor's published tariff, nothing where it charges nothing, None where it charges and none is known."""
    vendor = module.price_list(row) if hasattr(module, "price_list") else ""
    if not vendor or deployment.options.get("free"):
        return Tariff()
    return published(vendor, deployment.model or deployment.name)


def _gapless(prices: Sequence[Dated]) -> bool:
    """Whether every day has a price: each begins where one before it ended."""
    reached: date | None = date.min
    for it in sorted(prices, key=lambda it: it.valid_from or date.min):
        if reached is None or (it.valid_from or date.min) > reached:
            break
        reached = None if it.valid_until is None else max(reached, it.valid_until)
    return reached is None


def _limit_mistakes(options: Options) -> list[str]:
    wrong = []
    for number, rule in enumerate(options.limits):
        try:
            rules.terms(rule.subject)
        except ValueError as error:
            wrong.append(f"limits[{number}]: {error}")
        if not (rule.requests or rule.tokens or rule.concurrent):
            wrong.append(f"limits[{number}]: it limits nothing; set requests, tokens or concurrent")
    return wrong


def _budget_mistakes(budgets: Iterable[Budget], routes: Iterable[Route]) -> list[str]:
    wrong = []
    currencies = {route.tariff.currency: route.deployment.name for route in routes if not route.tariff.free}
    seen: set[str] = set()
    for budget in budgets:
        wrong += [f"budgets.{budget.id}: {mistake}" for mistake in rules.mistakes(budget)]
        if budget.id in seen:
            wrong.append(f"budgets.{budget.id}: there are two budgets of this id")
        seen.add(budget.id)
        wrong += [
            f"budgets.{budget.id}: its currency is {budget.limit.currency}, but the model {model!r} is priced in {currency}"
            for currency, model in currencies.items()
            if currency != budget.limit.currency
        ]
    return wrong
