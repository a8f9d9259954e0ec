"""What an assistant found is judged as found, what a person asked as asked, although both stand in one message."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from strata.gateway.guardrail import Submission, Text
from strata.gateway.guards.guarding import Guards
from strata.gateway.guards.passages import apart
from strata.gateway.options import GuardrailOptions
from strata.types import ChatRequest, Message

from .conftest import INES, echo, world


@dataclass
class Looking:
    name: str = "looking"
    seen: list[tuple[str, str]] = field(default_factory=list)

    async def request(self, submission: Submission) -> None:
        for text in submission.texts:
            self.seen.append((text.place, text.value))
            text.replace(text.value.replace("secret", "[GONE]"))

    def answer(self, submission: Submission) -> None:
        return None


async def test_passages_are_judged_apart_from_the_question_and_put_back():
    looking = Looking()
    asked = "Passages:\n\n[1] A secret recipe.\n\n[2] Another one.\n\nQuestion: which secret?"
    message = Message("user", asked, ("[1] A secret recipe.", "[2] Another one."))
    async with world(echo(reply="x")) as it:
        gateway = replace(it.gateway, guards=Guards(((GuardrailOptions("looking"), looking),)))
        await gateway.complete(INES, ChatRequest("echo", (Message("system", "be brief"), message)))
        sent = it.echo().requests[-1]["messages"][1]["content"]
    assert sent == asked.replace("secret", "[GONE]")
    assert ("retrieved", "[1] A secret recipe.") in looking.seen
    assert ("retrieved", "[2] Another one.") in looking.seen
    assert [place for place, text in looking.seen if "Question" in text] == ["input"]
    assert ("system", "be brief") in looking.seen


@given(st.lists(st.text(max_size=8), max_size=4), st.text(max_size=40))
def test_taking_apart_and_joining_gives_the_same_message(passages: list[str], content: str):
    message = {"role": "user", "content": content}
    texts, mixed = apart([Text("input", "0", message, "content")], {0: tuple(passages)}, [message])
    assert "".join(text.value for text in texts) == content
    for one in mixed:
        one.join()
    assert message["content"] == content
