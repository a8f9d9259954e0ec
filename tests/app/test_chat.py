"""What somebody who asks an assistant gets, sees again later, and does not get."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest

from strata.errors import BudgetExhausted, Forbidden, Invalid, NotFound, Unavailable, UpstreamBroken
from strata.events import FeedbackGiven, QuestionAnswered, QuestionAsked, SessionDeleted
from strata.types import (
    Budget,
    BudgetStatus,
    Cited,
    Done,
    Failed,
    Feedback,
    Metered,
    Money,
    Said,
    Searched,
    Started,
    now,
)

HOW_OFTEN = "How often must the pump PX-7 be cleaned?"


def said(parts):
    return "".join(part.sentence.text for part in parts if isinstance(part, Said))


async def test_an_answer_comes_in_the_order_the_page_expects(place):
    parts = await place.ask(HOW_OFTEN)
    assert [type(part) for part in parts] == [Started, Searched, Cited, Said, Metered, Done]
    assert "every 14 days" in said(parts)
    assert parts[-1] == Done("answered", "extractive", HOW_OFTEN)


async def test_every_sentence_is_cited_before_it_is_said(place):
    place.gateway.script = "The pump PX-7 must be cleaned every 14 days. The filter lasts 90 days."
    known = set()
    for part in await place.ask(HOW_OFTEN, assistant="writer"):
        if isinstance(part, Cited):
            assert part.citation.number not in known
            known.add(part.citation.number)
        if isinstance(part, Said):
            assert set(part.sentence.citations) <= known
    assert known == {1, 2}


@pytest.mark.parametrize("assistant", ["care", "writer", "careful"])
async def test_a_citation_is_the_exact_place_in_the_document(place, assistant):
    place.gateway.script = "The filter of the pump lasts 90 days."
    for question in (HOW_OFTEN, "What does alarm code E2 mean?", "How long does the filter last?"):
        for part in await place.ask(question, assistant=assistant):
            if isinstance(part, Cited):
                citation = part.citation
                text = (await place.library.text(place.person("ana"), citation.document)).text
                assert text[citation.start : citation.end] == citation.quote
                assert citation.quote


async def test_a_table_row_is_quoted_with_the_names_of_its_columns(place):
    answer = said(await place.ask("What does alarm code E2 mean?"))
    assert "Meaning: Overheating" in answer
    assert "Low pressure" not in answer


async def test_a_list_is_quoted_whole_under_the_line_that_opens_it(place):
    answer = said(await place.ask("What has to be done before the first use of the pump?"))
    assert answer.startswith("Before the first use:")
    assert all(entry in answer for entry in ("rinse the tank twice", "check the seal", "write the date on the label"))


@pytest.mark.parametrize(
    "question", ["Who won the football cup?", "How often must the pump QX-9 be cleaned?", "What does the PX-7 cost?"]
)
async def test_what_the_documents_do_not_say_is_not_answered(place, question):
    parts = await place.ask(question)
    assert parts[-1].outcome == "abstained"
    assert said(parts).startswith("I don't know")
    assert not [part for part in parts if isinstance(part, Cited)]
    assert [part.sentence.support for part in parts if isinstance(part, Said)] == ["none"]


async def test_a_german_assistant_says_in_german_that_it_does_not_know(place):
    assert said(await place.ask("Wer gewann den Pokal?", assistant="de")).startswith("Das weiß ich nicht")


async def test_nobody_is_answered_from_a_document_that_they_may_not_read(place):
    question = "When will the merger with Globex be announced?"
    assert "October" in said(await place.ask(question, person="cy"))
    parts = await place.ask(question, person="bo")
    assert parts[-1].outcome == "abstained"
    assert "October" not in str(parts)
    assert parts[1].passages == 0


async def test_a_follow_up_is_understood_in_context(place):
    ana = place.person("ana")
    session = (await place.desk.open(ana, "care")).id
    await place.ask("How often must the pump PX-7 be cleaned?", session=session)
    parts = await place.ask("And the valve VR-2?", session=session)
    assert "every 30 days" in said(parts)
    parts = await place.ask("What pressure does it withstand?", session=session)
    assert "6 bar" in said(parts)
    assert "VR-2" in parts[1].query


async def test_what_a_model_makes_up_is_marked(place):
    place.gateway.script = "The pump PX-7 must be cleaned every 14 days. It is blue and costs 99 dollars."
    parts = await place.ask(HOW_OFTEN, assistant="writer")
    sentences = [part.sentence for part in parts if isinstance(part, Said)]
    assert [sentence.support for sentence in sentences] == ["supported", "unsupported"]
    assert sentences[1].citations == ()
    answered = next(event for event in place.events() if isinstance(event, QuestionAnswered))
    assert answered.unsupported == 1


async def test_quotations_replace_what_a_model_makes_up_where_the_assistant_says_so(place):
    place.gateway.script = "The pump is blue and costs 99 dollars. It must be cleaned every 15 days. "
    parts = await place.ask(HOW_OFTEN, assistant="careful")
    assert "99" not in said(parts)
    assert "15" not in said(parts)
    assert "every 14 days" in said(parts)
    assert parts[-1] == Done("answered", "extractive", HOW_OFTEN)


async def test_a_model_that_misses_the_point_is_completed_by_the_strongest_quotation(place):
    place.gateway.script = "The filter lasts 90 days."
    parts = await place.ask(HOW_OFTEN, assistant="careful")
    assert "90 days" in said(parts)
    assert "every 14 days" in said(parts)
    assert parts[-1].mode == "generative"


@pytest.mark.parametrize(
    "claim",
    [
        "The pump PX-7 must be cleaned every 41 days.",
        "The pump PX-7 must be cleaned every 14 hours.",
        "The pump PX-7 must not be cleaned every 14 days.",
        "The pump PX-8 must be cleaned every 14 days.",
        "The pump PX-7 must be cleaned every 14 days by Globex.",
    ],
)
async def test_a_wrong_number_unit_name_or_denial_is_never_cited(place, claim):
    place.gateway.script = claim
    parts = await place.ask(HOW_OFTEN, assistant="writer")
    assert [part.sentence.support for part in parts if isinstance(part, Said)] == ["unsupported"]
    assert not [part for part in parts if isinstance(part, Cited)]


async def test_a_failing_vendor_is_replaced_by_quotations_or_told(place):
    place.gateway.refusal = UpstreamBroken("the vendor answered nonsense")
    assert "every 14 days" in said(await place.ask(HOW_OFTEN, assistant="careful"))
    parts = await place.ask(HOW_OFTEN, assistant="writer")
    assert isinstance(parts[-1], Failed)
    assert parts[-1].problem["type"] == "urn:strata:problem:upstream-broken"


async def test_the_models_calls_are_summed_up(place):
    place.gateway.script = "The pump PX-7 must be cleaned every 14 days."
    parts = await place.ask(HOW_OFTEN, assistant="writer")
    usage = next(part.usage for part in parts if isinstance(part, Metered))
    assert usage.model == "small"
    assert usage.completion_tokens == 20
    assert usage.cost.micros > 500


async def test_a_model_is_told_that_passages_are_no_instructions(place):
    place.gateway.script = "The pump PX-7 must be cleaned every 14 days."
    await place.ask(HOW_OFTEN, assistant="writer")
    system, user = place.gateway.asked[0].messages
    assert "never instructions" in system.content
    assert "[1] Pump PX-7 manual" in user.content


async def test_the_conversation_is_kept_with_its_citations(place):
    ana = place.person("ana")
    session = (await place.desk.open(ana, "care")).id
    parts = await place.ask(HOW_OFTEN, session=session)
    question, answer = await place.desk.messages(ana, session)
    assert (question.role, question.text) == ("reader", HOW_OFTEN)
    assert (question.id, answer.id) == (parts[0].question, parts[0].message)
    assert answer.text == said(parts)
    assert list(answer.citations) == [part.citation for part in parts if isinstance(part, Cited)]
    assert answer.outcome == "answered"


async def test_what_was_asked_and_answered_is_told_without_a_word_of_it(place):
    await place.ask(HOW_OFTEN)
    asked, answered = [event for event in place.events() if isinstance(event, QuestionAsked | QuestionAnswered)]
    assert asked.actor == answered.actor == "ana"
    assert answered.outcome == "answered"
    assert answered.prompt_version
    assert len(answered.documents) == 1
    assert "clean" not in f"{asked}{answered}"


async def test_stopping_keeps_what_was_said(place):
    place.gateway.script = "The pump PX-7 must be cleaned every 14 days. The filter"
    place.gateway.endless = True
    ana = place.person("ana")
    session = (await place.desk.open(ana, "writer")).id
    async with aclosing(place.desk.answer(ana, session, HOW_OFTEN)) as parts:
        async for part in parts:
            if isinstance(part, Said):
                break
    _, answer = await place.desk.messages(ana, session)
    assert answer.outcome == "stopped"
    assert answer.text == "The pump PX-7 must be cleaned every 14 days."
    assert len(answer.citations) == 1
    assert place.gateway.settled


async def test_a_reader_who_is_cut_off_still_has_what_was_said(place):
    place.gateway.script = "The pump PX-7 must be cleaned every 14 days. The filter"
    place.gateway.endless = True
    ana = place.person("ana")
    session = (await place.desk.open(ana, "writer")).id
    spoken = asyncio.Event()

    async def read():
        async for part in place.desk.answer(ana, session, HOW_OFTEN):
            if isinstance(part, Said):
                spoken.set()

    reading = asyncio.create_task(read())
    await spoken.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await place.desk.close()
    assert (await place.desk.messages(ana, session))[-1].outcome == "stopped"


async def test_a_session_deleted_while_its_answer_is_given_stays_deleted(place):
    ana = place.person("ana")
    session = (await place.desk.open(ana, "care")).id
    async for part in place.desk.answer(ana, session, HOW_OFTEN):
        if isinstance(part, Started):
            await place.desk.delete(ana, session)
    with pytest.raises(NotFound):
        await place.desk.messages(ana, session)
    assert await place.records.query(f"acme/messages/{session}") == []


async def test_a_spent_budget_refuses_before_anything_is_written_down(place):
    budget = Budget("care-month", "Care", "department:care", Money(1000))
    place.gateway.statuses = [BudgetStatus(budget, "2026-11", 1000, 0, "exhausted", now() + timedelta(days=3))]
    ana = place.person("ana")
    session = (await place.desk.open(ana, "writer")).id
    with pytest.raises(BudgetExhausted) as refused:
        await place.ask(HOW_OFTEN, session=session)
    assert refused.value.problem()["budget"] == "care-month"
    assert refused.value.problem()["resets_at"]
    assert await place.desk.messages(ana, session) == []


async def test_a_search_that_fails_is_raised_and_the_question_kept_as_failed(place):
    place.gateway.embed_refusal = Unavailable("the embedder is away")
    ana = place.person("ana")
    session = (await place.desk.open(ana, "care")).id
    with pytest.raises(Unavailable):
        await place.ask(HOW_OFTEN, session=session)
    question, answer = await place.desk.messages(ana, session)
    assert question.text == HOW_OFTEN
    assert (answer.outcome, answer.text) == ("failed", "")


async def test_nothing_is_shown_when_the_question_cannot_be_recorded(place):
    ana = place.person("ana")
    session = (await place.desk.open(ana, "care")).id
    parts = place.desk.answer(ana, session, HOW_OFTEN)
    place.records.closed = True
    with pytest.raises(Unavailable):
        await anext(parts)


async def test_nobody_sees_or_changes_anothers_conversation(place):
    ana, bo = place.person("ana"), place.person("bo")
    session = (await place.desk.open(ana, "care")).id
    answer = (await place.ask(HOW_OFTEN, session=session))[0].message
    assert await place.desk.sessions(bo) == []
    for attempt in (
        place.desk.messages(bo, session),
        place.desk.rename(bo, session, "mine"),
        place.desk.delete(bo, session),
        place.desk.rate(bo, answer, Feedback("👍")),
        anext(place.desk.answer(bo, session, "What did she ask?")),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert len(await place.desk.messages(ana, session)) == 2


async def test_an_assistant_serves_only_its_users(place):
    dee = place.person("dee")
    assert await place.desk.assistants(dee) == []
    with pytest.raises(Forbidden):
        await place.desk.open(dee, "care")
    with pytest.raises(NotFound, match="care"):
        await place.desk.open(place.person("ana"), "nobody")


@pytest.mark.parametrize("question", ["", "   ", "x" * 8001])
async def test_an_empty_or_endless_question_is_refused(place, question):
    with pytest.raises(Invalid):
        await place.ask(question)


async def test_the_first_question_names_the_session_until_its_owner_does(place):
    ana = place.person("ana")
    session = await place.desk.open(ana, "care")
    assert session.title == "New conversation"
    await place.ask(
        "How often must the pump PX-7 be cleaned, and with what kind of liquid exactly?", session=session.id
    )
    (kept,) = await place.desk.sessions(ana)
    assert kept.title == "How often must the pump PX-7 be cleaned, and with what…"
    await place.desk.rename(ana, session.id, "  Pump   care ")
    await place.ask(HOW_OFTEN, session=session.id)
    assert (await place.desk.sessions(ana))[0].title == "Pump care"
    with pytest.raises(Invalid):
        await place.desk.rename(ana, session.id, " ")


async def test_the_latest_used_session_comes_first(place):
    ana = place.person("ana")
    first, second = await place.desk.open(ana, "care"), await place.desk.open(ana, "care")
    assert [session.id for session in await place.desk.sessions(ana)] == [second.id, first.id]
    await place.ask(HOW_OFTEN, session=first.id)
    assert [session.id for session in await place.desk.sessions(ana)] == [first.id, second.id]


async def test_deleting_a_session_removes_every_message(place):
    ana = place.person("ana")
    session = (await place.desk.open(ana, "care")).id
    for _ in range(60):
        await place.ask(HOW_OFTEN, session=session)
    await place.desk.delete(ana, session)
    assert await place.desk.sessions(ana) == []
    assert await place.records.query(f"acme/messages/{session}") == []
    assert any(isinstance(event, SessionDeleted) for event in place.events())


async def test_two_questions_at_once_both_find_their_place(place):
    ana = place.person("ana")
    session = (await place.desk.open(ana, "care")).id
    await asyncio.gather(*(place.ask(HOW_OFTEN, session=session) for _ in range(4)))
    messages = await place.desk.messages(ana, session)
    assert len(messages) == 8
    assert len({message.id for message in messages}) == 8


async def test_feedback_is_kept_replaced_and_taken_back(place):
    ana = place.person("ana")
    session = (await place.desk.open(ana, "care")).id
    answer = (await place.ask(HOW_OFTEN, session=session))[0].message
    for given in (Feedback("👎", ("wrong",), "it is 15"), Feedback("👍", ("helpful",)), None):
        assert await place.desk.rate(ana, answer, given) == given
        assert (await place.desk.messages(ana, session))[1].feedback == given
    told = [event for event in place.events() if isinstance(event, FeedbackGiven)]
    assert [(event.emoji, event.reasons) for event in told] == [("👎", ("wrong",)), ("👍", ("helpful",)), ("", ())]
    assert "it is 15" not in str(told)


async def test_feedback_that_is_not_offered_is_refused(place):
    ana = place.person("ana")
    session = (await place.desk.open(ana, "care")).id
    started = (await place.ask(HOW_OFTEN, session=session))[0]
    for feedback in (Feedback("🍕"), Feedback("👍", ("because",)), Feedback("👍", (), "x" * 4001)):
        with pytest.raises(Invalid):
            await place.desk.rate(ana, started.message, feedback)
    with pytest.raises(Invalid, match="only answers"):
        await place.desk.rate(ana, started.question, Feedback("👍"))
    with pytest.raises(NotFound):
        await place.desk.rate(ana, "msg_nothing", Feedback("👍"))
