"""What a model is told: templates in files, so that they are reviewed like code and every answer names their version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from strata.types import Assistant, Message, Passage, digest

LANGUAGES = ("en", "de")
NAMES = ("system", "question", "abstain")
CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Prompts:
    """The templates by name and language. `version` changes with every change of any of them."""

    texts: dict[tuple[str, str], str]
    version: str

    @classmethod
    def load(cls) -> Prompts:
        folder = files("strata.app") / "prompts"
        texts = {
            (name, language): (folder / f"{name}.{language}.txt").read_text(encoding="utf-8").strip()
            for name in NAMES
            for language in LANGUAGES
        }
        return cls(
            texts, digest(*(f"{name}.{language}\n{text}" for (name, language), text in sorted(texts.items())))[:12]
        )

    def text(self, name: str, language: str) -> str:
        """A template in the language, or in English where there is none."""
        return self.texts.get((name, language)) or self.texts[name, "en"]

    def abstention(self, assistant: Assistant) -> str:
        """The honest sentence for a question that the documents do not answer."""
        return self.text("abstain", assistant.language)

    def version_for(self, assistant: Assistant) -> str:
        """The version of what this assistant's model is told: the templates and the assistant's own instructions."""
        return f"{self.version}-{digest(assistant.instructions)[:8]}"

    def messages(self, assistant: Assistant, question: str, excerpts: Sequence[str]) -> tuple[Message, ...]:
        """The whole prompt: what the assistant is, then the numbered excerpts and the question."""
        system = Template(self.text("system", assistant.language)).safe_substitute(
            name=assistant.name, instructions=assistant.instructions.strip()
        )
        asked = Template(self.text("question", assistant.language)).safe_substitute(
            passages="\n\n".join(excerpts), question=question
        )
        return Message("system", system.strip()), Message("user", asked, tuple(excerpts))


def excerpts(
    passages: Sequence[Passage], order: Sequence[int], best: dict[int, tuple[int, int]], room: int
) -> list[str]:
    """Numbered excerpts of the passages in `order`, `room` characters in all. A passage that does not fit is cut around
    its best stretch, [start, end) of its document's text.
    """
    found: list[str] = []
    for index in order:
        chunk = passages[index].chunk
        above = " - ".join(dict.fromkeys(part for part in (chunk.title, *chunk.headings) if part))
        text = _window(chunk.text, best[index][0] - chunk.start, best[index][1] - chunk.start, room - len(above) - 8)
        if not text:
            break
        found.append(f"[{len(found) + 1}] {above}\n{text}")
        room -= len(found[-1]) + 2
    return found


def _window(text: str, start: int, end: int, room: int) -> str:
    if len(text) <= room:
        return text.strip()
    if end - start > room:
        return ""
    spare = (room - (end - start)) // 2
    left = 0 if start <= spare else text.find(" ", start - spare) + 1
    right = len(text) if end + spare >= len(text) else max(text.rfind(" ", end, end + spare), end)
    return text[min(left, start) : right].strip()
