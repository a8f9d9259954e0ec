"""Policy decides, the store's filter is policy's own answers, and nothing is open that nobody opened."""

from __future__ import annotations

from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata.access import Access, Resource
from strata.errors import Forbidden, Misconfigured
from strata.types import CLASSIFICATIONS, AccessLabel, Assistant, Corpus, Principal

ACCESS = Access.of((files("strata") / "policies" / "strata.cedar").read_text())
GROUPS = ["everyone", "research", "safety", "dmc", "hr"]


def person(
    *groups: str, roles: tuple[str, ...] = ("member",), department: str = "research", id: str = "ada"
) -> Principal:
    return Principal("acme", id, "Ada", department, frozenset({"everyone", department, *groups}), frozenset(roles))


def test_a_document_is_read_by_the_groups_it_names():
    label = AccessLabel("acme", frozenset({"dmc"}), "restricted", "research")
    assert ACCESS.readable(person("dmc"), [label]) == {label.key}
    assert ACCESS.readable(person(), [label]) == frozenset()


def test_a_document_without_readers_is_private():
    label = AccessLabel("acme", frozenset(), "public", "research")
    assert ACCESS.readable(person("dmc", roles=("member", "platform", "auditor", "finance")), [label]) == frozenset()


def test_another_tenants_document_is_never_read():
    label = AccessLabel("other", frozenset({"everyone"}), "public")
    assert ACCESS.readable(person(), [label]) == frozenset()
    assert not ACCESS.may(person(), "find", Resource.document(label))


def test_what_is_restricted_is_never_for_everyone():
    label = AccessLabel("acme", frozenset({"everyone", "research"}), "restricted")
    assert ACCESS.readable(person(), [label]) == frozenset()


def test_operating_the_platform_opens_no_document():
    label = AccessLabel("acme", frozenset({"hr"}), "confidential", "hr")
    operator = Principal("acme", "operator", kind="service", roles=frozenset({"operator", "ingest", "layer"}))
    assert ACCESS.readable(operator, [label]) == frozenset()


@given(
    readers=st.frozensets(st.sampled_from(GROUPS)),
    groups=st.frozensets(st.sampled_from(GROUPS)),
    classification=st.sampled_from(CLASSIFICATIONS),
)
def test_the_filter_and_the_single_decision_never_disagree(readers, groups, classification):
    asker = Principal("acme", "x", "", "none", groups, frozenset({"member"}))
    label = AccessLabel("acme", readers, classification)
    found = label.key in ACCESS.readable(asker, [label])
    assert found == ACCESS.may(asker, "find", Resource.document(label))
    assert found == ACCESS.may(asker, "read", Resource.document(label))
    if found:
        assert readers & groups


def test_equal_labels_have_one_key_and_different_labels_different_keys():
    one = AccessLabel("acme", frozenset({"a", "b"}), "internal", "d")
    assert one.key == AccessLabel("acme", frozenset({"b", "a"}), "internal", "d").key
    others = [
        AccessLabel("acme2", one.readers, "internal", "d"),
        AccessLabel("acme", frozenset({"a"}), "internal", "d"),
        AccessLabel("acme", one.readers, "public", "d"),
        AccessLabel("acme", one.readers, "internal", "e"),
    ]
    assert len({one.key, *(other.key for other in others)}) == 5


def test_editors_keep_their_own_departments_corpora():
    own, foreign = Corpus("c", "C", "research"), Corpus("h", "H", "hr")
    editor = person(roles=("member", "editor"))
    assert ACCESS.may(editor, "add", Resource.corpus("acme", own))
    assert not ACCESS.may(editor, "add", Resource.corpus("acme", foreign))
    assert not ACCESS.may(person(), "add", Resource.corpus("acme", own))


def test_an_assistant_serves_its_users_only():
    helper = Assistant("safety", "Safety", "safety", ("s",), frozenset({"safety"}))
    assert ACCESS.may(person("safety"), "ask", Resource.assistant("acme", helper))
    with pytest.raises(Forbidden, match="may not ask assistant 'safety'"):
        ACCESS.require(person(), "ask", Resource.assistant("acme", helper))


def test_a_chat_belongs_to_one_person():
    chat = Resource.chat("acme", "s1", "ada")
    assert ACCESS.may(person(), "view", chat)
    assert not ACCESS.may(person(id="bob", roles=("member", "platform", "auditor")), "view", chat)


def test_only_auditors_audit_and_only_layers_tell():
    ledger = Resource.plain("Ledger", "acme", "audit")
    assert ACCESS.may(person(roles=("member", "auditor")), "audit", ledger)
    assert not ACCESS.may(person(roles=("member", "finance", "platform")), "audit", ledger)
    assert not ACCESS.may(person(roles=("layer",)), "tell", ledger)


def test_an_id_with_quotes_cannot_change_the_question():
    nasty = Principal("acme", 'x"; permit(principal, action, resource);', "", "", frozenset(), frozenset())
    assert not ACCESS.may(nasty, "audit", Resource.plain("Ledger", "acme", 'l"\\'))


def test_policies_that_do_not_parse_are_refused_at_start():
    with pytest.raises(Misconfigured, match="do not parse"):
        Access.of("permit everything")
