"""Follow-up questions understood in context: "And in children?" becomes a question that stands by itself.

No model is asked. A question that leans on what went before (it opens with "and", says "it" or "they", or has next to
no words of its own) inherits the telling words of the question before it. A name in the follow-up takes the place of
the names before it, so "And Altrovan?" asks the same of another product.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from strata.app.words import Term, keys, lexicon, terms
from strata.types import ChatMessage

FURTHEST = 4
"""A follow-up reaches back over at most this many questions."""

_OPENINGS = re.compile(
    r"^\W*(?:and|but|or|also|what about|how about|what if|same for|then|so|und|aber|oder|auch|was ist mit|wie ist es"
    r"|wie sieht es|wie steht es|gilt das|dann)\b",
    re.IGNORECASE,
)
_ALONE = 4
"""With this many telling words of its own a question stands by itself, even where it says "it"."""


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question with what it needs from before. `inherited` are the keys that come from an earlier question."""

    text: str
    question: str
    inherited: frozenset[str] = frozenset()


def standalone(question: str, earlier: Sequence[ChatMessage], language: str = "en") -> Standalone:
    """The question as it would be asked without the conversation; `earlier` is oldest first."""
    asked = [message.text for message in earlier if message.role == "reader"][-FURTHEST:]
    before: list[Term] = []
    for text in asked:
        before = _join(text, before, language)
    own = _own(question, language)
    if not before or not leans(question, language):
        return Standalone(question, question)
    borrowed = _borrowed(own, before)
    if not borrowed:
        return Standalone(question, question)
    text = f"{question.strip()} ({' '.join(term.text for term in borrowed)})"
    return Standalone(text, question, frozenset(term.key for term in borrowed))


def leans(question: str, language: str = "en") -> bool:
    """Whether a question rests on what was said before."""
    own = _own(question, language)
    telling = [term for term in own if term.kind != "light"]
    if _OPENINGS.search(question):
        return len(telling) <= _ALONE
    words = re.findall(r"[^\W\d_]+", question.casefold())
    if any(word in lexicon(language).pointers for word in words):
        return len(telling) < _ALONE
    return len(telling) <= 1 and not any(term.kind in {"name", "code"} for term in telling)


def _own(question: str, language: str) -> list[Term]:
    return list({term.key: term for term in terms(question, language)}.values())


def _join(question: str, before: list[Term], language: str) -> list[Term]:
    """What a question was about in the end: its own words, and those that it inherited in its turn."""
    own = _own(question, language)
    return own + _borrowed(own, before) if before and leans(question, language) else own


def _borrowed(own: list[Term], before: list[Term]) -> list[Term]:
    mine = {term.key for term in own}
    renamed = any(term.kind in {"name", "code"} for term in own)
    recounted = any(term.kind == "number" for term in own)
    return [
        term
        for term in before
        if term.key not in mine
        and not (renamed and term.kind in {"name", "code"})
        and not (recounted and term.kind == "number")
    ]


def about(message: ChatMessage, language: str = "en") -> frozenset[str]:
    """The keys of the titles that an answer cited: what the conversation was about."""
    return frozenset().union(*(keys(citation.title, language) for citation in message.citations[:1]))
