"""The three walks of the design, and what must hold on the way, in one process and in five."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from strata.errors import BudgetExhausted, Forbidden, NotFound, Unauthenticated, Unavailable
from strata.types import Cited, Done, EmbedRequest, Metered, NewDocument, Query, Said, Searched, Started


async def indexed(company):
    ada = company.person("ada")
    report = await company.platform.library.add(ada, NewDocument("methods", company.source), company.method)
    (document,) = await company.platform.library.settle(ada, [report.document.id], timeout=60)
    assert document.state == "indexed", document.reason
    return document


async def actions(company, eventually, about: str, *wanted: str):
    """Entries of the record, once those wanted about this subject have been heard."""

    async def heard():
        entries, after = [], 0
        while page := await company.platform.ledger.audit(company.person("iris"), after=after, limit=1000):
            entries += page
            after = page[-1].sequence
        return entries if set(wanted) <= {entry.action for entry in entries if entry.subject == about} else None

    return await eventually(heard)


async def test_a_document_is_ingested_found_and_recorded(company, eventually):
    document = await indexed(company)
    assert document.title == f"Storage of {company.substance} standards"
    passages = await company.platform.library.search(company.person("ada"), Query(company.question, ("methods",)))
    assert passages[0].chunk.document == document.id
    assert "minus 20 degrees" in passages[0].chunk.text
    text = (await company.platform.library.text(company.person("ada"), document.id)).text
    assert text[passages[0].chunk.start : passages[0].chunk.end] == passages[0].chunk.text
    await actions(company, eventually, document.id, "DocumentReceived", "DocumentIndexed", "DocumentRead")


async def test_the_same_document_again_changes_nothing_and_a_changed_one_replaces(company):
    library, ada = company.platform.library, company.person("ada")
    await indexed(company)
    again = await library.add(ada, NewDocument("methods", company.source), company.method)
    assert again.outcome == "unchanged"
    changed = await library.add(
        ada, NewDocument("methods", company.source), company.method.replace(b"minus 20", b"minus 80")
    )
    assert changed.outcome == "replaced"
    await library.settle(ada, [changed.document.id], timeout=60)
    found = await library.search(ada, Query(company.question))
    texts = " ".join(passage.chunk.text for passage in found if passage.chunk.document == changed.document.id)
    assert "minus 80" in texts
    assert "minus 20" not in texts


async def test_who_may_not_read_finds_nothing_and_learns_nothing(company):
    document = await indexed(company)
    hugo, library = company.person("hugo"), company.platform.library
    assert await library.search(hugo, Query(company.question)) == []
    assert await library.documents(hugo) == []
    for forbidden in (library.document, library.text, library.original):
        with pytest.raises(NotFound):
            await forbidden(hugo, document.id)
    with pytest.raises(Forbidden):
        await library.add(hugo, NewDocument("methods", "mine.md"), b"# Mine\n\nText.")


async def test_a_removed_document_is_gone(company):
    document = await indexed(company)
    library, ada = company.platform.library, company.person("ada")
    await library.remove(ada, document.id, "no longer valid")
    found = await library.search(ada, Query(company.question))
    assert document.id not in {passage.chunk.document for passage in found}
    with pytest.raises(NotFound):
        await library.text(ada, document.id)


async def test_an_unreadable_file_goes_to_quarantine_with_a_reason(company):
    library, ada = company.platform.library, company.person("ada")
    report = await library.add(ada, NewDocument("methods", "broken.pdf"), b"%PDF-1.7\nnot really")
    (document,) = await library.settle(ada, [report.document.id], timeout=60)
    assert document.state == "quarantined"
    assert document.reason


async def test_a_question_is_answered_cited_metered_and_recorded(company, eventually):
    document = await indexed(company)
    ada, desk = company.person("ada"), company.platform.assistants
    session = await desk.open(ada, "lab")
    parts = [part async for part in desk.answer(ada, session.id, company.question)]
    assert isinstance(parts[0], Started)
    assert isinstance(parts[1], Searched)
    assert isinstance(parts[-1], Done)
    assert parts[-1].outcome == "answered"
    cited = [part.citation for part in parts if isinstance(part, Cited)]
    said = [part.sentence for part in parts if isinstance(part, Said)]
    assert "minus 20 degrees" in "".join(sentence.text for sentence in said)
    assert cited[0].document == document.id
    text = (await company.platform.library.text(ada, document.id)).text
    assert all(text[one.start : one.end] == one.quote for one in cited)
    assert {number for sentence in said for number in sentence.citations} <= {one.number for one in cited}
    assert any(isinstance(part, Metered) for part in parts)
    kept = await desk.messages(ada, session.id)
    assert [message.role for message in kept] == ["reader", "assistant"]
    assert kept[1].text == "".join(sentence.text for sentence in said)
    entries = await actions(company, eventually, session.id, "QuestionAsked", "QuestionAnswered")
    (answered,) = [
        entry for entry in entries if entry.detail.get("message") == kept[1].id and "outcome" in entry.detail
    ]
    assert answered.detail["documents"] == [document.id]
    assert "minus 20" not in str([entry.detail for entry in entries])


async def test_a_generated_answer_that_nothing_supports_falls_back_to_quotes(company):
    await indexed(company)
    ada, desk = company.person("ada"), company.platform.assistants
    session = await desk.open(ada, "writer")
    parts = [part async for part in desk.answer(ada, session.id, company.question)]
    assert parts[-1].outcome == "answered"
    said = [part.sentence for part in parts if isinstance(part, Said)]
    assert "minus 20 degrees" in "".join(sentence.text for sentence in said)
    assert all(sentence.support != "unsupported" for sentence in said)


async def test_a_question_without_an_answer_is_answered_i_do_not_know(company):
    await indexed(company)
    ada, desk = company.person("ada"), company.platform.assistants
    session = await desk.open(ada, "lab")
    parts = [part async for part in desk.answer(ada, session.id, "What is the bonus of the sales director in Madrid?")]
    assert parts[-1].outcome == "abstained"
    assert not [part for part in parts if isinstance(part, Cited)]


async def test_an_answer_holds_nothing_that_its_reader_may_not_read(company):
    await indexed(company)
    hugo, desk = company.person("hugo"), company.platform.assistants
    session = await desk.open(hugo, "lab")
    parts = [part async for part in desk.answer(hugo, session.id, company.question)]
    assert parts[-1].outcome == "abstained"
    assert "minus 20" not in str(parts)
    with pytest.raises(Forbidden):
        await desk.open(hugo, "writer")
    with pytest.raises(NotFound):
        await desk.messages(company.person("ada"), session.id)


async def test_a_budget_raises_an_alarm_and_then_stops_every_call(company, eventually):
    nina, gateway, ledger = company.person("nina"), company.platform.gateway, company.platform.ledger
    request = lambda: EmbedRequest("embedding", (" ".join(["word"] * 300),))  # noqa: E731
    calls = 0
    with pytest.raises(BudgetExhausted) as caught:
        for _ in range(50):
            await gateway.embed(nina, request())
            calls += 1
    assert calls > 1
    assert caught.value.more["budget"] == "Visitors, daily"
    assert caught.value.more["resets_at"]

    async def alarmed():
        entries = await ledger.audit(company.person("iris"), limit=1000)
        return [entry for entry in entries if entry.action == "BudgetCrossed"]

    (crossed, *_) = await eventually(alarmed)
    assert crossed.detail["threshold_percent"] == 50

    async def counted():
        report = await ledger.usage(company.person("iris"), "department", 1)
        row = {row.key: row for row in report.rows}.get("visitors")
        return row if row and row.requests == calls else None

    row = await eventually(counted)
    limit = 2_000
    assert row.cost_micros <= limit
    (status,) = [status for status in await gateway.budgets(nina) if status.budget.id == "visitors-day"]
    assert (status.spent, status.reserved) == (row.cost_micros, 0)
    ada = company.person("ada")
    assert (await gateway.embed(ada, request())).vectors, "another department's budget is not touched"


async def test_the_record_verifies_and_only_an_auditor_reads_it(company):
    await indexed(company)
    ledger = company.platform.ledger
    verdict = await ledger.verify(company.person("iris"))
    assert verdict.problems == ()
    for other in ("ada", "hugo"):
        with pytest.raises(Forbidden):
            await ledger.audit(company.person(other))


async def test_an_evaluation_asks_as_the_person_of_each_case(company):
    from strata.types import EvalCase

    await indexed(company)
    cases = [
        EvalCase(
            "one",
            "answerable",
            "ada",
            "lab",
            company.question,
            "",
            (f"methods/{company.source}",),
            ("minus 20 degrees",),
        ),
        EvalCase(
            "two",
            "forbidden",
            "hugo",
            "lab",
            company.question,
            "",
            (f"methods/{company.source}",),
            ("minus 20 degrees",),
        ),
        EvalCase("three", "unanswerable", "ada", "lab", "Who won the cycling championship in Ghent?"),
    ]
    operator = company.platform.service("operator", "operator")
    report = await company.platform.factory.evaluate(operator, "three", cases)
    assert [(result.case, result.passed) for result in report.results] == [
        ("one", True),
        ("two", True),
        ("three", True),
    ]


async def test_the_web_api_asks_and_streams_as_a_browser_does(company):
    await indexed(company)
    url = company.urls["app"]
    async with aiohttp.ClientSession(headers={"x-strata": "web"}, cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(f"{url}/api/me") as stranger:
            assert stranger.status == 401
            assert stranger.content_type == "application/problem+json"
        async with browser.post(f"{url}/api/sign-in", json={"token": await company.sign_in_token("ada")}) as signed:
            assert signed.status == 200
            assert (await signed.json())["id"] == "ada"
        async with browser.post(f"{url}/api/sessions", json={"assistant": "lab"}) as opened:
            session = (await opened.json())["id"]
        async with browser.post(f"{url}/api/sessions/{session}/messages", json={"text": company.question}) as stream:
            assert stream.status == 200
            assert stream.content_type == "text/event-stream"
            body = (await stream.read()).decode()
        assert '"type":"done"' in body.replace(" ", "")
        assert "minus 20 degrees" in body
        async with browser.get(f"{url}/api/documents") as listed:
            assert company.source in [document["source"] for document in await listed.json()]
        async with browser.get(f"{url}/api/usage") as usage:
            assert usage.status == 200


async def test_a_neighbours_door_is_shut_to_strangers(company):
    async with aiohttp.ClientSession() as stranger:
        for role, contract in (("data", "Library"), ("gateway", "Gateway"), ("reporting", "Ledger")):
            url = f"{company.urls[role]}/remote/{contract}/documents"
            async with stranger.post(url, data=b"\x80") as refused:
                assert refused.status == 401


async def test_a_role_that_dies_comes_back_with_everything_it_had_acknowledged(company, served, eventually):
    document = await indexed(company)
    victim = "all" if "all" in served.processes else "data"
    served.kill(victim)
    if victim == "data":
        with pytest.raises(Unavailable):
            await company.platform.library.search(company.person("ada"), Query(company.question))
    served.start(victim)
    await asyncio.to_thread(served.ready, victim)
    passages = await company.platform.library.search(company.person("ada"), Query(company.question))
    assert document.id in {passage.chunk.document for passage in passages}
    await actions(company, eventually, document.id, "DocumentReceived", "DocumentIndexed")
    assert (await company.platform.ledger.verify(company.person("iris"))).problems == ()


async def test_a_key_of_another_installation_opens_no_door(company):
    from strata.contracts import Library
    from strata.remote import Line, connect, door_key

    line = Line("data", company.urls["data"] + "/remote", door_key(b"x" * 32, "data"), "intruder")
    with pytest.raises(Unauthenticated):
        await connect(Library, line).documents(company.person("ada"))
    await line.close()
