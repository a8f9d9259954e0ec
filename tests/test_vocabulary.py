"""Events and errors travel and come back as what they were; the shared vocabulary only grows."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata import errors, events
from strata.plugins import FOLDERS, available, find
from strata.types import Subject, Usage, digest


def sample(kind: type[events.Event]) -> events.Event:
    filled = {}
    for field in dataclasses.fields(kind):
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            types = {
                "int": 3, "bool": True, "tuple[str, ...]": ("a", "b"), "Subject": Subject("t", "d", "p"),
                "Usage": Usage(1, 2, 1, 0), "tuple[Json, ...]": ({"reason": "x"},),
            }  # fmt: skip
            filled[field.name] = types.get(str(field.type), "text")
    return kind(**filled)


@pytest.mark.parametrize("kind", events.KINDS.values(), ids=lambda kind: kind.__name__)
def test_every_event_comes_back_as_it_was_written(kind):
    event = sample(kind)
    assert events.decode(events.encode(event)) == event
    assert event.partition.startswith("text/")


def test_an_unknown_event_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="there are"):
        events.decode(b'{"kind": "MoonLanded", "event": {}}')


@pytest.mark.parametrize("kind", errors.tree().values(), ids=lambda kind: kind.__name__)
def test_every_error_crosses_the_network_as_itself(kind):
    error = kind("what to do")
    back = errors.from_problem(error.problem())
    assert type(back) is kind
    assert back.detail == "what to do"
    assert back.problem() == error.problem()


def test_every_error_says_something_by_itself():
    for kind in errors.tree().values():
        if kind is not errors.Misconfigured:
            assert kind().detail


@given(st.lists(st.text()), st.lists(st.text()))
def test_a_digest_tells_different_lists_apart(one, other):
    assert (digest(*one) == digest(*other)) == (one == other)


@pytest.mark.parametrize(
    ("kind", "scheme"), [(kind, scheme) for kind in FOLDERS for scheme in available(kind)], ids=str
)
def test_every_plugin_loads_and_offers_what_its_kind_needs(kind, scheme):
    module = find(kind, scheme)
    assert module.__doc__, f"{kind} {scheme} does not say what it is"
    assert hasattr(module, "make")


def test_a_scheme_that_nobody_offers_is_refused_with_the_choices():
    with pytest.raises(errors.Misconfigured, match="there are"):
        find("records", "papyrus")
    with pytest.raises(errors.Misconfigured):
        find("records", "../../etc")
