"""When a text says a phrase."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata.factory.build import metrics
from strata.factory.metric import normal, says


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("Give 5 mg twice.", "5 mg"),
        ("Give **5\u00a0mg** twice.", "5 MG"),
        ("within 15–20 days", "15-20 days"),
        ("212,000 CHF", "212000"),
        ("it costs 212\u202f000 CHF", "212,000 CHF"),
        ("in week 12 206 patients", "206 patients"),
        ("by 26 % lower", "26%"),
        ("the “reporter’s” name", "reporter's name"),
        ("2.0 or\nhigher.", "2.0 or higher"),
        ("On Day 7.", "day 7"),
        ("5 mg/kg", "5 mg"),
    ],
)
def test_it_is_said_however_it_is_spelled(text, phrase):
    assert says(text, phrase)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("Give 15 mg", "5 mg"),
        ("Give 0.5 mg", "5 mg"),
        ("On day 70", "day 7"),
        ("7.05 percent", "7.0"),
        ("at 1.26%", "26%"),
        ("anything", ""),
        ("anything", "  "),
        ("anything", "**"),
    ],
)
def test_it_is_not_said_by_what_only_contains_it(text, phrase):
    assert not says(text, phrase)


@given(st.text(max_size=40))
def test_every_text_says_itself(text):
    assert says(text, text) == bool(normal(text))


@given(st.lists(st.from_regex(r"\A[a-z]{1,8}\Z"), min_size=1, max_size=8), st.data())
def test_every_run_of_words_of_a_text_is_said(words, data):
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    assert says(" ".join(words), " ".join(words[start:end]))


def test_the_metrics_are_the_files_in_their_folder():
    assert [metric.name for metric in metrics()] == ["abstention", "answer", "citation", "leak"]
