"""What the offline verifier finds: every kind of tampering below a checkpoint, and no crash on anything."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strata.reporting.chain import GENESIS, canonical, seal
from strata.reporting.checkpoint import Signer
from strata.reporting.merkle import Frontier
from strata.reporting.verify import verify
from strata.types import now

places = st.integers(0, 39)


def check(exported, log=None, witness=None):
    return verify(
        "acme",
        exported.log if log is None else log,
        exported.witness if witness is None else witness,
        exported.public_key,
    )


def rechained(entries):
    """What a clever forger does: every hash from the first entry on made good again."""
    previous = GENESIS
    for number, entry in enumerate(entries, start=1):
        fresh = {**entry, "sequence": number, "previous": previous}
        fresh["hash"] = previous = seal(fresh)
        yield canonical(fresh) + b"\n"


def test_an_untouched_record_verifies(exported):
    verdict = check(exported)
    assert verdict.problems == ()
    assert (verdict.entries, verdict.checkpoints) == (40, len(exported.witness))


@given(place=places, field=st.sampled_from(["actor", "action", "subject", "event", "at", "tenant"]))
def test_an_edited_entry_is_named(exported, place, field):
    log = list(exported.log)
    entry = json.loads(log[place])
    log[place] = canonical({**entry, field: entry[field] + "x"}) + b"\n"
    problems = check(exported, log).problems
    assert any(f"entry {place + 1} was changed" in problem for problem in problems)


@given(place=places, position=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_any_changed_byte_of_the_record_is_found(exported, place, position, byte):
    log = list(exported.log)
    line = bytearray(log[place].rstrip(b"\n"))
    position %= len(line)
    if line[position] == byte:
        return
    line[position] = byte
    log[place] = bytes(line) + b"\n"
    assert check(exported, log).problems


@given(place=places)
def test_a_deleted_entry_is_named(exported, place):
    problems = check(exported, exported.log[:place] + exported.log[place + 1 :]).problems
    assert problems
    assert place == 39 or f"entry {place + 1} is missing" in problems


@given(place=places, copied=places)
def test_an_inserted_entry_is_found(exported, place, copied):
    assert check(exported, (*exported.log[:place], exported.log[copied], *exported.log[place:])).problems


@given(pair=st.tuples(places, places).filter(lambda pair: pair[0] != pair[1]))
def test_swapped_entries_are_found(exported, pair):
    log = list(exported.log)
    log[pair[0]], log[pair[1]] = log[pair[1]], log[pair[0]]
    assert check(exported, log).problems


@given(left=st.integers(0, 39))
def test_a_tail_that_was_cut_off_is_counted(exported, left):
    problems = check(exported, exported.log[:left]).problems
    assert any(f"{40 - left} are gone" in problem for problem in problems)


@given(place=places)
def test_a_tail_that_was_rewritten_with_good_hashes_is_found(exported, place):
    entries = [json.loads(line) for line in exported.log]
    entries[place]["actor"] = "somebody else"
    problems = check(exported, list(rechained(entries))).problems
    assert problems
    assert all("has another root" in problem for problem in problems)


def test_a_problem_says_which_stretch_of_entries_was_rewritten(exported):
    entries = [json.loads(line) for line in exported.log]
    entries[25]["actor"] = "somebody else"
    first = check(exported, list(rechained(entries))).problems[0]
    assert "entries 22 to 31 are not those that were signed" in first


@given(size=st.integers(0, 60))
def test_a_whole_record_that_was_replaced_is_found(exported, size):
    entry = json.loads(exported.log[0])
    other = list(rechained([{**entry, "event": f"evt_{number}"} for number in range(size)]))
    assert check(exported, other).problems


def test_what_follows_the_last_checkpoint_can_be_cut_off_unseen(exported):
    covered = exported.witness[:-1]
    size = json.loads(covered[-1])["size"]
    assert size < 40
    assert check(exported, exported.log[:size], covered).problems == ()
    assert check(exported, exported.log[: size - 1], covered).problems


def test_a_record_without_any_checkpoint_is_not_taken_on_trust(exported):
    assert check(exported, witness=()).problems == ("no checkpoint covers any of the 40 entries",)


@given(field=st.sampled_from(["size", "root", "at", "key", "signature"]), line=st.integers(0, 3))
def test_a_checkpoint_that_was_altered_is_refused(exported, field, line):
    witness = list(exported.witness)
    raw = json.loads(witness[line])
    raw[field] = raw[field] + 1 if field == "size" else raw[field][:-1] + ("0" if raw[field][-1] != "0" else "1")
    witness[line] = canonical(raw)
    verdict = check(exported, witness=witness)
    assert verdict.checkpoints == len(witness) - 1
    assert len(verdict.problems) == 1
    assert "checkpoint" in verdict.problems[0]


def test_a_checkpoint_by_another_key_does_not_cover_a_forged_record(exported):
    entry = json.loads(exported.log[0])
    log = list(rechained([{**entry, "actor": "somebody else"}]))
    tree = Frontier().add(log[0].strip())
    forged = Signer.of(b"the forger's own key").sign("acme", 1, tree.root, now())
    verdict = check(exported, log, [forged.line])
    assert verdict.checkpoints == 0
    assert "unknown key" in verdict.problems[0]
    claimed = canonical({**json.loads(forged.line), "key": json.loads(exported.witness[0])["key"]})
    assert "not signed by the key" in check(exported, log, [claimed]).problems[0]


def test_how_the_json_is_spelled_does_not_matter(exported):
    log = [json.dumps(dict(reversed(json.loads(line).items())), indent=1).encode() for line in exported.log]
    assert check(exported, log).problems == ()


def test_a_field_that_is_said_twice_is_found(exported):
    log = list(exported.log)
    log[3] = log[3].replace(b'{"action"', b'{"action":"Nothing","action"', 1)
    assert check(exported, log).problems


def test_a_checkpoint_of_another_tenant_is_not_counted(exported):
    verdict = verify("globex", exported.log[:1], exported.witness, exported.public_key)
    assert verdict.checkpoints == 0
    assert "entry 1 is of another tenant" in verdict.problems


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
nearly = st.tuples(st.sampled_from(["sequence", "detail", "hash", "previous", "size", "root", "at", "key"]), anything)


@given(st.lists(st.binary(max_size=60), max_size=5), st.lists(st.binary(max_size=60), max_size=5))
@example([b"[" * 100_000], [b"[" * 100_000])
@example([b"9" * 10_000, b'{"a":NaN}', b"\xff"], [b"9" * 10_000, b"\xff", b"null"])
def test_the_verifier_survives_any_bytes(log, witness):
    verdict = verify("acme", log, witness, b"\x01" * 32)
    assert verdict.entries == len(log)
    assert verdict.problems or not log


@given(place=places, change=nearly, line=st.integers(0, 3), wrong=nearly)
def test_the_verifier_survives_any_value_in_any_field(exported, place, change, line, wrong):
    log, witness = list(exported.log), list(exported.witness)
    entry = {**json.loads(log[place]), change[0]: change[1]}
    checkpoint = {**json.loads(witness[line]), wrong[0]: wrong[1]}
    if entry == json.loads(log[place]) and checkpoint == json.loads(witness[line]):
        return
    log[place], witness[line] = json.dumps(entry).encode(), json.dumps(checkpoint).encode()
    assert check(exported, log, witness).problems


@pytest.mark.parametrize("key", [b"", b"short", b"\xff" * 32])
def test_a_public_key_that_is_none_verifies_nothing(exported, key):
    assert verify("acme", exported.log, exported.witness, key).checkpoints == 0
