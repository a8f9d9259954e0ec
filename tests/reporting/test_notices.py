"""Telling people of alarms: by log, by webhook and by mail, to servers in this very process."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from strata.adapters.bus import memory as bus_memory
from strata.errors import Misconfigured, Unavailable
from strata.events import BudgetCrossed
from strata.reporting.notifiers import email, webhook
from strata.reporting.options import Notifier
from strata.types import Budget, Money


def alarm(**more) -> BudgetCrossed:
    fields = {"tenant": "acme", "actor": "reporting", "budget": "lab", "name": "Laboratory", "period": "2026-11"}
    amounts = {"threshold_percent": 80, "spent_micros": 8_250_000, "limit_micros": 10_000_000, "currency": "USD"}
    return BudgetCrossed(**{**fields, **amounts, **more})


@asynccontextmanager
async def receiver(answers=(204,)):
    """A web server that keeps what it is sent, and answers with these in turn, the last one for ever."""
    got = []

    async def take(request):
        answer = answers[min(len(got), len(answers) - 1)]
        got.append((request.path, await request.json() if request.can_read_body else None, dict(request.headers)))
        return web.Response(status=answer, headers={"location": "/elsewhere"} if 300 <= answer < 400 else {})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", got
    finally:
        await runner.cleanup()


async def test_an_alarm_is_written_to_the_log(bench, caplog):
    with caplog.at_level(logging.WARNING, "strata.alarms"):
        await bench.ledger.on_budget_crossed([alarm(), alarm(threshold_percent=100)])
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "Budget 'Laboratory' passed 80 percent for 2026-11. 8.25 of 10.00 USD are spent."
    assert "exhausted" in second


async def test_a_webhook_gets_the_fact_and_words_for_people(opened):
    async with receiver() as (url, got):
        bench = await opened(notifiers=(Notifier("webhook", {"url": url, "headers": {"x-token": "t"}}),))
        event = alarm()
        await bench.ledger.on_budget_crossed([event])
    ((path, body, headers),) = got
    assert path == "/hook"
    assert body["event"]["id"] == event.id
    assert body["text"] == "8.25 of 10.00 USD are spent."
    assert headers["x-token"] == "t"


async def test_an_alarm_told_again_is_not_sent_again(opened):
    async with receiver() as (url, got):
        bench = await opened(notifiers=(Notifier("webhook", {"url": url}),))
        event = alarm()
        await bench.ledger.on_budget_crossed([event])
        await bench.ledger.on_budget_crossed([event, alarm()])
    assert len(got) == 2


async def test_a_webhook_never_follows_a_redirect():
    async with receiver(answers=(302,)) as (url, got):
        with pytest.raises(Unavailable, match="answered 302"):
            await webhook.make({"url": url}).tell(alarm())
    assert [path for path, _, _ in got] == ["/hook"]


async def test_a_webhook_that_hangs_is_given_up():
    async def hang(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    with pytest.raises(Unavailable, match="cannot be reached"):
        await webhook.make({"url": url, "timeout": 0.05}).tell(alarm())
    server.close()


async def test_the_secret_in_a_webhooks_address_is_in_no_message():
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    notifier = webhook.make({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/s3cret"})
    with pytest.raises(Unavailable) as caught:
        await notifier.tell(alarm())
    server.close()
    assert "s3cret" not in str(caught.value) + repr(notifier)


async def test_a_failing_notifier_is_tried_again_and_neither_blocks_counting_nor_repeats_the_others(
    opened, people, facts
):
    async with receiver() as (good, got_by_good), receiver(answers=(500, 500, 204)) as (bad, got_by_bad):
        bench = await opened(
            budgets=(Budget("lab", "Laboratory", "department:research", Money(10_000)),),
            notifiers=(Notifier("webhook", {"url": bad}), Notifier("webhook", {"url": good})),
        )
        bus = await bus_memory.make(home=bench.home, records=bench.records)
        bus.subscribe("notify", (BudgetCrossed,), bench.ledger.on_budget_crossed)
        await bench.ledger.hear(people.layer, facts.told(facts.used(8_000)))
        await bench.ledger.hear(people.layer, facts.told(facts.used(500)))
        (status,) = await bench.ledger.budgets(people.finance)
        assert status.spent == 8_500
        await bus.start()
        await bus.drain(60)
        await bus.close()
    assert len(got_by_good) == 1
    assert len(got_by_bad) == 3


class MailServer:
    """Speaks just enough SMTP to take letters."""

    def __init__(self):
        self.letters = []
        self.refuses = False

    async def talk(self, reader, writer):
        async def say(line):
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        await say("220 test")
        while line := (await reader.readline()).decode().strip():
            word = line[:4].upper()
            if word == "DATA":
                await say("354 go on")
                self.letters.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                await say("250 ok")
            elif word == "QUIT":
                await say("221 bye")
                break
            else:
                await say("550 no" if self.refuses and word == "RCPT" else "250 ok")
        writer.close()


@asynccontextmanager
async def mail_server():
    mail = MailServer()
    server = await asyncio.start_server(mail.talk, "127.0.0.1", 0)
    options = {
        "host": "127.0.0.1",
        "port": server.sockets[0].getsockname()[1],
        "sender": "strata@acme.test",
        "to": ["finance@acme.test"],
        "security": "none",
    }
    try:
        yield options, mail
    finally:
        server.close()


async def test_an_alarm_goes_out_by_mail(opened):
    async with mail_server() as (options, mail):
        bench = await opened(notifiers=(Notifier("email", options),))
        event = alarm(name="Lab\r\nBcc: everybody@acme.test")
        await bench.ledger.on_budget_crossed([event])
    (letter,) = mail.letters
    headers, _, text = letter.partition("\r\n\r\n")
    assert "To: finance@acme.test" in headers
    assert "\r\nBcc:" not in headers
    assert event.id in headers
    assert "8.25 of 10.00 USD" in text


async def test_a_mail_server_that_refuses_is_tried_again_later():
    async with mail_server() as (options, mail):
        mail.refuses = True
        with pytest.raises(Unavailable, match="did not take"):
            await email.make(options).tell(alarm())
    with pytest.raises(Unavailable):
        await email.make(options).tell(alarm())


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, "host"),
        ({"host": "h", "sender": "s", "to": []}, "names nobody"),
        ({"host": "h", "sender": "s", "to": ["a"], "colour": 1}, "'colour'"),
        ({"host": "h", "sender": "s", "to": ["a"], "security": "none", "user": "u"}, "unprotected"),
        ({"host": "h", "sender": "s", "to": ["a"], "security": "maybe"}, "maybe"),
    ],
)
def test_a_wrong_mail_setting_is_named(options, wanted):
    with pytest.raises(Misconfigured, match=wanted):
        email.make(options)
