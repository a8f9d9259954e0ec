"""The assistants of the organisation, and which of them a person may ask."""

from __future__ import annotations

from dataclasses import dataclass

from strata.access import Access, Resource
from strata.errors import NotFound
from strata.types import Assistant, Principal


@dataclass(frozen=True, slots=True)
class Roster:
    """Every assistant by its id. Whom it serves is policy's answer to "may this person ask it?"."""

    tenant: str
    assistants: dict[str, Assistant]
    access: Access

    @classmethod
    def of(cls, tenant: str, assistants: tuple[Assistant, ...], access: Access) -> Roster:
        return cls(tenant, {assistant.id: assistant for assistant in assistants}, access)

    def of_person(self, principal: Principal) -> list[Assistant]:
        """The assistants that this person may ask, in the order of the settings."""
        return [one for one in self.assistants.values() if self.access.may(principal, "ask", self._resource(one))]

    def require(self, principal: Principal, assistant: str) -> Assistant:
        """Raises `NotFound` where there is no such assistant, `Forbidden` where it does not serve this person."""
        one = self.assistants.get(assistant)
        if one is None or principal.tenant != self.tenant:
            choices = sorted(mine.id for mine in self.of_person(principal))
            raise NotFound(f"no assistant called {assistant!r}; yours are {choices}")
        self.access.require(principal, "ask", self._resource(one))
        return one

    def _resource(self, assistant: Assistant) -> Resource:
        return Resource.assistant(self.tenant, assistant)
