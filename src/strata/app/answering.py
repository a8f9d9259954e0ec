"""From a question to an answer: search, weigh, then quote, let the model write, or say honestly that it is not there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from strata.app import cite, evidence, extract, statements
from strata.app.draft import Draft
from strata.app.evidence import Evidence, Verdict
from strata.app.prompt import CHARACTERS_A_TOKEN, Prompts, excerpts
from strata.app.recall import Standalone
from strata.app.words import keys, language_of
from strata.contracts import Gateway, Library
from strata.errors import Deadline, Forbidden, Later, Upstream
from strata.types import (
    CLASSIFICATIONS,
    Assistant,
    ChatRequest,
    Cited,
    EmbedRequest,
    Passage,
    Principal,
    Query,
    Said,
    Searched,
    Support,
)

ROOM = 6000
SMALL_CONTEXT = 2048
"""Excerpts in a prompt take at most ROOM tokens, and a quarter of the model's context (SMALL_CONTEXT where unknown)."""

RELEVANT = 0.6
"""A sentence is listened to if what carries it weighs at least this share of the strongest evidence for the question;
a small model likes to tell true things that nobody asked for."""

PATIENCE = 3
"""After this many unsupported sentences in a row a model is not listened to further, where quotations can replace it."""

Parts = AsyncGenerator[Cited | Said, None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search brought, weighed: the evidence (best first) and whether it carries an answer."""

    asked: Standalone
    passages: tuple[Passage, ...]
    evidence: tuple[Evidence, ...]
    verdict: Verdict

    def speaks_to(self, statement: statements.Statement) -> bool:
        """Whether a statement is among the stronger evidence for this question."""
        weights = {(one.statement.document, one.statement.start): one.score for one in self.evidence}
        return weights.get((statement.document, statement.start), 0.0) >= RELEVANT * self.evidence[0].score

    @property
    def searched(self) -> Searched:
        documents = {passage.chunk.document for passage in self.passages}
        return Searched(self.asked.text, len(self.passages), len(documents))


@dataclass(frozen=True, slots=True)
class Answering:
    """Gives answers. `neutral` are keys of words that are in every document of the organisation, such as its name."""

    gateway: Gateway
    library: Library
    prompts: Prompts
    embedding: str
    passages: int
    answer_tokens: int
    answer_seconds: float
    neutral: frozenset[str] = frozenset()

    async def find(self, principal: Principal, assistant: Assistant, asked: Standalone, draft: Draft) -> Found:
        """Search with this reader's rights, and weigh every statement found against the question."""
        query = Query(asked.text, assistant.corpora, self.passages, assistant.id)
        passages = tuple(await self.library.search(principal, query))
        draft.found(passages)
        language = language_of(asked.question, assistant.language)
        neutral = self.neutral | keys(assistant.name, language)
        question = evidence.question(asked.text, language, neutral, asked.inherited)
        ground = evidence.Ground.of(question, statements.of_passages(passages), language)
        places = evidence.candidates(ground, passages)
        cosines: list[float] = []
        if places:
            texts = [_placed(ground.statements[place]) for place in places]
            cosines = await self._cosines(principal, assistant, asked.text, texts, draft, _strictest(passages))
        weighed = evidence.weigh(question, ground, passages, places, cosines)
        return Found(asked, passages, tuple(weighed), evidence.judge(question, ground, weighed))

    async def write(self, principal: Principal, assistant: Assistant, found: Found, draft: Draft) -> Parts:
        """The answer in parts; `draft` holds what was said and ends with its outcome."""
        if not found.verdict.answerable:
            draft.outcome, draft.mode, draft.model = "abstained", "extractive", None
            for part in draft.say(self.prompts.abstention(assistant), [], "none"):
                yield part
            return
        if assistant.mode == "generative":
            async with aclosing(self._generated(principal, assistant, found, draft)) as parts:
                async for part in parts:
                    yield part
        else:
            for part in quoted(found.evidence, assistant.language, draft):
                yield part
        draft.outcome = "answered"

    async def _generated(self, principal: Principal, assistant: Assistant, found: Found, draft: Draft) -> Parts:
        """The model's sentences, each tied to what carries it; quotations where they fail and the assistant allows it."""
        quotable = assistant.fallback == "extractive"
        said: list[frozenset[str]] = []
        refused = 0
        try:
            async with aclosing(self._sentences(principal, assistant, found, draft)) as sentences:
                async for text in sentences:
                    claim = cite.Claim.of(text, assistant.language)
                    if keys(text, assistant.language) in said or (claim.empty and quotable):
                        continue
                    carriers = [] if claim.empty else await self._carriers(principal, assistant, found, claim, draft)
                    if quotable and carriers and not found.speaks_to(carriers[0][0]):
                        carriers = []
                    if not carriers and not claim.empty:
                        refused += 1
                        if quotable and refused >= PATIENCE:
                            break
                        if quotable:
                            continue
                    else:
                        refused = 0
                    said.append(keys(text, assistant.language))
                    support: Support = "supported" if carriers else "none" if claim.empty else "unsupported"
                    for part in draft.say(text, carriers, support):
                        yield part
        except (Upstream, Later, Forbidden):
            if not quotable:
                raise
        if quotable and not _complete(draft, found.evidence):
            if not draft.sentences:
                draft.mode = "extractive"
            for part in quoted(found.evidence, assistant.language, draft):
                yield part

    async def _sentences(
        self, principal: Principal, assistant: Assistant, found: Found, draft: Draft
    ) -> AsyncGenerator[str, None]:
        """The model's text sentence by sentence, each whole and with the white space after it."""
        request = await self._request(principal, assistant, found)
        draft.requests.append(request.request_id)
        deadline = asyncio.get_running_loop().time() + self.answer_seconds
        held = ""
        stream = self.gateway.stream(principal, request)
        try:
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        delta = await anext(stream)
                except StopAsyncIteration:
                    break
                except TimeoutError as error:
                    raise Deadline(f"the model took longer than {self.answer_seconds:g} seconds") from error
                draft.meter(delta.usage, delta.cost)
                held += delta.text
                *whole, held = statements.split(held) or [""]
                for text in whole:
                    yield _plain(text)
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
        if held.strip():
            yield _plain(held)

    async def _request(self, principal: Principal, assistant: Assistant, found: Found) -> ChatRequest:
        context = next((one.context for one in await self.gateway.models(principal) if one.name == assistant.model), 0)
        room = min(ROOM, (context or SMALL_CONTEXT) // 4) * CHARACTERS_A_TOKEN
        best: dict[int, tuple[int, int]] = {}
        for one in found.evidence:
            best.setdefault(one.statement.passage, (one.statement.start, one.statement.end))
        shown = excerpts(found.passages, list(best), best, room)
        messages = self.prompts.messages(assistant, found.asked.text, shown)
        return ChatRequest(
            assistant.model,
            messages,
            self.answer_tokens,
            assistant=assistant.id,
            classification=_strictest(found.passages[index] for index in best),
        )

    async def _carriers(
        self, principal: Principal, assistant: Assistant, found: Found, claim: cite.Claim, draft: Draft
    ) -> list[tuple[statements.Statement, float]]:
        pool = [one.statement for one in found.evidence]
        texts = [_placed(statement) for statement in pool]
        kind = _strictest(found.passages)
        cosines = await self._cosines(principal, assistant, claim.text.strip(), texts, draft, kind)
        return cite.carriers(claim, pool, cosines)

    async def _cosines(
        self, principal: Principal, assistant: Assistant, text: str, others: Sequence[str], draft: Draft, kind: str
    ) -> list[float]:
        """How near each of the others is to the text in meaning, from one batch of embeddings; `kind` is their
        classification.
        """
        fresh = [text, *(other for other in dict.fromkeys(others) if other not in draft.vectors)]
        request = EmbedRequest(
            self.embedding, tuple(fresh), purpose="document", assistant=assistant.id, classification=kind
        )
        answer = await self.gateway.embed(principal, request)
        draft.requests.append(request.request_id)
        draft.meter(answer.usage, answer.cost)
        draft.vectors.update(zip(fresh, answer.vectors, strict=True))
        return evidence.cosines(draft.vectors[text], [draft.vectors[other] for other in others])


def quoted(weighed: Sequence[Evidence], language: str, draft: Draft) -> list[Cited | Said]:
    """The best statements as an answer: each is quoted and cited; those already cited are not said twice."""
    cited = {(citation.document, citation.start, citation.end) for citation in draft.citations.given}
    picked = [
        one
        for one in extract.chosen(weighed, language)
        if (one.statement.document, one.statement.start, one.statement.end) not in cited
    ]
    parts: list[Cited | Said] = []
    for place, one in enumerate(picked):
        last = place == len(picked) - 1
        following = picked[place + 1].statement if not last else one.statement
        text = _shown(one.statement, following, last=last)
        if place == 0 and draft.sentences and not draft.text.endswith("\n"):
            text = f"\n\n{text}"
        parts += draft.say(text, [(one.statement, one.score)], "supported")
    return parts


def _shown(statement: statements.Statement, following: statements.Statement, *, last: bool) -> str:
    """A statement as Markdown with the white space after it: prose runs on, lists and rows stand on lines of their own."""
    text = statement.text if statement.kind == "list" else statement.text.replace("\n", " ")
    if statement.kind == "list":
        lead, *entries = text.split("\n")
        listed = [re.sub(r"^[*•–▪◦●]\s", "- ", entry) for entry in entries]
        text = "\n".join([lead, "", *listed])
    elif text[-1:].isalnum() or text[-1:] in ")%":
        text += "."
    if last:
        return text
    runs_on = statement.kind == following.kind == "sentence" and statement.document == following.document
    return f"{text} " if runs_on else f"{text}\n\n"


def _complete(draft: Draft, weighed: Sequence[Evidence]) -> bool:
    """Whether the answer so far rests on the strongest evidence: a model must not leave that out."""
    best = weighed[0].statement
    return any(
        citation.document == best.document and citation.start < best.end and best.start < citation.end
        for citation in draft.citations.given
    )


def _placed(statement: statements.Statement) -> str:
    """A statement as it is embedded: with what stands above it, for "it lasts 6 hours" alone says little."""
    return f"{statement.context}: {statement.text}" if statement.context else statement.text


def _strictest(passages: Iterable[Passage]) -> str:
    """The classification of the most confidential passage."""
    return max((passage.classification for passage in passages), key=CLASSIFICATIONS.index, default="")


def _plain(text: str) -> str:
    """A model's sentence without the passage numbers it wrote, its trailing white space kept."""
    body = text.rstrip()
    return cite.without_markers(body) + text[len(body) :]
