"""An answer while it is being given: what was said and cited so far, and what it took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from strata.app.cite import Citations
from strata.app.statements import Statement
from strata.types import (
    AnswerMode,
    AnswerUsage,
    ChatMessage,
    Cited,
    Money,
    Outcome,
    Passage,
    Said,
    Sentence,
    Support,
    Usage,
    now,
)


@dataclass(slots=True)
class Draft:
    """Grows with every sentence. Whoever leaves early, what is in it is what was said."""

    mode: AnswerMode
    model: str | None = None
    outcome: Outcome = "failed"
    sentences: list[Sentence] = field(default_factory=list)
    citations: Citations = field(default_factory=lambda: Citations(()))
    requests: list[str] = field(default_factory=list)
    vectors: dict[str, list[float]] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0
    currency: str = "USD"
    began: float = field(default_factory=time.monotonic)

    def found(self, passages: tuple[Passage, ...]) -> None:
        """From here on, citations are of these passages."""
        self.citations = Citations(passages)

    def meter(self, usage: Usage | None, cost: Money | None) -> None:
        """Add what a model call took."""
        if usage is not None:
            self.prompt_tokens += usage.prompt_tokens
            self.completion_tokens += usage.completion_tokens
        if cost is not None:
            self.cost += cost.micros
            self.currency = cost.currency

    def say(self, text: str, carriers: list[tuple[Statement, float]], support: Support) -> list[Cited | Said]:
        """A sentence with the statements that carry it, as parts: new citations first, then the sentence."""
        parts: list[Cited | Said] = []
        used: list[int] = []
        for statement, score in carriers:
            citation, new = self.citations.cite(statement, score)
            if citation.number not in used:
                used.append(citation.number)
            if new:
                parts.append(Cited(citation))
        sentence = Sentence(text, support, tuple(used))
        self.sentences.append(sentence)
        return [*parts, Said(sentence)]

    @property
    def text(self) -> str:
        return "".join(sentence.text for sentence in self.sentences)

    @property
    def usage(self) -> AnswerUsage:
        seconds = round(time.monotonic() - self.began, 3)
        money = Money(self.cost, self.currency)
        return AnswerUsage(self.model, self.prompt_tokens, self.completion_tokens, money, seconds)

    def message(self, id: str) -> ChatMessage:
        """The answer as it is kept."""
        return ChatMessage(
            id=id,
            role="assistant",
            created_at=now(),
            text=self.text.rstrip(),
            sentences=tuple(self.sentences),
            citations=tuple(self.citations.given),
            outcome=self.outcome,
            mode=self.mode,
            usage=self.usage,
        )
