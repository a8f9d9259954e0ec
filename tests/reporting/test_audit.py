"""The audit record as the layers, an auditor and a forger meet it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import msgspec
import pytest

from strata.errors import Forbidden, Invalid, Misconfigured, Unavailable
from strata.events import PassagesFound
from strata.ports.records import Delete, Put
from strata.reporting.checkpoint import Signer
from strata.reporting.verify import verify, verify_files
from strata.reporting.witness import split
from strata.types import now


async def test_facts_become_entries_in_the_order_they_were_told(bench, people, facts):
    events = [facts.deleted(number) for number in range(130)]
    await bench.ledger.hear(people.layer, facts.told(*events))
    entries = await bench.ledger.audit(people.auditor, limit=1000)
    assert [entry.event for entry in entries] == [event.id for event in events]
    assert [entry.sequence for entry in entries] == list(range(1, 131))
    assert entries[7].action == "SessionDeleted"
    assert (entries[7].actor, entries[7].subject, entries[7].at) == ("rae", "ses_7", events[7].at)
    assert entries[7].detail == {"session": "ses_7", "assistant": "lab"}
    assert entries[7].previous == entries[6].hash
    assert (await bench.ledger.verify(people.auditor)).problems == ()


async def test_the_record_is_read_page_by_page(bench, people, facts):
    await bench.ledger.hear(people.layer, facts.told(*(facts.deleted(number) for number in range(5))))
    assert [entry.sequence for entry in await bench.ledger.audit(people.auditor, after=2, limit=2)] == [3, 4]
    with pytest.raises(Invalid):
        await bench.ledger.audit(people.auditor, limit=0)


async def test_a_fact_told_twice_is_entered_once(bench, people, facts):
    first, second = facts.deleted(1), facts.deleted(2)
    await bench.ledger.hear(people.layer, facts.told(first, first))
    await bench.ledger.hear(people.layer, facts.told(first, second))
    assert [entry.event for entry in await bench.ledger.audit(people.auditor)] == [first.id, second.id]


async def test_a_fact_told_again_after_a_restart_is_entered_once(bench, people, facts):
    event = facts.deleted()
    await bench.ledger.hear(people.layer, facts.told(event))
    again = await bench.again()
    await again.hear(people.layer, facts.told(event, facts.deleted(1)))
    await again.close()
    verdict = await again.verify(people.auditor)
    assert (verdict.entries, verdict.problems) == (2, ())


async def test_two_ledgers_over_one_store_do_not_fork_the_chain(bench, people, facts):
    other = await bench.again()
    shared = [facts.deleted(number) for number in range(20)]

    async def tell(ledger, start):
        for number in range(20):
            await ledger.hear(people.layer, facts.told(facts.deleted(start + number), shared[number]))

    await asyncio.gather(tell(bench.ledger, 100), tell(other, 200))
    await other.close()
    verdict = await bench.ledger.verify(people.auditor)
    assert (verdict.entries, verdict.problems) == (60, ())


async def test_only_layers_tell_and_only_auditors_read(bench, people, facts):
    with pytest.raises(Forbidden):
        await bench.ledger.hear(people.auditor, facts.told(facts.deleted()))
    with pytest.raises(Forbidden):
        await bench.ledger.audit(people.finance)
    with pytest.raises(Forbidden):
        await bench.ledger.verify(people.researcher)
    with pytest.raises(Forbidden):
        [line async for line in bench.ledger.export_audit(people.layer)]
    assert await bench.ledger.audit(people.operator) == []


async def test_a_fact_of_another_tenant_is_refused_and_nothing_is_entered(bench, people, facts):
    stranger = facts.told(facts.deleted())
    stranger[0]["event"]["tenant"] = "globex"
    with pytest.raises(Forbidden, match="globex"):
        await bench.ledger.hear(people.layer, facts.told(facts.deleted()) + stranger)
    assert await bench.ledger.audit(people.auditor) == []


@pytest.mark.parametrize(
    "raw",
    [{}, {"kind": "Nonsense", "event": {}}, {"kind": "SignedIn"}, {"kind": "SignedIn", "event": {"tenant": 1}}, 7],
)
async def test_a_fact_that_cannot_be_read_is_refused_by_its_number(bench, people, facts, raw):
    with pytest.raises(Invalid, match="fact 1 "):
        await bench.ledger.hear(people.layer, [*facts.told(facts.deleted()), raw])
    assert await bench.ledger.audit(people.auditor) == []


async def test_an_oversized_fact_is_entered_by_its_digest(bench, people, facts):
    event = PassagesFound(
        tenant="acme", actor="rae", search="s", assistant="lab", passages=("p" * 100,) * 5000, documents=(), policy="1"
    )
    await bench.ledger.hear(people.layer, facts.told(event, facts.deleted()))
    first, second = await bench.ledger.audit(people.auditor)
    assert first.detail.keys() == {"sha256", "bytes"}
    assert second.action == "SessionDeleted"


async def test_a_checkpoint_follows_the_first_fact_and_then_every_so_many(opened, people, facts):
    bench = await opened(checkpoint_entries=10)
    for number in range(25):
        await bench.ledger.hear(people.layer, facts.told(facts.deleted(number)))
    sizes = [json.loads(line)["size"] for line in split(bench.witness.read_bytes())]
    assert sizes == [1, 11, 21]
    await bench.ledger.close()
    await bench.ledger.close()
    sizes = [json.loads(line)["size"] for line in split(bench.witness.read_bytes())]
    assert sizes == [1, 11, 21, 25]


async def test_without_a_pause_every_commit_has_its_checkpoint(opened, people, facts):
    bench = await opened(checkpoint_seconds=0.0)
    for number in range(3):
        await bench.ledger.hear(people.layer, facts.told(facts.deleted(number)))
    assert [json.loads(line)["size"] for line in split(bench.witness.read_bytes())] == [1, 2, 3]


async def test_the_record_exports_and_verifies_offline(bench, people, facts):
    await bench.ledger.hear(people.layer, facts.told(*(facts.deleted(number) for number in range(1200))))
    await bench.ledger.close()
    log = [line async for line in bench.ledger.export_audit(people.auditor)]
    file = bench.home / "log.jsonl"
    file.write_bytes(b"".join(log))
    verdict = verify_files("acme", file, bench.witness, bench.ledger.public_key)
    assert (verdict.entries, verdict.problems) == (1200, ())
    assert verdict == await bench.ledger.verify(people.auditor)


async def test_entries_read_through_the_contract_verify_offline_as_well(bench, people, facts):
    moments = [datetime(2026, 11, 22, tzinfo=UTC), datetime.fromisoformat("2026-11-22T10:00:00.5+02:00")]
    await bench.ledger.hear(people.layer, facts.told(*(facts.deleted(at=moment) for moment in moments)))
    log = [msgspec.json.encode(entry) for entry in await bench.ledger.audit(people.auditor)]
    await bench.ledger.close()
    verdict = verify("acme", log, split(bench.witness.read_bytes()), bench.ledger.public_key)
    assert (verdict.entries, verdict.problems) == (2, ())


async def test_an_edit_in_the_store_is_found(bench, people, facts):
    await bench.ledger.hear(people.layer, facts.told(*(facts.deleted(number) for number in range(5))))
    entry = await bench.records.get("acme/audit", "0000000000000003")
    await bench.records.commit(Put("acme/audit", entry.key, {**entry.value, "actor": "nobody"}))
    problems = (await bench.ledger.verify(people.auditor)).problems
    assert "entry 3 was changed: its hash does not belong to what it says" in problems


async def test_a_cut_in_the_store_is_found_even_before_the_next_checkpoint(opened, people, facts):
    bench = await opened(checkpoint_entries=1000)
    await bench.ledger.hear(people.layer, facts.told(facts.deleted()))
    await bench.ledger.hear(people.layer, facts.told(facts.deleted(1)))
    await bench.records.commit(Delete("acme/audit", "0000000000000002"))
    assert (await bench.ledger.verify(people.auditor)).problems == ("the chain had 2 entries; 1 are left",)


async def test_a_checkpoint_signs_the_record_as_it_was_written_not_as_it_was_tampered_with(opened, people, facts):
    bench = await opened(checkpoint_entries=1000)
    await bench.ledger.hear(people.layer, facts.told(facts.deleted()))
    await bench.ledger.hear(people.layer, facts.told(facts.deleted(1)))
    entry = await bench.records.get("acme/audit", "0000000000000002")
    await bench.records.commit(Put("acme/audit", entry.key, {**entry.value, "actor": "nobody"}))
    await bench.ledger.close()
    problems = (await bench.ledger.verify(people.auditor)).problems
    assert any("has another root: entries 2 to 2" in problem for problem in problems)


async def test_a_head_that_was_tampered_with_stops_the_record_rather_than_forking_it(bench, people, facts):
    await bench.ledger.hear(people.layer, facts.told(facts.deleted()))
    await bench.records.commit(Delete("acme/audit-head", "head"))
    with pytest.raises(Unavailable, match="tampered"):
        await bench.ledger.hear(people.layer, facts.told(facts.deleted(1)))


async def test_a_line_torn_by_a_power_cut_does_not_spoil_the_witness(bench, people, facts):
    await bench.ledger.hear(people.layer, facts.told(facts.deleted()))
    whole = bench.witness.read_bytes()
    bench.witness.write_bytes(whole + whole[:50])
    assert (await bench.ledger.verify(people.auditor)).problems == ()
    again = await bench.again()
    await again.hear(people.layer, facts.told(facts.deleted(1)))
    await again.close()
    verdict = await again.verify(people.auditor)
    assert (verdict.checkpoints, verdict.problems) == (2, ())


async def test_a_forged_line_in_the_witness_does_not_stop_checkpoints(bench, people, facts):
    await bench.ledger.hear(people.layer, facts.told(facts.deleted()))
    forged = Signer.of(b"the forger's own key").sign("acme", 10**9, b"\0" * 32, now())
    bench.witness.write_bytes(bench.witness.read_bytes() + b"nonsense\n" + forged.line)
    again = await bench.again()
    await again.hear(people.layer, facts.told(facts.deleted(1)))
    await again.close()
    verdict = await again.verify(people.auditor)
    assert verdict.checkpoints == 2
    first, second = verdict.problems
    assert first.startswith("line 2 of the witness is not a checkpoint")
    assert second.endswith(f"over 1000000000 entries names the unknown key {forged.key}")


async def test_a_record_restored_from_an_old_backup_shows_and_is_checkpointed_again(opened, people, facts):
    bench = await opened(checkpoint_seconds=0.0)
    await bench.ledger.hear(people.layer, facts.told(facts.deleted()))
    cells, keys = dict(bench.records.cells), {name: list(found) for name, found in bench.records.keys.items()}
    await bench.ledger.hear(people.layer, facts.told(facts.deleted(1), facts.deleted(2)))
    bench.records.cells.clear()
    bench.records.cells.update(cells)
    bench.records.keys.update(keys)
    await bench.ledger.hear(people.layer, facts.told(facts.deleted(3)))
    verdict = await bench.ledger.verify(people.auditor)
    assert (verdict.entries, verdict.checkpoints) == (2, 3)
    assert len(verdict.problems) == 1
    assert "covers more than the 2 entries that there are: 1 are gone" in verdict.problems[0]


async def test_a_witness_that_cannot_be_written_stops_no_fact_but_shows(opened, people, facts):
    bench = await opened(checkpoint_entries=1)
    bench.witness.mkdir(parents=True)
    await bench.ledger.hear(people.layer, facts.told(*(facts.deleted(number) for number in range(150))))
    assert len(await bench.ledger.audit(people.auditor, limit=1000)) == 150
    bench.witness.rmdir()
    problems = (await bench.ledger.verify(people.auditor)).problems
    assert "no checkpoint covers any of the 150 entries" in problems


async def test_a_key_that_is_too_short_is_a_wrong_setting(bench):
    with pytest.raises(Misconfigured):
        Signer.of(b"short")
