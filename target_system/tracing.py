"""Spans of a sample of orders, made by hand: automatic instrumentation costs more than the whole gateway.

An order is sampled if its client says so (bit 0x01 of the traceparent's flags) or, without a traceparent, by ratio. One
that turns out slow, or fails, gets its spans afterwards from the stamps that every order keeps, up to LATE_PER_S.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, set_span_in_context

from target_system import signals

TRACE_PARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
SPANS_MAX = 4_096
EXPORT_EVERY_MS = 500
FAILED = 500
LATE_PER_S = 10
"""Where everything is slow, more of the same would only add to it."""
SAMPLED = TraceFlags(TraceFlags.SAMPLED)


@dataclass(frozen=True, slots=True)
class Stage:
    """One finished part of an order, wall clock nanoseconds; `children` lie within it."""

    name: str
    start_ns: int
    end_ns: int
    children: tuple[Stage, ...] = ()


def parse_trace_parent(header: bytes) -> SpanContext | None:
    """The client's span, or None where the header is not a valid version-00 traceparent."""
    match = TRACE_PARENT.fullmatch(header)
    if match is None or not int(match[1], 16) or not int(match[2], 16):
        return None
    return SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=TraceFlags(int(match[3], 16)))


class OrderTracer:
    """Gives sampled orders a root span, and hangs their stages under it when they are done."""

    def __init__(
        self, component: str, instance: str, exporter: SpanExporter | None, ratio: float, slow_ms: float
    ) -> None:
        self._ratio = ratio if exporter else 0.0
        self._slow_ns = slow_ms * 1e6
        self._late_second, self._late_left = -1, 0
        self._provider = TracerProvider(
            resource=Resource({"service.name": component, "service.instance.id": instance}), shutdown_on_exit=False
        )
        self._exports = exporter is not None
        if exporter:
            self._provider.add_span_processor(BatchSpanProcessor(exporter, SPANS_MAX, EXPORT_EVERY_MS))
        self._tracer = self._provider.get_tracer("target_system")

    def start(self, header: bytes | None, start_ns: int) -> Span | None:
        """A root span if this order is sampled. Costs a comparison or a random number where it is not."""
        if header is None:
            if random.random() >= self._ratio:
                return None
            return self._tracer.start_span("order", Context(), SpanKind.SERVER, start_time=start_ns)
        parent = parse_trace_parent(header)
        if parent is None or not self._exports or not parent.trace_flags & TraceFlags.SAMPLED:
            return None
        context = set_span_in_context(NonRecordingSpan(parent), Context())
        return self._tracer.start_span("order", context, SpanKind.SERVER, start_time=start_ns)

    def start_late(self, start_ns: int, taken_ns: int, status: int) -> Span | None:
        """A root span for a finished order that nobody had sampled, if it was slow or failed."""
        if (taken_ns < self._slow_ns and status < FAILED) or not self._exports:
            return None
        second = start_ns // 1_000_000_000
        if second != self._late_second:
            self._late_second, self._late_left = second, LATE_PER_S
        if not self._late_left:
            return None
        self._late_left -= 1
        return self._tracer.start_span("order", Context(), SpanKind.SERVER, start_time=start_ns)

    def finish(self, root: Span, end_ns: int, stages: Iterable[Stage], attributes: Mapping[str, Any]) -> None:
        root.set_attributes(attributes)
        self._add(root, stages)
        root.end(end_ns)

    def _add(self, parent: Span, stages: Iterable[Stage]) -> None:
        context = set_span_in_context(parent, Context())
        for stage in stages:
            if stage.name not in signals.SPANS:
                raise KeyError(f"span {stage.name} is not declared; add it to target_system/signals")
            span = self._tracer.start_span(stage.name, context, start_time=stage.start_ns)
            self._add(span, stage.children)
            span.end(stage.end_ns)

    def close(self) -> None:
        self._provider.shutdown()


def trace_parent_of(span: Span) -> bytes:
    context = span.get_span_context()
    return b"00-%032x-%016x-01" % (context.trace_id, context.span_id)


def otlp_exporter(endpoint: str | None) -> SpanExporter | None:
    """Sends to a collector's OTLP/HTTP port, e.g. `http://127.0.0.1:4318`; its thread waits, nobody else does."""
    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=2) if endpoint else None
