"""A factory over memory records, and a desk of assistants that answer from a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest

from strata.access import Access
from strata.adapters.records import memory as records_memory
from strata.errors import Forbidden, NotFound, StrataError
from strata.factory.build import build
from strata.factory.evals import EvaluationFactory
from strata.factory.options import Options
from strata.types import (
    ChatSession,
    Citation,
    Cited,
    Document,
    Done,
    Failed,
    Outcome,
    Part,
    Person,
    Principal,
    Said,
    Searched,
    Sentence,
    new_id,
    now,
)

PEOPLE = (
    Person("rae", "Rae", "rae@acme.test", "research"),
    Person("sue", "Sue", "sue@acme.test", "safety", groups=frozenset({"board"})),
)


@dataclass(frozen=True)
class Line:
    """What an assistant says when a question holds a word: its text, the sources that it cites, how it ends."""

    text: str = ""
    cites: tuple[str, ...] = ()
    outcome: Outcome | None = "answered"
    error: StrataError | None = None
    problem: dict[str, Any] | None = None
    hangs: bool = False


@dataclass
class Desk:
    """Assistants and a library in memory. `script` is looked through for the first word that the question holds; a
    follow-up question is understood with the one before it, as `before + question`.
    """

    access: Access
    documents: dict[str, Document]
    script: dict[str, Line] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    asking: int = 0
    most_asking: int = 0

    async def open(self, principal: Principal, assistant: str) -> ChatSession:
        if assistant == "board" and "board" not in principal.groups:
            raise Forbidden("the assistant does not serve you")
        session = new_id("ses")
        self.sessions[session] = ""
        self.opened.append(f"{principal.id} {assistant}")
        return ChatSession(session, principal.tenant, principal.id, assistant, "", now(), now())

    async def delete(self, principal: Principal, session: str) -> None:
        del self.sessions[session]

    async def answer(self, principal: Principal, session: str, question: str) -> AsyncIterator[Part]:
        question = f"{self.sessions[session]} {question}".strip()
        self.sessions[session] = question
        self.asking += 1
        self.most_asking = max(self.most_asking, self.asking)
        line = next(
            (line for word, line in self.script.items() if word in question), Line("I don't know.", (), "abstained")
        )
        try:
            yield Searched(question, 3, 2)
            if line.error:
                raise line.error
            if line.problem:
                yield Failed(line.problem)
                return
            if line.hangs:
                await asyncio.Event().wait()
            for number, source in enumerate(line.cites, start=1):
                document = self.documents[source]
                yield Cited(Citation(number, document.id, "", "", None, (), 0, 4, f"quote of {source}", 0.9))
            yield Said(Sentence(line.text))
            if line.outcome:
                yield Done(line.outcome, "extractive")
        finally:
            self.asking -= 1

    async def document(self, principal: Principal, document: str) -> Document:
        for found in self.documents.values():
            if found.id == document and self.access.may_read(principal, found):
                return found
        raise NotFound("no such document")


@dataclass
class Bench:
    factory: EvaluationFactory
    desk: Desk
    records: Any


def access() -> Access:
    return Access.of((files("strata") / "policies" / "strata.cedar").read_text())


def document(source: str, readers: frozenset[str]) -> Document:
    corpus, _, path = source.partition("/")
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    return Document(
        f"doc_{source}",
        "acme",
        corpus,
        path,
        path,
        "text/plain",
        1,
        "0",
        "research",
        readers,
        "internal",
        "indexed",
        moment,
    )


@pytest.fixture
def scientist() -> Principal:
    return Principal("acme", "ada", "Ada", "it", roles=frozenset({"member", "scientist"}))


@pytest.fixture
def operator() -> Principal:
    return Principal("acme", "cli", kind="service", roles=frozenset({"operator"}))


@pytest.fixture
def line():
    return Line


@pytest.fixture
async def bench() -> Bench:
    return await opened()


@pytest.fixture
def open_bench():
    return opened


async def opened(**options: Any) -> Bench:
    everyone = frozenset({"everyone"})
    documents = {
        "lab/dose.pdf": document("lab/dose.pdf", everyone),
        "lab/sub/trial.md": document("lab/sub/trial.md", everyone),
        "lab/secret.docx": document("lab/secret.docx", frozenset({"board"})),
    }
    records = await records_memory.make()
    desk = Desk(access(), documents)
    factory = await build(
        Options(people=PEOPLE, **options),
        tenant="acme",
        records=records,
        assistants=desk,  # type: ignore[arg-type]
        library=desk,  # type: ignore[arg-type]
        access=desk.access,
    )
    return Bench(factory, desk, records)


@pytest.fixture
def lines():
    """A set of questions as the bytes of its file."""

    def written(*cases: dict[str, Any]) -> bytes:
        return "\n".join(json.dumps(case) for case in cases).encode()

    return written
