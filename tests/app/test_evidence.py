"""The pure parts: words, quotable statements, the decision to abstain, quotations, follow-ups and the support check."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from strata.app import cite, evidence, extract, statements
from strata.app.prompt import Prompts, excerpts
from strata.app.recall import standalone
from strata.app.statements import Statement
from strata.app.words import keys, language_of, matches, measures, negated, numbers, terms, within
from strata.types import ChatMessage, Chunk, Passage, now


def chunk(text: str, *, start: int = 0, title: str = "", headings: tuple[str, ...] = (), context: str = "") -> Chunk:
    end = start + len(text)
    return Chunk("c", "t", "doc", 1, "k", 0, text, context or text, start, end, "a", title=title, headings=headings)


def passage(text: str, **more: object) -> Passage:
    return Passage(chunk(text, **more), 0.9)  # type: ignore[arg-type]


def quotable(text: str, **more: object) -> list[Statement]:
    return statements.of_passages([passage(text, **more)])


def earlier(*questions: str) -> list[ChatMessage]:
    return [ChatMessage("m", "reader", now(), question) for question in questions]


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("vaccinations", "vaccinated", "en"),
        ("paediatric", "pediatric", "en"),
        ("storage", "stored", "en"),
        ("unsuccessful", "successful", "en"),
        ("anmelden", "angemeldet", "de"),
        ("Urlaubstage", "Urlaubstagen", "de"),
    ],
)
def test_forms_of_a_word_are_met_by_one_another(one, other, language):
    (key,) = keys(one, language)
    assert matches(key, keys(other, language)) > 0


@pytest.mark.parametrize(("one", "other"), [("AB-12", "AB-13"), ("patient", "patent"), ("14", "15"), ("dose", "door")])
def test_different_words_codes_and_numbers_are_not(one, other):
    (key,) = keys(one)
    assert matches(key, keys(other)) == 0


def test_numbers_are_the_same_however_they_are_written():
    assert numbers("1,000 tablets, 2.50 g, twelve, twice") == {"1000", "2.5", "12", "2"}
    assert numbers("1.000,50 Euro, zwölf", "de") == {"1000.5", "12"}


def test_a_code_stays_whole_and_a_name_is_known_inside_a_sentence():
    assert [(term.key, term.kind) for term in terms("Is FRG-301 sold in Japan?")] == [
        ("frg301", "code"), ("sold", "word"), ("japan", "name"),
    ]  # fmt: skip


def test_a_number_belongs_to_what_it_counts():
    assert ("6", *keys("hours")) in measures("within 6 hours")
    assert measures("six hours") == measures("6 hours")
    assert not measures("6 hours") & measures("6 months")


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("15 kg to less than 20 kg", 18, True),
        ("15 kg to less than 20 kg", 20, False),
        ("15 to 29 kg", 29, True),
        ("45 kg or more", 45, True),
        ("less than 45 kg", 45, False),
        ("15 to 29 mL", 18, False),
    ],
)
def test_a_number_lies_within_a_range_of_the_same_unit(text, value, holds):
    (unit,) = keys("kg")
    assert any(low <= value <= high and counted == unit for low, high, counted in within(text)) is holds


def test_denial_and_language_are_recognised():
    assert negated("It must not be used.")
    assert not negated("It must be used.")
    assert language_of("Wie viele Tage darf ich im Jahr arbeiten?", "en") == "de"
    assert language_of("How many days may I work in a year?", "de") == "en"
    assert language_of("Alpha Beta", "de") == "de"


@given(some.text(alphabet="ab .!?|-#:\n1x*", max_size=200), some.integers(0, 50))
def test_every_statement_is_a_stretch_of_its_document(text, start):
    for statement in quotable(text, start=start):
        assert text[statement.start - start : statement.end - start] == statement.quote


@given(some.text(alphabet="ab .!?\n1", max_size=200))
def test_split_sentences_joined_are_the_text(text):
    assert "".join(statements.split(text)) == text


def test_abbreviations_and_decimals_do_not_end_a_sentence():
    text = "Dr. A. Smith gave e.g. 2.5 mg. Then approx. 3 mg followed! See No. 4."
    assert [one.text for one in quotable(text)] == ["Dr. A. Smith gave e.g. 2.5 mg.", "Then approx. 3 mg followed!", "See No. 4."]  # fmt: skip


def test_a_row_has_the_column_names_also_where_its_table_began_in_an_earlier_passage():
    rows = "| 20 kg | 25 mg |\n| 30 kg | - |"
    context = f"Title\n| Weight | Dose |\n{rows}"
    assert [one.text for one in quotable(rows, context=context)] == ["Weight: 20 kg; Dose: 25 mg", "Weight: 30 kg"]
    assert [one.text for one in quotable(rows)] == ["20 kg; 25 mg", "30 kg; -"]


def test_titles_inside_a_passage_stand_above_what_follows_them():
    text = "4.2 Dose\n\nTake one.\n\nMissed dose\n\nLeave it out.\n\n4.3 Storage\n\nKeep it cool."
    found = quotable(text, title="Leaflet", headings=("4 Use", "4.2 Dose"))
    assert [(one.text, one.headings) for one in found] == [
        ("Take one.", ("4 Use", "4.2 Dose")),
        ("Leave it out.", ("4 Use", "4.2 Dose", "Missed dose")),
        ("Keep it cool.", ("4 Use", "4.3 Storage")),
    ]


def judged(question: str, *texts: str, cosine: float = 0.6) -> tuple[evidence.Verdict, list[evidence.Evidence]]:
    passages = [Passage(chunk(text, start=1000 * place), 0.9) for place, text in enumerate(texts)]
    asked = evidence.question(question)
    ground = evidence.Ground.of(asked, statements.of_passages(passages))
    places = evidence.candidates(ground, passages)
    weighed = evidence.weigh(asked, ground, passages, places, [cosine] * len(places))
    return evidence.judge(asked, ground, weighed), weighed


def test_a_statement_that_says_it_carries_an_answer():
    verdict, weighed = judged("How long does the filter last?", "The filter lasts 90 days. The hose is blue.")
    assert verdict.answerable
    assert weighed[0].statement.text == "The filter lasts 90 days."


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How long does the filter of the ZX-9 last?", "The filter of the ZX-8 lasts 90 days."),
        ("How long does the filter last in Norway?", "The filter lasts 90 days."),
        ("What does the insurance premium cost in a leap season?", "The filter lasts 90 days."),
    ],
)
def test_a_missing_name_code_or_subject_is_no_answer(question, text):
    verdict, _ = judged(question, text)
    assert not verdict.answerable
    assert verdict.reason
    assert verdict.absent


def test_words_without_meaning_are_no_answer_and_neither_is_nothing():
    assert not judged("How long does the filter last?", "The filter lasts 90 days.", cosine=0.1)[0].answerable
    assert not evidence.judge(
        evidence.question("Why?"), evidence.Ground.of(evidence.question("Why?"), []), []
    ).answerable


def test_an_abbreviation_is_met_where_it_is_spelled_out():
    verdict, _ = judged("When is an SAE reported?", "A serious adverse event is reported within one day.")
    assert verdict.answerable


def test_what_is_superseded_comes_after_what_is_in_force():
    passages = [
        passage("The pump is cleaned every 30 days.", title="Manual (superseded)"),
        passage("The pump is cleaned every 14 days.", title="Manual", start=500),
    ]
    asked = evidence.question("How often is the pump cleaned?")
    ground = evidence.Ground.of(asked, statements.of_passages(passages))
    weighed = evidence.weigh(asked, ground, passages, [0, 1], [0.7, 0.7])
    assert "14 days" in weighed[0].statement.text


def test_the_same_thing_is_not_quoted_twice():
    _, weighed = judged("How long does the filter last?", "The filter lasts 90 days.", "The filter lasts 90 days!")
    assert len(extract.chosen(weighed)) == 1


@pytest.mark.parametrize(
    ("question", "before", "has", "lacks"),
    [
        ("And in children?", ["What is the dose of Zorbex in adults?"], ["Zorbex", "dose"], []),
        ("And Altrovan?", ["What is the dose of Zorbex in adults?"], ["dose"], ["Zorbex"]),
        ("How long does it last?", ["What is the treatment with Zorbex?"], ["Zorbex"], []),
        ("Und für Kinder?", ["Wie hoch ist die Dosis von Zorbex?"], [], []),
        ("And at night?", ["What is the dose of Zorbex in adults?", "And in children?"], ["Zorbex", "children"], []),
    ],
)
def test_a_follow_up_takes_what_it_needs_from_before(question, before, has, lacks):
    understood = standalone(question, earlier(*before))
    assert understood.text.startswith(question)
    assert understood.inherited
    assert all(word in understood.text for word in has)
    assert not any(word in understood.text for word in lacks)


@pytest.mark.parametrize(
    "question", ["How many days of leave do new employees get?", "What is the shelf life of Altrovan tablets?"]
)
def test_a_question_that_stands_by_itself_stays_as_it_is(question):
    assert standalone(question, earlier("What is the dose of Zorbex?")).text == question
    assert standalone(question, []).text == question


def carried(claim: str, text: str, cosine: float = 0.8) -> list[str]:
    found = quotable(text, title="Zorbex leaflet")
    return [one.text for one, _ in cite.carriers(cite.Claim.of(claim), found, [cosine] * len(found))]


def test_a_claim_is_carried_by_the_sentence_that_says_it():
    text = "Adults take 50 mg twice a day. Children take 20 mg once a day."
    assert carried("Adults take 50 mg two times a day.", text) == []
    assert carried("Adults take 50 mg of Zorbex twice a day.", text) == ["Adults take 50 mg twice a day."]
    assert carried("Children take 50 mg once a day.", "Children take 20 mg once a day.") == []


def test_two_sentences_may_carry_a_claim_together_but_never_their_numbers():
    text = "The tablets are stored in a dry place. The syrup is stored in the refrigerator."
    assert len(carried("The tablets are stored in a dry place and the syrup in the refrigerator.", text)) == 2
    text = "The recommended dose is 25 mg twice daily. The recommended dose for adults is 50 mg twice daily."
    assert carried("The recommended dose of 25 mg twice daily is 50 mg twice daily.", text) == []


def test_who_does_what_to_whom_is_not_turned_round():
    text = "A new safety issue is reported by the QPPV to the authorities within 3 days."
    assert carried("The QPPV is reported a new safety issue within 3 days.", text) == []
    assert carried("A safety issue is reported by the QPPV to the authorities within 3 days.", text) == [text]


def test_a_title_carries_nothing():
    assert (
        carried("Adults and adolescents weighing more than others", "Adults and adolescents weighing more\n\nText.")
        == []
    )


def test_what_is_far_in_meaning_carries_nothing():
    assert carried("Adults take 50 mg twice a day.", "Adults take 50 mg twice a day.", cosine=0.1) == []


def test_a_greeting_has_nothing_to_carry_and_a_models_own_markers_go():
    assert cite.Claim.of("Sure, here you are:").empty
    assert not cite.Claim.of("The dose is 5 mg.").empty
    assert cite.without_markers("The dose is 5 mg [1] (source 2).") == "The dose is 5 mg."


def test_the_prompt_numbers_its_excerpts_and_keeps_within_its_room():
    passages = [passage("word " * 300, title="One"), passage("Short text.", title="Two", start=5000)]
    shown = excerpts(passages, [1, 0], {1: (5000, 5011), 0: (700, 740)}, 600)
    assert shown[0] == "[1] Two\nShort text."
    assert shown[1].startswith("[2] One\n")
    assert sum(len(one) for one in shown) <= 600


def test_the_version_of_a_prompt_changes_with_its_text():
    prompts = Prompts.load()
    other = Prompts({**prompts.texts, ("system", "en"): "Be brief."}, "x")
    assert prompts.version != other.version
    assert prompts.version == Prompts.load().version
