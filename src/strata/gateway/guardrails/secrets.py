"""Keeps keys, tokens and passwords from the vendor, and from the reader where a model gives one away.

Options: `action`, `mask` (a mark takes the secret's place) or `refuse`; `answers`, whether answers are looked at too;
`allow`, regular expressions of values that are no secrets, such as a test key.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from strata.errors import Misconfigured, Refused
from strata.gateway.guardrail import Finding, Place, Submission, Text, Watch
from strata.gateway.guards.privacy.credentials import Secret, decided, secrets

INLINE = 20_000
OPEN = 20_000
"""Characters held back at most while a secret has not ended; then what is held counts as one."""


@dataclass(frozen=True, slots=True)
class Secrets:
    action: str
    answers: bool
    allow: tuple[re.Pattern[str], ...]
    name: str = "secrets"

    async def request(self, submission: Submission) -> None:
        kinds: set[str] = set()
        changed: list[tuple[Text, str]] = []
        for text in submission.texts:
            value = text.value
            if not isinstance(value, str) or not value:
                continue
            look = self.look
            found = look(value) if len(value) <= INLINE else await asyncio.to_thread(look, value)
            if found:
                kinds |= {secret.kind for secret in found}
                submission.findings += [self.finding(text.place, secret) for secret in found]
                changed.append((text, masked(value, found)))
        if kinds and self.action == "refuse":
            raise Refused(
                f"the request holds a secret ({', '.join(sorted(kinds))}); take it out, and renew it if others have seen it"
            )
        for text, value in changed:
            text.replace(value)

    def answer(self, submission: Submission) -> Watch | None:
        return Hiding(self, submission) if self.answers else None

    def look(self, text: str) -> list[Secret]:
        found = secrets(text)
        if not self.allow:
            return found
        return [one for one in found if not any(rule.fullmatch(text[one.start : one.end]) for rule in self.allow)]

    def finding(self, place: Place, secret: Secret, offset: int = 0) -> Finding:
        verdict: Literal["masked", "refused"] = "masked" if self.action == "mask" else "refused"
        start, end = secret.start + offset, secret.end + offset
        return Finding(self.name, verdict, place, f"secret: {secret.kind}", start, end)


def masked(text: str, found: list[Secret]) -> str:
    parts, at = [], 0
    for secret in found:
        parts += [text[at : secret.start], f"[secret: {secret.kind}]"]
        at = secret.end
    return "".join([*parts, text[at:]])


@dataclass(slots=True)
class Run:
    """One channel of an answer: the last characters that went on, what is held back, how many went on in all."""

    place: Place
    gone: str = ""
    held: str = ""
    decided: int = 0


@dataclass(slots=True)
class Hiding:
    """Holds back the last word of an answer, and what announces a secret, until it is clear what it is."""

    guardrail: Secrets
    submission: Submission
    runs: dict[str, Run] = field(default_factory=dict)

    async def piece(self, text: Text) -> str:
        run = self.runs.get(text.channel)
        if run is None:
            run = self.runs[text.channel] = Run(text.place)
        run.held += text.value
        if len(run.held) > OPEN:
            return self._let(run, len(run.held))
        return self._let(run, decided(run.held))

    async def end(self, channel: str) -> str:
        run = self.runs.pop(channel, None)
        return self._let(run, len(run.held)) if run else ""

    def _let(self, run: Run, cut: int) -> str:
        if not cut:
            return ""
        before = len(run.gone)
        text = run.gone + run.held[:cut]
        found = [one for one in self.guardrail.look(text) if one.end > before]
        found = [Secret(max(one.start, before) - before, one.end - before, one.kind) for one in found]
        if found:
            self.submission.findings += [self.guardrail.finding(run.place, one, run.decided) for one in found]
            if self.guardrail.action == "refuse":
                raise Refused(f"the answer holds a secret ({', '.join(sorted({one.kind for one in found}))})")
        said = masked(text[before:], found)
        run.gone, run.held = text[-1:], run.held[cut:]
        run.decided += cut
        return said


def make(options: Mapping[str, Any]) -> Secrets:
    wrong = [f"the guardrail 'secrets' has no option {name!r}" for name in sorted(set(options) - KNOWN)]
    action, answers, allow = options.get("action", "mask"), options.get("answers", True), options.get("allow", [])
    if action not in ("mask", "refuse"):
        wrong.append("secrets: action is 'mask' or 'refuse'")
    if not isinstance(answers, bool):
        wrong.append("secrets: answers is true or false")
    rules: list[re.Pattern[str]] = []
    given: list[Any] = list(allow) if isinstance(allow, list | tuple) else [None]
    for rule in given:
        try:
            rules.append(re.compile(rule))
        except (re.error, TypeError) as error:
            wrong.append(f"secrets: allow is a list of regular expressions; {rule!r} is none: {error}")
    if wrong:
        raise Misconfigured(wrong)
    return Secrets(action, answers, tuple(rules))


KNOWN = {"action", "answers", "allow"}
