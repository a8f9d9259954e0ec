"""Keeps personal data from the vendor: placeholders stand in for it on the way out, and the reader sees it restored.

Options: `types`, a list or `default` (what identifies a person directly, and with health data also what HIPAA's Safe
Harbor removes) or `all`; `action`, `mask`, `refuse` or `flag`, one for all or a table by type with `default`;
`threshold` between 0 and 1; `restore`, whether the answer's reader gets the data back; `answers`, `pass` or `mask`:
what happens to personal data that the model brings in itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from strata.errors import Misconfigured, Refused
from strata.gateway.guardrail import Finding, Place, Submission, Text, Watch
from strata.gateway.guards.privacy import find, loaded
from strata.gateway.guards.privacy.reading import Page, read
from strata.gateway.guards.privacy.scope import about_health, default_types
from strata.gateway.guards.privacy.spans import DIRECT, TYPES, Span
from strata.gateway.guards.privacy.vault import PLACEHOLDER, Vault, unfinished

VERDICTS: Mapping[str, Literal["masked", "refused", "flagged"]] = {
    "mask": "masked",
    "refuse": "refused",
    "flag": "flagged",
}
INLINE = 2_000
"""Characters that are looked at in the event loop; more go to a thread, so that other calls do not wait."""

SENTENCE = re.compile(r"(?<=[.!?])\s+|\n")
LONGEST_SENTENCE = 600
NUMBER = re.compile(r"-?[0-9.]+")


@dataclass(frozen=True, slots=True)
class Pii:
    """`types` empty: the default. `actions` by type, with the rest under an empty name."""

    types: frozenset[str]
    actions: Mapping[str, str]
    threshold: float
    restore: bool
    answers: str
    name: str = "pii"

    async def warm(self) -> None:
        """Load the word lists."""
        await asyncio.to_thread(read, ["Dear Ms Jane Doe"], self.threshold)

    async def request(self, submission: Submission) -> None:
        texts = [text for text in submission.texts if isinstance(text.value, str) and text.value]
        values = [text.value for text in texts]
        if sum(map(len, values)) > INLINE or not loaded():
            pages = await asyncio.to_thread(read, values, self.threshold)
        else:
            pages = read(values, self.threshold)
        self._label(submission, pages)
        wanted = self.types or default_types("health" in submission.labels)
        vault = Vault()
        submission.memory[self.name] = vault
        for value in values:
            vault.reserve(value)
        refused = set()
        for text, page in zip(texts, pages, strict=True):
            for leaf in page.leaves:
                leaf.spans = [span for span in leaf.spans if span.type in wanted]
            refused |= self._tell(submission, text, page)
            for leaf in page.leaves:
                leaf.spans = [span for span in leaf.spans if self._action(span.type) == "mask"]
        if refused:
            raise Refused(
                f"the request holds personal data ({', '.join(sorted(refused))}), which may not leave; take it out and ask again"
            )
        for text, page in zip(texts, pages, strict=True):
            masked = page.written(vault.mask)
            if masked is not page.raw:
                text.replace(masked)

    def answer(self, submission: Submission) -> Watch | None:
        vault = submission.memory.get(self.name)
        restores = self.restore and isinstance(vault, Vault) and bool(vault.values)
        if not restores and self.answers == "pass":
            return None
        return Restoring(self, submission, vault if isinstance(vault, Vault) else Vault(), restores)

    def _action(self, type: str) -> str:
        return self.actions.get(type, self.actions[""])

    def _label(self, submission: Submission, pages: Sequence[Page]) -> None:
        spans = [span for page in pages for leaf in page.leaves for span in leaf.spans]
        if any(span.type in DIRECT for span in spans):
            submission.labels.add("personal")
        if about_health([page.raw for page in pages], spans):
            submission.labels.add("health")

    def _tell(self, submission: Submission, text: Text, page: Page) -> set[str]:
        """Append what was found; the types for which the request is refused."""
        refused = set()
        for span in page.places():
            action = self._action(span.type)
            if action == "refuse":
                refused.add(span.type)
            submission.findings.append(
                Finding(self.name, VERDICTS[action], text.place, span.type, span.start, span.end)
            )
        return refused


@dataclass(slots=True)
class Run:
    """One channel of an answer: the end of what went on (what a placeholder may not continue), what is held back, how
    many characters were decided.
    """

    quoted: bool
    gone: str = ""
    held: str = ""
    unread: str = ""
    decided: int = 0


@dataclass(slots=True)
class Restoring:
    """Puts data back into an answer as it comes, and masks what the model brings in where that is asked for."""

    guardrail: Pii
    submission: Submission
    vault: Vault
    restores: bool
    runs: dict[str, Run] = field(default_factory=dict)

    async def piece(self, text: Text) -> str:
        run = self.runs.get(text.channel)
        if run is None:
            run = self.runs[text.channel] = Run(text.place == "tool" or ".tool." in text.channel)
        return await self._passed(run, text.value, last=False)

    async def end(self, channel: str) -> str:
        run = self.runs.pop(channel, None)
        return await self._passed(run, "", last=True) if run else ""

    async def _passed(self, run: Run, new: str, last: bool) -> str:
        if self.guardrail.answers == "mask":
            new = await self._read(run, new, last)
        return self._restored(run, new, last) if self.restores else new

    def _restored(self, run: Run, new: str, last: bool) -> str:
        held = run.held + new
        whole = run.gone + held
        cut = len(whole) if last else max(len(run.gone), unfinished(whole))
        said = self.vault.restore(whole[:cut], start=len(run.gone), quoted=run.quoted)
        run.gone, run.held = whole[max(0, cut - 2) : cut], whole[cut:]
        return said

    async def _read(self, run: Run, new: str, last: bool) -> str:
        """What of the answer has been read to the end of a sentence, with data masked that the request did not have."""
        run.unread += new
        passed = ""
        while run.unread:
            cut = _sentence(run.unread)
            if cut is None:
                if not last:
                    break
                cut = len(run.unread)
            sentence, run.unread = run.unread[:cut], run.unread[cut:]
            passed += await self._judged(run, sentence)
        return passed

    async def _judged(self, run: Run, sentence: str) -> str:
        wanted = self.guardrail.types or default_types("health" in self.submission.labels)
        ours = [one.span() for one in PLACEHOLDER.finditer(sentence)]
        known = self.vault.values.values()
        parts, at = [], 0
        for span in find(sentence) if len(sentence) <= INLINE else await asyncio.to_thread(find, sentence):
            value = sentence[span.start : span.end]
            if (
                span.type not in wanted
                or span.score < self.guardrail.threshold
                or value in known
                or any(span.start < end and start < span.end for start, end in ours)
            ):
                continue
            self._found(run, span)
            mark = f"[{span.type}]"
            if run.quoted and NUMBER.fullmatch(value) and sentence[: span.start].rstrip()[-1:] in {":", ",", "["}:
                mark = f'"{mark}"'  # a JSON number gives way to a string
            parts += [sentence[at : span.start], mark]
            at = span.end
        run.decided += len(sentence)
        return "".join([*parts, sentence[at:]])

    def _found(self, run: Run, span: Span) -> None:
        place: Place = "tool" if run.quoted else "output"
        start, end = run.decided + span.start, run.decided + span.end
        self.submission.findings.append(Finding(self.guardrail.name, "masked", place, span.type, start, end))


def _sentence(text: str) -> int | None:
    """Where the first sentence ends; None while that is not known. Depends on the text alone, not on its pieces."""
    end = SENTENCE.search(text, 0, LONGEST_SENTENCE)
    if end and end.end() < len(text):
        return end.end()
    if len(text) <= LONGEST_SENTENCE:
        return None
    space = text.rfind(" ", 0, LONGEST_SENTENCE)
    return space + 1 if space > 0 else LONGEST_SENTENCE


def make(options: Mapping[str, Any]) -> Pii:
    wrong = [f"the guardrail 'pii' has no option {name!r}" for name in sorted(set(options) - KNOWN)]
    types = options.get("types", "default")
    if types in ("default", "all"):
        chosen = TYPES if types == "all" else frozenset()
    elif isinstance(types, list | tuple) and types and set(types) <= TYPES:
        chosen = frozenset(types)
    else:
        chosen = frozenset()
        wrong.append(f"pii: types is 'default', 'all' or a list of {sorted(TYPES)}")
    action = options.get("action", "mask")
    table = dict(action) if isinstance(action, Mapping) else {"default": action}
    actions = {"": "mask"} | {("" if name == "default" else name): does for name, does in table.items()}
    if not all(does in VERDICTS for does in actions.values()) or set(actions) - TYPES - {""}:
        wrong.append(f"pii: action is one of {list(VERDICTS)}, or a table of them by type and 'default'")
    threshold = options.get("threshold", 0.5)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        wrong.append("pii: threshold is a number from 0 to 1")
    restore = options.get("restore", True)
    if not isinstance(restore, bool):
        wrong.append("pii: restore is true or false")
    answers = options.get("answers", "pass")
    if answers not in ("pass", "mask"):
        wrong.append("pii: answers is 'pass' or 'mask'")
    if wrong:
        raise Misconfigured(wrong)
    return Pii(frozenset(chosen), actions, float(threshold), restore, answers)


KNOWN = {"types", "action", "threshold", "restore", "answers"}
