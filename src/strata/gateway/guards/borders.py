"""Which deployments a call may go to, given what is known about its data; asked of the policies once, then remembered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from strata.access import Access
from strata.errors import Invalid
from strata.gateway.guards.residency import DataFacts, Whereabouts, allowed, strictest
from strata.gateway.options import Deployment
from strata.gateway.router import Objection
from strata.gateway.routing.target import Route
from strata.types import CLASSIFICATIONS

EMBEDDED = frozenset({"llamacpp", "minilm", "echo"})
"""Providers that run in this process."""

MAX_KNOWN = 1000


@dataclass(frozen=True, slots=True)
class Borders:
    """`region` is where the tenant is at home; `default` the classification of a call that says nothing of
    itself, and the least of one that does: nobody opens a border by saying so.
    """

    access: Access
    region: str
    default: str
    places: dict[str, Whereabouts]
    _known: dict[tuple[str, frozenset[str]], dict[str, str]] = field(default_factory=dict, repr=False)

    def objection(self, classification: str, labels: Iterable[str]) -> Objection | None:
        """Why a call with such data may not go to a deployment; None where it may go to every one. Raises `Invalid` for
        a classification that does not exist.
        """
        said = strictest(classification, self.default) if classification else self.default
        name = (said, frozenset(labels))
        against = self._known.get(name)
        if against is None:
            if name[0] not in CLASSIFICATIONS:
                raise Invalid(f"there is no classification {name[0]!r}; there are {', '.join(CLASSIFICATIONS)}")
            if len(self._known) > MAX_KNOWN:
                self._known.clear()
            data = DataFacts(*name)
            reasons = {at: allowed(self.access, self.region, where, data) for at, where in self.places.items()}
            against = self._known[name] = {at: reason for at, reason in reasons.items() if reason is not None}
        if not against:
            return None
        known = against

        def why(route: Route) -> str | None:
            return known.get(route.deployment.name)

        return why


def borders(access: Access, region: str, default: str, deployments: Iterable[Deployment]) -> Borders:
    """With each deployment where its settings say that it is; what runs in this process is the organisation's own."""
    places = {
        it.name: Whereabouts(it.region, it.agreements, it.own or it.provider.partition(":")[0] in EMBEDDED)
        for it in deployments
    }
    return Borders(access, region, default, places)
