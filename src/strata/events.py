"""Every fact that one layer tells the others, in the past tense.

An event is written in the same commit as the change that it tells of, and delivered at least once, in order within its
`partition`. Handlers know it by `id`, so seeing it twice changes nothing. Events carry ids and numbers, never the text
of a document, a question or an answer: reporting must not be able to read those.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from strata.types import Json, Subject, Usage, new_id, now
from strata.values import named_value


@named_value
class Event:
    """What all facts have: who did it, where and when."""

    tenant: str
    actor: str
    id: str = field(default_factory=lambda: new_id("evt"))
    at: datetime = field(default_factory=now)

    audited: ClassVar[bool] = True

    @property
    def kind(self) -> str:
        return type(self).__name__

    @property
    def subject(self) -> str:
        """What the fact is about: the id of a document, a session, a budget."""
        return self.tenant

    @property
    def partition(self) -> str:
        """Events of one partition are delivered in the order of their commits."""
        return f"{self.tenant}/{self.subject}"


# ------------------------------------------------------------------ data


@named_value
class DocumentEvent(Event):
    document: str
    corpus: str
    source: str = ""

    @property
    def subject(self) -> str:
        return self.document


@named_value
class DocumentReceived(DocumentEvent):
    """A new or changed document has been staged and waits to be indexed."""

    revision: int
    content: str


@named_value
class DocumentIndexed(DocumentEvent):
    """A document's passages can be found."""

    revision: int
    chunks: int
    pages: int | None = None


@named_value
class DocumentQuarantined(DocumentEvent):
    """A document could not be read; it is kept with the reason and cannot be found."""

    revision: int
    reason: str


@named_value
class DocumentRelabelled(DocumentEvent):
    """A document's readers or classification changed."""

    readers: tuple[str, ...]
    classification: str
    access: str


@named_value
class DocumentRemoved(DocumentEvent):
    """A document and everything derived from it is gone."""

    reason: str = ""


@named_value
class DocumentRead(DocumentEvent):
    """Somebody opened a document's text or original."""

    form: str = "text"


@named_value
class PassagesFound(Event):
    """A search was answered: which passages this reader was given, under which policy."""

    search: str
    assistant: str
    passages: tuple[str, ...]
    documents: tuple[str, ...]
    policy: str

    @property
    def subject(self) -> str:
        return self.search


# ------------------------------------------------------------------ gateway


@named_value
class UsageRecorded(Event):
    """A model call ended, in whatever way, and this is what it cost. `outcome`: ok, client-gone, failed, reconciled, cached.
    `model` is our own name for it, `deployment` the one behind it that answered, after so many `attempts`;
    `trial` is the comparison of deployments that it is part of. An operation that begins with `shadow:` is a copy.
    """

    request: str
    payer: Subject
    model: str
    provider: str
    operation: str
    usage: Usage
    cost_micros: int
    currency: str
    outcome: str
    duration_ms: int
    streamed: bool = False
    estimated: bool = False
    deployment: str = ""
    first_token_ms: int = 0
    attempts: int = 1
    trial: str = ""

    audited: ClassVar[bool] = False

    @property
    def subject(self) -> str:
        return self.request

    @property
    def partition(self) -> str:
        return f"{self.tenant}/usage/{self.payer.department}"


@named_value
class CallRefused(Event):
    """The gateway refused a call before it left: over budget, over a limit, blocked by a guardrail."""

    request: str
    payer: Subject
    model: str
    reason: str
    budget: str = ""

    @property
    def subject(self) -> str:
        return self.request

    @property
    def partition(self) -> str:
        return f"{self.tenant}/usage/{self.payer.department}"


@named_value
class GuardrailActed(Event):
    """Guardrails found something in a call. `findings`: guardrail, verdict (refused, masked, flagged), place, reason,
    and the span in characters; never the text itself.
    """

    request: str
    payer: Subject
    model: str
    findings: tuple[Json, ...]

    @property
    def subject(self) -> str:
        return self.request


@named_value
class TranscriptRead(Event):
    """Somebody read what was asked and answered in a call."""

    request: str

    @property
    def subject(self) -> str:
        return self.request


@named_value
class TranscriptsErased(Event):
    """What one person asked and was answered has been removed."""

    person: str
    count: int

    @property
    def subject(self) -> str:
        return self.person


@named_value
class KeyCreated(Event):
    """An API key was made."""

    key: str
    name: str
    department: str

    @property
    def subject(self) -> str:
        return self.key


@named_value
class KeyRevoked(Event):
    """An API key was withdrawn."""

    key: str

    @property
    def subject(self) -> str:
        return self.key


# ------------------------------------------------------------------ reporting


@named_value
class BudgetCrossed(Event):
    """Spending passed a budget's alarm threshold or its limit; told once per threshold and period. `member` says whose
    it is where each has their own.
    """

    budget: str
    name: str
    period: str
    threshold_percent: int
    spent_micros: int
    limit_micros: int
    currency: str
    member: str = ""

    @property
    def subject(self) -> str:
        return self.budget


# ------------------------------------------------------------------ app


@named_value
class SignedIn(Event):
    """Somebody signed in."""

    method: str


@named_value
class SignedOut(Event):
    """Somebody signed out."""


@named_value
class SessionEvent(Event):
    session: str
    assistant: str

    @property
    def subject(self) -> str:
        return self.session


@named_value
class QuestionAsked(SessionEvent):
    """A reader asked an assistant something."""

    message: str


@named_value
class QuestionAnswered(SessionEvent):
    """An answer was given: which passages carried it, by which model and prompt, and how it ended."""

    message: str
    outcome: str
    mode: str
    model: str
    prompt_version: str
    documents: tuple[str, ...]
    citations: int
    unsupported: int
    requests: tuple[str, ...] = ()


@named_value
class SessionDeleted(SessionEvent):
    """A reader deleted a chat and all its messages."""


@named_value
class FeedbackGiven(SessionEvent):
    """A reader rated an answer."""

    message: str
    emoji: str
    reasons: tuple[str, ...]


# ------------------------------------------------------------------ factory


@named_value
class EvaluationRun(Event):
    """An evaluation set was run against an assistant."""

    evaluation: str
    dataset: str
    cases: int
    passed: int

    @property
    def subject(self) -> str:
        return self.evaluation


def _kinds(root: type[Event]) -> dict[str, type[Event]]:
    found: dict[str, type[Event]] = {}
    for kind in root.__subclasses__():
        found[kind.__name__] = kind
        found.update(_kinds(kind))
    return found


KINDS: dict[str, type[Event]] = {
    name: kind for name, kind in _kinds(Event).items() if name not in {"DocumentEvent", "SessionEvent"}
}


def encode(event: Event) -> bytes:
    """The event as JSON: `{"kind": …, "event": {…}}`."""
    return msgspec.json.encode({"kind": event.kind, "event": event})


def decode(data: bytes) -> Event:
    """The event that `encode` wrote; raises ValueError for a kind that this version does not know."""
    raw = msgspec.json.decode(data)
    return revive(raw)


def revive(raw: Any) -> Event:
    """An event from its decoded JSON form."""
    kind = KINDS.get(raw["kind"])
    if kind is None:
        raise ValueError(f"no event called {raw['kind']!r}; there are {sorted(KINDS)}")
    return msgspec.convert(raw["event"], kind)


def facts(event: Event) -> Json:
    """The event's own fields as plain JSON values, without those that every event has."""
    plain: Json = msgspec.to_builtins(event)
    return {name: value for name, value in plain.items() if name not in {"id", "at", "tenant", "actor"}}
