"""The desk at which assistants are asked: conversations that are kept, and answers as streams of typed parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from strata import budgets as rules
from strata.app.answering import Answering
from strata.app.assistants import Roster
from strata.app.draft import Draft
from strata.app.feedback import Opinions
from strata.app.recall import FURTHEST, standalone
from strata.app.sessions import EventsOf, Sessions, Turn
from strata.contracts import Gateway
from strata.errors import BudgetExhausted, Invalid, StrataError
from strata.events import Event, QuestionAnswered, QuestionAsked
from strata.types import (
    Assistant,
    BudgetStatus,
    ChatMessage,
    ChatSession,
    Done,
    Failed,
    Feedback,
    Metered,
    Part,
    Principal,
    Started,
    Subject,
)

LONGEST_QUESTION = 8000


@dataclass(frozen=True, slots=True)
class AssistantDesk:
    """Knowledge assistants and the conversations people have with them; implements `contracts.Assistants`."""

    tenant: str
    roster: Roster
    chats: Sessions
    opinions: Opinions
    answering: Answering
    gateway: Gateway
    _keeping: set[asyncio.Task[None]] = field(default_factory=set, compare=False, repr=False)

    async def assistants(self, principal: Principal) -> list[Assistant]:
        """The assistants that this person may ask."""
        return self.roster.of_person(principal)

    async def open(self, principal: Principal, assistant: str) -> ChatSession:
        """A new session; raises `NotFound` or `Forbidden` for an assistant that is not for this person."""
        return await self.chats.open(principal, self.roster.require(principal, assistant))

    async def sessions(self, principal: Principal) -> list[ChatSession]:
        """One's own sessions, the latest used first."""
        return await self.chats.of_person(principal)

    async def session(self, principal: Principal, session: str) -> ChatSession:
        """Raises `NotFound`, also for somebody else's."""
        return (await self.chats.require(principal, session)).session

    async def messages(self, principal: Principal, session: str) -> list[ChatMessage]:
        """A session's messages, oldest first."""
        return await self.chats.messages(principal, session)

    async def rename(self, principal: Principal, session: str, title: str) -> ChatSession:
        return await self.chats.rename(principal, session, title)

    async def delete(self, principal: Principal, session: str) -> None:
        """Remove a session with all of its messages."""
        await self.chats.delete(principal, session)

    async def rate(self, principal: Principal, message: str, feedback: Feedback | None) -> Feedback | None:
        return await self.opinions.rate(principal, message, feedback)

    async def answer(self, principal: Principal, session: str, question: str) -> AsyncGenerator[Part, None]:
        """The answer in parts: started, searched, then citations and sentences, the usage, and done.

        What fails before the first part is raised (`NotFound`, `Forbidden`, `Invalid`, `BudgetExhausted`, `Unavailable`);
        what fails after it is the last part. Leaving early stops the answer; what was said by then is kept.
        """
        text = question.strip()
        if not text or len(text) > LONGEST_QUESTION:
            raise Invalid(f"a question has 1 to {LONGEST_QUESTION} characters; this one has {len(text)}")
        kept = (await self.chats.require(principal, session)).session
        assistant = self.roster.require(principal, kept.assistant)
        if assistant.mode == "generative":
            _afford(principal, assistant, await self.gateway.budgets(principal))
        earlier = await self.chats.latest(session, 2 * FURTHEST)
        turn = await self.chats.ask(principal, session, text, self._asked(principal))
        draft = Draft(assistant.mode, assistant.model if assistant.mode == "generative" else None)
        begun = False
        try:
            found = await self.answering.find(
                principal, assistant, standalone(text, earlier, assistant.language), draft
            )
            begun = True
            yield Started(turn.question.id, turn.answer, assistant.mode)
            yield found.searched
            async with aclosing(self.answering.write(principal, assistant, found, draft)) as parts:
                async for part in parts:
                    yield part
            await self._keep(principal, assistant, turn, draft)
        except (asyncio.CancelledError, GeneratorExit):
            draft.outcome = "stopped"
            await self._keep(principal, assistant, turn, draft)
            raise
        except StrataError as error:
            draft.outcome = "failed"
            await self._keep(principal, assistant, turn, draft)
            if not begun:
                raise
            yield Failed(error.problem())
            return
        except Exception:
            draft.outcome = "failed"
            await self._keep(principal, assistant, turn, draft)
            raise
        yield Metered(draft.usage)
        yield Done(draft.outcome, draft.mode, turn.session.title)

    async def close(self) -> None:
        """Wait until every answer that was given is written down."""
        while self._keeping:
            await asyncio.gather(*self._keeping, return_exceptions=True)

    async def _keep(self, principal: Principal, assistant: Assistant, turn: Turn, draft: Draft) -> None:
        """Write the answer down, whatever happens to the one who asked meanwhile."""
        answer = draft.message(turn.answer)
        fact = QuestionAnswered(
            tenant=self.tenant,
            actor=principal.id,
            session=turn.session.id,
            assistant=assistant.id,
            message=answer.id,
            outcome=draft.outcome,
            mode=draft.mode,
            model=draft.model or "",
            prompt_version=self.answering.prompts.version_for(assistant),
            documents=tuple(dict.fromkeys(citation.document for citation in answer.citations)),
            citations=len(answer.citations),
            unsupported=sum(1 for sentence in answer.sentences if sentence.support == "unsupported"),
            requests=tuple(draft.requests),
        )
        task = asyncio.create_task(self.chats.answered(principal, turn, answer, [fact]))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)
        await asyncio.shield(task)  # a reader who leaves, even twice, still has what was said

    def _asked(self, principal: Principal) -> EventsOf:
        def events(session: ChatSession, message: ChatMessage) -> Sequence[Event]:
            return [
                QuestionAsked(
                    tenant=self.tenant,
                    actor=principal.id,
                    session=session.id,
                    assistant=session.assistant,
                    message=message.id,
                )
            ]

        return events


def _afford(principal: Principal, assistant: Assistant, budgets: Sequence[BudgetStatus]) -> None:
    """Refuse before anything is written down when a hard budget of this question is spent, whatever model answers."""
    payer = Subject(principal.tenant, principal.department, principal.id, assistant.id)
    for status in budgets:
        concerned = rules.concerned(status.budget.subject, status.member)
        if (
            status.budget.hard
            and status.state == "exhausted"
            and not any(kind == "model" for kind, _ in concerned)
            and rules.member(concerned, payer, "") is not None
        ):
            begins = f"{status.resets_at:%Y-%m-%d %H:%M} UTC" if status.resets_at else "when it is raised"
            raise BudgetExhausted(
                f"the budget {status.budget.name!r} is spent; it starts anew {'at ' if status.resets_at else ''}{begins}",
                budget=status.budget.id,
                resets_at=status.resets_at,
            )
