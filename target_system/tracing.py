"""Spans of a sample of orders, made by hand: automatic instrumentation costs more than the whole gateway.

An order is sampled if its client says so (bit 0x01 of the traceparent's flags) or, without a traceparent, by ratio. One
that turns out slow, or fails, gets its spans afterwards from the stamps that every order keeps, up to LATE_PER_S.

A finished order goes into a bounded queue as it is; its spans are made, encoded and sent by a thread. What the queue
cannot hold and what a collector that is away or slow did not take is lost and counted. The SDK's tracer and batch
processor take 27 µs a span before it is encoded, and do not say what they lost.
"""

from __future__ import annotations

import random
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from target_system import signals

TRACE_PARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
ORDERS_MAX = 500
"""Finished orders that wait for the thread: some 5,000 spans."""
ORDERS_A_REQUEST = 50
EXPORT_EVERY_S = 2.0
EXPORT_DEADLINE_S = 2.0
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


@dataclass(frozen=True, slots=True)
class Root:
    """The span of an order that is traced, until it is finished."""

    context: SpanContext
    parent: SpanContext | None
    start_ns: int

    @property
    def trace_id(self) -> str:
        return f"{self.context.trace_id:032x}"

    @property
    def trace_parent(self) -> bytes:
        """By which the next component's span would name this one; also what a client is told (`traceresponse`)."""
        return b"00-%032x-%016x-01" % (self.context.trace_id, self.context.span_id)


@dataclass(frozen=True, slots=True)
class _Finished:
    root: Root
    end_ns: int
    stages: Sequence[Stage]
    attributes: Mapping[str, Any]

    @property
    def span_count(self) -> int:
        return 1 + sum(1 + len(stage.children) for stage in self.stages)


class OrderTracer:
    """Says which orders are traced, and takes their stages when they are done. `on_drop` gets a number of spans."""

    def __init__(
        self, component: str, instance: str, exporter: SpanExporter | None, ratio: float, slow_ms: float,
        on_drop: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._ratio = ratio if exporter else 0.0
        self._slow_ns = slow_ms * 1e6
        self._late_second, self._late_left = -1, 0
        self._ids = RandomIdGenerator()
        self._sender = _Sender(exporter, component, instance, on_drop) if exporter else None

    def start(self, header: bytes | None, start_ns: int) -> Root | None:
        """A root if this order is sampled. Costs a comparison or a random number where it is not."""
        if header is None:
            return self._root(start_ns) if random.random() < self._ratio else None
        parent = parse_trace_parent(header)
        if parent is None or self._sender is None or not parent.trace_flags & TraceFlags.SAMPLED:
            return None
        return self._root(start_ns, parent)

    def start_late(self, start_ns: int, taken_ns: int, status: int) -> Root | None:
        """A root for a finished order that nobody had sampled, if it was slow or failed."""
        if (taken_ns < self._slow_ns and status < FAILED) or self._sender is None:
            return None
        second = start_ns // 1_000_000_000
        if second != self._late_second:
            self._late_second, self._late_left = second, LATE_PER_S
        if not self._late_left:
            return None
        self._late_left -= 1
        return self._root(start_ns)

    def _root(self, start_ns: int, parent: SpanContext | None = None) -> Root:
        trace_id = parent.trace_id if parent else self._ids.generate_trace_id()
        context = SpanContext(trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=SAMPLED)
        return Root(context, parent, start_ns)

    def finish(self, root: Root, end_ns: int, stages: Sequence[Stage], attributes: Mapping[str, Any]) -> None:
        for stage in stages:
            for name in (stage.name, *(child.name for child in stage.children)):
                if name not in signals.SPANS:
                    raise KeyError(f"span {name} is not declared; add it to target_system/signals")
        if self._sender:
            self._sender.put(_Finished(root, end_ns, stages, attributes))

    def close(self) -> None:
        if self._sender:
            self._sender.close()


class _Origin(Resource):
    """The exporter groups spans by resource: each is itself, the SDK's hash would write it as JSON for every span."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class _Sender:
    """Turns finished orders into spans and exports them, on a thread of its own. A span is of the component that its
    declaration names: the engine returns its own timings."""

    def __init__(self, exporter: SpanExporter, component: str, instance: str, on_drop: Callable[[int], None]) -> None:
        self._exporter, self._on_drop = exporter, on_drop
        self._resources = {
            of: _Origin({"service.name": of, "service.instance.id": instance if of == component else of})
            for of in {component, *(span.component for span in signals.SPANS.values())}
        }
        self._ids = RandomIdGenerator()
        self._orders: deque[_Finished] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="span-sender", daemon=True)
        self._thread.start()

    def put(self, order: _Finished) -> None:
        if len(self._orders) >= ORDERS_MAX:
            self._on_drop(order.span_count)
        else:
            self._orders.append(order)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(2 * EXPORT_DEADLINE_S)
        self._exporter.shutdown()

    def _run(self) -> None:
        while not self._stop.wait(EXPORT_EVERY_S):
            self._send()
        self._send()

    def _send(self) -> None:
        while self._orders:
            count = min(len(self._orders), ORDERS_A_REQUEST)
            spans = [span for _ in range(count) for span in self._spans_of(self._orders.popleft())]
            if self._exporter.export(spans) is not SpanExportResult.SUCCESS:
                self._on_drop(len(spans))

    def _spans_of(self, order: _Finished) -> Iterator[ReadableSpan]:
        root = order.root
        yield self._span(
            root.context, root.parent, "order", root.start_ns, order.end_ns, SpanKind.SERVER, order.attributes
        )
        for stage in order.stages:
            yield from self._below(root.context, stage)

    def _below(self, parent: SpanContext, stage: Stage) -> Iterator[ReadableSpan]:
        own = SpanContext(parent.trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=SAMPLED)
        yield self._span(own, parent, stage.name, stage.start_ns, stage.end_ns)
        for child in stage.children:
            yield from self._below(own, child)

    def _span(
        self, own: SpanContext, parent: SpanContext | None, name: str, start_ns: int, end_ns: int,
        kind: SpanKind = SpanKind.INTERNAL, attributes: Mapping[str, Any] | None = None,
    ) -> ReadableSpan:  # fmt: skip
        resource = self._resources[signals.SPANS[name].component]
        return ReadableSpan(
            name, own, parent, resource, attributes or {}, kind=kind, start_time=start_ns, end_time=end_ns
        )


def otlp_exporter(endpoint: str | None) -> SpanExporter | None:
    """Sends to a collector's OTLP/HTTP port, e.g. `http://127.0.0.1:4318`; its thread waits, nobody else does."""
    if not endpoint:
        return None
    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_DEADLINE_S)
