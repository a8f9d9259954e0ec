"""Which guardrails stand over a call: those for everything, and those for its model or the department that pays."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from strata import plugins
from strata.errors import Misconfigured
from strata.gateway.faults import where
from strata.gateway.guardrail import Guardrail, Submission
from strata.gateway.options import GuardrailOptions

log = logging.getLogger(__name__)

MAX_CHOSEN = 10_000


@dataclass(frozen=True, slots=True)
class Chosen:
    """The guardrails over one call, in the order of the settings; `reading` are those that look at its texts."""

    all: tuple[Guardrail, ...]
    reading: tuple[Guardrail, ...]


@dataclass(frozen=True, slots=True)
class Guards:
    """All guardrails with what they are set over."""

    rules: tuple[tuple[GuardrailOptions, Guardrail], ...]
    _chosen: dict[tuple[str, str], Chosen] = field(default_factory=dict, repr=False)

    def over(self, submission: Submission) -> Chosen:
        name = (submission.model, submission.payer.department)
        found = self._chosen.get(name)
        if found is None:
            if len(self._chosen) > MAX_CHOSEN:
                self._chosen.clear()
            those = tuple(guardrail for rule, guardrail in self.rules if _concerns(rule, *name))
            reading = tuple(guardrail for guardrail in those if getattr(guardrail, "reads", True))
            found = self._chosen[name] = Chosen(those, reading)
        return found

    async def warm(self) -> None:
        """Let those that have something to load do it now; one that cannot will say so when it is asked."""
        for _, guardrail in self.rules:
            if (warm := getattr(guardrail, "warm", None)) is not None:
                try:
                    await warm()
                except Exception as error:
                    log.error("the guardrail %r could not be made ready: %s", guardrail.name, where(error))  # noqa: TRY400

    async def close(self) -> None:
        """Let go of what guardrails hold, such as connections; only some hold anything."""
        for _, guardrail in self.rules:
            if (close := getattr(guardrail, "close", None)) is not None:
                try:
                    await close()
                except Exception as error:
                    log.error("the guardrail %r could not be closed: %s", guardrail.name, where(error))  # noqa: TRY400


def _concerns(rule: GuardrailOptions, model: str, department: str) -> bool:
    return (not rule.models or model in rule.models) and (not rule.departments or department in rule.departments)


def guards(rules: Iterable[GuardrailOptions]) -> Guards:
    """Raises `Misconfigured` with every mistake of every guardrail."""
    made, wrong = [], []
    for number, rule in enumerate(rules):
        try:
            made.append((rule, plugins.find("guardrail", rule.kind).make(rule.options)))
        except Misconfigured as error:
            wrong += [f"guardrails[{number}]: {mistake}" for mistake in error.mistakes]
    if wrong:
        raise Misconfigured(wrong)
    return Guards(tuple(made))
