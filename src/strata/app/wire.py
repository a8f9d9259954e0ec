"""The application's nouns as JSON: what the web client reads and writes, and how it is made from our own values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from strata import types

Emoji = Literal["👍", "👎", "🎉", "😕", "⚠️"]
Reason = Literal["wrong", "incomplete", "outdated", "wrong-source", "unclear", "unsafe", "helpful", "well-cited"]
By = Literal["department", "person", "assistant", "model"]


class Wire(BaseModel):
    """What all of them have: they are made from values with attributes of the same names."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)


class Problem(Wire):
    """What went wrong and what to do, as RFC 9457 has it."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    budget: str = ""
    resets_at: datetime | None = None


class Money(Wire):
    micros: int
    currency: str


class Named(Wire):
    id: str
    name: str


class Permissions(Wire):
    upload: bool
    usage: bool
    audit: bool


class Me(Wire):
    id: str
    name: str
    email: str
    title: str
    department: Named
    tenant: Named
    groups: list[str]
    roles: list[str]
    may: Permissions


class SignIn(Wire):
    token: str = Field(max_length=512)


class Assistant(Wire):
    id: str
    name: str
    department: Named
    description: str
    language: str
    mode: Literal["generative", "extractive"]
    model: str | None
    corpora: list[str]
    suggestions: list[str]
    notice: str

    @classmethod
    def of(cls, assistant: types.Assistant, departments: Mapping[str, str]) -> Assistant:
        return cls(
            id=assistant.id,
            name=assistant.name,
            department=named(assistant.department, departments),
            description=assistant.description,
            language=assistant.language,
            mode=assistant.mode,
            model=assistant.model or None,
            corpora=list(assistant.corpora),
            suggestions=list(assistant.suggestions),
            notice=assistant.notice,
        )


class Session(Wire):
    id: str
    title: str
    assistant: str
    created_at: datetime
    updated_at: datetime


class NewSession(Wire):
    assistant: str


class SessionTitle(Wire):
    title: str


class Sentence(Wire):
    text: str
    support: Literal["supported", "unsupported", "none"]
    citations: list[int]


class Citation(Wire):
    number: int
    document: str
    title: str
    media: str
    page: int | None
    headings: list[str]
    start: int
    end: int
    quote: str
    score: float


class MessageUsage(Wire):
    model: str | None
    prompt_tokens: int
    completion_tokens: int
    cost: Money
    seconds: float


class Feedback(Wire):
    emoji: Emoji
    reasons: list[Reason]
    comment: str


class Message(Wire):
    id: str
    role: Literal["reader", "assistant"]
    created_at: datetime
    text: str
    sentences: list[Sentence]
    citations: list[Citation]
    outcome: Literal["answered", "abstained", "stopped", "failed"] | None
    mode: Literal["generative", "extractive"] | None
    usage: MessageUsage | None
    feedback: Feedback | None


class SessionDetail(Session):
    messages: list[Message]


class Question(Wire):
    text: str


class Corpus(Wire):
    id: str
    name: str
    department: str
    may_upload: bool


class Document(Wire):
    id: str
    title: str
    source: str
    corpus: str
    media: str
    size: int
    state: Literal["received", "indexed", "quarantined"]
    reason: str
    classification: Literal["public", "internal", "confidential", "restricted"]
    readers: list[str]
    pages: int | None
    chunks: int
    received_at: datetime
    indexed_at: datetime | None

    @classmethod
    def of(cls, document: types.Document) -> Document:
        values = {name: getattr(document, name) for name in cls.model_fields}
        return cls(**values | {"readers": sorted(document.readers)})


class Page(Wire):
    page: int
    start: int
    end: int


class Block(Wire):
    kind: Literal["heading", "paragraph", "table", "list", "code"]
    start: int
    end: int
    page: int | None
    level: int


class DocumentText(Wire):
    text: str
    pages: list[Page]
    blocks: list[Block]


class UsageRow(Wire):
    key: str
    name: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int


class UsageDay(Wire):
    day: date
    requests: int
    cost_micros: int


class Budget(Wire):
    id: str
    name: str
    department: str
    period: types.Period
    limit_micros: int
    spent_micros: int
    reserved_micros: int
    currency: str
    alarm_percent: int
    state: Literal["ok", "alarm", "exhausted"]
    resets_at: datetime | None

    @classmethod
    def of(cls, status: types.BudgetStatus) -> Budget:
        budget = status.budget
        field, _, value = budget.subject.partition(":")
        return cls(
            id=budget.id,
            name=budget.name,
            department=value if field == "department" else "",
            period=budget.period,
            limit_micros=budget.limit.micros,
            spent_micros=status.spent,
            reserved_micros=status.reserved,
            currency=budget.limit.currency,
            alarm_percent=budget.alarm_percent,
            state=status.state,
            resets_at=status.resets_at,
        )


class UsageReport(Wire):
    by: By
    since: datetime = Field(alias="from")
    till: datetime
    currency: str
    total: UsageRow
    rows: list[UsageRow]
    daily: list[UsageDay]
    budgets: list[Budget]

    @classmethod
    def of(cls, report: types.UsageReport, names: Mapping[str, str]) -> UsageReport:
        return cls.model_validate(
            {
                "by": report.by,
                "from": report.since,
                "till": report.till,
                "currency": report.currency,
                "total": _row(report.total, {}),
                "rows": [_row(row, names) for row in report.rows],
                "daily": [UsageDay.model_validate(day) for day in report.daily],
                "budgets": [Budget.of(status) for status in report.budgets],
            }
        )


def _row(row: types.UsageRow, names: Mapping[str, str]) -> UsageRow:
    return UsageRow(
        key=row.key,
        name=names.get(row.key) or row.key,
        requests=row.requests,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cost_micros=row.cost_micros,
    )


def named(id: str, names: Mapping[str, str]) -> Named:
    """An id with the name it is known by; the id itself where it has none."""
    return Named(id=id, name=names.get(id) or id)


def part(value: types.Part) -> dict[str, Any]:
    """A part of an answer as the JSON object of one server-sent event."""
    match value:
        case types.Cited(citation):
            return {"type": "citation", "citation": Citation.model_validate(citation).model_dump()}
        case types.Said(sentence):
            return {"type": "sentence", "sentence": Sentence.model_validate(sentence).model_dump()}
        case types.Metered(usage):
            return {"type": "usage", "usage": MessageUsage.model_validate(usage).model_dump()}
        case types.Started():
            return {"type": "started", "question": value.question, "message": value.message, "mode": value.mode}
        case types.Searched():
            return {
                "type": "searched",
                "query": value.query,
                "passages": value.passages,
                "documents": value.documents,
            }
        case types.Done():
            return {"type": "done", "outcome": value.outcome, "mode": value.mode, "title": value.title}
        case types.Failed():
            return {"type": "error", "problem": value.problem}
