"""Guardrails over an answer: each text of it, whole or in pieces, passes every watch before the caller sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

from strata.gateway.dialect import Dialect
from strata.gateway.guardrail import LONGEST, Guardrail, Submission, Text, Watch, stopped
from strata.types import Json


@dataclass(slots=True)
class Watching:
    """The watches over one answer, in the order of their guardrails. Both methods raise `Blocked`."""

    dialect: Dialect
    watches: Sequence[tuple[str, Watch]]
    open: dict[str, Json] = field(default_factory=dict)
    passed: dict[str, list[str]] = field(default_factory=dict)
    """What has gone on so far, by channel, for a dialect that says it again."""

    async def whole(self, answer: Json) -> None:
        """Look at a whole answer, replacing texts in place."""
        for text in self.dialect.answer_texts(answer):
            said = await self._through(text)
            text.replace(said + await self._rest(text.channel))

    async def pieces(self, pieces: Sequence[Json]) -> list[Json]:
        """What may go on of these pieces now, with what was held back before the end of each channel."""
        passed: list[Json] = []
        for piece in pieces:
            for text in self.dialect.piece_texts(piece):
                self.open[text.channel] = piece
                text.replace(await self._through(text))
                if self.dialect.REPEATS:
                    self.passed.setdefault(text.channel, []).append(text.value)
            for prefix in self.dialect.ended(piece):
                for channel in [it for it in self.open if it == prefix or it.startswith(f"{prefix}.")]:
                    passed += await self._tail(channel, like=self.open.pop(channel))
            if self.dialect.REPEATS:
                await self._repeat(piece)
            else:
                for text in self.dialect.whole_texts(piece):
                    text.replace(await self._through(text) + await self._rest(text.channel))
            passed.append(piece)
        return passed

    async def rest(self) -> list[Json]:
        """What was held back of channels whose end the vendor never said."""
        passed: list[Json] = []
        while self.open:
            channel, like = self.open.popitem()
            passed += await self._tail(channel, like)
        return passed

    async def _repeat(self, piece: Json) -> None:
        """What was said in pieces is said again as it went on; what was not is looked at as a whole."""
        for text in self.dialect.whole_texts(piece):
            said = self.passed.get(text.channel)
            if said is None:
                said = self.passed[text.channel] = [await self._through(text) + await self._rest(text.channel)]
            text.replace("".join(said))

    async def _tail(self, channel: str, like: Json) -> list[Json]:
        said = await self._rest(channel)
        if said and channel in self.passed:
            self.passed[channel].append(said)
        return [self.dialect.tail(like, channel, said)] if said else []

    async def _through(self, text: Text) -> str:
        """The text after every watch."""
        for name, watch in self.watches:
            if text.value:
                text.replace(await _seen(name, watch.piece(text)))
        return text.value

    async def _rest(self, channel: str) -> str:
        """What the watches held back of a channel; what one lets go passes the later ones."""
        text = Text("output", channel, {"text": ""}, "text")
        for name, watch in self.watches:
            said = await _seen(name, watch.piece(text)) if text.value else ""
            text.replace(said + await _seen(name, watch.end(channel)))
        return text.value


async def _seen(name: str, look: Awaitable[str]) -> str:
    try:
        async with asyncio.timeout(LONGEST):
            return await look
    except Exception as error:
        raise stopped(name, error) from error


def watching(dialect: Dialect, guardrails: Sequence[Guardrail], submission: Submission) -> Watching | None:
    """The watches that the guardrails set over the answer of this submission; None where none does. Raises `Blocked`."""
    watches = [(it.name, watch) for it in guardrails if (watch := _set(it, submission)) is not None]
    return Watching(dialect, watches) if watches else None


def _set(guardrail: Guardrail, submission: Submission) -> Watch | None:
    try:
        return guardrail.answer(submission)
    except Exception as error:
        raise stopped(guardrail.name, error) from error
