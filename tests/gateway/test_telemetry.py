"""What operators see of calls: figures for Prometheus, spans for a collector, and never what was said."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import aiohttp
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from strata.errors import UpstreamBroken
from strata.gateway.caller import Ask, Caller
from strata.gateway.door.http import app
from strata.gateway.facts.metrics import Metrics
from strata.gateway.facts.telemetry import Telemetry
from strata.gateway.facts.tracing import traced, tracing
from strata.gateway.guardrail import Submission
from strata.gateway.guards.guarding import Guards
from strata.gateway.options import GuardrailOptions
from strata.types import Subject

from .conftest import INES, TENANT, Doorway, echo, served, world

CALLER = Caller(INES, Subject(TENANT, "research", "ines"))


def ask(text: str = "a secret question", **more) -> Ask:
    return Ask("chat", {"model": "echo", "messages": [{"role": "user", "content": text}]}, "r1", **more)


def samples(metrics: Metrics) -> dict[tuple[str, str], float]:
    """By name and the label that tells them apart."""
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(metrics.text()[1].decode()):
        for sample in family.samples:
            told = (
                sample.labels.get("outcome")
                or sample.labels.get("gen_ai_token_type")
                or sample.labels.get("reason")
                or ""
            )
            if sample.labels.get("le", "+Inf") == "+Inf":
                found[sample.name, told] = found.get((sample.name, told), 0) + sample.value
    return found


async def test_a_call_is_counted_under_the_names_of_the_conventions():
    async with world(echo(reply="one two three")) as it:
        await it.gateway.whole(CALLER, ask())
        found = samples(it.gateway.telling.telemetry.metrics)
        assert found["strata_gateway_calls_total", "ok"] == 1
        assert found["gen_ai_client_operation_duration_seconds_count", "ok"] == 1
        assert found["gen_ai_client_token_usage_sum", "output"] == 3
        assert found["strata_gateway_cost_micros_total", ""] > 0


async def test_failed_and_refused_calls_are_told_apart():
    async with world(echo(fail="broken"), retries=0) as it:
        with pytest.raises(UpstreamBroken):
            await it.gateway.whole(CALLER, ask())
        assert samples(it.gateway.telling.telemetry.metrics)["strata_gateway_calls_total", "failed"] == 1


async def test_a_stream_tells_when_its_first_piece_came():
    async with world(echo(chunks=["a", "b"])) as it:
        async with aclosing(it.gateway.pieces(CALLER, ask())) as pieces:
            async for _ in pieces:
                pass
        assert (
            samples(it.gateway.telling.telemetry.metrics)["gen_ai_server_time_to_first_token_seconds_count", "ok"] == 1
        )


def one(metrics: Metrics, outcome: str = "ok") -> None:
    labels = ("chat", "m", "d", "openai", outcome, "USD")
    metrics.call(labels, seconds=1, first=0.5, admission=0.01, prompt=5, completion=7, cost=3, attempts=1)


def test_the_workers_of_one_host_are_added_up_and_the_dead_stay_counted(tmp_path, monkeypatch):
    one_worker, other = Metrics(tmp_path), Metrics(tmp_path)
    for pid, metrics in ((101, one_worker), (102, other)):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        one(metrics)
        metrics.refused("m", "gateway: budget")
        metrics.leave()
    one(other)
    found = samples(other)
    assert found["strata_gateway_calls_total", "ok"] == 3
    assert found["gen_ai_client_token_usage_sum", "input"] == 15
    assert found["strata_gateway_refusals_total", "gateway: budget"] == 2


def test_series_that_differ_in_the_currency_only_are_one_to_who_does_not_ask_for_it():
    metrics = Metrics()
    for currency in ("USD", "EUR"):
        labels = ("chat", "m", "d", "openai", "ok", currency)
        metrics.call(labels, seconds=1, first=0, admission=0, prompt=1, completion=1, cost=3, attempts=1)
    text = metrics.text()[1].decode()
    lines = [line for line in text.splitlines() if line.startswith("strata_gateway_calls_total")]
    assert len(lines) == 1
    assert lines[0].endswith(" 2.0")


async def test_a_span_tells_how_a_call_went_and_not_what_was_said():
    exporter = InMemorySpanExporter()
    async with world(echo(reply="a secret answer")) as it:
        telemetry = Telemetry(Metrics(), traced(SimpleSpanProcessor(exporter)))
        gateway = replace(it.gateway, telling=replace(it.gateway.telling, telemetry=telemetry))
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await gateway.whole(CALLER, ask(trace=parent))
    (span,) = exporter.get_finished_spans()
    assert span.name == "chat echo"
    assert span.attributes["gen_ai.operation.name"] == "chat"
    assert span.attributes["gen_ai.usage.output_tokens"] == 3
    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert span.start_time < span.end_time
    told = span.to_json()
    assert "secret" not in told
    assert "ines" not in told


def test_without_a_collector_there_are_no_spans():
    assert tracing("") is None


class Gate:
    """A guardrail that holds every request until it is opened."""

    name = "gate"
    reads = False

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def request(self, submission: Submission) -> None:
        await self.open.wait()

    def answer(self, submission: Submission) -> None:
        return None


def phases(header: str) -> dict[str, float]:
    return {name: float(time) for name, time in (part.split(";dur=") for part in header.split(", "))}


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_says_where_its_time_went_and_waiting_for_others_counts(stream):
    held, gate = 0.05, Gate()
    async with world(echo(reply="one two"), max_concurrent=1, queue_seconds=60.0) as it:
        gateway = replace(it.gateway, guards=Guards(((GuardrailOptions("gate"), gate),)))
        async with served(app(gateway)) as url, aiohttp.ClientSession() as session:
            door = Doorway(it, url, session, await it.key())
            first = asyncio.create_task(door.chat("one", stream=stream))
            while not gateway.till.limits.under_way:
                await asyncio.sleep(0.005)
            second = asyncio.create_task(door.chat("two", stream=stream))
            while not gateway.till.limits.queue.count:
                await asyncio.sleep(0.005)
            await asyncio.sleep(held)
            gate.open.set()
            one, two = [phases((await task).headers["server-timing"]) for task in (first, second)]
        assert list(one) == list(two) == ["queue", "checks", "tries", "vendor"]
        assert one["checks"] >= held * 1000
        assert two["queue"] >= held * 1000
        assert min([*one.values(), *two.values()]) >= 0
        found = samples(it.gateway.telling.telemetry.metrics)
        assert found["strata_gateway_admission_seconds_sum", "ok"] >= 2 * held
        assert all(fact.duration_ms >= held * 1000 for fact in await it.facts())
