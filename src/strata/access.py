"""Who may do what: one decision function over Cedar policies, and the same policies as a store's filter.

`Access.may` asks Cedar. `Access.readable` asks it the very same question once for each access label that exists, and
the labels that pass are the filter that stores apply. So a store's filter cannot disagree with the policy: it is the
policy's answers. Nothing is permitted that no policy permits, and a policy that cannot be evaluated permits nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import cedarpy

from strata.errors import Forbidden, Misconfigured
from strata.types import AccessLabel, Assistant, Corpus, Document, Principal, digest

Action = Literal[
    "find", "read", "add", "remove", "relabel", "list", "index", "ask", "view", "change", "call", "manage",
    "report", "audit", "tell", "evaluate", "send",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resource:
    """A thing in the policies' words: its type, its id, its tenant, and the attributes that policies speak of."""

    type: str
    id: str
    tenant: str
    attributes: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def document(cls, label: AccessLabel) -> Resource:
        attributes = (
            ("readers", [_group(name) for name in sorted(label.readers)]),
            ("classification", label.classification),
            ("department", label.department),
        )
        return cls("Document", label.key, label.tenant, attributes)

    @classmethod
    def corpus(cls, tenant: str, corpus: Corpus) -> Resource:
        return cls("Corpus", corpus.id, tenant, (("department", corpus.department),))

    @classmethod
    def assistant(cls, tenant: str, assistant: Assistant) -> Resource:
        users = [_group(name) for name in sorted(assistant.users)]
        return cls("Assistant", assistant.id, tenant, (("users", users), ("department", assistant.department)))

    @classmethod
    def chat(cls, tenant: str, session: str, owner: str) -> Resource:
        return cls("Chat", session, tenant, (("owner", {"__entity": _uid("Person", owner)}),))

    @classmethod
    def department(cls, tenant: str, department: str) -> Resource:
        return cls("Department", department, tenant, (("department", department),))

    @classmethod
    def deployment(cls, tenant: str, region: str, area: str, agreements: Iterable[str], own: bool) -> Resource:
        """A model's whereabouts: its region as the operator wrote it and the area of law that it lies in."""
        attributes = (("region", region), ("area", area), ("agreements", sorted(agreements)), ("own", own))
        return cls("Deployment", f"{region} {'own' if own else 'vendor'}", tenant, attributes)

    @classmethod
    def plain(cls, type: Literal["Model", "Key", "Ledger", "Tenant"], tenant: str, id: str) -> Resource:
        return cls(type, id, tenant)


@dataclass(frozen=True, slots=True)
class Access:
    """The policies, ready to be asked. `version` changes with every change of their text."""

    policies: cedarpy.PolicySet
    version: str
    _readable: dict[tuple[str, str], bool] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, text: str) -> Access:
        """Policies from Cedar text; raises `Misconfigured` when they do not parse."""
        try:
            return cls(cedarpy.PolicySet.from_str(text), digest(text)[:16])
        except ValueError as error:
            raise Misconfigured(f"the access policies do not parse: {error}") from error

    def may(self, principal: Principal, action: Action, resource: Resource) -> bool:
        """Whether policy permits it. Tenants never meet: another tenant's resource is refused before any policy."""
        return self._decide(principal, action, [resource])[0]

    def require(self, principal: Principal, action: Action, resource: Resource) -> None:
        """Raise `Forbidden`, naming what is missing, unless policy permits it."""
        if not self.may(principal, action, resource):
            raise Forbidden(
                f"{principal.id!r} may not {action} {resource.type.lower()} {resource.id!r}; ask its owner for the right"
            )

    def objection(
        self, principal: Principal, action: Action, resource: Resource, context: Mapping[str, Any]
    ) -> str | None:
        """Why policy does not permit it: the names of the policies that forbid it; None when it does.

        A policy that cannot be evaluated objects too: Cedar would pass over it, and over what it forbids.
        """
        if resource.tenant != principal.tenant:
            return "tenants never meet"
        request = _request(principal, action, resource, context)
        [result] = cedarpy.is_authorized_batch([request], self.policies, _entities(principal, [resource]))
        if result.diagnostics.errors:
            return "a policy could not be evaluated"
        if result.allowed:
            return None
        named: dict[str, str] = result.diagnostics.id_annotations_by_reason
        return "; ".join(sorted(named.values())) or "no policy permits it"

    def may_read(self, principal: Principal, document: Document) -> bool:
        return document.label.key in self.readable(principal, [document.label])

    def readable(self, principal: Principal, labels: Iterable[AccessLabel]) -> frozenset[str]:
        """The keys of those labels whose documents this principal may find and read."""
        wanted = list(labels)
        who = principal.fingerprint
        unknown = [label for label in wanted if (who, label.key) not in self._readable]
        if unknown:
            if len(self._readable) > 100_000:
                self._readable.clear()
            answers = self._decide(principal, "find", [Resource.document(label) for label in unknown])
            self._readable.update(((who, label.key), yes) for label, yes in zip(unknown, answers, strict=True))
        return frozenset(label.key for label in wanted if self._readable.get((who, label.key), False))

    def _decide(self, principal: Principal, action: Action, resources: list[Resource]) -> list[bool]:
        own = [resource for resource in resources if resource.tenant == principal.tenant]
        if not own:
            return [False] * len(resources)
        requests = [_request(principal, action, resource, {}) for resource in own]
        results = cedarpy.is_authorized_batch(requests, self.policies, _entities(principal, own))
        granted = {id(r): result.allowed for r, result in zip(own, results, strict=True)}
        return [granted.get(id(resource), False) for resource in resources]


def _request(principal: Principal, action: Action, resource: Resource, context: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "principal": _text(_kind(principal), principal.id),
        "action": _text("Action", action),
        "resource": _text(resource.type, resource.id),
        "context": dict(context),
    }


def _entities(principal: Principal, resources: list[Resource]) -> list[dict[str, Any]]:
    me = {
        "uid": _uid(_kind(principal), principal.id),
        "attrs": {"department": principal.department, "roles": sorted(principal.roles)},
        "parents": [_uid("Group", name) for name in sorted(principal.groups)],
    }
    unique = {(resource.type, resource.id): resource for resource in resources}
    things = [
        {"uid": _uid(thing.type, thing.id), "attrs": dict(thing.attributes), "parents": []} for thing in unique.values()
    ]
    return [me, *things]


def _kind(principal: Principal) -> str:
    return "Person" if principal.kind == "person" else "Service"


def _group(name: str) -> dict[str, Any]:
    return {"__entity": _uid("Group", name)}


def _uid(type: str, id: str) -> dict[str, str]:
    return {"type": type, "id": id}


@lru_cache(maxsize=4096)
def _text(type: str, id: str) -> str:
    escaped = id.replace("\\", "\\\\").replace('"', '\\"')
    return f'{type}::"{escaped}"'
