"""Evaluating an assistant: what passes, what does not, and what is kept of it."""

from __future__ import annotations

import pytest

from strata.adapters.bus import memory as bus_memory
from strata.errors import BudgetExhausted, Forbidden, Invalid, Misconfigured
from strata.events import EvaluationRun
from strata.types import EvalCase, Principal

ANSWERABLE = EvalCase(
    "a1", "answerable", "rae", "lab", "Which dose?", documents=("lab/dose.pdf",), answer=("5 mg", "twice daily")
)
FOLLOW_UP = EvalCase(
    "f1", "follow_up", "rae", "lab", "And for children?", "Which dose?", ("lab/sub/trial.md",), ("1 mg",)
)
UNANSWERABLE = EvalCase("u1", "unanswerable", "rae", "lab", "Who won?")
FORBIDDEN = EvalCase(
    "x1", "forbidden", "rae", "lab", "What is the secret?", documents=("lab/secret.docx",), answer=("26%",)
)
ALL = (ANSWERABLE, FOLLOW_UP, UNANSWERABLE, FORBIDDEN)


def good(line):
    return {
        "children": line("Give 1 mg.", ("lab/sub/trial.md",)),
        "dose": line("Give 5 mg, twice daily.", ("lab/dose.pdf",)),
    }


async def only(bench, scientist, case):
    (result,) = (await bench.factory.evaluate(scientist, "set", [case])).results
    return result


async def test_right_answers_pass(bench, scientist, line):
    bench.desk.script = good(line)
    report = await bench.factory.evaluate(scientist, "questions.jsonl", ALL)
    assert [result.reason for result in report.results] == ["", "", "", ""]
    assert report.scores == {
        "all": 1.0,
        "answerable": 1.0,
        "follow_up": 1.0,
        "forbidden": 1.0,
        "unanswerable": 1.0,
        "metric.abstention": 1.0,
        "metric.answer": 1.0,
        "metric.citation": 1.0,
        "metric.leak": 1.0,
    }
    assert [result.case for result in report.results] == ["a1", "f1", "u1", "x1"]
    assert report.results[0].answer == "Give 5 mg, twice daily."


async def test_conversations_do_not_stay_behind(bench, scientist, line):
    bench.desk.script = {**good(line), "won": line(error=BudgetExhausted("the budget is spent"))}
    await bench.factory.evaluate(scientist, "set", ALL)
    assert sorted(bench.desk.opened) == ["rae lab"] * 4
    assert bench.desk.sessions == {}


async def test_half_an_answer_and_a_wrong_document_do_not_pass(bench, scientist, line):
    bench.desk.script = {"dose": line("Give 5 mg.", ("lab/sub/trial.md",))}
    result = await only(bench, scientist, ANSWERABLE)
    assert not result.passed
    assert result.scores == {"answer": 0.5, "citation": 0.0}
    assert "does not say 'twice daily'" in result.reason
    assert "does not cite lab/dose.pdf" in result.reason


async def test_answering_what_no_document_tells_does_not_pass(bench, scientist, line):
    bench.desk.script = {"won": line("The home team.", ("lab/dose.pdf",))}
    result = await only(bench, scientist, UNANSWERABLE)
    assert (result.passed, result.scores) == (False, {"abstention": 0.0})


@pytest.mark.parametrize(
    ("text", "cites", "wanted"),
    [
        ("It fell by 26 %.", (), "says '26%'"),
        ("It fell.", ("lab/secret.docx",), "may not open"),
    ],
)
async def test_a_leaked_phrase_or_a_closed_citation_does_not_pass(bench, scientist, line, text, cites, wanted):
    bench.desk.script = {"secret": line(text, cites)}
    result = await only(bench, scientist, FORBIDDEN)
    assert (result.passed, result.scores) == (False, {"leak": 0.0})
    assert wanted in result.reason


async def test_a_phrase_in_a_quote_is_a_leak_too(bench, scientist, line):
    bench.desk.script = {"secret": line("See there.", ("lab/dose.pdf",))}
    case = EvalCase("x2", "forbidden", "rae", "lab", "What is the secret?", answer=("quote of lab/dose.pdf",))
    assert not (await only(bench, scientist, case)).passed


async def test_one_who_may_read_it_gets_it_and_that_is_counted_as_given_out(bench, scientist, line):
    bench.desk.script = {"secret": line("See there.", ("lab/secret.docx",))}
    case = EvalCase("x3", "forbidden", "sue", "lab", "What is the secret?", documents=("lab/secret.docx",))
    assert "cites lab/secret.docx" in (await only(bench, scientist, case)).reason


async def test_what_the_question_says_itself_is_no_leak(bench, scientist, line):
    bench.desk.script = {"26%": line("I do not know whether it fell by 26%.", outcome="abstained")}
    case = EvalCase("x4", "forbidden", "rae", "lab", "Did it fall by 26%?", answer=("26%",))
    assert (await only(bench, scientist, case)).passed


async def test_a_closed_door_honours_a_forbidden_case_and_no_other(bench, scientist):
    closed = EvalCase("x5", "forbidden", "rae", "board", "What?", answer=("26%",))
    assert (await only(bench, scientist, closed)).passed
    shut_out = EvalCase("a2", "answerable", "rae", "board", "What?", documents=("lab/dose.pdf",), answer=("5",))
    result = await only(bench, scientist, shut_out)
    assert not result.passed
    assert result.reason.startswith("the question was refused: the assistant does not serve you")


async def test_an_answer_that_breaks_off_is_no_pass_of_any_kind_and_stops_no_other(bench, scientist, line):
    bench.desk.script = {
        "secret": line(error=BudgetExhausted("the budget is spent")),
        "won": line(problem={"title": "Model vendor failed", "detail": "no answer from the vendor"}),
        "children": line(outcome="failed"),
        "dose": line("Give 5 mg, twice daily.", ("lab/dose.pdf",)),
    }
    report = await bench.factory.evaluate(scientist, "set", ALL)
    assert [result.passed for result in report.results] == [True, False, False, False]
    assert [result.reason for result in report.results[1:]] == [
        "the answer failed",
        "the answer broke off: no answer from the vendor",
        "the budget is spent",
    ]
    assert report.scores["all"] == 0.25
    assert report.scores["metric.answer"] == 1.0


async def test_an_answer_that_never_ends_is_given_up(open_bench, scientist, line):
    bench = await open_bench(seconds=0.05)
    bench.desk.script = {"won": line(hangs=True)}
    result = await only(bench, scientist, UNANSWERABLE)
    assert (result.passed, result.reason) == (False, "no answer within 0.05 seconds")
    assert bench.desk.sessions == {}


async def test_no_more_cases_run_at_once_than_allowed(open_bench, scientist):
    bench = await open_bench(parallel=3)
    cases = [EvalCase(f"u{number}", "unanswerable", "rae", "lab", "Who won?") for number in range(20)]
    told = []
    await bench.factory.evaluate(scientist, "set", cases, on_result=told.append)
    assert bench.desk.most_asking <= 3
    assert len(told) == 20


async def test_only_scientists_and_operators_evaluate(bench, operator, line):
    member = Principal("acme", "rae", department="research", roles=frozenset({"member"}))
    stranger = Principal("globex", "eve", roles=frozenset({"scientist"}))
    for asker in (member, stranger):
        with pytest.raises(Forbidden):
            await bench.factory.evaluate(asker, "set", ALL)
    assert bench.desk.opened == []
    bench.desk.script = good(line)
    assert (await bench.factory.evaluate(operator, "set", ALL)).scores["all"] == 1.0


async def test_every_mistake_of_the_cases_is_told_before_anything_is_asked(bench, scientist):
    cases = [ANSWERABLE, ANSWERABLE, EvalCase("u2", "unanswerable", "nobody", "lab", "Who?")]
    with pytest.raises(Invalid) as caught:
        await bench.factory.evaluate(scientist, "set", cases)
    assert caught.value.more["mistakes"] == ["case 'a1' is there twice", "nobody is called 'nobody'"]
    with pytest.raises(Invalid, match="1 to"):
        await bench.factory.evaluate(scientist, "set", [])
    assert bench.desk.opened == []


async def test_reports_are_kept_newest_first_and_shown_to_those_who_may_evaluate(bench, scientist, line):
    bench.desk.script = good(line)
    first = await bench.factory.evaluate(scientist, "one", ALL)
    second = await bench.factory.evaluate(scientist, "two", [UNANSWERABLE])
    assert await bench.factory.reports(scientist) == [second, first]
    member = Principal("acme", "rae", department="research", roles=frozenset({"member"}))
    assert await bench.factory.reports(member) == []


async def test_a_report_of_many_long_answers_is_kept_whole(bench, scientist, line):
    bench.desk.script = {"won": line("x" * 50_000)}
    cases = [EvalCase(f"u{number}", "unanswerable", "rae", "lab", "Who won?") for number in range(120)]
    await bench.factory.evaluate(scientist, "long", cases)
    (report,) = await bench.factory.reports(scientist)
    assert [result.case for result in report.results] == [case.id for case in cases]
    assert len(report.results[0].answer) == 20_000


async def test_a_run_is_told_as_a_fact(bench, scientist, line, tmp_path):
    heard = []
    bus = await bus_memory.make(home=tmp_path, records=bench.records)

    async def listen(events):
        heard.extend(events)

    bus.subscribe("test", (EvaluationRun,), listen)
    await bus.start()
    bench.desk.script = {"dose": line("Give 5 mg, twice daily.", ("lab/dose.pdf",))}
    report = await bench.factory.evaluate(scientist, "set", ALL)
    await bus.drain()
    await bus.close()
    (fact,) = heard
    assert (fact.actor, fact.evaluation, fact.dataset) == ("ada", report.id, "set")
    assert (fact.cases, fact.passed) == (4, 3)


async def test_wrong_options_are_all_told_at_once(open_bench):
    with pytest.raises(Misconfigured) as caught:
        await open_bench(parallel=0, seconds=0)
    assert len(caught.value.mistakes) == 2
