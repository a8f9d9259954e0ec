"""Keeps a model to its subjects: refuses denied topics, and everything else than allowed ones where those are named.

Options:
* `deny`: topics, each a table of `name`, `phrases` (a few examples of what people say about it), `keywords` (words that
  decide at once) and `threshold` (cosine similarity to a phrase, 0.5);
* `allow`: topics of the same shape, `threshold` 0.25; what people say last must come near one of them;
* `places` (`["input", "output"]`): where to look for denied topics;
* `action` (`refuse`): `flag` lets the text through and tells of it.

Meanings are compared with the embedded MiniLM, which knows English best; add keywords for other languages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from strata.errors import Forbidden, Misconfigured
from strata.gateway.guardrail import Finding, Place, Submission, Text, Watch
from strata.gateway.guards.blocks import Blocks
from strata.gateway.guards.meaning import Embedder, embedder

PLACES = ("input", "retrieved", "output", "tool", "system")
SHORT = 6
"""Words: a shorter question is read together with the one before, because it may only go on from there."""


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    phrases: tuple[str, ...]
    keywords: tuple[str, ...]
    threshold: float

    def named_in(self, text: str) -> bool:
        return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in self.keywords)


@dataclass(slots=True)
class Topics:
    """`known` are the vectors of each topic's phrases, made at the first call."""

    deny: tuple[Topic, ...]
    allow: tuple[Topic, ...]
    places: tuple[str, ...]
    flag: bool
    embedder: Embedder | None
    name: str = "topics"
    known: dict[Topic, Any] = field(default_factory=dict, repr=False)

    async def request(self, submission: Submission) -> None:
        for place in self.places:
            said = [text.value for text in submission.texts if text.place == place and text.value.strip()]
            if place != "output":
                await self.look(submission, place, said)  # type: ignore[arg-type]
        asked = [text.value for text in submission.texts if text.place == "input" and text.value.strip()]
        if self.allow and asked:
            last = asked[-1] if len(asked[-1].split()) >= SHORT else " ".join(asked[-2:])
            if await self._nearest(self.allow, [last]) is None:
                names = ", ".join(topic.name for topic in self.allow)
                self._act(submission, "input", "no allowed topic", f"this assistant answers questions on {names} only")

    def answer(self, submission: Submission) -> Watch | None:
        return _Answer(self, submission) if self.deny and {"output", "tool"} & set(self.places) else None

    async def look(self, submission: Submission, place: Place, texts: Sequence[str]) -> None:
        """Raise `Forbidden`, or leave a finding, when one of the texts is on a denied topic."""
        topic = await self._nearest(self.deny, texts)
        if topic is not None:
            self._act(submission, place, topic.name, f"the topic {topic.name!r} is not for this assistant")

    def _act(self, submission: Submission, place: Place, reason: str, told: str) -> None:
        submission.findings.append(Finding(self.name, "flagged" if self.flag else "refused", place, reason))
        if not self.flag:
            raise Forbidden(f"{told}; ask about something else or choose another assistant")

    async def _nearest(self, topics: tuple[Topic, ...], texts: Sequence[str]) -> Topic | None:
        """The first topic that one of the texts is on."""
        for topic in topics:
            if any(topic.named_in(text) for text in texts):
                return topic
        judged = [topic for topic in topics if topic.phrases]
        if not judged or not texts or self.embedder is None:
            return None
        vectors = await self.embedder.vectors([part for text in texts for part in _parts(text)])
        for topic in judged:
            phrases = await self._vectors(topic)
            if float((vectors @ phrases.T).max()) >= topic.threshold:
                return topic
        return None

    async def _vectors(self, topic: Topic) -> Any:
        if topic not in self.known and self.embedder is not None:
            self.known[topic] = await self.embedder.vectors(topic.phrases)
        return self.known[topic]


@dataclass(slots=True)
class _Answer:
    """Holds each block of the answer back until it has been judged."""

    topics: Topics
    submission: Submission
    channels: dict[str, tuple[Place, Blocks]] = field(default_factory=dict)

    async def piece(self, text: Text) -> str:
        if text.channel not in self.channels and text.place not in self.topics.places:
            return text.value
        place, blocks = self.channels.setdefault(text.channel, (text.place, Blocks()))
        return await self._judged(place, blocks.add(text.value))

    async def end(self, channel: str) -> str:
        place, blocks = self.channels.pop(channel, (None, None))
        rest = blocks.rest() if blocks else ""
        return await self._judged(place, [rest]) if place and rest else rest

    async def _judged(self, place: Place, blocks: list[str]) -> str:
        said = [block for block in blocks if block.strip()]
        if said:
            await self.topics.look(self.submission, place, said)
        return "".join(blocks)


def _parts(text: str) -> list[str]:
    """What the model reads at once: about 600 characters, so that a long text is not cut off."""
    return [text[at : at + 600] for at in range(0, len(text), 600)]


def make(options: Mapping[str, Any]) -> Topics:
    wrong = [
        f"the guardrail 'topics' does not know {it!r}" for it in set(options) - {"deny", "allow", "places", "action"}
    ]
    deny = _topics(options.get("deny", []), "deny", 0.5, wrong)
    allow = _topics(options.get("allow", []), "allow", 0.25, wrong)
    places = options.get("places", ["input", "output"])
    if not isinstance(places, list | tuple) or not set(places) <= set(PLACES):
        wrong.append(f"the guardrail 'topics' takes places out of {list(PLACES)}")
    if options.get("action", "refuse") not in {"refuse", "flag"}:
        wrong.append("the guardrail 'topics' takes action = 'refuse' or 'flag'")
    if not deny and not allow and not wrong:
        wrong.append("the guardrail 'topics' needs a topic in deny or allow")
    if wrong:
        raise Misconfigured(wrong)
    model = embedder() if any(topic.phrases for topic in (*deny, *allow)) else None
    return Topics(deny, allow, tuple(places), options.get("action") == "flag", model)


def _topics(given: Any, where: str, threshold: float, wrong: list[str]) -> tuple[Topic, ...]:
    found = []
    for number, row in enumerate(given if isinstance(given, list | tuple) else [given]):
        name = row.get("name") if isinstance(row, Mapping) else None
        if not isinstance(row, Mapping) or not isinstance(name, str) or not name:
            wrong.append(f"{where}[{number}] of the guardrail 'topics' needs a name")
            continue
        lists = [row.get(kind, []) for kind in ("phrases", "keywords")]
        least = row.get("threshold", threshold)
        if not all(isinstance(it, list | tuple) and all(isinstance(one, str) and one for one in it) for it in lists):
            wrong.append(f"the topic {name!r} takes phrases and keywords as lists of texts")
        elif not any(lists):
            wrong.append(f"the topic {name!r} needs phrases or keywords")
        elif isinstance(least, bool) or not isinstance(least, int | float) or not 0 < least <= 1:
            wrong.append(f"the topic {name!r} takes a threshold between 0 and 1")
        elif set(row) - {"name", "phrases", "keywords", "threshold"}:
            wrong.append(f"the topic {name!r} takes name, phrases, keywords and threshold, nothing else")
        else:
            found.append(Topic(name, tuple(lists[0]), tuple(lists[1]), float(least)))
    return tuple(found)
