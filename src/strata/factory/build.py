"""Puts the AI factory together from its options and its neighbours."""

from __future__ import annotations

from strata import plugins
from strata.access import Access
from strata.contracts import Assistants, Library
from strata.errors import Misconfigured
from strata.factory.evals import EvaluationFactory
from strata.factory.metric import Metric
from strata.factory.options import Options
from strata.factory.reports import Reports
from strata.ports.records import Records


async def build(
    options: Options, *, tenant: str, records: Records, assistants: Assistants, library: Library, access: Access
) -> EvaluationFactory:
    """A factory with every metric there is. Raises `Misconfigured` with every mistake of the options."""
    wrong = []
    if options.parallel < 1:
        wrong.append(f"the factory's `parallel` is {options.parallel}; it must be at least 1")
    if options.seconds <= 0:
        wrong.append(f"the factory's `seconds` is {options.seconds}; it must be above zero")
    if wrong:
        raise Misconfigured(wrong)
    reports = Reports(tenant, records)
    return EvaluationFactory(
        tenant, access, assistants, library, reports, metrics(), options.people, options.parallel, options.seconds
    )


def metrics() -> tuple[Metric, ...]:
    """Every metric there is: one for each file in `metrics/`, by name."""
    return tuple(plugins.find("metric", name).make() for name in plugins.available("metric"))
