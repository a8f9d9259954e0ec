"""Personal data stays from the vendor and comes back to the reader: the guardrail `pii` through its public face."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from strata.errors import Misconfigured, Refused
from strata.gateway.guardrail import Submission, Text
from strata.gateway.guardrails.pii import make
from strata.gateway.guards.privacy.spans import TYPES
from strata.gateway.guards.privacy.vault import Vault
from strata.types import Subject

LETTER = (
    "Dear Jane Whitcombe, call me at +44 20 7946 0958 or write to j.whitcombe@example.org. IBAN GB33BUKB20201555555555."
)


def submission(*texts: str, place: Any = "input") -> Submission:
    holder = list(texts)
    places = [Text(place, str(at), holder, at) for at in range(len(holder))]
    return Submission(
        Subject("cryodyne", "research", "ines"), "chat", {"messages": holder}, sum(map(len, texts)), texts=places
    )


async def masked(*texts: str, place: Any = "input", **options: Any) -> tuple[list[str], Submission]:
    sent = submission(*texts, place=place)
    await make(options).request(sent)
    return [text.value for text in sent.texts], sent


async def answered(
    sent: Submission, pieces: list[str], place: Any = "output", channel: str = "0", **options: Any
) -> str:
    watch = make(options).answer(sent)
    if watch is None:
        return "".join(pieces)
    said = ""
    for piece in pieces:
        said += await watch.piece(Text(place, channel, {"text": piece}, "text"))
    return said + await watch.end(channel)


async def test_nothing_that_identifies_reaches_the_vendor():
    (text,), sent = await masked(LETTER)
    for secret in ("Jane", "Whitcombe", "7946", "example.org", "GB33"):
        assert secret not in text
    assert {finding.reason for finding in sent.findings} >= {"PERSON", "PHONE", "EMAIL", "IBAN"}
    assert "personal" in sent.labels


@pytest.mark.parametrize("firm", ["48 Factoring Inc.", "Brandt Spedition GmbH", "Barnett, Melton and Garcia LLP"])
async def test_a_firm_is_masked_whole_where_organisations_are_asked_for(firm):
    [text], _ = await masked(f"She has worked for {firm} since May.", types=["ORGANISATION"])
    assert not set(firm.replace(",", "").split()) & set(text.replace(",", "").split())
    assert text.startswith("She has worked for")


async def test_the_reader_gets_the_data_back():
    (text,), sent = await masked(LETTER)
    assert await answered(sent, [text]) == LETTER


async def test_the_same_value_has_the_same_placeholder_in_every_text():
    texts, _ = await masked(
        "I am Jane Whitcombe.", "Jane Whitcombe asked again.", "mail jane@example.org", "to jane@example.org"
    )
    assert texts[0] == "I am [PERSON_1]."
    assert texts[1] == "[PERSON_1] asked again."
    assert texts[2].split()[-1] == texts[3].split()[-1] == "[EMAIL_1]"


async def test_arguments_of_tools_are_masked_as_json_and_stay_json():
    arguments = json.dumps(
        {"to": "jane@example.org", "note": 'Call José Peñalver\n"now"', "ssn": "536-22-8726", "n": 3}
    )
    (text,), sent = await masked(arguments, place="tool")
    body = json.loads(text)
    assert body["to"] == "[EMAIL_1]"
    assert body["ssn"].startswith("[")
    assert "Peñalver" not in text
    assert "Pe\\u00f1alver" not in text
    assert body["n"] == 3
    for finding in sent.findings:
        assert 0 <= finding.start < finding.end <= len(arguments)


async def test_a_value_restored_into_arguments_is_escaped_for_json():
    sent = submission("x")
    vault = sent.memory["pii"] = Vault()
    vault.placeholder("PERSON", 'Ann "Bo"\nLee\\')
    said = await answered(sent, ['{"name": "[PERS', 'ON_1]", "n": 1}'], place="tool", channel="0.tool.0")
    assert json.loads(said) == {"name": 'Ann "Bo"\nLee\\', "n": 1}


@pytest.mark.parametrize(
    "said",
    [
        "[PERSON_1]",
        "[PERSON 1]",
        "PERSON_1",
        "person_1",
        "[person_1]",
        "[Person-1]",
        r"\[PERSON\_1\]",
        "**[PERSON_1]**",
    ],
)
async def test_a_placeholder_that_the_model_altered_a_little_is_restored(said):
    _, sent = await masked("My name is Jane Whitcombe.")
    shown = await answered(sent, list(f"Hello {said}, welcome"))
    assert "Jane Whitcombe" in shown
    assert "1" not in shown


async def test_a_placeholder_that_a_person_typed_is_nobodys():
    (text,), sent = await masked("My name is Jane Whitcombe. Who is [PERSON_1] or person 2?")
    assert "[PERSON_3]" in text
    assert await answered(sent, ["[PERSON_1], PERSON_2 and [PERSON_3]"]) == "[PERSON_1], PERSON_2 and Jane Whitcombe"


async def test_an_unknown_placeholder_is_left_alone():
    _, sent = await masked("My name is Jane Whitcombe.")
    assert await answered(sent, ["[PERSON_7] and [EMAIL_1]"]) == "[PERSON_7] and [EMAIL_1]"


async def test_ordinary_words_are_not_taken_for_placeholders():
    _, sent = await masked("My name is Jane Whitcombe.")
    assert await answered(sent, ["Person 1 of 3 left the date 1."]) == "Person 1 of 3 left the date 1."


async def test_refusing_says_what_was_found_and_not_the_data():
    sent = submission(LETTER)
    with pytest.raises(Refused) as refusal:
        await make({"action": {"EMAIL": "refuse", "default": "mask"}}).request(sent)
    assert "EMAIL" in str(refusal.value)
    assert "whitcombe" not in str(refusal.value).lower()
    assert [finding.verdict for finding in sent.findings if finding.reason == "EMAIL"] == ["refused"]
    assert sent.texts[0].value == LETTER


async def test_flagging_changes_nothing():
    (text,), sent = await masked(LETTER, action="flag")
    assert text == LETTER
    assert {finding.verdict for finding in sent.findings} == {"flagged"}
    assert make({"action": "flag"}).answer(sent) is None


async def test_what_identifies_together_with_health_data_is_masked_too():
    note = "Patient Jane Whitcombe, MRN 4821093, aged 93, was admitted on 12 March 2023 to hospital with pain."
    (text,), sent = await masked(note)
    assert "health" in sent.labels
    for secret in ("Whitcombe", "4821093", "93", "12 March"):
        assert secret not in text


async def test_a_question_without_a_person_is_left_alone():
    for question in (
        "What is the capital of France and when was the Bastille stormed?",
        "Explain how a hash map works in Python.",
        "Wie wird das Wetter am Montag?",
        "¿Cuál es la dosis máxima de paracetamol?",
    ):
        assert (await masked(question))[0] == [question]


async def test_numbers_written_as_numbers_in_json_are_masked():
    (text,), sent = await masked('{"account_number": 938271645, "page": 2}', place="tool")
    assert json.loads(text) == {"account_number": "[ACCOUNT_1]", "page": 2}
    assert sent.findings[0].reason == "ACCOUNT"


async def test_data_that_the_model_brings_in_is_masked_where_asked():
    _, sent = await masked("Who wrote to me@example.org?", answers="mask")
    said = await answered(sent, list("[EMAIL_1] had a letter of bob@example.net. Fine."), answers="mask")
    assert said == "me@example.org had a letter of [EMAIL]. Fine."


async def test_a_number_in_arguments_gives_way_to_a_string():
    _, sent = await masked("x", answers="mask")
    said = await answered(sent, list('{"phone": 4155550132, "n": 1}'), "tool", "0.tool.0", answers="mask")
    assert json.loads(said) == {"phone": "[PHONE]", "n": 1}


async def test_without_restoring_the_reader_sees_placeholders():
    (text,), sent = await masked(LETTER, restore=False)
    assert await answered(sent, [text], restore=False) == text


async def test_channels_do_not_mix():
    _, sent = await masked("My name is Jane Whitcombe.")
    watch = make({}).answer(sent)
    one = await watch.piece(Text("output", "0", {"t": "[PERS"}, "t"))
    two = await watch.piece(Text("output", "1", {"t": "ON_1] or [PERSON_1]"}, "t"))
    one += await watch.piece(Text("output", "0", {"t": "ON_1]"}, "t"))
    assert (one, two) == ("Jane Whitcombe", "ON_1] or Jane Whitcombe")


async def test_nothing_of_the_data_shows_in_what_is_kept_or_told():
    _, sent = await masked(LETTER)
    shown = repr(sent) + repr(sent.findings) + repr(sent.memory) + repr(make({}).answer(sent))
    for secret in ("Whitcombe", "7946", "GB33"):
        assert secret not in shown


async def test_a_long_text_is_masked_like_a_short_one():
    filler = "The report was sent on time and nobody objected to it. " * 400
    (text,), _ = await masked(filler + LETTER)
    assert "Whitcombe" not in text
    assert text.startswith(filler)


@pytest.mark.parametrize(
    "options",
    [
        {"types": ["NOSE"]},
        {"types": []},
        {"action": "hide"},
        {"action": {"NOSE": "mask"}},
        {"threshold": 2},
        {"restore": 1},
        {"answers": 0},
        {"colour": 1},
    ],
)
def test_a_mistake_in_the_options_is_named(options):
    with pytest.raises(Misconfigured):
        make(options)


VALUES = ["Jane Whitcombe", "José Peñalver", "a@b.example", "+49 30 901820", "x\n[", "\\", "PERSON_1", "12/03/1958"]
NOISE = [
    "[",
    "]",
    "\\",
    "_",
    " ",
    "PERSON",
    "PERSON_",
    "[PERSON_",
    "1",
    "12",
    "[EMAIL_1]",
    "person-1",
    "the-PERSON_1",
    "é",
    "\n",
    "Hello",
    "[[PERSON_1]]",
    "CREDIT CARD",
    "[CREDIT\\_CARD\\_1]",
    "E",
    "[E",
    "-",
]


@given(some.lists(some.sampled_from(NOISE), max_size=14), some.lists(some.integers(0, 60), max_size=6), some.booleans())
@settings(max_examples=300)
async def test_pieces_cut_anywhere_give_the_same_answer(parts, cuts, quoted):
    sent = submission("x")
    vault = sent.memory["pii"] = Vault()
    for kind in ("PERSON", "EMAIL", "CREDIT_CARD"):
        vault.placeholder(kind, f"<{kind.lower()}>")
    text = "".join(parts)
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    channel, place = ("0.tool.0", "tool") if quoted else ("0", "output")
    assert await answered(sent, pieces, place, channel) == vault.restore(text, quoted=quoted)


@given(
    some.lists(
        some.one_of(
            some.sampled_from(
                [LETTER, *VALUES, "Dr. Smith of 12 High Street, Leeds LS1 4AP", "[PERSON_1]", "person 2"]
            ),
            some.text(max_size=20),
        ),
        max_size=6,
    )
)
@settings(max_examples=150)
async def test_masking_and_restoring_gives_the_text_back(parts):
    text = " ".join(parts)
    sent = submission(text)
    await make({"types": "all", "threshold": 0.3}).request(sent)
    vault = sent.memory["pii"]
    if not text.startswith(("{", "[")):
        assert vault.restore(sent.texts[0].value) == text
    for finding in sent.findings:
        assert 0 <= finding.start < finding.end <= len(text)
        assert finding.reason in TYPES


SAYINGS = [
    "Mail bob@example.net.",
    "Is it +49 30 901820?",
    "[EMAIL_1]",
    "Fine.",
    "\n",
    "a@b.example",
    "word " * 130,
    "x" * 700,
]


@given(some.lists(some.sampled_from(SAYINGS), max_size=6), some.lists(some.integers(0, 900), max_size=6))
@settings(max_examples=60)
async def test_masking_an_answer_does_not_depend_on_its_pieces(parts, cuts):
    text = " ".join(parts)
    _, sent = await masked("I am me@example.org", answers="mask")
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    whole = await answered(sent, [text], answers="mask")
    assert await answered(sent, pieces, answers="mask") == whole
    assert "bob@" not in whole
