"""What the gateway counts of its calls, for Prometheus, under the names of OpenTelemetry's conventions for generative AI.

Counting must cost a call next to nothing, so a series is one object found by one look-up; `prometheus-client` only writes
it down when somebody asks. Labels never name a person. Several workers of one host each write what they counted into a
folder, and whichever is asked adds it up; what a worker counted before it died stays in the sum.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from strata.gateway.facts.tracing import operation_name, provider_name

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Bounds of durations, as the conventions advise."""

TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
OVERHEAD = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 5.0, 30.0)
LABELS = ("gen_ai_operation_name", "gen_ai_request_model", "gen_ai_response_model", "gen_ai_provider_name")


@dataclass(slots=True)
class Histogram:
    """How often a value fell between two bounds, and their sum."""

    bounds: tuple[float, ...]
    sum: float = 0.0
    counts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def see(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def add(self, sum_: float, counts: Iterable[int]) -> None:
        self.sum += sum_
        self.counts = [one + other for one, other in zip(self.counts, counts, strict=True)]


@dataclass(slots=True)
class Series:
    """Everything that is counted of the calls with the same labels."""

    calls: int = 0
    cost: int = 0
    attempts: int = 0
    duration: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    first: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    admission: Histogram = field(default_factory=lambda: Histogram(OVERHEAD))
    input: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    output: Histogram = field(default_factory=lambda: Histogram(TOKENS))


HISTOGRAMS = ("duration", "first", "admission", "input", "output")
Labels = tuple[str, ...]


@dataclass(slots=True)
class Metrics:
    """`folder` is where workers of one host leave what they counted; None where there is only one. `gauges` are asked
    when somebody looks: name, help, labels → values.
    """

    folder: Path | None = None
    series: dict[Labels, Series] = field(default_factory=dict)
    refusals: dict[Labels, int] = field(default_factory=dict)
    verdicts: dict[Labels, int] = field(default_factory=dict)
    gauges: list[Callable[[], Iterator[tuple[str, str, dict[str, str], float]]]] = field(default_factory=list)

    def call(
        self,
        labels: Labels,
        *,
        seconds: float,
        first: float,
        admission: float,
        prompt: int,
        completion: int,
        cost: int,
        attempts: int,
    ) -> None:
        """A call ended. `labels` are those of `LABELS` in our own words, the outcome and the currency; times in seconds; `first` 0 where
        no piece came; `admission` is what the call waited here before it went to a vendor.
        """
        series = self.series.get(labels)
        if series is None:
            series = self.series[labels] = Series()
        series.calls += 1
        series.cost += cost
        series.attempts += attempts
        series.duration.see(seconds)
        series.admission.see(admission)
        if first:
            series.first.see(first)
        series.input.see(prompt)
        series.output.see(completion)

    def refused(self, model: str, reason: str) -> None:
        name = (model, reason)
        self.refusals[name] = self.refusals.get(name, 0) + 1

    def judged(self, guardrail: str, verdict: str) -> None:
        name = (guardrail, verdict)
        self.verdicts[name] = self.verdicts.get(name, 0) + 1

    def text(self) -> tuple[str, bytes]:
        """The content type and the text that Prometheus reads."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(self._total(), tuple(self.gauges)))
        return CONTENT_TYPE_LATEST, generate_latest(registry)

    # -------------------------------------------------------------- several workers

    def leave(self) -> None:
        """Write down what was counted, for the other workers of this host."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = self.folder / f"{os.getpid()}.json"
        fresh = place.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(self._plain()))
        fresh.replace(place)

    def _total(self) -> Metrics:
        """What all workers counted, this one as it stands now."""
        if self.folder is None or not self.folder.is_dir():
            return self
        total = Metrics()
        for place in sorted(self.folder.glob("*.json")):
            if place.stem != str(os.getpid()):
                total._add(orjson.loads(place.read_bytes()))
        total._add(self._plain())
        return total

    def _plain(self) -> dict[str, Any]:
        return {
            "series": [
                [
                    *labels,
                    [one.calls, one.cost, one.attempts],
                    [[getattr(one, name).sum, getattr(one, name).counts] for name in HISTOGRAMS],
                ]
                for labels, one in self.series.items()
            ],
            "refusals": [[*labels, number] for labels, number in self.refusals.items()],
            "verdicts": [[*labels, number] for labels, number in self.verdicts.items()],
        }

    def _add(self, plain: dict[str, Any]) -> None:
        for *labels, numbers, histograms in plain["series"]:
            series = self.series.setdefault(tuple(labels), Series())
            calls, cost, attempts = numbers
            series.calls, series.cost = series.calls + calls, series.cost + cost
            series.attempts += attempts
            for name, (sum_, counts) in zip(HISTOGRAMS, histograms, strict=True):
                getattr(series, name).add(sum_, counts)
        for name, place in (("refusals", self.refusals), ("verdicts", self.verdicts)):
            for *labels, number in plain[name]:
                place[tuple(labels)] = place.get(tuple(labels), 0) + number


@dataclass(frozen=True, slots=True, eq=False)
class _Collected:
    """What was counted, in the words of `prometheus-client`."""

    metrics: Metrics
    gauges: tuple[Callable[[], Iterator[tuple[str, str, dict[str, str], float]]], ...]

    def collect(self) -> Iterator[Metric]:
        calls = CounterMetricFamily("strata_gateway_calls", "Calls that ended.", labels=[*LABELS, "outcome"])
        cost = CounterMetricFamily("strata_gateway_cost_micros", "What they cost.", labels=[*LABELS, "currency"])
        tries = CounterMetricFamily("strata_gateway_attempts", "Exchanges with vendors.", labels=LABELS)
        duration = _histogram("gen_ai_client_operation_duration_seconds", "How long calls took.", "outcome")
        first = _histogram("gen_ai_server_time_to_first_token_seconds", "Until the first piece came.", "outcome")
        admission = _histogram("strata_gateway_admission_seconds", "Before a call went to a vendor.", "outcome")
        tokens = _histogram("gen_ai_client_token_usage", "Tokens of a call.", "gen_ai_token_type")
        for (operation, model, deployment, provider, outcome, currency), one in self.metrics.series.items():
            labels = [operation_name(operation), model, deployment, provider_name(provider)]
            calls.add_metric([*labels, outcome], one.calls)
            cost.add_metric([*labels, currency], one.cost)
            tries.add_metric(labels, one.attempts)
            for family, histogram in ((duration, one.duration), (first, one.first), (admission, one.admission)):
                _put(family, [*labels, outcome], histogram)
            _put(tokens, [*labels, "input"], one.input)
            _put(tokens, [*labels, "output"], one.output)
        yield from (_merged(family) for family in (calls, cost, tries))
        yield from (_merged(family) for family in (duration, first, admission, tokens))
        yield from self._counted()

    def _counted(self) -> Iterator[Metric]:
        refusals = CounterMetricFamily("strata_gateway_refusals", "Refused calls.", labels=["model", "reason"])
        for labels, number in self.metrics.refusals.items():
            refusals.add_metric(labels, number)
        verdicts = CounterMetricFamily("strata_gateway_verdicts", "Guardrails' finds.", labels=["guardrail", "verdict"])
        for labels, number in self.metrics.verdicts.items():
            verdicts.add_metric(labels, number)
        yield refusals
        yield verdicts
        families: dict[str, GaugeMetricFamily] = {}
        for gauge in self.gauges:
            for name, help_, given, value in gauge():
                family = families.setdefault(name, GaugeMetricFamily(name, help_, labels=list(given)))
                family.add_metric(list(given.values()), value)
        yield from families.values()


def _histogram(name: str, help_: str, label: str) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, help_, labels=[*LABELS, label])


def _put(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    counted, buckets = 0, []
    for bound, number in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        counted += number
        buckets.append((str(float(bound)) if bound != float("inf") else "+Inf", counted))
    if counted:
        family.add_metric(labels, buckets, histogram.sum)


def _merged(family: Metric) -> Metric:
    """One sample for the same labels: series that differ in what this family does not tell are added up."""
    seen: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = {}
    for sample in family.samples:
        name = (sample.name, tuple(sorted(sample.labels.items())))
        earlier = seen.get(name)
        seen[name] = sample if earlier is None else sample._replace(value=earlier.value + sample.value)
    family.samples = list(seen.values())
    return family
