"""The guardrail `topics`: what a model may be asked about and what it may speak of."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata.errors import Forbidden, Misconfigured, Unavailable
from strata.gateway.guardrail import Blocked, Submission, Text, pass_all
from strata.gateway.guardrails.topics import make
from strata.types import Subject

MEDICAL = {
    "name": "medical advice",
    "phrases": ["What medicine should I take for my symptoms?", "How many milligrams of this drug may I take?"],
    "threshold": 0.45,
}
RIVALS = {"name": "competitors", "keywords": ["Acme Pharma", "Globex"]}
LEAVE = {"name": "holidays and leave", "phrases": ["How many days of holiday do I have?", "parental leave rules"]}


def text(value: str, place: str = "input", channel: str = "0") -> Text:
    return Text(place, channel, {"text": value}, "text")  # type: ignore[arg-type]


def submission(*texts: Text) -> Submission:
    return Submission(Subject("t", "d", "p"), "chat", {}, 10, texts=list(texts))


async def test_a_denied_topic_is_refused_in_other_words_than_the_examples():
    guardrail = make({"deny": [MEDICAL]})
    request = submission(text("Which dose of ibuprofen tablets should I take against a headache?"))
    with pytest.raises(Forbidden, match="medical advice"):
        await guardrail.request(request)
    assert request.findings[0].reason == "medical advice"


async def test_another_topic_passes():
    await make({"deny": [MEDICAL]}).request(submission(text("Who approves my travel expenses?")))


async def test_keywords_decide_at_once_as_whole_words_in_any_case():
    guardrail = make({"deny": [RIVALS]})
    with pytest.raises(Forbidden):
        await guardrail.request(submission(text("how does GLOBEX do it?")))
    await guardrail.request(submission(text("what is a globexian?")))


async def test_only_allowed_topics_are_answered():
    guardrail = make({"allow": [LEAVE]})
    await guardrail.request(submission(text("How much vacation is left for me this year?")))
    with pytest.raises(Forbidden, match="holidays and leave"):
        await guardrail.request(submission(text("Write a Python function that sorts a list of numbers")))


async def test_a_short_question_goes_on_from_the_one_before():
    guardrail = make({"allow": [LEAVE]})
    await guardrail.request(submission(text("How many days of holiday do I have?"), text("And next year?")))


async def test_flagging_lets_the_text_through_and_tells_of_it():
    request = submission(text("What about Acme Pharma?"))
    await make({"deny": [RIVALS], "action": "flag"}).request(request)
    assert [it.verdict for it in request.findings] == ["flagged"]


ANSWER = "Our own products are described in the handbook, in chapter four and five. " * 4
SLIP = ANSWER + "By the way, Globex sells the same for less. " + ANSWER


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, len(SLIP)), max_size=10))
async def test_a_stream_split_anywhere_gets_the_same_verdict_and_never_shows_the_denied_sentence(cuts):
    guardrail = make({"deny": [RIVALS]})
    watch = guardrail.answer(submission())
    shown = ""
    with pytest.raises(Forbidden):
        for a, b in pairwise([0, *sorted(cuts), len(SLIP)]):
            shown += await watch.piece(text(SLIP[a:b], "output"))
        shown += await watch.end("0")
    assert "Globex" not in shown


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, len(ANSWER)), max_size=10))
async def test_a_harmless_stream_comes_out_whole_however_it_was_split(cuts):
    watch = make({"deny": [RIVALS]}).answer(submission())
    shown = [await watch.piece(text(ANSWER[a:b], "output")) for a, b in pairwise([0, *sorted(cuts), len(ANSWER)])]
    assert "".join(shown) + await watch.end("0") == ANSWER


async def test_a_broken_embedder_lets_nothing_through():
    class Broken:
        async def vectors(self, texts):
            raise RuntimeError("no memory")

    guardrail = make({"deny": [MEDICAL]})
    guardrail.embedder = Broken()
    with pytest.raises(Blocked) as blocked:
        await pass_all([guardrail], submission(text("hello")))
    assert isinstance(blocked.value.error, Unavailable)


def test_mistakes_in_the_options_are_all_told():
    with pytest.raises(Misconfigured) as wrong:
        make({"deny": [{"name": "empty"}, {"phrases": ["x"]}], "places": ["nowhere"], "action": "x", "colour": 1})
    assert len(wrong.value.mistakes) == 5
    with pytest.raises(Misconfigured):
        make({})
