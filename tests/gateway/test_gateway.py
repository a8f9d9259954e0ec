"""What the other layers rely on: every call is permitted, bounded, paid once, and leaves a row however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strata.adapters.records.memory import MemoryRecords
from strata.adapters.records.sqlite import make as sqlite_records
from strata.contracts import Gateway
from strata.errors import (
    BudgetExhausted,
    Conflict,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    RateLimited,
    TooLarge,
    Unavailable,
    UpstreamBroken,
    UpstreamRefused,
)
from strata.events import CallRefused
from strata.gateway.build import build
from strata.gateway.caller import Ask, Caller
from strata.gateway.guardrail import Submission
from strata.gateway.guards.guarding import Guards
from strata.gateway.options import Deployment, GuardrailOptions, Options
from strata.types import ChatRequest, EmbedRequest, Message, Money, Price, Principal, Subject, Usage, now

from .conftest import (
    FINANCE,
    INES,
    PRICE,
    TENANT,
    access,
    budget,
    echo,
    world,
)


def ask(text: str = "one two three", **more: Any) -> ChatRequest:
    return ChatRequest(more.pop("model", "echo"), (Message("user", text),), **{"max_tokens": 10, **more})


async def test_it_keeps_the_contract():
    async with world() as it:
        gateway: Gateway = it.gateway
        assert [model.name for model in await gateway.models(INES)] == ["echo"]


async def test_a_completion_says_what_it_used_and_what_it_cost():
    async with world(echo(reply="four five")) as it:
        answer = await it.gateway.complete(INES, ask(request_id="r1"))
        assert (answer.text, answer.finish_reason, answer.model) == ("four five", "stop", "echo")
        assert answer.usage == Usage(3, 2)
        assert answer.cost == Money(3 * 1 + 2 * 2)
        (fact,) = await it.facts()
        assert (fact.request, fact.outcome, fact.cost_micros, fact.usage) == ("r1", "ok", 7, Usage(3, 2))
        assert (fact.payer.department, fact.payer.person) == ("research", "ines")
        assert not fact.estimated


async def test_a_stream_gives_pieces_and_then_the_usage_and_cost():
    async with world(echo(chunks=["four ", "five"])) as it:
        deltas = [delta async for delta in it.gateway.stream(INES, ask())]
        assert [delta.text for delta in deltas] == ["four ", "five", ""]
        assert (deltas[-1].finish_reason, deltas[-1].usage, deltas[-1].cost) == ("stop", Usage(3, 2), Money(7))
        (fact,) = await it.facts()
        assert fact.streamed
        assert fact.outcome == "ok"


async def test_embeddings_come_in_the_order_of_the_texts_and_similar_texts_are_near():
    async with world(echo(kind="embedding", dimensions=256)) as it:
        texts = ("vaccine storage", "storage of the vaccine", "holiday rules")
        answer = await it.gateway.embed(INES, EmbedRequest("echo", texts))
        one, two, three = answer.vectors
        assert sum(a * b for a, b in zip(one, two, strict=True)) > sum(a * b for a, b in zip(one, three, strict=True))
        assert answer.usage.prompt_tokens == 8
        (fact,) = await it.facts()
        assert (fact.operation, fact.cost_micros) == ("embeddings", 8)


async def test_an_unknown_model_is_named_with_the_choices():
    async with world(echo("small"), echo("large")) as it:
        with pytest.raises(NotFound, match=r"no model called 'huge'; there are \['large', 'small'\]"):
            await it.gateway.complete(INES, ask(model="huge"))


async def test_a_model_of_the_wrong_kind_is_refused():
    async with world(echo("vectors", kind="embedding")) as it:
        with pytest.raises(Invalid, match="makes embeddings"):
            await it.gateway.complete(INES, ask(model="vectors"))


async def test_who_may_not_call_models_is_told_so():
    stranger = Principal(TENANT, "guest", roles=frozenset())
    async with world() as it:
        with pytest.raises(Forbidden, match="may not call the model"):
            await it.gateway.complete(stranger, ask())
        assert await it.gateway.models(stranger) == []
        assert it.echo().calls == 0


async def test_another_tenants_people_reach_nothing():
    async with world() as it:
        with pytest.raises(Forbidden):
            await it.gateway.complete(Principal("other", "ines", roles=frozenset({"member"})), ask())


async def test_a_call_without_room_in_its_budget_never_leaves():
    async with world(echo(reply="x"), budgets=(budget(20, "department:research", "research"),)) as it:
        with pytest.raises(BudgetExhausted) as caught:
            await it.gateway.complete(INES, ask())
        assert caught.value.more["budget"] == "the research budget"
        assert it.echo().calls == 0
        (fact,) = await it.facts(CallRefused)
        assert (fact.budget, fact.reason) == ("the research budget", "gateway: budget-exhausted")
        assert await it.standing("research") == (0, 0)


async def test_a_call_that_is_over_does_not_hold_room_from_the_next():
    """Each call may cost 56 and costs 3, so they fit one after the other but never two at once."""
    async with world(echo(reply="x"), budgets=(budget(80),)) as it:
        for _ in range(3):
            await it.gateway.complete(INES, ask("a"))
        spent, reserved = await it.standing()
        assert (spent, reserved) == (9, 0)


async def test_a_model_that_costs_nothing_goes_on_when_the_budget_is_used_up():
    async with world(echo("dear", reply="x"), echo("free", Price(), reply="x"), budgets=(budget(0),)) as it:
        with pytest.raises(BudgetExhausted):
            await it.gateway.complete(INES, ask(model="dear"))
        assert (await it.gateway.complete(INES, ask(model="free"))).cost == Money(0)


async def test_a_limit_of_tokens_that_nobody_set_is_sent_to_the_vendor():
    async with world(default_max_tokens=77) as it:
        caller = Caller(INES, Subject(TENANT, "research", "ines"))
        body = {"model": "echo", "messages": [{"role": "user", "content": "hi"}]}
        await it.gateway.whole(caller, Ask("chat", body, "r1"))
        assert it.echo().requests[-1]["max_completion_tokens"] == 77


async def test_the_same_request_id_is_made_and_charged_once():
    async with world(echo(reply="x"), budgets=(budget(1000),)) as it:
        await it.gateway.complete(INES, ask("a", request_id="r1"))
        with pytest.raises(Conflict, match="paid for"):
            await it.gateway.complete(INES, ask("a", request_id="r1"))
        assert it.echo().calls == 1
        assert await it.standing() == (3, 0)


async def test_a_call_under_way_is_not_made_a_second_time():
    async with world(echo(fail="hang")) as it:
        first = asyncio.create_task(it.gateway.complete(INES, ask(request_id="r1")))
        while not it.echo().calls:
            await asyncio.sleep(0)
        with pytest.raises(Conflict, match="under way"):
            await it.gateway.complete(INES, ask(request_id="r1"))
        first.cancel()
        await asyncio.wait([first])
        assert it.echo().calls == 1


async def test_a_call_that_failed_may_be_tried_again_under_its_id():
    async with world(echo(reply="x", fail="broken", fail_times=1), retries=0) as it:
        with pytest.raises(UpstreamBroken):
            await it.gateway.complete(INES, ask("a", request_id="r1"))
        assert (await it.gateway.complete(INES, ask("a", request_id="r1"))).text == "x"
        assert [(fact.outcome, fact.cost_micros) for fact in await it.facts()] == [("failed", 0), ("ok", 3)]


@pytest.mark.parametrize(
    ("fail", "error"), [("refused", UpstreamRefused), ("rate-limited", RateLimited), ("broken", UpstreamBroken)]
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_vendor_that_fails_before_it_says_anything_costs_nothing(fail: str, error: type, streamed: bool):
    async with world(echo(fail=fail), budgets=(budget(1000),)) as it:
        with pytest.raises(error):
            if streamed:
                await anext(it.gateway.stream(INES, ask()))
            else:
                await it.gateway.complete(INES, ask())
        (fact,) = await it.facts()
        assert (fact.outcome, fact.cost_micros) == ("failed", 0)
        assert await it.standing() == (0, 0)
        assert it.gateway.till.limits.under_way == 0


async def test_a_stream_that_breaks_off_is_paid_for_what_was_said():
    async with world(echo(chunks=["four ", "five ", "six"], fail="broken", fail_after=2)) as it:
        said = []
        with pytest.raises(UpstreamBroken):
            async for delta in it.gateway.stream(INES, ask()):
                said += [delta.text]
        assert said == ["four ", "five "]
        (fact,) = await it.facts()
        assert (fact.outcome, fact.estimated) == ("failed", True)
        assert fact.usage.completion_tokens == 3
        assert fact.cost_micros == fact.usage.prompt_tokens + 2 * 3


async def test_a_reader_who_leaves_in_the_middle_pays_for_what_was_said_and_stops_the_vendor():
    async with world(echo(chunks=["four ", "five ", "six"]), budgets=(budget(1000),)) as it:
        async with aclosing(it.gateway.stream(INES, ask())) as stream:
            assert (await anext(stream)).text == "four "
        (fact,) = await it.facts()
        assert (fact.outcome, fact.estimated) == ("client-gone", True)
        assert fact.usage.completion_tokens == 2
        assert await it.standing() == (fact.cost_micros, 0)
        assert it.echo().cancelled == 1


async def test_who_is_cancelled_while_the_vendor_thinks_pays_for_the_prompt_only():
    async with world(echo(fail="hang"), budgets=(budget(1000),)) as it:
        task = asyncio.create_task(it.gateway.complete(INES, ask()))
        while not it.echo().calls:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        (fact,) = await it.facts()
        assert (fact.outcome, fact.usage.completion_tokens) == ("client-gone", 0)
        assert fact.cost_micros > 0
        assert await it.standing() == (fact.cost_micros, 0)
        assert it.echo().cancelled == 1


async def test_who_is_cancelled_while_room_is_made_leaves_no_room_taken():
    class Slow(MemoryRecords):
        async def commit(self, *changes: Any, events: Any = (), durable: bool = True) -> None:
            await super().commit(*changes, events=events, durable=durable)
            await asyncio.sleep(0.05)

    records = Slow()
    options = Options(models=(echo(),), budgets=(budget(1000),))
    gateway = await build(options, tenant=TENANT, records=records, access=access())
    task = asyncio.create_task(gateway.complete(INES, ask()))
    while not await records.query(f"{TENANT}/reservations"):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await gateway.settled()
    (status,) = await gateway.till.spend.status()
    assert (status.spent, status.reserved) == (0, 0)
    assert await records.query(f"{TENANT}/reservations") == []
    await gateway.close()


async def test_a_vendor_that_does_not_count_is_paid_by_our_own_count():
    async with world(echo(reply="abcdefgh", usage=None)) as it:
        answer = await it.gateway.complete(INES, ask())
        (fact,) = await it.facts()
        assert fact.estimated
        assert fact.usage == answer.usage
        assert answer.usage.completion_tokens > 0


async def test_cached_and_reasoning_tokens_are_priced_once():
    counted = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 80},
        "completion_tokens_details": {"reasoning_tokens": 40},
    }
    price = Price(input=1_000_000, output=2_000_000, cached_input=500_000)
    async with world(echo(price=price, reply="x", usage=counted)) as it:
        answer = await it.gateway.complete(INES, ask())
        assert answer.usage == Usage(100, 50, 80, 40)
        assert answer.cost == Money(20 * 1 + 40 + 50 * 2)


async def test_settling_waits_out_a_store_that_is_away():
    class Away(MemoryRecords):
        left = 0

        async def commit(self, *changes: Any, events: Any = (), durable: bool = True) -> None:
            if events and Away.left:
                Away.left -= 1
                raise Unavailable("the store is away")
            await super().commit(*changes, events=events, durable=durable)

    Away.left = 1
    gateway = await build(
        Options(models=(echo(reply="x"),), budgets=(budget(1000),)), tenant=TENANT, records=Away(), access=access()
    )
    await gateway.complete(INES, ask("a"))
    (status,) = await gateway.budgets(FINANCE)
    assert (status.spent, status.reserved, Away.left) == (3, 0, 0)
    await gateway.close()


async def test_too_many_requests_in_a_minute_are_told_when_to_come_back():
    async with world(echo(reply="x"), requests_per_minute=2) as it:
        for _ in range(2):
            await it.gateway.complete(INES, ask())
        for _ in range(3):
            with pytest.raises(RateLimited) as caught:
                await it.gateway.complete(INES, ask())
        assert 0 < caught.value.retry_after <= 60
        await it.gateway.complete(FINANCE, ask())
        assert len(await it.facts(CallRefused)) == 1


async def test_more_calls_at_once_than_allowed_are_sent_away_and_the_next_let_in():
    async with world(echo(fail="hang", fail_times=1, reply="x"), max_concurrent=1) as it:
        first = asyncio.create_task(it.gateway.complete(INES, ask()))
        while not it.echo().calls:
            await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="try again"):
            await it.gateway.complete(INES, ask())
        first.cancel()
        await asyncio.wait([first])
        await it.gateway.settled()
        assert (await it.gateway.complete(INES, ask())).text == "x"


async def test_a_guardrail_that_breaks_lets_nothing_pass():
    class Broken:
        name = "broken"

        def answer(self, submission: Submission) -> None:
            return None

        async def request(self, submission: Submission) -> None:
            raise ZeroDivisionError

    async with world() as it:
        gateway = replace(it.gateway, guards=Guards(((GuardrailOptions("broken"), Broken()),)))
        with pytest.raises(Unavailable, match="'broken' is broken"):
            await gateway.complete(INES, ask())
        assert it.echo().calls == 0
        assert gateway.till.limits.under_way == 0
        (fact,) = await it.facts(CallRefused)
        assert fact.reason == "broken: unavailable"


async def test_more_texts_than_one_call_may_have_are_refused():
    async with world(echo(kind="embedding")) as it:
        with pytest.raises(Invalid, match="2049 texts"):
            await it.gateway.embed(INES, EmbedRequest("echo", ("x",) * 2049))


async def test_a_request_larger_than_allowed_is_refused():
    async with world(max_body=100) as it:
        with pytest.raises(TooLarge):
            await it.gateway.complete(INES, ask("x" * 200))


async def test_people_see_their_departments_budgets_and_their_own():
    budgets = (
        budget(1, "tenant", "all"),
        budget(1, "department:research", "research"),
        budget(1, "department:finance", "finance"),
        budget(1, "person:ines", "ines"),
    )
    async with world(budgets=budgets) as it:
        assert [status.budget.id for status in await it.gateway.budgets(INES)] == ["research", "ines"]
        assert [status.budget.id for status in await it.gateway.budgets(FINANCE)] == [it.id for it in budgets]
        assert await it.gateway.budgets(Principal("other", "ines", department="research")) == []


async def test_every_mistake_in_the_settings_is_told_at_once():
    models = (
        echo("one"),
        echo("one"),
        Deployment("two", "chat", "nowhere"),
        Deployment("three", "chat", "openai:groq", "m"),
        Deployment("four", "chat", "openai:nobody", "m"),
        Deployment("five", "chat", "openai", "no-such-model", options={"api_key": "x"}),
    )
    budgets = (budget(1, "planet:earth", "b1"), budget(1, "tenant", "b2"))
    budgets = (*budgets, budgets[1])
    with pytest.raises(Misconfigured) as caught:
        await build(Options(models=models, budgets=budgets), tenant=TENANT, records=MemoryRecords(), access=access())
    said = "\n".join(caught.value.mistakes)
    for hint in (
        "two models of this name",
        "no provider called 'nowhere'",
        "models.three: options.api_key is missing",
        "no vendor called 'nobody'",
        "no published price is known for openai 'no-such-model'",
        "'planet:earth' is none of tenant",
        "two budgets of this id",
    ):
        assert hint in said


async def test_a_budget_in_another_currency_than_the_prices_is_a_mistake():
    euros = replace(budget(1), limit=Money(1, "EUR"))
    with pytest.raises(Misconfigured, match="its currency is EUR"):
        await build(
            Options(models=(echo(),), budgets=(euros,)), tenant=TENANT, records=MemoryRecords(), access=access()
        )


CRASH = """
import asyncio, sys
from importlib.resources import files
from pathlib import Path
from strata.access import Access
from strata.adapters.records.sqlite import make
from strata.gateway.build import build
from strata.gateway.options import Deployment, Options
from strata.types import Budget, ChatRequest, Message, Money, Price, Principal

async def main():
    records = await make("gateway.db", home=Path(sys.argv[1]))
    access = Access.of((files("strata") / "policies" / "strata.cedar").read_text())
    price = Price(input=1_000_000, output=2_000_000)
    model = Deployment("echo", "chat", "echo", price=price, options={"script": {"fail": "hang"}})
    options = Options(models=(model,), budgets=(Budget("all", "all", "tenant", Money(1000)),))
    gateway = await build(options, tenant="cryodyne", records=records, access=access)
    ines = Principal("cryodyne", "ines", department="research", roles=frozenset({"member"}))
    calls = [gateway.complete(ines, ChatRequest("echo", (Message("user", "hi"),), 10)) for _ in range(3)]
    tasks = [asyncio.ensure_future(call) for call in calls]
    while gateway.router.routes["echo"].provider.calls < 3:
        await asyncio.sleep(0.01)
    print("waiting", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_calls_of_a_process_that_was_killed_are_paid_at_their_estimate_by_the_next_start(tmp_path: Path):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CRASH, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"waiting\n"
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    records = await sqlite_records("gateway.db", home=tmp_path)
    left = await records.query(f"{TENANT}/reservations")
    estimates = sum(row.value["q"][3] for row in left)
    gateway = await build(
        Options(models=(echo(price=PRICE),), budgets=(budget(1000),)), tenant=TENANT, records=records, access=access()
    )
    try:
        (status,) = await gateway.till.spend.status()
        assert len(left) == 3
        assert (status.spent, status.reserved) == (estimates, 0)
        assert await records.query(f"{TENANT}/reservations") == []
    finally:
        await gateway.close()
        await records.close()


REPLICA = """
import asyncio, sys
from importlib.resources import files
from pathlib import Path
from strata.access import Access
from strata.adapters.records.sqlite import make
from strata.errors import BudgetExhausted
from strata.gateway.build import build
from strata.gateway.options import Deployment, Options
from strata.types import Budget, ChatRequest, Message, Money, Price, Principal

async def main():
    records = await make("gateway.db", home=Path(sys.argv[1]))
    access = Access.of((files("strata") / "policies" / "strata.cedar").read_text())
    script = {"reply": "a b c", "delay": 0.001}
    model = Deployment("echo", "chat", "echo", price=Price(input=1_000_000, output=2_000_000), options={"script": script})
    options = Options(models=(model,), budgets=(Budget("all", "all", "tenant", Money(int(sys.argv[2]))),))
    gateway = await build(options, tenant="cryodyne", records=records, access=access)
    ines = Principal("cryodyne", "ines", department="research", roles=frozenset({"member"}))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)

    async def client():
        for _ in range(60):
            try:
                await gateway.complete(ines, ChatRequest("echo", (Message("user", "hi"),), 4))
            except BudgetExhausted:
                return

    await asyncio.gather(*(client() for _ in range(4)))
    await gateway.close()
    await records.close()

asyncio.run(main())
"""


async def test_three_processes_with_one_budget_never_spend_more_even_if_one_is_killed(tmp_path: Path):
    limit = 1000
    pipe = asyncio.subprocess.PIPE
    fleet = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", REPLICA, str(tmp_path), str(limit), stdin=pipe, stdout=pipe
        )
        for _ in range(3)
    ]
    for process in fleet:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    for process in fleet:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        await process.stdin.drain()
    await asyncio.sleep(0.1)
    fleet[0].kill()
    assert [await process.wait() for process in fleet][1:] == [0, 0]

    records = await sqlite_records("gateway.db", home=tmp_path)
    options = Options(models=(echo(reply="a b c"),), budgets=(budget(limit),))
    gateway = await build(options, tenant=TENANT, records=records, access=access())
    try:
        (status,) = await gateway.till.spend.status()
        rows = [row for month in await months(records) for row in month]
        assert status.spent == sum(row.value["cost"] for row in rows) <= limit
        assert status.reserved == 0
        assert await records.query(f"{TENANT}/reservations") == []
        with pytest.raises(BudgetExhausted):
            for _ in range(limit):
                await gateway.complete(INES, ask("hi", max_tokens=4))
    finally:
        await gateway.close()
        await records.close()


async def months(records: Any) -> list[list[Any]]:
    """The rows of this month and, should the test have run over its end, of the one before."""
    today = now()
    before = today.replace(day=1) - timedelta(days=1)
    return [await records.query(f"{TENANT}/calls/{at:%Y-%m}") for at in (today, before)]
