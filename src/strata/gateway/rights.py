"""Who may call which model, and see which budget: asked of the policies once, then remembered by this process."""

from __future__ import annotations

from dataclasses import dataclass, field

from strata.access import Access, Resource
from strata.errors import Forbidden
from strata.gateway.caller import Ask, Caller
from strata.types import Principal

MAX_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of one tenant's callers."""

    access: Access
    tenant: str
    _calls: dict[tuple[Principal, str], bool] = field(default_factory=dict, repr=False)

    def require(self, caller: Caller, model: str, ask: Ask) -> None:
        """Raise `Forbidden` unless the caller may call the model, and its API key is for that."""
        if not self.may_call(caller.principal, model):
            raise Forbidden(f"{caller.principal.id!r} may not call the model {model!r}; ask a platform engineer")
        if (caller.models is not None and model not in caller.models) or (
            caller.operations is not None and ask.operation not in caller.operations
        ):
            raise Forbidden(f"this API key is not for {ask.operation} with the model {model!r}; ask for one that is")

    def may_call(self, principal: Principal, model: str) -> bool:
        permitted = self._calls.get((principal, model))
        if permitted is None:
            if len(self._calls) > MAX_REMEMBERED:
                self._calls.clear()
            permitted = self.access.may(principal, "call", Resource.plain("Model", self.tenant, model))
            self._calls[principal, model] = permitted
        return permitted

    def may_see(self, principal: Principal, subject: str) -> bool:
        """Whether somebody may see a budget of this subject."""
        kind, _, id_ = subject.partition(":")
        if kind == "person" and id_ == principal.id and principal.tenant == self.tenant:
            return True
        if kind == "department":
            return self.access.may(principal, "report", Resource.department(self.tenant, id_))
        return self.access.may(principal, "report", Resource.plain("Tenant", self.tenant, self.tenant))
