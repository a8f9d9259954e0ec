"""Conversations as they are kept: one record a session, one a message, each under its owner.

A message's id holds its session and its place in it, so that a message is found without an index and the byte order of
keys is the order of the conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from strata.access import Access, Resource
from strata.errors import Conflict, Invalid, NotFound
from strata.events import Event, SessionDeleted
from strata.ports.records import MAX_CHANGES, Delete, Put, Record, Records, every
from strata.types import Assistant, ChatMessage, ChatSession, Json, Principal, new_id, now

LONGEST_TITLE = 120
UNTITLED = {"en": "New conversation", "de": "Neues Gespräch"}
_TRIES = 8

EventsOf = Callable[[ChatSession, ChatMessage], Sequence[Event]]
"""The events that go with a question, once its session and message are known."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A session as its record holds it: how many messages it has had, and whether its owner named it."""

    session: ChatSession
    messages: int
    named: bool
    version: int

    def value(self) -> Json:
        return {"session": msgspec.to_builtins(self.session), "messages": self.messages, "named": self.named}


@dataclass(frozen=True, slots=True)
class Turn:
    """A question that has been written down, and the id that its answer will have."""

    session: ChatSession
    question: ChatMessage
    answer: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """Reads and writes conversations. Somebody else's session is `NotFound`, as if it did not exist."""

    tenant: str
    records: Records
    access: Access

    async def open(self, principal: Principal, assistant: Assistant) -> ChatSession:
        """A new, empty session."""
        at = now()
        title = UNTITLED.get(assistant.language, UNTITLED["en"])
        session = ChatSession(new_id("ses"), self.tenant, principal.id, assistant.id, title, at, at)
        kept = Kept(session, 0, named=False, version=0)
        await self.records.commit(Put(self._chats(principal), session.id, kept.value(), version=0))
        return session

    async def of_person(self, principal: Principal) -> list[ChatSession]:
        """All sessions of this person, the latest used first."""
        found = [_kept(record).session for record in await self._all(self._chats(principal))]
        return sorted(found, key=lambda session: session.updated_at, reverse=True)

    async def require(self, principal: Principal, session: str) -> Kept:
        """Raises `NotFound` unless the session exists and policy lets this person view it."""
        record = await self.records.get(self._chats(principal), session)
        if record is not None and principal.tenant == self.tenant:
            kept = _kept(record)
            if self.access.may(principal, "view", Resource.chat(self.tenant, session, kept.session.person)):
                return kept
        raise NotFound(f"no session {session!r}; it may have been deleted")

    async def messages(self, principal: Principal, session: str) -> list[ChatMessage]:
        """The session's messages, oldest first."""
        await self.require(principal, session)
        return [_message(record) for record in await self._all(self._messages(session))]

    async def latest(self, session: str, limit: int) -> list[ChatMessage]:
        """The last messages of a session that has been required before, oldest first."""
        records = await self.records.query(self._messages(session), limit=limit, reverse=True)
        return [_message(record) for record in reversed(records)]

    async def message(self, principal: Principal, message: str) -> tuple[ChatSession, ChatMessage, int]:
        """A message with its session and its record's version."""
        kept = await self.require(principal, session_of(message))
        record = await self.records.get(self._messages(kept.session.id), message)
        if record is None:
            raise NotFound(f"no message {message!r}; it may have been deleted")
        return kept.session, _message(record), record.version

    async def ask(self, principal: Principal, session: str, text: str, events: EventsOf) -> Turn:
        """Write the question down, with its event, and reserve the place of its answer."""
        for _ in range(_TRIES):
            kept = await self.require(principal, session)
            self._require_change(principal, kept)
            at = now()
            question = ChatMessage(_id(session, kept.messages + 1), "reader", at, text)
            answer = _id(session, kept.messages + 2)
            title = kept.session.title if kept.named or kept.messages else shortened(text)
            changed = replace(kept.session, title=title, updated_at=at)
            try:
                await self.records.commit(
                    self._put(replace(kept, session=changed, messages=kept.messages + 2), principal),
                    Put(self._messages(session), question.id, msgspec.to_builtins(question), version=0),
                    events=events(changed, question),
                )
            except Conflict:
                continue
            return Turn(changed, question, answer)
        raise Conflict(f"session {session!r} is being changed by several requests at once; ask again")

    async def answered(self, principal: Principal, turn: Turn, answer: ChatMessage, events: Sequence[Event]) -> None:
        """Write the answer down with its event; where the session was deleted meanwhile, only the event."""
        for _ in range(_TRIES):
            try:
                kept = await self.require(principal, turn.session.id)
            except NotFound:
                await self.records.commit(events=events)
                return
            touched = replace(kept, session=replace(kept.session, updated_at=answer.created_at))
            try:
                await self.records.commit(
                    self._put(touched, principal),
                    Put(self._messages(turn.session.id), answer.id, msgspec.to_builtins(answer), version=0),
                    events=events,
                )
            except Conflict:
                continue
            return
        raise Conflict(f"session {turn.session.id!r} is being changed by several requests at once; ask again")

    async def rewrite(self, session: ChatSession, message: ChatMessage, version: int, events: Sequence[Event]) -> None:
        """Replace a message by its new form; raises `Conflict` when it changed since it was read."""
        place = self._messages(session.id)
        await self.records.commit(Put(place, message.id, msgspec.to_builtins(message), version=version), events=events)

    async def rename(self, principal: Principal, session: str, title: str) -> ChatSession:
        """Give the session a title of its owner's choice; raises `Invalid` for an empty or overlong one."""
        wanted = " ".join(title.split())
        if not wanted or len(wanted) > LONGEST_TITLE:
            raise Invalid(f"a title has 1 to {LONGEST_TITLE} characters; this one has {len(wanted)}")
        for _ in range(_TRIES):
            kept = await self.require(principal, session)
            self._require_change(principal, kept)
            renamed = replace(kept, session=replace(kept.session, title=wanted), named=True)
            try:
                await self.records.commit(self._put(renamed, principal))
            except Conflict:
                continue
            return renamed.session
        raise Conflict(f"session {session!r} is being changed by several requests at once; try again")

    async def delete(self, principal: Principal, session: str) -> None:
        """Remove the session and every message of it. Broken off half way, it can be asked for again."""
        for _ in range(_TRIES):
            kept = await self.require(principal, session)
            self._require_change(principal, kept)
            messages = await self._all(self._messages(session))
            for place in range(0, len(messages), MAX_CHANGES):
                batch = messages[place : place + MAX_CHANGES]
                await self.records.commit(*(Delete(record.partition, record.key) for record in batch))
            fact = SessionDeleted(
                tenant=self.tenant, actor=principal.id, session=session, assistant=kept.session.assistant
            )
            try:
                await self.records.commit(Delete(self._chats(principal), session, version=kept.version), events=[fact])
            except Conflict:  # an answer was written down meanwhile; its message has to go too
                continue
            return
        raise Conflict(f"session {session!r} is being changed by several requests at once; try again")

    def _require_change(self, principal: Principal, kept: Kept) -> None:
        self.access.require(principal, "change", Resource.chat(self.tenant, kept.session.id, kept.session.person))

    def _put(self, kept: Kept, principal: Principal) -> Put:
        return Put(self._chats(principal), kept.session.id, kept.value(), version=kept.version)

    def _chats(self, principal: Principal) -> str:
        return f"{self.tenant}/chats/{principal.id}"

    def _messages(self, session: str) -> str:
        return f"{self.tenant}/messages/{session}"

    async def _all(self, partition: str) -> list[Record]:
        return [record async for record in every(self.records, partition)]


def session_of(message: str) -> str:
    """The session that a message's id belongs to."""
    parts = message.split("_")
    return f"ses_{parts[1]}" if len(parts) == 3 and parts[0] == "msg" else "ses_"


def shortened(text: str, longest: int = 60) -> str:
    """A question as a title: one line, cut at a word."""
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    return f"{line[: longest - 1].rsplit(' ', 1)[0]}…"


def _id(session: str, place: int) -> str:
    return f"msg_{session.removeprefix('ses_')}_{place:08d}"


def _kept(record: Record) -> Kept:
    value = record.value
    session = msgspec.convert(value["session"], ChatSession)
    return Kept(session, value["messages"], value["named"], record.version)


def _message(record: Record) -> ChatMessage:
    return msgspec.convert(record.value, ChatMessage)
