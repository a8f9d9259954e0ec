"""Sets of questions: what is read and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata.errors import Invalid
from strata.factory.datasets import load
from strata.types import EvalCase

GOOD = {
    "id": "a1",
    "kind": "answerable",
    "person": "rae",
    "assistant": "lab",
    "question": "How much?",
    "documents": ["lab/dose.pdf"],
    "answer": ["5 mg"],
}


def test_a_file_becomes_cases(lines):
    second = {**GOOD, "id": "f1", "kind": "follow_up", "after": "What?"}
    first, follow_up = load(lines(GOOD, second) + b"\r\n\n")
    assert first == EvalCase(
        "a1", "answerable", "rae", "lab", "How much?", documents=("lab/dose.pdf",), answer=("5 mg",)
    )
    assert follow_up.after == "What?"


def test_every_mistake_is_told_at_once(lines):
    data = lines(
        GOOD,
        GOOD,
        {**GOOD, "id": "b", "kind": "maybe"},
        {**GOOD, "id": "c", "colour": "red"},
        {**GOOD, "id": "d", "kind": "follow_up"},
        {**GOOD, "id": "e", "answer": []},
        {**GOOD, "id": "f", "kind": "forbidden", "documents": [], "answer": []},
        {**GOOD, "id": "g", "kind": "unanswerable"},
        {**GOOD, "id": "h", "person": " "},
        {**GOOD, "id": "i", "answer": [""]},
        {"id": "j"},
    )
    with pytest.raises(Invalid) as caught:
        load(data + b"\n[1]\nnot json\n\xff\n")
    wrong = caught.value.more["mistakes"]
    for wanted in (
        "case 'a1' is there twice",
        "line 3: Invalid enum value 'maybe'",
        "line 4: there is no field colour",
        "case 'd' follows up nothing",
        "case 'e' needs the `answer`",
        "case 'f' needs the `answer` or",
        "case 'g' is unanswerable",
        "case 'h' needs person",
        "case 'i' has an empty phrase",
        "line 11: Object missing required field",
        "line 12: it is not an object",
        "line 13: ",
        "line 14: ",
    ):
        assert any(mistake.startswith(wanted) for mistake in wrong), (wanted, wrong)
    assert len(wrong) == 13


def test_an_empty_set_is_refused():
    with pytest.raises(Invalid, match="no questions"):
        load(b"\n \n")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        assert load(data)
    except Invalid as error:
        assert error.more["mistakes"]


def test_the_sample_companys_questions_are_a_good_set():
    from pathlib import Path

    cases = load((Path(__file__).parents[2] / "examples" / "cryodyne" / "questions.jsonl").read_bytes())
    kinds = {case.kind for case in cases}
    assert kinds == {"answerable", "follow_up", "unanswerable", "forbidden"}
