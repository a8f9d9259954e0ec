"""A span for each call, sent to an OpenTelemetry collector, in the words of its conventions for generative AI.

A span tells the operation, the models, the tokens, how it ended and how long each phase took; never what was asked or
answered, and of the caller only the department. It is made when the call is over, so that a call waits for nothing.
Where no collector is set, nothing of OpenTelemetry is even loaded.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PROVIDERS = {
    "bedrock": "aws.bedrock", "sagemaker": "aws.sagemaker", "gemini": "gcp.gemini", "gemini:vertex": "gcp.vertex_ai",
    "openai:azure": "azure.ai.openai", "openai:groq": "groq", "openai:mistral": "mistral_ai",
    "openai:deepseek": "deepseek", "openai:xai": "x_ai", "openai:perplexity": "perplexity",
}  # fmt: skip


OPERATIONS = {"messages": "chat", "responses": "chat"}


def operation_name(operation: str) -> str:
    """The conventions' name for one of our operations; its own where they have none."""
    return OPERATIONS.get(operation, operation)


def provider_name(provider: str) -> str:
    """The conventions' name for one of our providers; its own where they have none."""
    return PROVIDERS.get(provider) or provider.partition(":")[2] or provider


@dataclass(frozen=True, slots=True)
class Tracing:
    """Sends spans in the background, in batches; what the collector does not take in time is dropped, never waited for."""

    provider: Any
    tracer: Any

    def span(
        self, name: str, begun: int, ended: int, attributes: Mapping[str, Any], parent: str = "", failed: str = ""
    ) -> None:
        """A call that is over: moments in nanoseconds since 1970; `parent` is the caller's `traceparent` header."""
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
        span = self.tracer.start_span(
            name, context=context, kind=SpanKind.CLIENT, attributes=dict(attributes), start_time=begun
        )
        if failed:
            span.set_status(Status(StatusCode.ERROR))
            span.set_attribute("error.type", failed)
        span.end(ended)

    def close(self) -> None:
        """Send what is left."""
        self.provider.shutdown()


def tracing(endpoint: str, headers: Mapping[str, str] | None = None) -> Tracing | None:
    """Spans to a collector's OTLP/HTTP address such as `http://collector:4318`; None where there is none."""
    if not endpoint:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", headers=dict(headers or {}), timeout=5)
    return traced(BatchSpanProcessor(exporter), Resource.create({"service.name": "strata-gateway"}))


def traced(processor: Any, resource: Any = None) -> Tracing:
    """Spans to any span processor."""
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return Tracing(provider, provider.get_tracer("strata.gateway"))
